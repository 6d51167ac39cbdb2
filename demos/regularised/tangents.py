"""The directions that a contractive code keeps are those in which the data varies.

The lectures: the singular values of ∂f/∂x that stay large under the penalty ‖∂f/∂x‖²_F are those in the
directions along the manifold of the data. Some of these are known: those in which a digit changes when
it is slanted, turned, thickened, enlarged, widened or shifted a little. Measured is what share of these
lies in the leading singular directions. The axes of PCA, which are the same for every image, are drawn
for comparison.

The claim holds in part: the leading directions lean towards the true ones, far more than without the
penalty, but not much more than the first axes of PCA do, and hold only a part of them.
"""

import numpy as np

from demos import figures
from demos.measures import pca
from demos.recipes import contractive_autoencoder
from demos.regularised.contractive import EXAMPLES, JUDGED, WEIGHTS, WITH, WITHOUT
from tinyae import data, jacobian
from tinyae.data.strokes import FACTORS

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 12}
MOVES = [move for factor in FACTORS
         for move in (["shift right", "shift down"] if factor == "shift" else [factor])]
COUNT = len(MOVES)
PCA, ELSEWHERE = "PCA (for all images the same)", "with the penalty, at another image"


def main(run):
    train, test = run.images(**EXAMPLES).vectors()
    n = run.pick(JUDGED, 10)
    images, moves = drawn_again(run, n) if run.data == "strokes" else moved_ink(test[:n])
    axes = {name: directions(run, contractive_autoencoder(run, train, weight).encoder, images)
            for name, weight in WEIGHTS.items()}
    _, principal = pca(train, axes[WITH].shape[1])

    true = orthonormal(moves)
    shares = {WITH: captured(axes[WITH], true), WITHOUT: captured(axes[WITHOUT], true),
              PCA: captured(principal.T[None], true),
              ELSEWHERE: captured(axes[WITH], np.roll(true, 1, axis=0))}
    of_all = {name: float(share[COUNT - 1]) for name, share in shares.items()}
    run.note(share_of_tangents=of_all)
    judge(run.claim, of_all)
    draw(run, images, moves, axes, shares, of_all)


def directions(run, encoder, images):
    """The right singular vectors (N, k, D) of ∂f/∂x at each image, as rows.

    A small step along the i-th moves the code as many times as far as the i-th singular value says.
    """
    return np.linalg.svd(run.apply(lambda x: jacobian(encoder, x), images), full_matrices=False)[2]


def captured(axes, tangents):
    """The share of the tangents in the span of the first 1, 2, ... of the orthonormal axes (N, k, D).

    The share of a unit vector is the square of its projection. It is averaged over all directions
    of an image's tangent space, and over images. By chance, i of D axes have the share i / D.
    """
    return ((axes @ tangents) ** 2).mean(axis=2).cumsum(axis=1).mean(axis=0)


def orthonormal(moves):
    """For each image an orthonormal basis (N, D, 7) of the directions that its moves (N, D, 7) span."""
    return np.linalg.qr(moves.astype(np.float64))[0]


def judge(claim, share):
    """share: of the true tangents in as many leading directions."""
    claim("contractive.tangents", "the penalty turns the directions that a code keeps towards the manifold",
          f"share of the {COUNT} true tangents in the {COUNT} leading directions, with the penalty, "
          "relative to without it:", share[WITH] / share[WITHOUT], at_least=2)
    claim("contractive.place", "at each image they follow the manifold at that image",
          "share of the image's own tangents in its leading directions, relative to another image's tangents:",
          share[WITH] / share[ELSEWHERE], at_least=1.25)


# --- the true tangents ---------------------------------------------------------------------------

def drawn_again(run, n):
    """n drawn digits (n, D), and the derivative (n, D, 7) of each in its factors, by finite differences.

    The digit is drawn again with a factor a tenth of its range higher and lower, within the range.
    That moves ink by about half a pixel: much less, and it would matter where the edges of pixels are.
    """
    def draw(**fixed):
        images, factors = data.strokes(n, run.rng("drawn again"), **fixed)
        return images.reshape(n, -1), factors

    images, factors = draw()
    derivatives = []
    for name, (low, _, high) in FACTORS.items():
        for part in np.eye(2) if name == "shift" else [1]:
            step = 0.1 * (high - low) * part
            ends = [np.clip(factors[name] + by, low, high) for by in (step, -step)]
            above, below = (draw(**{name: end})[0] for end in ends)
            width = (ends[0] - ends[1]).reshape(n, -1).sum(axis=1, keepdims=True)
            derivatives.append((above - below) / width)
    return images, np.stack(derivatives, axis=2)


def moved_ink(images):
    """The same for images (n, 784) of unknown factors, up to sign and scale, from the slope of the ink.

    Ink that moves by (u, v), right and down, changes a pixel by -(u ∂x/∂right + v ∂x/∂down). Thicker
    ink changes it by the length of the slope; the other factors move the ink by a linear map of the
    place (Simard et al. 1992).
    """
    down, right = np.gradient(images.reshape(-1, 28, 28), axis=(1, 2))
    rows, columns = np.mgrid[:28, :28] - 13.5
    changes = {"slant": rows * right, "rotation": columns * down - rows * right,
               "thickness": np.hypot(right, down), "size": columns * right + rows * down,
               "width": columns * right, "shift right": right, "shift down": down}
    return images, np.stack([changes[name].reshape(images.shape) for name in MOVES], axis=2)


# --- drawing -------------------------------------------------------------------------------------

def draw(run, images, moves, axes, shares, of_all, rows=6):
    """Images, some true tangents and the leading directions, and how much of the former is in the latter."""
    fig = figures.figure(12, 5.5, f"The {COUNT} directions to which the code reacts most hold "
                         f"{of_all[WITH]:.0%} of the {COUNT} ways in which a digit changes,\n"
                         f"without the penalty {of_all[WITHOUT]:.0%}; the first axes of PCA hold {of_all[PCA]:.0%}")
    chosen = [MOVES.index(name) for name in ("slant", "thickness", "shift right")]
    groups = {"a digit\n": images[:rows, None],
              "how it changes: slant,\nthickness, shift": moves[:rows, :, chosen].swapaxes(1, 2),
              f"moves the code most,\n{WITHOUT}": axes[WITHOUT][:rows, :3],
              f"moves the code most,\n{WITH}": axes[WITH][:rows, :3]}
    widths = [vectors.shape[1] for vectors in groups.values()]
    *panels, curve = fig.subplots(1, len(groups) + 1, width_ratios=[*widths, 7])
    for panel, (title, vectors) in zip(panels, groups.items()):
        vectors = vectors / np.abs(vectors).max(axis=2, keepdims=True)
        figures.show_signed_images(panel, vectors.reshape(-1, images.shape[1]), vectors.shape[1], 1, title)
    panels[2].set_xlabel("green adds ink, brown takes it away", loc="left", fontsize=11)
    draw_shares(curve, shares, images.shape[1])
    run.save(fig, "tangents.png", "digits, how they change when slanted, thickened and shifted, and the "
             "directions that move the code most; beside them how much of the former is in the latter")


def draw_shares(axes, shares, size, most=40):
    """The share of the tangents in the leading directions, over their number."""
    number = np.arange(1, most + 1)
    figures.curves(axes, number, {name: 100 * curve[:most] for name, curve in shares.items()}, label=False,
                   colours=(0, 6, 2, 1), dashed=(WITHOUT, ELSEWHERE), markevery=slice(COUNT - 1, None, COUNT))
    axes.plot(number, 100 * number / size, color=figures.COLOURS[9], linewidth=1, label="by chance")
    axes.set(xlabel="number of leading directions", xlim=(1, most), ylim=(0, 60),
             xticks=range(COUNT, most, COUNT), ylabel="share of the ways in which a digit changes (%)")
    axes.legend(fontsize=9, loc="upper left")
