"""How long a training step takes: tinyae, PyTorch and the floor, side by side.

They take turns in one process, on the same number of threads, so that whatever else the machine
does falls on all of them alike. What counts is the ratio of the medians. The floor is what no NumPy
program can avoid: the step's matrix products and one pass of Adam, on arrays made before. PyTorch
is compared where it is installed (pip install torch); nothing else in tinyae uses it.
"""

import os
import re
import time

import numpy as np

from demos.harness import Report, parser, run, whole
from tinyae import Tensor, losses, models, nn, ops, optim, penalties, plots
from tinyae.backend import device_module, keep_freed_memory, random_generator, to_device
from tinyae.optim import BLOCK

TOPIC = "The engine"
BATCH = 128


def tinyae_step(model, batch, device, rng):
    """The training step of any of our models, as `training.fit` makes it: one batch, one update by Adam."""
    adam = optim.Adam(model.parameters(), 1e-3)
    x = Tensor(to_device(batch, device))

    def step():
        loss, _ = model.loss(x, rng)
        adam.zero_grad()
        loss.backward()
        adam.step(check=device == "cpu")

    return step


def torch_step(adam, loss_of, x):
    """The same in PyTorch, for a function that gives the loss on x."""
    def step():
        loss = loss_of(x)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return step


class VaeStep:
    """A 784-400-20 VAE with Bernoulli pixels."""

    name = "784-400-20 VAE"
    turn = 10
    sizes = [(784, 400), (400, 40), (20, 400), (400, 784)]

    def tinyae(self, batch, device):
        rng = random_generator(0, device)
        return {"tinyae": tinyae_step(models.dense_vae((784,), 400, 20, rng), batch, device, rng)}

    def torch(self, batch, device):
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits, relu

        layers = torch.nn.ModuleList(torch.nn.Linear(*size) for size in self.sizes).to(device)

        def loss_of(x):
            mean, log_var = layers[1](relu(layers[0](x))).chunk(2, dim=1)
            z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
            logits = layers[3](relu(layers[2](z)))
            reconstruction = binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = 0.5 * (log_var.exp() + mean**2 - 1 - log_var).sum()
            return (reconstruction + kl) / BATCH

        adam = torch.optim.Adam(layers.parameters(), 1e-3)
        return {"PyTorch eager": torch_step(adam, loss_of, torch.from_numpy(batch).to(device))}

    def floor(self, batch):
        rng = np.random.default_rng(0)
        inputs = [batch] + [rng.random((BATCH, n), np.float32) for n, _ in self.sizes[1:]]
        weights = [rng.random(size, np.float32) for size in self.sizes]
        outputs = [x @ w for x, w in zip(inputs, weights)]
        adam = bare_adam(sum(w.size + w.shape[1] for w in weights))

        def step():
            for i, (x, w, y) in enumerate(zip(inputs, weights, outputs)):
                x @ w
                x.T @ y
                if i:  # nobody asks for the gradient of the images
                    y @ w.T
            adam()

        return {FLOOR: step}


class ConvolutionalStep:
    """An autoencoder of two convolutions and two transposed ones, code 20, Bernoulli pixels."""

    name = "convolutional autoencoder"
    turn = 5

    def tinyae(self, batch, device):
        rng = random_generator(0, device)
        networks = models.conv_networks((28, 28, 1), (32, 64), 20, rng)
        model = models.Autoencoder(*networks, losses.bernoulli_nll)
        return {"tinyae": tinyae_step(model, batch.reshape(-1, 28, 28, 1), device, rng)}

    def torch(self, batch, device):
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
        return {"PyTorch eager": torch_step(torch.optim.Adam(model.parameters(), 1e-3), loss_of, x)}

    def floor(self, batch):
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

        return {FLOOR: step}


class ContractiveStep:
    """A 784-256-64 sigmoid encoder with the Jacobian penalty, and the decoder that mirrors it.

    The exact penalty is taken by the method for any encoder, and in tinyae also by the closed form for
    dense layers. In PyTorch it is taken by `torch.func` and by differentiating its gradients of all
    units at once.
    """

    def __init__(self, exact):
        self.exact = exact
        self.turn = 2 if exact else 10
        self.name = f"784-256-64 with {'exact' if exact else 'estimated'} Jacobian penalty"

    def tinyae(self, batch, device):
        def step(method):
            rng = random_generator(0, device)
            encoder = nn.Sequential(nn.Dense(784, 256, rng=rng, init="glorot"), ops.sigmoid,
                                    nn.Dense(256, 64, rng=rng, init="glorot"), ops.sigmoid)
            decoder = nn.Sequential(nn.Dense(64, 256, rng=rng, init="glorot"), ops.sigmoid,
                                    nn.Dense(256, 784, rng=rng, init="glorot"))
            model = models.Autoencoder(encoder, decoder, losses.bernoulli_nll,
                                       penalties=[penalties.jacobian(0.1, method)]).to(device)
            return tinyae_step(model, batch, device, rng)

        if self.exact:
            return {"tinyae": step("exact"), CLOSED: step("closed")}
        return {"tinyae": step("stochastic")}

    def torch(self, batch, device):
        import torch
        from torch.func import jacrev, vjp, vmap

        def by_functions(encoder, x):
            if self.exact:
                return vmap(jacrev(encoder))(x).square().sum() / BATCH, encoder(x)
            h, pull_back = vjp(encoder, x)
            return pull_back(signs(h))[0].square().sum() / BATCH, h

        def by_double_backward(encoder, x):
            x = x.detach().requires_grad_()
            h = encoder(x)
            if self.exact:
                units = torch.eye(64, device=device)[:, None].expand(64, BATCH, 64)
                rows, = torch.autograd.grad(h, x, units, create_graph=True, is_grads_batched=True)
            else:
                rows, = torch.autograd.grad(h, x, signs(h), create_graph=True)
            return rows.square().sum() / BATCH, h

        def signs(h):
            return 2.0 * torch.randint(0, 2, h.shape, device=device) - 1

        def step(penalty):
            linear, sigmoid = torch.nn.Linear, torch.nn.Sigmoid
            encoder = torch.nn.Sequential(linear(784, 256), sigmoid(), linear(256, 64), sigmoid()).to(device)
            decoder = torch.nn.Sequential(linear(64, 256), sigmoid(), linear(256, 784)).to(device)

            def loss_of(x):
                omega, h = penalty(encoder, x)
                nll = torch.nn.functional.binary_cross_entropy_with_logits(decoder(h), x, reduction="sum")
                return nll / BATCH + 0.1 * omega

            adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
            return torch_step(adam, loss_of, torch.from_numpy(batch).to(device))

        return {"PyTorch, torch.func": step(by_functions),
                "PyTorch, double backward": step(by_double_backward)}

    def floor(self, batch):
        return {}  # how few products an exact penalty takes depends on the method


CLOSED = "tinyae, closed form"
FLOOR = "floor: matrix products and Adam"
CASES = (VaeStep(), ConvolutionalStep(), ContractiveStep(exact=False), ContractiveStep(exact=True))


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


def compare(steps, rounds, turn, clock):
    """The median seconds of each step; they take turns of so many steps that count.

    Before each turn there is a pause, and twice as many steps that do not count: the threads of a
    library go on spinning for a while after its last call and slow down whoever comes next, and
    the processor's caches and clock take a while to settle.
    """
    times = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            time.sleep(0.2)
            for _ in range(2 * turn):
                step()
            times[name] += clock(step, turn)
    return {name: float(np.median(t)) for name, t in times.items()}


def on_the_cpu(step, count):
    """The seconds that each of so many steps takes."""
    stamps = [time.perf_counter()]
    for _ in range(count):
        step()
        stamps.append(time.perf_counter())
    return np.diff(stamps).tolist()


def on_the_gpu(step, count):
    """The same by the GPU's own clock: the host is not waited for but at the end.

    Events mark the default stream, on which CuPy and PyTorch both compute.
    """
    cupy = device_module("gpu")
    marks = [cupy.cuda.Event() for _ in range(count + 1)]
    cupy.cuda.runtime.deviceSynchronize()
    marks[0].record()
    for mark in marks[1:]:
        step()
        mark.record()
    marks[-1].synchronize()
    return [cupy.cuda.get_elapsed_time(a, b) / 1e3 for a, b in zip(marks, marks[1:])]


def main(argv=None):
    p = parser("speed", __doc__, images=False)
    p.add_argument("--rounds", type=whole(1), default=20, help="turns that each contender takes (default: 20)")
    args = p.parse_args(argv)
    rounds = 1 if args.quick else args.rounds
    report = Report("speed", args)
    keep_freed_memory()
    threads = allowed_threads()
    place, clock = f"CPU, {threads} threads", on_the_cpu
    if args.device == "gpu":
        place = device_module("gpu").cuda.runtime.getDeviceProperties(0)["name"].decode()
        clock = on_the_gpu
    try:
        import torch  # here and not above, so that to list the demos does not take a second
    except ImportError:
        torch = None
        print("PyTorch is not installed here: only tinyae and the floor are measured")
    else:
        if args.device == "gpu" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch is installed but sees no GPU: install its build for CUDA, or none")
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32 = False  # all in float32, as CuPy computes

    batch = np.random.default_rng(args.seed).random((BATCH, 784), np.float32)
    results = {}
    for case in CASES:
        steps = case.tinyae(batch, args.device)
        if torch is not None:
            steps |= case.torch(batch, "cuda" if args.device == "gpu" else "cpu")
        if args.device == "cpu":
            steps |= case.floor(batch)
        results[case.name] = compare(steps, rounds, 1 if args.quick else case.turn, clock)
    tell(results, place)
    draw(report, results, place)
    return report.finish(place=place, rounds=rounds, medians_in_seconds=results,
                         ratios={name: ratios(medians) for name, medians in results.items()})


def allowed_threads():
    """The threads that NumPy's matrix products may use, which PyTorch gets too."""
    named = [os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ]
    if named:
        return int(named[0])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def ratios(medians):
    """tinyae's time in terms of the others', of which PyTorch's fastest counts.

    A closed form takes fewer products: it is compared with the general method of tinyae alone.
    """
    fastest = min((s for label, s in medians.items() if label.startswith("PyTorch")), default=None)
    others = {"PyTorch's": fastest, "the floor's": medians.get(FLOOR)}
    of = {"tinyae": {name: medians["tinyae"] / s for name, s in others.items() if s}}
    if CLOSED in medians:
        of[CLOSED] = {"tinyae's": medians[CLOSED] / medians["tinyae"]}
    return of


def tell(results, place):
    """Print the medians and how tinyae's relate to the others'."""
    for name, medians in results.items():
        print(f"\nOne training step of the {name}, batch {BATCH}, {place}, median:")
        for label, seconds in medians.items():
            print(f"  {label:34}{seconds * 1e3:8.2f} ms")
        for label, of in ratios(medians).items():
            if of:
                print(f"  {label} takes " + ", ".join(f"{r:.2f} of {other} time" for other, r in of.items()))
        if medians["tinyae"] < medians.get(FLOOR, 0):
            print("  The floor cannot be slower than the step: the machine was busy, do not trust these.")
    print()


def draw(report, results, place):
    """A panel of bars for each model."""
    fig = plots.figure(9, 0.9 + 1.8 * len(results), f"Time of a training step, batch {BATCH} ({place})")
    shades = {"tinyae": plots.COLOURS[0], "PyTorch": plots.COLOURS[6], "floor": plots.COLOURS[9]}
    for axes, (name, medians) in zip(np.ravel(fig.subplots(len(results), 1)), results.items()):
        labels, values = list(medians), [s * 1e3 for s in medians.values()]
        bars = axes.barh(labels, values, color=[shades[re.split("[ ,:]", label)[0]] for label in labels])
        axes.bar_label(bars, fmt="%.1f ms", padding=4)
        axes.invert_yaxis()
        axes.set(xlim=(0, max(values) * 1.2), xlabel="milliseconds")
        axes.spines[["top", "right"]].set_visible(False)
        of = ratios(medians)["tinyae"].get("PyTorch's")
        axes.set_title(f"{name}: tinyae takes {of:.2f} of PyTorch's time" if of else name, fontsize=11)
    report.save(fig, "speed.png")


if __name__ == "__main__":
    run(main)
