"""Operations along axes: sums, extremes, and the log-sum-exp family.

`axis` is None (all axes), a number or a tuple; `keepdims` leaves reduced axes with size one.
"""

import math

import numpy as np

from ..autodiff import astype, broadcast_to, primitive
from ..backend import array_module
from .elementwise import equal, exp
from .shape import axes_of, reshape


def _kept(y, x, axis, keepdims):
    """y, a reduction of x, in a shape that broadcasts against x: reduced axes are kept as size one."""
    if keepdims or y.ndim in (0, x.ndim):
        return y
    axes = axes_of("reduction", axis, x.ndim)
    return reshape(y, shape=tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


@primitive
def sum(x, axis=None, *, keepdims=False):
    """Sum of elements; every one of them has the derivative 1."""
    return x.sum(axis=axis, keepdims=keepdims)


@primitive
def max(x, axis=None, *, keepdims=False):
    """The largest element; elements that tie for it share the gradient equally."""
    return x.max(axis=axis, keepdims=keepdims)


@primitive
def min(x, axis=None, *, keepdims=False):
    """The smallest element; elements that tie for it share the gradient equally."""
    return x.min(axis=axis, keepdims=keepdims)


def _extreme_rule(g, y, x, axis, keepdims):
    chosen = astype(equal(x, _kept(y, x, axis, keepdims)), dtype=x.dtype)
    return _kept(g, x, axis, keepdims) * chosen / sum(chosen, axis=axis, keepdims=True)


@primitive
def logsumexp(x, axis=None, *, keepdims=False):
    """ln Σ eˣ, with the largest x taken out so that nothing overflows; dy/dx = softmax(x)."""
    xp = array_module(x)
    top = x.max(axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # ln 0 = -inf is right where every x is -inf
        y = xp.log(xp.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return y if keepdims else y.squeeze(axis)


sum.defvjp(lambda g, y, x, axis, keepdims: broadcast_to(_kept(g, x, axis, keepdims), shape=x.shape))
max.defvjp(_extreme_rule)
min.defvjp(_extreme_rule)
logsumexp.defvjp(
    lambda g, y, x, axis, keepdims:
        _kept(g, x, axis, keepdims) * exp(x - _kept(y, x, axis, keepdims))
)


def mean(x, axis=None, *, keepdims=False):
    """Arithmetic mean."""
    total = sum(x, axis, keepdims=keepdims)
    return total / math.prod(x.shape[i] for i in axes_of("mean", axis, x.ndim))


def var(x, axis=None, *, ddof=0, keepdims=False):
    """Variance, Σ (x - x̄)² / (n - ddof)."""
    n = math.prod(x.shape[i] for i in axes_of("var", axis, x.ndim))
    centred = x - mean(x, axis, keepdims=True)
    return sum(centred * centred, axis, keepdims=keepdims) / (n - ddof)


def log_softmax(x, axis=-1):
    """ln softmax(x) = x - logsumexp(x) along the axis."""
    return x - logsumexp(x, axis, keepdims=True)


def softmax(x, axis=-1):
    """eˣ / Σ eˣ along the axis: positive, and sums to 1."""
    return exp(log_softmax(x, axis))
