"""A linear autoencoder learns what PCA learns: the directions of most variance.

The lecture: without a nonlinearity and with squared error, the best autoencoder with k code units
projects onto the span of the first k principal axes. Its decoder's weights are any basis of that
span, not the axes themselves, so it is the spans that are compared: by the largest of the angles
between them. And the gradient that starts its way back at the output is x̂ - x, for squared error
as for cross-entropy on a sigmoid.
"""

import math

import numpy as np

from demos.harness import Report, apply, chosen_epochs, load_digits, parser, run, whole
from demos.measures import pca, squared_error
from tinyae import Tensor, data, grad, losses, models, nn, ops, optim, plots, training
from tinyae.backend import to_device

TOPIC = "Autoencoders"
EPOCHS = {"strokes": 100, "mnist": 100}
EXAMPLES = 5_000  # the digits that PCA and the autoencoder both see
# A span of k axes is well defined where the variance along the next axis is clearly less. In the
# spectra of both kinds of digits the widest gap after the first axis comes after the sixth, where
# the variance falls by about a fifth; after the eighth it falls by less than a tenth.
CODE = 6


def main(argv=None):
    p = parser("pca", __doc__, epochs=EPOCHS)
    p.add_argument("--code", type=whole(1), default=CODE,
                   help=f"code size on the digits (default: {CODE})")
    args = p.parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data], quick=10)

    report = Report("pca", args)
    digits = load_digits(args, train=EXAMPLES)
    on_a_line(report, args, epochs)
    train, test = digits.vectors()
    mean = train.mean(axis=0)
    measured = on_digits(report, args, train - mean, test - mean, epochs)
    at_the_output(report, args, train[:100])
    return report.finish(code=args.code, epochs=epochs, **measured)


def linear_autoencoder(size, code, args):
    """x W₁ + b₁ is the code, h W₂ + b₂ the reconstruction; and the generator that drew the weights."""
    rng = np.random.default_rng([args.seed, code])
    encoder = nn.Dense(size, code, rng=rng, init="glorot")
    decoder = nn.Dense(code, size, rng=rng, init="glorot")
    return models.Autoencoder(encoder, decoder, losses.mse).to(args.device), rng


def fit(model, x, rng, epochs, lr):
    """A fifth of the epochs in 20 minibatches each, which go far in little time; then all of x at once.

    The gradient of a minibatch is noisy, and the noise would keep the weights some degrees away
    from where all the data pulls them.
    """
    optimizer = optim.Adam(model.parameters(), lr)
    for part, batches in ((epochs // 5, 20), (epochs - epochs // 5, 1)):
        training.fit(model, optimizer, x, epochs=part, batch_size=math.ceil(len(x) / batches), rng=rng)


def angle_between(a, b):
    """The largest principal angle between the spans of the columns of a and of b, in degrees.

    Each direction in the one span makes some angle with the other span; this is the largest. Its
    sine is the norm of what is left of an orthonormal basis of the one after projection on the other.
    """
    a, b = (np.linalg.qr(np.asarray(columns, np.float64))[0] for columns in (a, b))
    return float(np.degrees(np.arcsin(min(1.0, np.linalg.norm(a - b @ (b.T @ a), 2)))))


# --- one code unit, in the plane -----------------------------------------------------------------

def on_a_line(report, args, epochs):
    """pca-line: points in the plane, reduced to one number each."""
    x, _ = data.line(500 if args.quick else 2000, np.random.default_rng([args.seed, 1]))
    x -= x.mean(axis=0)
    _, axis = pca(x, 1)
    model, rng = linear_autoencoder(2, 1, args)
    print("points in the plane:", flush=True)
    fit(model, x, rng, epochs, lr=0.05)
    direction = model.decoder.weight.numpy().T
    angle = angle_between(direction, axis)
    report.claim("pca-line",
                 "a linear autoencoder with one code unit finds the direction of most variance",
                 "degrees between the decoder's direction and the first principal axis:",
                 angle, at_most=1)
    draw_line(report, x, apply(model.reconstruct, x, args.device), direction[:, 0], axis[:, 0], angle)


def draw_line(report, x, copies, direction, axis, angle):
    """The points, both directions, and where the autoencoder puts some of the points."""
    fig = plots.figure(7, 5.4, "A linear autoencoder finds the first principal axis:\n"
                       f"the two directions are {angle:.2f}° apart")
    axes = fig.subplots()
    axes.scatter(*x.T, s=5, color=plots.COLOURS[9], alpha=0.4, linewidths=0, label="points")
    reach = np.array([[-3.6], [3.6]])
    axes.plot(*(reach * axis).T, color=plots.COLOURS[5], linewidth=7, label="first principal axis")
    axes.plot(*(reach * direction / np.linalg.norm(direction)).T, color=plots.COLOURS[0], linewidth=2,
              label="decoder's direction")
    across = np.abs(x @ [-axis[1], axis[0]])
    places = x @ axis
    targets = np.linspace(-2, 2, 9)  # far from the axis, at even distances along it
    some = [np.where(np.abs(places - t) < 0.2, across, -1).argmax() for t in targets]
    for i, (point, copy) in enumerate(zip(x[some], copies[some])):
        axes.plot(*np.stack((point, copy)).T, color=plots.COLOURS[7], linewidth=1.5,
                  marker="o", markersize=5, markevery=[0],
                  label=None if i else "x, and the way to its reconstruction")
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal", xlim=(-3.6, 3.6), ylim=(-2.6, 2.6))
    axes.legend(loc="lower right", fontsize=9)
    report.save(fig, "pca_line.png")


# --- digits --------------------------------------------------------------------------------------

def on_digits(report, args, train, test, epochs):
    """pca-subspace: PCA and a linear autoencoder on the same centred images; what was measured."""
    _, axes = pca(train, args.code)
    model, rng = linear_autoencoder(train.shape[1], args.code, args)
    print(f"digits, {args.code} numbers each:", flush=True)
    fit(model, train, rng, epochs, lr=0.01)
    weight = model.decoder.weight.numpy()
    angle = angle_between(weight.T, axes)
    report.claim("pca-subspace", "a linear undercomplete autoencoder learns the subspace of PCA",
                 f"largest angle in degrees between the spans of {args.code} decoder rows "
                 f"and {args.code} principal axes:", angle, at_most=1)
    errors = {"PCA": squared_error(test @ axes @ axes.T, test),
              "autoencoder": squared_error(apply(model.reconstruct, test, args.device), test)}
    report.claim("pca-subspace", "and reconstructs as PCA does",
                 "relative difference of the two held-out squared errors:",
                 abs(errors["autoencoder"] / errors["PCA"] - 1), at_most=0.01)
    print(f"squared error per held-out image: {errors['PCA']:.4f} by PCA, "
          f"{errors['autoencoder']:.4f} by the autoencoder")
    # The axes of the autoencoder's own span: those along which its reconstructions vary most.
    _, found = pca(apply(model.reconstruct, train, args.device), args.code)
    draw_digits(report, axes, weight.T, found * np.sign((found * axes).sum(axis=0)), angle)
    return {"largest_angle": angle, "squared_error": errors}


def draw_digits(report, axes, weight, found, angle):
    """The principal axes, the decoder's weights, and the axes of the span of those weights."""
    count = min(axes.shape[1], 8)
    rows = (("PCA: the principal axes of the digits", axes),
            ("the linear autoencoder: its decoder's weights, another basis",
             weight / np.linalg.norm(weight, axis=0)),
            ("the same span again: the principal axes of the autoencoder's reconstructions", found))
    fig = plots.figure(max(1.5 * count, 6), 6.4,
                       f"PCA and a linear autoencoder span the same {axes.shape[1]} dimensions\n"
                       f"of the space of digits (largest angle {angle:.2f}°)")
    for part, (title, columns) in zip(fig.subfigures(len(rows), 1), rows):
        part.suptitle(title, fontsize=11)
        for panel, column in zip(part.subplots(1, count, squeeze=False)[0], columns.T):
            plots.show_signed(panel, column.reshape(28, 28), np.abs(axes).max())
            panel.set(xticks=[], yticks=[])
    report.save(fig, "pca_subspace.png")


# --- the gradient at the output ------------------------------------------------------------------

def at_the_output(report, args, images):
    """gradient: the engine's gradient at the output against x̂ - x, in float64."""
    rng = np.random.default_rng([args.seed, 2])
    x = images.astype(np.float64)
    output = rng.standard_normal(x.shape)
    sigmoid = 1 / (1 + np.exp(-output))
    for name, copy, functions in (
        ("squared error", output, [losses.mse]),
        ("cross-entropy on a sigmoid", sigmoid, [losses.bernoulli_nll, cross_entropy]),
    ):
        worst = max(departure(function, output, x, copy - x, args.device) for function in functions)
        report.claim("gradient", f"for {name} the gradient at the output is x̂ - x",
                     "largest relative difference:", worst, at_most=1e-12)


def cross_entropy(logits, x):
    """The loss as the lecture writes it, p = sigmoid(logits) and then -Σ x ln p + (1 - x) ln(1 - p).

    `losses.bernoulli_nll` is one operation whose rule is x̂ - x; here the chain rule has to find it.
    """
    p = ops.sigmoid(logits)
    return -ops.sum(x * ops.log(p) + (1 - x) * ops.log(1 - p)) / x.shape[0]


def departure(loss, output, x, formula, device):
    """How far the gradient of N times the loss is from the formula, relative to its largest entry."""
    at = Tensor(to_device(output, device), requires_grad=True)
    gradient, = grad(loss(at, Tensor(to_device(x, device))), [at])
    return float(np.abs(len(x) * gradient.numpy() - formula).max() / np.abs(formula).max())


if __name__ == "__main__":
    run(main)
