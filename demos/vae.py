"""A variational autoencoder learns to draw digits.

The lectures: sampling the prior and decoding gives new images, and a two-dimensional latent space
lays the digits out on a sheet on which neighbours look alike.
"""

from statistics import NormalDist

import numpy as np

from demos.harness import Report, apply, chosen_epochs, load_digits, parser, real, run, whole
from demos.measures import nearest, vote
from tinyae import models, optim, plots, training
from tinyae.backend import random_generator

TOPIC = "Variational and generative"
EPOCHS = {"strokes": 40, "mnist": 20}  # of the dense model; a convolutional one gets half of them


def main(argv=None):
    p = parser("vae", __doc__, epochs=EPOCHS)
    p.add_argument("--model", choices=("dense", "conv"), default="dense",
                   help="networks with one hidden layer, or with two convolutions (default: dense)")
    p.add_argument("--hidden", type=whole(1), default=400,
                   help="units in the hidden layer of a dense network (default: 400)")
    p.add_argument("--latent", type=whole(1), default=2, help="latent dimensions (default: 2)")
    p.add_argument("--beta", type=real(), default=1.0, help="weight of the KL term (default: 1)")
    p.add_argument("--batch", type=whole(1), default=128, help="examples in a batch (default: 128)")
    p.add_argument("--lr", type=real(above=0), default=1e-3, help="Adam's learning rate (default: 0.001)")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    args = p.parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data] // (2 if args.model == "conv" else 1), quick=2)

    report = Report("vae", args)
    digits = load_digits(args)
    rng = np.random.default_rng(args.seed)
    shape = digits.train.shape[1:]
    if args.model == "dense":
        model = models.dense_vae(shape, args.hidden, args.latent, rng, beta=args.beta)
    else:
        model = models.conv_vae(shape, (32, 64), args.latent, rng, beta=args.beta)
    model.to(args.device)
    history = training.fit(
        model, optim.Adam(model.parameters(), args.lr), digits.train, held_out=digits.test,
        epochs=epochs, batch_size=args.batch, rng=rng,
        checkpoint=report.folder / "checkpoint.npz", resume=args.resume,
        settings={key: getattr(args, key)
                  for key in ("data", "seed", "model", "hidden", "latent", "beta", "lr")},
    )

    draw(report, model, digits, history, args)
    judge(report, model, digits, args)
    noise = random_generator([args.seed, 2], args.device)
    test = training.evaluate(model, digits.test, noise)
    return report.finish(
        test_elbo=-(test["reconstruction"] + test["kl"]), test_reconstruction=test["reconstruction"],
        test_kl=test["kl"], epochs=len(history),
        seconds_per_epoch=float(np.median([record["seconds"] for record in history])) if history else None,
    )


def decode(model, z, device):
    """The images that latent vectors stand for."""
    return apply(model.decode, z.astype(np.float32), device)


def encode(model, images, device):
    """The mean of q(z | x) for each image."""
    return apply(lambda x: model.encode(x)[0], images, device)


def draw(report, model, digits, history, args):
    """The figures: reconstructions, the latent space or samples, and the loss."""
    first = [np.flatnonzero(digits.test_labels == digit)[:1] for digit in range(10)]
    shown = digits.test[np.concatenate(first)]
    copies = apply(model.reconstruct, shown, args.device)
    fig = plots.figure(8, 2.9, f"What {args.latent} numbers keep of a digit")
    above, below = fig.subplots(2, 1)
    plots.show_images(above, shown, columns=len(shown), title="held-out digits x")
    plots.show_images(below, copies, columns=len(shown), title="x̂, decoded from the mean of q(z | x)")
    report.save(fig, "reconstructions.png")

    if args.latent == 2:
        codes = encode(model, digits.test, args.device)
        fig = plots.figure(11, 5.8, "Two numbers describe a digit: the latent space of a VAE")
        left, right = fig.subplots(1, 2)
        plots.scatter_codes(left, codes, digits.test_labels, "where the encoder puts held-out digits")
        left.set_aspect("equal", adjustable="datalim")
        plots.show_images(right, decode(model, prior_grid(20), args.device), columns=20,
                          title="what the decoder draws at equally likely steps of z₁ and z₂")
        right.set(xlabel="z₁, quantiles of N(0, 1) from 2.5 % to 97.5 %", ylabel="z₂, the same")
        report.save(fig, "latent.png")
    else:
        z = np.random.default_rng([args.seed, 3]).standard_normal((100, args.latent))
        fig = plots.figure(5.5, 5.8, f"New digits: z ~ N(0, I) in {args.latent} dimensions, decoded")
        plots.show_images(fig.subplots(), decode(model, z, args.device), columns=10)
        report.save(fig, "samples.png")

    if history:
        last = history[-1]["held_out"]
        title = f"Held-out loss after {len(history)} epochs: {last['loss']:.1f} nats per image"
        fig = plots.figure(6, 4, title)
        plots.loss_curves(fig.subplots(), history)
        report.save(fig, "loss.png")


def prior_grid(n):
    """Latent vectors at n by n equally spaced quantiles of N(0, 1), z₂ running from top to bottom."""
    quantiles = [NormalDist().inv_cdf(p) for p in np.linspace(0.025, 0.975, n)]
    z2, z1 = np.meshgrid(quantiles[::-1], quantiles, indexing="ij")
    return np.stack([z1, z2], axis=-1).reshape(-1, 2)


def judge(report, model, digits, args):
    """The claim `vae`, in numbers. Training images, by their digits, say what a drawing shows."""
    rng = np.random.default_rng([args.seed, 4])
    chosen = rng.permutation(len(digits.train))[:10_000]
    known, labels = digits.train[chosen], digits.train_labels[chosen]
    real_digits = digits.test[:1000]
    samples = decode(model, rng.standard_normal((1000, args.latent)), args.device)

    # A drawing is clear if at least 8 of the 10 training images nearest to it show one digit.
    _, real_share = vote(real_digits, known, labels)
    shown, share = vote(samples, known, labels)
    clear = share >= 0.8
    report.claim("vae", "decoding draws of the prior gives images of digits",
                 "clear digits among samples, relative to held-out digits:",
                 clear.mean() / max((real_share >= 0.8).mean(), 1e-9), at_least=0.5)
    report.claim("vae", "and all kinds of them", "different digits in 1000 samples:",
                 (np.bincount(shown[clear], minlength=10) >= 10).sum(), at_least=8)
    copy, _ = nearest(samples, known, 1)
    other, _ = nearest(real_digits, known, 1)
    report.claim("vae", "they are new, not copies",
                 "distance to the nearest training image, relative to that of held-out digits:",
                 np.median(copy) / np.median(other), at_least=0.25)
    if args.latent == 2:
        codes = encode(model, known, args.device)
        guess, _ = vote(encode(model, digits.test, args.device), codes, labels)
        report.claim("vae", "a 2-D latent space lays out a manifold of digits",
                     "held-out digits whose neighbours on the sheet show the same digit:",
                     (guess == digits.test_labels).mean(), at_least=0.6)


if __name__ == "__main__":
    run(main)
