"""A generator may collapse onto few modes of the data; where the discriminator must be flat, it finds all.

The lectures: a generative adversarial network may collapse: its samples are good, but they cover little of
what there is. The data are eight narrow humps on a ring. Two equal pairs of networks play on the same batches
from the same initial weights, one of them with the penalty R1, ½ γ E ‖∂ logit / ∂x‖² at the data (Mescheder et
al. 2018). Counted over the training: the modes that the generator's points cover, and the share of the points
that lie near any mode.

A generator's points follow the slope of the discriminator. Without R1 it soon has steep walls, along which all
points run to the modes that happened to be near; from there no slope leads to the others. With R1 it must be
flat where data are: the points go slowly, to all sides, and a mode that has its share attracts no more.
Learning rates that fall bring both games to rest. The noise z has 32 dimensions for the data's two: with fewer
the collapse is less, and with two, in a trial, the game without R1 found every mode as well.

The generator with R1, as it is in the middle of its training, is then fixed, and a new discriminator is trained
against it. Both data and samples have Gaussian noise added, so that the generator's density q is what a kernel
estimate tends to, the mean of Gaussians around its points. The discriminator is compared with p / (p + q) over
the plane.
"""

import math

import numpy as np

from demos import figures, recipes
from tinyae import models, nn, ops, optim

LECTURES = "L1 L4"
EPOCHS = {"all": 84, "quick": 12}
MODES, RADIUS, WIDTH = 8, 2.0, 0.1  # the ring, and the standard deviation of each mode
ANGLES = 2 * np.pi * np.arange(MODES) / MODES
CENTRES = RADIUS * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
LATENT, UNITS, RATE = 32, 64, 2e-3
GAMMA = 0.1  # of R1
BATCH = 200
LOOKS, MIDDLE = 12, 4  # looks at the generators, evenly over the training, and one of them
NOISE = 0.2  # added to what the last discriminator sees
AXIS = np.linspace(-3, 3, 121)
GRID = np.stack(np.meshgrid(AXIS, AXIS), axis=-1).reshape(-1, 2)
CELL = (AXIS[1] - AXIS[0]) ** 2


def main(run):
    x = ring(run.rng("data"), run.pick(10_000, 400))
    games = {name: new_game(run, r1) for name, r1 in (("without R1", 0.0), ("with R1", GAMMA))}
    states = {name: played(run, game, x, name) for name, game in games.items()}
    points = {name: points_of(run, game.generator, states[name]) for name, game in games.items()}
    found = {name: [look(at) for at in course] for name, course in points.items()}
    modes, near = ({name: [each[i] for each in course] for name, course in found.items()} for i in (0, 1))
    of_data = look(ring(run.rng("held out"), 10_000))[1]

    generator = games["with R1"].generator
    generator.load_state_dict(states["with R1"][MIDDLE])
    d, best, weight = against_the_formula(run, generator)
    error, blind = (float((np.abs(guess - best) * weight).sum()) for guess in (d, 0.5))
    run.note(modes=modes, near=near, near_of_data=of_data, discriminator_error=error, error_of_a_half=blind)
    at_the_end = {name: course[-1] for name, course in modes.items()}
    judge(run.claim, at_the_end, near["with R1"][-1] / of_data, error)
    draw_points(run, points, modes, near)
    draw_discriminator(run, d, best, weight, error, blind)


def ring(rng, n, width=WIDTH):
    """n points (n, 2) from the eight humps."""
    return (CENTRES[rng.integers(MODES, size=n)] + width * rng.standard_normal((n, 2))).astype(np.float32)


def new_game(run, r1):
    """Two networks with two hidden layers each, and the initial weights of every such game."""
    rng = run.rng("weights")
    generator, discriminator = nn.mlp(LATENT, UNITS, UNITS, 2, rng=rng), nn.mlp(2, UNITS, UNITS, 1, rng=rng)
    return models.GenerativeAdversarialNetwork(generator, discriminator, LATENT, r1=r1).to(run.device)


def played(run, game, x, name):
    """Train both players; the generator's state before, and after each part of the training."""
    players = recipes.gan_players(game, RATE)
    states = [game.generator.state_dict()]
    for part in range(1, LOOKS + 1):
        for adam in players.values():
            adam.lr = RATE * min(1, 2 - 2 * (part - 1) / LOOKS)  # falls in the second half, to come to rest
        run.fit(game, x, optimizer=players, epochs=math.ceil(run.epochs / LOOKS), batch_size=BATCH,
                rng=run.rng(f"part {part}"), what=f"{name}, part {part} of {LOOKS}")
        states.append(game.generator.state_dict())
    return states


def points_of(run, generator, states):
    """What the generator makes of the same noise in each of its states."""
    z = run.rng("points").standard_normal((run.pick(2_000, 200), LATENT), dtype=np.float32)
    points = []
    for state in states:
        generator.load_state_dict(state)
        points.append(run.apply(generator, z))
    return points


def look(points):
    """The modes covered and the share of the points that is near a mode, within three standard deviations.

    A mode is covered if at least one point in fifty is near it; a fair share would be one in eight.
    """
    distance = np.linalg.norm(points[:, None] - CENTRES, axis=2)
    near = distance.min(axis=1) < 3 * WIDTH
    counts = np.bincount(distance.argmin(axis=1)[near], minlength=MODES)
    return int((counts >= len(points) / 50).sum()), float(near.mean())


class Noisy(nn.Module):
    """A generator whose points have Gaussian noise added: two more entries of z."""

    def __init__(self, generator):
        self.generator = generator

    def __call__(self, z):
        return self.generator(z[:, :LATENT]) + NOISE * z[:, LATENT:]


def against_the_formula(run, generator):
    """Over the grid: a discriminator trained against this generator, p / (p + q), and (p + q) / 2 · cell."""
    width = float(np.hypot(WIDTH, NOISE))
    x = ring(run.rng("noisy data"), run.pick(20_000, 400), width)
    network = nn.mlp(2, UNITS, UNITS, UNITS, 1, rng=run.rng("discriminator"))
    game = models.GenerativeAdversarialNetwork(Noisy(generator), network, LATENT + 2).to(run.device)
    players = {"discriminator": optim.Adam(network.parameters(), optim.falling(5e-3, 1e-3, 2e-4))}
    run.fit(game, x, optimizer=players, epochs=run.pick(60, 1), batch_size=500, what="a discriminator alone")
    d = run.apply(lambda x: ops.sigmoid(network(x)), GRID.astype(np.float32))[:, 0].astype(float)
    z = run.rng("density").standard_normal((run.pick(20_000, 500), LATENT), dtype=np.float32)
    p, q = density(CENTRES, width), density(run.apply(generator, z), NOISE)
    return d, p / np.maximum(p + q, 1e-300), (p + q) / 2 * CELL


def density(centres, width):
    """The mean of Gaussians of that width around the centres, over the grid."""
    across, up = (np.exp(-(((AXIS - c[:, None]) / width) ** 2) / 2) for c in centres.T.astype(float))
    return (up.T @ across).reshape(-1) / (2 * np.pi * width**2 * len(centres))


def judge(claim, modes, near, error):
    """modes: those covered at the end, by the game."""
    claim("gan.modes", "a generator may collapse onto few modes of the data",
          f"how many of {MODES} modes are covered without R1:", modes["without R1"], at_most=MODES // 2)
    claim("gan.steadied", "where the discriminator must be flat at the data, it finds them all",
          f"how many of {MODES} modes are covered with R1:", modes["with R1"], at_least=MODES)
    claim("gan.near", "and what it makes looks like the data",
          "share of points near a mode with R1, relative to the data's:", near, at_least=0.8)
    claim("gan.plane", "the best discriminator against a fixed generator is p / (p + q)",
          "mean distance of a trained one from p / (p + q), over both densities, in the plane:", error, at_most=0.05)


def draw_points(run, points, modes, near):
    """The generators' points over the training, in a row for each game."""
    kept = " and ".join(f"{course[-1]} {name}" for name, course in modes.items())
    shown = [1, 2, 4, 6, LOOKS]
    steps = math.ceil(run.epochs / LOOKS) * run.pick(10_000, 400) // BATCH
    fig = figures.figure(12, 6, f"Of eight modes on a ring, the generator ends with {kept}")
    for row, (name, colour) in zip(fig.subplots(2, len(shown)), zip(points, (6, 0))):
        for axes, part in zip(row, shown):
            axes.scatter(*CENTRES.T, s=220, facecolors="none", edgecolors=figures.COLOURS[9])
            axes.scatter(*points[name][part][:1000].T, s=3, color=figures.COLOURS[colour], linewidths=0)
            axes.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], aspect="equal")
            axes.set_title(f"step {part * steps:,}: {modes[name][part]} of {MODES} modes,\n"
                           f"{near[name][part]:.0%} of the points near one", fontsize=11)
        row[0].set_ylabel(name, fontsize=12)
    run.save(fig, "points.png", "points of the generator among eight circles, at five times in the "
             "training: above without R1, below with it")


def draw_discriminator(run, d, best, weight, error, blind):
    """The trained discriminator and the formula, where there is data."""
    fig = figures.figure(10.5, 5.2, "A discriminator that has seen samples only differs from p / (p + q) by "
                         f"{error:.3f} on average,\none that answers ½ everywhere by {blind:.3f}")
    there = weight / CELL > 0.01
    panels = fig.subplots(1, 2)
    for axes, values, name in ((panels[0], best, "p / (p + q), from the densities"),
                               (panels[1], d, "d, trained on samples")):
        shown = np.where(there, values, np.nan).reshape(len(AXIS), len(AXIS))
        picture = axes.imshow(shown, origin="lower", extent=(-3, 3, -3, 3), cmap="cividis", vmin=0, vmax=1)
        axes.set_title(name, fontsize=11)
        axes.set(xlabel="x₁", ylabel="x₂")
    fig.colorbar(picture, ax=panels, label="the chance that a point is real", shrink=0.8)
    run.save(fig, "discriminator.png", "two maps of the plane, blank where there are no points: p / (p + "
             "q), and the trained discriminator")
