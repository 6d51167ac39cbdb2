"""An overcomplete autoencoder copies digits and the noise in them; trained with noise, it learns features.

The lecture: with a code larger than the input and nothing else, an autoencoder can copy, and learns
no features; regularised, it still learns something useful. Here the same network, with 1,024 code
units for 784 pixels, is trained twice: as it is, and as a denoising autoencoder, which is shown x̃
and must give x. Both are then given held-out images with noise. A copier gives the noise back, too,
as far as it lies along directions in which digits vary; others it has never had to copy. And their
filters, which are the weights from the pixels to one code unit, are compared with the random ones
that both started from: a detector of some part of a digit looks at one place. Only the pixels that
vary from digit to digit count there; that a filter ignores the rest is no feature.
"""

import numpy as np

from demos.harness import Report, apply, chosen_epochs, fit_falling, load_digits, parser, run
from demos.measures import pca, squared_error
from tinyae import corruption, losses, models, nn, ops, plots

TOPIC = "Autoencoders"
EPOCHS = {"strokes": 40, "mnist": 40}
TRAIN, TEST = 5_000, 1_000
CODE = 1024  # more than the 784 pixels
SIGMA = 0.75
AXES = 50  # principal axes, along which lies most of what distinguishes one digit from another
WINDOW = 9  # pixels: a tenth of the image's area


def main(argv=None):
    args = parser("overcomplete", __doc__, epochs=EPOCHS).parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("overcomplete", args)
    digits = load_digits(args, train=TRAIN, test=TEST)
    train, test = digits.vectors()
    noisy = corruption.gaussian(SIGMA)(test, np.random.default_rng([args.seed, 3]))
    used = train.std(axis=0) > 0.1  # the pixels of which digits make use

    filters, copies, denoised = {}, {}, {}
    for name, noise in (("without noise", None), ("with noise", corruption.gaussian(SIGMA))):
        print(f"trained {name}:", flush=True)
        model, rng = autoencoder(train.shape[1], noise, args)
        filters["at random"] = model.encoder.layers[0].weight.numpy().T.copy()  # the same both times
        fit_falling(model, train, epochs, (1e-3, 2e-4), batch_size=100, rng=rng)
        filters[name] = model.encoder.layers[0].weight.numpy().T
        copies[name] = apply(model.reconstruct, test, args.device)
        denoised[name] = apply(model.reconstruct, noisy, args.device)

    mean = np.broadcast_to(train.mean(axis=0), test.shape)
    clean = {name: squared_error(x, test) / squared_error(mean, test) for name, x in copies.items()}
    denoised["mean image"] = mean
    left = {name: squared_error(x, test) / squared_error(noisy, test) for name, x in denoised.items()}
    _, axes = pca(train, AXES)
    through = {name: noise_through(copies[name], denoised[name], noisy - test, axes) for name in copies}
    local = {name: float(np.median(locality(w * used, WINDOW))) for name, w in filters.items()}
    judge(report, clean, through, left, local)
    draw_filters(report, filters, local)
    draw_denoising(report, test, noisy, denoised, left)
    return report.finish(epochs=epochs, clean_error=clean, noise_through=through, noisy_error=left,
                         locality=local)


def judge(report, clean, through, left, local):
    """The claims: the one copies, and its filters stay random; the other denoises, and has features."""
    report.claim("overcomplete", f"with {CODE:,} code units for 784 pixels and no noise it copies",
                 "error on held-out images, relative to the mean image's:",
                 clean["without noise"], at_most=0.1)
    report.claim("overcomplete", "and it copies noise, too",
                 f"how much of the noise along {AXES} principal axes comes through:",
                 through["without noise"], at_least=0.5)
    report.claim("overcomplete", "it learns no features",
                 "how local its filters are, relative to random ones:",
                 local["without noise"] / local["at random"], at_most=1.25)
    report.claim("overcomplete", "trained with noise, the same network removes noise",
                 "error on noisy images, relative to the one trained without:",
                 left["with noise"] / left["without noise"], at_most=0.5)
    report.claim("overcomplete", "and learns features",
                 "how local its filters are, relative to random ones:",
                 local["with noise"] / local["at random"], at_least=1.5)


def autoencoder(size, noise, args):
    """h = sigmoid(W x + b) and a linear decoder, which can give any x̂, noise included."""
    rng = np.random.default_rng([args.seed, 2])
    encoder = nn.Sequential(nn.Dense(size, CODE, rng=rng, init="glorot"), ops.sigmoid)
    decoder = nn.Dense(CODE, size, rng=rng, init="glorot")
    return models.Autoencoder(encoder, decoder, losses.mse, corruption=noise).to(args.device), rng


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


# --- the figures ---------------------------------------------------------------------------------

def draw_filters(report, filters, local):
    """The filters of the same code units before training, and after it without and with noise."""
    gains = [local[name] / local["at random"] for name in ("without noise", "with noise")]
    fig = plots.figure(11, 5.4, "What a code unit looks at: trained without noise, its filter\n"
                       f"is {gains[0]:.1f} times as local as at random; with noise, {gains[1]:.1f} times")
    titles = {"at random": "at random, before training", "without noise": "trained without noise",
              "with noise": "trained with noise"}
    for axes, (name, title) in zip(fig.subplots(1, 3), titles.items()):
        shown = filters[name][:42].reshape(-1, 28, 28)
        shown = shown / np.abs(shown).max(axis=(1, 2), keepdims=True)
        plots.show_signed_images(axes, shown, 6, 1,
                                 f"{title}:\n{WINDOW} × {WINDOW} pixels hold {100 * local[name]:.0f} % of Σ w²")
    report.save(fig, "filters.png")


def draw_denoising(report, test, noisy, denoised, left):
    """Held-out digits, the same with noise, and what both autoencoders make of these."""
    rows = [("held-out digits x", test), (f"x̃ = x + {SIGMA:g} ε, which both are shown", noisy)]
    rows += [(f"x̂, trained {name}: {100 * left[name]:.0f} % of the noise's squared error is left",
              denoised[name]) for name in ("without noise", "with noise")]
    fig = plots.figure(9, 5.5, "Trained without noise, an overcomplete autoencoder leaves "
                       f"{100 * left['without noise']:.0f} % of the noise,\ntrained with noise "
                       f"{100 * left['with noise']:.0f} % (the mean image: {100 * left['mean image']:.0f} %)")
    for axes, (title, pictures) in zip(fig.subplots(len(rows), 1), rows):
        plots.show_images(axes, pictures[:12].reshape(-1, 28, 28), columns=12, title=title)
    report.save(fig, "denoising.png")


if __name__ == "__main__":
    run(main)
