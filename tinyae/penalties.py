"""Penalties Ω for `Autoencoder(penalties=...)`, each with its weight.

A penalty is a function Ω(h, x, encoder, rng) of the code h = encoder(x), in nats per example, and
is reported under its `__name__`. x is what the encoder saw, corrupted or not, and requires a
gradient, so that h can be differentiated in it. Any function of that form will do.

The contractive one, ‖∂f(x)/∂x‖²_F, comes in three ways: exact, in closed form, and as an estimate.
"""

from . import losses, nn, ops
from .autodiff import Tensor, grad, is_recording
from .backend import array_module
from .jacobian import rows, traced

__all__ = ["jacobian", "l1", "l2", "sparsity_kl"]

METHODS = ("exact", "closed", "stochastic")


def l1(weight):
    """weight · Σ |h|: few active units (Deep Learning, section 14.2.1)."""
    return _penalty("l1", weight, lambda h, x, encoder, rng: losses.l1(h))


def l2(weight):
    """weight · ½ Σ h²: a small code."""
    return _penalty("l2", weight, lambda h, x, encoder, rng: losses.l2(h))


def sparsity_kl(rho, weight):
    """weight · Σ KL(ρ ‖ ρ̂): each unit of a code in [0, 1] is active a fraction ρ of the time."""
    losses.check_rho(rho)
    return _penalty("sparsity_kl", weight, lambda h, x, encoder, rng: losses.sparsity_kl(h, rho))


def jacobian(weight, method="exact", probes=1):
    """weight · ‖∂f(x)/∂x‖²_F, averaged over the batch: a code that resists small changes of the input.

    The penalty of the contractive autoencoder (Rifai et al. 2011; Deep Learning, equation 14.18).

    method "exact"       for any encoder: each unit of the code costs a backward pass
           "closed"      for dense layers with sigmoid, tanh, relu or no activation: a product of
                         matrices; for one layer Σ_j σ'(a_j)² Σ_i W_ij², as cheap as the encoder
           "stochastic"  for any encoder: an estimate, at one backward pass for each of the `probes`

    The estimate is E ‖vᵀJ‖² = ‖J‖²_F for v of independent random signs (Hutchinson 1990), so it is
    unbiased. With G = JJᵀ an example's estimate has the variance 2 Σ_{i≠j} G_ij² / probes, which is
    0 where the rows of J are orthogonal; averaging over N examples divides it by N again.

    The code may be None: then it is computed, and x need not require a gradient. Raises ValueError
    for another method, and for "closed" where the encoder is not of that form. Not for encoders in
    which examples mix, such as BatchNorm in training mode.
    """
    if method not in METHODS or probes < 1:
        raise ValueError(f"jacobian: method must be one of {METHODS} and probes at least 1, "
                         f"not {method!r} and {probes}")

    def measure(h, x, encoder, rng):
        if method == "closed":
            return _closed(encoder, x, h)
        if h is None or not (x.requires_grad and h.requires_grad):
            x, h = traced(encoder, x)
        if method == "exact":
            return _squares(rows(h, x, is_recording())) * (1 / x.shape[0])
        if rng is None:
            raise ValueError("jacobian: the stochastic method needs an rng to draw its probes from")
        probed = (grad(h, x, _signs(h, rng), create_graph=is_recording()) for _ in range(probes))
        return _squares(probed) * (1 / (x.shape[0] * probes))

    return _penalty("jacobian", weight, measure)


def _penalty(name, weight, measure):
    if not weight >= 0:
        raise ValueError(f"{name}: the weight must be at least 0, not {weight}")

    def penalty(h, x, encoder, rng):
        return weight * measure(h, x, encoder, rng)

    penalty.__name__ = name
    return penalty


def _signs(h, rng):
    return 1 - 2 * (rng.random(h.shape, dtype=h.dtype) < 0.5).astype(h.dtype)


def _squares(rows):
    total = 0.0
    for row in rows:
        total = total + ops.sum(row * row)
    return total


# --- the closed form -----------------------------------------------------------------------------

# σ'(a) as a function of h = σ(a); None is a layer without an activation
SLOPES = {
    None: lambda h: Tensor(array_module(h.data).ones_like(h.data)),
    ops.sigmoid: lambda h: h * (1 - h),
    ops.tanh: lambda h: 1 - h * h,
    ops.relu: lambda h: ops.greater(h, 0).astype(h.dtype),
}


def _closed(encoder, x, code):
    """J = S_L W_Lᵀ ... S_1 W_1ᵀ with S_l = diag σ'(a_l), and ‖J‖² from its factors.

    With R = S_L W_Lᵀ ... S_1, all but the last factor, ‖J‖² = tr R (W_1ᵀ W_1) Rᵀ: nothing here is as
    wide as the input.
    """
    *below, (dense, activation) = _dense_layers(encoder)
    h, slopes = ops.reshape(x, shape=(x.shape[0], -1)), []
    for layer, sigma in below:
        h = layer(h) if sigma is None else sigma(layer(h))
        slopes.append(ops.expand_dims(SLOPES[sigma](h), 1))
    top = SLOPES[activation](encoder(x) if code is None else code)
    if not below:
        return ops.sum(top * top * ops.sum(dense.weight * dense.weight, axis=0)) * (1 / x.shape[0])
    factor = ops.expand_dims(top, 2) * dense.weight.T
    for (layer, _), slope in zip(below[:0:-1], slopes[:0:-1]):
        factor = _times(factor * slope, layer.weight.T)
    factor, first = factor * slopes[0], below[0][0].weight
    return ops.sum(_times(factor, first.T @ first) * factor) * (1 / x.shape[0])


def _dense_layers(encoder):
    """The (Dense, activation or None) of a dense network, from the input up."""
    pairs = []
    for layer in encoder.layers if isinstance(encoder, nn.Sequential) else [encoder]:
        if isinstance(layer, nn.Dense):
            pairs.append((layer, None))
        elif layer in SLOPES and pairs and pairs[-1][1] is None:
            pairs[-1] = pairs[-1][0], layer
        elif not isinstance(layer, nn.Flatten):
            pairs.clear()
            break
    if not pairs:
        raise ValueError("jacobian: the closed form is for dense layers, each with sigmoid, "
                         f"tanh, relu or nothing after it, not for {encoder!r}; use another method")
    return pairs


def _times(factor, matrix):
    """(N, k, n) by (n, m) as a single matrix product."""
    n, k, width = factor.shape
    return ops.reshape(ops.reshape(factor, shape=(n * k, width)) @ matrix, shape=(n, k, matrix.shape[1]))
