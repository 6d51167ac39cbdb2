"""Contrasting two views of an image makes a code for which few labels are enough, without reconstruction.

The lecture: representations can be learned with contrastive losses, by themselves. Each image is seen twice,
and the code of the one view has to find that of the other among those of a batch (InfoNCE: van den Oord et al.
2018; Chen et al. 2020). Nothing is reconstructed, and no label is seen. What the views differ in cannot help
to find the partner, so the code leaves it out; the digit is in both. Two views of a drawn digit are two
drawings of the same pen path with another slant, shift and thickness; two views of one of MNIST's are moved and
scaled. Noise is added to all.

An autoencoder and a variational one have the same encoder and see the same images. Measured are the accuracy
of a linear classifier of the codes, with few labels and more, and how much of the variance of each factor can
be read from the code by linear regression. A contrastive code is blind to what its views change, which is
right for digits and would be wrong for a question about their slant; what the views have in common beside the
digit (rotation, size, width), it keeps.
"""

import math

import numpy as np

from demos import figures
from demos.measures import first_of_each, least, linear_accuracy, r_squared, regression, worst
from tinyae import data, distributions, losses, models, nn, optim

LECTURES = "L4 L5"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 12, "mnist": 12, "quick": 1}
CODE, HIDDEN = 32, (400, 200)
BATCH, TEMPERATURE = 200, 0.2
NOISE = 0.1  # its standard deviation
LABELS = (20, 50, 100, 500, 2_000)
FEW = 100  # labels with which the codes are compared
DRAWS = 10  # of so many labels, over which the accuracy is averaged
RIDGE = 0.1  # of the classifier, which with few labels has more weights than examples
CHANGED = {"strokes": ("slant", "thickness", "shift"), "mnist": ("scale", "shift")}
KEPT = {"strokes": ("rotation", "size", "width"), "mnist": ()}


def main(run):
    held_out = run.pick(2_000, 200)
    views, factors, labels = (redrawn if run.data == "strokes" else moved)(run, run.pick(8_000, 400), held_out)
    views = [noisy(view, run.rng(f"noise {i}")) for i, view in enumerate(views)]
    codes = learn(run, [view[:-held_out] for view in views], views[0])
    accuracy = {name: [mean_accuracy(run, code, labels, held_out, n) for n in LABELS]
                for name, code in codes.items()}
    read = {name: {factor: readable(code, values, held_out) for factor, values in factors.items()}
            for name, code in codes.items()}
    run.note(accuracy=accuracy, r_squared=read)
    judge(run.claim, {name: shares[LABELS.index(FEW)] for name, shares in accuracy.items()}, read,
          CHANGED[run.data])
    draw_views(run, views)
    draw_accuracy(run, accuracy)
    draw_factors(run, read)


class Contrastive(nn.Module):
    """An encoder that is trained to give two views of an image the same code, and others another."""

    def __init__(self, encoder):
        self.encoder = encoder

    def encode(self, x):
        return self.encoder(x)

    def loss(self, a, b, rng):
        loss = losses.info_nce(self.encode(a), self.encode(b), TEMPERATURE)
        return loss, {"InfoNCE": loss}


def learn(run, views, images):
    """The codes of the images by three encoders that were trained on the views, and the images themselves."""
    shape, rate = images.shape[1:], optim.one_cycle(3e-3)

    def networks():  # the same initial weights for all three
        return models.dense_networks(shape, HIDDEN, CODE, run.rng("weights"))

    contrastive = Contrastive(networks()[0])
    run.fit(contrastive, tuple(views), lr=rate, batch_size=BATCH, what="contrastive")
    plain = models.Autoencoder(*networks(), likelihood=distributions.Bernoulli)
    variational = models.dense_vae(shape, HIDDEN, CODE, run.rng("weights"))
    epochs = math.ceil(run.epochs * 2 / 3)  # with a decoder they take twice as long: more time than the first has
    for name, model in (("autoencoder", plain), ("VAE", variational)):
        run.fit(model, np.concatenate(views), lr=rate, batch_size=100, epochs=epochs, what=name)
    return {"contrastive": run.apply(contrastive.encode, images), "autoencoder": run.apply(plain.encode, images),
            "VAE": run.apply(lambda x: variational.encode(x).mean, images),
            "pixels": images.reshape(len(images), -1)}


# --- views ---------------------------------------------------------------------------------------

def redrawn(run, train, held_out):
    """Digits drawn twice, by the same path with other factors; those of the first drawing, and the labels."""
    n = train + held_out
    first, factors = data.strokes(n, run.rng("images"))
    _, others = data.strokes(n, run.rng("other factors"))
    second, _ = data.strokes(n, run.rng("images"), **{name: others[name] for name in CHANGED["strokes"]})
    return (first, second), {name: factors[name] for name in CHANGED["strokes"] + KEPT["strokes"]}, factors["digit"]


def moved(run, train, held_out):
    """Digits scaled and shifted twice; how in the first view, and the labels."""
    digits = run.images(train, held_out)
    images = np.concatenate([digits.train, digits.test])[..., 0]
    rng, views, n = run.rng("views"), [], len(images)
    for _ in range(2):
        factors = {"scale": rng.uniform(0.75, 1.15, n), "shift": rng.uniform(-3, 3, (n, 2))}
        views.append((resampled(images, **factors), factors))
    return [view for view, _ in views], views[0][1], np.concatenate([digits.train_labels, digits.test_labels])


def resampled(images, scale, shift):
    """Images (N, S, S) scaled about the middle and shifted (right, down) by bilinear interpolation, (N, S, S, 1)."""
    pixels = np.arange(images.shape[1])
    middle = pixels.mean()
    across, down = ((pixels - middle - shift[:, axis, None]) / scale[:, None] + middle for axis in range(2))
    across, down = (np.maximum(0, 1 - np.abs(place[:, :, None] - pixels)) for place in (across, down))
    return (down @ images @ across.swapaxes(1, 2))[..., None].astype(np.float32)


def noisy(images, rng):
    return np.clip(images + NOISE * rng.standard_normal(images.shape, dtype=np.float32), 0, 1)


# --- measures ------------------------------------------------------------------------------------

def mean_accuracy(run, code, labels, held_out, n):
    """The accuracy of a linear classifier that is told n labels, as many of each kind; averaged over draws."""
    found = []
    for draw in range(run.pick(DRAWS, 1)):
        order = run.rng(f"labels {draw}").permutation(len(labels) - held_out)
        chosen = first_of_each(labels[:-held_out], order, n // 10)
        found.append(linear_accuracy(code[chosen], labels[chosen], code[-held_out:], labels[-held_out:], RIDGE))
    return float(np.mean(found))


def readable(code, values, held_out):
    """The share of the variance of the values that linear regression predicts from held-out codes."""
    return r_squared(regression(code[:-held_out], values[:-held_out], code[-held_out:]), values[-held_out:])


def judge(claim, accuracy, read, changed):
    """accuracy: by code, with FEW labels; read: R² by code and factor; changed: the factors that the views change."""
    claim("contrastive", "contrasting two views teaches more about digits than reconstructing",
          f"accuracy with {FEW} labels, less that of the better of autoencoder and VAE:",
          accuracy["contrastive"] - worst(accuracy[name] for name in ("autoencoder", "VAE")), at_least=0.05)
    claim("contrastive.blind", "its code is blind to what the views change",
          f"largest R² of a linear regression on the code, of {', '.join(changed)}:",
          worst(read["contrastive"][factor] for factor in changed), at_most=0.3)
    claim("contrastive.seen", "which a code that reconstructs has to keep",
          "R² of the better of autoencoder and VAE, less that of the contrastive code, least over these factors:",
          least(worst(read[name][factor] for name in ("autoencoder", "VAE")) - read["contrastive"][factor]
                for factor in changed), at_least=0.3)


def draw_views(run, views):
    """Both views of some images, one above the other."""
    how = {"strokes": "slant, shift, thickness", "mnist": "size, shift"}[run.data]
    rows = {"one view": views[0], f"the other, which has to be found among {BATCH}": views[1]}
    fig = figures.pictures(f"The same digit, another {how} and noise", rows)
    run.save(fig, "views.png", "two rows of digits: below each the same digit, drawn otherwise")


def draw_accuracy(run, accuracy):
    """Accuracy over the number of labels."""
    shares = {name: found[LABELS.index(FEW)] for name, found in accuracy.items()}
    fig = figures.figure(8.5, 4.8, f"A linear classifier with {FEW} labels: {shares['contrastive']:.0%} right on a "
                         f"contrastive code,\n{shares['autoencoder']:.0%} on an autoencoder's, {shares['VAE']:.0%} "
                         "on a VAE's")
    axes = fig.subplots()
    axes.set(xscale="log", xlabel="labels for the linear classifier", ylabel="accuracy on held-out digits",
             xlim=(LABELS[0] * 0.9, LABELS[-1] * 3.5))
    axes.set_xticks(LABELS, [f"{n:,}" for n in LABELS])
    axes.minorticks_off()
    figures.curves(axes, LABELS, accuracy, dashed=("pixels",), colours=(0, 6, 5, 9))
    run.save(fig, "accuracy.png", "accuracy over the number of labels, on the codes of the contrastive "
             "encoder, the autoencoder and the VAE, and on pixels")


def draw_factors(run, read):
    """How much of each factor can be read from each code."""
    changed, kept = CHANGED[run.data], KEPT[run.data]
    blind = max(read["contrastive"][factor] for factor in changed)
    fig = figures.figure(9, 4.6, "Of the variance of what its views change, a contrastive code tells at most "
                         f"{max(0, blind):.0%}")
    axes = fig.subplots()
    places = np.arange(len(changed + kept)) + 0.5 * (np.arange(len(changed + kept)) >= len(changed))
    for i, (name, colour) in enumerate((("contrastive", 0), ("autoencoder", 6), ("VAE", 5))):
        bars = axes.bar(places + 0.27 * (i - 1), [max(0, read[name][factor]) for factor in changed + kept], 0.25,
                        color=figures.COLOURS[colour], label=name)
        axes.bar_label(bars, fmt="%.2f", fontsize=9, padding=2)
    labels = [f"{factor}\n(changed)" for factor in changed] + [f"{factor}\n(the same)" for factor in kept]
    axes.set_xticks(places, labels)
    axes.set(ylabel="R² of a linear regression on the code", ylim=(0, 1))
    axes.legend(frameon=False, ncols=3, loc="upper right")
    run.save(fig, "factors.png", "bars of R² for each factor of a digit, from the codes of the contrastive "
             "encoder, the autoencoder and the VAE")
