"""A restricted Boltzmann machine learns a distribution without its likelihood, and it can be checked on a small one.

The lectures: restricted Boltzmann machines learn features without labels, by contrastive divergence. On
bars and stripes, 4 × 4 pixels in which either every row or every column is of one colour, all is known:
30 patterns and the entropy of the data, which no model's -E ln p(v) goes below. With 16 hidden units Z is
a sum over 65,536 states, so ln p(v) is exact, while training sees none of it. Measured is -E ln p(v) over the
training by contrastive divergence with one step (CD-1), with ten, and with chains that go on from step to step
(persistent CD); and annealed importance sampling, which large machines need for Z, against the exact sum.
"""

import numpy as np

from demos import figures
from demos.measures import least
from tinyae import models, optim

LECTURES = "L1 L4"
EPOCHS = {"all": 288, "quick": 24}
SIDE, HIDDEN, LOOKS, CHAINS = 4, 16, 12, 500
WAYS = {"CD-1": {}, "CD-10": {"steps": 10}, "persistent CD": {"chains": CHAINS}}


def main(run):
    patterns, p = bars_and_stripes(SIDE)
    entropy = float(-p @ np.log(p))
    x = patterns[run.rng("data").choice(len(p), run.pick(2_000, 200), p=p)]
    curves, machines = {}, {}
    for name, how in WAYS.items():
        machines[name] = models.RestrictedBoltzmannMachine(SIDE**2, HIDDEN, rng=run.rng("weights"), **how)
        curves[name] = trained(run, machines[name], x, patterns, p, name)
    excess = {name: curve[-1] - entropy for name, curve in curves.items()}
    best = machines[best_name(excess)]
    exact = best.log_partition()
    estimates = [best.annealed_log_partition(run.noise(f"annealing {i}"), temperatures=run.pick(1000, 20))
                 for i in range(run.pick(20, 3))]
    values, errors = np.array(estimates).T
    off = (values.mean() - exact) / (errors.mean() / len(values) ** 0.5)
    run.note(entropy=entropy, minus_log_likelihood=curves, log_z=exact, annealed=estimates)
    judge(run.claim, curves[best_name(excess)][0] - entropy, excess, abs(off))
    draw(run, curves, entropy, patterns, samples(run, best), best_name(excess))


def bars_and_stripes(side):
    """All patterns (n, side²) and their probabilities: a direction, then each of its lines, by fair coins."""
    lines = (np.arange(2**side)[:, None] >> np.arange(side) & 1).astype(np.float32)
    drawn = np.concatenate([np.repeat(lines, side, axis=1), np.tile(lines, side)])
    patterns, counts = np.unique(drawn, axis=0, return_counts=True)  # all of one colour is both
    return patterns, counts / counts.sum()


def trained(run, machine, x, patterns, p, name):
    """Train the machine; -E ln p(v) over all patterns, exactly, before and after each part of the training."""
    def look():
        log_z = machine.log_partition()
        return float(-p @ run.apply(lambda v: machine.log_prob(v, log_z), patterns))

    machine.to(run.device)
    adam = optim.Adam(machine.parameters())
    curve = [look()]
    for part in range(LOOKS):
        adam.lr = 0.003 * (1 - part / LOOKS)  # falls to nearly 0, so that the chains' noise fades
        run.fit(machine, x, optimizer=adam, epochs=run.epochs // LOOKS, batch_size=100,
                rng=run.rng(f"part {part}"), what=f"{name}, part {part + 1}")
        curve.append(look())
    return curve


def best_name(excess):
    """The way of training that ends lowest."""
    return min(excess, key=excess.get)


def samples(run, machine, n=30):
    """n patterns drawn by the machine, after many steps from noise."""
    noise = (run.rng("noise").random((n, SIDE**2)) < 0.5).astype(np.float32)
    return machine.gibbs(run.tensor(noise), run.pick(2000, 20), run.noise("samples")).numpy()


def judge(claim, before, excess, off):
    """excess: -E ln p(v) less the entropy, by the way of training; before: the same without training."""
    claim("rbm", "a restricted Boltzmann machine learns the distribution of its data",
          "-E ln p(v) less the entropy, after CD-10 relative to before training:", excess["CD-10"] / before,
          at_most=0.1)
    claim("rbm.steps", "CD-1 follows a gradient that is not the likelihood's: more steps end nearer to the best",
          "-E ln p(v) less the entropy, after CD-10 relative to after CD-1:", excess["CD-10"] / excess["CD-1"],
          at_most=1)
    claim("rbm.entropy", "no machine is better than the data's entropy",
          "least of -E ln p(v) less the entropy, in nats:", least(excess.values()), at_least=0)
    claim("rbm.annealing", "annealed importance sampling estimates ln Z",
          "its distance from the exact sum, in standard errors:", off, at_most=4)


def draw(run, curves, entropy, patterns, made, best):
    """The exact likelihood over training, and patterns beside the machine's own."""
    known = {tuple(pattern) for pattern in patterns}
    right = np.mean([tuple(pattern) in known for pattern in made])
    fig = figures.figure(12, 5, "Bars and stripes: trained without its likelihood, a Boltzmann machine comes "
                         f"within {curves[best][-1] - entropy:.2f} nats\nof the best there is; {right:.0%} of "
                         "the patterns that it draws are bars or stripes")
    left, *sheets = fig.subplots(1, 3, width_ratios=(2.2, 1, 1))
    passes = np.arange(LOOKS + 1) * (run.epochs // LOOKS)
    left.axhline(entropy, color=figures.COLOURS[9], linestyle="--")
    left.annotate("the data's entropy: no model is better", (0, entropy), (4, -14), textcoords="offset points",
                  color="#555555", fontsize=10)
    left.set(xlim=(0, 1.3 * passes[-1]), ylim=(entropy - 1, 1.05 * np.max(list(curves.values()))))
    figures.curves(left, passes, curves)
    left.set(xlabel="passes through the data", ylabel="−E ln p(v), exact (nats)")
    for axes, images, title in zip(sheets, (patterns, made), ("all 30 patterns", f"30 drawn after {best}")):
        figures.show_images(axes, images, 5, title)
    run.save(fig, "likelihood.png", "left: minus the exact log-likelihood over training, for three ways of "
             "training, and the data's entropy; right: the patterns, and those that the machine draws")
