"""ln p(x) is an integral over the latent space: draws from the prior miss its peak, the encoder finds it.

The lecture: p(x) = ∫ p(x | z) p(z) dz is intractable, and its estimate by draws from the prior has too
high a variance; so learn q(z | x). Measured are estimates by K draws from the prior,
ln 1/K Σ p(x | z_k), and from the encoder, ln 1/K Σ w_k with w = p(x | z) p(z) / q(z | x), whose
expectation is the bound L_K (Burda, Grosse and Salakhutdinov 2016: L_1 is the ELBO, and it rises to
ln p(x)). With two latent dimensions a sum over a fine grid of z gives the truth to compare with.
Pixels are black or white, drawn with their grey as the probability: then p(x) is a probability.

A model trained on L_5 is compared with one trained on the ELBO of as many draws: all that differs is
whether the mean is taken before or after the logarithm, but for the ELBO's KL, which is exact, as it is in
every VAE here. L_5 also trains the better encoder for estimates: KL(q ‖ p(z | x)), the gap of the ELBO,
asks that q be nowhere that the posterior is not, so q becomes too narrow, and for some held-out digits lies
beside the posterior, where 5,000 draws still miss nats. In L_5 a draw that misses costs little, and q
covers the posterior. The claims are about that encoder.

On MNIST ln p(x) is -157 nats with L_5 and -159 with the ELBO; Burda et al. report -85.5 and -86.5 for the
same K. They have fifty latent dimensions and two hidden layers, all images and 3,280 times through them;
here it is two dimensions and one layer, 10,000 images and ten times.
"""

import math

import numpy as np

from demos import figures
from demos.measures import worst
from tinyae import data, models, ops, optim

LECTURES = "L5"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 10, "mnist": 10}
HIDDEN, MANY = 200, 10  # units of the hidden layers; latent dimensions of the model that is not drawn
DRAWS = (1, 5, 50, 500, 5_000)  # K
LIMIT = 5.0  # of the grid: beyond it lies less than a millionth of the prior
WATCHED = 16  # held-out digits of which ln p(x) is estimated many times
ELBO, L5 = "trained on the ELBO", "trained on L₅"


def main(run):
    digits = run.images(train=10_000, test=500)
    train, test = (data.black_and_white(x, run.rng(name))
                   for x, name in ((digits.train, "train"), (digits.test, "test")))
    plain = trained(run, train, models.VariationalAutoencoder, 2, samples=5)
    weighted = trained(run, train, models.ImportanceWeightedAutoencoder, 2, samples=5)
    large = trained(run, train, models.VariationalAutoencoder, MANY, samples=1)

    grid = checkered_grid(run.pick(0.03, 0.2))
    truths = {name: truth(run, model, test, *grid) for name, model in ((ELBO, plain), (L5, weighted))}
    log_p = {name: found["log_p"] for name, found in truths.items()}
    watched = test[:run.pick(WATCHED, 2)]
    errors = errors_of_estimates(run, weighted, watched, log_p[L5][:len(watched)])
    others = {"narrow": errors_of_estimates(run, plain, watched, log_p[ELBO][:len(watched)])["encoder"],
              **{f"{way}, {MANY}": found for way, found in errors_of_estimates(run, large, watched).items()}}

    numbers = {"difference": worst(found["difference"] for found in truths.values()),
               "share": np.median(truths[L5]["share"]),
               "spread": {way: np.median(spreads(of_way[50])) for way, of_way in errors.items()},
               "bias": {k: error.mean() for k, error in errors["encoder"].items()},
               "excess": worst(error.mean() / standard_error(error) for error in errors["encoder"].values()),
               "miss": np.median(np.abs(errors["encoder"][5_000])),
               "short": -np.median(others[f"prior, {MANY}"][5_000]),
               "gain": (log_p[L5] - log_p[ELBO]).mean()}
    bounds = {name: bounds_of(run, model, test) for name, model in ((ELBO, plain), (L5, weighted))}
    run.note(**numbers, gain_error=standard_error(log_p[L5] - log_p[ELBO]), bounds=bounds,
             log_p={name: found.mean() for name, found in log_p.items()},
             narrow={"miss": np.median(np.abs(others["narrow"][5_000])),
                     "bias": {k: error.mean() for k, error in others["narrow"].items()}})
    judge(run.claim, **numbers)
    draw_estimates(run, errors, others)
    typical = np.argsort(truths[L5]["share"][:len(watched)])[len(watched) // 2]
    draw_plane(run, weighted, watched[typical : typical + 1])
    draw_bounds(run, bounds, {name: found.mean() for name, found in log_p.items()})


def trained(run, x, kind, latent, samples):
    """A model of that class, with the initial weights and the order of batches that the others have."""
    networks = models.dense_networks(x.shape[1:], HIDDEN, latent, run.rng("weights"), statistics=2)
    model = kind(*networks, latent, samples=samples)
    run.fit(model, x, lr=optim.one_cycle(5e-3),
            what=f"{kind.__name__}, {latent} latent dimensions, K = {samples}")
    return model


# --- the truth -----------------------------------------------------------------------------------

def checkered_grid(step):
    """The points z of a square grid, as the fields of a chessboard, black and white; the area of one."""
    i, j = np.indices((2 * round(LIMIT / step) + 1,) * 2).reshape(2, -1)
    z = (np.stack([i, j], axis=1) * step - LIMIT).astype(np.float32)
    return [z[(i + j) % 2 == colour] for colour in (0, 1)], step**2


def truth(run, model, x, halves, area):
    """ln p(x) of each image, the effective share of draws from the prior, and how the halves of the grid differ.

    Of draws with the weights w so many count as (Σ w)² / Σ w²; of draws from the prior w = p(x | z), and
    their share is p(x)² / ∫ p(x | z)² p(z) dz.
    """
    of_halves = np.array([log_integrals(run, model, x, half, 2 * area) for half in halves])
    log_p, log_square = log_mean_exp(of_halves)
    return {"log_p": log_p, "share": np.exp(2 * log_p - log_square),
            "difference": np.abs(of_halves[0, 0] - of_halves[1, 0]).mean()}


def log_integrals(run, model, x, z, area):
    """ln ∫ p(x | z) p(z) dz and ln ∫ p(x | z)² p(z) dz as sums over points z with so much area each: (2, N)."""
    sums = []
    for part in np.array_split(z, math.ceil(len(z) / 5_000)):
        log_like = log_likelihood(run, model, part, x)
        log_prior = -(part**2).sum(axis=1, keepdims=True) / 2 - math.log(2 * math.pi)
        sums.append([log_mean_exp(power * log_like + log_prior) + math.log(len(part)) for power in (1, 2)])
    return log_mean_exp(np.array(sums)) + math.log(len(sums) * area)


def log_likelihood(run, model, z, x):
    """ln p(x | z) = Σ x l - ln(1 + eˡ) with the logits l of z, for every z and every x: (Z, N)."""
    columns = run.tensor(x.reshape(len(x), -1).T)

    def of_all_images(z):
        logits = ops.reshape(model.decoder(z), shape=(len(z), -1))
        return logits @ columns - ops.sum(ops.softplus(logits), axis=1, keepdims=True)

    return run.apply(of_all_images, z)


def log_mean_exp(a):
    """ln of the mean of eᵃ over the first axis, with the largest a taken out."""
    top = a.max(axis=0)
    return top + np.log(np.exp(a - top).mean(axis=0, dtype=np.float64))


# --- the estimates -------------------------------------------------------------------------------

def errors_of_estimates(run, model, x, log_p=None):
    """{way: {K: estimates of ln p(x) less the truth, (repetitions, N)}} by the prior and by the encoder.

    Without the truth the mean of the encoder's estimates with the most draws stands in for it.
    """
    z = run.rng("prior").standard_normal((run.pick(50_000, 5_000), model.latent), dtype=np.float32)
    noise = run.noise("encoder")
    log_w = {"prior": log_likelihood(run, model, z, x),
             "encoder": np.concatenate([run.apply(lambda x: model.log_weights(x, 100, noise), x)
                                        for _ in range(run.pick(100, 50))])}
    estimates = {way: {k: estimates_of(w, k) for k in DRAWS} for way, w in log_w.items()}
    if log_p is None:
        log_p = estimates["encoder"][DRAWS[-1]].mean(axis=0)
    return {way: {k: found - log_p for k, found in of_way.items()} for way, of_way in estimates.items()}


def estimates_of(log_w, k):
    """Estimates of ln p(x) with k draws each, (repetitions, N), from many weights (draws, N)."""
    groups = log_w[: len(log_w) // k * k].reshape(-1, k, log_w.shape[1])
    return log_mean_exp(groups.swapaxes(0, 1))


def spreads(errors):
    """The standard deviation over repetitions, for each digit."""
    return errors.std(axis=0, ddof=1)


def standard_error(values):
    return values.std(ddof=1) / math.sqrt(values.size)


def bounds_of(run, model, x):
    """{K: the bound L_K, averaged over the digits}."""
    noise = run.noise("bounds")
    log_w = run.apply(lambda x: ops.transpose(model.log_weights(x, 50, noise)), x, batch=20).T
    return {k: float(estimates_of(log_w, k).mean()) for k in (1, 5, 50)}


def judge(claim, difference, share, spread, bias, excess, miss, short, gain):
    claim("intractable", "estimating p(x) by draws from the prior has too high a variance",
          "standard deviation of ln p(x) estimated from 50 draws, median over digits, in nats:", spread["prior"],
          at_least=1)
    claim("intractable.share", "because few of the draws explain the image",
          "effective share of draws from the prior, median over digits:", share, at_most=0.01)
    claim("intractable.dimensions", "with more latent dimensions even many draws fall short",
          f"how far 5,000 draws stay below the encoder's estimate, {MANY} dimensions, median, in nats:", short,
          at_least=5)
    claim("intractable.encoder", "estimates by draws from the encoder vary far less",
          "standard deviation with 50 draws from the prior, relative to 50 from the encoder:",
          spread["prior"] / spread["encoder"], at_least=5)
    claim("intractable.truth", "and find ln p(x)",
          "distance of 5,000 draws from the sum over a grid, median over digits, in nats:", miss, at_most=0.05)
    claim("intractable.grid", "a finer grid would not change that sum",
          "difference of its black and white fields, averaged over digits, in nats:", difference, at_most=0.01)
    claim("intractable.below", "the expectation of the encoder's estimates is a lower bound",
          "largest mean excess over ln p(x), in standard errors:", excess, at_most=4)
    claim("intractable.tighter", "which rises to ln p(x) with the number of draws",
          "gap that is left with 50 draws, relative to the ELBO's:", bias[50] / bias[1], at_most=0.2)
    claim("intractable.iwae", "training on the tighter bound makes a better model",
          "held-out ln p(x) with L₅ less that with the ELBO, in nats:", gain, at_least=0.25)


def draw_estimates(run, errors, others):
    """The typical error of the estimates over the number of draws, with two latent dimensions and with many.

    An encoder is named with the bound that its model was trained on.
    """
    off = {way: np.median(np.abs(of_way[50])) for way, of_way in errors.items()}
    fig = figures.figure(12, 4.8, f"With 50 draws from the prior ln p(x) is off by {off['prior']:.1f} nats, with as "
                         f"many from the encoder by {off['encoder']:.2f} (medians, two dimensions)")
    panels = {"two latent dimensions, the truth from a grid": {
                  ("prior", 6): errors["prior"], ("encoder, L₅", 0): errors["encoder"],
                  ("encoder, ELBO", 2): others["narrow"]},
              f"{MANY} dimensions, in place of the truth the encoder's mean": {
                  ("prior", 6): others[f"prior, {MANY}"], ("encoder, ELBO", 2): others[f"encoder, {MANY}"]}}
    for axes, (title, lines) in zip(fig.subplots(1, 2, sharey=True), panels.items()):
        axes.set(xscale="log", yscale="log", xlabel="K, the number of draws")
        ends = []
        for (name, colour), of_way in lines.items():
            low, middle, high = (np.maximum([np.quantile(np.abs(e), q) for e in of_way.values()], 1e-3)
                                 for q in (0.25, 0.5, 0.75))
            axes.fill_between(DRAWS, low, high, color=figures.COLOURS[colour], alpha=0.15, linewidth=0)
            axes.plot(DRAWS, middle, "o-", color=figures.COLOURS[colour], linewidth=2)
            ends.append((DRAWS[-1], middle[-1], name, figures.COLOURS[colour]))
        figures.name_ends(axes, ends)
        axes.set_xticks(DRAWS, [f"{k:,}" for k in DRAWS])
        axes.set_yticks((0.01, 0.1, 1, 10, 100), ("0.01", "0.1", "1", "10", "100"))
        axes.minorticks_off()
        axes.set_title(title, fontsize=11)
        axes.grid(alpha=0.3)
    fig.axes[0].set_ylabel("|estimate − ln p(x)| (nats),\nmedian and quartiles")
    run.save(fig, "estimates.png", "errors of estimates of ln p(x) over the number of draws, from the prior "
             "and from encoders: left with two latent dimensions, right with ten")


def draw_plane(run, model, x):
    """Where draws of the prior fall and where the posterior of one image is; and that posterior from near."""
    q = model.encode(run.tensor(x))
    mean, reach = q.mean.numpy()[0], math.sqrt(6) * np.exp(q.log_var.numpy()[0] / 2)  # 95% of q
    draws = run.rng("plane").standard_normal((500, 2), dtype=np.float32)
    near = 1.5 * reach.max()
    side = np.linspace(-near, near, 120, dtype=np.float32)
    z = mean + np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    heights = [log_likelihood(run, model, at, x)[:, 0] - (at**2).sum(axis=1) / 2 for at in (z, draws)]
    likely, hits = (height > heights[0].max() - 3 for height in heights)  # 95% of a two-dimensional Gaussian

    fig = figures.figure(
        11, 5.4, f"Of 500 draws from the prior {hits.sum() or 'none'} fall where z explains this digit")
    left, right = fig.subplots(1, 2)
    angle = np.linspace(0, 2 * np.pi, 100)
    for axes, size in ((left, 1), (right, 7)):
        axes.scatter(*z[likely].T, s=size, marker="s", linewidths=0, color=figures.COLOURS[5],
                     label="p(z | x), within 3 nats of its peak")
        axes.plot(*draws.T, ".", color=figures.COLOURS[9], markersize=4, label="draws from the prior")
        axes.plot(mean[0] + reach[0] * np.cos(angle), mean[1] + reach[1] * np.sin(angle), linewidth=1.5,
                  color=figures.COLOURS[0], label="q(z | x), the same")
        axes.set(xlabel="z₁", ylabel="z₂", aspect="equal")
    left.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
    right.set(xlim=mean[0] + np.array([-near, near]), ylim=mean[1] + np.array([-near, near]))
    figures.show_images(left.inset_axes((0.02, 0.78, 0.2, 0.2)), x, 1)
    left.set_title("the latent plane, and the digit x", fontsize=11)
    right.set_title("the posterior from near", fontsize=11)
    right.legend(fontsize=9, loc="upper right")
    run.save(fig, "plane.png", "left: draws from the prior over the latent plane, and the posterior of a "
             "digit; right: the posterior from near, with the encoder's ellipse")


def draw_bounds(run, bounds, log_p):
    """The bound over the number of draws for both models, and where it leads."""
    (plain, better), (elbo, elbo_of_better) = ([figures.number(value, ".1f") for value in of_models] for of_models in (
        (log_p[ELBO], log_p[L5]), (bounds[ELBO][1], bounds[L5][1])))
    fig = figures.figure(8.5, 4.8, f"Held-out ln p(x): {better} nats after training on L₅, {plain} after the ELBO;\n"
                         f"the ELBO itself, L₁: {elbo_of_better} against {elbo}")
    axes = fig.subplots()
    for (name, of_model), colour in zip(bounds.items(), (2, 0)):
        axes.plot(range(len(of_model)), list(of_model.values()), "o-", color=figures.COLOURS[colour], linewidth=2,
                  label=name)
        axes.axhline(log_p[name], color=figures.COLOURS[colour], linestyle="--", linewidth=1.5,
                     label=f"its ln p(x): {figures.number(log_p[name], '.1f')}")
    axes.set_xticks(range(len(of_model)), ("L₁", "L₅", "L₅₀"))
    axes.set(ylabel="nats per held-out digit")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    run.save(fig, "bounds.png", "the bounds for 1, 5 and 50 draws of two models, and dashed lines at their "
             "ln p(x)")
