"""Every differentiable operation, under NumPy's names; Tensor's operators and methods call them."""

import sys

from .. import autodiff
from ..autodiff import add, astype, broadcast_to, sum_to
from .elementwise import (
    abs, bitwise_and, bitwise_or, clip, cos, divide, equal, exp, expm1, greater, greater_equal, invert,
    isfinite, leaky_relu, less, less_equal, log, log1p, maximum, minimum, multiply, negative, not_equal,
    power, relu, sigmoid, sign, sin, softplus, sqrt, subtract, tanh, where,
)
from .likelihood import bernoulli_terms, gaussian_kl_terms
from .matmul import einsum, matmul
from .patches import (
    avg_pool2d, conv2d, conv_transpose2d, fold, max_pool2d, unfold, upsample_nearest2d,
)
from .reduce import argmax, log_softmax, logsumexp, max, mean, min, softmax, sum, var
from .shape import (
    concatenate, expand_dims, getitem, pad, reshape, scatter, split, squeeze, stack, swapaxes, transpose,
)

__all__ = [
    "abs", "add", "argmax", "astype", "avg_pool2d", "bernoulli_terms", "bitwise_and", "bitwise_or",
    "broadcast_to", "clip", "concatenate", "conv2d", "conv_transpose2d", "cos", "divide", "einsum", "equal",
    "exp", "expand_dims", "expm1", "fold", "gaussian_kl_terms", "getitem", "greater", "greater_equal",
    "invert", "isfinite", "leaky_relu", "less", "less_equal", "log", "log1p", "log_softmax", "logsumexp",
    "matmul", "max", "max_pool2d", "maximum", "mean", "min", "minimum", "multiply", "negative", "not_equal",
    "pad", "power", "relu", "reshape", "scatter", "sigmoid", "sign", "sin", "softmax", "softplus", "split",
    "sqrt", "squeeze", "stack", "subtract", "sum", "sum_to", "swapaxes", "tanh", "transpose", "unfold",
    "upsample_nearest2d", "var", "where",
]


def __dir__():
    return __all__


autodiff.ops = sys.modules[__name__]
