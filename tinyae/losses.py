"""Losses, all in nats per example: summed over the dimensions of an example, averaged over the batch.

A reconstruction loss is -ln p(x | h) for the distribution that the decoder's output stands for
(Deep Learning, section 14.4): Bernoulli pixels give the cross-entropy, a Gaussian of fixed
variance gives the squared error. With one rule for sums and means, losses and penalties of
different models add up without further factors.
"""

import math

from . import ops
from .autodiff import primitive


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


@primitive
def cross_entropy(logits, target):
    """-x ln p - (1 - x) ln(1 - p) with p = sigmoid(l), elementwise.

    As softplus(l) - x l it is exact where p rounds to 0 or 1. The derivative is p - x in l, and -l in x.
    """
    y = ops.softplus.__wrapped__(logits)
    y -= target * logits
    return y


cross_entropy.defvjp(
    lambda g, y, logits, target: g * (ops.sigmoid(logits) - target),
    lambda g, y, logits, target: -g * logits,
)


def bernoulli_nll(logits, target):
    """Cross-entropy -Σ x ln p + (1 - x) ln(1 - p) with p = sigmoid(logits), for targets in [0, 1].

    Its gradient at each example's logits is p - x. Shapes (N, ...); raises ValueError where they differ.
    """
    _check("bernoulli_nll", logits, target)
    return _per_example(cross_entropy(logits, target))


bernoulli_nll.mean = ops.sigmoid  # turns the decoder's output into the mean of p(x | h)


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
    return _per_example(ops.exp(log_var) + mean * mean - 1 - log_var, 0.5)
