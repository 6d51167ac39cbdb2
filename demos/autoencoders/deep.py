"""A deep autoencoder is a more powerful PCA, and depth pays where the code is small.

The lectures: with nonlinear layers an autoencoder learns a more powerful version of PCA; which code
size is suitable shows in the error curve; deeper autoencoders generalise better and train more
efficiently than shallow ones. Measured is the squared error on held-out digits: of PCA and of a deep
autoencoder over code sizes, and of autoencoders with one, two and three hidden layers on each side,
with as many parameters and updates, over the epochs.

Two of the claims have their limits. At large codes PCA overtakes the autoencoder, whose error stays
where a network of this size, trained for so long, leaves it: so the suitable code size is one for this
network, and for the comparison with PCA the sizes from 2 to 16 count. And depth pays where the code is small:
from two numbers a digit is a very nonlinear function. From sixteen it need not be, and in as many
epochs a shallow autoencoder gets further. So depth is judged at two, and shown for both.
"""

import math
from itertools import chain, pairwise, product

import numpy as np

from demos.harness import Report, apply, chosen_epochs, fit_falling, load_digits, parser, run
from demos.measures import pca, squared_error, vote
from tinyae import losses, models, nn, ops, plots
from tinyae.data.strokes import GLYPHS, curve_matrices

TOPIC = "Autoencoders"
EPOCHS = {"strokes": 20, "mnist": 20}
EXAMPLES = 5_000
SHAPE = (28, 28, 1)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
HIDDEN = (256, 128)  # of the deep autoencoder over code sizes
RATE = 3e-3  # its learning rate
FLAT = 0.05  # of the error at code size 1: a doubling of the code that gains less hardly pays

DEPTHS = (1, 2, 3)  # hidden layers on each side of the code
SMALL, LARGE = 2, 16  # code sizes
BUDGET = 200_000  # parameters
RATES = (2e-3, 4e-3, 8e-3)  # learning rates, of which each depth uses its best


def main(argv=None):
    args = parser("deep", __doc__, epochs=EPOCHS).parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])
    report = Report("deep", args)
    digits = load_digits(args, train=EXAMPLES, test=4_000)
    half = len(digits.test) // 2  # the first half chooses learning rates, the second judges the results
    chooser = digits.test[:half]
    digits = digits._replace(test=digits.test[half:], test_labels=digits.test_labels[half:])

    linear, deep = over_code_sizes(report, args, digits, epochs)
    depths = over_depths(report, args, digits, chooser, epochs, linear)
    return report.finish(epochs=epochs, squared_error={"PCA": linear, "deep": deep},
                         flattens_at=flattens(deep), depths=depths)


# --- the autoencoder -----------------------------------------------------------------------------

def layers(widths, rng):
    """Dense layers from each width to the next, with ReLU between them."""
    hidden = [(nn.Dense(n_in, n_out, rng=rng), ops.relu) for n_in, n_out in pairwise(widths[:-1])]
    return [*chain(*hidden), nn.Dense(*widths[-2:], rng=rng, init="glorot")]


def autoencoder(hidden, code, rng):
    """Hidden layers of these widths, the code, and the same in reverse to pixels between 0 and 1."""
    widths = [math.prod(SHAPE), *hidden, code]
    encoder = nn.Sequential(nn.Flatten(), *layers(widths, rng))
    decoder = nn.Sequential(*layers(widths[::-1], rng), ops.sigmoid, nn.Reshape(SHAPE))
    return models.Autoencoder(encoder, decoder, losses.mse)


def train(hidden, code, lr, epochs, digits, args):
    """An autoencoder, and its held-out squared error before training and after each epoch."""
    rng = np.random.default_rng([args.seed, 2])
    model = autoencoder(hidden, code, rng).to(args.device)
    print(f"code {code}, hidden layers of {', '.join(map(str, hidden))}, learning rate {lr:g}:", flush=True)
    start = squared_error(apply(model.reconstruct, digits.test, args.device), digits.test)
    history = fit_falling(model, digits.train, epochs, (lr, lr / 5), held_out=digits.test, batch_size=100,
                          rng=rng)
    # The loss is half the squared error.
    return model, [start] + [2 * record["held_out"]["loss"] for record in history]


# --- over code sizes -----------------------------------------------------------------------------

def over_code_sizes(report, args, digits, epochs):
    """nonlinear and code-size: the held-out errors of PCA and of a deep autoencoder at every code size."""
    mean, axes = pca(digits.train, max(SIZES))
    train_codes, codes = ((x.reshape(len(x), -1) - mean) @ axes for x in (digits.train, digits.test))
    linear = {k: squared_error(codes[:, :k] @ axes[:, :k].T + mean, digits.test.reshape(len(codes), -1))
              for k in SIZES}
    panels = {"PCA": (train_codes[:, :2], codes[:, :2])}
    deep = {}
    for code in SIZES:
        model, curve = train(HIDDEN, code, RATE, epochs, digits, args)
        deep[code] = curve[-1]
        if code == 2:
            panels["deep autoencoder"] = [apply(model.encode, x, args.device)
                                          for x in (digits.train, digits.test)]

    judge_sizes(report, linear, deep)
    draw_codes(report, digits, panels, {"PCA": linear[2], "deep autoencoder": deep[2]})
    draw_sizes(report, args, linear, deep)
    return linear, deep


def judge_sizes(report, linear, deep):
    """nonlinear and code-size: the errors of PCA and of the deep autoencoder by code size."""
    report.claim("nonlinear", "with nonlinear layers an autoencoder is a more powerful PCA",
                 "held-out squared error relative to PCA's, the largest of code sizes 2 to 16:",
                 max(deep[code] / linear[code] for code in SIZES if 2 <= code <= 16), at_most=0.9)
    report.claim("code-size", "a suitable code size shows in the error curve",
                 f"fall of ln(error) by a doubling of the code, from size {flattens(deep)} on "
                 "relative to before:", bend(deep), at_most=0.5)


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


def draw_codes(report, digits, panels, errors):
    """Where PCA and the autoencoder put held-out digits in the plane."""
    less = compared(errors["deep autoencoder"], errors["PCA"])
    fig = plots.figure(11, 5.9, f"Two numbers for each digit: {less} squared error "
                       "with a deep autoencoder than with PCA")
    for axes, (name, (train_codes, codes)) in zip(fig.subplots(1, 2), panels.items()):
        named, _ = vote(codes, train_codes, digits.train_labels)
        right = 100 * (named == digits.test_labels).mean()
        plots.scatter_codes(axes, codes, digits.test_labels,
                            f"{name}: squared error {errors[name]:.1f} per held-out image,\n"
                            f"the ten nearest training codes name {right:.0f} % of the digits", "h")
    report.save(fig, "codes.png")


def compared(error, other):
    """How much the one error is less or more than the other, such as "20 % less"."""
    return f"{100 * abs(error / other - 1):.0f} % {'less' if error < other else 'more'}"


def draw_sizes(report, args, linear, deep):
    """Both error curves, and where that of the autoencoder flattens."""
    size = flattens(deep)
    fig = plots.figure(8.5, 5.4, f"This autoencoder's error falls until the code has about {size} numbers,\n"
                       "then hardly any more" if bend(deep) <= 0.5 else "Squared error over code sizes")
    axes = fig.subplots()
    if args.data == "strokes":
        few, many = factors()
        axes.axvspan(few, many, color=plots.COLOURS[5], alpha=0.3, linewidth=0,
                     label=f"numbers that make a drawn digit: {few} to {many}")
    axes.axvline(size, color=plots.COLOURS[9], linestyle=":",
                 label=f"from here a doubling gains less than {100 * FLAT:.0f} % of the error at size 1")
    axes.plot(SIZES, linear.values(), color=plots.COLOURS[6], marker="s", linestyle="--", label="PCA")
    axes.plot(SIZES, deep.values(), color=plots.COLOURS[0], marker="o",
              label=f"deep autoencoder, hidden layers of {' and '.join(map(str, HIDDEN))}")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="code size", ylabel="squared error per held-out image", xticks=SIZES,
             xticklabels=SIZES, ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", framealpha=1)
    report.save(fig, "code_size.png")


# --- over depths ---------------------------------------------------------------------------------

def over_depths(report, args, digits, chooser, epochs, linear):
    """deep-vs-shallow: one to three hidden layers at a small and a larger code; what was measured."""
    rates, curves = {}, {SMALL: {}, LARGE: {}}
    for code, depth in product(curves, DEPTHS):
        rates[code, depth], curves[code][depth] = best_run(depth, code, chooser, epochs, digits, args)
    judge_depths(report, curves[SMALL], epochs)
    draw_depths(report, curves, linear)
    measured = {}
    for (code, depth), lr in rates.items():
        width, curve = equal_width(depth, code), curves[code][depth]
        count = parameters(depth, width, code)
        print(f"code {code}, {depth} x {width} hidden units, {count:,} parameters, learning rate {lr:g}: "
              f"squared error {curve[-1]:.2f}")
        measured[f"code {code}, depth {depth}"] = {"width": width, "parameters": count,
                                                   "learning_rate": lr, "squared_error": curve}
    return measured


def judge_depths(report, curves, epochs):
    """deep-vs-shallow: the error curves by depth, at the small code."""
    shallow, deep = curves[DEPTHS[0]], curves[DEPTHS[-1]]
    report.claim("deep-vs-shallow",
                 "where the code is small, deeper autoencoders generalise better than shallow ones",
                 f"held-out squared error from {SMALL} numbers, with {DEPTHS[-1]} hidden layers on each side "
                 "relative to one and as many parameters:", deep[-1] / shallow[-1], at_most=0.95)
    report.claim("deep-vs-shallow", "and train more efficiently",
                 "share of the epochs in which the deep one gets to where the shallow one ends:",
                 epochs_until(deep, shallow[-1]) / max(epochs, 1), at_most=0.75)


def best_run(depth, code, chooser, epochs, digits, args):
    """The learning rate that is best on images by which the result is not judged, and its error curve."""
    hidden, runs = depth * [equal_width(depth, code)], []
    for lr in RATES:
        model, curve = train(hidden, code, lr, epochs, digits, args)
        runs.append((squared_error(apply(model.reconstruct, chooser, args.device), chooser), lr, curve))
    return min(runs)[1:]


def parameters(depth, width, code):
    """How many weights and biases an autoencoder with so many hidden layers of that width has."""
    widths = [math.prod(SHAPE), *depth * [width], code]
    return sum(2 * n_in * n_out + n_in + n_out for n_in, n_out in pairwise(widths))


def equal_width(depth, code):
    """The width of the hidden layers with which the number of parameters is nearest to the budget."""
    return min(range(1, 1000), key=lambda width: abs(parameters(depth, width, code) - BUDGET))


def epochs_until(curve, error):
    """The first epoch after which the curve is at or below that error; one more than all if none is."""
    return next((epoch for epoch, value in enumerate(curve) if value <= error), len(curve))


def draw_depths(report, curves, linear):
    """Held-out error over the epochs, for each depth, at both code sizes."""
    small, large = (compared(curve[DEPTHS[-1]][-1], curve[DEPTHS[0]][-1]) for curve in curves.values())
    fig = plots.figure(11, 5.4, "Three hidden layers instead of one, with as many parameters and epochs,\n"
                       f"give {small} error from {SMALL} numbers and {large} from {LARGE}")
    for axes, (code, by_depth) in zip(fig.subplots(1, 2), curves.items()):
        axes.axhline(linear[code], color=plots.COLOURS[9], linestyle=":", label="PCA")
        for (depth, curve), colour, marker in zip(by_depth.items(), (6, 4, 0), "s^o"):
            layers_of = f"hidden layer{'s' * (depth > 1)} of {equal_width(depth, code)}"
            axes.plot(curve, color=plots.COLOURS[colour], marker=marker, markersize=5, markevery=2,
                      label=f"{depth} {layers_of} on each side")
        lowest = min(curve[-1] for curve in by_depth.values())
        top = max(linear[code], lowest)
        room = max(top - lowest, 0.1 * top)  # the first epochs, far above, are cut off
        axes.set(xlabel="epoch (the last third with smaller steps)",
                 ylabel="squared error per held-out image",
                 ylim=(min(lowest, linear[code]) - 0.1 * room, top + 0.5 * room))
        axes.set_title(f"a code of {code} numbers", fontsize=11)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    report.save(fig, "depth.png")


if __name__ == "__main__":
    run(main)
