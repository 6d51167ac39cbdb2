"""A linear autoencoder learns the subspace of PCA.

The lecture: without a nonlinearity and with squared error, the best autoencoder with k code units
projects onto the span of the first k principal axes. Its decoder's weights are any basis of that
span, not the axes themselves, so it is the spans that are compared: by the largest of the angles
between them, and by the errors on held-out digits.
"""

import math

import numpy as np

from demos import figures
from demos.arguments import whole
from demos.measures import angle_between, pca, squared_error
from tinyae import models, nn

LECTURES = "L1 L2"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 100, "mnist": 100, "quick": 10}
# A span of k axes is well defined where the variance along the next axis is clearly less. In the
# spectra of both kinds of digits the widest gap after the first axis comes after the sixth, where
# the variance falls by about a fifth; after the eighth it falls by less than a tenth.
CODE = 6


def options(p):
    p.add_argument("--code", type=whole(1), default=CODE, help=f"code size (default: {CODE})")


def main(run):
    train, test = run.images(train=5_000).vectors()
    train, test = train - train.mean(axis=0), test - train.mean(axis=0)
    code = run.options.code
    _, axes = pca(train, code)
    model = linear_autoencoder(train.shape[1], code, run.rng("weights"))
    fit(run, model, train, lr=0.01)

    weight = model.decoder.weight.numpy().T
    angle = angle_between(weight, axes)
    errors = {"PCA": squared_error(test @ axes @ axes.T, test),
              "autoencoder": squared_error(run.apply(model.reconstruct, test), test)}
    run.note(code=code, largest_angle=angle, squared_error=errors)
    judge(run.claim, code, angle, errors)
    # The axes of the autoencoder's own span: those along which its reconstructions vary most.
    _, found = pca(run.apply(model.reconstruct, train), code)
    draw(run, axes, weight, found * np.sign((found * axes).sum(axis=0)), angle)


def linear_autoencoder(size, code, rng):
    """x W₁ + b₁ is the code, h W₂ + b₂ the reconstruction."""
    return models.Autoencoder(nn.mlp(size, code, rng=rng).layers[0], nn.mlp(code, size, rng=rng).layers[0])


def fit(run, model, x, lr):
    """A fifth of the epochs in 20 minibatches each, which go far in little time; then all of x at once.

    The gradient of a minibatch is noisy, and the noise would keep the weights some degrees away
    from where all the data pulls them.
    """
    few = run.epochs // 5
    run.fit(model, x, lr=lr, epochs=few, batch_size=math.ceil(len(x) / 20), what="in minibatches")
    run.fit(model, x, lr=lr, epochs=run.epochs - few, batch_size=len(x), what="on all points at once")


def judge(claim, code, angle, errors):
    claim("pca-subspace", "a linear undercomplete autoencoder learns the subspace of PCA",
          f"largest angle in degrees between the spans of {code} decoder rows and {code} principal axes:",
          angle, at_most=1)
    claim("pca-subspace.error", "and reconstructs as PCA does",
          "relative difference of the two held-out squared errors:",
          abs(errors["autoencoder"] / errors["PCA"] - 1), at_most=0.01)


def draw(run, axes, weight, found, angle):
    """The principal axes, the decoder's weights, and the axes of the span of those weights."""
    count = min(axes.shape[1], 8)
    rows = {"PCA: the principal axes of the digits": axes,
            "the linear autoencoder: its decoder's weights, another basis": weight / np.linalg.norm(weight, axis=0),
            "the same span again: the principal axes of the autoencoder's reconstructions": found}
    fig = figures.figure(max(1.5 * count, 6), 6.4, "PCA and a linear autoencoder span the same "
                         f"{axes.shape[1]} dimensions\nof the space of digits (largest angle {angle:.2f}°)")
    for panel, (title, columns) in zip(fig.subplots(len(rows), 1), rows.items()):
        figures.show_signed_images(panel, columns.T[:count], count, np.abs(axes).max(), title)
    run.save(fig, "pca.png", "three rows of digit-like patterns: principal axes, the decoder's weights, and "
             "the principal axes of its reconstructions")
