"""Penalties Ω for `Autoencoder(penalties=...)`: the penalties of `losses`, each with its weight.

A penalty is a function Ω(h, x, encoder, rng) of the code h = encoder(x), in nats per example, and
is reported under its `__name__`. x is what the encoder saw, corrupted or not, and requires a
gradient, so that h can be differentiated in it. Any function of that form will do.
"""

from . import losses
from .jacobian import check_method


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
    """weight · ‖∂h/∂x‖²_F: a code that resists small changes of the input, as a contractive one does.

    method and probes are those of `losses.jacobian_penalty`.
    """
    check_method(method, probes)

    def measure(h, x, encoder, rng):
        return losses.jacobian_penalty(encoder, x, method, probes=probes, rng=rng, code=h)

    return _penalty("jacobian", weight, measure)


def _penalty(name, weight, measure):
    if not weight >= 0:
        raise ValueError(f"{name}: the weight must not be negative, got {weight}")

    def penalty(h, x, encoder, rng):
        return weight * measure(h, x, encoder, rng)

    penalty.__name__ = name
    return penalty
