"""A variational autoencoder learns to draw digits.

The lectures: sampling the prior and decoding gives new images, and a two-dimensional latent space
lays the digits out on a sheet on which neighbours look alike. What a sample shows is told by the labels of
the training images nearest to it: it is clear if at least 8 of the 10 nearest are of one kind.

With `--data fashion` it learns clothes; with `--data faces` and `--data cifar10` colour images, by
convolutions and in 32 latent dimensions. Of these only that samples are new is judged, as their kinds do
not lie as far apart as those of digits. On faces the first claim holds in part: the codes of faces do not
fill the prior in 32 dimensions, and what is decoded between them is often no face.
"""

from statistics import NormalDist

import numpy as np

from demos import explore, figures, recipes
from demos.arguments import real, whole
from demos.measures import clear, nearest, ratio, vote
from tinyae import training

LECTURES = "L1 L2 L4 L5"
DATA = ("strokes", "mnist", "fashion", "faces", "cifar10")
EPOCHS = {"strokes": 14, "mnist": 20, "fashion": 20, "faces": 12, "cifar10": 8, "quick": 2}
KIND = {"strokes": "digit", "mnist": "digit", "fashion": "garment", "faces": "face", "cifar10": "photograph"}
COLOURED = {"faces": (10_000, 1_000), "cifar10": (20_000, 2_000)}  # images to train on, and held out


def options(p):
    p.add_argument("--model", choices=("dense", "conv"),
                   help="networks with one hidden layer (default for grey images) or with two convolutions "
                        "(of colour images always)")
    p.add_argument("--hidden", type=whole(1), default=400,
                   help="units in the hidden layer of a dense network (default: 400)")
    p.add_argument("--latent", type=whole(1), help="latent dimensions (default: 2, of colour images 32)")
    p.add_argument("--beta", type=real(), default=1.0, help="weight of the KL term (default: 1)")
    p.add_argument("--batch", type=whole(1), help="examples in a batch (default: 128, of colour images 32)")
    p.add_argument("--lr", type=real(above=0),
                   help="Adam's learning rate (default: one that rises to 0.008, of colour images 0.003, and "
                        "falls again)")


def main(run):
    images = run.images(*COLOURED.get(run.data, ()))
    model, history = train(run, images)
    samples = run.apply(decoded(model), draws(run, 1000, model.latent))
    held_out = training.evaluate(model, images.test, run.noise("evaluation"))
    run.note(test_elbo=-(held_out["reconstruction"] + held_out["kl"]),
             test_reconstruction=held_out["reconstruction"], test_kl=held_out["kl"])

    sheet = model.latent == 2 and run.data not in COLOURED
    codes = run.apply(lambda x: model.encode(x).mean, images.test) if sheet else None
    judge(run.claim, KIND[run.data], **look_at_samples(run, samples, images),
          same_digit=same_digit(run, model, images, codes) if sheet and KIND[run.data] == "digit" else None)
    draw(run, model, images, samples, history)
    if sheet:
        draw_sheet(run, model, images, codes)
        write_page(run, model, images)


def train(run, images):
    """The model that the options ask for, and its history."""
    asked = run.options
    chosen = {"latent": asked.latent, "beta": asked.beta, "batch_size": asked.batch, "lr": asked.lr,
              "epochs": run.epochs}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if run.data not in COLOURED:
        return recipes.digits_vae(run, images, hidden=asked.hidden, network=asked.model or "dense", **chosen)
    if asked.model == "dense":
        raise ValueError("vae: --model dense is for grey images; colour images have convolutions")
    return recipes.faces_vae(run, images, **chosen)


def decoded(model):
    """The function from latent vectors to images: the mean of p(x | z)."""
    return lambda z: model.decode(z).mean


def draws(run, n, latent):
    """Latent vectors from the prior."""
    return run.rng("prior").standard_normal((n, latent), dtype=np.float32)


def look_at_samples(run, samples, images):
    """How new the samples are, and of digits how many are clear, of how many kinds: numbers for `judge`."""
    chosen = run.rng("known").permutation(len(images.train))[:10_000]
    known, labels = images.train[chosen], images.train_labels[chosen]
    held_out = images.test[:1000]
    found = {"distance": np.median(nearest(samples, known, 1)[0]) / np.median(nearest(held_out, known, 1)[0])}
    if KIND[run.data] != "digit":
        return found
    is_clear, shown = clear(samples, known, labels)
    return found | {"clear": ratio(is_clear.mean(), clear(held_out, known, labels)[0].mean()),
                    "kinds": (np.bincount(shown[is_clear], minlength=10) >= 10).sum()}


def same_digit(run, model, digits, codes):
    """The share of held-out digits whose neighbours on the sheet, among training digits, show the same."""
    known = slice(10_000)
    guess, _ = vote(codes, run.apply(lambda x: model.encode(x).mean, digits.train[known]),
                    digits.train_labels[known])
    return (guess == digits.test_labels).mean()


def same_kind(copies, images):
    """The share of reconstructions that show what their image shows, as the nearest training images have it."""
    named, _ = vote(copies, images.train[:5_000], images.train_labels[:5_000])
    return (named == images.test_labels).mean()


def judge(claim, kind, distance, clear=None, kinds=None, same_digit=None):
    """kind: what the images show; the rest are numbers, None where they are not judged."""
    claim("vae.new", f"a sample is a new {kind}, not a copy",
          f"median distance to the nearest training image, relative to that of a held-out {kind}:",
          distance, at_least=0.25, at_most=2)
    if clear is not None:
        claim("vae", "decoding draws of the prior gives images of digits",
              "share of clear digits among samples, relative to held-out digits:", clear, at_least=0.5)
        claim("vae.kinds", "and all kinds of them", "digits of which ten or more are clear in 1,000 samples:",
              kinds, at_least=8)
    if same_digit is not None:
        claim("vae.sheet", "a 2-D latent space lays out a manifold of digits",
              "share of held-out digits whose neighbours on the sheet show the same digit:", same_digit, at_least=0.6)


def draw_sheet(run, model, images, codes):
    """Where the images lie on the sheet, and what is decoded over it."""
    kind = KIND[run.data]
    fig = figures.figure(11, 5.8, f"Two numbers describe a {kind}: the latent space of a VAE")
    left, right = fig.subplots(1, 2)
    figures.scatter_codes(left, codes, images.test_labels, f"where the encoder puts held-out {kind}s")
    left.set_aspect("equal", adjustable="datalim")
    figures.show_images(right, run.apply(decoded(model), prior_grid(20)), columns=20,
                        title="what the decoder draws at equally likely steps of z₁ and z₂")
    right.set(xlabel="z₁, quantiles of N(0, 1) from 2.5% to 97.5%", ylabel="z₂, the same")
    run.save(fig, "latent.png", f"left: codes of held-out {kind}s in the plane, coloured by sort; right: "
             "images decoded over the plane")


def draw(run, model, images, samples, history):
    """Samples, the reconstructions, and the loss."""
    kind, latent = KIND[run.data], model.latent
    if latent != 2 or run.data in COLOURED:
        fig = figures.figure(5.5, 5.8, f"New {kind}s: z ~ N(0, I) in {latent} dimensions, decoded")
        figures.show_images(fig.subplots(), samples[:100], columns=10)
        run.save(fig, "samples.png", f"a hundred {kind}s decoded from draws of the prior")

    _, first = np.unique(images.test_labels, return_index=True)  # one of each kind; each face is a kind
    shown = images.test[first[:10]]
    kept = "its broad shape,\nnot its details"
    if kind == "digit":
        shares = same_kind(run.apply(model.reconstruct, images.test), images)
        kept = f"{shares:.0%} of the held-out ones\ncome back as the digit that they were"
    fig = figures.pictures(f"What {latent} numbers keep of a {kind}: {kept}", {
        f"held-out {kind}s x": shown,
        "x̂, decoded from the mean of q(z | x)": run.apply(model.reconstruct, shown)}, columns=10)
    run.save(fig, "reconstructions.png", f"ten held-out {kind}s above what the decoder makes of their codes")

    if history:
        last = history[-1]["held_out"]["loss"]
        fig = figures.figure(6, 4, f"Held-out loss after {len(history)} epochs: {last:.1f} nats per image")
        figures.loss_curves(fig.subplots(), history)
        run.save(fig, "loss.png", "training and held-out loss over the epochs")


def write_page(run, model, images):
    """The sheet to move about on, with the codes of 2,000 training images."""
    if 16 / 3 * sum(p.size for p in model.parameters()) > 0.9 * explore.LARGEST:
        run.say("no page to play with: it would be larger than 6 MB")
        return
    kind, known, labels = KIND[run.data], images.train[:2000], images.train_labels[:2000]
    explore.write(
        run.folder / "explore.html", model.decoder, encoder=model.encoder, logits=True,
        codes=run.apply(lambda x: model.encode(x).mean, known), labels=labels,
        title=f"Two numbers describe a {kind}",
        lead=f"A variational autoencoder has laid {kind}s out on a sheet. Drag the point, and the decoder "
             "draws what is there; or draw yourself, and see where the encoder puts it and what comes back.",
        caption=f"Each dot is a {kind} that it was trained on. Neighbours look alike, and on the way from "
                "one kind to another the drawing changes step by step.")
    run.add_page("explore.html", f"Drag a point over the sheet, and the {kind} follows")


def prior_grid(n):
    """Latent vectors at n by n equally spaced quantiles of N(0, 1), z₂ running from top to bottom."""
    quantiles = [NormalDist().inv_cdf(p) for p in np.linspace(0.025, 0.975, n)]
    z2, z1 = np.meshgrid(quantiles[::-1], quantiles, indexing="ij")
    return np.stack([z1, z2], axis=-1).reshape(-1, 2).astype(np.float32)
