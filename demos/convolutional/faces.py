"""Strided convolutions make a code of a face, and transposed ones make a face of the code again.

The lecture: convolutional encoders and decoders learn codes of faces; once they are trained, one can throw
the decoder away and keep the code as a description. Measured are the squared error on faces never seen,
against PCA with as many numbers, and what the code knows of a face: the share of the variance of each factor
that a linear regression predicts from it. The faces are aligned, as in most collections of photographs: of
faces that stand here and there, before walls of all colours, a code this short keeps the place and the wall.
With `--data cifar10` it is photographs of anything, of which no factors are known.

That the code says who it is holds in part: it keeps what many pixels show, the width of the face, the skin
and the hair. The colour of the eyes, how far apart they are, the length of the nose and the brows change
few pixels, and squared error lets them go. PCA's code tells nearly as much of all this.
"""

import numpy as np

from demos import figures, portraits
from demos.arguments import whole
from demos.measures import least, pca, r_squared, ratio, regression, squared_error
from tinyae import distributions, models, optim

LECTURES = "L5"
DATA = ("faces", "cifar10")
EPOCHS = {"faces": 5, "cifar10": 4}
CODE = 16  # a little more than the 13 factors that tell aligned faces apart
CHANNELS = (24, 48, 96)
AT_MOST = {"faces": 0.75, "cifar10": 1.0}  # of PCA's error; a photograph takes far more than 16 numbers
EXPRESSION, PERSON = ("smile", "pose"), ("face width", "skin", "hair length")


def options(p):
    p.add_argument("--code", type=whole(1), default=CODE, help=f"code size (default: {CODE})")


def main(run):
    size = run.options.code
    images = portraits.passports(run) if run.data == "faces" else run.images(train=20_000, test=1_000)
    model = models.Autoencoder(*models.conv_networks(images.shape, CHANNELS, size, run.rng("weights")),
                               likelihood=distributions.Bernoulli)
    run.fit(model, images.train, lr=optim.one_cycle(3e-3), batch_size=25)

    mean, axes = pca(images.train, size)
    codes = {"autoencoder": [run.apply(model.encode, x) for x in (images.train, images.test)],
             "PCA": [(x - mean) @ axes for x in images.vectors()]}
    copies = {"autoencoder": run.apply(model.reconstruct, images.test),
              "PCA": (codes["PCA"][1] @ axes.T + mean).reshape(images.test.shape)}
    errors = {name: squared_error(copy, images.test) for name, copy in copies.items()}
    kept = None
    if images.train_factors is not None:
        kept = {name: what_is_kept(images, *both) for name, both in codes.items()}
    run.note(code=size, squared_error=errors, kept=kept)
    judge(run.claim, size, errors, AT_MOST[run.data], kept and kept["autoencoder"])
    draw_copies(run, images.test, copies, errors, size)
    if kept:
        draw_kept(run, kept, size)


def what_is_kept(images, codes, new):
    """{factor: R² of its linear regression on the codes, on held-out faces}, of the factors that vary."""
    known, truth = portraits.numbers(images.train_factors), portraits.numbers(images.test_factors)
    read = regression(codes, known, new)
    return {name: r_squared(read[:, i], truth[:, i])
            for i, name in enumerate(portraits.COLUMNS) if np.ptp(truth[:, i]) > 0}


def judge(claim, size, errors, at_most, kept):
    """errors: squared errors of both; kept: {factor: R²} of the code, or None where no factors are known."""
    claim("faces", f"a convolutional autoencoder makes a code of {size} numbers, and the image from the code",
          "its held-out squared error, relative to PCA's with as many numbers:",
          ratio(errors["autoencoder"], errors["PCA"]), at_most=at_most)
    if kept is None:
        return
    claim("faces.expression", "the code describes a face, its expression and pose",
          "the smaller R² of smile and pose, linearly from the code:",
          least(kept[name] for name in EXPRESSION), at_least=0.5)
    claim("faces.person", "and what many pixels show of who it is",
          "least R² of face width, skin and hair length, linearly from the code:",
          least(kept[name] for name in PERSON), at_least=0.5)


def draw_copies(run, images, copies, errors, size):
    """Images never seen, and what both make of them."""
    kind = "face" if run.data == "faces" else "photograph"
    rows = {f"{kind}s never seen": images}
    rows |= {f"{name}: squared error {errors[name]:.1f} per image": copy for name, copy in copies.items()}
    fig = figures.pictures(f"A {kind} from {size} numbers: the autoencoder's error is "
                           f"{ratio(errors['autoencoder'], errors['PCA']):.2f} of PCA's", rows)
    run.save(fig, "reconstructions.png", "a row of images never seen, and below it the copies that the "
             "autoencoder and PCA make of them")


def draw_kept(run, kept, size):
    """What can be read from either code, factor by factor."""
    names = sorted(kept["PCA"], key=kept["autoencoder"].get)
    smile, nose = (kept["autoencoder"][name] for name in ("smile", "nose length"))
    fig = figures.figure(8.5, 5.8, f"What {size} numbers tell of a face: "
                         f"R² of the smile {smile:.2f}, of the nose's length {nose:.2f}")
    axes = fig.subplots()
    places = np.arange(len(names))
    for name, shift, colour in (("autoencoder", 0.2, 0), ("PCA", -0.2, 6)):
        axes.barh(places + shift, [max(kept[name][factor], 0) for factor in names], 0.4,
                  color=figures.COLOURS[colour], label=f"code of {'the ' * (name != 'PCA')}{name}")
    axes.set_yticks(places, names)
    axes.set(xlabel="R² of a linear regression on the code, for faces never seen", xlim=(0, 1))
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", framealpha=1)
    run.save(fig, "kept.png", "bars for each factor of a face: how well it can be told from the code of the "
             "autoencoder and from that of PCA")
