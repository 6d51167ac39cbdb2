"""17. Fold: the adjoint of unfold.

Unfold copies each pixel into every patch that it lies in. Its rule therefore takes the gradient of
the patches back to the pixels, where the shares of all patches add up:

    x[n, s a + i, s b + j, c]  receives  cols[n, a, b, i, j, c]

cols (N, oh, ow, k, k, C); the result (N, H, W, C) with size = (H, W), stride = s. Pixels that no
patch reaches are 0. Loops over a and b, or over i and j, are fine.
"""

import numpy as np


def fold(cols, size, stride):
    raise NotImplementedError  # return x
