"""The KL divergence is never negative, zero only at equality, and not symmetric: its two directions fit differently.

The lectures: KL(q ‖ p) = E_q ln q/p ≥ 0, with a closed form for Gaussians, and KL(q ‖ p) ≠ KL(p ‖ q).
Measured is the closed form against sampling, over dimensions; its sign over a grid of pairs; and what a
single Gaussian q becomes when either divergence from a p with two humps is minimised, by gradient descent
with the engine: KL(p ‖ q) asks that q be wherever p is, so q covers both humps; KL(q ‖ p) asks that q be
nowhere that p is not, so q picks one. In one dimension integrals are sums over a fine grid. KL(q ‖ p) also
has a local minimum that covers both humps badly (1.9 nats instead of 0.7), where a wide q between them
ends: the best of several starts counts, for both directions.
"""

import numpy as np

from demos import figures
from demos.measures import least, worst
from tinyae import Tensor, grad, ops, optim
from tinyae.distributions import Gaussian

LECTURES = "L1 L2 L4 L5"
GRID = np.linspace(-10, 10, 4001)[:, None]  # z, fine and wide enough for sums to be integrals
STEP = GRID[1, 0] - GRID[0, 0]
HUMPS, WIDTH = (-2.0, 2.0), 0.5
STARTS = ((0.5, 1.6), (1.5, 1.0), (-1.0, 0.5))  # means and standard deviations
DIMENSIONS = (1, 2, 5, 10, 20, 50, 100)


def main(run):
    sampled = {d: by_sampling(run.rng(f"{d} dimensions"), d, run.pick(100_000, 2_000)) for d in DIMENSIONS}
    table = over_pairs()
    log_p = two_humps(GRID)
    steps = run.pick(800, 40)
    covering, picking = (min((fitted(run, log_p, direction, start, steps) for start in STARTS),
                             key=lambda fit: fit["nats"]) for direction in (forward, backward))
    numbers = {"errors": worst(abs(s["sampled"] - s["closed"]) / s["error"] for s in sampled.values()),
               **table["numbers"], "covering": moments(covering["q"]), "picking": moments(picking["q"])}
    run.note(**numbers, sampled=sampled)
    judge(run.claim, **numbers)
    draw_fits(run, log_p, covering, picking)
    draw_closed_form(run, sampled, table)


def forward(log_p, log_q):
    """KL(p ‖ q) = ∫ p (ln p - ln q)."""
    return ops.sum(ops.exp(log_p) * (log_p - log_q)) * STEP


def backward(log_p, log_q):
    """KL(q ‖ p) = ∫ q (ln q - ln p)."""
    return ops.sum(ops.exp(log_q) * (log_q - log_p)) * STEP


def fitted(run, log_p, divergence, start, steps):
    """The Gaussian q = N(m, s²) that gradient descent on a divergence from p ends with, and its nats."""
    m, log_var = (run.tensor(np.array([value]), requires_grad=True) for value in (start[0], 2 * np.log(start[1])))
    grid, target = run.tensor(GRID), run.tensor(log_p)
    adam = optim.Adam([m, log_var], lr=optim.falling(0.05, 0.01))
    for step in range(steps):
        adam.progress = step / steps
        log_q = Gaussian(ops.broadcast_to(m, GRID.shape), log_var).log_prob(grid)
        nats = divergence(target, log_q)
        adam.step(grad(nats, adam.params))
    return {"q": log_q.numpy(), "nats": nats.item()}


def two_humps(z):
    """ln p of half N(-2, 0.5²), half N(2, 0.5²), at z (N, 1)."""
    each = [-(((z[:, 0] - hump) / WIDTH) ** 2) / 2 for hump in HUMPS]
    return np.logaddexp(*each) - np.log(2 * WIDTH * np.sqrt(2 * np.pi))


def moments(log_q):
    """The mean of q, its standard deviation, and the share of it on the side of its mean."""
    q = np.exp(log_q) * STEP
    mean = float((q * GRID[:, 0]).sum())
    return {"mean": mean, "std": float(np.sqrt((q * (GRID[:, 0] - mean) ** 2).sum())),
            "share": float(q[np.sign(GRID[:, 0]) == np.sign(mean)].sum())}


def by_sampling(rng, d, n):
    """KL(q ‖ p) of two random Gaussians in d dimensions: in closed form, and the mean of ln q/p over n draws."""
    q, p = (Gaussian(Tensor(rng.standard_normal((1, d)) / np.sqrt(d)),
                     Tensor(rng.uniform(-0.5, 0.5, (1, d)))) for _ in range(2))
    many = Gaussian(ops.broadcast_to(q.mean, (n, d)), q.log_var)
    z = many.sample(rng)
    ratio = (many.log_prob(z) - Gaussian(ops.broadcast_to(p.mean, (n, d)), p.log_var).log_prob(z)).numpy()
    return {"closed": q.kl(p).item(), "sampled": float(ratio.mean()), "error": float(ratio.std() / np.sqrt(n))}


def over_pairs():
    """KL of N(m, s²) and N(0, 1) both ways over a grid of m and s; the least away from equality, and at it."""
    m, s = np.meshgrid(np.linspace(-2, 2, 41), np.exp(np.linspace(-1.2, 1.2, 41)))
    pairs = Gaussian(Tensor(m.reshape(-1, 1)), Tensor(2 * np.log(s).reshape(-1, 1)))
    standard = Gaussian(Tensor(np.zeros((m.size, 1))), Tensor(np.zeros((m.size, 1))))
    ways = [each_kl(pairs, standard).reshape(m.shape), each_kl(standard, pairs).reshape(m.shape)]
    equal = (np.abs(m) < 1e-9) & (np.abs(s - 1) < 1e-9)
    return {"m": m, "s": s, "ways": ways, "numbers": {
        "least": least(way[~equal].min() for way in ways),
        "at_equality": worst(np.abs(way[equal]).max() for way in ways),
        "apart": float(np.abs(ways[0] - ways[1]).max())}}


def each_kl(q, p):
    """KL(q ‖ p) of each pair of one-dimensional Gaussians, as `Gaussian.kl` has it for one."""
    return np.array([Gaussian(q.mean[i : i + 1], q.log_var[i : i + 1]).kl(
        Gaussian(p.mean[i : i + 1], p.log_var[i : i + 1])).item() for i in range(len(q.mean))])


def judge(claim, errors, least, at_equality, apart, covering, picking):
    claim("kl", "the KL divergence of Gaussians has a closed form",
          "largest distance of an estimate by sampling from it, in standard errors:", errors, at_most=4)
    claim("kl.positive", "it is positive where the two differ", "its least value over a grid of pairs, in nats:",
          least, at_least=1e-4)
    claim("kl.zero", "and zero where they are equal", "its distance from 0 there, in nats:", at_equality, at_most=1e-12)
    claim("kl.asymmetric", "it is not symmetric", "largest difference of the two directions, in nats:",
          apart, at_least=1)
    # The moments of p: the Gaussian nearest to it in KL(p ‖ q) has the same.
    spread = np.sqrt(HUMPS[1] ** 2 + WIDTH**2)
    claim("kl.covers", "minimising KL(p ‖ q) covers both humps",
          "distance of q's mean and standard deviation from p's, the larger:",
          worst((abs(covering["mean"]), abs(covering["std"] - spread))), at_most=0.05)
    claim("kl.picks", "minimising KL(q ‖ p) picks one", "share of q on that hump's side:", picking["share"],
          at_least=0.99)
    claim("kl.shape", "and takes its shape",
          "distance of q's mean and standard deviation from that hump's, the larger:",
          worst((abs(abs(picking["mean"]) - HUMPS[1]), abs(picking["std"] - WIDTH))), at_most=0.05)


def draw_fits(run, log_p, covering, picking):
    """p and the two fits on one figure."""
    fig = figures.figure(9, 4.8, "One Gaussian for two humps: KL(p ‖ q) covers both, KL(q ‖ p) picks one")
    axes = fig.subplots()
    z = GRID[:, 0]
    axes.fill_between(z, np.exp(log_p), color=figures.COLOURS[5], alpha=0.35, linewidth=0)
    for hump in HUMPS:
        axes.annotate("p", (hump, 0.15), color="#7A5400", fontsize=14, ha="center")
    for fit, name, colour in ((covering, "KL(p ‖ q)", 0), (picking, "KL(q ‖ p)", 7)):
        q = np.exp(fit["q"])
        axes.plot(z, q, color=figures.COLOURS[colour], linewidth=2.5)
        axes.annotate(f"q minimises\n{name},\nto {fit['nats']:.2f} nats", (z[q.argmax()], q.max() + 0.012),
                      color=figures.COLOURS[colour], ha="center", va="bottom", fontsize=11)
    axes.set(xlim=(-6, 6), ylim=(0, 1), xlabel="z", ylabel="density")
    axes.grid(alpha=0.3)
    run.save(fig, "directions.png", "a density p with two humps, and the Gaussians nearest to it by either "
             "direction of the divergence")


def draw_closed_form(run, sampled, table):
    """The closed form against sampling, and both directions over a grid of Gaussians."""
    fig = figures.figure(
        12, 4.4, "The closed form agrees with sampling, is zero only at equality, and depends on the direction")
    left, *maps = fig.subplots(1, 3, width_ratios=(1.25, 1, 1))
    left.axhline(0, color=figures.COLOURS[5], linewidth=4, label="closed form")
    left.errorbar(range(len(sampled)), [s["sampled"] - s["closed"] for s in sampled.values()],
                  yerr=[2 * s["error"] for s in sampled.values()], fmt="o", color=figures.COLOURS[0], capsize=4,
                  label="mean of ln q/p over draws, ± 2 standard errors")
    left.set_xticks(range(len(sampled)), sampled)
    left.set(xlabel="dimensions", ylabel="estimate − closed form (nats)")
    left.set_title("KL of two random Gaussians", fontsize=11)
    left.margins(y=0.35)
    left.legend(fontsize=9, loc="upper left")
    for axes, way, title in zip(maps, table["ways"], ("KL(N(m, s²) ‖ N(0, 1))", "KL(N(0, 1) ‖ N(m, s²))")):
        lines = axes.contour(table["m"], table["s"], way, levels=(0.02, 0.1, 0.3, 1, 3, 10),
                             colors=[figures.COLOURS[0]], linewidths=1.5)
        axes.clabel(lines, fontsize=9)
        axes.plot(0, 1, "*", color=figures.COLOURS[7], markersize=12)
        axes.set_yscale("log")
        axes.set_yticks((0.5, 1, 2), ("0.5", "1", "2"))
        axes.minorticks_off()
        axes.set(xlabel="m", ylabel="s")
        axes.set_title(title + " in nats", fontsize=11)
    run.save(fig, "closed_form.png", "left: estimates by sampling, with error bars, about the closed form; "
             "right: contours of KL in both directions round the same zero")
