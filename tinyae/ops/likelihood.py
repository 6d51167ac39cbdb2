"""The terms of two likelihoods, each as one operation: what a variational autoencoder's step is made of.

They could be written with the elementwise operations. As primitives they have the short derivatives
of the whole, and make fewer arrays on the way.
"""

from ..autodiff import primitive
from ..backend import array_module
from .elementwise import expm1, floating, log_one_plus_exp_minus_abs, positive_part, sigmoid


@primitive
def bernoulli_terms(logits, target):
    """-x ln p - (1 - x) ln(1 - p) with p = sigmoid(l), elementwise: max(l, 0) - x l + ln(1 + e^-|l|).

    It never overflows, and is right where p rounds to 0 or 1. The derivative is p - x in l, and -l in x.
    """
    logits, target = _as_arrays(logits, target)
    logits = floating(logits)
    return log_one_plus_exp_minus_abs(logits) + (positive_part(logits) - target * logits)


@primitive
def gaussian_kl_terms(mean, log_var):
    """½ (exp(log_var) + mean² - 1 - log_var), elementwise: KL(N(mean, exp(log_var)) ‖ N(0, 1)).

    The derivative is the mean in the mean, and ½ (exp(log_var) - 1) in the log-variance.
    """
    mean, log_var = _as_arrays(mean, log_var)
    return 0.5 * (array_module(log_var).expm1(log_var) - log_var) + 0.5 * mean * mean


def _as_arrays(a, b):
    """Both as arrays of one precision. Of a number alone, NumPy's functions would make a float64."""
    xp = array_module(a, b)
    dtype = xp.result_type(a, b)
    return [x.astype(dtype, copy=False) if hasattr(x, "dtype") else xp.asarray(x, dtype) for x in (a, b)]


bernoulli_terms.defvjp(
    lambda g, y, logits, target: g * (sigmoid(logits) - target),
    lambda g, y, logits, target: -g * logits,
)
gaussian_kl_terms.defvjp(
    lambda g, y, mean, log_var: g * mean,
    lambda g, y, mean, log_var: g * (0.5 * expm1(log_var)),
)
