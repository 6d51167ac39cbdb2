"""KL alone collapses the code, reconstruction alone leaves the prior: a VAE needs the balance of both.

The lecture shows the latent plane of three trainings: with the KL term alone, with the reconstruction
alone, and with both, which fills the prior. Measured is how well codes drawn from q(z | x) and draws
of the prior mix: how often the nearest neighbour of one is of the other, ½ where both come from one
density. Both terms together come near it: each q(z | x) pays for its distance from the prior, but their
sum keeps a dense middle and arms that reach out of the circle. Draws of the prior decode to digits as
clear with reconstruction alone as with both, since two numbers are so few that a decoder has a digit for
any; but most codes lie where no draw falls.

A term that weighs too much switches off latent dimensions: q(z | x) becomes the prior there, whatever
x is (posterior collapse). For a linear VAE the outcome is known (Lucas, Tucker, Grosse and Norouzi 2019,
with the weight β in the place of σ²): dimension i stays active if the data's principal variance λᵢ
is larger than β, and the variance of its code over the data is then 1 - β / λᵢ. A decoder that needs no
code to model the data makes it superfluous, too (Chen et al. 2017): in sequences of coins, each like the
one before with probability 0.9, a decoder that sees the coin before knows ln p(x) exactly. Warm-up, a
weight that rises from 0 to 1 over the first third of the training, delays the collapse here and does not
prevent it.
"""

import math

import numpy as np

from demos import figures, recipes
from demos.measures import clear, mixing, pca, ratio, worst
from tinyae import Tensor, distributions, models, nn, optim, training

LECTURES = "L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 15, "mnist": 15}
# The weight of the KL term; with the largest, the reconstruction does not count.
BALANCES = {"KL alone": 1e4, "reconstruction alone": 0.0, "both": 1.0}
CIRCLE = math.sqrt(2 * math.log(20))  # holds 95% of N(0, I) in the plane
LATENT = 10  # in the linear models
ACTIVE = 0.01  # variance of a code above which its dimension counts as active (Burda et al. 2016)
LENGTH, STAY = 20, 0.9  # of the sequences; how often a coin is like the one before
CODE = 5  # latent dimensions for them


def main(run):
    digits = run.images(train=10_000, test=2_000)
    planes = {name: look_at_plane(run, digits, beta) for name, beta in BALANCES.items()}

    # A rotation changes nothing in a linear model, and ten axes are all that it can use: thirty are enough.
    mean, axes = pca(digits.train[:5_000], 30)
    vectors = ((digits.vectors()[0][:5_000] - mean) @ axes).astype(np.float32)
    variances = vectors.var(axis=0)[:LATENT]
    betas = variances[0] * np.array([2, 1 / 2, 1 / 4, 1 / 8, 1 / 16])
    spreads = {beta: linear_spreads(run, vectors, beta) for beta in betas}

    train, test = (sequences(n, run.rng(name))
                   for name, n in (("train", run.pick(20_000, 1_000)), ("test", 5_000)))
    courses = {(decoder, warmup): course(run, train, test, decoder, warmup)
               for decoder in DECODERS for warmup in (False, True)}

    numbers = {"planes": {name: plane["numbers"] for name, plane in planes.items()},
               "linear": worst(np.abs(found - predicted(variances, beta)).max() for beta, found in spreads.items()),
               "silent": spreads[betas[0]].max(),
               "ends": {decoder + warmup * " with warm-up": found[-1]
                        for (decoder, warmup), found in courses.items()},
               "truth": log_p(test).mean()}
    run.note(**numbers)
    judge(run.claim, **numbers)
    draw_planes(run, digits, planes)
    draw_linear(run, variances, spreads)
    draw_courses(run, courses)


def look_at_plane(run, digits, beta):
    """Codes of held-out digits in a plane, drawn from q(z | x), and what draws of the prior decode to."""
    epochs = run.epochs if beta < 100 else math.ceil(run.epochs / 5)  # the collapse is quick
    model, _ = recipes.digits_vae(run, digits, hidden=recipes.DEEP, beta=beta, epochs=epochs)
    noise = run.noise("codes")
    codes = run.apply(lambda x: model.encode(x).sample(noise), digits.test)
    kl = training.evaluate(model, digits.test, run.noise("evaluation"))["kl"]
    z = run.rng("prior").standard_normal((1000, 2), dtype=np.float32)
    samples = run.apply(lambda z: model.decode(z).mean, z)
    is_clear, shown = clear(samples, digits.train, digits.train_labels)
    of_real = clear(digits.test[:1000], digits.train, digits.train_labels)[0].mean()
    return {"codes": codes, "samples": samples, "numbers": {
        "kl": kl, "mixed": mixing(codes[:1000], z[: len(codes)]),
        "inside": float((np.hypot(*codes.T) < CIRCLE).mean()), "clear": ratio(is_clear.mean(), of_real),
        "kinds": int((np.bincount(shown[is_clear], minlength=10) >= 10).sum())}}


# --- a weight that is too large, where the outcome is known -------------------------------------

def predicted(variances, beta):
    """The variance of each code over the data at the optimum of a linear VAE: 1 - β / λ, if that is positive."""
    return np.maximum(1 - beta / variances, 0)


def linear_spreads(run, x, beta):
    """The variances of the codes of a trained linear VAE, the largest first."""
    size, rng = x.shape[1], run.rng("linear weights")
    model = models.VariationalAutoencoder(
        nn.mlp(size, 2 * LATENT, rng=rng), nn.mlp(LATENT, size, rng=rng), LATENT,
        likelihood=distributions.SquaredError, beta=beta)
    # Large rates first: which way the code's axes point within their span matters little to the loss.
    run.fit(model, x, lr=optim.falling(0.1, 0.03, 0.01, 0.003, parts=4), epochs=run.pick(100, 4),
            batch_size=250, silent=True)
    return np.sort(code_variances(run, model, x))[::-1]


def code_variances(run, model, x):
    """The variance over the data of each dimension of the mean of q(z | x)."""
    return run.apply(lambda x: model.encode(x).mean, x).var(axis=0)


# --- a decoder that is too strong, where ln p(x) is known ---------------------------------------

def sequences(n, rng):
    """Sequences of 0 and 1, each like the one before with the probability STAY: (n, LENGTH)."""
    changes = rng.random((n, LENGTH)) < np.where(np.arange(LENGTH) == 0, 0.5, 1 - STAY)
    return (changes.cumsum(axis=1) % 2).astype(np.float32)


def log_p(x):
    """ln p(x) of each sequence."""
    changes = (x[:, 1:] != x[:, :-1]).sum(axis=1)
    return math.log(0.5) + changes * math.log(1 - STAY) + (LENGTH - 1 - changes) * math.log(STAY)


class Autoregressive(models.VariationalAutoencoder):
    """A VAE whose decoder also sees the numbers before each one: p(x | z) = Π p(xᵢ | x₁ ... xᵢ₋₁, z)."""

    def __init__(self, encoder, decoder, latent):
        super().__init__(encoder, decoder, latent)
        self.weight = Tensor(np.zeros((LENGTH, LENGTH), np.float32), requires_grad=True)
        self.before = Tensor(np.triu(np.ones((LENGTH, LENGTH), np.float32), 1))  # 1 where row i is before column j

    def elbo(self, x, rng):
        q = self.encode(x)
        logits = self.decoder(q.sample(rng)) + x @ (self.weight * self.before)
        return models.Elbo(distributions.Bernoulli(logits).nll(x), q.kl())


DECODERS = {"weak decoder": models.VariationalAutoencoder, "strong decoder": Autoregressive}


def course(run, train, test, decoder, warmup):
    """After each epoch the held-out KL term and ELBO in nats, and the number of active dimensions."""
    networks = models.dense_networks((LENGTH,), 64, CODE, run.rng("weights"), statistics=2)
    model, found, epochs = DECODERS[decoder](*networks, CODE), [], run.pick(24, 4)
    model.to(run.device)
    adam, rng = optim.Adam(model.parameters(), 2e-2), run.rng("training")
    for epoch in range(epochs):
        model.beta = min(1.0, 3 * epoch / epochs) if warmup else 1.0
        run.fit(model, train, optimizer=adam, epochs=1, rng=rng, silent=True)
        now = training.evaluate(model, test, run.noise("evaluation"))
        found.append({"kl": now["kl"], "elbo": -now["reconstruction"] - now["kl"],
                      "active": int((code_variances(run, model, test) > ACTIVE).sum())})
    return found


def judge(claim, planes, linear, silent, ends, truth):
    both, alone = planes["both"], planes["reconstruction alone"]
    claim("vae-balance", "both terms together fill the prior, reconstruction alone does not",
          "share of codes and draws of the prior whose nearest is of the other kind, with both terms less without KL:",
          both["mixed"] - alone["mixed"], at_least=0.1)
    claim("vae-balance.outside", "without the KL term codes lie where the prior is not",
          "share of the codes in the circle that holds 95% of the prior:", alone["inside"], at_most=0.5)
    claim("vae-balance.kl", "the KL term alone collapses the code", "KL(q(z | x) ‖ N(0, I)), in nats:",
          planes["KL alone"]["kl"], at_most=0.01)
    claim("vae-balance.clear", "with both, draws of the prior decode into digits",
          "share of clear digits among samples, relative to held-out digits:", both["clear"], at_least=0.5)
    claim("vae-balance.weight", "the weight decides which dimensions stay active",
          "largest distance of a linear VAE's code variance from 1 - β / λ, or 0 where that is negative:", linear, at_most=0.1)
    claim("vae-balance.silent", "with too large a weight none does", "largest variance of a code at β = 2 λ₁:",
          silent, at_most=ACTIVE)
    claim("vae-balance.code", "a weak decoder needs the code", "its KL term, in nats:", ends["weak decoder"]["kl"],
          at_least=1)
    claim("vae-balance.decoder", "a decoder that is too strong leaves the code unused", "its KL term, in nats:",
          ends["strong decoder"]["kl"], at_most=0.1)
    claim("vae-balance.exact", "as it knows ln p(x) without it", "distance of its ELBO from ln p(x), in nats:",
          abs(ends["strong decoder"]["elbo"] - truth), at_most=0.1)
    claim("vae-balance.warm-up", "warm-up does not save the code", "the strong decoder's KL term with it, in nats:",
          ends["strong decoder with warm-up"]["kl"], at_most=0.1)


def draw_planes(run, digits, planes):
    """The three scatter plots with the prior's circle, and above what draws of the prior decode to."""
    alone, without, both = (planes[name]["numbers"] for name in BALANCES)
    fig = figures.figure(13, 7.1, f"Codes and draws of the prior mix (½ at best) to {both['mixed']:.2f} with both "
                         f"terms, to {without['mixed']:.2f} by reconstruction alone;\nby KL alone to "
                         f"{alone['mixed']:.2f}, but then the code holds {alone['kl']:.1f} nats (the KL term), "
                         f"with both terms {both['kl']:.1f}")
    angle = np.linspace(0, 2 * np.pi, 200)
    for (name, plane), (top, bottom) in zip(planes.items(), fig.subplots(2, 3, height_ratios=(2.6, 1)).T):
        numbers = plane["numbers"]
        figures.scatter_codes(top, plane["codes"], digits.test_labels,
                              f"{name}: KL {numbers['kl']:.1f} nats, mixing {numbers['mixed']:.2f}")
        top.plot(CIRCLE * np.cos(angle), CIRCLE * np.sin(angle), color="black", linewidth=2)
        reach = max(3.5, 1.05 * np.quantile(np.abs(plane["codes"]), 0.999))
        top.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        figures.show_images(bottom, plane["samples"][:30], 10, "draws of the prior, decoded")
    run.save(fig, "planes.png", "codes of held-out digits in three latent planes with a circle for the "
             "prior: trained on the KL alone, on the reconstruction alone, and on both")


def draw_linear(run, variances, spreads):
    """The variance of each code of the linear VAEs over the variance of the data, against the prediction."""
    fig = figures.figure(8.5, 4.8, "A dimension stays active if the data's variance along it is larger than β")
    axes = fig.subplots()
    fine = np.linspace(variances[-1] / 1.2, variances[0] * 1.1, 300)
    for colour, (beta, found) in zip((5, 6, 2, 0, 7), spreads.items()):
        axes.plot(fine, predicted(fine, beta), color=figures.COLOURS[colour], linewidth=1.5)
        axes.plot(variances, found, "o", color=figures.COLOURS[colour], label=f"β = {beta:.2g}")
    axes.set(xlabel="principal variance λ of the data", ylabel="variance of the code over the data", ylim=(-0.03, 1))
    axes.grid(alpha=0.3)
    axes.legend(title="dots: trained\nlines: 1 − β / λ, or 0", fontsize=9, loc="upper left",
                bbox_to_anchor=(1.01, 1))
    run.save(fig, "linear.png", "variances of the codes of trained linear VAEs for five weights, as dots, "
             "and the curves 1 - beta / lambda")


def draw_courses(run, courses):
    """The KL term and the bound over the training, for both decoders, with and without warm-up."""
    ends = {key: found[-1]["kl"] for key, found in courses.items()}
    weak, strong, late = (f"{ends[key]:.2f}" for key in (
        ("weak decoder", False), ("strong decoder", False), ("strong decoder", True)))
    fig = figures.figure(12, 4.8, f"The KL term ends at {weak} nats with a weak decoder,\nat {strong} with one that "
                         f"can do without the code, and at {late} with warm-up")
    for axes, key, label in zip(fig.subplots(1, 2), ("kl", "active"),
                                ("KL(q(z | x) ‖ N(0, I)) (nats)", f"active dimensions of {CODE}")):
        for (decoder, warmup), found in courses.items():
            axes.plot(range(1, len(found) + 1), [now[key] for now in found], "s--" if warmup else "o-",
                      markersize=4, color=figures.COLOURS[6 if decoder.startswith("strong") else 0],
                      label=decoder + warmup * ", warm-up")
        axes.set(xlabel="epoch", ylabel=label)
        axes.grid(alpha=0.3)
    fig.axes[0].legend(fontsize=9)
    run.save(fig, "decoders.png", "over the epochs the KL term and the number of active dimensions, for a "
             "weak and a strong decoder, with warm-up and without")
