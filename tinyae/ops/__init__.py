"""Every differentiable operation, under NumPy's names; Tensor's operators and methods call them."""

import sys

from .. import operators
from ..autodiff import add, astype, broadcast_to, sum_to
from .elementwise import (
    abs, bitwise_and, bitwise_or, clip, cos, divide, equal, exp, expm1, greater, greater_equal, invert,
    isfinite, leaky_relu, less, less_equal, log, log1p, maximum, minimum, multiply, negative, not_equal,
    power, relu, sigmoid, sign, sin, softplus, sqrt, subtract, tanh, where,
)
from .likelihood import bernoulli_terms, gaussian_kl_terms
from .matmul import affine, einsum, matmul
from .patches import (
    avg_pool2d, conv2d, conv_transpose2d, fold, max_pool2d, unfold, upsample_nearest2d,
)
from .reduce import argmax, log_softmax, logsumexp, max, mean, min, softmax, sum, var
from .shape import (
    concatenate, expand_dims, getitem, pad, reshape, scatter, split, squeeze, stack, swapaxes, transpose,
)

__all__ = sorted(name for name, value in globals().items() if callable(value) and not name.startswith("_"))
operators.ops = sys.modules[__name__]
