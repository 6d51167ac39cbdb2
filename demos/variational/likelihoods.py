"""A decoder is a distribution: -ln p(x | z) is the loss, and a learned variance is the mean squared error.

The lectures: encoder and decoder are distributions, and training minimises -ln p_decoder(x | h). The same
variational autoencoder is trained with four of them. Written out, for D pixels,

    Bernoulli                   -Σ x ln p + (1 - x) ln(1 - p)             cross-entropy
    Gaussian of variance 1      ½ Σ (x - m)² + ½ D ln 2π                  squared error
    one learned variance        ½ Σ (x - m)² / σ² + ½ D ln 2πσ²           σ² weighs it against the KL
    one for each pixel          ½ Σ (x - m)² / σⱼ² + ½ Σ ln 2πσⱼ²

At the optimum the derivative in ln σ² is 0, so that σ² is the mean of (x - m)²: measured on the training
images, with z drawn from q, for one variance and pixel by pixel. Measured too is what the variance does to
the code, and how much further from the image a draw of x from p(x | z) is than its mean.

Two warnings. The density of a pixel that is always 0 has no upper bound: variances are kept above a floor,
σ = 0.01, and pixels that are hardly ever lit, whose variances still fall when training ends, are not judged.
And a Bernoulli is a distribution of zeros and ones: as a density of grey pixels it has at most half the mass
it should have, so that its nats cannot be compared with the Gaussians'. As a loss it is sound: it is least
where p = x.
"""

import math

import numpy as np

from demos import figures
from demos.measures import squared_error, worst
from tinyae import Tensor, models, nn, ops, optim, training
from tinyae.distributions import Bernoulli, Gaussian

LECTURES = "L1 L3"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 15, "mnist": 15}
LATENT, HIDDEN, FLOOR = 16, 200, 1e-4
LIT = 0.05  # pixels whose mean over the images is at least this are judged: others hardly ever vary
BERNOULLI, FIXED, ONE, EACH = "Bernoulli", "Gaussian, variance 1", "one learned variance", "one for each pixel"
WAYS = (BERNOULLI, FIXED, ONE, EACH)


def main(run):
    digits = run.images(train=10_000, test=2_000)
    trained = {name: fit(run, name, digits) for name in WAYS}
    held_out = {name: measured(run, model, digits.test) for name, model in trained.items()}
    lit = digits.train.mean(axis=0) >= LIT
    learned = {name: variance(trained[name]) for name in (ONE, EACH)}
    found = {name: mean_square(run, trained[name], digits.train) for name in (ONE, EACH)}
    logits = np.linspace(-12, 12, 241)

    numbers = {"written_out": departure(run.rng("losses"), digits.test[:20]),
               "one": learned[ONE].item() / found[ONE].mean() - 1,
               "each": float(np.sqrt((np.log(learned[EACH] / found[EACH])[lit] ** 2).mean())),
               "errors": {name: about["mean"] for name, about in held_out.items()},
               "draws": {name: about["draw"] / about["mean"] for name, about in held_out.items()},
               "outcomes": float(np.abs(of_outcomes(logits) - 1).max()), "grey": float(mass(logits).max())}
    run.note(**numbers, held_out=held_out, deviation=math.sqrt(learned[ONE].item()),
             judged_pixels=int(lit.sum()), cross_entropy_of_a_perfect_copy=entropy(digits.test))
    judge(run.claim, **numbers)
    draw_variances(run, learned, found, lit, held_out)
    draw_draws(run, trained, digits.test[:8])
    draw_grey(run, logits)


class LearnedVariance(nn.Module):
    """The likelihood N(mean, σ²), σ² = exp(θ) + floor, whose θ is a parameter: one, or one for each pixel."""

    def __init__(self, shape, start):
        self.theta = Tensor(np.full(shape, np.log(start)), requires_grad=True)

    def __call__(self, mean):
        return Gaussian(mean, ops.log(ops.exp(self.theta) + FLOOR))


def likelihood(name, images):
    """That distribution, a function of the decoder's output. A learned variance starts as that of the images.

    That is the error of the mean image. Adam moves θ by no more than the learning rate in a step, and
    from σ = 1 the way to the optimum would be longer than the training. Pixels start alike: each from
    its own variance, those that hardly vary outweigh the others, and the code ends up telling of them alone.
    """
    start = images.var(axis=0).mean()
    return {BERNOULLI: Bernoulli, FIXED: Gaussian, ONE: LearnedVariance((), start),
            EACH: LearnedVariance(images.shape[1:], start)}[name]


def fit(run, name, digits):
    """A variational autoencoder with that likelihood, which is trained with the rest.

    The gradient in ln σ² is hundreds of times larger at the beginning than at the end. Adam is to forget
    it within a hundred steps (β₂ = 0.99): within a thousand, σ² would lag behind the error to the end.
    """
    networks = models.dense_networks(digits.shape, HIDDEN, LATENT, run.rng("weights"), statistics=2)
    model = models.VariationalAutoencoder(*networks, LATENT, likelihood=likelihood(name, digits.train))
    run.say(f"{name}:")
    adam = optim.Adam(model.to(run.device).parameters(), optim.falling(4e-3, 1e-3), betas=(0.9, 0.99))
    training.fit(model, adam, digits.train, epochs=run.epochs, batch_size=100, rng=run.rng("training"))
    return model


def variance(model):
    """What it has learned: σ², or one for each pixel."""
    return np.exp(model.likelihood.theta.numpy().astype(np.float64)) + FLOOR


def mean_square(run, model, images, draws=2):
    """The mean over the images, and over draws of z from q, of (x - m)², for each pixel."""
    rng, total = run.noise("z"), 0
    for _ in range(draws):
        means = run.apply(lambda x: model.decode(model.encode(x).sample(rng)).mean, images)
        total = total + ((images - means).astype(np.float64) ** 2).mean(axis=0) / draws
    return total


def measured(run, model, images):
    """The bound and its terms in nats; the squared error of the mean of p(x | z) and of a draw, z from q."""
    rng = run.noise("draws")

    def mean_and_draw(x):
        p = model.decode(model.encode(x).sample(rng))
        return ops.stack([p.mean, p.sample(rng)], axis=1)

    both, terms = run.apply(mean_and_draw, images), training.evaluate(model, images, run.noise("evaluation"))
    return {"elbo": -terms["loss"], "kl": terms["kl"], "mean": squared_error(both[:, 0], images),
            "draw": squared_error(both[:, 1], images)}


# --- the losses, written out ---------------------------------------------------------------------

def written_out(name, output, x, var):
    """-ln p(x | z), averaged over the images, in NumPy; var is σ², or one for each pixel."""
    if name == BERNOULLI:
        p = 1 / (1 + np.exp(-output))
        return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum() / len(x)
    squares, count = ((x - output) ** 2).sum(axis=0) / len(x), x[0].size
    if name == FIXED:
        return squares.sum() / 2 + count / 2 * math.log(2 * math.pi)
    if name == ONE:
        return squares.sum() / 2 / var + count / 2 * math.log(2 * math.pi * var)
    return (squares / var).sum() / 2 + np.log(2 * math.pi * var).sum() / 2


def departure(rng, images):
    """The largest relative difference of a distribution's nll from the loss written out, in float64."""
    x, output, apart = images.astype(np.float64), rng.standard_normal(images.shape), []
    for name in WAYS:
        kind = likelihood(name, x)
        var = np.exp(kind.theta.numpy()) + FLOOR if name in (ONE, EACH) else None
        nll = kind(Tensor(output)).nll(Tensor(x)).item()
        apart.append(abs(nll / written_out(name, output, x, var) - 1))
    return worst(apart)


# --- what a Bernoulli is -------------------------------------------------------------------------

def probability(logits, x):
    """exp(ln p(x)) of the library's Bernoulli, for each pair of a logit and an x."""
    pairs = np.broadcast_arrays(logits[:, None], x)
    log_p = Bernoulli(Tensor(pairs[0].reshape(-1, 1))).log_prob(Tensor(pairs[1].reshape(-1, 1)))
    return np.exp(log_p.numpy()).reshape(pairs[0].shape)


def of_outcomes(logits):
    """p(0) + p(1)."""
    return probability(logits, np.array([0.0, 1.0])).sum(axis=1)


def mass(logits, n=2000):
    """∫ p(x) dx over the greys from 0 to 1, by Simpson's rule; it is (2p - 1) / ln(p / (1 - p))."""
    weights = np.array([1, *[4, 2] * (n // 2 - 1), 4, 1]) / (3 * n)
    return probability(logits, np.linspace(0, 1, n + 1)) @ weights


def entropy(images):
    """What the cross-entropy is for p = x, in nats per image: not 0, for grey pixels."""
    x = np.clip(images.astype(np.float64), 1e-12, 1 - 1e-12)
    return float(-(x * np.log(x) + (1 - x) * np.log(1 - x)).sum() / len(x))


def judge(claim, written_out, one, each, errors, draws, outcomes, grey):
    claim("stochastic", "a decoder's -ln p(x | z) is the loss: cross-entropy, squared error and their kin",
          "largest relative difference from the losses written out:", written_out, at_most=1e-12)
    claim("stochastic.variance", "a learned variance is the mean squared error of the reconstruction",
          "relative difference of the two:", abs(one), at_most=0.05)
    claim("stochastic.pixels", "and one for each pixel is the mean squared error of that pixel",
          "root mean square of the logarithm of their ratio:", each, at_most=0.1)
    claim("stochastic.sharper", "a variance of 1 is far too large, and the code then keeps too little",
          "held-out squared error with one learned variance, relative to that with variance 1:",
          errors[ONE] / errors[FIXED], at_most=0.8)
    # ‖x - draw‖² = ‖x - m‖² + D σ² on average, and D σ² is ‖x - m‖² where σ² is learned.
    claim("stochastic.draw", "with the variance learned, a draw from p(x | z) has twice the squared error of its mean",
          "distance of the ratio of the two squared errors from 2:", abs(draws[ONE] - 2), at_most=0.2)
    claim("stochastic.noise", "with variance 1 a draw drowns in noise",
          "squared error of a draw, relative to that of the mean:", draws[FIXED], at_least=10)
    claim("stochastic.outcomes", "a Bernoulli is a distribution of zeros and ones",
          "largest distance of p(0) + p(1) from 1:", outcomes, at_most=1e-12)
    claim("stochastic.grey", "and no density of grey pixels", "largest mass between 0 and 1:", grey,
          at_most=0.5 + 1e-9)


def draw_variances(run, learned, found, lit, held_out):
    """Learned variances against mean squared errors, a picture of them, and what they do to the code."""
    fig = figures.figure(13, 4.8, f"A learned variance is {learned[ONE].item() / found[ONE].mean():.2f} times the mean "
                         f"squared error;\nwith it the code holds {held_out[ONE]['kl']:.0f} nats (the KL term), "
                         f"with variance 1 {held_out[FIXED]['kl']:.0f}")
    left, middle, right = fig.subplots(1, 3, width_ratios=(1.1, 0.9, 1.1))
    left.plot([FLOOR, 0.3], [FLOOR, 0.3], color=figures.COLOURS[9], linewidth=1.5, label="equal")
    for chosen, name, colour in ((lit, "a pixel", 0), (~lit, "one that is hardly ever lit,\nstill falling", 1)):
        left.scatter(found[EACH][chosen], learned[EACH][chosen], s=9, color=figures.COLOURS[colour],
                     linewidths=0, label=name)
    left.plot(found[ONE].mean(), learned[ONE].item(), "*", color=figures.COLOURS[7], markersize=16,
              label="one variance for all")
    left.set(xscale="log", yscale="log", xlabel="mean of (x − m)²", ylabel="learned σ²", xlim=(1e-6, 0.5))
    left.grid(alpha=0.3)
    left.legend(fontsize=9)
    shown = middle.imshow(np.sqrt(learned[EACH][..., 0]), cmap="viridis")
    middle.set(xticks=[], yticks=[])
    middle.set_title("σ of each pixel", fontsize=11)
    fig.colorbar(shown, ax=middle, shrink=0.8)
    for i, (key, name, colour) in enumerate((("mean", "squared error", 0), ("kl", "KL(q ‖ N(0, I)), nats", 5))):
        bars = right.barh(np.arange(4) + 0.4 * i - 0.2, [held_out[way][key] for way in WAYS], 0.38,
                          color=figures.COLOURS[colour], label=name)
        right.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
    # Nats of a density, which the Bernoulli's are not.
    nats = ["", *(f"\nELBO {figures.number(held_out[way]['elbo'], '.0f')}" for way in (FIXED, ONE, EACH))]
    right.set_yticks(range(4), [way + more for way, more in zip(WAYS, nats)])
    right.invert_yaxis()
    right.margins(x=0.15)
    right.set_title("held-out images", fontsize=11)
    right.legend(fontsize=9)
    run.save(fig, "variances.png", "left: learned variances of pixels against their mean squared errors, "
             "and the line on which they are equal; middle: a map of them; right: bars of squared error and "
             "KL for four likelihoods")


def draw_draws(run, trained, images):
    """Means and draws of p(x | z) for each likelihood."""
    fig = figures.figure(12, 3.8, "The mean of p(x | z) is what is usually shown; a draw has all the noise "
                         "that the likelihood claims")
    rng = run.noise("shown")
    codes = {name: run.apply(lambda x: model.encode(x).mean, images) for name, model in trained.items()}
    for axes, title, of in zip(fig.subplots(1, 2), ("mean of p(x | z)", "a draw of x from p(x | z)"),
                               (lambda p: p.mean, lambda p: p.sample(rng))):
        rows = [run.apply(lambda z: of(model.decode(z)), codes[name]) for name, model in trained.items()]
        figures.show_images(axes, np.concatenate([images, *rows]), columns=len(images), title=title)
        tall = images.shape[1] + 1
        axes.set_yticks([tall * (i + 0.5) for i in range(5)], ["held-out x", *trained])
        axes.tick_params(length=0)
    run.save(fig, "draws.png", "held-out digits, and below them their reconstructions by four likelihoods: "
             "left the means, right draws")


def draw_grey(run, logits):
    """The Bernoulli's p(x) between 0 and 1, and its mass."""
    fig = figures.figure(10, 4, "A Bernoulli is no density of grey pixels: its mass is at most one half")
    left, right = fig.subplots(1, 2)
    x = np.linspace(0, 1, 101)
    series = {f"p = {p:g}": probability(np.log([p / (1 - p)]), x)[0] for p in (0.01, 0.2, 0.5, 0.9)}
    figures.curves(left, x, series, marker=None)
    left.set(xlabel="grey x", ylabel="pˣ (1 − p)¹⁻ˣ", ylim=(0, 1.02), xlim=(0, 1))
    right.plot(1 / (1 + np.exp(-logits)), mass(logits), color=figures.COLOURS[0], linewidth=2)
    right.axhline(1, color="black", linestyle=":")
    right.annotate("a density has 1", (0.5, 1), (0, -14), textcoords="offset points", ha="center")
    right.set(xlabel="p", ylabel="mass between x = 0 and 1", ylim=(0, 1.05), xlim=(0, 1))
    right.grid(alpha=0.3)
    run.save(fig, "grey.png", "left: the Bernoulli's p(x) over grey values, for four p; right: its integral over "
             "them, nowhere above one half")
