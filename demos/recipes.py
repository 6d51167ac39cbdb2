"""Models that several demos look at, each trained once for all of them.

A recipe's model is trained by the first demo that asks for it and found by the next, in
OUT/recipes/. The file is named after everything that made it: the data, the settings, the text of this
file and all of tinyae's. Where one of them changes, the name does, so that no demo ever sees a stale
model. It is a checkpoint, too: a training that was stopped goes on when it is asked for again.

Of two demos that run side by side both may train a model; the later one goes on from the last whole
epoch that it finds, and they write the same numbers. A lock would save no time: the one that waits would
wait as long as it now trains, on threads of its own.
"""

import hashlib
import inspect
import json
import time
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np

import tinyae
from demos import portraits
from demos.run import Run
from tinyae import distributions, models, nn, ops, optim, penalties

# Hidden layers of networks that can tear a plane apart. With a single one, of 400 units, the codes of
# an autoencoder lie as close together as those of a VAE.
DEEP = (200, 100, 50)


def digits_vae(run, images, latent=2, hidden=400, beta=1.0, network="dense", batch_size=128, lr=None, epochs=None):
    """A variational autoencoder of the images, trained on `images.train`; the model and its history."""
    rng = run.rng("weights")
    if network == "dense":
        model = models.dense_vae(images.shape, hidden, latent, rng, beta=beta)
    else:
        model = models.conv_vae(images.shape, (32, 64), latent, rng, beta=beta)
    settings = {"latent": latent, "hidden": hidden, "beta": beta, "network": network, "lr": lr,
                "batch_size": batch_size, "epochs": epochs}
    rate = optim.one_cycle(8e-3) if lr is None else lr
    history = trained(run, digits_vae, settings, model, images.train, lr=rate, epochs=epochs,
                      batch_size=batch_size, held_out=images.test, what=weighing(beta))
    return model, history


def digits_autoencoder(run, images, code=2, hidden=400, batch_size=128, epochs=None):
    """A plain autoencoder of the images with the networks of `digits_vae`, and its history."""
    networks = models.dense_networks(images.shape, hidden, code, run.rng("weights"))
    model = models.Autoencoder(*networks, likelihood=distributions.Bernoulli)
    settings = {"code": code, "hidden": hidden, "batch_size": batch_size, "epochs": epochs}
    history = trained(run, digits_autoencoder, settings, model, images.train, lr=optim.one_cycle(8e-3),
                      epochs=epochs, batch_size=batch_size, held_out=images.test)
    return model, history


def contractive_autoencoder(run, x, weight, tied=True, code=256):
    """h = σ(x W + b) with the penalty λ ‖∂h/∂x‖²_F of that weight, trained on the rows of x (N, D).

    The decoder has the encoder's weights (Rifai et al. 2011), or, if not tied, weights of its own. For
    every λ training begins with the same weights and sees the same batches.
    """
    rng = run.rng("weights")
    encoder = nn.mlp(x.shape[1], code, rng=rng, output=ops.sigmoid)
    decoder = nn.Tied(encoder.layers[0]) if tied else nn.Dense(code, x.shape[1], rng=rng, init="glorot")
    model = models.Autoencoder(encoder, decoder, distributions.Bernoulli,
                               penalties=[penalties.jacobian(weight, "closed")])
    trained(run, contractive_autoencoder, {"weight": float(weight), "tied": tied, "code": code}, model, x,
            lr=optim.one_cycle(3e-2), epochs=run.epochs,
            what=f"λ = {weight:g}" + ("" if tied else ", a decoder with weights of its own"))
    return model


def faces_vae(run, images, latent=32, beta=1.0, batch_size=32, lr=None, epochs=None):
    """A convolutional variational autoencoder of colour images, trained on `images.train`, and its history.

    A Bernoulli of a grey pixel has a variance near ¼, the image none to speak of: with β = 1 it does not pay
    to code what changes few pixels. A smaller β keeps more of an image, and leaves more of the prior empty.
    """
    model = models.conv_vae(images.shape, (32, 64), latent, run.rng("weights"), beta=beta)
    settings = {"latent": latent, "beta": beta, "lr": lr, "batch_size": batch_size}
    rate = optim.one_cycle(3e-3) if lr is None else lr
    history = trained(run, faces_vae, settings, model, images.train, lr=rate, epochs=epochs,
                      batch_size=batch_size, held_out=images.test, what=weighing(beta))
    return model, history


def passports_vae(run, faces):
    """A dense variational autoencoder of faces that all stand in the same place, trained on `faces.train`.

    Dense networks learn such faces in a fraction of the time that convolutions take, and small ones fit into
    a page. A Bernoulli of a grey pixel has a variance near ¼, the image one near 0.01: β weighs the KL term
    in proportion, or it would not pay to code what changes as few pixels as a smile.
    """
    model = models.dense_vae(faces.shape, (150, 120), 24, run.rng("weights"), beta=0.05)
    trained(run, passports_vae, {}, model, faces.train, epochs=run.pick(12, 2), lr=optim.one_cycle(4e-3),
            batch_size=50, held_out=faces.test, what=f"a VAE of faces, {weighing(model.beta)}")
    return model


def face_reader(run, draw=portraits.passport):
    """A network that reads the factors of faces like those that `draw` gives: from images to numbers.

    The numbers are those of `portraits.COLUMNS`; `portraits.reading_error` measures how well it reads.
    """
    faces, factors = draw(run.pick(20_000, 512), run.rng("faces to read"))
    rng = run.rng("weights")
    halved = [f for a, b in pairwise((3, 16, 32, 64)) for f in (nn.Conv2d(a, b, 4, 2, 1, rng=rng), ops.relu)]
    network = nn.Sequential(*halved, nn.mlp((4, 4, 64), 128, len(portraits.COLUMNS), rng=rng))
    model = models.Predictor(network, distributions.SquaredError)
    trained(run, face_reader, {}, model, (faces, portraits.numbers(factors)), lr=optim.one_cycle(3e-3),
            epochs=run.pick(4, 1), batch_size=25, what="a network that reads the factors of a face")
    return lambda images: run.apply(network, images)


def digits_gan(run, images, latent=32, r1=0.1, batch_size=32, epochs=None):
    """A generative adversarial network of the images, trained on `images.train`, and its history."""
    networks = gan_networks(images.shape, (16, 32), latent, run.rng("weights"))
    model = models.GenerativeAdversarialNetwork(*networks, latent, r1=r1).to(run.device)
    settings = {"latent": latent, "r1": r1, "batch_size": batch_size, "epochs": epochs}
    history = trained(run, digits_gan, settings, model, images.train, optimizer=gan_players(model), epochs=epochs,
                      batch_size=batch_size)
    return model, history


def gan_networks(shape, channels, latent, rng, logits=1):
    """A generator and a discriminator: a convolutional autoencoder's networks, apart, each with a dense layer more."""
    seen, drawn = models.conv_networks(shape, channels, 128, rng)
    return (nn.Sequential(nn.Dense(latent, 128, rng=rng), ops.relu, drawn, ops.sigmoid),
            nn.Sequential(seen, ops.leaky_relu, nn.Dense(128, logits, rng=rng, init="glorot")))


def gan_players(game, rate=optim.one_cycle(3e-3), readers=()):
    """An optimiser for each player, with a short memory of earlier slopes; readers are the generator's, too."""
    return {"discriminator": optim.Adam(game.discriminator.parameters(), rate, betas=(0.5, 0.99)),
            "generator": optim.Adam([*game.generator.parameters(), *readers], rate, betas=(0.5, 0.99))}


def weighing(beta):
    """What is said before the training of a VAE with that β, where the terms shown do not add up to the loss."""
    return None if beta == 1 else f"loss = reconstruction + {beta:g} kl"


def trained(run, recipe, settings, model, x, *, epochs, **options):
    """Train the model by `run.fit`, or find it trained; its history."""
    epochs = run.epochs if epochs is None else epochs
    everything = {**settings, "epochs": epochs, "examples": [checksum(x), checksum(options.get("held_out"))],
                  "batch_size": options.get("batch_size"), "rng": run.rng("training").bit_generator.state,
                  "data": run.data, "device": run.device}
    name = f"{recipe.__name__}-{digest(everything, recipe)}.npz"
    path = run.out / "recipes" / name
    if run.options.fresh:
        path.unlink(missing_ok=True)
    found = path.exists()
    if found:
        run.say(f"found {path}; what is left of the training, if anything, follows (--fresh begins anew)")
    started = time.monotonic()
    history = run.fit(model, x, epochs=epochs, checkpoint=path, resume=found, **options)
    if found:  # a demo's time is what it takes from nothing
        run.spared += max(0.0, sum(record["seconds"] for record in history) - (time.monotonic() - started))
    return history


def checksum(x):
    """A number for an array, or a tuple of arrays, or None."""
    arrays = x if isinstance(x, tuple) else (x,)
    return [zlib.crc32(np.ascontiguousarray(array)) for array in arrays if array is not None]


def digest(settings, recipe):
    """Twelve letters for the settings, the recipe's name, the text of this file, of `Run` and of the whole library."""
    files = [Path(__file__), *sorted(Path(tinyae.__file__).parent.rglob("*.py"))]
    text = json.dumps(settings, sort_keys=True) + recipe.__name__ + inspect.getsource(Run)
    return hashlib.sha256(text.encode() + b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
