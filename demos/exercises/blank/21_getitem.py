"""21. Indexing, with repeated indices.

    y = x[index]                index: an integer array, such as [0, 2, 2]; y and g are x's rows of it

An embedding layer is this. Row 2 of x turns up twice in y. Its adjoint puts the rows of g back into
an array of x's shape; the rows that were never taken are 0.

It shall run on NumPy and on CuPy: use xp = array_module(x).
"""

from tinyae.backend import array_module


def getitem_vjp(g, y, x, index):
    raise NotImplementedError  # return dL/dx
