"""The Jacobian penalty contracts the code in all but a few directions.

The lectures: with Ω = λ ‖∂f(x)/∂x‖²_F most singular values of the encoder's Jacobian drop below 1, and
some, in the directions of most variance in the data, stay significantly above it. The singular values
are measured at held-out digits, with the penalty and without. Which directions stay is measured by the
demo `tangents`.

The decoder has the encoder's weights. Were they its own, it could undo any contraction by scale, and 1
would mean nothing: see the demo `balance`.
"""

import numpy as np

from demos import figures
from demos.measures import ratio
from demos.recipes import contractive_autoencoder
from tinyae import jacobian

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
EXAMPLES = {"train": 5_000, "test": 1_000}  # those of `balance`, which has the same models among others
JUDGED = 100  # images whose Jacobians, 256 × 784 each, are decomposed
WITH, WITHOUT = "with the penalty", "without the penalty"
WEIGHTS = {WITHOUT: 0, WITH: 1}  # λ


def main(run):
    train, test = run.images(**EXAMPLES).vectors()
    values = {}
    for name, weight in WEIGHTS.items():
        model = contractive_autoencoder(run, train, weight)
        values[name] = singular_values(run, model.encoder, test[: run.pick(JUDGED, 10)])
    run.note(number_above_one={name: above_one(s) for name, s in values.items()},
             leading_singular_values={name: s.mean(axis=0)[:10].tolist() for name, s in values.items()})
    judge(run.claim, values)
    draw(run, values)


def singular_values(run, encoder, images):
    """The singular values (N, k) of ∂f/∂x at each image, from the largest.

    They are the factors by which the code moves further than the image, in the best direction for it,
    in the best of those at right angles to that, and so on.
    """
    return np.linalg.svd(run.apply(lambda x: jacobian(encoder, x), images), compute_uv=False)


def above_one(values):
    """The mean number of an image's singular values above 1."""
    return float((values > 1).sum(axis=1).mean())


def judge(claim, values):
    claim("contractive", "with the Jacobian penalty most singular values of ∂f/∂x are below 1",
          "share of those at held-out images that are below 1:", (values[WITH] < 1).mean(), at_least=0.9)
    claim("contractive.drop", "most of those that are above 1 without it drop below",
          "mean number above 1, relative to the encoder without the penalty:",
          ratio(above_one(values[WITH]), above_one(values[WITHOUT])), at_most=0.5)
    claim("contractive.few", "a few stay above 1, the largest significantly",
          "mean of the largest singular value:", values[WITH][:, 0].mean(), at_least=1.5)


def draw(run, values):
    """The mean singular values, from the largest to the smallest, with and without the penalty."""
    size = values[WITH].shape[1]
    fig = figures.figure(8, 5, f"With the penalty {above_one(values[WITH]):.0f} of the {size} singular "
                         f"values of ∂f/∂x are above 1,\nwithout it {above_one(values[WITHOUT]):.0f}")
    axes = fig.subplots()
    number = np.arange(1, size + 1)
    for (name, s), colour, line in zip(values.items(), (figures.COLOURS[6], figures.COLOURS[0]), ("--", "-")):
        axes.plot(number, s.mean(axis=0), line, color=colour, linewidth=2.5, label=name)
        low, high = np.quantile(s, (0.1, 0.9), axis=0)
        axes.fill_between(number, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.axhline(1, color="black", linewidth=1)
    axes.set(xlabel="number of the singular value, from the largest", yscale="log", ylim=(1e-3, 10),
             ylabel="singular value of ∂f/∂x", xlim=(1, size))
    axes.text(0.62 * size, 1.1, "stretched", ha="right", va="bottom", fontsize=11)
    axes.text(0.98 * size, 0.9, "contracted", ha="right", va="top", fontsize=11)
    axes.legend(loc="upper right", title="mean, and 10% to 90% of held-out images")
    run.save(fig, "spectrum.png", "singular values from the largest to the smallest on a logarithmic scale, "
             "with the penalty and without it")
