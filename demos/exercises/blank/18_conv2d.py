"""18. Convolution: a dense layer on patches.

    y = unfold(x) w             x (N, H, W, C), w (k, k, C, C'), y and g (N, oh, ow, C')
    y[n, a, b, c'] = Σ_ijc unfold(x)[n, a, b, i, j, c] w[i, j, c, c']

Take the patches as a matrix (N oh ow, k k C) and w as one (k k C, C'): exercises 3 and 17 give both
gradients. From here on, rules are written in tinyae's own operations: all arrays are Tensors, with
.shape, .T, @ and .reshape, and there are

    ops.unfold(x, k, stride)            ops.fold(cols, (H, W), k, stride)
"""

from tinyae import ops


def conv2d_vjp(g, y, x, w, stride):
    raise NotImplementedError  # return dL/dx, dL/dw
