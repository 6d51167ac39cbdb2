"""A variational autoencoder learns to draw digits.

The lectures: sampling the prior and decoding gives new images, and a two-dimensional latent space
lays the digits out on a sheet on which neighbours look alike. Training images, by their labels, say
what a drawing shows: it is clear if at least 8 of the 10 nearest to it are of one kind.
"""

from statistics import NormalDist

import numpy as np

from demos import figures, recipes
from demos.measures import clear, nearest, ratio, vote
from demos.run import real, whole
from tinyae import training

LECTURES = "L1 L2 L4 L5"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 20, "mnist": 20, "quick": 2}


def options(p):
    p.add_argument("--model", choices=("dense", "conv"), default="dense",
                   help="networks with one hidden layer, or with two convolutions (default: dense)")
    p.add_argument("--hidden", type=whole(1), default=400,
                   help="units in the hidden layer of a dense network (default: 400)")
    p.add_argument("--latent", type=whole(1), default=2, help="latent dimensions (default: 2)")
    p.add_argument("--beta", type=real(), default=1.0, help="weight of the KL term (default: 1)")
    p.add_argument("--batch", type=whole(1), default=128, help="examples in a batch (default: 128)")
    p.add_argument("--lr", type=real(above=0),
                   help="Adam's learning rate (default: one that rises to 0.008 and falls again)")


def main(run):
    asked, digits = run.options, run.images()
    model, history = recipes.digits_vae(
        run, digits, latent=asked.latent, hidden=asked.hidden, beta=asked.beta, network=asked.model,
        batch_size=asked.batch, lr=asked.lr, epochs=run.epochs)
    codes = run.apply(lambda x: model.encode(x).mean, digits.test)
    samples = run.apply(decoded(model), draws(run, 1000, asked.latent))

    held_out = training.evaluate(model, digits.test, run.noise("evaluation"))
    run.note(test_elbo=-(held_out["reconstruction"] + held_out["kl"]),
             test_reconstruction=held_out["reconstruction"], test_kl=held_out["kl"])
    judge(run.claim, **look_at_samples(samples, digits, run.rng("known")),
          same_digit=same_digit(run, model, digits, codes) if asked.latent == 2 else None)
    draw(run, model, digits, codes, samples, history)


def decoded(model):
    """The function from latent vectors to images: the mean of p(x | z)."""
    return lambda z: model.decode(z).mean


def draws(run, n, latent):
    """Latent vectors from the prior."""
    return run.rng("prior").standard_normal((n, latent), dtype=np.float32)


def look_at_samples(samples, digits, rng):
    """How many samples are clear, of how many kinds, and how new: numbers for `judge`."""
    chosen = rng.permutation(len(digits.train))[:10_000]
    known, labels = digits.train[chosen], digits.train_labels[chosen]
    held_out = digits.test[:1000]
    is_clear, shown = clear(samples, known, labels)
    return {"clear": ratio(is_clear.mean(), clear(held_out, known, labels)[0].mean()),
            "kinds": (np.bincount(shown[is_clear], minlength=10) >= 10).sum(),
            "distance": np.median(nearest(samples, known, 1)[0]) / np.median(nearest(held_out, known, 1)[0])}


def same_digit(run, model, digits, codes):
    """The share of held-out digits whose neighbours on the sheet, among training digits, show the same."""
    known = slice(10_000)
    guess, _ = vote(codes, run.apply(lambda x: model.encode(x).mean, digits.train[known]),
                    digits.train_labels[known])
    return (guess == digits.test_labels).mean()


def judge(claim, clear, kinds, distance, same_digit):
    claim("vae", "decoding draws of the prior gives images of digits",
          "clear digits among samples, relative to held-out digits:", clear, at_least=0.5)
    claim("vae.kinds", "and all kinds of them", "different digits in 1000 samples:", kinds, at_least=8)
    claim("vae.new", "they are new, not copies",
          "distance to the nearest training image, relative to that of held-out digits:",
          distance, at_least=0.25)
    if same_digit is not None:
        claim("vae.sheet", "a 2-D latent space lays out a manifold of digits",
              "held-out digits whose neighbours on the sheet show the same digit:", same_digit, at_least=0.6)


def draw(run, model, digits, codes, samples, history):
    """The sheet of digits or samples, the reconstructions, and the loss."""
    latent = model.latent
    if latent == 2:
        fig = figures.figure(11, 5.8, "Two numbers describe a digit: the latent space of a VAE")
        left, right = fig.subplots(1, 2)
        figures.scatter_codes(left, codes, digits.test_labels, "where the encoder puts held-out digits")
        left.set_aspect("equal", adjustable="datalim")
        figures.show_images(right, run.apply(decoded(model), prior_grid(20)), columns=20,
                            title="what the decoder draws at equally likely steps of z₁ and z₂")
        right.set(xlabel="z₁, quantiles of N(0, 1) from 2.5 % to 97.5 %", ylabel="z₂, the same")
        run.save(fig, "latent.png", "left: codes of held-out digits in the plane, a cloud for each digit; "
                 "right: the digits decoded over the plane, changing shape from place to place")
    else:
        fig = figures.figure(5.5, 5.8, f"New digits: z ~ N(0, I) in {latent} dimensions, decoded")
        figures.show_images(fig.subplots(), samples[:100], columns=10)
        run.save(fig, "samples.png", "a hundred digits decoded from draws of the prior")

    shown = digits.test[[np.flatnonzero(digits.test_labels == digit)[0] for digit in range(10)]]
    fig = figures.pictures(f"What {latent} numbers keep of a digit: its kind and slant,\nnot its details", {
        "held-out digits x": shown,
        "x̂, decoded from the mean of q(z | x)": run.apply(model.reconstruct, shown)}, columns=10)
    run.save(fig, "reconstructions.png", "ten held-out digits above what the decoder makes of their codes")

    if history:
        last = history[-1]["held_out"]["loss"]
        fig = figures.figure(6, 4, f"Held-out loss after {len(history)} epochs: {last:.1f} nats per image")
        figures.loss_curves(fig.subplots(), history)
        run.save(fig, "loss.png", "training and held-out loss fall over the epochs")


def prior_grid(n):
    """Latent vectors at n by n equally spaced quantiles of N(0, 1), z₂ running from top to bottom."""
    quantiles = [NormalDist().inv_cdf(p) for p in np.linspace(0.025, 0.975, n)]
    z2, z1 = np.meshgrid(quantiles[::-1], quantiles, indexing="ij")
    return np.stack([z1, z2], axis=-1).reshape(-1, 2).astype(np.float32)
