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

import time

import numpy as np

from demos.harness import Report, chosen_epochs, load_digits, parser, run
from tinyae import (Tensor, grad, jacobian, losses, models, nn, no_grad, ops, optim, penalties, plots,
                    training)
from tinyae.backend import keep_freed_memory, random_generator, to_device

TOPIC = "Regularised autoencoders"
EPOCHS = {"strokes": 30, "mnist": 30}
EXAMPLES = 5_000
BATCH = 100
SIZES = (784, 256, 64)
CODES = (16, 32, 64, 128)  # code sizes, with one hidden layer
DEPTHS = (1, 2, 3, 4)  # layers, with a code of 64
ROUNDS = 11  # times that each way takes its turn; the median counts
PROBES = (1, 2, 4, 8, 16, 32)
EXACT, CLOSED, ESTIMATE, LAYERS = "exact", "closed form", "estimate, one probe", "layer by layer"


def main(argv=None):
    args = parser("jacobian_cost", __doc__, epochs=EPOCHS).parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("jacobian_cost", args)
    digits = load_digits(args, train=EXAMPLES, test=1_000)
    train, test = digits.vectors()
    encoder = trained_encoder(train, epochs, args)
    for p in encoder.parameters():
        p.data = p.data.astype(np.float64)
    batches = [test[start : start + BATCH].astype(np.float64) for start in range(0, len(test), BATCH)]
    some = slice(2) if args.quick else slice(None)
    measured = judge_values(report, encoder, batches[some], 4 if args.quick else 100, args)
    draw_estimates(report, encoder, batches[0], 4 if args.quick else 30, args)

    keep_freed_memory()
    x = Tensor(to_device(test[:BATCH], args.device))
    codes = {k: (*SIZES[:-1], k) for k in CODES[some]}
    depths = {d: (SIZES[0], *[SIZES[1]] * (d - 1), SIZES[-1]) for d in DEPTHS[some]}
    times = seconds({*codes.values(), *depths.values()}, x, 1 if args.quick else ROUNDS, args)
    over_codes, over_depth = ({key: times[sizes] for key, sizes in cases.items()}
                              for cases in (codes, depths))
    judge_times(report, over_codes, over_depth)
    draw_times(report, over_codes, over_depth)
    return report.finish(epochs=epochs, **measured, seconds={"code size": over_codes, "depth": over_depth})


# --- encoders and penalties ----------------------------------------------------------------------

def layers(sizes, rng):
    """Dense layers of those sizes, each with a sigmoid after it."""
    pairs = [(nn.Dense(*size, rng=rng, init="glorot"), ops.sigmoid) for size in zip(sizes, sizes[1:])]
    return nn.Sequential(*(layer for pair in pairs for layer in pair))


def trained_encoder(images, epochs, args):
    """The encoder of a deep contractive autoencoder with tied weights, trained with the estimate."""
    rng = np.random.default_rng([args.seed, 2])
    encoder = layers(SIZES, rng)
    first, _, second, _ = encoder.layers
    decoder = nn.Sequential(nn.Tied(second), ops.sigmoid, nn.Tied(first))
    model = models.Autoencoder(encoder, decoder, losses.bernoulli_nll,
                               penalties=[penalties.jacobian(1, "stochastic")]).to(args.device)
    optimizer = optim.Adam(model.parameters(), 5e-3)
    training.fit(model, optimizer, images, epochs=epochs, batch_size=BATCH, rng=rng)
    return encoder


def layer_by_layer(encoder, x):
    """Σ ‖∂f_l/∂h_{l-1}‖²_F over the layers h_l = f_l(h_{l-1}), each with the layer below it held fixed."""
    total = 0.0
    for dense, activation in zip(encoder.layers[::2], encoder.layers[1::2]):
        layer = nn.Sequential(dense, activation)
        total = total + losses.jacobian_penalty(layer, x, "closed")
        x = layer(x).detach()
    return total


def ways(encoder, rng):
    """The four penalties of the encoder as functions of x."""
    return {
        EXACT: lambda x: losses.jacobian_penalty(encoder, x, "exact"),
        CLOSED: lambda x: losses.jacobian_penalty(encoder, x, "closed"),
        ESTIMATE: lambda x: losses.jacobian_penalty(encoder, x, "stochastic", rng=rng),
        LAYERS: lambda x: layer_by_layer(encoder, x),
    }


def value_and_gradient(penalty, x, encoder):
    """The penalty at x (1,), and its gradient in all weights and biases as one vector, on the CPU."""
    value = penalty(x)
    gradient = grad(value, encoder.parameters())
    return np.array([value.item()]), np.concatenate([g.numpy().ravel() for g in gradient])


# --- the values ----------------------------------------------------------------------------------

def judge_values(report, encoder, batches, probes, args):
    """jacobian-cost: the closed form and the estimate against the exact penalty, in float64."""
    way = ways(encoder, random_generator([args.seed, 3], args.device))
    apart, off = [], []
    for batch in batches:
        x = Tensor(to_device(batch, args.device))
        exact, closed = (value_and_gradient(way[name], x, encoder) for name in (EXACT, CLOSED))
        apart.append([relative(a, b) for a, b in zip(closed, exact)])
        draws = zip(*(value_and_gradient(way[ESTIMATE], x, encoder) for _ in range(probes)))
        off.append([standard_errors(np.array(draw), b) for draw, b in zip(draws, exact)])
    report.claim("jacobian-cost", "the closed form is the exact penalty",
                 "largest relative difference of values and of gradients:", float(np.max(apart)),
                 at_most=1e-10)
    # The mean of an unbiased estimate is one standard error away, in the mean square. In a single
    # batch it would be two or more away every twentieth time; over all batches it never is.
    off = np.sqrt(np.mean(np.square(off), axis=0))
    for name, distance in zip(("value", "gradient"), off):
        report.claim("jacobian-cost", f"the estimate is right on average in its {name}",
                     f"standard errors between the mean of {probes} estimates and the exact {name} "
                     f"(root mean square over {len(batches)} batches):", float(distance), at_most=2)
    return {"closed_relative_difference": float(np.max(apart)), "standard_errors": off.tolist()}


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


def spread(encoder, x):
    """The exact penalty at x, and the standard deviation of its estimate by one probe.

    With G = JJᵀ the estimate ‖vᵀJ‖² of an example has the variance 2 Σ_{i≠j} G_ij² (Hutchinson 1990).
    """
    j = jacobian(encoder, x).numpy()
    gram = j @ j.swapaxes(1, 2)
    off_diagonal = gram * (1 - np.eye(gram.shape[1]))
    return (j**2).sum() / len(j), np.sqrt(2 * (off_diagonal**2).sum()) / len(j)


def draw_estimates(report, encoder, batch, repeats, args):
    """Estimates of a batch's penalty with more and more probes, relative to the exact one."""
    x, rng = Tensor(to_device(batch, args.device)), random_generator([args.seed, 4], args.device)
    exact, deviation = spread(encoder, x)
    fig = plots.figure(8, 4.8, f"A single random probe estimates the penalty of {len(batch)} images "
                       f"to about {100 * deviation / exact:.1f} %,\nn probes to 1/√n of that")
    axes = fig.subplots()
    for probes in PROBES:
        with no_grad():
            estimates = [losses.jacobian_penalty(encoder, x, "stochastic", probes=probes, rng=rng).item()
                         for _ in range(repeats)]
        axes.plot(probes * np.geomspace(0.9, 1.1, repeats), np.array(estimates) / exact, "o", markersize=4,
                  color=plots.COLOURS[0], alpha=0.6, label=None if probes > 1 else "estimates")
    number = np.geomspace(0.8, 40, 50)
    for sign in (-2, 2):
        axes.plot(number, 1 + sign * deviation / exact / np.sqrt(number), "--", color=plots.COLOURS[6],
                  linewidth=2, label="± 2 standard deviations, as computed from ∂f/∂x" if sign > 0 else None)
    axes.axhline(1, color="black", linewidth=1, label="exact")
    axes.set(xscale="log", xticks=PROBES, xticklabels=PROBES, xlim=number[[0, -1]],
             xlabel="number of probes, a backward pass each", ylabel="estimate of ‖∂f/∂x‖² / exact value")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    report.save(fig, "estimate.png")


# --- the times -----------------------------------------------------------------------------------

def seconds(cases, x, rounds, args):
    """For encoders of those sizes the median seconds that each way takes for value and gradient.

    All take turns, so that whatever the processor does meanwhile falls on all of them alike. The
    first round does not count.
    """
    rng = random_generator([args.seed, 5], args.device)
    encoders = {sizes: layers(sizes, rng).to(args.device) for sizes in sorted(cases)}
    times = {sizes: {} for sizes in encoders}
    for _ in range(rounds + 1):
        for sizes, encoder in encoders.items():
            for name, penalty in ways(encoder, rng).items():
                started = time.perf_counter()
                value_and_gradient(penalty, x, encoder)
                times[sizes].setdefault(name, []).append(time.perf_counter() - started)
    medians = {sizes: {name: float(np.median(turns[1:])) for name, turns in way.items()}
               for sizes, way in times.items()}
    for sizes, way in medians.items():
        print(f"{'-'.join(map(str, sizes))}: "
              + ", ".join(f"{name} {1e3 * t:.1f} ms" for name, t in way.items()))
    return medians


def judge_times(report, over_codes, over_depth):
    """jacobian-cost: the ratios of the times. The bounds are wide, to hold on any machine."""
    small, large = min(over_codes), max(over_codes)
    report.claim("jacobian-cost", "the exact penalty is expensive: a backward pass for each unit of the code",
                 f"its time for a code of {large}, relative to a code of {small}:",
                 over_codes[large][EXACT] / over_codes[small][EXACT], at_least=2)
    deep = over_depth[2]
    for name, words in ((ESTIMATE, "the estimate is"), (LAYERS, "the penalty layer by layer is")):
        report.claim("jacobian-cost", f"for a deep encoder {words} cheaper",
                     f"time of the exact penalty relative to it, {'-'.join(map(str, SIZES))}:",
                     deep[EXACT] / deep[name], at_least=2)
    report.claim("jacobian-cost", "for a single layer the closed form is cheaper",
                 f"time of the exact penalty relative to it, {SIZES[0]}-{SIZES[-1]}:",
                 over_depth[1][EXACT] / over_depth[1][CLOSED], at_least=2)


def draw_times(report, over_codes, over_depth):
    """Time over code size and over depth, a line for each way."""
    deep = over_depth[2]
    fig = plots.figure(10, 5, "The exact penalty costs a backward pass for each unit of the code:\n"
                       f"for {'-'.join(map(str, SIZES))} {deep[EXACT] / deep[ESTIMATE]:.0f} times the time "
                       f"of an estimate, {deep[EXACT] / deep[LAYERS]:.0f} times that of layer by layer")
    styles = {EXACT: (6, "-", "o"), CLOSED: (3, "-.", "^"), ESTIMATE: (0, "--", "s"), LAYERS: (4, ":", "v")}
    titles = ("one hidden layer", f"a code of {SIZES[-1]}")
    labels = (f"code size k of a {'-'.join(map(str, SIZES[:-1]))}-k encoder", "number of layers")
    panels = fig.subplots(1, 2, sharey=True)
    for axes, times, title, label in zip(panels, (over_codes, over_depth), titles, labels):
        for name, (colour, line, marker) in styles.items():
            axes.plot(list(times), [1e3 * t[name] for t in times.values()], line, color=plots.COLOURS[colour],
                      marker=marker, linewidth=2, label=name)
        axes.set(xlabel=label, yscale="log")
        axes.set_title(title, fontsize=11)
        axes.grid(alpha=0.3)
    panels[0].set(xscale="log",
                  ylabel=f"milliseconds for value and gradient,\nbatch of {BATCH}")
    for axes, times in zip(panels, (over_codes, over_depth)):
        axes.set(xticks=list(times), xticklabels=list(times))
        axes.minorticks_off()
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    report.save(fig, "time.png")


if __name__ == "__main__":
    run(main)
