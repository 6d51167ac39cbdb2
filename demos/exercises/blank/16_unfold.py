"""16. Unfold: cut images into the patches under a sliding window.

    y[n, a, b, i, j, c] = x[n, s a + i, s b + j, c]

x (N, H, W, C) and y (N, oh, ow, k, k, C), with a window of k by k pixels that moves by s pixels:
a = 0, ..., oh - 1 with oh = (H - k) // s + 1, and ow likewise. kernel is k, stride is s.

Loops over a and b, or over i and j, are fine.
"""

import numpy as np


def unfold(x, kernel, stride):
    raise NotImplementedError  # return y
