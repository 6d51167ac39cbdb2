"""The KL penalty drives the mean activation of every unit to a ρ that is asked for.

The lecture: with Σ KL(ρ ‖ ρ̂) as the penalty, where ρ̂ is the mean of a sigmoid unit over the examples,
every unit is active a fraction ρ of the time. The same network is trained on digits twice, with the
penalty and, for as long, without it. Measured is how far ρ̂ is from ρ on held-out digits.

The penalty asks for a mean alone: its units are quiet most of the time, but none is ever quite off.
"""

import numpy as np

from demos import figures
from demos.arguments import real, whole
from demos.measures import squared_error
from tinyae import models, nn, ops, penalties

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 40, "mnist": 40}
WEIGHT = 10
TOLERANCE = 0.4  # how near ρ̂ must come to ρ, relative to ρ: 0.02 for ρ = 0.05
NAMES = ("with the penalty", "without it")


def options(p):
    p.add_argument("--units", type=whole(1), default=256, help="code units (default: 256)")
    p.add_argument("--rho", type=real(above=0, below=1), default=0.05,
                   help="ρ, the mean activation that the penalty asks for (default: 0.05)")


def main(run):
    digits, rho = run.images(train=10_000, test=2_000), run.options.rho
    codes, results = {}, {}
    for name, omega in zip(NAMES, ([penalties.sparsity_kl(rho, WEIGHT)], [])):
        model = autoencoder(digits.shape, run.options.units, omega, run.rng("weights"))
        run.fit(model, digits.train, what=f"KL {name}")
        codes[name] = run.apply(model.encode, digits.test)
        distance, within = departure(codes[name].mean(axis=0), rho)
        error = squared_error(run.apply(model.reconstruct, digits.test), digits.test)
        results[name] = {"mean_activation": float(codes[name].mean()), "mean_distance": distance,
                         "share_within": within, "squared_error": error}
    run.note(units=run.options.units, weight=WEIGHT, rho=rho, **results)
    judge(run.claim, rho, results)
    draw(run, rho, codes, results)


def autoencoder(shape, units, omega, rng):
    """A sigmoid layer as the encoder, whose code lies in (0, 1), and a linear decoder."""
    return models.Autoencoder(nn.mlp(shape, units, rng=rng, output=ops.sigmoid),
                              nn.mlp(units, shape, rng=rng), penalties=omega)


def departure(mean, rho):
    """The mean of |ρ̂ - ρ| over the units, in which high and low do not cancel, and the share near ρ."""
    distance = np.abs(mean - rho)
    return float(distance.mean()), float((distance <= TOLERANCE * rho).mean())


def judge(claim, rho, results):
    """How far the mean activations are from ρ, with and without the penalty."""
    sparse, plain = (results[name] for name in NAMES)
    claim("sparse-kl", f"the KL penalty drives the mean activation ρ̂ of a unit to ρ = {rho:g}",
          "distance |ρ̂ - ρ| on held-out digits, averaged over the units:",
          sparse["mean_distance"], at_most=TOLERANCE * rho)
    claim("sparse-kl.every", "that of nearly every unit",
          f"share of the units within {TOLERANCE * rho:g} of ρ:", sparse["share_within"], at_least=0.9)
    claim("sparse-kl.without", "and without the penalty it is elsewhere",
          "distance |ρ̂ - ρ| on held-out digits, averaged over the units:",
          plain["mean_distance"], at_least=2 * rho)


def draw(run, rho, codes, results):
    """The mean activations of the units, and below them every activation of which they are the means."""
    share, near = results[NAMES[0]]["share_within"], TOLERANCE * rho
    fig = figures.figure(10, 6.4, f"With the KL penalty {share:.0%} of the units have a mean activation ρ̂ "
                         f"within {near:g} of ρ = {rho:g}")
    means, every = fig.subplots(2, 1, sharex=True)
    bins = np.linspace(0, 1, 101)
    styles = ({"facecolor": figures.COLOURS[0]},
              {"facecolor": figures.COLOURS[6], "hatch": "///", "edgecolor": "black"})
    for (name, h), style in zip(codes.items(), styles):
        error = results[name]["squared_error"]
        means.hist(h.mean(axis=0), bins, histtype="stepfilled", **style,
                   label=f"{name}: squared error {error:.1f} per image")
        every.hist(h.ravel(), bins, histtype="stepfilled", weights=np.full(h.size, 100 / h.size), **style,
                   label=f"{name}: half of them below {np.median(h):.2f}")
    means.axvspan(rho - near, rho + near, color=figures.COLOURS[5], alpha=0.5, zorder=0,
                  label=f"within {near:g} of ρ = {rho:g}")
    means.set(ylabel="units")
    means.set_title("the mean activation ρ̂ of each unit over the held-out digits", fontsize=11)
    every.set(xlabel="activation", ylabel="% of all activations", xlim=(0, 1))
    every.set_title("the activations h of all units for all held-out digits", fontsize=11)
    for axes in (means, every):
        axes.legend(fontsize=10, frameon=False)
    run.save(fig, "kl.png", "histograms with the penalty and without it: above of mean activations, with a "
             "line at ρ, below of the activations")
