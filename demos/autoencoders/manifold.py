"""An autoencoder recovers a sheet that lies bent or rolled up in space.

The lecture: an autoencoder extracts a two-dimensional manifold of data that exists in three dimensions.
Here the sheet is an S or a Swiss roll, and a point's place on it is known. The code has recovered the
sheet if a smooth function of it (a cubic polynomial) gives the place, if neighbours in the code are
neighbours on the sheet, and if the decoder gives the point back.

Small reconstruction error does not ask for any of this, and a plain autoencoder bends the code and tears
the roll. Two aids unroll it. Neither knows the places. A penalty Ω makes a step in the code as long as the
step that the decoder makes of it in space; and training begins with the points in the middle of the
sheet and lets the others in from there outwards, so that the sheet grows flat from one piece. It takes
both: `--lengths 0` leaves out the one, `--stages 1` the other.
"""

import math

import numpy as np

from demos import figures
from demos.arguments import real, whole
from demos.measures import nearest, pca, r_squared, relative_error
from tinyae import data, models, nn, ops, optim

LECTURES = "L1 L2 L4"
EPOCHS = {"all": 100, "quick": 3}
SHEETS = {"S-curve": data.s_curve, "Swiss roll": data.swiss_roll}
HIDDEN = 128
RATE = 2e-3  # with 3e-3 and 80 epochs one sheet in six stayed bent
FIRST = 0.1  # the share of the points to begin with: a piece that is nearly flat
STEP = 0.1  # the standard deviation of the steps in the code that the penalty compares
NEAR, AROUND = 10, 50  # of 2,000 held-out points: see neighbours_kept
LINEAR, PLAIN, AIDED = "PCA", "plain autoencoder", "aided autoencoder"


def options(p):
    p.add_argument("--lengths", type=real(), default=0.1,
                   help="weight of the penalty that keeps lengths (default: 0.1; 0: none)")
    p.add_argument("--stages", type=whole(1), default=60,
                   help="steps in which the points are let in (default: 60; 1: all at once)")


def main(run):
    asked, drawn, measured = run.options, {}, {}
    for sheet in SHEETS:
        train, held_out = points(run, sheet)
        found = {LINEAR: by_pca(train[0])}
        for kind, weight, stages in ((PLAIN, 0.0, 1), (AIDED, asked.lengths, asked.stages)):
            run.say(f"{sheet}, {kind}:")
            found[kind] = learned(run, fit(run, train[0], weight, stages))
        measured[sheet] = {kind: measure(*maps, train, held_out) for kind, maps in found.items()}
        drawn[sheet] = held_out, {kind: code(held_out[0]) for kind, (code, _) in found.items()}
    run.note(lengths=asked.lengths, stages=asked.stages, **measured)
    judge(run.claim, measured)
    draw(run, drawn, measured, aided=asked.lengths > 0 and asked.stages > 1)


def points(run, sheet):
    """Points and their places on the sheet, to train on and held out; the mean of the former is 0."""
    rng = run.rng("points")
    (train, places), (test, places_test) = (SHEETS[sheet](n, rng) for n in run.pick((5000, 2000), (500, 300)))
    mean = train.mean(axis=0)
    return (train - mean, places), (test - mean, places_test)


def by_pca(x):
    """From points to two numbers, and from points to their copies, by PCA of x, whose mean is 0."""
    _, axes = pca(x, 2)
    return lambda x: x @ axes, lambda x: x @ axes @ axes.T


def learned(run, model):
    """From points to codes, and from points to reconstructions, by the model."""
    return lambda x: run.apply(model.encode, x), lambda x: run.apply(model.reconstruct, x)


# --- the autoencoder -----------------------------------------------------------------------------

def fit(run, x, weight, stages):
    """An autoencoder 3-128-128-2-128-128-3 with Ω of that weight, the points let in in so many stages.

    Each stage takes the same number of updates, in all as many as the epochs over all points would
    take. A last fifth of the epochs, in which the learning rate falls to 0, is always over all points.
    """
    start, rng = run.rng("weights"), run.rng("training")
    encoder, decoder = network(3, 2, start), network(2, 3, start)
    model = models.Autoencoder(encoder, decoder, penalties=[keep_lengths(decoder, weight)] if weight else [])
    optimizer = optim.Adam(model.to(run.device).parameters(), RATE)
    options = {"optimizer": optimizer, "rng": rng, "silent": True}
    order, last = outwards(x), run.epochs // 5
    draws = math.ceil((run.epochs - last) * len(x) / stages)
    for stage in range(1, stages + 1 if run.epochs else 1):
        some = rng.choice(order[: round(len(x) * max(stage / stages, FIRST))], draws)
        history = run.fit(model, x[some], epochs=1, **options)
        if stage % 20 == 0 or stage == stages:
            run.say(f"  {stage / stages:4.0%} of the points: loss {history[-1]['train']['loss']:.4f}")
    optimizer.lr = optim.one_cycle(RATE, warmup=0)
    run.fit(model, x, epochs=last, **options)
    return model


def network(n_in, n_out, rng):
    """Two hidden layers of tanh units: smooth, so that the first piece of the sheet has no kink.

    The larger weights of "he" make them curved enough for the bends of the sheets.
    """
    return nn.Sequential(nn.Dense(n_in, HIDDEN, rng=rng, init="he"), ops.tanh,
                         nn.Dense(HIDDEN, HIDDEN, rng=rng, init="he"), ops.tanh,
                         nn.Dense(HIDDEN, n_out, rng=rng, init="glorot"))


def keep_lengths(decoder, weight):
    """Ω = weight · E (‖g(h + δ) - g(h)‖ - ‖δ‖)² / σ² for steps δ ~ N(0, σ² I) in the code, σ = STEP.

    It is 0 where the decoder bends the plane of the codes, but does not stretch it.
    """
    def lengths(h, x, encoder, rng):
        step = STEP * rng.standard_normal(h.shape, dtype=h.dtype)
        made = decoder(h + step) - decoder(h)
        stretch = norms(made) - norms(step)
        return weight / STEP**2 * ops.mean(stretch * stretch)

    return lengths


def norms(rows):
    """The length of each row; the small number keeps the slope of the root finite at 0."""
    return ops.sqrt(ops.sum(rows * rows, axis=1) + 1e-12)


# --- from the middle outwards --------------------------------------------------------------------

def outwards(x):
    """The numbers of the rows of x from the middle of the sheet to its edges, by hops between neighbours.

    The middle is the point whose way to both ends is shortest; the ends are as far apart as can be.
    """
    _, near = nearest(x, x, 11)  # a point is its own nearest neighbour
    first = hops(near, 0).argmax()
    to_one_end = hops(near, first)
    to_the_other = hops(near, to_one_end.argmax())
    middle = np.maximum(to_one_end, to_the_other).argmin()
    return hops(near, middle).argsort(kind="stable")


def hops(near, start):
    """How many hops between neighbours, in either direction, lead from one point to each of them.

    near[i] are the numbers of the points near i. What cannot be reached is len(near) away.
    """
    count = np.full(len(near), len(near))
    count[start] = 0
    new, distance = np.array([start]), 0
    while len(new):
        distance += 1
        reached = np.isin(near, new).any(axis=1)
        reached[near[new]] = True
        new = np.flatnonzero(reached & (count == len(near)))
        count[new] = distance
    return count


# --- what is measured ----------------------------------------------------------------------------

def measure(code, copy, train, held_out):
    """The three numbers of one model, of which code gives h and copy x̂."""
    (x, places), (x_test, places_test) = train, held_out
    h = code(x_test)
    told = cubic_fit(code(x), places)(h)
    return {"r2": float(np.min([r_squared(t, place) for t, place in zip(told.T, places_test.T)])),
            "neighbours": neighbours_kept(h, places_test),
            "error": relative_error(copy(x_test), x_test, x_test.mean(axis=0))}


def cubic_fit(h, places):
    """The cubic polynomial of the two code numbers that fits the places best, as a function of h."""
    mean, scale = h.mean(axis=0), h.std(axis=0)

    def powers(h):
        one, two = ((h - mean) / scale).astype(np.float64).T
        return np.stack([one**i * two**j for i in range(4) for j in range(4 - i)], axis=1)

    weight = np.linalg.lstsq(powers(h), places, rcond=None)[0]
    return lambda h: powers(h) @ weight


def neighbours_kept(h, places):
    """The share of each point's NEAR nearest in the code that are among its AROUND nearest on the sheet.

    By the wider circle on the sheet, a code may be stretched somewhat, but not folded or shuffled.
    """
    _, in_code = nearest(h, h, NEAR + 1)
    _, on_sheet = nearest(places, places, AROUND + 1)
    kept = [np.isin(a[1:], b).mean() for a, b in zip(in_code, on_sheet)]  # a[0] is the point itself
    return float(np.mean(kept))


def judge(claim, measured):
    """Each claim on the sheet where it holds least."""
    def of(kind, number):
        return [numbers[kind][number] for numbers in measured.values()]

    claim("manifold", "with two aids an autoencoder recovers a 2-D manifold lying in 3-D, S-curve or Swiss roll",
          "R² of a cubic polynomial from the code to the place on the sheet, held out, "
          "the worse coordinate of the worse sheet:", np.min(of(AIDED, "r2")), at_least=0.95)
    claim("manifold.neighbours", "neighbours in its code are neighbours on the sheet",
          f"share of the {NEAR} nearest in the code among the {AROUND} nearest on the sheet, the worse sheet:",
          np.min(of(AIDED, "neighbours")), at_least=0.9)
    claim("manifold.error", "and its decoder gives the points back",
          "held-out squared error relative to the variance, the worse sheet:", np.max(of(AIDED, "error")),
          at_most=0.01)
    claim("manifold.pca", "PCA, which is linear, does not recover either sheet",
          "R² of a cubic polynomial from its code to the place, the worse coordinate of the better sheet:", np.max(of(LINEAR, "r2")), at_most=0.5)


def draw(run, drawn, measured, aided):
    """Each sheet in space, and its codes; the colour is the place along the curve."""
    best = min(numbers[AIDED]["r2"] for numbers in measured.values())
    others = max(numbers[kind]["r2"] for numbers in measured.values() for kind in (LINEAR, PLAIN))
    title = "What PCA and two autoencoders make of a sheet in space"
    if aided and best >= 0.95 > others:
        title = ("An autoencoder unrolls a sheet that lies in space, but not by reconstruction alone:\n"
                 "two aids make it keep lengths, and begin in the middle of the sheet")
    fig = figures.figure(13, 7.6, title)
    fig.get_layout_engine().set(wspace=0.06)
    for part, (sheet, ((x, places), codes)) in zip(fig.subfigures(len(drawn), 1), drawn.items()):
        space = part.add_subplot(1, 4, 1, projection="3d")
        dots = {"c": places[:, 0], "cmap": "viridis", "s": 5, "linewidths": 0}
        seen = space.scatter(*x.T, **dots)
        space.set(ylabel="x₂", zlabel="x₃", aspect="equal", xticks=[-1, 1], yticks=[0])
        space.set_xlabel("x₁", labelpad=-4)
        space.view_init(elev=15, azim=-70)
        space.set_title(f"{sheet}:\npoints x in space", fontsize=11)
        for column, (kind, h) in enumerate(codes.items(), 2):
            numbers = measured[sheet][kind]
            axes = part.add_subplot(1, 4, column)
            axes.scatter(*h.T, **dots)
            axes.set(xlabel="h₁", ylabel="h₂")
            axes.set_aspect("equal", adjustable="datalim")
            axes.set_title(f"{kind}\nR² {figures.number(round(numbers['r2'], 2) + 0.0, '.2f')}, "  # no −0.00
                           f"neighbours {numbers['neighbours']:.0%}", fontsize=11)
        part.colorbar(seen, ax=axes, label="place along the curve")
    fig.supxlabel(
        "R²: how well a cubic polynomial of the code tells the place on the sheet, along it or across, "
        "whichever it tells worse (1: exactly).\n"
        f"Neighbours: how many of the {NEAR} nearest in the code are among the {AROUND} nearest on the sheet",
        fontsize=11)
    run.save(fig, "manifold.png", "an S-shaped and a rolled sheet in space, coloured along the curve, "
             "and their codes by PCA, by a plain autoencoder and by one with two aids")
