"""Operations on each element by itself: y = f(x), so dL/dx = g f'(x), and broadcasting where two meet.

Names and argument order are NumPy's; the activations that NumPy lacks have the field's names.
"""

import numpy as np

from ..autodiff import Tensor, primitive
from ..backend import array_module


@primitive
def subtract(a, b):
    """a - b."""
    return a - b


@primitive
def multiply(a, b):
    """a b."""
    return a * b


@primitive
def divide(a, b):
    """a / b; dy/db = -y / b."""
    return a / b


@primitive
def power(a, b):
    """a to the power b; dy/da = b aᵇ⁻¹, dy/db = y ln a."""
    return a**b


@primitive
def negative(x):
    """-x."""
    return -x


def _one_less(b, a):
    """The exponent b - 1, but 1 where a factor 0 goes with 0⁻¹; a number stays a number."""
    if not isinstance(b, Tensor):
        return b - 1 if b else 1
    return where(equal(a, 0) * equal(b, 0), 1, b - 1)


subtract.defvjp(lambda g, y, a, b: g, lambda g, y, a, b: -g)
multiply.defvjp(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
divide.defvjp(lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b)
power.defvjp(
    # Where a = b = 0 the derivative is 0, not 0 · 0⁻¹; where a = 0 and b > 0 it is 0, not 0 · ln 0.
    lambda g, y, a, b: g * b * a ** _one_less(b, a),
    lambda g, y, a, b: g * y * (log(where(equal(a, 0), 1, a)) if isinstance(a, Tensor) else np.log(a or 1)),
)
negative.defvjp(lambda g, y, x: -g)


@primitive
def exp(x):
    """eˣ."""
    return array_module(x).exp(x)


@primitive
def log(x):
    """Natural logarithm."""
    return array_module(x).log(x)


@primitive
def expm1(x):
    """eˣ - 1, precise where eˣ is near 1."""
    return array_module(x).expm1(x)


@primitive
def log1p(x):
    """ln(1 + x), precise where x is near 0."""
    return array_module(x).log1p(x)


@primitive
def sin(x):
    """Sine, of radians."""
    return array_module(x).sin(x)


@primitive
def cos(x):
    """Cosine, of radians."""
    return array_module(x).cos(x)


@primitive
def sqrt(x):
    """Square root; dy/dx = 1 / 2y."""
    return array_module(x).sqrt(x)


@primitive
def abs(x):
    """|x|; the derivative at 0 is taken as 0."""
    return array_module(x).abs(x)


@primitive
def tanh(x):
    """Hyperbolic tangent; dy/dx = 1 - y²."""
    return array_module(x).tanh(x)


@primitive
def sigmoid(x):
    """Logistic function 1 / (1 + e⁻ˣ); dy/dx = y (1 - y)."""
    with np.errstate(over="ignore"):  # e⁻ˣ = inf gives 0, which is right
        return 1 / (1 + array_module(x).exp(-floating(x)))


@primitive
def softplus(x):
    """ln(1 + eˣ) = max(x, 0) + ln(1 + e^-|x|), which never overflows; dy/dx = sigmoid(x)."""
    x = floating(x)
    y = log_one_plus_exp_minus_abs(x)
    y += positive_part(x)
    return y


def log_one_plus_exp_minus_abs(x):
    """ln(1 + t) with t = e^-|x|, of an array, in memory of its own.

    With u = 1 + t as it is rounded, it is ln u + (t - (u - 1)) to the last digit or two, also where t is
    lost beside 1. NumPy's log1p is as precise, but without AVX-512 it takes five times as long.
    """
    xp = array_module(x)
    t = xp.abs(x, out=xp.empty_like(x))
    xp.exp(xp.negative(t, out=t), out=t)
    u = 1 + t
    t -= u - 1
    t += xp.log(u)
    return t


def floating(x):
    """x as it is, or integers and booleans in float64."""
    return x if x.dtype.kind == "f" else x / 1.0


@primitive
def relu(x):
    """max(x, 0); the derivative at 0 is taken as 0."""
    return positive_part(x)


def positive_part(x):
    """max(x, 0) of an array."""
    # NumPy's maximum with an array takes a third of the time of its maximum with a number.
    xp = array_module(x)
    zeros = xp.zeros_like(x)
    return xp.maximum(x, zeros, out=zeros)


exp.defvjp(lambda g, y, x: g * y)
log.defvjp(lambda g, y, x: g / x)
expm1.defvjp(lambda g, y, x: g * exp(x))
log1p.defvjp(lambda g, y, x: g / (1 + x))
sin.defvjp(lambda g, y, x: g * cos(x))
cos.defvjp(lambda g, y, x: -g * sin(x))
sqrt.defvjp(lambda g, y, x: g * 0.5 / y)
abs.defvjp(lambda g, y, x: g * sign(x))
tanh.defvjp(lambda g, y, x: g * (1 - y * y))
sigmoid.defvjp(lambda g, y, x: g * y * (1 - y))
softplus.defvjp(lambda g, y, x: g * sigmoid(x))
relu.defvjp(lambda g, y, x: g * (y > 0))


@primitive
def maximum(a, b):
    """The larger of the two; where they are equal, each takes half of the gradient."""
    return array_module(a, b).maximum(a, b)


@primitive
def minimum(a, b):
    """The smaller of the two; where they are equal, each takes half of the gradient."""
    return array_module(a, b).minimum(a, b)


def _share(g, mine, other):
    """g where mine > other, half of it where they are equal. (Their difference might be ∞ - ∞.)"""
    return where(greater(mine, other), g, where(equal(mine, other), 0.5 * g, 0))


maximum.defvjp(lambda g, y, a, b: _share(g, a, b), lambda g, y, a, b: _share(g, b, a))
minimum.defvjp(lambda g, y, a, b: _share(g, b, a), lambda g, y, a, b: _share(g, a, b))


@primitive
def where(condition, x, y):
    """x where the condition holds, else y; the condition has no gradient."""
    xp = array_module(condition, x, y)
    return xp.where(xp.asarray(condition) if isinstance(condition, bool) else condition, x, y)


@primitive
def clip(a, a_min=None, a_max=None):
    """a kept within [a_min, a_max], two numbers or None; the derivative is 1 inside, bounds included."""
    a_min, a_max = (b.item() if isinstance(b, np.generic) else b for b in (a_min, a_max))
    return array_module(a).clip(a, a_min, a_max)


where.defvjp(
    None,
    lambda g, y, condition, x1, x2: where(condition, g, 0),
    lambda g, y, condition, x1, x2: where(condition, 0, g),
)
clip.defvjp(lambda g, y, a, a_min, a_max: g * equal(y, a))


def leaky_relu(x, slope=0.01):
    """x where it is positive, slope · x elsewhere."""
    return where(greater(x, 0), x, slope * x)


# What is constant but for jumps has no gradient: None in place of its rules.


@primitive
def greater(a, b):
    """Whether a > b."""
    return a > b


@primitive
def greater_equal(a, b):
    """Whether a ≥ b."""
    return a >= b


@primitive
def less(a, b):
    """Whether a < b."""
    return a < b


@primitive
def less_equal(a, b):
    """Whether a ≤ b."""
    return a <= b


@primitive
def equal(a, b):
    """Whether a = b."""
    return a == b


@primitive
def not_equal(a, b):
    """Whether a ≠ b."""
    return a != b


@primitive
def bitwise_and(a, b):
    """a & b: of two masks, where both hold."""
    return a & b


@primitive
def bitwise_or(a, b):
    """a | b: of two masks, where either holds."""
    return a | b


@primitive
def invert(x):
    """~x: of a mask, where it does not hold."""
    return ~x


@primitive
def sign(x):
    """-1, 0 or 1."""
    return array_module(x).sign(x)


@primitive
def isfinite(x):
    """Whether x is neither infinite nor NaN."""
    return array_module(x).isfinite(x)


for _operation in greater, greater_equal, less, less_equal, equal, not_equal, bitwise_and, bitwise_or:
    _operation.defvjp(None, None)
for _operation in invert, sign, isfinite:
    _operation.defvjp(None)
