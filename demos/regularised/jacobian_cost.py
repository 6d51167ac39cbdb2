"""The Jacobian penalty of a deep encoder is expensive; layer by layer, or estimated, it is cheap.

The lectures: learning is heavy for deep contractive autoencoders, so penalise them layer by layer.
Four ways to ‖∂f/∂x‖²_F are compared, in value, in gradient and in time:

    exact           a backward pass for each unit of the code
    closed form     the product of the layers' Jacobians, for dense layers
    estimate        E ‖vᵀ ∂f/∂x‖², a backward pass for each vector v of random signs
    layer by layer  Σ ‖∂f_l/∂h_{l-1}‖², the closed form of each layer at its own input

The first two are equal and the third is so on average. The last is another penalty: that of shallow
autoencoders which are trained one after the other and stacked.
"""

import functools

import numpy as np

from demos import figures
from demos.measures import seconds_in_turns
from tinyae import distributions, grad, jacobian, models, nn, no_grad, ops, penalties
from tinyae.backend import keep_freed_memory

LECTURES = "L1 L4"
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 30, "mnist": 30}
BATCH = 100
SIZES = (784, 256, 64)
CODES = (16, 32, 64, 128)  # code sizes, with one hidden layer
DEPTHS = (1, 2, 3, 4)  # layers, with a code of 64
ROUNDS = 11  # times that each way takes its turn; the median counts
PROBES = (1, 2, 4, 8, 16, 32)
EXACT, CLOSED, ESTIMATE, LAYERS = "exact", "closed form", "estimate, one probe", "layer by layer"


def main(run):
    train, test = run.images(train=5_000, test=1_000).vectors()
    encoder = trained_encoder(run, train)
    test = test[: run.pick(len(test), 2 * BATCH)].astype(np.float64)
    batches = [test[start : start + BATCH] for start in range(0, len(test), BATCH)]
    probes = run.pick(100, 2)
    apart, off = departures(run, encoder, batches, probes)
    run.note(closed_relative_difference=apart, standard_errors=off)
    judge_values(run.claim, apart, off, f"the mean of {probes} estimates, over {len(batches)} batches")
    draw_estimates(run, encoder, batches[0])

    codes = {k: (*SIZES[:-1], k) for k in CODES[: run.pick(4, 2)]}
    depths = {d: (SIZES[0], *[SIZES[1]] * (d - 1), SIZES[-1]) for d in DEPTHS[: run.pick(4, 2)]}
    times = seconds(run, {*codes.values(), *depths.values()}, batches[0])
    over_codes, over_depth = ({key: times[sizes] for key, sizes in cases.items()}
                              for cases in (codes, depths))
    run.note(seconds={"code size": over_codes, "depth": over_depth})
    judge_times(run.claim, over_codes, over_depth)
    draw_times(run, over_codes, over_depth)


# --- encoders and penalties ----------------------------------------------------------------------

def ways(encoder, rng):
    """The four penalties of the encoder as functions of x."""
    def penalty(method):
        measure = penalties.jacobian(1, method)
        return lambda x: measure(None, x, encoder, rng)

    return {EXACT: penalty("exact"), CLOSED: penalty("closed"), ESTIMATE: penalty("stochastic"),
            LAYERS: lambda x: layer_by_layer(encoder, x)}


def layer_by_layer(encoder, x):
    """Σ ‖∂f_l/∂h_{l-1}‖²_F over the layers h_l = f_l(h_{l-1}), each with the layer below it held fixed."""
    total, penalty = 0.0, penalties.jacobian(1, "closed")
    for layer in map(nn.Sequential, encoder.layers[::2], encoder.layers[1::2]):
        total = total + penalty(None, x, layer, None)
        x = layer(x).detach()
    return total


def value_and_gradient(penalty, x, encoder):
    """The penalty at x (1,), and its gradient in all weights and biases as one vector, on the CPU."""
    value = penalty(x)
    gradient = grad(value, encoder.parameters())
    return np.array([value.item()]), np.concatenate([g.numpy().ravel() for g in gradient])


def sigmoid_layers(sizes, rng):
    """Dense layers of those sizes, each with a sigmoid after it."""
    return nn.mlp(*sizes, rng=rng, activation=ops.sigmoid, output=ops.sigmoid)


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


# --- the values ----------------------------------------------------------------------------------

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
    return max(apart), {"value": float(off[0]), "gradient": float(off[1])}


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


def judge_values(claim, apart, off, what):
    claim("jacobian-cost", "the closed form is the exact penalty",
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


def draw_estimates(run, encoder, batch):
    """Estimates of a batch's penalty with more and more probes, relative to the exact one."""
    x, rng, repeats = run.tensor(batch), run.noise("estimates"), run.pick(30, 2)
    exact, deviation = spread(encoder, x)
    fig = figures.figure(8, 4.8, f"A single random probe estimates the penalty of {len(batch)} images "
                         f"to about {100 * deviation / exact:.1f} %,\nn probes to 1/√n of that")
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
    run.save(fig, "estimate.png", "estimates over the exact penalty against the number of probes: a cloud "
             "round 1 that narrows between two dashed curves")


# --- the times -----------------------------------------------------------------------------------

def seconds(run, cases, batch):
    """The median seconds of each way to value and gradient, for encoders of those sizes, in float32."""
    keep_freed_memory()
    x, rng, turns = run.tensor(batch.astype(np.float32)), run.noise("probes"), {}
    for sizes in sorted(cases):
        encoder = sigmoid_layers(sizes, run.rng("weights")).to(run.device)
        for name, penalty in ways(encoder, rng).items():
            turns[sizes, name] = functools.partial(value_and_gradient, penalty, x, encoder)
    times = seconds_in_turns(turns, run.pick(ROUNDS, 1))
    return {sizes: {name: times[sizes, name] for name in ways(None, None)} for sizes in cases}


def judge_times(claim, over_codes, over_depth):
    """The ratios of the times. The bounds are wide, to hold on any machine."""
    small, large = min(over_codes), max(over_codes)
    claim("jacobian-cost.exact", "the exact penalty is expensive: a backward pass for each unit of the code",
          f"its time for a code of {large}, relative to a code of {small}:",
          over_codes[large][EXACT] / over_codes[small][EXACT], at_least=2)
    deep = over_depth[2]
    for name, id, words in ((ESTIMATE, "estimate", "the estimate is"),
                            (LAYERS, "layers", "the penalty layer by layer is")):
        claim(f"jacobian-cost.{id}", f"for a deep encoder {words} cheaper",
              f"time of the exact penalty relative to it, {'-'.join(map(str, SIZES))}:",
              deep[EXACT] / deep[name], at_least=2)
    claim("jacobian-cost.closed", "for a single layer the closed form is cheaper",
          f"time of the exact penalty relative to it, {SIZES[0]}-{SIZES[-1]}:",
          over_depth[1][EXACT] / over_depth[1][CLOSED], at_least=2)


def draw_times(run, over_codes, over_depth):
    """Time over code size and over depth, a line for each way."""
    deep = over_depth[2]
    fig = figures.figure(11, 4.8, "The exact penalty costs a backward pass for each unit of the code:\n"
                         f"for {'-'.join(map(str, SIZES))} {deep[EXACT] / deep[ESTIMATE]:.0f} times the time "
                         f"of an estimate, {deep[EXACT] / deep[LAYERS]:.0f} times that of layer by layer")
    titles = ("one hidden layer", f"a code of {SIZES[-1]}")
    labels = (f"code size k of a {'-'.join(map(str, SIZES[:-1]))}-k encoder", "number of layers")
    panels = fig.subplots(1, 2, sharey=True)
    panels[0].set(xscale="log", ylabel=f"milliseconds for value and gradient,\nbatch of {BATCH}")
    for axes, times, title, label in zip(panels, (over_codes, over_depth), titles, labels):
        axes.set_yscale("log")
        axes.margins(x=0.015)  # so that the names stand outside
        axes.set(xlabel=label, xticks=list(times), xticklabels=list(times))
        axes.minorticks_off()
        axes.set_title(title, fontsize=11)
        figures.curves(axes, list(times), {name: [1e3 * t[name] for t in times.values()] for name in deep},
                       colours=(6, 3, 0, 4), label=axes is panels[1])
    run.save(fig, "time.png", "milliseconds over code size and over depth on a logarithmic scale: the exact "
             "penalty far above the three others, and rising with the code's size")
