"""Losses, all in nats per example: summed over the dimensions of an example, averaged over the batch.

A reconstruction loss is -ln p(x | h) for the distribution that the decoder's output stands for
(Deep Learning, section 14.4): Bernoulli pixels give the cross-entropy, a Gaussian of fixed
variance gives the squared error. With one rule for sums and means, losses and penalties of
different models add up without further factors.
"""

import math

import numpy as np

from . import ops
from .jacobian import jacobian_penalty  # a penalty like those below, in a file of its own
from .ops.likelihood import bernoulli_terms, gaussian_kl_terms


def _check(name, *operands):
    """Refuse operands of different shapes, which would broadcast in silence, and what is no batch."""
    shapes = [x.shape for x in operands]
    if len(set(shapes)) > 1:
        raise ValueError(f"{name}: the shapes must be equal, not {', '.join(map(str, shapes))}")
    if not shapes[0]:
        raise ValueError(f"{name}: expected a batch of examples (N, ...), got a single number")


def _per_example(terms, factor=1.0):
    """The mean over the batch of the sum over all other axes, times a factor."""
    return ops.sum(terms) * (factor / terms.shape[0])


def mse(prediction, target):
    """Squared error ½ Σ (x̂ - x)², which is -ln N(x; x̂, I) without its constant ½ D ln 2π.

    The ½ makes the gradient x̂ - x at each example's output. Shapes (N, ...); raises ValueError
    where they differ.
    """
    _check("mse", prediction, target)
    error = prediction - target
    return _per_example(error * error, 0.5)


def bernoulli_nll(logits, target):
    """Cross-entropy -Σ x ln p + (1 - x) ln(1 - p) with p = sigmoid(logits), for targets in [0, 1].

    Its gradient at each example's logits is p - x. Shapes (N, ...); raises ValueError where they differ.
    """
    _check("bernoulli_nll", logits, target)
    return _per_example(bernoulli_terms(logits, target))


bernoulli_nll.mean = ops.sigmoid  # turns the decoder's output into the mean of p(x | h)


def mean_of(reconstruction, output):
    """The mean of p(x | h), for a reconstruction loss and a decoder's output: by default that output."""
    return getattr(reconstruction, "mean", lambda output: output)(output)


def gaussian_nll(mean, log_var, target):
    """-ln N(x; mean, exp(log_var)) = ½ Σ ln 2π + log_var + (x - mean)² / exp(log_var).

    Shapes (N, ...); raises ValueError where they differ.
    """
    _check("gaussian_nll", mean, log_var, target)
    error = target - mean
    return _per_example(log_var + error * error * ops.exp(-log_var) + math.log(2 * math.pi), 0.5)


def gaussian_kl(mean, log_var, prior_mean=None, prior_log_var=None):
    """KL(q ‖ p) of diagonal Gaussians q = N(mean, exp(log_var)), p = N(prior_mean, exp(prior_log_var)).

    By default p = N(0, I), the prior of a variational autoencoder, and the divergence is

        ½ Σ exp(log_var) + mean² - 1 - log_var           (Kingma and Welling 2014, appendix B)

    Another prior is made N(0, I) by a shift and a scale of both, which change no divergence. mean
    and log_var have shape (N, ...) and the prior's must broadcast to it; else ValueError.
    """
    _check("gaussian_kl", mean, log_var)
    shape = mean.shape
    if prior_mean is not None:
        mean = mean - prior_mean
    if prior_log_var is not None:
        mean = mean * ops.exp(-0.5 * (prior_log_var + 0 * log_var))
        log_var = log_var - prior_log_var
    if mean.shape != shape or log_var.shape != shape:
        raise ValueError(f"gaussian_kl: the prior must broadcast to shape {shape}, not beyond it")
    return _per_example(gaussian_kl_terms(mean, log_var))


def l1(h):
    """Σ |h|, which is -ln of a Laplace prior on the code, up to a constant (Deep Learning, 14.2.1)."""
    _check("l1", h)
    return _per_example(ops.abs(h))


def l2(h):
    """½ Σ h², which is -ln N(h; 0, I) without its constant."""
    _check("l2", h)
    return _per_example(h * h, 0.5)


def sparsity_kl(h, rho):
    """Σ_j KL(ρ ‖ ρ̂_j) of Bernoulli distributions, with ρ̂_j the mean of unit j over the batch.

        KL(ρ ‖ ρ̂) = ρ ln(ρ / ρ̂) + (1 - ρ) ln((1 - ρ) / (1 - ρ̂))          (Ng 2011, Sparse autoencoder)

    For codes in [0, 1] (N, ...), such as those of a sigmoid; else ValueError, on the CPU. ρ̂ is kept off
    0 and 1 by the least amount that the precision knows, so that the divergence and its gradient are
    finite. Exactly at 0 and 1 the gradient is 0, as that of the sigmoid is there.
    """
    _check("sparsity_kl", h)
    check_rho(rho)
    mean = ops.mean(h, axis=0)
    # A GPU would have to be waited for in every step.
    if mean.device == "cpu" and ((mean.data < 0) | (mean.data > 1)).any():
        raise ValueError("sparsity_kl: a unit's mean is no probability; expected a code in [0, 1]")
    limits = np.finfo(h.dtype)
    mean = ops.clip(mean, limits.tiny, 1 - limits.epsneg)
    return -ops.sum(rho * ops.log(mean / rho) + (1 - rho) * ops.log((1 - mean) / (1 - rho)))


def check_rho(rho):
    if not 0 < rho < 1:
        raise ValueError(f"sparsity_kl: rho must lie between 0 and 1, got {rho}")
