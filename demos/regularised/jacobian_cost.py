"""The Jacobian penalty of a deep encoder is expensive; layer by layer, or estimated, it is cheap.

The lectures: learning is heavy for deep contractive autoencoders, so penalise them layer by layer.
Measured is the time that four ways to ‖∂f/∂x‖²_F take for value and gradient, over code size and depth:

    exact           a backward pass for each unit of the code
    closed form     the product of the layers' Jacobians, for dense layers
    estimate        E ‖vᵀ ∂f/∂x‖², a backward pass for each vector v of random signs
    layer by layer  Σ ‖∂f_l/∂h_{l-1}‖², the closed form of each layer at its own input

The first two are equal and the third is so on average: see the demo `jacobian_estimate`. The last is
another penalty: that of shallow autoencoders which are trained one after the other and stacked.
"""

import functools

import numpy as np

from demos import figures
from demos.measures import seconds_in_turns
from tinyae import grad, nn, ops, penalties
from tinyae.backend import keep_freed_memory

LECTURES = "L1 L4"
TIMED = True
DATA = ("strokes", "mnist")
BATCH = 100
SIZES = (784, 256, 64)
CODES = (16, 32, 64, 128)  # code sizes, with one hidden layer
DEPTHS = (1, 2, 3, 4)  # layers, with a code of 64
ROUNDS = 11  # times that each way takes its turn; the median counts
EXACT, CLOSED, ESTIMATE, LAYERS = "exact", "closed form", "estimate, one probe", "layer by layer"


def main(run):
    _, images = run.images(train=BATCH, test=BATCH).vectors()
    codes = {k: (*SIZES[:-1], k) for k in CODES[: run.pick(4, 2)]}
    depths = {d: (SIZES[0], *[SIZES[1]] * (d - 1), SIZES[-1]) for d in DEPTHS[: run.pick(4, 2)]}
    times = seconds(run, {*codes.values(), *depths.values()}, images)
    over_codes, over_depth = ({key: times[sizes] for key, sizes in cases.items()}
                              for cases in (codes, depths))
    run.note(seconds={"code size": over_codes, "depth": over_depth})
    judge(run.claim, over_codes, over_depth)
    draw(run, over_codes, over_depth)


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


def seconds(run, cases, images):
    """The median seconds of each way to value and gradient, for encoders of those sizes."""
    keep_freed_memory()
    x, rng, turns = run.tensor(images), run.noise("probes"), {}
    for sizes in sorted(cases):
        encoder = sigmoid_layers(sizes, run.rng("weights")).to(run.device)
        for name, penalty in ways(encoder, rng).items():
            turns[sizes, name] = functools.partial(value_and_gradient, penalty, x, encoder)
    times = seconds_in_turns(turns, run.pick(ROUNDS, 1))
    return {sizes: {name: times[sizes, name] for name in ways(None, None)} for sizes in cases}


def judge(claim, over_codes, over_depth):
    """The ratios of the times. The bounds are wide, to hold on any machine."""
    small, large = min(over_codes), max(over_codes)
    claim("jacobian-cost", "the exact penalty is expensive: a backward pass for each unit of the code",
          f"time of the exact penalty for a code of {large} units, relative to one of {small}:",
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


def draw(run, over_codes, over_depth):
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
             "penalty and three other ways")
