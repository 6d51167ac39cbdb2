"""An embedding: a table of vectors, one for each word or kind."""

import numpy as np

from ..autodiff import Tensor
from .initial import initial_weight
from .module import Module


class Embedding(Module):
    """y = W[i]: the rows of a table W (rows, width) at indices i; the shape of y is (*i.shape, width).

    It is a dense layer on one-hot vectors, without the multiplications by 0. Backwards, each row of W
    receives the sum of the gradients wherever it was used: getitem, and scatter as its adjoint. Entries
    begin as normal with variance 1 / width, so that a row is about 1 long.

    Raises ValueError for indices that are no integers or, on the CPU, do not lie in [0, rows): negative
    ones do not count from the end.
    """

    def __init__(self, rows, width, *, rng):
        for name, size in (("rows", rows), ("width", width)):
            if size < 1:
                raise ValueError(f"Embedding: {name} must be at least 1, not {size}")
        self.weight = initial_weight(rng, (rows, width), 2 * width, rows, "he")  # variance 2 / fan_in

    def __call__(self, indices):
        indices = Tensor(indices).data
        if indices.dtype.kind not in "iu":
            raise ValueError(f"Embedding: indices must be integers, not {indices.dtype}")
        rows = self.weight.shape[0]
        # A GPU would have to be waited for in every step.
        if isinstance(indices, np.ndarray) and ((indices < 0) | (indices >= rows)).any():
            raise ValueError(f"Embedding: indices must lie in [0, {rows}), "
                             f"not between {indices.min()} and {indices.max()}")
        return self.weight[indices]

    def __repr__(self):
        return f"Embedding({self.weight.shape[0]}, {self.weight.shape[1]})"
