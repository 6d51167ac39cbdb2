"""An overcomplete autoencoder copies digits and the noise in them; trained with noise, it learns features.

The lecture: with a code larger than the input and nothing else, an autoencoder can copy, and learns
no features; regularised, it still learns something useful. The same network, with 1,024 code units
for 784 pixels, is trained twice: as it is, and as a denoising autoencoder, which is shown x̃ and must
give x. Both are then given held-out images with noise. A copier gives the noise back, too, as far as
it lies along directions in which digits vary; others it has never had to copy. And their filters,
the weights from the pixels to one code unit, are compared with the random ones that both started
from: a detector of some part of a digit looks at one place. Only the pixels that vary from digit to
digit count there; that a filter ignores the rest is no feature.
"""

import numpy as np

from demos import figures
from demos.measures import pca, relative_error, squared_error
from tinyae import corruption, models, nn, ops, optim

LECTURES = "L1 L3 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 16, "mnist": 16}
CODE = 1024  # more than the 784 pixels
SIGMA = 0.75
AXES = 50  # principal axes, along which lies most of what distinguishes one digit from another
WINDOW = 9  # pixels: a tenth of the image's area
COPIER, DENOISER, START = "without noise", "with noise", "at random"


def main(run):
    train, test = run.images(train=5_000, test=1_000).vectors()
    noisy = corruption.gaussian(SIGMA)(run.tensor(test), run.noise("corruption")).numpy()
    filters, copies, denoised = {}, {}, {}
    for name, noise in ((COPIER, None), (DENOISER, corruption.gaussian(SIGMA))):
        model = autoencoder(train.shape[1], noise, run.rng("weights"))
        filters[START] = model.encoder.layers[0].weight.numpy().T.copy()  # the same both times
        run.fit(model, train, lr=optim.one_cycle(4e-3), what=f"trained {name}")
        filters[name] = model.encoder.layers[0].weight.numpy().T
        copies[name], denoised[name] = (run.apply(model.reconstruct, x) for x in (test, noisy))

    mean, (_, axes) = train.mean(axis=0), pca(train, AXES)
    clean = {name: relative_error(x, test, mean) for name, x in copies.items()}
    through = {name: noise_through(copies[name], denoised[name], noisy - test, axes) for name in copies}
    denoised["mean image"] = np.broadcast_to(mean, test.shape)
    left = {name: squared_error(x, test) / squared_error(noisy, test) for name, x in denoised.items()}
    used = train.std(axis=0) > 0.1  # the pixels of which digits make use
    local = {name: float(np.median(locality(w * used, WINDOW))) for name, w in filters.items()}
    run.note(clean_error=clean, noise_through=through, noisy_error=left, locality=local)
    judge(run.claim, clean, through, left, local)
    draw_filters(run, filters, local)
    draw_denoising(run, test, noisy, denoised, left)


def autoencoder(size, noise, rng):
    """h = sigmoid(W x + b) and a linear decoder, which can give any x̂, noise included."""
    return models.Autoencoder(nn.mlp(size, CODE, rng=rng, output=ops.sigmoid), nn.mlp(CODE, size, rng=rng),
                              corruption=noise)


def noise_through(copies, denoised, noise, axes):
    """The c with which c · noise is nearest to g(f(x + noise)) - g(f(x)), both along the axes only.

    It is 1 for a copier, and 0 where what comes through has nothing to do with the noise.
    """
    noise = noise @ axes
    return float(((denoised - copies) @ axes * noise).sum() / (noise * noise).sum())


def locality(filters, window):
    """For each filter (N, 784), the largest share of Σ w² that a square of window × window pixels holds."""
    energy = filters.reshape(-1, 28, 28).astype(np.float64) ** 2
    sums = np.pad(energy, ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)  # of all above and left
    inside = (sums[:, window:, window:] - sums[:, :-window, window:]
              - sums[:, window:, :-window] + sums[:, :-window, :-window])
    return inside.max(axis=(1, 2)) / energy.sum(axis=(1, 2))


def judge(claim, clean, through, left, local):
    """The one copies, and its filters stay random; the other denoises, and has features."""
    claim("overcomplete", f"with {CODE:,} code units for 784 pixels and no noise it copies",
          "squared error on held-out images, relative to that of the mean image:", clean[COPIER], at_most=0.1)
    claim("overcomplete.noise", "and copies noise, too",
          f"how much of the noise along {AXES} principal axes comes through (1: all of it):", through[COPIER], at_least=0.5)
    claim("overcomplete.random", "its filters stay about as spread out as random ones",
          f"share of Σ w² in {WINDOW} × {WINDOW} pixels, relative to random filters:",
          local[COPIER] / local[START], at_most=1.25)
    claim("overcomplete.denoises", "trained with noise, the same network removes noise",
          "squared error on noisy images, relative to the one trained without:", left[DENOISER] / left[COPIER],
          at_most=0.5)
    claim("overcomplete.features", "and its filters look at one place",
          f"share of Σ w² in {WINDOW} × {WINDOW} pixels, relative to random filters:",
          local[DENOISER] / local[START], at_least=1.5)


def draw_filters(run, filters, local):
    """The filters of the same code units before training, and after it without and with noise."""
    gains = [local[name] / local[START] for name in (COPIER, DENOISER)]
    fig = figures.figure(11, 5.4, "What a code unit looks at: trained without noise, its filter\n"
                         f"is {gains[0]:.1f} times as local as at random; with noise, {gains[1]:.1f} times")
    titles = {START: "at random, before training", **{name: f"trained {name}" for name in (COPIER, DENOISER)}}
    for axes, (name, title) in zip(fig.subplots(1, 3), titles.items()):
        shown = filters[name][:42].reshape(-1, 28, 28)
        shown = shown / np.abs(shown).max(axis=(1, 2), keepdims=True)
        figures.show_signed_images(axes, shown, 6, 1,
                                   f"{title}:\n{WINDOW} × {WINDOW} pixels hold {local[name]:.0%} of Σ w²")
    run.save(fig, "filters.png", "42 filters each: at random, trained without noise, and trained with noise")


def draw_denoising(run, test, noisy, denoised, left):
    """Held-out digits, the same with noise, and what both autoencoders make of these."""
    rows = {"held-out digits x": test, f"x̃ = x + {SIGMA:g} ε, which both are shown": noisy}
    rows |= {f"x̂, trained {name}: {left[name]:.0%} of the noise's squared error is left": denoised[name]
             for name in (COPIER, DENOISER)}
    fig = figures.pictures("Trained without noise, an overcomplete autoencoder leaves "
                           f"{left[COPIER]:.0%} of the noise,\ntrained with noise "
                           f"{left[DENOISER]:.0%} (the mean image: {left['mean image']:.0%})", rows)
    run.save(fig, "denoising.png", "digits, the same with noise, then what the networks make of these, "
             "trained without noise and with it")
