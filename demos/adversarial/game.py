"""Against a fixed generator the best discriminator is p / (p + q), and the game is then worth -ln 4 + 2 JSD.

The lectures: a generator and a discriminator play for v(g, d) = E ln d(x) + E ln(1 - d(g(z))). Here the
generator is fixed, a Gaussian whose density q is known, and so is that of the data, p: two humps. A
discriminator is trained on samples alone and compared with the formula; the value of the game with it, an
integral over a grid, is compared with -ln 4 + 2 JSD(p, q).

The generator's side: where it is bad, d is sure, and the gradient of v, which the generator minimises,
vanishes. For data N(0, 1) and a generator N(δ, 1) the best discriminator is a linear layer,
logit = δ²/2 - δ x, so the gradient in δ is known for both losses: v, and -E ln d(g(z)), which is used instead.
"""

import numpy as np

from demos import figures
from demos.measures import ratio
from demos.variational.divergence import GRID, STEP, two_humps
from tinyae import Tensor, grad, models, nn, ops, optim

LECTURES = "L1 L4"
EPOCHS = {"all": 60, "quick": 2}
MEAN, STD = 0.5, 1.5  # of the generator
DISTANCES = np.arange(0.0, 8.5, 0.5)  # δ, in standard deviations
FAR = 8.0


def main(run):
    x = draws_of_p(run.rng("data"), run.pick(50_000, 1_000))
    game = models.GenerativeAdversarialNetwork(Shifted(MEAN, STD), nn.mlp(1, 64, 64, 1, rng=run.rng("weights"),
                                                                         activation=ops.tanh), latent=1)
    game.to(run.device)
    players = {"discriminator": optim.Adam(game.discriminator.parameters(), optim.falling(5e-3, 1e-3, 2e-4))}
    run.fit(game, x, optimizer=players, batch_size=500, what="the discriminator alone")

    d = run.apply(lambda x: ops.sigmoid(game.discriminator(x)), GRID.astype(np.float32))[:, 0].astype(float)
    p, q = np.exp(two_humps(GRID)), gaussian(GRID[:, 0], MEAN, STD)
    best = p / (p + q)
    there = p + q > 0.05  # where a batch has some points
    error = float((np.abs(d - best) * (p + q) / 2).sum() * STEP)
    worth, optimum = value(p, q, d), value(p, q, best)
    slopes = {name: [slope(run, distance, saturating) for distance in DISTANCES]
              for name, saturating in (("v", True), ("other", False))}
    run.note(mean_error=error, value=worth, best_value=optimum, jsd=jensen_shannon(p, q), slopes=slopes)
    judge(run.claim, error, worth, jensen_shannon(p, q), slopes)
    draw(run, p, q, d, best, there, error, worth, optimum)
    draw_slopes(run, slopes)


class Shifted(nn.Module):
    """The generator m + s z, whose density is N(m, s²); m is its one parameter."""

    def __init__(self, mean, std):
        self.mean = Tensor(np.float32([mean]), requires_grad=True)
        self.std = std

    def __call__(self, z):
        return self.mean + self.std * z


def draws_of_p(rng, n):
    """Points (n, 1) from the two humps."""
    return (rng.choice((-2.0, 2.0), (n, 1)) + 0.5 * rng.standard_normal((n, 1))).astype(np.float32)


def gaussian(x, mean, std):
    """The density of N(mean, std²)."""
    return np.exp(-(((x - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))


def value(p, q, d):
    """v = ∫ p ln d + q ln(1 - d), as a sum over the grid; where a density is 0 it counts nothing."""
    d = np.clip(d, 1e-12, 1 - 1e-12)
    return float((p * np.log(d) + q * np.log1p(-d)).sum() * STEP)


def jensen_shannon(p, q):
    """JSD(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = ½ (p + q), in nats."""
    m = (p + q) / 2
    return float(sum(a[a > 0] @ np.log(a[a > 0] / m[a > 0]) for a in (p, q)) / 2 * STEP)


def slope(run, distance, saturating, n=20_000):
    """|∂ generator loss / ∂δ| for the data N(0, 1), the generator N(δ, 1) and the best discriminator."""
    best = nn.Dense(1, 1, rng=run.rng("weights"))
    best.weight.data[...], best.bias.data[...] = -distance, distance**2 / 2
    game = models.GenerativeAdversarialNetwork(Shifted(distance, 1.0), best, 1, saturating=saturating).to(run.device)
    data = run.tensor(np.zeros((n, 1), np.float32))  # the generator does not see the data, only how many
    loss, _ = game.generator_loss(data, run.noise("slope"))
    return abs(grad(loss, game.generator.mean).item())


def judge(claim, error, worth, jsd, slopes):
    """slopes: the size of each loss's gradient by distance."""
    claim("gan", "at the optimum the discriminator is p / (p + q)",
          "mean distance of the trained one from p / (p + q), over both densities:", error, at_most=0.02)
    claim("gan.value", "and the game is worth -ln 4 + 2 JSD(p, q)",
          "distance of its value from that, in nats:", abs(worth - (-np.log(4) + 2 * jsd)), at_most=0.005)
    far, near = DISTANCES.tolist().index(FAR), DISTANCES.tolist().index(1.0)
    claim("gan.saturates", "where the generator is bad, the gradient of v vanishes",
          f"size of the gradient at a distance of {FAR:g}, relative to that at 1:",
          ratio(slopes["v"][far], slopes["v"][near]), at_most=0.01)
    claim("gan.other", "and that of -E ln d(g(z)) does not",
          f"size of the gradient at a distance of {FAR:g}, relative to that at 1:",
          ratio(slopes["other"][far], slopes["other"][near]), at_least=1)


def draw(run, p, q, d, best, there, error, worth, optimum):
    """The two densities above, the discriminator and the formula below."""
    fig = figures.figure(9, 6, "A discriminator that has seen samples only differs from p / (p + q)\n"
                         f"by {error:.3f} on average")
    above, below = fig.subplots(2, 1, sharex=True)
    x = GRID[:, 0]
    for density, name, colour, place in ((p, "p, the data", 0, (-2, 0.41)), (q, "q, the generator", 7, (0.5, 0.275))):
        above.fill_between(x, density, color=figures.COLOURS[colour], alpha=0.25, linewidth=0)
        above.plot(x, density, color=figures.COLOURS[colour], linewidth=2)
        above.annotate(name, place, color=figures.COLOURS[colour], ha="center", fontsize=11)
    above.set(ylabel="density", ylim=(0, 0.48))
    shown = np.where(there, best, np.nan)
    below.plot(x, shown, color=figures.COLOURS[5], linewidth=6, label="p / (p + q), where there is data")
    below.plot(x, d, color=figures.COLOURS[0], linewidth=2, label="d, trained on samples")
    below.axhline(0.5, color=figures.COLOURS[9], linewidth=1, linestyle=":")
    below.set(xlabel="x", ylabel="d(x)", xlim=(-5, 6), ylim=(0, 1.05))
    worth, optimum = (figures.number(nats, ".3f") for nats in (worth, optimum))
    below.set_title(f"value of the game {worth}, at best −ln 4 + 2 JSD = {optimum} nats", fontsize=11)
    below.legend(fontsize=10, loc="upper right")
    run.save(fig, "discriminator.png", "above, a density with two humps and a wide Gaussian; below, the "
             "trained discriminator and p / (p + q)")


def draw_slopes(run, slopes):
    """The size of the generator's gradient over its distance from the data."""
    fig = figures.figure(8.5, 4.6, "Far from the data a generator learns from −E ln d(g(z)), and nothing from v")
    axes = fig.subplots()
    axes.set(xlabel="distance of the generator from the data, in standard deviations",
             ylabel="size of the generator's gradient", xlim=(-0.3, 10.2))
    figures.curves(axes, DISTANCES, {"−E ln d(g(z))": slopes["other"], "v": slopes["v"]})
    run.save(fig, "saturation.png", "two curves over distance: the size of the gradient of the usual loss, "
             "and of the game's value")
