"""19. Transposed convolution: the adjoint of convolution.

    y = fold(x wᵀ)              x (N, oh, ow, C'), w (k, k, C, C'), y and g (N, H, W, C)

Each pixel of x lays down the kernel, weighted; overlaps add up. H = s (oh - 1) + k. In x it is linear,
and its adjoint is an operation that you know. In w it is linear too: which patches meet which pixels?

Tensors again, with ops.unfold, ops.fold and ops.conv2d(x, w, stride).
"""

from tinyae import ops


def conv_transpose2d_vjp(g, y, x, w, stride):
    raise NotImplementedError  # return dL/dx, dL/dw
