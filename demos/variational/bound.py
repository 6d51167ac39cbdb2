"""The ELBO is a lower bound on ln p(x), and what it misses is KL(q ‖ p(z | x)).

The lectures: ln p(x) = ELBO + KL(q(z | x) ‖ p(z | x)), so to raise the ELBO is to find the posterior.
All three are closed forms in a linear-Gaussian model, x = z W + μ + σ ε, and are computed here from
different formulas: ln p(x) from the covariance of x, the KL from the posterior by Bayes' rule, and the
ELBO from neither. Measured is whether they add up, for random models and any q; what training q alone
does to them; and where training the decoder as well ends: at the maximum likelihood solution of
probabilistic PCA (Tipping and Bishop 1999, section 3.2).

The ELBO reaches ln p(x) only if q can be the posterior. With independent latent numbers, as a VAE has
them, it stays below by ½ ln (Π Pⱼⱼ / det P), where P is the inverse covariance of the posterior; but a
decoder that is trained, too, turns to where that gap is 0: its rows become the principal axes (Lucas et
al. 2019).
"""

import math

import numpy as np

from demos import figures
from demos.measures import angle_between, least, worst
from tinyae import Tensor, grad, models, nn, no_grad, ops, optim
from tinyae.distributions import Gaussian

LECTURES = "L2 L4 L5"
SIZE, LATENT = 5, 2
# Two directions of different strength, mixed by a rotation: the posterior's axes are not those of z.
STRENGTHS, MIX, NOISE = (3.0, 0.8), math.pi / 4, 0.5
COLOURS = figures.COLOURS[0], figures.COLOURS[7]  # of any q, of an independent one


def main(run):
    pairs = [added_up(run.rng(f"pair {i}")) for i in range(run.pick(200, 20))]
    truth, x = drawn(run.rng("model"), 500)
    trained = {}
    for name, full in (("any Gaussian q", True), ("independent q", False)):
        encoder = Encoder(SIZE, LATENT, run.rng("encoder"), full)
        trained[name] = encoder, fit(run, truth, encoder, encoder.parameters(), x, run.pick(1000, 50))
    independent = trained["independent q"][0]

    model = LinearGaussian(run.rng("weights").standard_normal((LATENT, SIZE)), np.zeros(SIZE), 0.0)
    encoder = Encoder(SIZE, LATENT, run.rng("encoder"), full=False)
    history = fit(run, model, encoder, model.parameters() + encoder.parameters(), x, run.pick(2000, 50))
    best = probabilistic_pca(x, LATENT)
    numbers = {"identity": worst(pair["identity"] for pair in pairs),
               "at_posterior": worst(pair["at_posterior"] for pair in pairs),
               "least_gap": least(pair["least_gap"] for pair in pairs),
               "sampled": by_sampling(run, truth, independent, x, run.pick(400, 50)),
               "gap": trained["any Gaussian q"][1]["kl"][-1],
               "independent": trained["independent q"][1]["kl"][-1],
               "theory": least_gap_of_independent(truth), "ppca": compared(model, best, x)}
    run.note(**numbers)
    judge(run.claim, **numbers)
    draw_training(run, truth, trained, x[0])
    draw_ppca(run, model, best, history, x)


class LinearGaussian(nn.Module):
    """p(x, z) = N(z; 0, I) N(x; z W + μ, σ² I), for rows z (N, k) and x (N, D)."""

    def __init__(self, weight, mean, log_var):
        self.weight, self.mean, self.log_var = (
            Tensor(np.array(a), requires_grad=True) for a in (weight, mean, log_var))

    def covariance(self):
        """Of x: WᵀW + σ² I."""
        w, var = self.weight.numpy(), np.exp(self.log_var.numpy())
        return w.T @ w + var * np.eye(w.shape[1])

    def log_likelihood(self, x):
        """ln p(x) = ln N(x; μ, WᵀW + σ² I), (N,)."""
        error, covariance = x - self.mean.numpy(), self.covariance()
        distance = (error * np.linalg.solve(covariance, error.T).T).sum(axis=1)
        return -(distance + np.linalg.slogdet(2 * np.pi * covariance)[1]) / 2

    def posterior(self, x):
        """p(z | x): its means (N, k), and its inverse covariance P = I + W Wᵀ / σ², the same for all x."""
        w, var = self.weight.numpy(), np.exp(self.log_var.numpy())
        precision = np.eye(len(w)) + w @ w.T / var
        return np.linalg.solve(precision, w @ (x - self.mean.numpy()).T).T / var, precision


class Encoder(nn.Module):
    """q(z | x) = N(x A + b, L Lᵀ), L lower triangular, or diagonal: latent numbers that are independent."""

    def __init__(self, size, latent, rng, full):
        self.weight = Tensor(rng.standard_normal((size, latent)) / 10, requires_grad=True)
        self.bias = Tensor(np.zeros(latent), requires_grad=True)
        self.log_scale = Tensor(np.zeros(latent), requires_grad=True)
        self.below = Tensor(np.zeros((latent, latent)), requires_grad=full)
        self.on, self.under = Tensor(np.eye(latent)), Tensor(np.tri(latent, k=-1))  # the diagonal, and below

    def __call__(self, x):
        return x @ self.weight + self.bias, ops.exp(self.log_scale) * self.on + self.below * self.under


def elbo(model, x, mean, root):
    """E_q ln p(x | z) - KL(q ‖ N(0, I)) for q = N(mean, L Lᵀ), (N,).

    Neither the posterior nor the covariance of x is in it; E ‖x - μ - z W‖² is ‖x - μ - mean W‖² + ‖Lᵀ W‖²_F.
    """
    (size, latent), diagonal = model.weight.shape[::-1], list(range(len(root)))
    error = x - model.mean - mean @ model.weight
    squares = ops.sum(error * error, axis=1) + ops.sum((root.T @ model.weight) ** 2)
    nll = 0.5 * squares * ops.exp(-model.log_var) + 0.5 * size * (math.log(2 * math.pi) + model.log_var)
    log_det = ops.sum(ops.log(root[diagonal, diagonal]))
    return -nll - (0.5 * (ops.sum(mean * mean, axis=1) + ops.sum(root * root) - latent) - log_det)


def gap(model, x, mean, root):
    """KL(N(mean, L Lᵀ) ‖ p(z | x)), (N,), in NumPy."""
    centre, precision = model.posterior(x)
    off, covariance = mean - centre, root @ root.T
    return ((off @ precision * off).sum(axis=1) + np.trace(precision @ covariance) - len(root)
            - np.linalg.slogdet(precision @ covariance)[1]) / 2


def three(model, x, mean, root):
    """ln p(x), the ELBO and KL(q ‖ p(z | x)), each (N,)."""
    with no_grad():
        bound = elbo(model, Tensor(x), Tensor(mean), Tensor(root)).numpy()
    return model.log_likelihood(x), bound, gap(model, x, mean, root)


def added_up(rng):
    """A random model and q: how far the sum is from ln p(x), the least gap, and the gap at p(z | x)."""
    size, latent = rng.integers(2, 9), rng.integers(1, 5)
    model = LinearGaussian(rng.standard_normal((latent, size)), rng.standard_normal(size), rng.normal())
    x = 2 * rng.standard_normal((20, size))
    root = np.tril(rng.standard_normal((latent, latent)), -1) + np.diag(np.exp(rng.standard_normal(latent)))
    log_p, bound, kl = three(model, x, rng.standard_normal((20, latent)), root)
    centre, precision = model.posterior(x)
    log_p_there, bound_there, _ = three(model, x, centre, np.linalg.cholesky(np.linalg.inv(precision)))
    return {"identity": np.abs(bound + kl - log_p).max(), "least_gap": (log_p - bound).min(),
            "at_posterior": np.abs(bound_there - log_p_there).max()}


def drawn(rng, n):
    """A model with the strengths and the noise above, and n points from it."""
    axes, _ = np.linalg.qr(rng.standard_normal((SIZE, LATENT)))
    turn = np.array([[math.cos(MIX), -math.sin(MIX)], [math.sin(MIX), math.cos(MIX)]])
    weight = turn @ np.diag(STRENGTHS) @ axes.T
    truth = LinearGaussian(weight, rng.standard_normal(SIZE), 2 * math.log(NOISE))
    x = rng.standard_normal((n, LATENT)) @ weight + truth.mean.numpy()
    return truth, x + NOISE * rng.standard_normal((n, SIZE))


def fit(run, model, encoder, params, x, steps):
    """Raise the ELBO, averaged over the points, by Adam; all three over the steps."""
    model.to(run.device), encoder.to(run.device)
    adam = optim.Adam(params, lr=optim.falling(0.03, 0.01, 0.001))
    history = {"step": [], "log_p": [], "elbo": [], "kl": []}
    points = run.tensor(x)
    for step in range(steps + 1):
        mean, root = encoder(points)
        bound = ops.mean(elbo(model, points, mean, root))
        if step % 10 == 0:
            left = gap(model, x, mean.numpy(), root.numpy()).mean()
            for key, value in zip(history, (step, model.log_likelihood(x).mean(), bound.item(), left)):
                history[key].append(float(value))
        if step < steps:
            adam.progress = step / steps
            adam.step(grad(-bound, adam.params))
    return history


def by_sampling(run, model, encoder, x, times):
    """How far a `VariationalAutoencoder` of these parts, which samples, is from it, in standard errors."""
    def statistics(x):
        mean, _ = encoder(x)
        return ops.concatenate([mean, ops.broadcast_to(2 * encoder.log_scale, mean.shape)], axis=1)

    vae = models.VariationalAutoencoder(
        statistics, lambda z: z @ model.weight + model.mean, LATENT,
        likelihood=lambda mean: Gaussian(mean, model.log_var))
    points, rng = run.tensor(x), run.noise("samples")
    with no_grad():
        exact = elbo(model, points, *encoder(points)).numpy().mean()
        estimates = [vae.elbo(points, rng).elbo.item() for _ in range(times)]
    return float(abs(np.mean(estimates) - exact) / (np.std(estimates) / math.sqrt(times)))


def least_gap_of_independent(model):
    """min KL(q ‖ p(z | x)) over q with independent numbers: ½ ln (Π Pⱼⱼ / det P), at variances 1 / Pⱼⱼ."""
    _, precision = model.posterior(np.zeros((1, SIZE)))
    return float(np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1]) / 2


def probabilistic_pca(x, latent):
    """The maximum likelihood solution (Tipping and Bishop 1999, equations 7 and 8).

    μ is the mean, σ² the mean variance along the axes left out, and the rows of W are √(λⱼ - σ²) uⱼ for the
    principal axes uⱼ with variances λⱼ, or any rotation of them.
    """
    variances, axes = np.linalg.eigh(np.cov(x.T, bias=True))
    variances, axes = variances[::-1], axes[:, ::-1]
    noise = variances[latent:].mean()
    weight = np.sqrt(variances[:latent] - noise)[:, None] * axes[:, :latent].T
    return LinearGaussian(weight, x.mean(axis=0), np.log(noise))


def compared(model, best, x):
    """What training found against the solution in closed form."""
    found, axes = model.weight.numpy(), best.weight.numpy()
    cosines = np.abs(found @ axes.T) / np.linalg.norm(found, axis=1)[:, None] / np.linalg.norm(axes, axis=1)
    return {"short": float(abs((best.log_likelihood(x) - model.log_likelihood(x)).mean())),
            "angle": angle_between(found.T, axes.T),
            "noise": abs(math.exp(model.log_var.item() - best.log_var.item()) - 1),
            "cosine": float(cosines.max(axis=1).min())}


def judge(claim, identity, at_posterior, least_gap, sampled, gap, independent, theory, ppca):
    claim("elbo", "ln p(x) = ELBO + KL(q ‖ p(z | x)), for any q",
          "largest distance of the two sides, in nats:", identity, at_most=1e-9)
    claim("elbo.bound", "so the ELBO lies below ln p(x)",
          "least of ln p(x) - ELBO over random q, in nats:", least_gap, at_least=0)
    claim("elbo.tight", "and equals it where q is the posterior",
          "largest distance of the two there, in nats:", at_posterior, at_most=1e-9)
    claim("elbo.sampled", "what a VAE computes is that bound, by sampling",
          "distance of its mean estimate from the ELBO, in standard errors:", sampled, at_most=4)
    claim("elbo.trained", "raising the ELBO makes q the posterior",
          "KL(q ‖ p(z | x)) after training, in nats:", gap, at_most=1e-3)
    claim("elbo.independent", "or as near as its family comes",
          "distance of the KL that independent latent numbers leave from ½ ln (Π Pⱼⱼ / det P), in nats:",
          abs(independent - theory), at_most=1e-3)
    claim("elbo.ppca", "with the decoder trained too, it reaches the maximum likelihood of probabilistic PCA",
          "distance of ln p(x) from the largest there is, in nats:", ppca["short"], at_most=1e-3)
    claim("elbo.subspace", "and finds its subspace",
          "largest angle between the two subspaces, in degrees:", ppca["angle"], at_most=1)
    claim("elbo.noise", "and its noise", "relative difference of σ²:", ppca["noise"], at_most=0.01)
    claim("elbo.axes", "and independent latent numbers choose the principal axes in that subspace",
          "least cosine of a row of W and its principal axis:", ppca["cosine"], at_least=0.99)


def draw_training(run, truth, trained, x):
    """The three over the steps, with either q, and where both end for one x."""
    left_out, log_p = (trained["independent q"][1][key][-1] for key in ("kl", "log_p"))
    fig = figures.figure(12, 4.8, "Raising the ELBO turns q into p(z | x); a q with independent numbers "
                         f"stops {left_out:.2f} nats below ln p(x)")
    left, right = fig.subplots(1, 2, width_ratios=(1.25, 1))
    left.axhline(log_p, color="black", linewidth=1.5)
    left.annotate("ln p(x), the same for every q", (12, log_p), (0, 5), textcoords="offset points")
    for (name, (encoder, history)), colour in zip(trained.items(), COLOURS):
        steps, bound = history["step"][1:], history["elbo"][1:]
        left.plot(steps, bound, color=colour, linewidth=2, label=f"ELBO, {name}")
        left.fill_between(steps, bound, log_p, color=colour, alpha=0.12, linewidth=0,
                          label="KL(q ‖ p(z | x)) of that q")
    left.set(xscale="log", xlim=(10, None), ylim=(log_p - 4, log_p + 0.4), xlabel="step of Adam on q alone",
             ylabel="nats per point")
    left.grid(alpha=0.3)
    left.legend(loc="lower right")

    centre, precision = truth.posterior(x[None])
    ellipse(right, centre[0], np.linalg.cholesky(np.linalg.inv(precision)), color=figures.COLOURS[5],
            linewidth=7, label="p(z | x)")
    for (name, (encoder, _)), colour in zip(trained.items(), COLOURS):
        mean, root = encoder(run.tensor(x[None]))
        ellipse(right, mean.numpy()[0], root.numpy(), color=colour, linewidth=2, label=name)
    right.set(xlabel="z₁", ylabel="z₂")
    right.set_aspect("equal", adjustable="datalim")
    right.set_title("for one x: two standard deviations", fontsize=11)
    right.grid(alpha=0.3)
    right.legend(loc="upper right")
    run.save(fig, "training.png", "left: the ELBO of two kinds of q over the training, and ln p(x); right: "
             "the posterior and both q as ellipses")


def ellipse(axes, centre, root, **style):
    """The contour of N(centre, L Lᵀ) at two standard deviations."""
    angles = np.linspace(0, 2 * np.pi, 200)
    axes.plot(*(centre[:, None] + 2 * root @ [np.cos(angles), np.sin(angles)]), **style)


def draw_ppca(run, model, best, history, x):
    """The three over the steps with the decoder trained too, and the variances that the model ends with."""
    top, steps = best.log_likelihood(x).mean(), history["step"][1:]
    fig = figures.figure(12, 4.6, f"With the decoder trained, too, the ELBO ends {top - history['elbo'][-1]:.4f} nats "
                         "below the largest likelihood, that of probabilistic PCA")
    left, right = fig.subplots(1, 2, width_ratios=(1.25, 1))
    left.axhline(top, color=figures.COLOURS[5], linewidth=6, label="largest ln p(x), in closed form")
    left.plot(steps, history["log_p"][1:], color="black", linewidth=1.5, label="ln p(x)")
    left.plot(steps, history["elbo"][1:], color=COLOURS[1], linewidth=2, label="ELBO")
    left.fill_between(steps, history["elbo"][1:], history["log_p"][1:], color=COLOURS[1], alpha=0.15,
                      linewidth=0, label="KL(q ‖ p(z | x))")
    left.set(xscale="log", xlim=(10, None), ylim=(top - 6, top + 0.6), xlabel="step of Adam on q and p",
             ylabel="nats per point")
    left.grid(alpha=0.3)
    left.legend(loc="lower right")

    places = np.arange(1, SIZE + 1)
    right.bar(places, np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1], color=figures.COLOURS[5], alpha=0.5,
              label="of the points")
    right.plot(places, np.linalg.eigvalsh(model.covariance())[::-1], "o", color=COLOURS[1],
               label="of the trained model, WᵀW + σ² I")
    right.annotate("left over by the latent numbers:\nσ², the mean of these", (4, 0.4), ha="center")
    right.set(xlabel="principal axis", ylabel="variance along it", xticks=places, yscale="log")
    right.set_ylim(0.1, None)
    right.legend()
    run.save(fig, "ppca.png", "left: ln p(x) and the ELBO over the training, and a line at the maximum; "
             "right: the variances of the model and of the data along the principal axes")
