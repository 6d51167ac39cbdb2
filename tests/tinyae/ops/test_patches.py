"""Convolution and pooling against direct loops, finite differences, and ⟨Ax, y⟩ = ⟨x, Aᵀy⟩."""

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, ops
from tinyae.autodiff import PRIMITIVES
from tinyae.ops import patches
from tinyae.ops.patches import (
    avg_pool2d, conv2d, conv_transpose2d, fold, max_pool2d, unfold, upsample_nearest2d,
)

pytestmark = pytest.mark.filterwarnings("error")


def draw(*shape, seed=0):
    """Distinct numbers, so that no maximum is near a tie."""
    n = int(np.prod(shape))
    return (np.random.default_rng([seed, n]).permutation(n).reshape(shape) - 0.4 * n) / max(n, 1)


def pair(v):
    return v if isinstance(v, tuple) else (v, v)


# The definitions, written as loops.


def loop_unfold(x, kernel, stride=1, padding=0, dilation=1):
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = map(pair, (kernel, stride, padding, dilation))
    n, h, w, c = x.shape
    oh, ow = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1, (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((n, oh, ow, kh, kw, c), x.dtype)
    for a, b, i, j in np.ndindex(oh, ow, kh, kw):
        row, column = sh * a + dh * i - ph, sw * b + dw * j - pw
        if 0 <= row < h and 0 <= column < w:
            y[:, a, b, i, j] = x[:, row, column]
    return y


def loop_fold(cols, size, kernel, stride=1, padding=0, dilation=1):
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = map(pair, (kernel, stride, padding, dilation))
    x = np.zeros((cols.shape[0], *size, cols.shape[-1]), cols.dtype)
    for a, b, i, j in np.ndindex(*cols.shape[1:5]):
        row, column = sh * a + dh * i - ph, sw * b + dw * j - pw
        if 0 <= row < size[0] and 0 <= column < size[1]:
            x[:, row, column] += cols[:, a, b, i, j]
    return x


def loop_conv2d(x, w, stride=1, padding=0, dilation=1):
    cols = loop_unfold(x, w.shape[:2], stride, padding, dilation)
    y = np.zeros(cols.shape[:3] + w.shape[3:])
    for n, a, b, i, j, c in np.ndindex(cols.shape):
        y[n, a, b] += cols[n, a, b, i, j, c] * w[i, j, c]
    return y


def loop_conv_transpose2d(x, w, stride=1, padding=0, output_padding=0, dilation=1):
    (sh, sw), (ph, pw), (eh, ew), (dh, dw) = map(pair, (stride, padding, output_padding, dilation))
    n, oh, ow, _ = x.shape
    kh, kw, channels, _ = w.shape
    height = sh * (oh - 1) + dh * (kh - 1) + 1 - 2 * ph + eh
    width = sw * (ow - 1) + dw * (kw - 1) + 1 - 2 * pw + ew
    y = np.zeros((n, height, width, channels))
    for m, a, b, i, j in np.ndindex(n, oh, ow, kh, kw):
        row, column = sh * a + dh * i - ph, sw * b + dw * j - pw
        if 0 <= row < height and 0 <= column < width:
            y[m, row, column] += w[i, j] @ x[m, a, b]
    return y


def loop_pool(reduction):
    def pool(x, kernel, stride=None):
        cols = loop_unfold(x, kernel, kernel if stride is None else stride)
        y = np.zeros(cols.shape[:3] + cols.shape[5:])
        for n, a, b, c in np.ndindex(y.shape):
            y[n, a, b, c] = reduction(cols[n, a, b, :, :, c])
        return y
    return pool


def loop_upsample(x, scale):
    sh, sw = pair(scale)
    y = np.zeros((x.shape[0], x.shape[1] * sh, x.shape[2] * sw, x.shape[3]))
    for a, b in np.ndindex(*y.shape[1:3]):
        y[:, a, b] = x[:, a // sh, b // sw]
    return y


# Windows: image size, kernel, stride, padding, dilation.

WINDOWS = [
    ((4, 3), 1, 1, 0, 1),
    ((4, 5), 3, 1, 1, 1),
    ((4, 6), 2, 2, 0, 1),
    ((6, 4), 4, 2, 1, 1),
    ((7, 6), 3, 2, 0, 1),  # a stride that does not divide the kernel; no last window down the rows
    ((8, 5), 2, 3, 0, 1),  # pixels between the windows that none of them sees
    ((5, 5), 5, 3, 2, 1),
    ((4, 7), (2, 3), (1, 2), (0, 2), 1),
    ((6, 7), 3, 1, 0, 2),
    ((7, 8), 3, 2, 1, 2),
    ((8, 9), (4, 2), (2, 3), (1, 0), (1, 4)),
    ((9, 8), (3, 2), (4, 6), 2, (2, 4)),  # a dilation that shares a factor with the stride
    ((2, 2), 2, 1, 3, 1),  # windows that lie in the padding
]
each_window = pytest.mark.parametrize("size, kernel, stride, padding, dilation", WINDOWS, ids=str)
each_batch = pytest.mark.parametrize("n, channels", [(0, 2), (1, 1), (3, 2)])


def left_over(size, kernel, stride, padding, dilation):
    """The output padding with which the transposed convolution gives images of that size."""
    zipped = zip(size, *map(pair, (kernel, stride, padding, dilation)))
    return tuple((n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in zipped)


def dot(a, b):
    return float(np.vdot(a, b))


@each_batch
@each_window
def test_unfold_and_fold_are_the_loops_and_adjoint(size, kernel, stride, padding, dilation, n, channels):
    window = (kernel, stride, padding, dilation)
    x = draw(n, *size, channels)
    expected = loop_unfold(x, *window)
    cols = draw(*expected.shape, seed=1)
    unfolded, folded = unfold(x, *window).data, fold(cols, size, *window).data
    np.testing.assert_array_equal(unfolded, expected)
    np.testing.assert_allclose(folded, loop_fold(cols, size, *window), atol=1e-12)
    assert dot(unfolded, cols) == pytest.approx(dot(x, folded), abs=1e-9)


@each_batch
@each_window
def test_convolutions_are_the_loops_and_adjoint(size, kernel, stride, padding, dilation, n, channels):
    window = (stride, padding, dilation)
    x, w = draw(n, *size, channels), draw(*pair(kernel), channels, 3, seed=1)
    expected, rest = loop_conv2d(x, w, *window), left_over(size, kernel, *window)
    z = draw(*expected.shape, seed=2)
    transposed = (stride, padding, rest, dilation)
    y, back = conv2d(x, w, *window).data, conv_transpose2d(z, w, *transposed).data
    np.testing.assert_allclose(y, expected, atol=1e-12)
    np.testing.assert_allclose(back, loop_conv_transpose2d(z, w, *transposed), atol=1e-12)
    assert dot(y, z) == pytest.approx(dot(x, back), abs=1e-9)


@each_window
def test_each_convolution_is_the_input_gradient_of_the_other(size, kernel, stride, padding, dilation):
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    rest = left_over(size, kernel, stride, padding, dilation)
    w = Tensor(draw(*pair(kernel), 2, 3))
    x = Tensor(draw(2, *size, 2), requires_grad=True)
    y = conv2d(x, w, **window)
    g = Tensor(draw(*y.shape, seed=1), requires_grad=True)
    back = conv_transpose2d(g, w, output_padding=rest, **window)
    np.testing.assert_array_equal(grad(y, x, g).data, back.data)
    np.testing.assert_array_equal(grad(back, g, x).data, y.data)


# Finite differences. Every primitive of the module has cases, and so has every other function.

TINY = [(kernel, stride, padding, dilation) for kernel, stride, padding, dilation in [
    (2, 1, 0, 1), (2, 2, 1, 1), ((3, 2), 2, 1, 1), (2, (3, 1), 0, (1, 2)), (2, 2, 1, 2),
]]


def unfold_cases():
    return [(lambda x, v=v: unfold(x, *v), [draw(2, 4, 3, 1)]) for v in TINY]


def fold_cases():
    shapes = [loop_unfold(draw(2, 4, 3, 1), *v).shape for v in TINY]
    return [(lambda c, v=v: fold(c, (4, 3), *v), [draw(*shape)]) for v, shape in zip(TINY, shapes)]


def conv2d_cases():
    return [(lambda x, w, v=v: conv2d(x, w, *v), [draw(1, 4, 3, 2), draw(*pair(kernel), 2, 2)])
            for kernel, *v in TINY]


def conv_transpose2d_cases():
    return [(lambda x, w, s=s, p=p, d=d: conv_transpose2d(x, w, s, p, tuple(v - 1 for v in pair(s)), d),
             [draw(1, 2, 3, 2), draw(*pair(k), 1, 2)]) for k, s, p, d in TINY]


CASES = {
    "unfold": unfold_cases(),
    "fold": fold_cases(),
    "conv2d": conv2d_cases(),
    "conv_transpose2d": conv_transpose2d_cases(),
    "max_pool2d": [(lambda x: max_pool2d(x, 2), [draw(1, 4, 5, 2)]),
                   (lambda x: max_pool2d(x, (3, 2), 1), [draw(1, 4, 3, 1)])],
    "avg_pool2d": [(lambda x: avg_pool2d(x, 2), [draw(1, 4, 5, 2)]),
                   (lambda x: avg_pool2d(x, 3, (1, 2)), [draw(1, 4, 5, 1)])],
    "upsample_nearest2d": [(lambda x: upsample_nearest2d(x, (2, 3)), [draw(1, 2, 3, 2)])],
}


def test_every_function_has_a_case():
    primitives = {f.__name__ for f in PRIMITIVES.values() if f.__module__ == patches.__name__}
    public = {name for name, f in vars(patches).items()
              if getattr(f, "__module__", "") == patches.__name__ and name[0] != "_"} - {"pair", "Window"}
    assert primitives | public == set(CASES)


@pytest.mark.parametrize("f, inputs", [
    pytest.param(*case, id=f"{name} {i}")
    for name, cases in CASES.items() for i, case in enumerate(cases)
])
def test_gradient_to_second_order(f, inputs):
    gradcheck(f, inputs, order=2)


def test_the_gradient_is_summed_over_blocks_of_the_batch(monkeypatch):
    x, w, g = draw(5, 4, 4, 1), draw(3, 3, 1, 2), draw(5, 2, 2, 2, seed=1)

    def results():
        xs = [Tensor(a, requires_grad=True) for a in (x, w)]
        zs = [Tensor(a, requires_grad=True) for a in (g, w)]
        y, z = conv2d(*xs), conv_transpose2d(*zs)
        return [t.data for t in (y, z, *grad(y, xs, g), *grad(z, zs, x))]

    whole = results()
    for elements in (1, 2 * (2 * 2 * 3 * 3)):  # an image to a block; two to a block, and one left over
        monkeypatch.setattr(patches, "BLOCK", elements)
        for a, b in zip(results(), whole, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


# Pooling.


@pytest.mark.parametrize("kernel, stride", [(2, None), (2, 1), (3, 2), ((1, 3), (2, 1)), ((2, 3), None)])
@pytest.mark.parametrize("pool, reduction", [(max_pool2d, np.max), (avg_pool2d, np.mean)])
def test_pooling_is_the_loop(pool, reduction, kernel, stride):
    x = draw(2, 5, 7, 3)
    np.testing.assert_allclose(pool(x, kernel, stride).data, loop_pool(reduction)(x, kernel, stride))


def test_max_pooling_shares_the_gradient_between_ties():
    x = Tensor(np.array([[1.0, 3, 0, 0], [3, 3, 0, 0]]).reshape(1, 2, 4, 1), requires_grad=True)
    gradient = grad(max_pool2d(x, 2), x, np.array([6.0, 8.0]).reshape(1, 1, 2, 1))
    np.testing.assert_allclose(gradient.data[0, :, :, 0], [[0, 2, 2, 2], [2, 2, 2, 2]])


@pytest.mark.parametrize("scale", [1, 2, (3, 1)])
def test_upsampling_is_the_loop_and_the_adjoint_of_summing_blocks(scale):
    x = draw(2, 3, 2, 2)
    y = upsample_nearest2d(x, scale).data
    np.testing.assert_array_equal(y, loop_upsample(x, scale))
    z = draw(*y.shape, seed=1)
    summed = avg_pool2d(z, scale).data * np.prod(pair(scale))
    assert dot(y, z) == pytest.approx(dot(x, summed))


# Shapes, precision, memory layout.


def test_sizes_of_a_digit_autoencoder():
    x, w1, w2 = np.zeros((2, 28, 28, 1)), np.zeros((4, 4, 1, 8)), np.zeros((4, 4, 8, 16))
    code = conv2d(conv2d(x, w1, 2, 1), w2, 2, 1)
    assert code.shape == (2, 7, 7, 16)
    assert conv_transpose2d(conv_transpose2d(code, w2, 2, 1), w1, 2, 1).shape == x.shape


def test_the_kernel_is_not_flipped():
    x, w = np.zeros((1, 3, 3, 1)), np.arange(9.0).reshape(3, 3, 1, 1)
    x[0, 1, 1, 0] = 1
    np.testing.assert_array_equal(conv2d(x, w, padding=1).data[0, :, :, 0], w[::-1, ::-1, 0, 0])
    np.testing.assert_array_equal(conv_transpose2d(x, w, padding=1).data[0, :, :, 0], w[:, :, 0, 0])


@pytest.mark.parametrize("c_in, c_out", [(0, 2), (2, 0)])
def test_there_may_be_no_channels(c_in, c_out):
    x, w = Tensor(np.ones((2, 4, 4, c_in)), requires_grad=True), Tensor(np.ones((2, 2, c_in, c_out)))
    y = ops.conv2d(x, w, stride=2)
    assert y.shape == (2, 2, 2, c_out) and not y.data.any()
    assert grad(y, x, np.ones(y.shape)).shape == x.shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(dtype):
    x = Tensor(draw(2, 6, 6, 2).astype(dtype), requires_grad=True)
    w = Tensor(draw(3, 3, 2, 4).astype(dtype), requires_grad=True)
    z = Tensor(draw(2, 4, 4, 4).astype(dtype), requires_grad=True)
    for y in (conv2d(x, w), conv_transpose2d(z, w), unfold(x, 2), fold(unfold(x, 2), (6, 6), 2),
              max_pool2d(x, 2), avg_pool2d(x, 2), upsample_nearest2d(x, 2)):
        assert y.dtype == dtype
        assert all(g.dtype == dtype for g in grad(ops.sum(y * y), [x, w, z]))


@pytest.mark.parametrize("arrange", [
    np.asfortranarray,
    lambda a: np.repeat(a, 2, 1)[:, ::2],
    lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    lambda a: np.moveaxis(np.moveaxis(a, -1, 1).copy(), 1, -1),
], ids=["fortran", "every other", "backwards", "channels first"])
def test_inputs_need_not_be_contiguous(arrange):
    x, w, z = draw(2, 5, 4, 3), draw(3, 2, 3, 2), draw(2, 3, 3, 2)
    cols = draw(2, 3, 3, 3, 2, 3)
    for f, inputs in ((conv2d, (x, w)), (conv_transpose2d, (z, w)), (lambda x: unfold(x, 2), (x,)),
                      (lambda c: fold(c, (5, 4), (3, 2)), (cols,))):
        results = []
        for arrays in (inputs, [arrange(a) for a in inputs]):
            xs = [Tensor(a, requires_grad=True) for a in arrays]
            y = f(*xs)
            results.append([y.data] + [g.data for g in grad(y, xs, draw(*y.shape, seed=1))])
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_inputs_are_left_as_they_are():
    x, w, z, cols = draw(2, 4, 4, 1), draw(3, 3, 1, 2), draw(2, 2, 2, 2), draw(2, 2, 2, 3, 3, 1)
    before = [a.copy() for a in (x, w, z, cols)]
    conv2d(x, w), conv_transpose2d(z, w), unfold(x, 3, padding=1), fold(cols, (4, 4), 3)
    for a, b in zip((x, w, z, cols), before):
        np.testing.assert_array_equal(a, b)


# Errors.

A, W = np.zeros((8, 28, 28, 3), np.float32), np.zeros((4, 4, 1, 32), np.float32)
X, Z = np.zeros((2, 5, 4, 1), np.float32), np.zeros((1, 2, 2, 32), np.float32)

ERRORS = [
    (lambda: conv2d(A, W),
     "conv2d: input has 3 channels but the kernel takes 1 (x: (8, 28, 28, 3), w: (4, 4, 1, 32))"),
    (lambda: conv_transpose2d(A, W),
     "conv_transpose2d: input has 3 channels but the kernel takes 32 "
     "(x: (8, 28, 28, 3), w: (4, 4, 1, 32))"),
    (lambda: conv2d(A[0], W), "conv2d: x must have the axes (N, H, W, C), not the shape (28, 28, 3)"),
    (lambda: conv2d(A, W[0]), "conv2d: w must have the axes (kh, kw, C, C'), not the shape (4, 1, 32)"),
    (lambda: conv_transpose2d(A[0], W), "conv_transpose2d: x must have the axes (N, H, W, C), not"),
    (lambda: unfold(A[0], 2), "unfold: x must have the axes (N, H, W, C), not the shape (28, 28, 3)"),
    (lambda: max_pool2d(A[0], 2), "unfold: x must have the axes (N, H, W, C), not"),
    (lambda: upsample_nearest2d(A[0], 2), "upsample_nearest2d: x must have the axes (N, H, W, C), not"),
    (lambda: conv2d(X, np.zeros((6, 4, 1, 2))),
     "conv2d: the kernel spans (6, 4) pixels, the padded input has only (5, 4)"),
    (lambda: unfold(X, 3, dilation=3, padding=(1, 0)),
     "unfold: the kernel spans (7, 7) pixels, the padded input has only (7, 4)"),
    (lambda: unfold(X, 0), "unfold: kernel must be an integer from 1 up, or two of them, not 0"),
    (lambda: unfold(X, (2, 2, 2)),
     "unfold: kernel must be an integer from 1 up, or two of them, not (2,"),
    (lambda: unfold(X, 1.5), "unfold: kernel must be an integer from 1 up, or two of them, not 1.5"),
    (lambda: max_pool2d(X, 2, 0), "unfold: stride must be an integer from 1 up, or two of them, not 0"),
    (lambda: conv2d(X, W, (2, 0)),
     "conv2d: stride must be an integer from 1 up, or two of them, not (2, 0)"),
    (lambda: unfold(X, 2, padding=-1),
     "unfold: padding must be an integer from 0 up, or two of them, not -1"),
    (lambda: unfold(X, 2, dilation=0),
     "unfold: dilation must be an integer from 1 up, or two of them, not"),
    (lambda: upsample_nearest2d(X, 0), "upsample_nearest2d: scale must be an integer from 1 up, or two"),
    (lambda: conv_transpose2d(Z, W, 2, 0, (1, 2)),
     "conv_transpose2d: output_padding (1, 2) must be below the stride (2, 2)"),
    (lambda: conv_transpose2d(Z, W, 2, 0, -1),
     "conv_transpose2d: output_padding must be an integer from 0 up, or two of them, not -1"),
    (lambda: conv_transpose2d(Z, W, 1, 3),
     "conv_transpose2d: the padding (3, 3) leaves an output of size (-1, -1)"),
    (lambda: fold(np.zeros((2, 3, 3, 2, 2, 1)), (5, 4), 2),
     "fold: images (2, 5, 4, 1) have patches (2, 4, 3, 2, 2, 1), not (2, 3, 3, 2, 2, 1)"),
    (lambda: fold(np.zeros((2, 3, 3, 4)), (4, 4), 2),
     "fold: images (2, 4, 4, 4) have patches (2, 3, 3, 2, 2, 4), not (2, 3, 3, 4)"),
]


@pytest.mark.parametrize("call, message", ERRORS, ids=[message[:60] for _, message in ERRORS])
def test_errors_name_the_mismatch(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


# The window.


def test_a_window_knows_its_places_and_its_patches():
    window = patches.Window.of("f", (2, 3), 2, (0, 1), 1)
    assert window == ((2, 3), (2, 2), (0, 1), (1, 1)) and window.padding == (0, 1)
    x = draw(1, 4, 5, 2)
    places = window.places("f", x.shape)
    padded, inside = window.bordered(x, x.shape)
    inside[...] = x
    assert places == (2, 3) and padded.shape == (1, 4, 7, 2)
    np.testing.assert_array_equal(window.patches(padded, places), loop_unfold(x, (2, 3), 2, (0, 1)))


@pytest.mark.parametrize("stride, dilation, apart", [
    (1, 1, (1, 1)), (2, 1, (2, 2)), ((2, 3), 2, (1, 3)), (4, 6, (2, 2))])
def test_entries_that_are_apart_never_meet_on_a_pixel(stride, dilation, apart):
    window = patches.Window.of("f", 4, stride, 0, dilation)
    assert window.apart() == apart
    for s, d, n in zip(window.stride, window.dilation, apart):
        lie_on = [{s * place + d * j for place in range(20)} for j in range(n + 1)]
        assert all(not a & b for i, a in enumerate(lie_on[:n]) for b in lie_on[:i]) and lie_on[0] & lie_on[n]
