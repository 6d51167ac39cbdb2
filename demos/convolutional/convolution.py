"""A transposed convolution undoes the size of a convolution, not the convolution.

The lecture: its output size is s (n - 1) + k - 2p, so 3 × 3 becomes 6 × 6 and 5 × 5 becomes 10 × 10; and
"deconvolution" is a wrong name for it, since it is the transpose of a convolution, not its inverse.
Measured are the sizes it really gives, the two sides of ⟨conv x, y⟩ = ⟨x, convᵀ y⟩, which is what
"transpose" means, and how much of an image x is left when the best multiple of convᵀ(conv x) is taken
off it: an inverse would leave nothing.
"""

import itertools

import numpy as np

from demos import figures
from tinyae import data, ops

LECTURES = "L5"
STRIDES, PADDINGS, KERNELS = (1, 2, 3), (0, 1), (2, 3, 4, 5)  # of the tables


def main(run):
    wrong, tried = wrong_sizes(run)
    x, w = one_digit(run.rng("digit")), edge_kernel()
    down = convolve(run, ops.conv2d, x, w)
    up = convolve(run, ops.conv_transpose2d, down, w)
    y = run.rng("y").standard_normal(down.shape)
    left, right = (down * y).sum(), (x * convolve(run, ops.conv_transpose2d, y, w)).sum()
    apart = abs(left - right) / abs(left)
    rest = left_over(x, up)
    share = np.linalg.norm(rest) / np.linalg.norm(x)
    judge(run.claim, wrong, tried, apart, share)
    draw_sizes(run)
    draw_images(run, x, w, down, up, rest, share)


def output_size(run, n, k, s, p):
    """The size that conv_transpose2d really gives to an image of n × n."""
    x, w = run.tensor(np.ones((1, n, n, 1))), run.tensor(np.ones((k, k, 1, 1)))
    return ops.conv_transpose2d(x, w, stride=s, padding=p).shape[1]


def wrong_sizes(run):
    """How many combinations of n, k, s and p depart from the formula, and how many there are."""
    formula = {(n, k, s, p): s * (n - 1) + k - 2 * p
               for n, k, s, p in itertools.product(range(1, 9), range(1, 6), range(1, 5), range(3))}
    tried = {sizes: size for sizes, size in formula.items() if size > 0}
    return sum(output_size(run, *sizes) != size for sizes, size in tried.items()), len(tried)


def convolve(run, operation, images, kernel):
    """The convolution or its transpose, by two pixels at a time: half the size, or twice."""
    return operation(run.tensor(images), run.tensor(kernel), stride=2, padding=1).numpy()


def left_over(x, up):
    """x less the best multiple of up, in the sense of least squares."""
    return x - (up * x).sum() / (up * up).sum() * up


def one_digit(rng):
    """A drawn 5, (1, 28, 28, 1), in float64."""
    image, _ = data.strokes(1, rng, digit=5, shift=(0, 0))
    return image.astype(np.float64)


def edge_kernel():
    """A 4 × 4 kernel that answers to edges from dark to bright, downwards."""
    return np.outer([-1.0, -1, 1, 1], [1.0, 3, 3, 1])[:, :, None, None] / 16


def judge(claim, wrong, tried, apart, share):
    claim("convt-size", "the output size of a transposed convolution is s (n - 1) + k - 2p",
          f"how many of {tried} combinations of n, k, s and p give another size:", wrong, at_most=0)
    claim("convt-adjoint", "it is the transpose of the convolution, ⟨conv x, y⟩ = ⟨x, convᵀ y⟩",
          "relative difference of the two sides:", apart, at_most=1e-12)
    claim("convt-adjoint.inverse", "and not its inverse, convᵀ(conv x) ≠ x",
          "norm of x less the best multiple of convᵀ(conv x), relative to that of x:",
          share, at_least=0.1)


def draw_sizes(run):
    """Tables of output sizes for inputs of 3 and 5 pixels; shaded where the size doubles."""
    fig = figures.figure(10, 4.4, "The output size of a transposed convolution is s (n − 1) + k − 2p:\n"
                         "so 3 × 3 can become 6 × 6, and 5 × 5 become 10 × 10 (shaded)")
    rows = list(itertools.product(STRIDES, PADDINGS))
    for axes, n in zip(fig.subplots(1, 2), (3, 5)):
        sizes = [[output_size(run, n, k, s, p) for k in KERNELS] for s, p in rows]
        colours = [["#BBD3EA" if size == 2 * n else "white" for size in row] for row in sizes]
        table = axes.table(sizes, colours, "center", rowLabels=[f"s = {s}, p = {p} " for s, p in rows],
                           colLabels=[f"k = {k}" for k in KERNELS], bbox=(0.2, 0, 0.8, 1))
        table.auto_set_font_size(False)
        table.set_fontsize(13)
        axes.set_axis_off()
        axes.set_title(f"n = {n}: the output size of {n} × {n} pixels", fontsize=12)
    run.save(fig, "sizes.png", "two tables of output sizes for inputs of 3 and 5 pixels, over stride, "
             "padding and kernel; stride 2 doubles the size for k = 2, p = 0 and for k = 4, p = 1")


def draw_images(run, x, w, down, up, rest, share):
    """The image, the kernel, the convolution, what its transpose makes of that, and what is missing."""
    panels = {
        "x, 28 × 28": (x, 1.6), "the kernel w, 4 × 4\n(enlarged; in 16ths)": (16 * w, 1),
        "conv x, stride 2:\n14 × 14": (down, 0.8), "convᵀ(conv x): 28 × 28,\nthe size is back": (up, 1.6),
        f"x less the best multiple of it:\n{share:.0%} of the norm of x is left": (rest, 1.6),
    }
    fig = figures.figure(13, 4.1, "The transpose of a convolution gives back the size of the image, "
                         "not the image (green: above 0, brown: below)")
    every = fig.subplots(1, len(panels), width_ratios=[width for _, width in panels.values()])
    for axes, (title, (picture, _)) in zip(every, panels.items()):
        bound = np.abs(x if picture is rest else picture).max()  # what is left, in the colours of x
        figures.show_signed(axes, picture.squeeze(), bound, title)
    for (i, j), entry in np.ndenumerate(16 * w.squeeze()):
        every[1].text(j, i, figures.number(entry, ".0f"), ha="center", va="center",
                      color="white" if abs(entry) > 2 else "black")
    run.save(fig, "images.png", "a digit; a kernel, negative above and positive below; their convolution, "
             "at half the size; its transpose, again at the digit's size; and the digit less the best "
             "multiple of that")
