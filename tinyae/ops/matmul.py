"""The matrix product, over any number of leading batch axes."""

import math

from ..autodiff import Tensor, primitive
from .shape import reshape, swapaxes


@primitive
def matrix_product(a, b):
    """a @ b for operands of two or more axes: (..., n, k) by (..., k, m); leading axes broadcast.

    With y = a b, dL/da = g bᵀ and dL/db = aᵀ g (Deep Learning, section 6.5.6).
    """
    return a @ b


matrix_product.defvjp(
    lambda g, y, a, b: matrix_product(g, swapaxes(b, axis1=-1, axis2=-2)),
    lambda g, y, a, b: matrix_product(swapaxes(a, axis1=-1, axis2=-2), g),
)


def matmul(a, b):
    """NumPy's a @ b: a vector on the left is a row, on the right a column, and its axis goes away.

    Raises ValueError where the inner sizes differ.
    """
    a, b = (x if isinstance(x, Tensor) else Tensor(x) for x in (a, b))
    if not (a.ndim and b.ndim) or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul: cannot multiply shapes {a.shape} and {b.shape}: the last axis of the "
                         "first must be as long as the second to last (of a vector, only) axis of the second")
    if a.ndim > 2 and b.ndim == 2:  # one product of all rows, not one for each of the batch
        y = matrix_product(reshape(a, shape=(math.prod(a.shape[:-1]), a.shape[-1])), b)
        return reshape(y, shape=a.shape[:-1] + b.shape[1:])
    row = a if a.ndim > 1 else reshape(a, shape=(1, -1))
    column = b if b.ndim > 1 else reshape(b, shape=(-1, 1))
    y = matrix_product(row, column)
    if a.ndim == 1 or b.ndim == 1:
        y = reshape(y, shape=y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1))
    return y
