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

import io

import numpy as np

from demos.harness import Report, apply, chosen_epochs, parser, real, run, whole
from demos.measures import nearest, pca, squared_error
from tinyae import data, losses, models, nn, ops, optim, plots, training

TOPIC = "Autoencoders"
EPOCHS = {"each sheet": 240}
SHEETS = {"s_curve": "S-curve", "swiss_roll": "Swiss roll"}
HIDDEN = 128
FIRST = 0.1  # the share of the points to begin with: a piece that is nearly flat
STEP = 0.1  # the standard deviation of the steps in the code that the penalty compares
NEAR, AROUND = 10, 50  # of 2,000 held-out points: see neighbours_kept


def main(argv=None):
    p = parser("manifold", __doc__, epochs=EPOCHS, images=False)
    p.add_argument("--lengths", type=real(), default=0.1,
                   help="weight of the penalty that keeps lengths (default: 0.1; 0: none)")
    p.add_argument("--stages", type=whole(1), default=60,
                   help="steps in which the points are let in (default: 60; 1: all at once)")
    args = p.parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS["each sheet"], quick=3)

    report = Report("manifold", args)
    drawn, measured = {}, {}
    for sheet, name in SHEETS.items():
        train, held_out = points(sheet, args)
        _, axes = pca(train[0], 2)
        codes = {"PCA": lambda x: x @ axes}
        copies = {"PCA": lambda x: x @ axes @ axes.T}
        for kind, weight, stages in (("plain autoencoder", 0.0, 1),
                                     ("aided autoencoder", args.lengths, args.stages)):
            print(f"{name}, {kind}:", flush=True)
            model = fit(train[0], weight, stages, epochs, args)
            codes[kind] = lambda x, model=model: apply(model.encode, x, args.device)
            copies[kind] = lambda x, model=model: apply(model.reconstruct, x, args.device)
        measured[sheet] = {kind: measure(codes[kind], copies[kind], train, held_out) for kind in codes}
        drawn[sheet] = held_out, {kind: code(held_out[0]) for kind, code in codes.items()}
        judge(report, name, measured[sheet])
    draw(report, drawn, measured, aided=args.lengths > 0 and args.stages > 1)
    return report.finish(epochs=epochs, lengths=args.lengths, stages=args.stages, **measured)


def judge(report, name, measured):
    """The claims on one sheet."""
    ours, linear = measured["aided autoencoder"], measured["PCA"]
    report.claim("manifold", f"an aided autoencoder recovers a 2-D manifold lying in 3-D, the {name}",
                 "R² of a cubic polynomial from the code to the place on the sheet, "
                 "held out, the worse coordinate:", ours["r2"], at_least=0.95)
    report.claim("manifold", f"neighbours in the code of the {name} are neighbours on the sheet",
                 f"share of the {NEAR} nearest in the code among the {AROUND} nearest on the sheet:",
                 ours["neighbours"], at_least=0.9)
    report.claim("manifold", f"and the decoder gives the points of the {name} back",
                 "held-out squared error relative to the variance:", ours["error"], at_most=0.01)
    report.claim("manifold", f"PCA, which is linear, does not recover the {name}",
                 "the same R²:", linear["r2"], at_most=0.5)
    for kind, numbers in measured.items():
        print(f"{name}, {kind}: R² {numbers['r2']:.3f}, neighbours kept {numbers['neighbours']:.3f}, "
              f"relative squared error {numbers['error']:.4f}")


def points(sheet, args):
    """Points and their places on the sheet, to train on and held out; the mean of the former is 0."""
    rng = np.random.default_rng([args.seed, 1])
    (train, places), (test, places_test) = (
        getattr(data, sheet)(n, rng) for n in ((500, 300) if args.quick else (5000, 2000)))
    mean = train.mean(axis=0)
    return (train - mean, places), (test - mean, places_test)


# --- the autoencoder -----------------------------------------------------------------------------

def fit(x, weight, stages, epochs, args):
    """An autoencoder 3-128-128-2-128-128-3 with Ω of that weight, the points let in in so many stages.

    Each stage takes the same number of updates, in all as many as the epochs over all points would
    take. A last fifth of the epochs, with a smaller learning rate, is always over all points.
    """
    rng = np.random.default_rng([args.seed, 2])
    encoder, decoder = network(3, 2, rng), network(2, 3, rng)
    penalties = [keep_lengths(decoder, weight)] if weight else []
    model = models.Autoencoder(encoder, decoder, losses.mse, penalties=penalties).to(args.device)
    optimizer = optim.Adam(model.parameters(), 1e-3)
    order = outwards(x)
    last = epochs // 5
    draws = (epochs - last) * len(x) // stages
    for stage in range(1, stages + 1):
        some = rng.choice(order[: round(len(x) * max(stage / stages, FIRST))], draws)
        history = training.fit(model, optimizer, x[some], epochs=1, batch_size=100, rng=rng,
                               stream=io.StringIO())
        if stage % 20 == 0 or stage == stages:
            loss = history[-1]["train"]["loss"]
            print(f"  {stage / stages:4.0%} of the points: loss {loss:.4f}", flush=True)
    optimizer.lr = 2e-4
    training.fit(model, optimizer, x, epochs=last, batch_size=100, rng=rng, stream=io.StringIO())
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
    scores = r_squared(cubic_fit(code(x), places)(h), places_test)
    return {"r2": float(scores.min()), "neighbours": neighbours_kept(h, places_test),
            "error": squared_error(copy(x_test), x_test) / squared_error(x_test.mean(axis=0), x_test)}


def cubic_fit(h, places):
    """The cubic polynomial of the two code numbers that fits the places best, as a function of h."""
    mean, scale = h.mean(axis=0), h.std(axis=0)

    def powers(h):
        one, two = ((h - mean) / scale).astype(np.float64).T
        return np.stack([one**i * two**j for i in range(4) for j in range(4 - i)], axis=1)

    weight = np.linalg.lstsq(powers(h), places, rcond=None)[0]
    return lambda h: powers(h) @ weight


def r_squared(prediction, truth):
    """For each column, the share of its variance that is predicted: 1 - Σ (t̂ - t)² / Σ (t - mean)²."""
    return 1 - ((prediction - truth) ** 2).sum(axis=0) / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)


def neighbours_kept(h, places):
    """The share of each point's NEAR nearest in the code that are among its AROUND nearest on the sheet.

    By the wider circle on the sheet, a code may be stretched somewhat, but not folded or shuffled.
    """
    _, in_code = nearest(h, h, NEAR + 1)
    _, on_sheet = nearest(places, places, AROUND + 1)
    kept = [np.isin(a[1:], b).mean() for a, b in zip(in_code, on_sheet)]  # a[0] is the point itself
    return float(np.mean(kept))


# --- the picture ---------------------------------------------------------------------------------

def draw(report, drawn, measured, aided):
    """Each sheet in space, and its codes; the colour is the place along the curve."""
    best = min(numbers["aided autoencoder"]["r2"] for numbers in measured.values())
    others = max(measured[sheet][kind]["r2"] for sheet in measured for kind in ("PCA", "plain autoencoder"))
    title = "What PCA and two autoencoders make of a sheet in space"
    if aided and best >= 0.95 > others:
        title = ("An autoencoder unrolls a sheet that lies in space, but not by reconstruction alone:\n"
                 "two aids make it keep lengths, and begin in the middle of the sheet")
    fig = plots.figure(13, 7.4, title)
    fig.get_layout_engine().set(wspace=0.06)
    for part, (sheet, ((x, places), codes)) in zip(fig.subfigures(len(drawn), 1), drawn.items()):
        space = part.add_subplot(1, 4, 1, projection="3d")
        dots = {"c": places[:, 0], "cmap": "viridis", "s": 5, "linewidths": 0}
        seen = space.scatter(*x.T, **dots)
        space.set(ylabel="x₂", zlabel="x₃", aspect="equal", xticks=[-1, 1], yticks=[0])
        space.set_xlabel("x₁", labelpad=-4)
        space.view_init(elev=15, azim=-70)
        space.set_title(f"{SHEETS[sheet]}:\npoints x in space", fontsize=11)
        for column, (kind, h) in enumerate(codes.items(), 2):
            numbers = measured[sheet][kind]
            axes = part.add_subplot(1, 4, column)
            axes.scatter(*h.T, **dots)
            axes.set(xlabel="h₁", ylabel="h₂")
            axes.set_aspect("equal", adjustable="datalim")
            axes.set_title(f"{kind}\nR² of the place {round(numbers['r2'], 2) + 0.0:.2f}, "  # no -0.00
                           f"neighbours kept {numbers['neighbours']:.0%}", fontsize=10)
        part.colorbar(seen, ax=axes, label="place along the curve")
    report.save(fig, "manifold.png")


if __name__ == "__main__":
    run(main)
