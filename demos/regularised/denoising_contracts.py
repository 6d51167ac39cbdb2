"""Denoising with a little Gaussian noise is contraction of the reconstruction.

The lecture: denoising with tiny Gaussian noise is, in the limit, a contractive penalty on
r(x) = g(f(x)) (Alain and Bengio 2014). Expanding r(x + σε) and averaging over ε ~ N(0, I) gives

    E ‖r(x + σε) - x‖² = ‖r(x) - x‖² + σ² ( ‖∂r/∂x‖²_F + (r(x) - x)ᵀ Δr(x) ) + O(σ⁴)

for any smooth r, with the Laplacian Δ of each entry of r. The penalty alone is left where r(x) - x
is small, as the paper assumes and as it is after training: for the best r it is of the order of σ².
Measured is what noise adds to the loss as σ falls, for a network trained by denoising and for one that
is untrained.
"""

import numpy as np

from demos import figures
from demos.measures import squared_error, worst
from tinyae import corruption, data, jacobian, models, nn, ops, optim, penalties

LECTURES = "L1"
EPOCHS = {"all": 32, "quick": 4}
SPREAD = 0.3  # the data: a circle and Gaussian noise of this size, which has a density
SIGMA = 0.2  # of the corruption in training
SIGMAS = 10.0 ** np.arange(0, -3.25, -0.25)  # where the two losses are compared
HIDDEN = 32
TRAINED, UNTRAINED = "trained by denoising", "untrained"


def main(run):
    x, test = points(run)
    measured = {}
    for name, model in ((TRAINED, train(run, "denoising", x)), (UNTRAINED, autoencoder(run.rng("weights")))):
        model.to(run.device)

        def r(x):
            return run.apply(model.reconstruct, x)

        penalty, bend = second_order(run, model.reconstruct, test)
        measured[name] = {"added": [added_by_noise(r, test, sigma) for sigma in SIGMAS], "penalty": penalty,
                          "laplacian": bend, "squared_error": squared_error(r(test), test)}
    run.note(sigma=SIGMAS.tolist(), **measured)
    judge(run.claim, measured)
    draw(run, measured)


def points(run):
    """Points on a noisy circle, to train on and held out, the latter in float64."""
    rng = run.rng("points")
    train, _ = data.circle(run.pick(50_000, 2_000), rng, SPREAD)
    test, _ = data.circle(run.pick(1_000, 100), rng, SPREAD)
    return train, test.astype(np.float64)


def autoencoder(rng, how=None):
    """A smooth autoencoder of the plane, to be trained by "denoising", by "contraction", or not at all.

    Both ways of training know σ, and nothing else.
    """
    # The first weights are larger than usual for tanh ("glorot"): with only two inputs those would be so
    # small that the units begin all but linear, and training ends in a worse fit of the circle.
    first = nn.Dense(2, HIDDEN, rng=rng, init="he")
    encoder = nn.Sequential(first, ops.tanh, nn.Dense(HIDDEN, HIDDEN, rng=rng, init="glorot"), ops.tanh)
    decoder = nn.mlp(HIDDEN, 2, rng=rng)
    noise = corruption.gaussian(SIGMA) if how == "denoising" else None
    contraction = [contraction_of_copies(SIGMA**2, decoder)] if how == "contraction" else []
    return models.Autoencoder(encoder, decoder, corruption=noise, penalties=contraction)


def contraction_of_copies(weight, decoder):
    """½ weight ‖∂g(f(x))/∂x‖²_F: of the reconstruction, not the code, and halved as ½ Σ (x̂ - x)² is."""
    penalty = penalties.jacobian(weight / 2)

    def contraction(h, x, encoder, rng):
        return penalty(decoder(h), x, nn.Sequential(encoder, decoder), rng)

    return contraction


def train(run, how, x):
    """An autoencoder trained that way; its initial weights are always the same."""
    model = autoencoder(run.rng("weights"), how)
    run.fit(model, x, lr=optim.one_cycle(5e-3), batch_size=200, what=f"trained by {how}")
    return model


def judge(claim, measured):
    trained = measured[TRAINED]
    claim("dae-cae", "tiny Gaussian noise adds σ² times the contractive penalty on g(f(x))",
          f"trained network, σ = {SIGMAS[-1]:.3g}: what noise adds to the loss over σ², "
          "relative to ‖∂g(f(x))/∂x‖², less 1:",
          abs(trained["added"][-1] / trained["penalty"] - 1), at_most=0.05)
    claim("dae-cae.exact", "with the term (r(x) - x)ᵀ Δr(x) the limit is exact, for any network",
          "relative distance from the limit, the larger of the trained and the untrained network:",
          worst(abs(m["added"][-1] / (m["penalty"] + m["laplacian"]) - 1) for m in measured.values()),
          at_most=1e-3)


# --- the two sides of the expansion --------------------------------------------------------------

def added_by_noise(r, x, sigma, nodes=12):
    """(E ‖r(x + σε) - x‖² - ‖r(x) - x‖²) / σ², averaged over the rows of x, points in the plane.

    The mean over ε is Gauss-Hermite quadrature, which for a smooth r is as good as exact. The error of
    a sampled mean would be of the order of σ and drown a difference of the order of σ².
    """
    noises, weights = gauss_hermite(nodes)
    noisy = sum(w * squared_error(r(x + sigma * e), x) for e, w in zip(noises, weights))
    return (noisy - squared_error(r(x), x)) / sigma**2


def gauss_hermite(n):
    """n² points of the plane (n², 2) and weights: Σ w f(ε) = E f(ε), ε ~ N(0, I), to degree 2n - 1."""
    t, w = np.polynomial.hermite_e.hermegauss(n)
    w = w / w.sum()
    return np.stack(np.meshgrid(t, t), axis=-1).reshape(-1, 2), np.outer(w, w).ravel()


def second_order(run, r, x):
    """‖∂r/∂x‖²_F and (r(x) - x)ᵀ Δr(x), averaged over the rows of x.

    Δr, the sum of the second derivatives ∂²r/∂xᵢ², is the trace of the Jacobian of the Jacobian.
    """
    first = run.apply(lambda x: jacobian(r, x), x)
    second = run.apply(lambda x: jacobian(lambda x: jacobian(r, x, create_graph=True), x), x)
    laplacian = np.trace(second, axis1=2, axis2=3)
    error = run.apply(r, x) - x
    return float((first**2).sum() / len(x)), float((error * laplacian).sum() / len(x))


def draw(run, measured):
    """What noise adds to the loss, relative to σ² times the penalty, over σ."""
    trained = measured[TRAINED]
    fig = figures.figure(9, 5.2, "After training, a little Gaussian noise adds σ² times the contractive "
                         f"penalty to the loss:\n{trained['added'][-1] / trained['penalty']:.3f} times that "
                         f"at σ = {SIGMAS[-1]:.3g}")
    axes = fig.subplots()
    axes.margins(y=0.15)
    for (name, m), colour, marker in zip(measured.items(), (figures.COLOURS[0], figures.COLOURS[6]), "os"):
        limit = 1 + m["laplacian"] / m["penalty"]
        axes.plot(SIGMAS, np.array(m["added"]) / m["penalty"], color=colour, marker=marker)
        axes.axhline(limit, color=colour, linestyle=":")
        axes.annotate(f"{name}; the limit 1 + (r(x) − x)ᵀ Δr(x) / ‖∂r/∂x‖² is {limit:.3f}", (1e-3, limit),
                      (0, -16), textcoords="offset points", color=colour, ha="right")
    axes.axhline(1, color="black", linewidth=1)
    axes.annotate("1: the contractive penalty alone", (1e-3, 1), (0, 9), textcoords="offset points",
                  ha="right")
    axes.set(xscale="log", xlim=(1.2, 0.0008), xlabel="σ, the size of the noise, falling to the right",
             ylim=(0, None), ylabel="what noise adds to the loss, over σ² ‖∂r/∂x‖²")
    axes.grid(alpha=0.3)
    run.save(fig, "losses.png", "what noise adds to the loss over σ² times the penalty, as σ falls: curves "
             "of a trained and of an untrained network, and a line at 1")
