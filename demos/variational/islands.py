"""Between two codes an autoencoder's digits change by jumps, a VAE's more evenly.

The lecture: the latent space of a classical autoencoder is often discontinuous and does not allow
easy interpolation. Two models with equal networks and a code of two numbers are compared: how evenly
pictures change that are decoded along straight lines between the codes of different held-out digits; and
how far draws from the box that holds the codes are from the nearest code, with the sides of the box as
units.

These holes are drawn and noted, but not claimed: in every run the autoencoder's were larger, but by how
much depends on the initial weights and even on the number of threads, from 1.2 to 2.5 times.

What does not differ is how many pictures on the way, or in the box, are clear digits: two numbers are so
few that a decoder has a digit for any of them. An autoencoder even shows more, as it jumps from one
digit to the next, where a VAE, whose decoder must answer for all of q(z | x), passes through mixtures.
"""

import numpy as np

from demos import figures, recipes
from demos.measures import clear, nearest

LECTURES = "L2 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 15, "mnist": 15}
WAY = np.linspace(0, 1, 41)  # from one code to the other
PAIRS = 100
BOX = (0.01, 0.99)  # quantiles of each dimension of the codes, so that no single code decides on the box


def main(run):
    digits = run.images(train=10_000)
    pairs = different_digits(digits.test_labels, PAIRS, run.rng("pairs"))
    places = run.rng("box").random((1000, 2), dtype=np.float32)
    spaces = {
        "autoencoder": look_at(run, digits, pairs, places, recipes.digits_autoencoder,
                               lambda model, x: model.encode(x)),
        "VAE": look_at(run, digits, pairs, places, recipes.digits_vae,
                       lambda model, x: model.encode(x).mean)}
    numbers = {key: {name: space[key] for name, space in spaces.items()}
               for key in ("jump", "distance", "clear", "in_box")}
    run.note(**numbers)
    judge(run.claim, numbers["jump"])
    draw_strips(run, spaces)
    draw_steps(run, spaces)
    draw_holes(run, digits, spaces)


def different_digits(labels, n, rng):
    """The numbers of n pairs of images with different labels: (n, 2)."""
    pairs = rng.integers(len(labels), size=(4 * n, 2))
    return pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]][:n]


def look_at(run, digits, pairs, places, recipe, encode):
    """A trained model's codes, what it decodes on the way between pairs of them and in their box, and numbers."""
    model, _ = recipe(run, digits, hidden=recipes.DEEP, epochs=run.epochs)
    known, codes = (run.apply(lambda x: encode(model, x), x) for x in (digits.train, digits.test))

    def decoded(z):
        return run.apply(lambda z: model.decode(z).mean, z)

    way = decoded(between(*codes[pairs.T]).reshape(-1, 2)).reshape(len(pairs), len(WAY), *digits.shape)
    low, high = np.quantile(known, BOX, axis=0).astype(np.float32)
    steps = steps_of(way)
    return {"codes": codes, "lines": codes[pairs], "way": way, "steps": steps,
            "jump": float(steepest_tenth(steps)),
            "distance": float(nearest(places, (known - low) / (high - low), 1)[0].mean()),
            "clear": share_of_clear(way[:, 1:-1].reshape(-1, *digits.shape), digits),
            "in_box": share_of_clear(decoded(low + places * (high - low)), digits)}


def between(start, end):
    """Points on the straight lines from each start to each end: (N, steps, dimensions)."""
    t = WAY[:, None].astype(np.float32)
    return (1 - t) * start[:, None] + t * end[:, None]


def steps_of(way):
    """The share of each step in the whole change of the pictures on each way (N, steps), the largest first."""
    changes = np.diff(way.reshape(*way.shape[:2], -1).astype(np.float64), axis=1)
    lengths = np.linalg.norm(changes, axis=2)
    return np.sort(lengths / lengths.sum(axis=1, keepdims=True), axis=1)[:, ::-1]


def steepest_tenth(steps):
    """The share of the change that the largest tenth of the steps makes: a tenth, if all are equal."""
    return steps[:, : steps.shape[1] // 10].sum(axis=1).mean()


def share_of_clear(images, digits):
    return float(clear(images, digits.train, digits.train_labels)[0].mean())


def judge(claim, jump):
    claim("ae-islands", "between two codes an autoencoder's images change by jumps, a VAE's more evenly",
          "share of the change in the steepest tenth of the way, autoencoder's less VAE's:",
          jump["autoencoder"] - jump["VAE"], at_least=0.05)


def draw_strips(run, spaces):
    """Pictures on the way between codes of different digits, in both spaces."""
    jumps = {name: f"{space['jump']:.0%}" for name, space in spaces.items()}
    fig = figures.figure(13, 5.4, "From digit to digit: the steepest tenth of the way makes "
                         f"{jumps['autoencoder']} of an autoencoder's change, {jumps['VAE']} of a VAE's")
    for axes, (name, space) in zip(fig.subplots(1, 2), spaces.items()):
        strips = space["way"][:8, :: len(WAY) // 10]
        figures.show_images(axes, strips.reshape(-1, *strips.shape[2:]), strips.shape[1], name)
    run.save(fig, "strips.png", "eight strips of pictures from digit to digit, by the autoencoder and by the VAE")


def draw_steps(run, spaces):
    """How the change of the pictures is spread over the way."""
    fig = figures.figure(7.5, 4.4, "How the change of the picture is spread over the way between two codes")
    axes = fig.subplots()
    for (name, space), colour in zip(spaces.items(), (6, 0)):
        axes.plot(WAY, np.append(0, np.cumsum(space["steps"].mean(axis=0))), color=figures.COLOURS[colour],
                  linewidth=2, label=name)
    axes.plot((0, 1), (0, 1), "--", color=figures.COLOURS[9], label="all steps equal")
    axes.set(xlabel="share of the way, the steepest steps first", ylabel="share of the change of the picture")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    run.save(fig, "steps.png", "share of the change of the picture over share of the way: a curve for the "
             "autoencoder, one for the VAE, and the diagonal")


def draw_holes(run, digits, spaces):
    """The codes of both, and some of the lines between them."""
    times = spaces["autoencoder"]["distance"] / spaces["VAE"]["distance"]
    fig = figures.figure(12, 5.8, "From a random place to the nearest code it is "
                         f"{times:.1f} times as far in the autoencoder as in the VAE")
    for axes, (name, space) in zip(fig.subplots(1, 2), spaces.items()):
        figures.scatter_codes(axes, space["codes"], digits.test_labels,
                              f"{name}: {space['distance']:.4f} of the side of the codes' box, on average\n"
                              "(the codes of held-out digits; lines: those of the strips)",
                              symbol="h" if name == "autoencoder" else "z")
        for line in space["lines"][:8]:
            axes.plot(*line.T, color="black", linewidth=0.8)
    run.save(fig, "holes.png", "codes of held-out digits in both latent planes, with lines between pairs of them")
