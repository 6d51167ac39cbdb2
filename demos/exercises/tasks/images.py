"""The tasks of exercises 16 to 20: patches, convolution and pooling."""

import numpy as np

from .task import Task, normal, rule, value


def unfold(x, kernel, stride):
    n, height, width, c = x.shape
    rows, columns = (height - kernel) // stride + 1, (width - kernel) // stride + 1
    y = np.empty((n, rows, columns, kernel, kernel, c), x.dtype)
    for a in range(rows):
        for b in range(columns):
            y[:, a, b] = x[:, stride * a:stride * a + kernel, stride * b:stride * b + kernel]
    return y


def fold(cols, size, stride, put=np.add):
    n, rows, columns, kernel, _, c = cols.shape
    x = np.zeros((n, *size, c), cols.dtype)
    for a in range(rows):
        for b in range(columns):
            part = x[:, stride * a:stride * a + kernel, stride * b:stride * b + kernel]
            part[...] = put(part, cols[:, a, b])
    return x


def _one_by_one(x, kernel, stride):
    """The patches of a learner who takes the corner of patch (a, b) to be (a, b)."""
    rows, columns = ((n - kernel) // stride + 1 for n in x.shape[1:3])
    return unfold(x, kernel, 1)[:, :rows, :columns]


def _places_exchanged(x, kernel, stride):
    """Of y[:, b, a] = patch (a, b), which is an error where there are more columns than rows."""
    patches = unfold(x, kernel, stride)
    y = np.zeros_like(patches)
    for a, b in np.ndindex(patches.shape[1:3]):
        y[:, b, a] = patches[:, a, b]
    return y


def _read_exchanged(cols, size, stride):
    """The image, if cols[:, b, a] is added at the place of patch (a, b)."""
    turned = np.zeros_like(cols)
    for a, b in np.ndindex(cols.shape[1:3]):
        turned[:, a, b] = cols[:, b, a]
    return fold(turned, size, stride)


UNFOLD = [value("unfold", unfold, "the array of patches",
                [(normal(2, 5, 5, 3), 3, 2), (normal(2, 6, 7, 3), 3, 2), (normal(1, 4, 4, 1), 2, 1),
                 (normal(1, 7, 8, 2), 2, 3), (normal(6, 11, 13, 1), 3, 2)], {
    "The stride is forgotten: the window moves by s pixels, not by one.": (
        _one_by_one, lambda x, k, s: unfold(x, k, 1)),
    "The last place is missing: oh = (H - k) // s + 1, and mind the + 1.":
        lambda x, k, s: unfold(x, k, s)[:, :-1, :-1],
    "Rows and columns of the places exchanged: a goes down, b goes right.": (
        lambda x, k, s: unfold(x, k, s).swapaxes(1, 2), _places_exchanged),
    "Rows and columns of the window exchanged: i goes down, j goes right.":
        lambda x, k, s: unfold(x, k, s).swapaxes(3, 4),
    "Rows and columns of both exchanged: a and i go down, b and j go right.":
        lambda x, k, s: unfold(x.swapaxes(1, 2), k, s),
    "Patches side by side: the window moves by s pixels, not by its own size.":
        lambda x, k, s: unfold(x, k, k),
})]

PATCHES = normal(2, 2, 2, 3, 3, 3)
FOLD = [Task("fold", ("cols", "size", "stride"), ("the image",),
             [(PATCHES, (5, 5), 2), (PATCHES, (6, 5), 2), (normal(1, 3, 2, 2, 2, 1), (4, 3), 1),
              (normal(4, 2, 3, 2, 2, 2), (6, 8), 3)],
             lambda cols, size, stride: (fold(cols, size, stride),), {
    "Overwritten where it should accumulate: patches overlap, and each must be added (+=).":
        lambda cols, size, stride: (fold(cols, size, stride, lambda old, new: new),),
    "Only the first row of patches: is the return inside the loop?":
        lambda cols, size, stride: (fold(cols[:, :1], size, stride),),
    "Only the first patch: is the return inside the loop?":
        lambda cols, size, stride: (fold(cols[:, :1, :1], size, stride),),
    "Mean for sum: where patches overlap their entries add up, without a division.":
        lambda cols, size, stride: (fold(cols, size, stride)
                                    / np.maximum(fold(np.ones_like(cols), size, stride), 1),),
    "Maximum for sum: where patches overlap their entries add up.":
        lambda cols, size, stride: (fold(cols, size, stride, np.maximum),),
    "The stride is forgotten: patch (a, b) begins at pixel (s a, s b).":
        lambda cols, size, stride: (fold(cols, size, 1),),
    "Rows and columns of the places exchanged: a goes down, b goes right.": (
        lambda cols, size, stride: (fold(cols.swapaxes(1, 2), size, stride),),
        lambda cols, size, stride: (_read_exchanged(cols, size, stride),)),
    "Rows and columns of the window exchanged: i goes down, j goes right.":
        lambda cols, size, stride: (fold(cols.swapaxes(3, 4), size, stride),),
})]


def conv2d(x, w, stride):
    return np.einsum("nabijc,ijcd->nabd", unfold(x, len(w), stride), w)


def conv_transpose2d(x, w, stride):
    size = tuple(stride * (n - 1) + len(w) for n in x.shape[1:3])
    return fold(np.einsum("nabd,ijcd->nabijc", x, w), size, stride)


def _flipped(w):
    return w[::-1, ::-1]


def _to_input(g, x, w, stride, put=np.add):
    return fold(np.einsum("nabd,ijcd->nabijc", g, w), x.shape[1:3], stride, put)


def _to_kernel(g, x, w, stride):
    return np.einsum("nabijc,nabd->ijcd", unfold(x, len(w), stride), g)


CONV2D = [rule(conv2d, 2, [
    (normal(3, 4, 4, 2), normal(2, 2, 2, 2), 2),
    (normal(3, 5, 5, 2), normal(3, 3, 2, 2), 2),
    (normal(1, 4, 5, 2), normal(2, 2, 2, 3), 1),
    (normal(2, 5, 7, 3), normal(2, 2, 3, 2), 3),
], {
    "A flipped kernel: w meets g as it is, neither turned nor mirrored.":
        lambda g, y, x, w, s: (_to_input(g, x, _flipped(w), s), _flipped(_to_kernel(g, x, w, s))),
    "Forgotten transpose: w takes C to C', and its transpose takes g from C' back to C.":
        lambda g, y, x, w, s: (_to_input(g, x, w.swapaxes(2, 3), s),
                               _to_kernel(g, x, w, s).swapaxes(2, 3)),
    "Overwritten where it should accumulate: patches overlap, and their shares add up.":
        lambda g, y, x, w, s: (_to_input(g, x, w, s, lambda old, new: new), None),
    "The stride is forgotten: g has one entry for every s-th pixel.":
        lambda g, y, x, w, s: (_to_input(g, x, w, 1), None),
    "Only one example's share: every example uses the same w, and the shares of all add up.":
        lambda g, y, x, w, s: (None, _to_kernel(g[:1], x[:1], w, s)),
    "Not folded: these are the gradients of the patches, which overlap in the image.":
        lambda g, y, x, w, s: (np.einsum("nabd,ijcd->nabijc", g, w), None),
}, tensors=True)]

CONV_TRANSPOSE2D = [rule(conv_transpose2d, 2, [
    (normal(3, 2, 2, 2), normal(2, 2, 2, 2), 2),
    (normal(3, 2, 3, 2), normal(3, 3, 2, 2), 2),
    (normal(1, 3, 2, 3), normal(2, 2, 2, 3), 1),
    (normal(2, 2, 1, 2), normal(2, 2, 3, 2), 3),
], {
    "A flipped kernel: w meets g as it is, neither turned nor mirrored.":
        lambda g, y, x, w, s: (conv2d(g, _flipped(w), s), _flipped(_to_kernel(x, g, w, s))),
    "Forgotten transpose: here w takes C' to C, so that the adjoint takes C to C' with w as it is.":
        lambda g, y, x, w, s: (conv2d(g, w.swapaxes(2, 3), s), _to_kernel(x, g, w, s).swapaxes(2, 3)),
    "The stride is forgotten: x has one entry for every s-th pixel of g.":
        lambda g, y, x, w, s: (conv2d(g, w, 1), None),
    "Only one example's share: every example uses the same w, and the shares of all add up.":
        lambda g, y, x, w, s: (None, _to_kernel(x[:1], g[:1], w, s)),
    "The same operation again: the adjoint of conv_transpose2d is another one.":
        lambda g, y, x, w, s: (conv_transpose2d(g, w, s), None),
}, tensors=True)]


def _windows(x, k):
    n, height, width, c = x.shape
    return x.reshape(n, height // k, k, width // k, k, c)


def max_pool(x, kernel):
    return _windows(x, kernel).max(axis=(2, 4))


def _pooled(share):
    """The gradient in x, if each entry of a window gets share(largest, windows, k) times g."""
    def gradient(g, y, x, kernel):
        windows = _windows(x, kernel)
        largest = windows == y[:, :, None, :, None]
        return ((share(largest, windows, kernel) * g[:, :, None, :, None]).reshape(x.shape),)
    return gradient


def _first(largest, backwards=False):
    """Only the first (or last) of the entries that tie in a window."""
    n, rows, k, columns, _, c = largest.shape
    flat = largest.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, c, k * k)
    flat = flat[..., ::-1] if backwards else flat
    chosen = flat & (np.cumsum(flat, axis=-1) == 1)
    chosen = chosen[..., ::-1] if backwards else chosen
    return chosen.reshape(n, rows, columns, c, k, k).transpose(0, 1, 4, 2, 5, 3)


_tied_shares = _pooled(lambda largest, windows, k: largest / largest.sum(axis=(2, 4), keepdims=True))
POOLED = normal(2, 4, 6, 3)
TIED = np.array([1.0, 3.0, 2.0, 2.0, 3.0, 0.0, 2.0, 2.0, 1, 5, -1, -1, 4, 5, -1, -2]).reshape(1, 4, 4, 1)
MAX_POOL = [rule(max_pool, 1, [(POOLED, 2), (TIED, 2), (np.round(normal(1, 3, 6, 2)), 3)], {
    "Divided by all that tie in the image: every window counts its own.":
        _pooled(lambda largest, windows, k: largest / largest.sum()),
    "The tie: entries that tie for the maximum share g; here each of them gets all of it.":
        _pooled(lambda largest, windows, k: largest),
    "The tie: entries that tie for the maximum share g; here the first of them gets all of it.":
        _pooled(lambda largest, windows, k: _first(largest)),
    "The tie: entries that tie for the maximum share g; here the last of them gets all of it.":
        _pooled(lambda largest, windows, k: _first(largest, backwards=True)),
    "The rule of average pooling: only the largest entry moves the maximum.":
        _pooled(lambda largest, windows, k: np.full(windows.shape, 1 / k**2)),
    "To all entries of the window: only the largest moves the maximum.":
        _pooled(lambda largest, windows, k: np.ones(windows.shape)),
    "Value for slope: the largest entry has the slope 1, whatever its value.":
        _pooled(lambda largest, windows, k: largest * windows),
    "Divided by the size of the window: g is shared among the entries that tie, not among all.":
        _pooled(lambda largest, windows, k: largest / k**2),
    "The smallest entry for the largest.":
        _pooled(lambda largest, windows, k: windows == windows.min(axis=(2, 4), keepdims=True)),
    "The maximum of the whole image: each window has a maximum of its own.":
        _pooled(lambda largest, windows, k: windows == windows.max()),
}, exact=_tied_shares)]
