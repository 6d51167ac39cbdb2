"""What every demo shares: the common options, the data, and the report of its claims."""

import argparse
import json
import math
import sys
import traceback
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinyae import Tensor, data, no_grad, optim, training
from tinyae.backend import to_device
from tinyae.training import Interrupted


def parser(name, doc, *, epochs=None, images=True):
    """An argument parser with the options that all demos have in common.

    epochs  the default number of epochs for each kind of data, or None where nothing is trained
    images  whether the demo can run on real digits
    """
    p = argparse.ArgumentParser(prog=f"python -m demos.{name}", description=doc.splitlines()[0])
    common_options(p, images)
    if epochs:
        said = ", ".join(f"{n} on {kind}" for kind, n in epochs.items())
        p.add_argument("--epochs", type=whole(0), help=f"times through the training data (default: {said})")
    return p


def common_options(p, images):
    """Add the options that every demo has: --seed, --device, --out, --quick, and with images --data."""
    if images:
        p.add_argument("--data", choices=("strokes", "mnist"), default="strokes",
                       help="digits drawn by code (offline), or the real MNIST (default: strokes)")
    p.add_argument("--seed", type=whole(0), default=0, help="seed of all randomness (default: 0)")
    p.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute (default: cpu)")
    p.add_argument("--out", type=Path, default=Path("out"), help="folder for the results (default: out)")
    p.add_argument("--quick", action="store_true",
                   help="a few seconds on little data, to see that it runs; claims are not judged")


def whole(least):
    """An argparse type: a whole number, not below `least`."""
    def convert(text):
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {number}")
        return number
    convert.__name__ = "whole number"
    return convert


def real(least=0.0, above=None, below=math.inf):
    """An argparse type: a number above `above` if that is given, else not below `least`; below `below`."""
    def convert(text):
        number = float(text)
        if not (number > above if above is not None else number >= least) or not number < below:
            bound = f"above {above:g}" if above is not None else f"not below {least:g}"
            bound += f" and below {below:g}" if below < math.inf else ""
            raise argparse.ArgumentTypeError(f"must be a finite number {bound}, not {text}")
        return number
    convert.__name__ = "number"
    return convert


class Digits(NamedTuple):
    """Images (N, 28, 28, 1) and digits (N,), to train on and held out."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

    def vectors(self):
        """The images to train on and those held out as vectors (N, 784)."""
        return [images.reshape(len(images), -1) for images in (self.train, self.test)]


def load_digits(args, train=None, test=None):
    """The images of args.data: so many of them, by default 20,000 and 2,000 strokes or all of MNIST.

    With --quick it is a small part of them.
    """
    if args.quick:
        train, test = 512, 256
    rng = np.random.default_rng([args.seed, 1])
    if args.data == "mnist":
        return Digits(*some(*data.load_mnist("train"), train, rng), *some(*data.load_mnist("test"), test, rng))
    train, test = train or 20_000, test or 2_000
    images, factors = data.strokes(train + test, rng)
    return Digits(images[:train], factors["digit"][:train], images[train:], factors["digit"][train:])


def some(images, labels, n, rng):
    """n images and their labels, drawn at random, or all of them, as they are, where n is None.

    MNIST's files are not in random order: the first half of its test images are from tidier writers.
    """
    chosen = slice(None) if n is None else rng.permutation(len(images))[:n]
    return images[chosen], labels[chosen]


def chosen_epochs(args, default, quick=1):
    """The number of epochs asked for by --epochs, else by --quick, else the default."""
    if args.epochs is not None:
        return args.epochs
    return quick if args.quick else default


def fit_falling(model, x, epochs, rates, parts=3, **options):
    """Train by Adam with a learning rate that falls; the history of all epochs.

    The epochs are cut into so many parts. Each rate after the first gets one of them, the first all the
    rest. The options are those of `training.fit`. Smaller steps at the end keep less of the
    minibatches' noise in the weights.
    """
    if len(rates) > parts:
        raise ValueError(f"{len(rates)} learning rates need at least as many parts, not {parts}")
    optimizer, history, last = optim.Adam(model.parameters()), [], epochs // parts
    for i, rate in enumerate(rates):
        optimizer.lr = rate
        part = last if i else epochs - (len(rates) - 1) * last
        for record in training.fit(model, optimizer, x, epochs=part, **options):
            history.append({**record, "epoch": len(history) + 1})
    return history


def apply(f, x, device="cpu", batch=1000):
    """f(x) as a NumPy array, for a function of Tensors such as `model.encode` and a NumPy array x.

    x goes through in batches, and nothing is recorded.
    """
    with no_grad():
        parts = [f(Tensor(to_device(x[i : i + batch], device))).numpy() for i in range(0, len(x), batch)]
    return np.concatenate(parts)


class Report:
    """Collects what a demo measured, and says at the end what the lecture claims and whether it held."""

    def __init__(self, name, args):
        try:
            import matplotlib  # noqa: F401  now, and not after an hour of training
        except ModuleNotFoundError as error:
            raise RuntimeError(f"the figures need matplotlib, which this Python ({sys.executable}) has not: "
                               "use that of the virtual environment, .venv/bin/python") from error
        self.folder, self.quick = args.out / name, args.quick
        self.folder.mkdir(parents=True, exist_ok=True)
        self.metrics = {key: value for key, value in vars(args).items() if key in ("seed", "data", "device")}
        self.claims, self.saved = [], set()
        self.epochs = getattr(args, "epochs", None)

    def save(self, fig, filename):
        """Write a figure and say so."""
        if self.quick:
            fig.suptitle("A quick run: too little training to show anything")
        fig.savefig(self.folder / filename)
        self.saved.add(filename)
        print(f"drew {self.folder / filename}")

    def claim(self, id, says, measured, value, *, at_least=None, at_most=None):
        """Judge one claim: the lecture says this, that was measured, and here is the bound it must meet."""
        held = (math.isfinite(value) and (at_least is None or value >= at_least)
                and (at_most is None or value <= at_most))
        bounds = {"at_least": at_least, "at_most": at_most}
        self.claims.append({
            "id": id, "says": says, "measured": measured,
            "value": float(value) if math.isfinite(value) else None,  # JSON knows no other
            **{k: v for k, v in bounds.items() if v is not None},
            "held": None if self.quick else bool(held),
        })

    def finish(self, **metrics):
        """Write metrics.json, print the claims, and give the exit status: 1 if one did not hold."""
        write_json(self.folder / "metrics.json", {**self.metrics, **metrics, "claims": self.claims})
        for old in self.folder.glob("*.png"):  # of a run with other options: it shows another model
            if old.name not in self.saved:
                old.unlink()
        print(f"wrote {self.folder / 'metrics.json'}\n")
        for c in self.claims:
            print(f"{verdict(c)}: [{c['id']}] {c['says']}: {measurement(c)}")
        failed = any(c["held"] is False for c in self.claims)
        if failed and self.epochs is not None:
            print(f"(This was with --epochs {self.epochs}; what is asked is meant for the default number.)")
        return int(failed)


def write_json(path, value):
    """Write it so that people can read it, too."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def verdict(claim):
    """Whether a claim of metrics.json held, in words."""
    return {True: "held", False: "DID NOT HOLD", None: "not judged (quick)"}[claim["held"]]


def measurement(claim):
    """What was measured for a claim of metrics.json, and what was asked of it, in words."""
    bounds = [f"{k.replace('_', ' ')} {claim[k]:g}" for k in ("at_least", "at_most") if k in claim]
    value = "not a finite number" if claim["value"] is None else f"{claim['value']:.3g}"
    return f"{claim['measured']} {value} (asked: {' and '.join(bounds)})"


def run(main):
    """Run a demo's main function as a program, with an exit status and readable errors.

    Ctrl-C gives 130; what a user can mend (a missing file or device, a checkpoint of another run)
    is one line without a traceback and gives 2.
    """
    try:
        sys.exit(main())
    except Interrupted as stop:
        print(f"\n{stop}" + "\nTo go on: the same command with --resume" * stop.resumable, file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, ValueError):  # it may be the demo's own mistake: say where
            frames = traceback.extract_tb(error.__traceback__)
            frame = [f for f in frames if f.filename == main.__code__.co_filename][-1]
            print(f"({Path(frame.filename).name}, line {frame.lineno})", file=sys.stderr)
        sys.exit(2)
