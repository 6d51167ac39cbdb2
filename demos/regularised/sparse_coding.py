"""An encoder learns to predict at once the sparse code that inference takes many steps to find.

The lecture: in sparse coding the code of x is the h that minimises ½ ‖x - h D‖² + λ ‖h‖₁, for a
dictionary D of more or less meaningful atoms, and has to be found by iteration for every x.
Predictive sparse decomposition trains an encoder f with it, so that f(x) ≈ h. Afterwards inference
is one pass through the encoder. What does that save, and what does it cost?
"""

import time

import numpy as np

from demos.harness import Report, apply, chosen_epochs, load_digits, parser, real, run, whole
from demos.measures import ratio, squared_error
from tinyae import Tensor, models, nn, no_grad, ops, optim, plots, training
from tinyae.backend import array_module, to_device

TOPIC = "Regularised autoencoders"
EPOCHS = {"strokes": 30, "mnist": 30}
TRAIN, TEST = 5_000, 1_000
HIDDEN = 512
STEPS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120)  # of inference, at which its objective is looked at
CLOSE = 1.01  # inference is done where its objective is within 1 % of the best


def main(argv=None):
    p = parser("sparse_coding", __doc__, epochs=EPOCHS)
    p.add_argument("--atoms", type=whole(1), default=256, help="atoms of the dictionary (default: 256)")
    p.add_argument("--sparsity", type=real(above=0), default=0.5, help="λ, the weight of L1 (default: 0.5)")
    args = p.parse_args(argv)
    epochs = chosen_epochs(args, EPOCHS[args.data])

    report = Report("sparse_coding", args)
    digits = load_digits(args, train=TRAIN, test=TEST)
    rng = np.random.default_rng([args.seed, 2])
    model = decomposition(digits.train[0].size, args, rng)
    untrained = objective(model, digits.test, model.encode, args.device)
    training.fit(model, optim.Adam(model.parameters(), 1e-3), digits.train, epochs=epochs, batch_size=100,
                 rng=rng)

    values = {steps: objective(model, digits.test, lambda x: model.infer(x, steps), args.device)
              for steps in STEPS}
    best = min(values.values())
    predicted = objective(model, digits.test, model.encode, args.device)
    zero = objective(model, digits.test, lambda x: 0 * model.encode(x), args.device)
    done = next(steps for steps in STEPS if values[steps] <= CLOSE * best)
    as_good = next((steps for steps in STEPS if values[steps] <= predicted), STEPS[-1])
    seconds = timed(model, digits.test, args.device)
    codes = {"inferred": apply(lambda x: model.infer(x, max(STEPS)), digits.test, args.device),
             "predicted": apply(model.encode, digits.test, args.device)}
    missed = ratio(squared_error(codes["predicted"], codes["inferred"]), squared_error(0, codes["inferred"]))
    gain = ratio(zero - predicted, zero - best)

    judge(report, missed, gain, as_good, seconds[as_good] / seconds["encoder"])
    copies = {name: apply(model.decode, h, args.device) for name, h in codes.items()}
    flat = digits.test.reshape(len(digits.test), -1)
    errors = {name: squared_error(x, flat) for name, x in copies.items()}
    active = {name: float((h != 0).mean()) for name, h in codes.items()}
    print(f"objective: {zero:.2f} of the code 0, {untrained:.2f} of the encoder before training, "
          f"{predicted:.2f} after it, {best:.2f} of the best code")
    for name in codes:
        print(f"{name}: {active[name]:.1%} of the atoms active, squared error {errors[name]:.2f} per image")
    draw_dictionary(report, model, codes["inferred"])
    draw_copies(report, digits.test, copies, codes, errors)
    draw_time(report, values, seconds, predicted, zero, gain, as_good, done)
    return report.finish(atoms=args.atoms, sparsity=args.sparsity, epochs=epochs, objective=values,
                         predicted=predicted, untrained=untrained, zero=zero,
                         steps={"as good": as_good, "done": done}, squared_error=errors, active_share=active,
                         microseconds_per_image={k: 1e6 * s for k, s in seconds.items()})


def judge(report, missed, gain, as_good, longer):
    """psd: how near the predicted code is, how good, and how much longer inference takes for as good a one."""
    report.claim("psd", "an encoder learns to predict the sparse code that inference finds",
                 "‖f(x) - h*‖² relative to ‖h*‖² (the code 0 gives 1):", missed, at_most=0.5)
    report.claim("psd", "which explains held-out digits nearly as well",
                 "what its code gains over the code 0, relative to the best code's gain:", gain, at_least=0.8)
    report.claim("psd", "in a fraction of the time",
                 f"time of inference until its code is as good, {as_good} steps, relative to the encoder's:",
                 longer, at_least=3)


class Shrink(nn.Module):
    """sign(a) max(|a| - θ, 0) with a trained θ for each unit: the step that gives a sparse code its zeros."""

    def __init__(self, units):
        self.threshold = Tensor(np.full(units, 0.1, np.float32), requires_grad=True)

    def __call__(self, a):
        return ops.relu(a - self.threshold) - ops.relu(-a - self.threshold)


def decomposition(size, args, rng):
    """Predictive sparse decomposition whose encoder has a hidden layer."""
    encoder = nn.Sequential(nn.Flatten(), nn.Dense(size, HIDDEN, rng=rng), ops.relu,
                            nn.Dense(HIDDEN, args.atoms, rng=rng, init="glorot"), Shrink(args.atoms))
    model = models.PredictiveSparseDecomposition(encoder, size, args.atoms, args.sparsity, rng=rng)
    return model.to(args.device)


def objective(model, images, code, device):
    """½ ‖x - h D‖² + λ ‖h‖₁ of the codes that a function gives for the images, per image."""
    with no_grad():
        x = Tensor(to_device(images, device))
        return model.objective(x, code(x)).item()


def timed(model, images, device, rounds=7):
    """Seconds per image of the encoder and of so many steps of inference: medians of rounds in turn.

    Each call of inference prepares the dictionary again, which is a small part of what it takes for
    so many images at once.
    """
    x = Tensor(to_device(images, device))
    ways = {"encoder": lambda: model.encode(x)}
    ways |= {steps: lambda steps=steps: model.infer(x, steps) for steps in STEPS}
    times = {name: [] for name in ways}
    with no_grad():
        for _ in range(rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                array_module(x.data).abs(way().data).sum().item()  # on a GPU, wait for the result
                times[name].append((time.perf_counter() - started) / len(images))
    return {name: float(np.median(t)) for name, t in times.items()}


# --- the figures ---------------------------------------------------------------------------------

def draw_dictionary(report, model, codes):
    """The atoms, those first that images use most."""
    atoms = model.dictionary().numpy()[np.argsort(-np.abs(codes).mean(axis=0))][:100]
    # An atom's sign means nothing: show each so that it adds ink.
    atoms = atoms * np.sign(atoms.sum(axis=1, keepdims=True))
    fig = plots.figure(7, 7.6, f"The dictionary: of {len(model.dictionary())} atoms, "
                       f"the {len(atoms)} used most\n(green adds ink, brown takes it away)")
    plots.show_signed_images(fig.subplots(), atoms.reshape(-1, 28, 28), 10, np.abs(atoms).max() / 2)
    report.save(fig, "dictionary.png")


def draw_copies(report, images, copies, codes, errors):
    """Held-out digits, and what the inferred and the predicted codes make of them."""
    counts = {name: (h != 0).sum(axis=1).mean() for name, h in codes.items()}
    rows = [("held-out digits x", images)]
    rows += [(f"h D for the {name} code h: {counts[name]:.0f} atoms for an image, squared error "
              f"{errors[name]:.1f}", copy.reshape(images.shape)) for name, copy in copies.items()]
    fig = plots.figure(9, 4.4, "A digit as a sum of few atoms: the code that inference finds,\n"
                       "and the one that the encoder predicts")
    for axes, (title, pictures) in zip(fig.subplots(len(rows), 1), rows):
        plots.show_images(axes, np.clip(pictures[:12], 0, 1), columns=12, title=title)
    report.save(fig, "reconstructions.png")


def draw_time(report, values, seconds, predicted, zero, gain, as_good, done):
    """The objective against the time that inference has had, and the encoder's."""
    longer, to_the_end = (seconds[steps] / seconds["encoder"] for steps in (as_good, done))
    fig = plots.figure(8, 5, f"One pass of the encoder lowers the objective by {gain:.0%} of what inference can.\n"
                       f"To get as far, inference takes {longer:.1f} times as long; to the end, {to_the_end:.0f} times")
    axes = fig.subplots()
    steps = list(values)
    axes.plot([1e6 * seconds[k] for k in steps], [values[k] for k in steps], color=plots.COLOURS[0],
              marker="o", linewidth=2, label="inference, by its number of steps")
    for k in steps:
        if k in (1, 5, as_good, done):
            axes.annotate(f"{k} steps" if k > 1 else "1 step", (1e6 * seconds[k], values[k]),
                          textcoords="offset points", xytext=(6, 7), fontsize=10)
    axes.plot(1e6 * seconds["encoder"], predicted, color=plots.COLOURS[7], marker="*", markersize=18,
              linestyle="none", label="the encoder")
    axes.axhline(zero, color=plots.COLOURS[9], linestyle="--", label="h = 0, no atoms")
    axes.set_xscale("log")
    lowest, highest = (1e6 * f(seconds.values()) for f in (min, max))
    ticks = [m * 10**e for e in range(7) for m in (1, 2, 5) if lowest / 2 < m * 10**e < highest]
    axes.set_xticks(ticks, ticks)
    axes.minorticks_off()
    axes.set(xlabel="time per image (microseconds)", ylabel="½ ‖x - h D‖² + λ ‖h‖₁ (nats per image)",
             ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="center right", frameon=False)
    report.save(fig, "time.png")


if __name__ == "__main__":
    run(main)
