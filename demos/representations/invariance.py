"""A scoreboard of autoencoders: penalties buy smoothness and sparsity; none buys disentanglement or invariance.

The lecture: good features are smooth (a small change of the input is a small change of the code), sparse,
disentangled and invariant. Six autoencoders with hidden layers and a code of the same sizes, trained for as
long on the same digits, are measured on held-out ones:

    smooth          the mean norm of ∂f/∂x, relative to the spread of the codes
    sparse          Hoyer's measure of a code (Hoyer 2004)
    disentangled    the mutual-information gap between the codes and seven factors (Chen et al. 2018)
    invariant       how far the code moves when the digit is drawn again, by the same path, with another shift
                    and slant; relative to how far away the code of another digit is

and, as a code that tells nothing may be invariant too, how well a linear classifier reads the digit from it.

It holds only in part. Two of the four can be had by asking for them: smooth by the Jacobian penalty (and by
noise on the input), sparse by L1. But not together: the sparse code is the least smooth. None is disentangled:
all gaps are near 0, so that their order means little, and a diagonal prior with the weight β = 4 does not change
that; see the demo `disentangle` for how much more it takes. None is invariant, either: the image has to be drawn
again where it was, and the codes move nearly as far as the pixels do.

None of the measures depends on the scale of the code, but a penalty does: a smaller code and a larger decoder
would evade it (see the demo `balance`). So a decoder has its encoder's weights, except in a VAE, where the
prior gives the code a scale. The codes are of ReLU units; the mean of q(z | x), which is the code of a VAE,
may be negative, too.
"""

import numpy as np

from demos import figures
from demos.measures import hoyer, information_table, least, linear_accuracy, mutual_information_gap, ratio
from tinyae import corruption, data, distributions, jacobian, models, nn, ops, optim, penalties

LECTURES = "L2"
DATA = ("strokes",)
EPOCHS = {"strokes": 8, "quick": 1}
HIDDEN, CODE = 200, 32
NOISE = 0.3  # standard deviation of what the denoising autoencoder has to undo
SMOOTH, SPARSE = 0.3, 0.5  # weights of the two penalties: each costs some 15 to 30 nats of reconstruction
BETA = 4.0
JUDGED = 200  # images whose Jacobians are computed
FACTORS = ("slant", "rotation", "thickness", "size", "width")  # and shift, which is two
CHANGED = ("slant", "shift")
# What is measured, under which name, and whether more of it is better.
COLUMNS = {"smooth": ("smooth:\nnorm of ∂f/∂x", False), "sparse": ("sparse:\nHoyer's measure", True),
           "disentangled": ("disentangled:\ninformation gap", True),
           "invariant": ("invariant:\nmoved by shift, slant", False),
           "digit": ("the digit is kept:\naccuracy", True)}


def main(run):
    train, known = data.strokes(run.pick(8_000, 400), run.rng("train"))
    images, again, factors = pairs(run, run.pick(2_000, 200))
    scores = {}
    for name, (model, encode) in autoencoders(train.shape[1:], run).items():
        run.fit(model, train, lr=optim.one_cycle(3e-3), batch_size=50, what=name)
        codes, moved = run.apply(encode, images), run.apply(encode, again)
        few = images[: run.pick(JUDGED, 20)]
        scores[name] = {
            "smooth": roughness(run.apply(lambda x: jacobian(encode, x), few), codes),
            "sparse": hoyer(codes),
            "disentangled": mutual_information_gap(information_table(codes, columns(factors))),
            "invariant": moves(codes, moved, factors["digit"]),
            "digit": linear_accuracy(run.apply(encode, train), known["digit"], codes, factors["digit"])}
    in_pixels = moves(*(x.reshape(len(x), -1) for x in (images, again)), factors["digit"])
    run.note(scores=scores, moved_in_pixels=in_pixels)
    judge(run.claim, scores)
    draw_scores(run, scores)
    draw_pairs(run, images, again, in_pixels, scores["plain"]["invariant"])


def autoencoders(shape, run):
    """{name: the model, and its function from images to codes}; all start with the same random numbers."""
    def autoencoder(**options):
        encoder = nn.mlp(shape, HIDDEN, CODE, rng=run.rng("weights"), output=ops.relu)
        below, above = (layer for layer in encoder.layers if isinstance(layer, nn.Dense))
        decoder = nn.Sequential(nn.Tied(above), ops.relu, nn.Tied(below), nn.Reshape(shape))
        model = models.Autoencoder(encoder, decoder, distributions.Bernoulli, **options)
        return model, model.encode

    def variational(beta):
        model = models.dense_vae(shape, HIDDEN, CODE, run.rng("weights"), beta=beta)
        return model, lambda x: model.encode(x).mean

    return {"plain": autoencoder(), "sparse": autoencoder(penalties=[penalties.l1(SPARSE)]),
            "denoising": autoencoder(corruption=corruption.gaussian(NOISE)),
            "contractive": autoencoder(penalties=[penalties.jacobian(SMOOTH, "stochastic")]),
            "VAE": variational(1.0), "β-VAE": variational(BETA)}


# --- measures ------------------------------------------------------------------------------------

def pairs(run, n):
    """Digits, the same with another slant and shift and nothing else, and the factors of the first."""
    images, factors = data.strokes(n, run.rng("test"))
    _, others = data.strokes(n, run.rng("other factors"))
    again, _ = data.strokes(n, run.rng("test"), **{name: others[name] for name in CHANGED})
    return images, again, factors


def columns(factors):
    """The factors as columns of numbers; a shift is two of them."""
    return np.column_stack([*(factors[name] for name in FACTORS), factors["shift"]])


def roughness(jacobians, codes):
    """The mean of ‖∂f/∂x‖_F for Jacobians (N, k, ...), over the root of the summed variance of the codes."""
    norms = np.sqrt((jacobians.reshape(len(jacobians), -1) ** 2).sum(axis=1))
    return ratio(float(norms.mean()), float(np.sqrt(codes.var(axis=0).sum())))


def moves(codes, moved, labels):
    """The mean distance of a code from that of its digit drawn again, over that from one of another digit."""
    differ = labels != np.roll(labels, 1)
    apart = np.linalg.norm(codes - np.roll(codes, 1, axis=0), axis=1)[differ]
    return ratio(float(np.linalg.norm(codes - moved, axis=1).mean()), float(apart.mean()))


def judge(claim, scores):
    """scores: by autoencoder and property."""
    plain = scores["plain"]
    claim("invariance", "no code is invariant: to draw an image again it has to hold its shift and slant",
          "how far another shift and slant move the code, relative to another digit, least of the autoencoders:",
          least(of_model["invariant"] for of_model in scores.values()), at_least=0.5)
    claim("invariance.smooth", "a penalty on the Jacobian makes the code smooth",
          "norm of ∂f/∂x over the spread of the codes, relative to the plain autoencoder's:",
          ratio(scores["contractive"]["smooth"], plain["smooth"]), at_most=0.7)
    claim("invariance.sparse", "an L1 penalty makes it sparse", "Hoyer's measure, less the plain autoencoder's:",
          scores["sparse"]["sparse"] - plain["sparse"], at_least=0.15)


# --- figures -------------------------------------------------------------------------------------

def table(scores):
    """The scores as an array, autoencoders by columns, and the ranks within a column; the best is 0."""
    values = np.array([[of_model[name] for name in COLUMNS] for of_model in scores.values()])
    signs = np.array([-1 if more else 1 for _, more in COLUMNS.values()])
    return values, (signs * values).argsort(axis=0).argsort(axis=0)


def draw_scores(run, scores):
    """All numbers, each coloured by its rank in its column."""
    values, ranks = table(scores)
    contracted = ratio(scores["contractive"]["smooth"], scores["plain"]["smooth"])
    gap, moved = (values[:, list(COLUMNS).index(name)] for name in ("disentangled", "invariant"))
    sparse, plain = scores["sparse"]["sparse"], scores["plain"]["sparse"]
    fig = figures.figure(10, 5.2, f"Smooth: ∂f/∂x is {contracted:.2f} times the plain one by its penalty. "
                         f"Sparse: {sparse:.2f} by L1, {plain:.2f} without.\n"
                         f"Disentangled: no gap is above {gap.max():.2f}. "
                         f"Invariant: every code goes {moved.min():.2f} of the way to another digit or more")
    axes = fig.subplots()
    picture = axes.imshow(ranks + 1, cmap="cividis_r", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        rank = ranks[row, column]
        axes.text(column, row, f"{value:.3f}", ha="center", va="center",
                  **({"fontsize": 14, "weight": "bold"} if rank == 0 else {"fontsize": 12}),
                  color="black" if rank < len(values) / 2 else "white")
    axes.set_xticks(range(len(COLUMNS)), [f"{title}\n({'more' if more else 'less'} is better)"
                                          for title, more in COLUMNS.values()])
    axes.set_yticks(range(len(scores)), scores)
    axes.axvline(len(COLUMNS) - 1.5, color="white", linewidth=6)
    axes.tick_params(length=0)
    bar = fig.colorbar(picture, label="rank within a column", ticks=range(1, len(scores) + 1))
    bar.ax.invert_yaxis()
    run.save(fig, "scoreboard.png", "a table of six autoencoders by five measures, each cell coloured by "
             "its rank in its column")


def draw_pairs(run, images, again, in_pixels, in_code):
    """What an invariant code would not see: digits, and below each the same one drawn again."""
    fig = figures.pictures("Another shift and slant moves the pixels "
                           f"{in_pixels:.2f} of the way to another digit, a plain code {in_code:.2f}",
                           {"a digit": images, "the same path with another shift and slant": again})
    run.save(fig, "pairs.png", "two rows of digits: below each the same digit, shifted and slanted otherwise")
