"""Trained to contract, an autoencoder gets the field of a denoiser, and with it the score of the data.

The lecture: denoising with tiny Gaussian noise is a contractive penalty on r(x) = g(f(x)) (Alain and
Bengio 2014). So what the two ways of training find should be nearly the same: one autoencoder is trained
by denoising with noise of size σ, the other without noise, with the penalty ½ σ² ‖∂r/∂x‖². Their fields
r(x) - x at held-out points are compared with each other and with that of the best denoiser, which is
known: σ² times the score, the gradient of ln p for the density p of the noisy data.
"""

import math

import numpy as np

from demos import figures
from demos.measures import worst
from demos.regularised.denoising_contracts import SIGMA, SPREAD, points, train

LECTURES = "L1"
EPOCHS = {"all": 32, "quick": 4}
BETWEEN, DENOISING = "between the two", "denoising from optimal"
CONTRACTION, SMALL = "contraction from optimal", "optimal from the score at σ = 0"


def main(run):
    x, test = points(run)
    denoiser, contractive = (train(run, how, x) for how in ("denoising", "contraction"))
    denoised, contracted = (field(run, model, test) for model in (denoiser, contractive))
    best = optimal_field(test)
    apart = {BETWEEN: relative_difference(contracted, denoised),
             DENOISING: relative_difference(denoised, best),
             CONTRACTION: relative_difference(contracted, best),
             SMALL: relative_difference(best, SIGMA**2 * score(test, SPREAD**2))}
    run.note(sigma=SIGMA, relative_difference=apart)
    judge(run.claim, apart)
    draw(run, test, denoiser, contractive, apart)


def field(run, model, x):
    """r(x) - x at the rows of x."""
    return run.apply(model.reconstruct, x) - x


def optimal_field(x):
    """σ² ∇ ln p_σ(x): what the best denoiser of noise σ adds to x (Miyasawa 1961; Alain and Bengio 2014)."""
    return SIGMA**2 * score(x, SPREAD**2 + SIGMA**2)


def score(x, variance, n=1000):
    """∇ ln p(x) for a circle plus Gaussian noise: (E[c | x] - x) / variance, c the point on the circle."""
    angle = np.linspace(0, 2 * math.pi, n, endpoint=False)
    circle = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    log_weight = x @ circle.T / variance  # -‖x - c‖² / 2 variance, up to what does not depend on c
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return (weight @ circle / weight.sum(axis=1, keepdims=True) - x) / variance


def relative_difference(a, b):
    """√(Σ‖a - b‖² / Σ‖b‖²) of two fields (N, 2)."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def judge(claim, apart):
    claim("dae-cae.field", "training by denoising and training by contraction give nearly the same field",
          f"relative difference of their g(f(x)) - x, σ² = λ = {SIGMA**2:g}:", apart[BETWEEN], at_most=0.2)
    claim("dae-cae.score", "and (g(f(x)) - x) / σ² estimates the score of the noisy data's density",
          "relative difference from that score, the larger of the two:",
          worst((apart[DENOISING], apart[CONTRACTION])), at_most=0.25)


def draw(run, x, denoiser, contractive, apart):
    """The arrows from x to r(x) in their true length, for both networks and the optimal denoiser."""
    ticks = np.linspace(-1.6, 1.6, 15)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    shown = grid[np.abs(np.linalg.norm(grid, axis=1) - 1) < 2 * SPREAD]  # where there are data
    off = {key: f"\n{apart[key]:.0%} from the optimal field" for key in (DENOISING, CONTRACTION)}
    panels = {f"trained by denoising, σ = {SIGMA:g}:" + off[DENOISING]: field(run, denoiser, shown),
              f"trained by contraction, λ = {SIGMA**2:g}:" + off[CONTRACTION]: field(run, contractive, shown),
              "the optimal denoiser:\nσ² times the score": optimal_field(shown)}
    fig = figures.figure(12, 5.4, "Trained to undo noise, or trained to contract: "
                         f"the fields of the two differ by {apart[BETWEEN]:.0%}")
    for axes, (title, steps) in zip(fig.subplots(1, 3, sharey=True), panels.items()):
        axes.scatter(*x.T, s=4, color=figures.COLOURS[5], alpha=0.5, linewidths=0, label="held-out data")
        figures.arrows(axes, shown, steps, "from x to g(f(x))", headwidth=4, headlength=4, headaxislength=4)
        axes.set(xlabel="x₁", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
        axes.set_title(title, fontsize=11)
    fig.axes[0].set_ylabel("x₂")
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    run.save(fig, "fields.png", "three panels of arrows about a ring of data: by denoising, by contraction "
             "and of the optimal denoiser")
