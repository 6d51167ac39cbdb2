"""Deeper autoencoders pay where the code is small.

The lectures: deeper autoencoders generalise better and train more efficiently than shallow ones.
Measured is the squared error on held-out digits over the epochs, of autoencoders with one, two and
three hidden layers on each side, with as many parameters and updates; each has the one of two learning
rates that is better for it on images by which it is not judged.

The claim has its limit: from two numbers a digit is a very nonlinear function; from sixteen it need
not be, and in as many epochs a shallow autoencoder gets further. So depth is judged at two, and shown
for both.
"""

from itertools import pairwise, product

from demos import figures
from demos.autoencoders.deep import autoencoder, compared, train
from demos.measures import pca_copies, squared_error

LECTURES = "L1 L3"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
DEPTHS = (1, 2, 3)  # hidden layers on each side of the code
SMALL, LARGE = 2, 16  # code sizes
BUDGET = 200_000  # parameters
RATES = (8e-3, 1.6e-2)  # peaks of the learning rate, of which each depth uses the better


def main(run):
    digits = run.images(train=5_000, test=4_000)
    half = len(digits.test) // 2  # the first half chooses learning rates, the second judges the results
    chooser, digits = digits.test[:half], digits._replace(test=digits.test[half:])
    rates, curves = {}, {SMALL: {}, LARGE: {}}
    for code, depth in product(curves, DEPTHS):
        rates[code, depth], curves[code][depth] = best_run(run, digits, chooser, depth, code)
    run.note(depths={f"code {code}, depth {depth}": {
        "width": equal_width(depth, code), "parameters": parameters(depth, equal_width(depth, code), code),
        "learning_rate": lr, "squared_error": curves[code][depth]} for (code, depth), lr in rates.items()})
    judge(run.claim, curves[SMALL])
    linear = {code: squared_error(pca_copies(digits.train, digits.test, code), digits.test) for code in curves}
    draw(run, curves, linear)


def best_run(run, digits, chooser, depth, code):
    """The learning rate that is best on images by which the result is not judged, and its error curve."""
    hidden, tried = depth * [equal_width(depth, code)], []
    for lr in RATES:
        model = autoencoder(digits.shape, hidden, code, run.rng("weights"))
        curve = train(run, model, digits.train, digits.test, lr,
                      f"a code of {code}, {depth} x {hidden[0]} hidden units, learning rate {lr:g}")
        tried.append((squared_error(run.apply(model.reconstruct, chooser), chooser), lr, curve))
    return min(tried)[1:]


def parameters(depth, width, code, size=28 * 28):
    """How many weights and biases an autoencoder with so many hidden layers of that width has."""
    widths = [size, *depth * [width], code]
    return sum(2 * n_in * n_out + n_in + n_out for n_in, n_out in pairwise(widths))


def equal_width(depth, code):
    """The width of the hidden layers with which the number of parameters is nearest to the budget."""
    return min(range(1, 1000), key=lambda width: abs(parameters(depth, width, code) - BUDGET))


def judge(claim, curves):
    """curves: the squared error over the epochs by depth, at the small code."""
    shallow, deep = curves[DEPTHS[0]], curves[DEPTHS[-1]]
    claim("deep-vs-shallow", "where the code is small, deeper autoencoders generalise better than shallow ones",
          f"held-out squared error from {SMALL} numbers, with {DEPTHS[-1]} hidden layers on each side "
          "relative to one and as many parameters:", deep[-1] / shallow[-1], at_most=0.95)
    claim("deep-vs-shallow.epochs", "and train more efficiently",
          "share of the epochs in which the deep one gets to where the shallow one ends:",
          epochs_until(deep, shallow[-1]) / max(len(shallow) - 1, 1), at_most=0.75)


def epochs_until(curve, error):
    """The first epoch after which the curve is at or below that error; one more than all if none is."""
    return next((epoch for epoch, value in enumerate(curve) if value <= error), len(curve))


def draw(run, curves, linear):
    """Held-out error over the epochs, for each depth, at both code sizes."""
    small, large = (compared(curve[DEPTHS[-1]][-1], curve[DEPTHS[0]][-1]) for curve in curves.values())
    fig = figures.figure(12, 5.4, "Three hidden layers instead of one, with as many parameters and epochs,\n"
                         f"give {small} error from {SMALL} numbers and {large} from {LARGE}")
    for axes, (code, by_depth) in zip(fig.subplots(1, 2), curves.items()):
        axes.axhline(linear[code], color=figures.COLOURS[9], linestyle=":", label="PCA")
        names = {depth: f"{depth} hidden layer{'s' * (depth > 1)} of {equal_width(depth, code)} on each side"
                 for depth in by_depth}
        epochs = range(len(by_depth[DEPTHS[0]]))
        figures.curves(axes, epochs, {names[depth]: curve for depth, curve in by_depth.items()},
                       colours=(6, 4, 0), label=False)
        lowest = min(curve[-1] for curve in by_depth.values())
        top = max(linear[code], lowest)
        room = max(top - lowest, 0.1 * top)  # the first epochs, far above, are cut off
        axes.set(xlabel="epoch (the learning rate rises for a fifth of them, then falls to 0)",
                 ylabel="squared error per held-out image",
                 ylim=(min(lowest, linear[code]) - 0.1 * room, top + 0.5 * room))
        axes.set_title(f"a code of {code} numbers", fontsize=11)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="upper right")
    run.save(fig, "depth.png", "held-out error over the epochs for one to three hidden layers: at a code of "
             "two the deeper ones end lower, at sixteen the shallow one does")
