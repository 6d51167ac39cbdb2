"""How long a training step takes: tinyae, PyTorch and the floor, side by side.

The three take turns in one process, on the same number of threads, so that whatever else the
machine does falls on all of them alike. What counts is the ratio of the medians. The floor is what
no NumPy program can avoid: the step's matrix products and one pass of Adam, on arrays made before.
PyTorch is compared where it is installed (pip install torch); nothing else in tinyae uses it.
"""

import math
import os
import time

import numpy as np

from demos.harness import Report, parser, run, whole
from tinyae import Tensor, losses, models, optim, plots
from tinyae.backend import device_module, keep_freed_memory, random_generator, to_device
from tinyae.optim import BLOCK

TOPIC = "The engine"
BATCH = 128
TURN = 10  # steps


def tinyae_step(model, batch, device, rng):
    """The training step of any of our models: one batch, one update by Adam."""
    adam = optim.Adam(model.parameters(), 1e-3)
    x = Tensor(to_device(batch, device))

    def step():
        loss, _ = model.loss(x, rng)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return step


def torch_step(adam, loss_of, x):
    """The same in PyTorch, for a function that gives the loss on x."""
    def step():
        loss = loss_of(x)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return step


class VaeStep:
    """A 784-400-20 VAE with Bernoulli pixels."""

    name = "784-400-20 VAE"
    sizes = [(784, 400), (400, 40), (20, 400), (400, 784)]

    @staticmethod
    def tinyae(batch, device):
        rng = random_generator(0, device)
        return tinyae_step(models.dense_vae((784,), 400, 20, rng), batch, device, rng)

    @staticmethod
    def torch(batch, device):
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits, relu

        layers = torch.nn.ModuleList(torch.nn.Linear(*size) for size in VaeStep.sizes).to(device)

        def loss_of(x):
            mean, log_var = layers[1](relu(layers[0](x))).chunk(2, dim=1)
            z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
            logits = layers[3](relu(layers[2](z)))
            reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = 0.5 * (log_var.exp() + mean**2 - 1 - log_var).sum()
            return (reconstruction + kl) / BATCH

        adam = torch.optim.Adam(layers.parameters(), 1e-3)
        return torch_step(adam, loss_of, torch.from_numpy(batch).to(device))

    @staticmethod
    def floor(batch):
        rng = np.random.default_rng(0)
        inputs = [batch] + [rng.random((BATCH, n), np.float32) for n, _ in VaeStep.sizes[1:]]
        weights = [rng.random(size, np.float32) for size in VaeStep.sizes]
        outputs = [x @ w for x, w in zip(inputs, weights)]
        adam = bare_adam(sum(w.size + w.shape[1] for w in weights))

        def step():
            for i, (x, w, y) in enumerate(zip(inputs, weights, outputs)):
                x @ w
                x.T @ y
                if i:  # nobody asks for the gradient of the images
                    y @ w.T
            adam()

        return step


class ConvolutionalStep:
    """An autoencoder of two convolutions and two transposed ones, code 20, Bernoulli pixels."""

    name = "convolutional autoencoder"

    @staticmethod
    def tinyae(batch, device):
        rng = random_generator(0, device)
        networks = models.conv_networks((28, 28, 1), (32, 64), 20, rng)
        model = models.Autoencoder(*networks, losses.bernoulli_nll)
        return tinyae_step(model, batch.reshape(-1, 28, 28, 1), device, rng)

    @staticmethod
    def torch(batch, device):
        import torch
        from torch import nn

        model = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(3136, 20), nn.Linear(20, 3136), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1),
        ).to(device)

        def loss_of(x):
            return nn.functional.binary_cross_entropy_with_logits(model(x), x, reduction="sum") / BATCH

        x = torch.from_numpy(batch).reshape(-1, 1, 28, 28).to(device)
        return torch_step(torch.optim.Adam(model.parameters(), 1e-3), loss_of, x)

    @staticmethod
    def floor(batch):
        # (patches, kernel entries, channels) of the four convolutions, and the two dense layers
        sizes = [(196 * BATCH, 16, 32), (49 * BATCH, 512, 64), (BATCH, 3136, 20), (BATCH, 20, 3136),
                 (49 * BATCH, 512, 64), (196 * BATCH, 16, 32)]
        rng = np.random.default_rng(0)
        arrays = [[rng.random(shape, np.float32) for shape in ((n, k), (k, m), (n, m))] for n, k, m in sizes]
        adam = bare_adam(sum(k * m for _, k, m in sizes))

        def step():
            for i, (x, w, y) in enumerate(arrays):
                x @ w
                x.T @ y
                if i:
                    y @ w.T
            adam()

        return step


def bare_adam(size):
    """One pass of Adam over so many parameters, in as few array operations as it takes."""
    p, g, m, v = np.random.default_rng(0).random((4, size), np.float32)
    scratch = np.empty(BLOCK, np.float32)

    def update():
        for start in range(0, size, BLOCK):
            pb, gb, mb, vb = (a[start : start + BLOCK] for a in (p, g, m, v))
            s = scratch[: len(pb)]
            mb *= 0.9
            mb += gb
            vb *= 0.999
            vb += np.multiply(gb, gb, out=s)
            np.sqrt(vb, out=s)
            s += 1e-8
            np.divide(mb, s, out=s)
            s *= 1e-3
            pb -= s

    return update


def compare(steps, rounds, synchronise):
    """The median seconds of each step; they take turns of so many steps that count.

    Before each turn there is a pause, and twice as many steps that do not count: the threads of a
    library go on spinning for a while after its last call and slow down whoever comes next, and
    the processor's caches and clock take a while to settle.
    """
    times = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            time.sleep(0.2)
            for i in range(3 * TURN):
                synchronise()
                started = time.perf_counter()
                step()
                synchronise()
                if i >= 2 * TURN:
                    times[name].append(time.perf_counter() - started)
    return {name: float(np.median(t)) for name, t in times.items()}


def main(argv=None):
    p = parser("speed", __doc__, images=False)
    p.add_argument("--rounds", type=whole(1), default=30, help=f"turns of {TURN} counted steps (default: 30)")
    args = p.parse_args(argv)
    rounds = 1 if args.quick else args.rounds
    report = Report("speed", args)
    keep_freed_memory()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    place, synchronise = f"CPU, {threads} threads", lambda: None
    if args.device == "gpu":
        cupy = device_module("gpu")
        place = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        synchronise = cupy.cuda.runtime.deviceSynchronize
    try:
        import torch  # here and not above, so that to list the demos does not take a second
    except ImportError:
        torch = None
        print("PyTorch is not installed here: only tinyae and the floor are measured")
    else:
        torch.set_num_threads(threads)

    batch = np.random.default_rng(args.seed).random((BATCH, 784), np.float32)
    results = {}
    for case in (VaeStep, ConvolutionalStep):
        steps = {"tinyae": case.tinyae(batch, args.device)}
        if torch is not None:
            steps["PyTorch eager"] = case.torch(batch, "cuda" if args.device == "gpu" else "cpu")
        if args.device == "cpu":
            steps["floor: matrix products and Adam"] = case.floor(batch)
        results[case.name] = compare(steps, rounds, synchronise)
    tell(results, place)
    draw(report, results, place)
    return report.finish(place=place, rounds=rounds, medians_in_seconds=results)


def tell(results, place):
    """Print the medians and how tinyae's relates to each of the others."""
    for name, medians in results.items():
        print(f"\nOne training step of the {name}, batch {BATCH}, {place}, median:")
        for label, seconds in medians.items():
            ratio = "" if label == "tinyae" else f"   tinyae takes {medians['tinyae'] / seconds:.2f} of it"
            print(f"  {label:34}{seconds * 1e3:8.2f} ms{ratio}")
        if medians["tinyae"] < medians.get("floor: matrix products and Adam", 0):
            print("  The floor cannot be slower than the step: the machine was busy, do not trust these.")
    print()


def draw(report, results, place):
    """A panel of bars for each model."""
    fig = plots.figure(8, 0.9 + 1.7 * len(results), f"Time of a training step, batch {BATCH} ({place})")
    colours = {"tinyae": plots.COLOURS[0], "PyTorch eager": plots.COLOURS[6]}
    for axes, (name, medians) in zip(np.ravel(fig.subplots(len(results), 1)), results.items()):
        labels, values = list(medians), [s * 1e3 for s in medians.values()]
        shades = [colours.get(label, plots.COLOURS[9]) for label in labels]
        bars = axes.barh(labels, values, color=shades)
        axes.bar_label(bars, fmt="%.1f ms", padding=4)
        axes.invert_yaxis()
        axes.set(xlim=(0, max(values) * 1.2), xlabel="milliseconds")
        axes.spines[["top", "right"]].set_visible(False)
        other = medians.get("PyTorch eager", math.nan)
        ratio = medians["tinyae"] / other
        axes.set_title(name if math.isnan(ratio) else f"{name}: tinyae takes {ratio:.2f} of PyTorch's time",
                       fontsize=11)
    report.save(fig, "speed.png")


if __name__ == "__main__":
    run(main)
