"""A linear autoencoder with one code unit finds the direction of most variance.

The lecture: a linear autoencoder that reduces each point of the plane to one number keeps the point's place
along the first principal axis. Measured is the angle between its decoder's direction and that axis.
"""

import numpy as np

from demos import figures
from demos.autoencoders.pca import fit, linear_autoencoder
from demos.measures import angle_between, pca
from tinyae import data

LECTURES = "L2"
EPOCHS = {"all": 100, "quick": 10}


def main(run):
    x, _ = data.line(run.pick(2000, 500), run.rng("points"))
    x -= x.mean(axis=0)
    _, axis = pca(x, 1)
    model = linear_autoencoder(2, 1, run.rng("weights"))
    fit(run, model, x, lr=0.05)
    direction = model.decoder.weight.numpy().T
    angle = angle_between(direction, axis)
    judge(run.claim, angle)
    draw(run, x, run.apply(model.reconstruct, x), direction[:, 0], axis[:, 0], angle)


def judge(claim, angle):
    claim("pca-line", "a linear autoencoder with one code unit finds the direction of most variance",
          "angle in degrees between the decoder's direction and the first principal axis:", angle, at_most=1)


def draw(run, x, copies, direction, axis, angle):
    """The points, both directions, and where the autoencoder puts some of the points."""
    fig = figures.figure(7, 5.4, "A linear autoencoder finds the first principal axis:\n"
                         f"the two directions are {angle:.2f}° apart")
    axes = fig.subplots()
    axes.scatter(*x.T, s=5, color=figures.COLOURS[9], alpha=0.4, linewidths=0, label="points")
    reach = np.array([[-3.6], [3.6]])
    axes.plot(*(reach * axis).T, color=figures.COLOURS[5], linewidth=7, label="first principal axis")
    axes.plot(*(reach * direction / np.linalg.norm(direction)).T, color=figures.COLOURS[0], linewidth=2,
              label="decoder's direction")
    across, places = np.abs(x @ [-axis[1], axis[0]]), x @ axis
    # Some points far from the axis, at even distances along it.
    some = [np.where(np.abs(places - t) < 0.2, across, -1).argmax() for t in np.linspace(-2, 2, 9)]
    for i, (point, copy) in enumerate(zip(x[some], copies[some])):
        axes.plot(*np.stack((point, copy)).T, color=figures.COLOURS[7], linewidth=1.5, marker="o",
                  markersize=5, markevery=[0], label=None if i else "x, and the way to its reconstruction")
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal", xlim=(-3.6, 3.6), ylim=(-2.6, 2.6))
    axes.legend(loc="lower right", fontsize=9)
    run.save(fig, "line.png", "points in the plane, the first principal axis and the decoder's direction, "
             "and nine points with lines to their reconstructions")
