"""Every differentiable operation, under NumPy's names, and the operators and methods of Tensor."""

from ..autodiff import Tensor, add, astype, broadcast_to, sum_to
from .elementwise import (
    abs, clip, divide, equal, exp, greater, greater_equal, isfinite, leaky_relu, less, less_equal, log,
    maximum, minimum, multiply, negative, not_equal, power, relu, sigmoid, sign, softplus, sqrt, subtract,
    tanh, where,
)
from .matmul import matmul
from .patches import (
    avg_pool2d, conv2d, conv_transpose2d, fold, max_pool2d, unfold, upsample_nearest2d,
)
from .reduce import log_softmax, logsumexp, max, mean, min, softmax, sum, var
from .shape import (
    concatenate, expand_dims, getitem, pad, reshape, scatter, split, squeeze, stack, swapaxes, transpose,
)


def _reversed(operation):
    return lambda a, b: operation(b, a)


def _getitem(x, index):
    return getitem(x, index=index)


def _reshape(x, *shape):
    """x.reshape(2, 3) or x.reshape((2, 3))."""
    return reshape(x, shape=shape[0] if len(shape) == 1 else shape)


def _transpose(x, *axes):
    """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
    if len(axes) == 1 and not isinstance(axes[0], int):
        axes, = axes
    return transpose(x, axes=axes or None)


def _equality(operation):
    """== and !=, which with None or a string are left to Python: never equal."""
    return lambda a, b: NotImplemented if b is None or isinstance(b, str) else operation(a, b)


_BINARY = {"add": add, "sub": subtract, "mul": multiply, "truediv": divide, "pow": power, "matmul": matmul}
for _name, _operation in _BINARY.items():
    setattr(Tensor, f"__{_name}__", _operation)
    setattr(Tensor, f"__r{_name}__", _reversed(_operation))

for _name, _operation in {
    "__neg__": negative, "__abs__": abs, "__getitem__": _getitem,
    "__gt__": greater, "__ge__": greater_equal, "__lt__": less, "__le__": less_equal,
    "__eq__": _equality(equal), "__ne__": _equality(not_equal),
    "sum": sum, "mean": mean, "max": max, "min": min, "var": var, "clip": clip, "astype": astype,
    "reshape": _reshape, "transpose": _transpose, "swapaxes": swapaxes, "squeeze": squeeze,
    "T": property(transpose),
}.items():
    setattr(Tensor, _name, _operation)
