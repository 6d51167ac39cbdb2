"""A random probe estimates the Jacobian penalty, right on average, for one backward pass.

The lectures: the exact ‖∂f/∂x‖²_F of a deep encoder is expensive. For v of independent random signs
E ‖vᵀ ∂f/∂x‖² equals it, and so does, for dense layers, a closed form. Measured is how far both are from the
exact penalty, in value and in gradient, on the encoder of a trained deep contractive autoencoder and in
float64. Drawn is how far a single estimate is off, over the number of probes. What each costs is measured
by the demo `jacobian_cost`.
"""

import numpy as np

from demos import figures
from demos.measures import worst
from demos.regularised.jacobian_cost import (BATCH, CLOSED, ESTIMATE, EXACT, SIZES, sigmoid_layers,
                                             value_and_gradient, ways)
from tinyae import distributions, jacobian, models, nn, no_grad, ops, penalties

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 30, "mnist": 30}
PROBES = (1, 2, 4, 8, 16, 32)


def main(run):
    train, test = run.images(train=5_000, test=1_000).vectors()
    encoder = trained_encoder(run, train)
    test = test[: run.pick(len(test), 2 * BATCH)].astype(np.float64)
    batches = [test[start : start + BATCH] for start in range(0, len(test), BATCH)]
    probes = run.pick(100, 2)
    apart, off = departures(run, encoder, batches, probes)
    run.note(closed_relative_difference=apart, standard_errors=off)
    what = f"the mean of {probes} estimates (root mean square over {len(batches)} batches)"
    judge(run.claim, apart, off, what)
    draw(run, encoder, batches[0])


def trained_encoder(run, images):
    """The encoder, in float64, of a deep contractive autoencoder with tied weights, made by the estimate."""
    encoder = sigmoid_layers(SIZES, run.rng("weights"))
    first, _, second, _ = encoder.layers
    decoder = nn.Sequential(nn.Tied(second), ops.sigmoid, nn.Tied(first))
    model = models.Autoencoder(encoder, decoder, distributions.Bernoulli,
                               penalties=[penalties.jacobian(1, "stochastic")])
    run.fit(model, images, lr=5e-3, batch_size=BATCH)
    for p in encoder.parameters():
        p.data = p.data.astype(np.float64)
    return encoder


def departures(run, encoder, batches, probes):
    """How far the closed form and the estimate are from the exact penalty, in value and in gradient.

    The closed form by its largest relative difference over the batches; the mean of so many estimates in
    standard errors. The mean of an unbiased estimate is one standard error away, in the mean square. In
    a single batch it would be two or more away every twentieth time; over all batches it never is.
    """
    way, apart, off = ways(encoder, run.noise("probes")), [], []
    for batch in batches:
        x = run.tensor(batch)
        exact, closed = (value_and_gradient(way[name], x, encoder) for name in (EXACT, CLOSED))
        apart += [relative(a, b) for a, b in zip(closed, exact)]
        draws = zip(*(value_and_gradient(way[ESTIMATE], x, encoder) for _ in range(probes)))
        off.append([standard_errors(np.array(draw), b) for draw, b in zip(draws, exact)])
    off = np.sqrt(np.mean(np.square(off), axis=0))
    return worst(apart), {"value": float(off[0]), "gradient": float(off[1])}


def relative(a, b):
    """‖a - b‖ / ‖b‖."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def standard_errors(draws, exact):
    """The distance of the mean of the draws (n, d) from exact (d,), in standard errors of that mean.

    The square of a standard error is the sum of all variances over n, which is what the square of
    the distance is on average if the draws are right on average.
    """
    error = np.sqrt(draws.var(axis=0, ddof=1).sum() / len(draws))
    return float(np.linalg.norm(draws.mean(axis=0) - exact) / error)


def judge(claim, apart, off, what):
    claim("jacobian-cost.equal", "the closed form is the exact penalty",
          "largest relative difference of values and of gradients:", apart, at_most=1e-10)
    for name, distance in off.items():
        claim(f"jacobian-cost.{name}", f"the estimate is right on average in its {name}",
              f"standard errors from the exact {name} to {what}:", distance, at_most=2)


def spread(encoder, x):
    """The exact penalty at x, and the standard deviation of its estimate by one probe.

    With G = JJᵀ the estimate ‖vᵀJ‖² of an example has the variance 2 Σ_{i≠j} G_ij² (Hutchinson 1990).
    """
    j = jacobian(encoder, x).numpy()
    gram = j @ j.swapaxes(1, 2)
    off_diagonal = gram * (1 - np.eye(gram.shape[1]))
    return (j**2).sum() / len(j), np.sqrt(2 * (off_diagonal**2).sum()) / len(j)


def draw(run, encoder, batch):
    """Estimates of a batch's penalty with more and more probes, relative to the exact one."""
    x, rng, repeats = run.tensor(batch), run.noise("estimates"), run.pick(30, 2)
    exact, deviation = spread(encoder, x)
    fig = figures.figure(8, 4.8, f"A single random probe estimates the penalty of {len(batch)} images "
                         f"to about {deviation / exact:.1%},\nn probes to 1/√n of that")
    axes = fig.subplots()
    for probes in PROBES:
        penalty = penalties.jacobian(1, "stochastic", probes)
        with no_grad():
            estimates = [penalty(None, x, encoder, rng).item() for _ in range(repeats)]
        axes.plot(probes * np.geomspace(0.9, 1.1, repeats), np.array(estimates) / exact, "o", markersize=4,
                  color=figures.COLOURS[0], alpha=0.6, label=None if probes > 1 else "estimates")
    number = np.geomspace(0.8, 40, 50)
    for sign in (-2, 2):
        axes.plot(number, 1 + sign * deviation / exact / np.sqrt(number), "--", color=figures.COLOURS[6],
                  linewidth=2, label="± 2 standard deviations, as computed from ∂f/∂x" if sign > 0 else None)
    axes.axhline(1, color="black", linewidth=1, label="exact")
    axes.set(xscale="log", xticks=PROBES, xticklabels=PROBES, xlim=number[[0, -1]],
             xlabel="number of probes, a backward pass each", ylabel="estimate of ‖∂f/∂x‖² / exact value")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    run.save(fig, "estimate.png", "estimates over the exact penalty against the number of probes, round 1, "
             "with two dashed curves at two standard deviations")
