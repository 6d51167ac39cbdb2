"""Unlabelled examples help where the label is a cause of the input, and not where p(x) says nothing of it.

The lectures: if y is among the causes of x, then p(x) and p(y | x) are tied, and unlabelled examples help to
find the label. Two worlds show it (Deep Learning, section 15.3 and figure 15.4). In one, x has three humps
and y is the hump that x comes from. In the other, x is uniform and y is the part of the line on which x
lies, with borders that are drawn anew each time: where they are, p(x) does not say.

In both the same model learns: p(x, y) = ⅓ N(x; μ_y, σ_y²), by gradient descent on

    -Σ ln p(x, y) over the labelled  -  Σ ln Σ_y p(x, y) over the unlabelled examples,

or on the first sum alone. Both begin at the mean of each kind's labelled examples. ln σ has the prior
N(0, ½²), without which a single example would make σ = 0. Accuracy is a sum over a fine grid of x, exact for
each draw of the examples; many draws give its mean, and the standard error of the mean.

In the uniform world unlabelled examples do not just fail to help: they do harm. The model is wrong there,
and many unlabelled examples pull its humps away from the few labelled ones (Cozman and Cohen 2002).
"""

import numpy as np

from demos import figures
from demos.measures import worst
from tinyae import Tensor, grad, nn, ops, optim

LECTURES = "L1 L4 L5"
CENTRES, WIDTHS = np.array([-3.0, 0.0, 3.0]), np.array([0.4, 1.1, 0.5])
KINDS = len(CENTRES)
GRID = np.linspace(-4.5, 4.5, 2001)  # all of the uniform world, and of the humps all but 0.05%
EXAMPLES, DRAWS = 1000, 20
COUNTS = (1, 2, 5, 10, 20, 50)  # labelled examples of each kind
WAYS = ("labels alone", "with unlabelled ones")


def main(run):
    draws = run.pick(DRAWS, 4)
    worlds = {"humps": humps(run.rng("humps"), draws), "uniform": uniform(run.rng("uniform"), draws)}
    guesses = {name: guessed(run, x, y) for name, (x, y, _) in worlds.items()}
    accuracy = {name: {way: [right(guess, truth) for guess in guesses[name][way]] for way in WAYS}
                | {"best": [right(truth.argmax(axis=2), truth)]} for name, (_, _, truth) in worlds.items()}
    means = {name: {way: np.mean(values, axis=1) for way, values in ways.items()}
             for name, ways in accuracy.items()}
    run.note(labels=COUNTS, accuracy=means)
    judge(run.claim, means)
    draw(run, worlds, guesses, accuracy, means)


def humps(rng, draws):
    """x and y (N, draws) where y is the hump that x comes from, and p(x, y) on the grid."""
    y = rng.integers(KINDS, size=(EXAMPLES, draws))
    x = CENTRES[y] + WIDTHS[y] * rng.standard_normal(y.shape)
    joint = np.exp(-(((GRID[:, None] - CENTRES) / WIDTHS) ** 2) / 2) / WIDTHS
    return x, y, np.broadcast_to(joint / joint.sum(), (draws, *joint.shape))


def uniform(rng, draws):
    """The same for a uniform x, where y is the part of the line on which x lies, other parts in each draw."""
    parts = 0.1 + (1 - 0.1 * KINDS) * rng.dirichlet(np.ones(KINDS), draws)  # 10% at least
    borders = GRID[0] + np.ptp(GRID) * parts.cumsum(axis=1)[:, :-1]
    x = rng.uniform(GRID[0], GRID[-1], (EXAMPLES, draws))
    y, of_grid = ((points[..., None] > borders).sum(axis=2) for points in (x, GRID[:, None]))
    return x, y, (of_grid.T[:, :, None] == np.arange(KINDS)) / len(GRID)


def guessed(run, x, y):
    """What the model guesses at each point of the grid, {way: [(draws, grid) for each of COUNTS]}."""
    guesses = {way: [] for way in WAYS}
    for count in COUNTS:
        labelled = first_few(y, count)
        chosen = np.argsort(~labelled, axis=0, kind="stable")[:KINDS * count]
        few = [np.take_along_axis(a, chosen, axis=0) for a in (x, y, labelled)]
        start = class_means(*few[:2])
        for way, examples in zip(WAYS, (few, (x, y, labelled))):
            guesses[way].append(fitted(run, start, *examples))
    return guesses


def first_few(y, count):
    """Which of the examples (N, draws) are among the first so many of their kind in their draw."""
    of_kind = y[:, :, None] == np.arange(KINDS)
    return (of_kind.cumsum(axis=0) * of_kind).sum(axis=2) <= count


def class_means(x, y):
    """The mean of each kind's examples, (draws, kinds)."""
    of_kind = y[:, :, None] == np.arange(KINDS)
    return (x[:, :, None] * of_kind).sum(axis=0) / of_kind.sum(axis=0)


class Humps(nn.Module):
    """p(x, y) = ⅓ N(x; μ_y, σ_y²), one such model for each draw, all trained at once."""

    def __init__(self, means):
        self.mean = Tensor(means.astype(np.float32), requires_grad=True)
        self.log_std = Tensor(np.zeros_like(self.mean.data), requires_grad=True)

    def joint(self, x):
        """ln p(x, y) for each y, up to a constant: (N, draws, kinds) for x (N, draws)."""
        z = (ops.expand_dims(x, 2) - self.mean) * ops.exp(-self.log_std)
        return -0.5 * z * z - self.log_std

    def loss(self, x, possible):
        """-ln Σ p(x, y) over the y that each example can have, and -ln of the prior, per example."""
        evidence = ops.logsumexp(ops.where(possible, self.joint(x), -1e9), axis=2)
        return (2 * ops.sum(self.log_std * self.log_std) - ops.sum(evidence)) / len(x)


def fitted(run, means, x, y, labelled):
    """What the fitted model guesses at each point of the grid: (draws, grid)."""
    model = Humps(means).to(run.device)
    possible = run.tensor((y[:, :, None] == np.arange(KINDS)) | ~labelled[:, :, None])
    x, steps = run.tensor(x.astype(np.float32)), run.pick(150, 10)
    adam = optim.Adam(model.parameters(), optim.one_cycle(0.1))
    for step in range(steps):
        adam.progress = step / steps
        adam.step(grad(model.loss(x, possible), adam.params))
    points = np.broadcast_to(GRID[:, None].astype(np.float32), (len(GRID), len(means)))
    return run.apply(lambda points: ops.argmax(model.joint(points), axis=2), points).T


def right(guess, truth):
    """The chance that the guess is right, in each draw: the sum of p(x, guess(x)) over the grid."""
    return np.take_along_axis(truth, guess[:, :, None], axis=2).sum(axis=(1, 2))


def judge(claim, means):
    """means: of the accuracy, {world: {way: [one for each of COUNTS], "best": [one]}}."""
    alone, both, best = (means["humps"][way] for way in (*WAYS, "best"))
    claim("semi-supervised", "where y is a cause of x, unlabelled examples help",
          "share of the avoidable errors that they remove, with one label of each kind:",
          (both[0] - alone[0]) / (best[0] - alone[0]), at_least=0.8)
    claim("semi-supervised.enough", "p(x) shows the humps, and one label of each suffices to name them",
          "accuracy with one label of each kind, relative to the best there is:", both[0] / best[0], at_least=0.98)
    ways = means["uniform"]
    claim("semi-supervised.uniform", "where p(x) says nothing of y, there is no gain",
          "largest gain in accuracy through unlabelled examples, over all numbers of labels:",
          worst(ways[WAYS[1]] - ways[WAYS[0]]), at_most=0.01)


def draw(run, worlds, guesses, accuracy, means):
    """Each world, what is found in it from one label of each kind, and accuracy over the number of labels."""
    gain = {name: figures.number(round(100 * (ways[WAYS[1]][0] - ways[WAYS[0]][0])), "+d")
            for name, ways in means.items()}
    fig = figures.figure(12, 7, "What unlabelled examples change with one label of each kind: "
                         f"{gain['humps']} points of accuracy\nwhere y is a cause of x, "
                         f"{gain['uniform']} where x is uniform")
    titles = {"humps": "y is a cause of x: the hump that it comes from",
              "uniform": "x is uniform: p(x) says nothing of y"}
    for (name, title), (left, axes) in zip(titles.items(), fig.subplots(2, 2, width_ratios=(1.25, 1))):
        draw_world(left, *worlds[name], {way: guesses[name][way][0][0] for way in WAYS})
        left.set_title(title, fontsize=11)
        axes.axhline(means[name]["best"][0], color=figures.COLOURS[9], linestyle="--",
                     label="the best there is")
        figures.curves(axes, COUNTS, {way: means[name][way] for way in WAYS}, colours=(5, 0), label=False)
        for way, colour in zip(WAYS, (5, 0)):
            error = np.std(accuracy[name][way], axis=1) / len(accuracy[name][way][0]) ** 0.5
            axes.errorbar(COUNTS, means[name][way], error, fmt="none", capsize=3,
                          color=figures.COLOURS[colour])
        axes.set(xscale="log", xticks=COUNTS, xticklabels=COUNTS, ylabel="accuracy",
                 xlabel="labelled examples of each kind")
        axes.minorticks_off()
        if name == "humps":
            axes.legend(frameon=False, fontsize=10, loc="lower right")
    run.save(fig, "worlds.png", "above, a density with three humps, below, a uniform one, with the kinds "
             "that classifiers name along it; beside each the accuracy over the number of labels, with "
             "unlabelled examples and without")


def draw_world(axes, x, y, truth, guesses):
    """The first draw: density, examples, the one label of each kind, and what either way makes of it."""
    density, colours = truth[0].sum(axis=1) / (GRID[1] - GRID[0]), [figures.COLOURS[i] for i in (1, 5, 7)]
    high = density.max()
    axes.hist(x[:, 0], bins=25, range=(GRID[0], GRID[-1]), density=True, color="#cccccc")
    axes.plot(GRID, density, color="black", linewidth=1)
    rows = guesses | {"best": truth[0].argmax(axis=1)}
    for i, (row, guess) in enumerate(reversed(rows.items()), 1):
        for kind, colour in enumerate(colours):
            axes.fill_between(GRID, -0.17 * i * high, -0.17 * i * high + 0.12 * high, where=guess == kind,
                              color=colour, linewidth=0)
        axes.annotate(row, (GRID[-1], (-0.17 * i + 0.06) * high), (5, 0), textcoords="offset points",
                      va="center", annotation_clip=False)
    few = first_few(y, 1)[:, 0]
    axes.scatter(x[few, 0], np.full(KINDS, -0.45 * high), s=70, c=[colours[kind] for kind in y[few, 0]],
                 edgecolors="black", zorder=3)
    axes.annotate("p(x), and the examples", (GRID[0] + 0.2, 1.35 * high), color="#444444")
    axes.set(xlabel="x", xlim=(GRID[0], GRID[-1]), ylim=(-0.55 * high, 1.5 * high), yticks=[])
