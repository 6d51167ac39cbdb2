"""An L1 penalty leaves few units of a code active, and which ones depends on the input.

The lectures: with Ω(h) = λ Σ |h| an autoencoder explains each input with a few of its units, and
different inputs with different ones. The same network is trained on digits twice, with the penalty
and, for as long, without it. Measured on held-out digits are the share of the units that are active,
how much the active sets of two images overlap, within a digit and between digits, and the error.

L1 can be evaded: a small code and large decoder weights draw the same image. So every row of the
decoder has length 1, and a unit counts as active where its ReLU is not 0.
"""

import numpy as np

from demos import figures
from demos.arguments import real, whole
from demos.measures import pca_copies, ratio, squared_error
from tinyae import Tensor, models, nn, ops, penalties
from tinyae.models.sparse_coding import unit_rows

LECTURES = "L1 L3 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 40, "mnist": 40}
NAMES = ("with the penalty", "without it")


def options(p):
    p.add_argument("--units", type=whole(1), default=256, help="code units (default: 256)")
    p.add_argument("--l1", type=real(above=0), default=0.45, help="λ, the weight of L1 (default: 0.45)")


def main(run):
    digits, units = run.images(train=10_000, test=2_000), run.options.units
    active, rows, results = {}, {}, {}
    for name, omega in zip(NAMES, ([penalties.l1(run.options.l1)], [])):
        model = autoencoder(digits.shape, units, omega, run.rng("weights"))
        run.fit(model, digits.train, what=f"L1 {name}")
        active[name] = run.apply(model.encode, digits.test) > 0
        rows[name] = model.decoder.layers[0].rows().numpy()
        error = squared_error(run.apply(model.reconstruct, digits.test), digits.test)
        results[name] = {**activity(active[name], digits.test_labels), "squared_error": error}
    numbers = max(1, round(units * results[NAMES[0]]["active_share"]))
    pca_error = squared_error(pca_copies(digits.train, digits.test, numbers), digits.test)
    run.note(units=units, weight=run.options.l1, pca_squared_error=pca_error, **results)
    judge(run.claim, results, numbers, pca_error)
    draw(run, active, rows, results, digits.test_labels)


def autoencoder(shape, units, omega, rng):
    """A ReLU layer as the encoder, and a linear decoder of unit rows.

    Each row starts along its unit's input weights, so that from the first step a unit draws what it
    responds to. Else the penalty would silence many units before they had found anything to draw.
    """
    encoder = nn.mlp(shape, units, rng=rng, output=ops.relu)
    decoder = nn.Sequential(UnitRows(encoder.layers[1].weight.numpy().T.copy()), nn.Reshape(shape))
    return models.Autoencoder(encoder, decoder, penalties=omega)


class UnitRows(nn.Module):
    """h D + b, where the rows of D (n, D) have the given directions and length 1.

    Were their length free, the codes could shrink and the rows grow, and L1 would fall without one
    unit fewer being active.
    """

    def __init__(self, directions):
        self.directions = Tensor(directions, requires_grad=True)
        self.bias = Tensor(np.zeros(directions.shape[1], directions.dtype), requires_grad=True)

    def rows(self):
        """D: the directions, scaled to length 1."""
        return unit_rows(self.directions)

    def __call__(self, h):
        return h @ self.rows() + self.bias


def activity(active, labels):
    """The share of units active for an image, the share in use at all, and how much active sets overlap."""
    same, different = overlap(active[:1000], labels[:1000])
    return {"active_share": float(active.mean()),
            "used_share": float((active.mean(axis=0) >= 0.01).mean()),
            "overlap_same": same, "overlap_different": different}


def overlap(active, labels):
    """The mean Jaccard index |A ∩ B| / |A ∪ B| of the active sets of two images.

    Two numbers: over the pairs of images of one digit, and over those of two. active (N, n) is
    boolean. Two empty sets are equal, so their index is 1.
    """
    sets = active.astype(np.float64)
    both, size = sets @ sets.T, sets.sum(axis=1)
    either = size[:, None] + size - both
    index = np.where(either > 0, both / np.maximum(either, 1), 1)
    same = labels[:, None] == labels
    pairs = ~np.eye(len(labels), dtype=bool)
    return float(index[same & pairs].mean()), float(index[~same].mean())


def judge(claim, results, numbers, pca_error):
    """What was measured with and without the penalty, and PCA's error with so many numbers."""
    sparse, plain = (results[name] for name in NAMES)
    claim("sparse-l1", "an L1 penalty leaves few units active",
          "share of the units that are active for a held-out digit, on average:",
          sparse["active_share"], at_most=0.1)
    claim("sparse-l1.fewer", "far fewer than are active without it",
          "share of the units that are active, relative to that without the penalty:",
          ratio(sparse["active_share"], plain["active_share"]), at_most=0.5)
    claim("sparse-l1.which", "and which ones are active depends on the input",
          "overlap of the active units of two images of one digit, relative to that of two digits:",
          ratio(sparse["overlap_same"], sparse["overlap_different"]), at_least=1.5)
    claim("sparse-l1.used", "and it is not always the same few",
          "share of the units that are active for at least 1% of the held-out digits:",
          sparse["used_share"], at_least=0.5)
    claim("sparse-l1.error", "and the reconstruction is still good",
          f"held-out squared error, relative to PCA with {numbers} numbers, as many as are active:",
          sparse["squared_error"] / pca_error, at_most=1)


def by_digit(active, labels):
    """The order of the units by the digit for which they are most often active; never active ones last."""
    often = np.array([active[labels == digit].mean(axis=0) for digit in np.unique(labels)])
    favourite = np.where(often.max(axis=0) > 0, often.argmax(axis=0), len(often))
    return np.lexsort((-often.max(axis=0), favourite))


def draw(run, active, rows, results, labels):
    """Which units are active for ten images of each digit, and what the most used units draw."""
    images = np.concatenate([np.flatnonzero(labels == digit)[:10] for digit in np.unique(labels)])
    starts = np.searchsorted(labels[images], np.arange(11))
    sparse = results[NAMES[0]]
    times = ratio(sparse["overlap_same"], sparse["overlap_different"])
    fig = figures.figure(11, 9, f"With an L1 penalty {sparse['active_share']:.0%} of the units are active, "
                         "and the active ones of two images\n"
                         f"overlap {times:.1f} times as much where the digit is the same")
    for part, (name, found) in zip(fig.subfigures(2, 1, hspace=0.04), results.items()):
        part.suptitle(
            f"{name[0].upper()}{name[1:]}: {found['active_share']:.0%} active; overlap (Jaccard index) "
            f"{found['overlap_same']:.2f} within a digit, {found['overlap_different']:.2f} between digits; "
            f"squared error {found['squared_error']:.1f}", fontsize=11)
        which, parts = part.subplots(1, 2, width_ratios=(1.12, 1))
        order = by_digit(active[name], labels)
        which.imshow(active[name][images][:, order], cmap="Greys", aspect="auto", interpolation="nearest",
                     vmin=0, vmax=1)
        which.set_yticks((starts[:-1] + starts[1:] - 1) / 2, range(10))
        which.hlines(starts[1:-1] - 0.5, -0.5, len(order) - 0.5, color=figures.COLOURS[6], linewidth=0.8)
        which.set(xlabel="unit, by the digit that it prefers (black: active)",
                  ylabel="ten images of each digit")
        most = np.argsort(-active[name].mean(axis=0))[:40]
        figures.show_signed_images(parts, rows[name][most].reshape(-1, 28, 28), 8, 0.3)
        parts.set_xlabel(f"decoder rows of the {len(most)} most used units\n"
                         "(green adds ink, brown takes it away)")
    run.save(fig, "l1.png", "above with the penalty, below without it: black marks where a unit is active "
             "for an image, in the order of the digits, and the decoder rows of forty units")
