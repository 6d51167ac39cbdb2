"""Denoising with a little Gaussian noise is contraction of the reconstruction.

The lecture: denoising with tiny Gaussian noise is, in the limit, a contractive penalty on
r(x) = g(f(x)) (Alain and Bengio 2014). Expanding r(x + σε) and averaging over ε ~ N(0, I) gives

    E ‖r(x + σε) - x‖² = ‖r(x) - x‖² + σ² ( ‖∂r/∂x‖²_F + (r(x) - x)ᵀ Δr(x) ) + O(σ⁴)

for any smooth r, with the Laplacian Δ of each entry of r. The penalty alone is left where r(x) - x
is small, as the paper assumes and as it is after training: for the best r it is of the order of σ².
Measured are the two losses as σ falls, and the fields r(x) - x of two autoencoders, of which one is
trained by denoising and one by the penalty with the weight σ². The field of the best denoiser is
known: σ² times the score, which is the gradient of ln p for the density p of the noisy data.
"""

import math

import numpy as np

from demos.harness import Report, apply, chosen_epochs, fit_falling, parser, run
from demos.measures import squared_error
from tinyae import corruption, data, losses, models, nn, ops, plots
from tinyae.jacobian import jacobian

TOPIC = "Regularised autoencoders"
EPOCHS = {"a noisy circle": 64}
SPREAD = 0.3  # the data: a circle and Gaussian noise of this size, which has a density
SIGMA = 0.2  # of the corruption in training
SIGMAS = 10.0 ** np.arange(0, -3.25, -0.25)  # where the two losses are compared
HIDDEN = 32
RATES = (5e-3, 2e-3, 5e-4, 5e-5)  # of learning, for a quarter of the epochs each


def main(argv=None):
    args = parser("denoising_contracts", __doc__, epochs=EPOCHS, images=False).parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS["a noisy circle"], quick=4)

    report = Report("denoising_contracts", args)
    rng = np.random.default_rng([args.seed, 1])
    x, _ = data.circle(2_000 if args.quick else 50_000, rng, SPREAD)
    test = data.circle(100 if args.quick else 1_000, rng, SPREAD)[0].astype(np.float64)
    untrained = autoencoder(args)
    denoiser = train("denoising", x, epochs, args)
    contractive = train("contraction", x, epochs, args)

    networks = {"trained by denoising": denoiser, "untrained": untrained}
    compared = compare_losses(report, networks, test, args)
    fields = compare_fields(report, denoiser, contractive, test, args)
    draw_fields(report, test, denoiser, contractive, fields["between the two"], args)
    return report.finish(epochs=epochs, sigma=SIGMA, losses=compared, relative_difference=fields)


# --- the autoencoders ----------------------------------------------------------------------------

def autoencoder(args, how=None):
    """A smooth autoencoder of the plane, to be trained by "denoising", by "contraction", or not at all.

    Its initial weights are the same in all cases. Both ways of training know σ, and nothing else.
    """
    rng = np.random.default_rng([args.seed, 2])
    encoder = nn.Sequential(nn.Dense(2, HIDDEN, rng=rng), ops.tanh,
                            nn.Dense(HIDDEN, HIDDEN, rng=rng, init="glorot"), ops.tanh)
    decoder = nn.Dense(HIDDEN, 2, rng=rng, init="glorot")
    noise = corruption.gaussian(SIGMA) if how == "denoising" else None
    penalties = [contractive_penalty(SIGMA**2, decoder)] if how == "contraction" else []
    return models.Autoencoder(encoder, decoder, losses.mse, noise, penalties).to(args.device)


def contractive_penalty(weight, decoder):
    """½ weight ‖∂g(f(x))/∂x‖²_F: of the reconstruction, not the code, and halved as ½ Σ (x̂ - x)² is."""
    def contraction(h, x, encoder, rng):
        return weight / 2 * losses.jacobian_penalty(lambda x: decoder(encoder(x)), x, code=decoder(h))
    return contraction


def train(how, x, epochs, args):
    """An autoencoder trained with a learning rate that falls."""
    print(f"trained by {how}:", flush=True)
    model = autoencoder(args, how)
    rng = np.random.default_rng([args.seed, 3])
    fit_falling(model, x, epochs, RATES, parts=4, batch_size=200, rng=rng)
    return model


# --- the two losses ------------------------------------------------------------------------------

def compare_losses(report, networks, x, args):
    """dae-cae: what noise adds to the loss of each network, against the penalty and the full expansion."""
    measured = {}
    for name, model in networks.items():
        def r(points):
            return apply(model.reconstruct, points, args.device)

        penalty, bend = second_order(model.reconstruct, x, args.device)
        added = [added_by_noise(r, x, sigma) for sigma in SIGMAS]
        measured[name] = {"added": added, "penalty": penalty, "laplacian": bend,
                          "squared_error": squared_error(r(x), x)}
        print(f"{name}: ‖∂r/∂x‖² {penalty:.4f}, (r(x) - x)ᵀ Δr(x) {bend:.4f}, "
              f"added at σ = {SIGMAS[-1]:.3g} {added[-1]:.4f}")
    trained = measured["trained by denoising"]
    report.claim("dae-cae", "tiny Gaussian noise adds σ² times the contractive penalty on g(f(x))",
                 f"trained network, σ = {SIGMAS[-1]:.3g}: what noise adds to the loss over σ², "
                 "relative to ‖∂g(f(x))/∂x‖², less 1:",
                 abs(trained["added"][-1] / trained["penalty"] - 1), at_most=0.05)
    report.claim("dae-cae", "with the term (r(x) - x)ᵀ Δr(x) the limit is exact, for any network",
                 "the larger relative gap of the trained and the untrained network:",
                 max(abs(m["added"][-1] / (m["penalty"] + m["laplacian"]) - 1) for m in measured.values()),
                 at_most=1e-3)
    draw_losses(report, measured)
    return {"sigma": SIGMAS.tolist(), **measured}


def added_by_noise(r, x, sigma, nodes=12):
    """(E ‖r(x + σε) - x‖² - ‖r(x) - x‖²) / σ², averaged over the rows of x, points in the plane.

    The mean over ε is Gauss-Hermite quadrature, which for a smooth r is as good as exact. The error of
    a sampled mean would be of the order of σ and drown a difference of the order of σ².
    """
    points, weights = gauss_hermite(nodes)
    noisy = sum(w * squared_error(r(x + sigma * e), x) for e, w in zip(points, weights))
    return (noisy - squared_error(r(x), x)) / sigma**2


def gauss_hermite(n):
    """n² points of the plane (n², 2) and weights: Σ w f(ε) = E f(ε), ε ~ N(0, I), to degree 2n - 1."""
    t, w = np.polynomial.hermite_e.hermegauss(n)
    w = w / w.sum()
    return np.stack(np.meshgrid(t, t), axis=-1).reshape(-1, 2), np.outer(w, w).ravel()


def second_order(r, x, device):
    """‖∂r/∂x‖²_F and (r(x) - x)ᵀ Δr(x), averaged over the rows of x.

    Δr, the sum of the second derivatives ∂²r/∂xᵢ², is the trace of the Jacobian of the Jacobian.
    """
    first = apply(lambda x: jacobian(r, x), x, device)
    second = apply(lambda x: jacobian(lambda x: jacobian(r, x, create_graph=True), x), x, device)
    laplacian = np.trace(second, axis1=2, axis2=3)
    error = apply(r, x, device) - x
    return float((first**2).sum() / len(x)), float((error * laplacian).sum() / len(x))


def draw_losses(report, measured):
    """What noise adds to the loss, relative to σ² times the penalty, over σ."""
    trained = measured["trained by denoising"]
    fig = plots.figure(9, 5.6, "What a little Gaussian noise adds to the loss, over σ² times "
                       "the contractive penalty:\n"
                       f"{trained['added'][-1] / trained['penalty']:.3f} for the trained network "
                       f"at σ = {SIGMAS[-1]:.3g}")
    axes = fig.subplots()
    for (name, m), colour, marker in zip(measured.items(), (plots.COLOURS[0], plots.COLOURS[6]), "os"):
        limit = 1 + m["laplacian"] / m["penalty"]
        axes.plot(SIGMAS, np.array(m["added"]) / m["penalty"], color=colour, marker=marker, label=name)
        axes.axhline(limit, color=colour, linestyle=":",
                     label=f"its limit 1 + (r(x) - x)ᵀ Δr(x) / ‖∂r/∂x‖² = {limit:.3f}")
    axes.axhline(1, color="black", linewidth=1, label="1: the contractive penalty alone")
    axes.set(xscale="log", xlim=(1.2, 0.0008), xlabel="σ, the size of the noise, falling to the right",
             ylabel="(E‖r(x + σε) - x‖² - ‖r(x) - x‖²) / σ²‖∂r/∂x‖²,  r(x) = g(f(x))")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=10)
    report.save(fig, "losses.png")


# --- the two fields ------------------------------------------------------------------------------

def compare_fields(report, denoiser, contractive, x, args):
    """dae-cae: r(x) - x of the two networks at held-out points, against each other and the optimal one."""
    denoised, contracted, best = field(denoiser, x, args), field(contractive, x, args), optimal_field(x)
    differences = {
        "between the two": relative_difference(contracted, denoised),
        "denoising from optimal": relative_difference(denoised, best),
        "contraction from optimal": relative_difference(contracted, best),
        "optimal from the score at σ = 0": relative_difference(best, SIGMA**2 * score(x, SPREAD**2)),
    }
    report.claim("dae-cae", "training by denoising and training by contraction give nearly the same field",
                 f"relative difference of their g(f(x)) - x, σ² = λ = {SIGMA**2:g}:",
                 differences["between the two"], at_most=0.2)
    report.claim("dae-cae", "and (g(f(x)) - x)/σ² estimates the score of the noisy data's density",
                 "relative difference, the larger of the two:",
                 max(differences["denoising from optimal"], differences["contraction from optimal"]),
                 at_most=0.25)
    for name, value in differences.items():
        print(f"relative difference of fields, {name}: {value:.3f}")
    return differences


def field(model, x, args):
    """r(x) - x at the rows of x."""
    return apply(model.reconstruct, x, args.device) - x


def relative_difference(a, b):
    """√(Σ‖a - b‖² / Σ‖b‖²) of two fields (N, 2)."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


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


def draw_fields(report, x, denoiser, contractive, difference, args):
    """The arrows from x to r(x) in their true length, for both networks and the optimal denoiser."""
    ticks = np.linspace(-1.6, 1.6, 15)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    points = grid[np.abs(np.linalg.norm(grid, axis=1) - 1) < 2 * SPREAD]  # where there are data
    panels = {f"trained by denoising, σ = {SIGMA:g}": field(denoiser, points, args),
              f"trained by contraction, λ = {SIGMA**2:g}": field(contractive, points, args),
              "the optimal denoiser: σ² times the score": optimal_field(points)}
    fig = plots.figure(12, 5.4, "Trained to undo noise, or trained to contract: "
                       f"the fields of the two differ by {difference:.0%}")
    for axes, (title, arrows) in zip(fig.subplots(1, 3, sharey=True), panels.items()):
        axes.scatter(*x.T, s=4, color=plots.COLOURS[9], alpha=0.5, linewidths=0, label="held-out data")
        axes.quiver(*points.T, *arrows.T, color=plots.COLOURS[0], label="from x to g(f(x))",
                    angles="xy", scale_units="xy", scale=1,
                    width=0.005, headwidth=4, headlength=4, headaxislength=4)
        axes.set(xlabel="x₁", aspect="equal", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
        axes.set_title(title, fontsize=11)
    fig.axes[0].set_ylabel("x₂")
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    report.save(fig, "fields.png")


if __name__ == "__main__":
    run(main)
