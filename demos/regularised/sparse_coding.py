"""An encoder learns to predict at once the sparse code that inference takes many steps to find.

The lecture: in sparse coding the code of x is the h that minimises ½ ‖x - h D‖² + λ ‖h‖₁, for a
dictionary D of more or less meaningful atoms, and has to be found by iteration for every x.
Predictive sparse decomposition trains an encoder f with it, so that f(x) ≈ h. Afterwards inference
is one pass through the encoder. Measured is what that saves in time, and what it costs: how far f(x)
is from the code of long inference, and how much of the objective's fall it reaches.
"""

import math

import numpy as np

from demos import figures
from demos.arguments import real, whole
from demos.measures import ratio, seconds_in_turns, squared_error
from tinyae import Tensor, models, nn, no_grad, ops
from tinyae.backend import array_module

LECTURES = "L3"
TIMED = True
DATA = ("strokes", "mnist")
EPOCHS = {"strokes": 30, "mnist": 30}
HIDDEN = 512
STEPS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120)  # of inference, at which its objective is looked at
CLOSE = 1.01  # inference is done where its objective is within 1% of the best


def options(p):
    p.add_argument("--atoms", type=whole(1), default=256, help="atoms of the dictionary (default: 256)")
    p.add_argument("--sparsity", type=real(above=0), default=0.5, help="λ, the weight of L1 (default: 0.5)")


def main(run):
    digits = run.images(train=5_000, test=1_000)
    model = decomposition(digits.shape, run.options, run.rng("weights")).to(run.device)
    untrained = objective(run, model, digits.test, model.encode)
    run.fit(model, digits.train)

    values = {steps: objective(run, model, digits.test, inference(model, steps)) for steps in STEPS}
    best, predicted = min(values.values()), objective(run, model, digits.test, model.encode)
    zero = objective(run, model, digits.test, lambda x: 0 * model.encode(x))
    done = next(steps for steps in STEPS if values[steps] <= CLOSE * best)
    as_good = next((steps for steps in STEPS if values[steps] <= predicted), STEPS[-1])
    seconds = timed(run, model, digits.test)
    codes = {"inferred": run.apply(inference(model, max(STEPS)), digits.test),
             "predicted": run.apply(model.encode, digits.test)}
    missed = ratio(squared_error(codes["predicted"], codes["inferred"]), squared_error(0, codes["inferred"]))
    gain = ratio(zero - predicted, zero - best)
    copies = {name: run.apply(model.decode, h) for name, h in codes.items()}
    errors = {name: squared_error(x, digits.vectors()[1]) for name, x in copies.items()}

    run.note(atoms=run.options.atoms, sparsity=run.options.sparsity, objective=values, predicted=predicted,
             untrained=untrained, zero=zero, steps={"as good": as_good, "done": done}, squared_error=errors,
             active_share={name: float((h != 0).mean()) for name, h in codes.items()},
             microseconds_per_image={name: 1e6 * s for name, s in seconds.items()})
    judge(run.claim, missed, gain, as_good, seconds[as_good] / seconds["encoder"])
    draw_dictionary(run, model.dictionary().numpy(), codes["inferred"])
    draw_copies(run, digits.test, copies, codes, errors)
    draw_time(run, values, seconds, predicted, zero, gain, as_good, done)


def decomposition(shape, asked, rng):
    """Predictive sparse decomposition whose encoder has a hidden layer."""
    encoder = nn.mlp(shape, HIDDEN, asked.atoms, rng=rng, output=Shrink(asked.atoms))
    return models.PredictiveSparseDecomposition(encoder, math.prod(shape), asked.atoms, asked.sparsity,
                                                rng=rng)


class Shrink(nn.Module):
    """sign(a) max(|a| - θ, 0) with a trained θ for each unit: the step that gives a sparse code its zeros."""

    def __init__(self, units):
        self.threshold = Tensor(np.full(units, 0.1, np.float32), requires_grad=True)

    def __call__(self, a):
        return ops.relu(a - self.threshold) - ops.relu(-a - self.threshold)


def inference(model, steps):
    """The function from images to the codes that so many steps of inference find."""
    return lambda x: model.infer(x, steps)


def objective(run, model, images, code):
    """½ ‖x - h D‖² + λ ‖h‖₁ of the codes that a function gives for the images, per image."""
    with no_grad():
        x = run.tensor(images)
        return model.objective(x, code(x)).item()


def timed(run, model, images):
    """Seconds per image of the encoder and of so many steps of inference, on all images at once.

    Each call of inference prepares the dictionary again, which is a small part of what it takes for
    so many images.
    """
    x = run.tensor(images)

    def finished(code):
        return lambda: array_module(x.data).abs(code(x).data).sum().item()  # a GPU is waited for

    ways = {"encoder": model.encode, **{steps: inference(model, steps) for steps in STEPS}}
    with no_grad():
        seconds = seconds_in_turns({name: finished(code) for name, code in ways.items()}, run.pick(7, 1))
    return {name: s / len(images) for name, s in seconds.items()}


def judge(claim, missed, gain, as_good, longer):
    """How near the predicted code is, how good, and how much longer inference takes for as good a one."""
    claim("psd", "an encoder learns to predict the sparse code that inference finds",
          "‖f(x) - h*‖² relative to ‖h*‖² (the code 0 gives 1):", missed, at_most=0.5)
    claim("psd.gain", "and its code explains held-out digits nearly as well",
          "how far it lowers the objective from that of the code 0, relative to the best code:", gain, at_least=0.8)
    claim("psd.time", "and is found in a fraction of the time",
          f"time of inference until its code is as good, {as_good} steps, relative to the encoder's:",
          longer, at_least=3)


def draw_dictionary(run, atoms, codes):
    """The atoms, those first that images use most."""
    shown = atoms[np.argsort(-np.abs(codes).mean(axis=0))][:100]
    shown = shown * np.sign(shown.sum(axis=1, keepdims=True))  # an atom's sign means nothing: each adds ink
    fig = figures.figure(7, 7.6, f"The dictionary: of {len(atoms)} atoms, the {len(shown)} used most\n"
                         "(green adds ink, brown takes it away)")
    figures.show_signed_images(fig.subplots(), shown, 10, np.abs(shown).max() / 2)
    run.save(fig, "dictionary.png", "a hundred atoms of the dictionary, brown where negative, blue-green "
             "where positive")


def draw_copies(run, images, copies, codes, errors):
    """Held-out digits, and what the inferred and the predicted codes make of them."""
    rows = {"held-out digits x": images}
    rows |= {f"h D for the {name} code h: {(codes[name] != 0).sum(axis=1).mean():.0f} atoms for an image, "
             f"squared error {errors[name]:.1f}": copy for name, copy in copies.items()}
    fig = figures.pictures("A digit as a sum of few atoms: the code that inference finds,\n"
                           "and the one that the encoder predicts", rows)
    run.save(fig, "reconstructions.png", "a row of held-out digits, and two rows of sums of atoms: from the "
             "inferred code and from the predicted one")


def draw_time(run, values, seconds, predicted, zero, gain, as_good, done):
    """The objective against the time that inference has had, and the encoder's."""
    longer, to_the_end = (seconds[steps] / seconds["encoder"] for steps in (as_good, done))
    fig = figures.figure(
        8, 5, f"One pass of the encoder lowers the objective by {gain:.0%} of what inference can lower it by.\n"
        f"To get as far, inference takes {longer:.1f} times as long; to the end, {to_the_end:.0f} times")
    axes = fig.subplots()
    axes.plot([1e6 * seconds[k] for k in values], list(values.values()), color=figures.COLOURS[0],
              marker="o", linewidth=2, label="inference, by its number of steps")
    for k in {1, 5, as_good, done}:
        axes.annotate(f"{k} steps" if k > 1 else "1 step", (1e6 * seconds[k], values[k]),
                      textcoords="offset points", xytext=(6, 7), fontsize=10)
    axes.plot(1e6 * seconds["encoder"], predicted, color=figures.COLOURS[7], marker="*", markersize=18,
              linestyle="none", label="the encoder")
    axes.axhline(zero, color=figures.COLOURS[9], linestyle="--", label="the code h = 0")
    axes.set_xscale("log")
    lowest, highest = (1e6 * f(seconds.values()) for f in (min, max))
    ticks = [m * 10**e for e in range(7) for m in (1, 2, 5) if lowest / 2 < m * 10**e < highest]
    axes.set_xticks(ticks, ticks)
    axes.minorticks_off()
    axes.set(xlabel="time per image (microseconds)", ylabel="½ ‖x − h D‖² + λ ‖h‖₁ (nats per image)",
             ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="center right", frameon=False)
    run.save(fig, "time.png", "the objective over the time that inference has had, as a curve; a star for "
             "the encoder, and a dashed line for the code 0")
