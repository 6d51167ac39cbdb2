"""A transposed convolution undoes the size of a convolution, not the convolution.

The lecture: its output size is s(n-1) + k - 2p, so 3 x 3 becomes 6 x 6 and 5 x 5 becomes 10 x 10; and
"deconvolution" is a wrong name for it, since it is the transpose of a convolution, not its inverse.
"""

import itertools

import numpy as np

from demos.harness import Report, parser, run
from tinyae import Tensor, data, ops, plots
from tinyae.backend import to_device

TOPIC = "Convolutional"
STRIDES, PADDINGS, KERNELS = (1, 2, 3), (0, 1), (2, 3, 4, 5)


def main(argv=None):
    args = parser("convolution", __doc__, images=False).parse_args(argv)
    report = Report("convolution", args)
    rng = np.random.default_rng(args.seed)

    def on_device(array):
        return Tensor(to_device(array, args.device))

    wrong, tried = check_sizes(on_device)
    report.claim("convt-size", "the output size of a transposed convolution is s(n-1) + k - 2p",
                 f"wrong among {tried} combinations of n, k, s and p:", wrong, at_most=0)
    draw_sizes(report, on_device)

    image, kernel = one_digit(args.seed), edge_kernel()
    down = ops.conv2d(on_device(image), on_device(kernel), stride=2, padding=1)
    up = ops.conv_transpose2d(down, on_device(kernel), stride=2, padding=1)
    y = on_device(rng.standard_normal(down.shape))
    left = ops.sum(down * y).item()
    right = ops.sum(on_device(image) * ops.conv_transpose2d(y, on_device(kernel), stride=2, padding=1)).item()
    report.claim("convt-adjoint", "it is the transpose of the convolution, ⟨conv x, y⟩ = ⟨x, convᵀ y⟩",
                 "relative difference of the two sides:", abs(left - right) / abs(left), at_most=1e-12)
    scale = (up.numpy() * image).sum() / (up.numpy() ** 2).sum()  # the best that any one factor can do
    difference = np.linalg.norm(scale * up.numpy() - image) / np.linalg.norm(image)
    report.claim("convt-adjoint", "and not its inverse, convᵀ(conv x) ≠ x",
                 "what is left of x after the best multiple of convᵀ(conv x) is taken off it:",
                 difference, at_least=0.1)
    draw_images(report, image, kernel, down.numpy(), up.numpy(), difference)
    return report.finish()


def output_size(n, k, s, p, on_device):
    """The size that conv_transpose2d really gives."""
    x, w = on_device(np.ones((1, n, n, 1))), on_device(np.ones((k, k, 1, 1)))
    return ops.conv_transpose2d(x, w, stride=s, padding=p).shape[1]


def check_sizes(on_device):
    """How many combinations depart from the formula, and how many there are."""
    choices = itertools.product(range(1, 9), range(1, 6), range(1, 5), range(3))
    tried = [(n, k, s, p) for n, k, s, p in choices if s * (n - 1) + k - 2 * p > 0]
    wrong = sum(output_size(n, k, s, p, on_device) != s * (n - 1) + k - 2 * p for n, k, s, p in tried)
    return wrong, len(tried)


def draw_sizes(report, on_device):
    """Tables of output sizes for inputs of 3 and 5 pixels, the lecture's examples marked."""
    fig = plots.figure(10, 4.2, "Output size of a transposed convolution: s(n - 1) + k - 2p")
    columns = [f"k = {k}" for k in KERNELS]
    rows = [f"s = {s}, p = {p}" for s in STRIDES for p in PADDINGS]
    for axes, n in zip(fig.subplots(1, 2), (3, 5)):
        sizes = [[output_size(n, k, s, p, on_device) for k in KERNELS] for s in STRIDES for p in PADDINGS]
        colours = [["#CCDDEE" if size == 2 * n else "white" for size in row] for row in sizes]
        table = axes.table(sizes, colours, "center", rowLabels=rows, colLabels=columns, bbox=(0.2, 0, 0.8, 1))
        table.auto_set_font_size(False)
        table.set_fontsize(12)
        axes.set_axis_off()
        axes.set_title(f"input {n} x {n} (shaded: twice the size, {2 * n} x {2 * n})", fontsize=11)
    report.save(fig, "sizes.png")


def one_digit(seed):
    """A drawn 5, (1, 28, 28, 1), in float64."""
    image, _ = data.strokes(1, np.random.default_rng(seed), digit=5, shift=(0, 0))
    return image.astype(np.float64)


def edge_kernel():
    """A 4 x 4 kernel that answers to edges from dark to bright, downwards."""
    profile, weights = np.array([-1.0, -1, 1, 1]), np.array([1.0, 3, 3, 1]) / 8
    return np.outer(profile, weights)[:, :, None, None] / 2


def draw_images(report, image, kernel, down, up, difference):
    """The image, the kernel, the convolution and what its transpose makes of it."""
    fig = plots.figure(11, 3.6, "The transpose of a convolution gives back the size, not the image "
                       "(green: above 0, brown: below)")
    panels = [
        (image, "x, 28 x 28"), (kernel[None, :, :, 0], "kernel w, 4 x 4"),
        (down, "conv(x, w), stride 2: 14 x 14"),
        (up, f"convᵀ(conv(x, w), w): 28 x 28\n{difference:.0%} of x is not in it"),
    ]
    for axes, (picture, title) in zip(fig.subplots(1, 4), panels):
        bound = np.abs(picture).max()
        plots.show_signed(axes, picture.reshape(picture.shape[1:3]), bound)
        axes.set_title(title, fontsize=11)
    report.save(fig, "images.png")


if __name__ == "__main__":
    run(main)
