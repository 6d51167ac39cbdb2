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


sum.defvjp(lambda g, y, x, axis, keepdims: broadcast_to(_kept(g, x, axis, keepdims), shape=x.shape))
max.defvjp(_extreme_rule)
min.defvjp(_extreme_rule)


@primitive
def mean(x, axis=None, *, keepdims=False):
    """Arithmetic mean. Raises ValueError where there is nothing to average."""
    _count("mean", x, axis)
    return x.mean(axis=axis, keepdims=keepdims)


mean.defvjp(lambda g, y, x, axis, keepdims:
            broadcast_to(_kept(g, x, axis, keepdims) * (1 / _count("mean", x, axis)), shape=x.shape))


def var(x, axis=None, *, ddof=0, keepdims=False):
    """Variance, Σ (x - x̄)² / (n - ddof). Raises ValueError where n is not above ddof."""
    n = _count("var", x, axis, ddof)
    centred = x - mean(x, axis=axis, keepdims=True)
    v = mean(centred * centred, axis=axis, keepdims=keepdims)
    return v * (n / (n - ddof)) if ddof else v


def _count(name, x, axis, ddof=0):
    """How many elements an average along the axis is over; there must be more than ddof."""
    n = math.prod(x.shape[i] for i in axes_of(name, axis, x.ndim))
    if n <= ddof:
        raise ValueError(f"{name}: expected more than {ddof} elements along axis {axis}, got {n} "
                         f"(shape {x.shape})")
    return n


@primitive
def argmax(x, axis=None):
    """The index of the largest element, the first of them where several tie; it has no gradient."""
    return x.argmax(axis=axis)


argmax.defvjp(None)

# The log-sum-exp family. The largest x is taken out, so that nothing overflows, and every exponential is
# of a difference: exp(x - logsumexp(x)) would lose it in rounding where x is large.


@primitive
def logsumexp(x, axis=None, *, keepdims=False):
    """ln Σ eˣ; dy/dx = softmax(x)."""
    top, e = _shifted(x, axis)
    with np.errstate(divide="ignore"):  # ln 0 = -inf is right where every x is -inf
        y = array_module(x).log(array_module(x).exp(e).sum(axis=axis, keepdims=True)) + top
    return y if keepdims else y.squeeze(axis)


@primitive
def softmax(x, axis=-1):
    """eˣ / Σ eˣ along the axis: positive, and sums to 1; dL/dx = y (g - Σ g y)."""
    e = array_module(x).exp(_shifted(x, axis)[1])
    return e / e.sum(axis=axis, keepdims=True)


@primitive
def log_softmax(x, axis=-1):
    """ln softmax(x) = x - logsumexp(x) along the axis; dL/dx = g - softmax(x) Σ g."""
    xp, (_, shifted) = array_module(x), _shifted(x, axis)
    return shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))


def _shifted(x, axis):
    """The largest x along the axis (0 where it is infinite), and x less that."""
    xp, top = array_module(x), x.max(axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    with np.errstate(over="ignore"):  # -inf is right for what lies so far below the largest
        return top, x - top


logsumexp.defvjp(lambda g, y, x, axis, keepdims: _kept(g, x, axis, keepdims) * softmax(x, axis=axis))
softmax.defvjp(lambda g, y, x, axis: y * (g - sum(g * y, axis=axis, keepdims=True)))
log_softmax.defvjp(lambda g, y, x, axis: g - exp(y) * sum(g, axis=axis, keepdims=True))
