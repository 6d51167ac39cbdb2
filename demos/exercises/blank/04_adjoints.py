"""4. Transpose and reshape: operations that only move entries about.

    y = x.transpose(axes)           axis i of y is axis axes[i] of x
    y = x.reshape(shape)            the same entries in the same order

They are linear, y = A x with a matrix A of zeros and ones, so dL/dx = Aᵀ g. Aᵀ, the adjoint,
moves each entry back to where it came from.

Derive dL/dx for both. axes is a tuple such as (1, 2, 0), with three axes or more: doing the same
permutation again does not undo it.
"""

import numpy as np


def transpose_vjp(g, y, x, axes):
    raise NotImplementedError  # return dL/dx


def reshape_vjp(g, y, x, shape):
    raise NotImplementedError  # return dL/dx
