"""The Jacobian penalty contracts the code in all but a few directions, which lean towards the data.

The lectures: with Ω = λ ‖∂f(x)/∂x‖²_F most singular values of the encoder's Jacobian drop below 1, and
some, in the directions of most variance in the data, stay significantly above it. The singular values
are measured at held-out digits, with the penalty and without. Some directions along the data are
known: those in which a digit changes when it is slanted, turned, thickened, enlarged, widened or
shifted a little. How much of them is in the leading singular directions? The axes of PCA, which are
the same for every image, are drawn for comparison.

The decoder has the encoder's weights (Rifai et al. 2011). Were they its own, it could undo any
contraction by scale, and 1 would mean nothing: see demos.balance.
"""

import numpy as np

from demos.harness import Report, apply, chosen_epochs, fit_falling, load_digits, parser, run
from demos.measures import pca, ratio
from tinyae import data, jacobian, losses, models, nn, ops, penalties, plots
from tinyae.data.strokes import FACTORS

TOPIC = "Regularised autoencoders"
EPOCHS = {"strokes": 40, "mnist": 40}
EXAMPLES = 5_000
CODE = 256
WEIGHT = 1  # λ
JUDGED = 100  # images whose Jacobians, 256 × 784 each, are decomposed
MOVES = [move for factor in FACTORS
         for move in (["shift right", "shift down"] if factor == "shift" else [factor])]
COUNT = len(MOVES)
# whose directions are compared with the true ones
WITH, WITHOUT = "with the penalty", "without the penalty"
PCA, ELSEWHERE = "PCA (for all images the same)", "with the penalty, at another image"
STYLES = {WITH: (0, "-", "o"), WITHOUT: (6, "--", "s"), PCA: (2, "-.", "^"), ELSEWHERE: (1, ":", "v")}


def main(argv=None):
    args = parser("contractive", __doc__, epochs=EPOCHS).parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("contractive", args)
    digits = load_digits(args, train=EXAMPLES, test=JUDGED)
    train, test = digits.vectors()
    n = 10 if args.quick else JUDGED
    images, moves = drawn_again(n, args.seed) if args.data == "strokes" else moved_ink(test[:n])

    values, axes = {}, {}
    for name, weight in ((WITHOUT, 0), (WITH, WEIGHT)):
        print(f"{name}, λ = {weight:g}:", flush=True)
        model = fitted(train, weight, epochs, args)
        values[name], axes[name] = decompose(model.encoder, images, args.device)

    tangents = orthonormal(moves)
    shares = {WITH: captured(axes[WITH], tangents), WITHOUT: captured(axes[WITHOUT], tangents),
              PCA: captured(pca(train, CODE)[1].T[None], tangents),
              ELSEWHERE: captured(axes[WITH], np.roll(tangents, 1, axis=0))}
    judge_values(report, values)
    judge_directions(report, shares)
    draw_values(report, values)
    draw_directions(report, images, moves, axes, shares)
    return report.finish(
        epochs=epochs, number_above_one={name: above_one(s) for name, s in values.items()},
        leading_singular_values={name: s.mean(axis=0)[:10].tolist() for name, s in values.items()},
        share_of_tangents={name: float(share[COUNT - 1]) for name, share in shares.items()})


def fitted(images, weight, epochs, args, tied=True):
    """An autoencoder h = σ(x W + b) with the penalty λ ‖∂h/∂x‖², trained with a rate that falls at the end.

    For every λ it begins with the same weights and sees the same batches.
    """
    rng = np.random.default_rng([args.seed, 3])
    dense = nn.Dense(images.shape[1], CODE, rng=rng, init="glorot")
    decoder = nn.Tied(dense) if tied else nn.Dense(CODE, images.shape[1], rng=rng, init="glorot")
    model = models.Autoencoder(nn.Sequential(dense, ops.sigmoid), decoder, losses.bernoulli_nll,
                               penalties=[penalties.jacobian(weight, "closed")]).to(args.device)
    fit_falling(model, images, epochs, (5e-3, 1e-3), batch_size=100, rng=rng)
    return model


# --- what is measured ----------------------------------------------------------------------------

def decompose(encoder, images, device):
    """The singular values (N, k) of ∂f/∂x at each image, and its right singular vectors (N, k, D) as rows.

    A small step along the i-th vector moves the code sᵢ times as far as the image.
    """
    jacobians = apply(lambda x: jacobian(encoder, x), images, device)
    _, values, axes = np.linalg.svd(jacobians, full_matrices=False)
    return values, axes


def drawn_again(n, seed):
    """n drawn digits (n, D), and the derivative (n, D, 7) of each in its factors, by finite differences.

    The digit is drawn again with a factor a tenth of its range higher and lower, within the range.
    That moves ink by about half a pixel: much less, and it would matter where the edges of pixels are.
    """
    def draw(**fixed):
        images, factors = data.strokes(n, np.random.default_rng([seed, 2]), **fixed)
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


def orthonormal(moves):
    """For each image an orthonormal basis (N, D, 7) of the directions that its moves (N, D, 7) span."""
    return np.linalg.qr(moves.astype(np.float64))[0]


def captured(axes, tangents):
    """The share of the tangents in the span of the first 1, 2, ... of the orthonormal axes (N, k, D).

    The share of a unit vector is the square of its projection. It is averaged over all directions
    of an image's tangent space, and over images. By chance, i of D axes have the share i / D.
    """
    return ((axes @ tangents) ** 2).mean(axis=2).cumsum(axis=1).mean(axis=0)


# --- what is claimed -----------------------------------------------------------------------------

def judge_values(report, values):
    """contractive: how many singular values are above 1, and how large the largest is."""
    report.claim("contractive", "with the Jacobian penalty most singular values of ∂f/∂x are below 1",
                 "their share:", float((values[WITH] < 1).mean()), at_least=0.9)
    report.claim("contractive", "most of those that are above 1 without it drop below",
                 "mean number above 1, relative to the encoder without the penalty:",
                 ratio(above_one(values[WITH]), above_one(values[WITHOUT])), at_most=0.5)
    report.claim("contractive", "a few stay above 1, the largest significantly",
                 "mean of the largest singular value:", float(values[WITH][:, 0].mean()), at_least=1.5)


def above_one(values):
    """The mean number of an image's singular values above 1."""
    return float((values > 1).sum(axis=1).mean())


def judge_directions(report, shares):
    """contractive: whether the directions that stay are those along the manifold."""
    share = {name: float(curve[COUNT - 1]) for name, curve in shares.items()}
    report.claim("contractive", "they are the directions along the manifold more than without the penalty",
                 f"share of the {COUNT} true tangents in the {COUNT} leading directions, with the penalty "
                 "relative to without:", share[WITH] / share[WITHOUT], at_least=2)
    report.claim("contractive", "and at each image follow the manifold there",
                 "that share of the image's own tangents, relative to another image's:",
                 share[WITH] / share[ELSEWHERE], at_least=1.25)


# --- what is drawn -------------------------------------------------------------------------------

def draw_values(report, values):
    """The mean singular values, from the largest to the smallest, with and without the penalty."""
    size = values[WITH].shape[1]
    fig = plots.figure(8, 5, f"With the penalty {above_one(values[WITH]):.0f} of the {size} singular values "
                       f"of ∂f/∂x are above 1,\nwithout it {above_one(values[WITHOUT]):.0f}")
    axes = fig.subplots()
    number = np.arange(1, size + 1)
    for name, s in values.items():
        colour, line, _ = STYLES[name]
        axes.plot(number, s.mean(axis=0), line, color=plots.COLOURS[colour], linewidth=2.5, label=name)
        low, high = np.quantile(s, (0.1, 0.9), axis=0)
        axes.fill_between(number, low, high, color=plots.COLOURS[colour], alpha=0.2, linewidth=0)
    axes.axhline(1, color="black", linewidth=1)
    axes.set(xlabel="number of the singular value, from the largest", yscale="log", ylim=(1e-3, 10),
             ylabel="singular value of ∂f/∂x", xlim=(1, size))
    axes.text(0.62 * size, 1.1, "stretched", ha="right", va="bottom", fontsize=11)
    axes.text(0.98 * size, 0.9, "contracted", ha="right", va="top", fontsize=11)
    axes.legend(loc="upper right", title="mean, and 10 % to 90 % of held-out images")
    report.save(fig, "spectrum.png")


def draw_directions(report, images, moves, axes, shares, rows=5):
    """Images, some true tangents and the leading directions, and how much of the former is in the latter."""
    percent = {name: 100 * curve[COUNT - 1] for name, curve in shares.items()}
    fig = plots.figure(11, 5.4, f"The {COUNT} directions to which the code reacts most hold "
                       f"{percent[WITH]:.0f} % of the {COUNT} ways in which a digit changes,\n"
                       f"without the penalty {percent[WITHOUT]:.0f} %; the first axes of PCA hold "
                       f"{percent[PCA]:.0f} %")
    left, right = fig.subfigures(1, 2, width_ratios=(1.5, 1))
    chosen = [MOVES.index(name) for name in ("slant", "thickness", "shift right")]
    groups = {"x\n": images[:, None],
              "how x changes: slant,\nthickness, shift": moves[:, :, chosen].swapaxes(1, 2),
              f"moves the code most,\n{WITHOUT}": axes[WITHOUT][:, :3],
              f"moves the code most,\n{WITH}": axes[WITH][:, :3]}
    parts = left.subfigures(1, len(groups), width_ratios=[pictures.shape[1] for pictures in groups.values()])
    for part, (title, pictures) in zip(parts, groups.items()):
        part.suptitle(title, fontsize=10)
        for panels, row in zip(part.subplots(rows, pictures.shape[1], squeeze=False), pictures):
            for panel, picture in zip(panels, row):
                plots.show_signed(panel, picture.reshape(28, 28), np.abs(picture).max())
    left.supxlabel("green adds ink, brown takes it away", fontsize=10)
    draw_shares(right.subplots(), shares, images.shape[1])
    report.save(fig, "directions.png")


def draw_shares(axes, shares, size, most=40):
    """The share of the tangents in the leading directions, over their number."""
    number = np.arange(1, most + 1)
    for name, curve in shares.items():
        colour, line, marker = STYLES[name]
        axes.plot(number, 100 * curve[:most], line, color=plots.COLOURS[colour], marker=marker,
                  markevery=slice(COUNT - 1, None, COUNT), linewidth=2, label=name)
    axes.plot(number, 100 * number / size, color=plots.COLOURS[9], linewidth=1, label="by chance")
    axes.set(xlabel="number of leading directions", xlim=(1, most), ylim=(0, 60),
             xticks=range(COUNT, most, COUNT), ylabel="share of the ways in which a digit changes (%)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper left")


if __name__ == "__main__":
    run(main)
