"""Convolution, a dense layer on patches, and its adjoint, the transposed convolution.

`unfold` cuts an image into the patches under a sliding window; `fold` puts patches back in their
places, where overlaps add up. Both are linear, and each is the other's adjoint. With them,

    conv2d(x, w)           = unfold(x) @ w      every patch goes through one dense layer
    conv_transpose2d(x, w) = fold(x @ wᵀ)       the adjoints of the two steps, in the opposite order

so the transposed convolution is the gradient of the convolution in its input, with the same w,
and the other way round. Pooling is a maximum or a mean over each patch.

Images are (N, H, W, C), kernels (kh, kw, C, C'), patches (N, oh, ow, kh, kw, C). A window of k
entries that moves by the stride s over n pixels with p zeros on either side, and whose entries are
d pixels apart (the dilation), has

    o = ⌊(n + 2p - d (k - 1) - 1) / s⌋ + 1

places (Dumoulin and Visin 2016, A guide to convolution arithmetic for deep learning, relationship
15; Deep Learning, chapter 9). Each of k, s, p, d is an integer, or a pair for height and width.
"""

import math
from typing import NamedTuple

import numpy as np

from . import reduce
from ..autodiff import broadcast_to, primitive
from ..backend import array_module
from .matmul import matmul
from .shape import reshape

# Patches of a whole batch are (k / s)² times its size. So the convolutions work on blocks of it whose
# patches have about so many elements: 2 MB of float32, still in the processor's cache when they are used.
BLOCK = 1 << 19


@primitive
def unfold(x, kernel, stride=1, padding=0, dilation=1):
    """The patches (N, oh, ow, kh, kw, C) of images x (N, H, W, C). Its adjoint is `fold`.

        y[n, a, b, i, j] = x[n, s a + d i, s b + d j]        counted from the corner of the padding

    Raises ValueError where x has not four axes or the window is larger than the padded image.
    """
    window = Window.of("unfold", kernel, stride, padding, dilation)
    places = window.places("unfold", x.shape)
    padded = x
    if any(window.padding):
        padded, inside = window.bordered(x, x.shape)
        inside[...] = x
    xp, patches = array_module(x), window.patches(padded, places)
    if x.shape[3] == 1:  # kept in the order (kh, kw, C, N, oh, ow): then it is rows of pixels that are copied
        return xp.ascontiguousarray(patches.transpose(3, 4, 5, 0, 1, 2)).transpose(3, 4, 5, 0, 1, 2)
    return xp.ascontiguousarray(patches)


@primitive
def fold(cols, size, kernel, stride=1, padding=0, dilation=1):
    """Images (N, H, W, C) of size (H, W): each pixel is the sum of its entries in all patches.

    Raises ValueError where cols has not the shape of the patches of such images.
    """
    window = Window.of("fold", kernel, stride, padding, dilation)
    shape = (cols.shape[0], *pair("fold", "size", size, 1), cols.shape[-1])
    places = window.places("fold", shape)
    expected = (shape[0], *places, *window.kernel, shape[3])
    if cols.shape != expected:
        raise ValueError(f"fold: images {shape} have patches {expected}, not {cols.shape}")
    height, width = window.apart()
    if shape[3] == 1:
        width = 1  # the innermost loop then runs over ow, not over those few entries
    images = _add_up(lambda rows, columns: cols[:, :, :, rows, columns], height, width,
                     cols, shape, places, window)
    return array_module(cols).ascontiguousarray(images)


def _add_up(entries, height, width, like, shape, places, window):
    """Images of that shape (N, H, W, C), each pixel the sum of its entries in all patches.

    entries(rows, columns) gives those in a part of the kernel, two slices of that height and width, in the
    order (N, oh, ow, rows, columns, C).
    """
    padded, inside = window.bordered(like, shape)
    sums, (kh, kw) = window.patches(padded, places), window.kernel
    for i in range(0, kh, height):
        for j in range(0, kw, width):
            rows, columns = slice(i, i + height), slice(j, j + width)
            part = sums[:, :, :, rows, columns]
            part += entries(rows, columns).reshape(part.shape)
    return inside


unfold.defvjp(lambda g, y, x, **window: fold(g, x.shape[1:3], **window))
fold.defvjp(lambda g, y, cols, size, **window: unfold(g, **window))


@primitive
def conv2d(x, w, stride=1, padding=0, dilation=1):
    """Convolution of x (N, H, W, C) with w (kh, kw, C, C'): unfold(x) @ w, of shape (N, oh, ow, C').

        y[n, a, b, c'] = Σ_ijc x[n, s a + d i, s b + d j, c] w[i, j, c, c']

    The kernel is not flipped (Deep Learning, equation 9.6). Raises ValueError where the channels
    differ or the window is larger than the padded image.
    """
    _check_channels("conv2d", x, w, axis=2)
    window = Window.of("conv2d", w.shape[:2], stride, padding, dilation)
    places = window.places("conv2d", x.shape)
    xp = array_module(x, w)
    y = xp.empty((len(x), *places, w.shape[3]), xp.result_type(x, w))
    for block in _blocks(x, places, w):
        patches = unfold.body(x[block], *window)  # the body of the primitive, on arrays
        xp.matmul(_matrix(patches), _matrix(w), out=_matrix(y[block]))
    return y


@primitive
def conv_transpose2d(x, w, stride=1, padding=0, output_padding=0, dilation=1):
    """The adjoint of `conv2d` with the same w: fold(x @ wᵀ), from (N, oh, ow, C') to (N, H, W, C).

        H = s (oh - 1) + d (k - 1) + 1 - 2p + output_padding

    Images of s different heights have the same oh; output_padding, from 0 to s - 1, says which is
    meant. Raises ValueError for another, where the channels differ, and where no pixel is left.
    """
    _check_channels("conv_transpose2d", x, w, axis=3)
    window = Window.of("conv_transpose2d", w.shape[:2], stride, padding, dilation)
    places, size = x.shape[1:3], _transposed_size(x.shape, window, output_padding)
    xp = array_module(x, w)
    if xp is not np:  # a GPU wants few and large operations
        patches = (_matrix(x) @ _matrix(w).T).reshape(len(x), *places, *w.shape[:3])
        return fold.body(patches, size, *window)
    y = np.empty((len(x), *size, w.shape[2]), np.result_type(x, w))
    for block in _blocks(x, places, w):
        # Of each row of patches, what can be added at once is computed at once, and so lies in memory
        # side by side with its neighbours on the image.
        values, shape = _matrix(x[block]), y[block].shape
        y[block] = _add_up(lambda rows, columns: values @ _matrix(w[rows, columns]).T, 1, window.apart()[1],
                           y, shape, places, window)
    return y


def _kernel_gradient(image, values, w, **window):
    """dL/dw = unfold(image)ᵀ @ values, where one of the two is an input and the other a gradient.

    The patches are made again: that takes less time than to store those of the forward pass.
    """
    gradient = 0
    for block in _blocks(image.data, values.shape[1:3], w):
        patches = unfold(image[block], kernel=w.shape[:2], **window)
        gradient = gradient + matmul(_matrix(patches).T, _matrix(values[block]))
    return reshape(gradient, w.shape)


def _input_gradient(g, y, x, w, stride, padding, dilation):
    """The transposed convolution of g, with the pixels that no window reached as its output padding."""
    window = Window.of("conv2d", w.shape[:2], stride, padding, dilation)
    rest = tuple((n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in zip(x.shape[1:3], *window))
    return conv_transpose2d(g, w, stride, padding, rest, dilation)


conv2d.defvjp(
    _input_gradient,
    lambda g, y, x, w, **window: _kernel_gradient(x, g, w, **window),
)
conv_transpose2d.defvjp(
    lambda g, y, x, w, output_padding, **window: conv2d(g, w, **window),
    lambda g, y, x, w, output_padding, **window: _kernel_gradient(g, x, w, **window),
)


def max_pool2d(x, kernel, stride=None):
    """The largest value of each window, channel by channel; values that tie share the gradient.

    With stride None the windows lie side by side. Raises ValueError as `unfold` does.
    """
    return reduce.max(unfold(x, kernel, kernel if stride is None else stride), (3, 4))


def avg_pool2d(x, kernel, stride=None):
    """The mean of each window, channel by channel; stride and errors as in `max_pool2d`."""
    return reduce.mean(unfold(x, kernel, kernel if stride is None else stride), (3, 4))


def upsample_nearest2d(x, scale):
    """Each pixel of x (N, H, W, C) repeated in a block of the scale: (N, scale · H, scale · W, C)."""
    n, h, w, c = _four_axes("upsample_nearest2d", "x", x.shape)
    sh, sw = pair("upsample_nearest2d", "scale", scale, 1)
    blocks = broadcast_to(reshape(x, (n, h, 1, w, 1, c)), (n, h, sh, w, sw, c))
    return reshape(blocks, (n, h * sh, w * sw, c))


class Window(NamedTuple):
    """A window that slides over images; each of its four parts is a pair for height and width."""

    kernel: tuple
    stride: tuple
    padding: tuple
    dilation: tuple

    @classmethod
    def of(cls, name, kernel, stride, padding, dilation):
        """A window of numbers or pairs, checked; name is that of the operation, for the errors."""
        return cls(pair(name, "kernel", kernel, 1), pair(name, "stride", stride, 1),
                   pair(name, "padding", padding, 0), pair(name, "dilation", dilation, 1))

    def places(self, name, shape):
        """(oh, ow), the number of places of the window on images of that shape."""
        _, *size, _ = _four_axes(name, "x", shape)
        padded = tuple(n + 2 * p for n, p in zip(size, self.padding))
        span = tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation))
        if any(a > n for a, n in zip(span, padded)):
            raise ValueError(f"{name}: the kernel spans {span} pixels, the padded input has only {padded}")
        return tuple((n - a) // s + 1 for n, a, s in zip(padded, span, self.stride))

    def bordered(self, like, shape):
        """Zeros for images of that shape with the padding round them, and a view of the images in it."""
        (n, h, w, c), (ph, pw) = shape, self.padding
        padded = array_module(like).zeros((n, h + 2 * ph, w + 2 * pw, c), like.dtype)
        return padded, padded[:, ph:ph + h, pw:pw + w]

    def patches(self, padded, places):
        """The patches (N, oh, ow, kh, kw, C) of padded images as a view, in which overlaps share memory."""
        n, down, right, channel = padded.strides
        (sh, sw), (dh, dw) = self.stride, self.dilation
        return array_module(padded).lib.stride_tricks.as_strided(
            padded, (len(padded), *places, *self.kernel, padded.shape[3]),
            (n, sh * down, sw * right, dh * down, dw * right, channel))

    def apart(self):
        """How many rows and columns of the kernel never meet on a pixel, so that they can be added at once.

        Entries j and j' of two patches lie on one pixel only if d (j - j') is a multiple of s.
        """
        return tuple(s // math.gcd(s, d) for s, d in zip(self.stride, self.dilation))


def _matrix(x):
    """Images as (N H W, C), patches as (N oh ow, kh kw C), a kernel as (kh kw C, C')."""
    return x.reshape(math.prod(x.shape[:3]), math.prod(x.shape[3:]))


def _blocks(x, places, w):
    """Slices of the batch with about BLOCK elements of patches each; on a GPU the whole batch."""
    n = max(len(x), 1)
    each = 1 + BLOCK // (1 + math.prod((*places, *w.shape[:3]))) if array_module(x) is np else n
    return [slice(i, i + each) for i in range(0, n, each)]


def pair(name, what, value, least):
    """value as a pair for height and width, checked to be integers from `least` up."""
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not all(isinstance(v, (int, np.integer)) and v >= least for v in both):
        kind = f"an integer from {least} up, or two of them"
        raise ValueError(f"{name}: {what} must be {kind}, not {value!r}")
    return both


def _four_axes(name, what, shape):
    if len(shape) != 4:
        axes = "(kh, kw, C, C')" if what == "w" else "(N, H, W, C)"
        raise ValueError(f"{name}: {what} must have the axes {axes}, not the shape {shape}")
    return shape


def _transposed_size(shape, window, output_padding):
    """(H, W) of the images on which the window has the places shape[1:3]."""
    extra = pair("conv_transpose2d", "output_padding", output_padding, 0)
    if any(e >= s for e, s in zip(extra, window.stride)):
        raise ValueError(f"conv_transpose2d: output_padding {extra} must be below the stride {window.stride}")
    size = tuple(s * (o - 1) + d * (k - 1) + 1 - 2 * p + e
                 for o, k, s, p, d, e in zip(shape[1:3], *window, extra))
    if min(size) < 1:
        raise ValueError(f"conv_transpose2d: the padding {window.padding} leaves an output of size {size}")
    return size


def _check_channels(name, x, w, axis):
    _four_axes(name, "x", x.shape)
    _four_axes(name, "w", w.shape)
    if x.shape[3] != w.shape[axis]:
        raise ValueError(f"{name}: input has {x.shape[3]} channels but the kernel takes {w.shape[axis]} "
                         f"(x: {x.shape}, w: {w.shape})")
