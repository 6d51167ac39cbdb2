"""The Jacobian ∂f/∂x of each example, and the contractive penalty ‖∂f/∂x‖²_F in three ways.

Reverse mode gives a row of the Jacobian for one backward pass: vᵀJ for any v, and row k for v = e_k.
One pass does it for the whole batch, because examples do not mix: the gradient of Σₙ hₙₖ in xₙ is
that of hₙₖ alone. So f must treat each example by itself. BatchNorm in training mode, which does
not, has no Jacobian of each example, and what comes out for it has no such meaning.
"""

import math

from . import nn, ops
from .autodiff import Tensor, grad, is_recording, record
from .backend import array_module

METHODS = ("exact", "closed", "stochastic")

# σ'(a) as a function of h = σ(a); None is a layer without an activation
SLOPES = {
    None: lambda h: Tensor(array_module(h.data).ones_like(h.data)),
    ops.sigmoid: lambda h: h * (1 - h),
    ops.tanh: lambda h: 1 - h * h,
    ops.relu: lambda h: ops.greater(h, 0).astype(h.dtype),
}


def jacobian(f, x, create_graph=False):
    """The Jacobian of f at each example: J[n, i..., j...] = ∂f(x)[n, i...] / ∂x[n, j...].

    f takes x (N, ...) to (N, ...), each example by itself; each entry of an example's output costs a
    backward pass. The result has shape (N, *output, *input). With create_graph it can be
    differentiated again. Raises ValueError where f does not give an output for each example.
    """
    x, h = _traced(f, x if isinstance(x, Tensor) else Tensor(x))
    rows = ops.stack(list(_rows(h, x, create_graph)), axis=1)
    return ops.reshape(rows, shape=h.shape + x.shape[1:])


def jacobian_penalty(encoder, x, method="exact", *, probes=1, rng=None, code=None):
    """‖∂f(x)/∂x‖²_F, the sum of the squares of an example's Jacobian, averaged over the batch.

    The penalty of the contractive autoencoder (Rifai et al. 2011; Deep Learning, equation 14.18).

    method "exact"       for any encoder: each unit of the code costs a backward pass
           "closed"      for dense layers with sigmoid, tanh, relu or no activation: a product of
                         matrices; for one layer Σ_j σ'(a_j)² Σ_i W_ij², as cheap as the encoder
           "stochastic"  for any encoder: an estimate, at one backward pass for each of the `probes`
    rng    what the stochastic method draws from
    code   encoder(x), where it is at hand and x required a gradient: saves computing it again

    The estimate is E ‖vᵀJ‖² = ‖J‖²_F for v of independent random signs (Hutchinson 1990), so it is
    unbiased. With G = JJᵀ an example's estimate has the variance 2 Σ_{i≠j} G_ij² / probes, which is
    0 where the rows of J are orthogonal; averaging over N examples divides it by N again.

    Differentiable like any loss. Raises ValueError for another method, and for "closed" where the
    encoder is not of that form. Not for encoders in which examples mix (see above).
    """
    check_method(method, probes)
    if method == "closed":
        return _closed(encoder, x, code)
    if code is None or not (x.requires_grad and code.requires_grad):
        x, code = _traced(encoder, x)
    if method == "exact":
        rows = _rows(code, x, is_recording())
        return _squares(rows) * (1 / x.shape[0])
    if rng is None:
        raise ValueError("jacobian_penalty: the stochastic method needs an rng to draw its probes from")
    rows = (grad(code, x, _signs(code, rng), create_graph=is_recording()) for _ in range(probes))
    return _squares(rows) * (1 / (x.shape[0] * probes))


def check_method(method, probes):
    if method not in METHODS or probes < 1:
        raise ValueError(f"jacobian_penalty: method must be one of {METHODS} and probes at least 1, "
                         f"not {method!r} and {probes}")


def _traced(f, x):
    """x, requiring a gradient, and f(x) with its history, even within `no_grad`."""
    with record():
        x = x if x.requires_grad else Tensor(x.data, requires_grad=True)
        h = f(x)
    if h.shape[:1] != x.shape[:1]:
        raise ValueError(f"jacobian: {x.shape[:1]} examples gave an output of shape {h.shape}; "
                         "expected an output for each")
    return x, h


def _rows(h, x, create_graph):
    """∂hₖ/∂x in the shape of x, for each unit k of the code."""
    xp = array_module(h.data)
    for k in range(math.prod(h.shape[1:])):
        unit = xp.zeros(h.shape[1:], h.dtype)
        unit.reshape(-1)[k] = 1
        yield grad(h, x, xp.broadcast_to(unit, h.shape), create_graph)


def _signs(h, rng):
    return 1 - 2 * (rng.random(h.shape, dtype=h.dtype) < 0.5).astype(h.dtype)


def _squares(rows):
    total = 0.0
    for row in rows:
        total = total + ops.sum(row * row)
    return total


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
    rows = ops.expand_dims(top, 2) * dense.weight.T
    for (layer, _), slope in zip(below[:0:-1], slopes[:0:-1]):
        rows = _times(rows * slope, layer.weight.T)
    rows, first = rows * slopes[0], below[0][0].weight
    return ops.sum(_times(rows, first.T @ first) * rows) * (1 / x.shape[0])


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
        raise ValueError("jacobian_penalty: the closed form is for dense layers, each with sigmoid, "
                         f"tanh, relu or nothing after it, not for {encoder!r}; use another method")
    return pairs


def _times(rows, matrix):
    """(N, k, n) by (n, m) as a single matrix product."""
    n, k, width = rows.shape
    return ops.reshape(ops.reshape(rows, shape=(n * k, width)) @ matrix, shape=(n, k, matrix.shape[1]))
