"""Losses, all in nats per example: summed over the dimensions of an example, averaged over the batch.

A reconstruction loss is -ln p(x | h) for the distribution that the decoder's output stands for
(Deep Learning, section 14.4): Bernoulli pixels give the cross-entropy, a Gaussian of fixed
variance gives the squared error. With one rule for sums and means, losses and penalties of
different models add up without further factors.
"""

import math

from . import ops


def _check(name, *operands):
    """Refuse operands of different shapes, which would broadcast in silence, and what is no batch."""
    shapes = [x.shape for x in operands]
    if len(set(shapes)) > 1:
        raise ValueError(f"{name}: the shapes must be equal, not {', '.join(map(str, shapes))}")
    if not shapes[0]:
        raise ValueError(f"{name}: expected a batch of examples (N, ...), got a single number")


def _per_example(terms):
    """The mean over the batch of the sum over all other axes."""
    return ops.sum(terms) / terms.shape[0]


def mse(prediction, target):
    """Squared error ½ Σ (x̂ - x)², which is -ln N(x; x̂, I) without its constant ½ D ln 2π.

    The ½ makes the gradient x̂ - x at each example's output. Shapes (N, ...); raises ValueError
    where they differ.
    """
    _check("mse", prediction, target)
    error = prediction - target
    return _per_example(0.5 * error * error)


def bernoulli_nll(logits, target):
    """Cross-entropy -Σ x ln p + (1 - x) ln(1 - p) with p = sigmoid(logits), for targets in [0, 1].

    Computed as Σ softplus(l) - x l, which is exact where p rounds to 0 or 1. Its gradient is p - x
    at each example's logits. Shapes (N, ...); raises ValueError where they differ.
    """
    _check("bernoulli_nll", logits, target)
    return _per_example(ops.softplus(logits) - logits * target)


bernoulli_nll.mean = ops.sigmoid  # turns the decoder's output into the mean of p(x | h)


def gaussian_nll(mean, log_var, target):
    """-ln N(x; mean, exp(log_var)) = ½ Σ ln 2π + log_var + (x - mean)² / exp(log_var).

    Shapes (N, ...); raises ValueError where they differ.
    """
    _check("gaussian_nll", mean, log_var, target)
    error = target - mean
    return _per_example(0.5 * (log_var + error * error * ops.exp(-log_var) + math.log(2 * math.pi)))


def gaussian_kl(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    """KL(q ‖ p) of diagonal Gaussians q = N(mean, exp(log_var)), p = N(prior_mean, exp(prior_log_var)).

    ½ Σ prior_log_var - log_var + (exp(log_var) + (mean - prior_mean)²) / exp(prior_log_var) - 1

    By default p = N(0, I), the prior of a variational autoencoder (Kingma and Welling 2014,
    appendix B). mean and log_var have shape (N, ...), the prior's broadcast against them.
    """
    _check("gaussian_kl", mean, log_var)
    shift = mean - prior_mean
    log_ratio = log_var - prior_log_var
    # A number stays a number, so that it takes the precision of the arrays.
    exp = ops.exp if hasattr(prior_log_var, "dtype") else math.exp
    terms = ops.exp(log_ratio) - 1 - log_ratio + shift * shift * exp(-prior_log_var)
    if terms.shape != mean.shape:
        raise ValueError(f"gaussian_kl: the prior must broadcast to shape {mean.shape}, "
                         f"not beyond it, to {terms.shape}")
    return _per_example(0.5 * terms)
