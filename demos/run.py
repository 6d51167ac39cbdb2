"""What a demo is given: `Run`, with its options, data, random streams, training, figures and claims.

A demo is a file in the folder of its chapter:

    "The sentence that it shows."               and what the lecture says, and what is measured

    LECTURES = "L1 L2"                          the lectures that claim it
    EPOCHS = {"strokes": 40, "mnist": 20}       or {"all": 40}; absent where nothing is trained by epochs
    DATA = ("strokes", "mnist")                 what --data may be; absent where the data are its own
    TIMED = True                                it measures times, so nothing may run beside it; or absent

    def options(parser): ...                    arguments of its own, if it has any

    def main(run):                              measures, claims, draws
        digits = run.images(train=5_000)
        model = models.Autoencoder(...)
        run.fit(model, digits.train, lr=1e-3)
        error = squared_error(run.apply(model.reconstruct, digits.test), digits.test)
        run.claim("nonlinear", "the lecture says so", "what was measured:", error, at_most=0.9)
        run.save(draw(...), "error.png", "what the figure shows, in words")

`start` runs it as a program.
"""

import argparse
import importlib
import io
import json
import math
import os
import shlex
import sys
import time
import traceback
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from demos import page
from demos.arguments import Parser, whole
from demos.catalogue import catalogue
from demos.results import measurement, verdict, write_text
from tinyae import Tensor, data, no_grad, optim, training
from tinyae.backend import random_generator, to_device


class Images(NamedTuple):
    """Images (N, H, W, C), their labels (N,) and what made them, to train on and held out.

    The factors are a structured array for images drawn by code, and None for others.
    """

    train: np.ndarray
    train_labels: np.ndarray
    train_factors: np.ndarray | None
    test: np.ndarray
    test_labels: np.ndarray
    test_factors: np.ndarray | None

    @property
    def shape(self):
        """The shape of one image."""
        return self.train.shape[1:]

    def vectors(self):
        """The images to train on and those held out as vectors (N, D)."""
        return [images.reshape(len(images), -1) for images in (self.train, self.test)]

    def halved(self):
        """The same, with images of half the size."""
        return self._replace(train=data.half_size(self.train), test=data.half_size(self.test))


class Claims(list):
    """What a demo claims. Called with a claim's numbers it judges it, and remembers the verdict."""

    def __init__(self, judged=True):
        self.judged = judged

    def __call__(self, id, says, measured, value, *, at_least=None, at_most=None):
        """The lecture says this, that was measured, and here is the bound it must meet.

        id is that of the list of claims, or one with a dot and a word after it ("vae", "vae.new"),
        and may be given once.
        """
        if any(claim["id"] == id for claim in self):
            raise ValueError(f"the claim {id!r} is made twice")
        value = float(value)
        bounds = {k: v for k, v in (("at_least", at_least), ("at_most", at_most)) if v is not None}
        if not bounds:
            raise ValueError(f"the claim {id!r} asks for nothing: give at_least or at_most")
        held = (math.isfinite(value) and value >= bounds.get("at_least", -math.inf)
                and value <= bounds.get("at_most", math.inf))
        self.append({"id": id, "says": says, "measured": measured,
                     "value": value if math.isfinite(value) else None,  # JSON knows no other
                     **bounds, "held": held if self.judged else None})


class Run:
    """One run of a demo: what it was asked for, what it may draw from, and what it has found so far.

    name, folder    of the demo, and where its results go: OUT/NAME, or OUT/quick/NAME with --quick
    options         the command line, of which seed, data, device, quick and epochs are attributes
    claim           judges a claim; see `Claims`
    """

    def __init__(self, name, options, epochs=None):
        self.name, self.options, self.epochs = name, options, epochs
        self.quick, self.seed, self.device = options.quick, options.seed, options.device
        self.data = getattr(options, "data", None)
        self.out = options.out / "quick" if self.quick else options.out
        self.folder = self.out / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.claim = Claims(judged=not self.quick)
        self.figures, self.pages, self.measured = [], [], {}
        self.spared = 0.0  # seconds of training that a recipe had already had

    # --- what it draws from ---

    def rng(self, stream):
        """The random stream of that name, from its beginning: the same for the same seed."""
        return np.random.default_rng(self._seeds(stream))

    def noise(self, stream):
        """The same for draws on the device."""
        return random_generator(self._seeds(stream), self.device)

    def _seeds(self, stream):
        return [self.seed, zlib.crc32(stream.encode())]

    def images(self, train=None, test=None):
        """The images that --data names: so many, by default 20,000 and 2,000 drawn ones or all real ones.

        With --quick it is a small part of them.
        """
        if self.quick:
            train, test = (most if n is None else min(n, most) for n, most in ((train, 512), (test, 256)))
        rng = self.rng("images")
        if self.data in DRAWN:
            train, test = 20_000 if train is None else train, 2_000 if test is None else test
            images, factors = DRAWN[self.data](train + test, rng)
            label = factors[LABEL[self.data]]
            return Images(images[:train], label[:train], factors[:train],
                          images[train:], label[train:], factors[train:])
        load = REAL[self.data]
        return Images(*some(*load("train"), train, rng), None, *some(*load("test"), test, rng), None)

    def pick(self, full, quick):
        """A size or number of rounds: the one of a full run, or the one with --quick."""
        return quick if self.quick else full

    # --- computing ---

    def tensor(self, array, requires_grad=False):
        """The array as a Tensor on the device."""
        return Tensor(to_device(array, self.device), requires_grad)

    def fit(self, model, x, *, lr=1e-3, optimizer=None, epochs=None, batch_size=100, rng=None, what=None,
            silent=False, **options):
        """Train the model on the device; the history, as `training.fit` gives it.

        lr is a number or a schedule for Adam, where no other optimiser (or players) is given; epochs are
        by default those asked for, and what is said first; silent shows no progress,
        where it would be a line for each of many short trainings. The other options are those of `training.fit`.
        """
        if what:
            self.say(f"{what}:")
        model.to(self.device)
        optimizer = optim.Adam(model.parameters(), lr) if optimizer is None else optimizer
        stream = {"stream": io.StringIO()} if silent else {}
        return training.fit(model, optimizer, x, batch_size=batch_size, **stream,
                            epochs=self.epochs if epochs is None else epochs,
                            rng=self.rng("training") if rng is None else rng, **options)

    def apply(self, f, *arrays, batch=1000):
        """f of Tensors, such as `model.encode`, on NumPy arrays: a NumPy array.

        The arrays go through in batches, and nothing is recorded.
        """
        with no_grad():
            parts = [f(*(self.tensor(x[i : i + batch]) for x in arrays)).numpy()
                     for i in range(0, len(arrays[0]), batch)]
        return np.concatenate(parts)

    # --- what it found ---

    def say(self, text):
        """Print it at once."""
        print(text, flush=True)

    def note(self, **measured):
        """Keep numbers for metrics.json."""
        self.measured.update(plain(measured))

    def save(self, fig, filename, alt):
        """Write a figure; alt says what it shows, for those who do not see it."""
        title = fig.get_suptitle()
        if self.quick:
            fig.suptitle(f"{title}\n(a quick run on little data: nothing here is judged)")
        fig.savefig(self.folder / filename)
        self.figures.append({"file": filename, "title": " ".join(title.split()), "alt": alt})
        self.say(f"drew {self.folder / filename}")

    def add_page(self, filename, title):
        """Name a page to play with, which the demo has written into its folder."""
        self.pages.append({"file": filename, "title": title})
        self.say(f"wrote {self.folder / filename}")

    def finish(self, **about):
        """Write metrics.json and the page, and print the claims; the exit status, 1 if one did not hold."""
        status = int(any(claim["held"] is False for claim in self.claim))
        metrics = {
            "demo": self.name, **about, "seed": self.seed, "data": self.data, "device": self.device,
            "quick": self.quick, "epochs": self.epochs, "status": status, "figures": self.figures,
            "pages": self.pages, "measured": self.measured, "claims": self.claim,
        }
        text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
        write_text(self.folder / "metrics.json", text + "\n")
        kept = {item["file"] for item in (*self.figures, *self.pages)}
        for old in (*self.folder.glob("*.png"), *self.folder.glob("*.html")):
            if old.name not in kept:  # of a run with other options: it shows another model
                old.unlink()
        self.say(f"wrote {page.write(self.out)}\n")
        for claim in self.claim:
            self.say(f"{verdict(claim)}: [{claim['id']}] {claim['says']}: {measurement(claim)}")
        if status and getattr(self.options, "epochs", None) is not None:
            self.say(f"(This was with --epochs {self.epochs}; what is asked is meant for the default number.)")
        return status


def plain(value):
    """A value as JSON has it: lists for arrays and tuples, text for keys, None for a number that is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


DRAWN = {"strokes": data.strokes, "faces": data.faces}
LABEL = {"strokes": "digit", "faces": "identity"}  # the factor that is the label of a drawn image
REAL = {"mnist": data.load_mnist, "fashion": data.load_fashion_mnist, "cifar10": data.load_cifar10}


def some(images, labels, n, rng):
    """n images and their labels, drawn at random, or all of them, as they are, where n is None.

    MNIST's files are not in random order: the first half of its test images are from tidier writers.
    """
    chosen = slice(None) if n is None else rng.permutation(len(images))[:n]
    return images[chosen], labels[chosen]


# --- the command line ----------------------------------------------------------------------------

def parser(name, module):
    """The arguments of a demo: those that all have in common, and its own."""
    p = Parser(prog=f"python -m demos {name}", description=module.__doc__,
               epilog=f"its file: {os.path.relpath(module.__file__)}",
               formatter_class=argparse.RawDescriptionHelpFormatter)
    common_options(p, getattr(module, "DATA", ()))
    epochs = getattr(module, "EPOCHS", None)
    if epochs is not None:
        where = {"quick": " with --quick", "all": ""}
        said = ", ".join(f"{n}{where.get(kind, f' on {kind}')}" for kind, n in epochs.items())
        p.add_argument("--epochs", type=whole(0), help=f"times through the training data (default: {said})")
    getattr(module, "options", lambda p: None)(p)
    return p


def common_options(p, data=()):
    """Add the options that every demo has: --seed, --device, --out, --quick, --fresh, and perhaps --data."""
    if data:
        p.add_argument("--data", choices=data, default=data[0],
                       help="the images: drawn by code, offline, or real ones (default: the first)")
    p.add_argument("--seed", type=whole(0), default=0, help="seed of all randomness (default: 0)")
    p.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute (default: cpu)")
    p.add_argument("--out", type=Path, default=Path("out"), help="folder for the results (default: out)")
    p.add_argument("--quick", action="store_true",
                   help="a few seconds on little data, to see that it runs; claims are not judged")
    p.add_argument("--fresh", action="store_true",
                   help="train anew what an earlier demo has trained and left in the folder for the results")


def begin(module, argv):
    """The Run of a demo with that command line."""
    try:
        import matplotlib  # noqa: F401  now, and not after an hour of training
    except ModuleNotFoundError as error:
        raise RuntimeError(f"the figures need matplotlib, which this Python ({sys.executable}) has not: use "
                           "that of the virtual environment, .venv/bin/python, or pip install matplotlib") from error
    name = module.__name__.rpartition(".")[2]
    options = parser(name, module).parse_args(argv)
    return Run(name, options, chosen_epochs(getattr(module, "EPOCHS", None), options))


def chosen_epochs(default, options):
    """The epochs asked for by --epochs, else by --quick (one, or EPOCHS["quick"]), else the default."""
    if default is None:
        return None
    if options.epochs is not None:
        return options.epochs
    if options.quick:
        return default.get("quick", 1)
    return default.get("all") or default[options.data]


def perform(module, argv):
    """Run a demo; the exit status, 1 if a claim did not hold. Errors are the caller's."""
    run, started = begin(module, argv), time.monotonic()
    module.main(run)
    return run.finish(
        chapter=module.__name__.split(".")[-2], title=module.__doc__.splitlines()[0],
        lectures=module.LECTURES, command=shlex.join(["python", "-m", "demos", run.name, *argv]),
        seconds=round(time.monotonic() - started + run.spared, 1))


def start(name, argv):
    """Run the demo of that name as a program: the exit status, with errors in one line.

    Ctrl-C gives 130; what a user can mend (a missing file or device, a checkpoint of another run)
    is one line without a traceback and gives 2.
    """
    module = importlib.import_module(catalogue()[name].module)
    try:
        return perform(module, argv)
    except training.Interrupted as stop:
        again = "the same command" + " without --fresh" * ("--fresh" in argv) + " goes on after the last whole epoch"
        print(f"\n{stop.where}; {again if stop.resumable else 'nothing of this training is kept'}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # no fault of the demo's: nobody reads on
        raise
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, ValueError):  # it may be the demo's own mistake: say where
            frames = traceback.extract_tb(error.__traceback__)
            frame = [f for f in frames if f.filename == module.__file__][-1:]
            print(*(f"({Path(f.filename).name}, line {f.lineno})" for f in frame), file=sys.stderr)
        return 2
