"""A deep autoencoder is a more powerful PCA, and its error curve shows which code size is suitable.

The lectures: with nonlinear layers an autoencoder learns a more powerful version of PCA; which code
size is suitable shows in the error curve. Measured is the squared error on held-out digits, of PCA
and of a deep autoencoder, over code sizes.

The first claim has its limit. At large codes PCA overtakes the autoencoder, whose error stays where a
network of this size, trained for so long, leaves it: so the suitable code size is one for this
network, and for the comparison with PCA the sizes from 2 to 16 count.
"""

import math

from demos import figures
from demos.measures import pca, squared_error, vote, worst
from tinyae import models, nn, ops, optim
from tinyae.data.strokes import GLYPHS, curve_matrices

LECTURES = "L1 L2 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
HIDDEN = (128, 128)
FLAT = 0.05  # of the error at code size 1: a doubling of the code that gains less hardly pays


def main(run):
    digits = run.images(train=5_000, test=2_000)
    linear, linear_codes = by_pca(digits)
    deep, codes = {}, {}
    for size in SIZES:
        model = autoencoder(digits.shape, HIDDEN, size, run.rng("weights"))
        curve = train(run, model, digits.train, digits.test, 8e-3, f"a code of {size}")
        deep[size] = curve[-1]
        if size == 2:
            codes = {"PCA": linear_codes, "deep autoencoder": [run.apply(model.encode, x)
                                                               for x in (digits.train, digits.test)]}
    run.note(squared_error={"PCA": linear, "deep": deep}, flattens_at=flattens(deep))
    judge(run.claim, linear, deep)
    draw_codes(run, digits, codes, {"PCA": linear[2], "deep autoencoder": deep[2]})
    draw_sizes(run, linear, deep)


def autoencoder(shape, hidden, code, rng):
    """Hidden layers of these widths, the code, and the same in reverse to pixels between 0 and 1."""
    return models.Autoencoder(nn.mlp(shape, *hidden, code, rng=rng),
                              nn.mlp(code, *hidden[::-1], shape, rng=rng, output=ops.sigmoid))


def train(run, model, x, held_out, peak, what):
    """Train the model; its squared error on held-out images before training and after each epoch.

    The learning rate rises to the peak and falls to 0. With a large one, few epochs are enough.
    """
    start = squared_error(run.apply(model.to(run.device).reconstruct, held_out), held_out)
    history = run.fit(model, x, lr=optim.one_cycle(peak), held_out=held_out, what=what)
    # The loss is half the squared error.
    return [start] + [2 * record["held_out"]["loss"] for record in history]


def by_pca(digits):
    """PCA's held-out squared error at every code size, and its first two numbers for all digits."""
    mean, axes = pca(digits.train, max(SIZES))
    train_codes, codes = ((x - mean) @ axes for x in digits.vectors())
    errors = {k: squared_error(codes[:, :k] @ axes[:, :k].T + mean, digits.vectors()[1]) for k in SIZES}
    return errors, (train_codes[:, :2], codes[:, :2])


def judge(claim, linear, deep):
    """linear, deep: the errors of PCA and of the deep autoencoder by code size."""
    claim("nonlinear", "with nonlinear layers an autoencoder is a more powerful PCA",
          "held-out squared error relative to PCA's, the largest of code sizes 2 to 16:",
          worst(deep[code] / linear[code] for code in SIZES if 2 <= code <= 16), at_most=0.9)
    claim("code-size", "a suitable code size shows in the error curve",
          f"fall of ln(error) by a doubling of the code, from size {flattens(deep)} on relative to before:",
          bend(deep), at_most=0.5)


def flattens(errors):
    """The first code size from which a doubling gains less than 5 % of the error at size 1, else the last.

    errors holds the error at each code size, which starts at 1 and doubles.
    """
    gains = {size: errors[size] - errors[2 * size] for size in errors if 2 * size in errors}
    return next((size for size, gain in gains.items() if gain < FLAT * errors[1]), max(errors))


def bend(errors):
    """How much ln(error) falls by a doubling of the code after the curve flattens, relative to before.

    It is 1 for a power law, which has no suitable size: every doubling takes the same share off
    the error. And it counts as 1 where there is no doubling before that size or none after it.
    """
    size, largest = flattens(errors), max(errors)
    if size in (1, largest):
        return 1.0
    before = math.log(errors[1] / errors[size]) / math.log2(size)
    after = math.log(errors[size] / errors[largest]) / math.log2(largest / size)
    return after / before


def factors():
    """The fewest and the most numbers that make a drawn digit of one shape.

    Slant, rotation, size, width and shift only move the control points of the pen's path, which are
    free themselves: two numbers for each point. One is left for the thickness.
    """
    numbers = [2 * len(curve_matrices(glyph)[0]) + 1 for shapes in GLYPHS.values() for glyph in shapes]
    return min(numbers), max(numbers)


def compared(error, other):
    """How much the one error is less or more than the other, such as "20 % less"."""
    return f"{100 * abs(error / other - 1):.0f} % {'less' if error < other else 'more'}"


def draw_codes(run, digits, codes, errors):
    """Where PCA and the autoencoder put held-out digits in the plane."""
    less = compared(errors["deep autoencoder"], errors["PCA"])
    fig = figures.figure(11, 5.9, f"Two numbers for each digit: {less} squared error "
                         "with a deep autoencoder than with PCA")
    for axes, (name, (known, held_out)) in zip(fig.subplots(1, 2), codes.items()):
        named, _ = vote(held_out, known, digits.train_labels)
        right = 100 * (named == digits.test_labels).mean()
        figures.scatter_codes(axes, held_out, digits.test_labels,
                              f"{name}: squared error {errors[name]:.1f} per held-out image,\n"
                              f"the ten nearest training codes name {right:.0f} % of the digits", "h")
    run.save(fig, "codes.png", "two scatter plots of two-number codes by digit: overlapping clouds with PCA, "
             "narrow separate ones with the deep autoencoder")


def draw_sizes(run, linear, deep):
    """Both error curves, and where that of the autoencoder flattens."""
    size, largest = flattens(deep), max(SIZES)
    title = f"A deep autoencoder needs few numbers: past {size} it gains little" if bend(deep) <= 0.5 else (
        "Squared error over code sizes")
    if deep[largest] > linear[largest]:
        title += f",\nand at {largest} PCA is better: what is left is this network's own limit, not the data's"
    fig = figures.figure(9, 5.4, title)
    axes = fig.subplots()
    if run.data == "strokes":
        few, many = factors()
        axes.axvspan(few, many, color=figures.COLOURS[5], alpha=0.3, linewidth=0,
                     label=f"numbers that make a drawn digit: {few} to {many}")
    axes.axvline(size, color=figures.COLOURS[9], linestyle=":",
                 label=f"from here a doubling gains less than {100 * FLAT:.0f} % of the error at size 1")
    axes.set_xscale("log", base=2)
    figures.curves(axes, SIZES, {"PCA": list(linear.values()),
                                 f"deep autoencoder, hidden layers of {' and '.join(map(str, HIDDEN))}":
                                 list(deep.values())}, colours=(6, 0), dashed=("PCA",), label=False)
    axes.set(xlabel="code size", ylabel="squared error per held-out image", xticks=SIZES,
             xticklabels=SIZES, ylim=(0, None))
    axes.legend(loc="upper right", framealpha=1)
    run.save(fig, "code_size.png", "error over code sizes: PCA's falls slowly all the way, the deep "
             "autoencoder's falls fast and then flattens")
