"""The gradient that starts its way back at the output is x̂ - x.

The lecture: for squared error, ½ Σ (x̂ - x)², and for cross-entropy on a sigmoid, the derivative of the
loss in the decoder's output is the reconstruction less the input. Measured is the engine's gradient
against that formula, in float64: for the losses of the library, whose rules say so, and for the
cross-entropy written out in elementary operations, through which the chain rule has to find it.
"""

import numpy as np

from demos import figures
from demos.measures import worst
from tinyae import distributions, grad, losses, ops

LECTURES = "L5"
DATA = ("strokes", "mnist")


def main(run):
    x = run.images(train=100, test=1).vectors()[0].astype(np.float64)
    output = run.rng("output").standard_normal(x.shape)
    gradients = {name: gradient(run, loss, output, x) for name, loss in LOSSES.items()}
    copies = {name: output if name == SQUARED else 1 / (1 + np.exp(-output)) for name in LOSSES}
    apart = {name: departure(gradients[name], copies[name] - x) for name in LOSSES}
    run.note(largest_relative_difference=apart)
    judge(run.claim, apart)
    draw(run, gradients, {name: copy - x for name, copy in copies.items()}, apart)


def written_out(logits, x):
    """The loss as the lecture writes it: p = sigmoid(logits), then -Σ x ln p + (1 - x) ln(1 - p)."""
    p = ops.sigmoid(logits)
    return -ops.sum(x * ops.log(p) + (1 - x) * ops.log(1 - p)) / x.shape[0]


SQUARED, LIBRARY, WRITTEN_OUT = "squared error", "cross-entropy on a sigmoid", "the same, written out"
LOSSES = {SQUARED: losses.mse, LIBRARY: lambda logits, x: distributions.Bernoulli(logits).nll(x),
          WRITTEN_OUT: written_out}


def gradient(run, loss, output, x):
    """The gradient of each example's own loss, N times that of their mean, in the output."""
    at = run.tensor(output, requires_grad=True)
    return len(x) * grad(loss(at, run.tensor(x)), at).numpy()


def departure(gradient, formula):
    """How far the gradient is from the formula, relative to its largest entry."""
    return float(np.abs(gradient - formula).max() / np.abs(formula).max())


def judge(claim, apart):
    claim("gradient", "for squared error the gradient at the output is x̂ - x",
          "largest difference of an entry, relative to the largest entry:", apart[SQUARED], at_most=1e-12)
    claim("gradient.sigmoid", "and so it is for cross-entropy on a sigmoid",
          "largest difference, relative to the largest entry, the larger of the library's loss and one written out:",
          worst((apart[LIBRARY], apart[WRITTEN_OUT])), at_most=1e-12)


def draw(run, gradients, formulas, apart):
    """The engine's gradient over the formula, entry by entry."""
    fig = figures.figure(11, 4.2, "The gradient at the decoder's output is x̂ − x, entry by entry")
    for axes, name in zip(fig.subplots(1, 3), gradients):
        ends = np.array([formulas[name].min(), formulas[name].max()])
        axes.plot(ends, ends, color=figures.COLOURS[5], linewidth=5, label="equal")
        axes.scatter(formulas[name][:5], gradients[name][:5], s=6, color=figures.COLOURS[0], linewidths=0, zorder=3,
                     label="a pixel of one of five digits")
        axes.set(xlabel="x̂ − x", ylabel="∂loss / ∂output, by the engine")
        axes.set_title(f"{name}\n(largest relative difference {figures.number(apart[name], '.0e')})", fontsize=11)
        axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    run.save(fig, "gradient.png", "three panels: the engine's gradient against the formula x̂ - x, and the "
             "line on which they are equal")
