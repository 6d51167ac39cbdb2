"""Training: `fit` runs the epochs, shows progress, and can be stopped and resumed at any moment.

What it repeats is short, and is `_step` below:

    loss, terms = model.loss(batch, rng)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

The rest of this file sees to the order of the batches, to numbers that stop being finite, to
checkpoints and Ctrl-C.
"""

import math
import signal
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np

from . import checkpoint as checkpoints
from .autodiff import Tensor, grad, history, no_grad
from .backend import array_module, device_of, keep_freed_memory, place, random_generator, to_device
from .progress import Progress


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: training stopped after a whole batch. The last epoch's checkpoint is as it was.

    resumable says whether this run has written a checkpoint to go on from.
    """

    def __init__(self, message, resumable=False):
        super().__init__(message)
        self.resumable = resumable


def fit(model, optimizer, train, *, epochs, batch_size, rng, held_out=None, checkpoint=None, resume=False,
        settings=None, stream=None):
    """Train the model by minibatch gradient descent until so many epochs are done.

    model       has `loss(x, rng)`, which gives the loss to minimise and a dict of its terms
    train       an array of examples (N, ...); each epoch takes them in a new order drawn from rng,
                in batches of batch_size, of which the last may be smaller
    held_out    examples on which the loss is reported after each epoch, with the same noise each time
    checkpoint  a path: after each epoch the whole state of the run is saved there
    resume      go on from that checkpoint; the run ends with the same bits as one never stopped
    settings    a dict that a run and its resumption must have in common (model sizes, lr, seed, ...);
                of the arguments, only the number of examples and batch_size are compared
    stream      where progress is shown, by default standard error

    Returns the history, a dict for each epoch: {"epoch", "seconds", "train": {...}, "held_out": {...}},
    with the losses in nats per example, by term and together as "loss".

    Raises ValueError for unusable arguments or a checkpoint of another run; Interrupted on Ctrl-C;
    FloatingPointError, naming the epoch, the step and the operation, where the loss or a gradient
    stops being finite. The model keeps the parameters that it had before that step.

    A GPU is not waited for within an epoch, except to show progress on a terminal: examples that fit
    live there, and losses are read at the end. If they are not finite then, the epoch is run again
    from its beginning with a look at every step, to find the one where it happened.
    """
    _check_arguments(epochs, batch_size, rng, checkpoint, resume)
    device = model.parameters()[0].device
    train = _examples(train, "train", device)
    held_out = None if held_out is None else _examples(held_out, "held_out", device)
    keep_freed_memory()
    run = _Run(model, optimizer, rng, checkpoint,
               {**(settings or {}), "batch_size": batch_size, "examples": len(train)})
    if resume:
        run.load()
    else:
        run.evaluation_seed = int(rng.integers(2**32))
    progress = Progress(stream or sys.stderr, epochs, math.ceil(len(train) / batch_size))

    with _interrupt_flag() as interrupted, _evaluation_at_the_end(model):
        for epoch in range(len(run.history) + 1, epochs + 1):
            started = time.perf_counter()
            record = {"epoch": epoch, "train": _epoch(run, train, batch_size, epoch, progress, interrupted)}
            if held_out is not None:
                noise = random_generator(run.evaluation_seed, device)
                record["held_out"] = evaluate(model, held_out, noise)
            record["seconds"] = time.perf_counter() - started
            run.history.append(record)
            run.save()
            progress.epoch(record)
            if interrupted.is_set():
                raise run.interrupted(f"stopped after epoch {epoch}")
    return run.history


def _epoch(run, train, batch_size, epoch, progress, interrupted):
    """Take every batch of the epoch once; the losses, averaged over the examples."""
    # rng decides the order and seeds the noise, so that its state at the end of an epoch is all the
    # randomness that a checkpoint has to hold, on any device.
    order = to_device(run.rng.permutation(len(train)), device_of(train))
    seed = int(run.rng.integers(2**32))
    device = run.model.parameters()[0].device

    def attempt(check):
        """The epoch from its beginning, with the same order and noise each time."""
        noise, losses = random_generator(seed, device), _Losses()
        run.model.train(noise)
        for step, start in enumerate(range(0, len(train), batch_size), 1):
            batch = Tensor(to_device(train[order[start : start + batch_size]], device))
            loss = _step(run.model, run.optimizer, batch, noise, losses, f"epoch {epoch}, step {step}", check)
            progress.step(epoch, step, loss)
            if interrupted.is_set():
                progress.clear()
                raise run.interrupted(f"stopped in epoch {epoch} after step {step}")
        return losses.averages()

    if device == "cpu":
        return attempt(check=True)
    restore = run.snapshot()
    try:
        averages = attempt(check=False)
        if math.isfinite(averages["loss"]) and run.is_finite():
            return averages
    except Exception:
        if run.is_finite():
            raise
        # A later step broke on numbers that are not finite. Where do they come from?
    restore()
    return attempt(check=True)


def evaluate(model, examples, rng, batch_size=500):
    """The loss and its terms on the examples, averaged, in evaluation mode; the model stays in it."""
    losses, device = _Losses(), model.parameters()[0].device
    model.eval()
    with no_grad():
        for start in range(0, len(examples), batch_size):
            batch = to_device(examples[start : start + batch_size], device)
            loss, terms = model.loss(Tensor(batch), rng)
            losses.add(loss, terms, len(batch))
    return losses.averages()


def _check_arguments(epochs, batch_size, rng, checkpoint, resume):
    if epochs < 0 or batch_size < 1:
        raise ValueError(f"epochs must not be negative and batch_size at least 1, "
                         f"not {epochs} and {batch_size}")
    if resume and checkpoint is None:
        raise ValueError("resume needs the path of a checkpoint")
    if not isinstance(rng, np.random.Generator):
        raise TypeError("rng must be a numpy.random.Generator, such as numpy.random.default_rng(0), "
                        f"also where the model is on a GPU; not {rng!r}")


def _examples(array, name, device):
    """The array, checked, and on the device if it fits there."""
    if not hasattr(array, "dtype") or array.dtype.kind != "f" or array.ndim < 1 or len(array) == 0:
        came = f"{array.dtype} of shape {array.shape}" if hasattr(array, "dtype") else type(array).__name__
        raise ValueError(f"{name} must be a floating-point array of at least one example, not {came}")
    return place(array, device)


def _step(model, optimizer, batch, rng, losses, where, check):
    """One update of the parameters; the loss before it. Without check nobody looks whether all is finite."""
    loss, terms = model.loss(batch, rng)
    losses.add(loss, terms, len(batch))
    if check and not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss became {loss.item()} in {where}; {_blame(model, loss)}")
    optimizer.zero_grad()
    loss.backward()
    try:
        optimizer.step(check)
    except FloatingPointError as error:
        # A gradient is a result with a history too, if asked for: look for the culprit there.
        parameters = model.parameters()
        for (name, _), g in zip(model.named_parameters(), grad(loss, parameters, create_graph=True)):
            if first_nonfinite(g) is not None:
                raise FloatingPointError(f"the gradient of {name} stopped being finite in {where}; "
                                         + _blame(model, g)) from error
        raise
    return loss


def _blame(model, result):
    """The first value on the way to the result that is not finite, in words."""
    culprit = first_nonfinite(result)
    if culprit.node is not None:
        shapes = ", ".join(str(getattr(x, "shape", x)) for x in culprit.node.inputs)
        return f"the first operation to give such a value was {culprit.node.operation.__name__}({shapes})"
    for name, parameter in model.named_parameters():
        if parameter is culprit:
            return f"the parameter {name} held such a value before"
    return f"the data held such a value before (shape {culprit.shape})"


def first_nonfinite(result):
    """The first Tensor on the way to the result, itself included, that holds a NaN or infinity; or None."""
    return next((t for t in history(result) if not array_module(t.data).isfinite(t.data).all()), None)


class _Losses:
    """The losses of many batches, left where they were computed until they are asked for."""

    def __init__(self):
        self.values, self.names, self.counts = [], [], []

    def add(self, loss, terms, count):
        """The loss and its terms of a batch of so many examples, Tensors of one element."""
        for name, t in {"loss": loss, **terms}.items():
            self.values.append(t.data.reshape(()).copy())  # of this moment: it may be a parameter
            self.names.append(name)
            self.counts.append(count)

    def averages(self):
        """The averages over all examples, by name."""
        numbers = to_device(array_module(self.values[0]).stack(self.values), "cpu").tolist()
        totals, counts = {}, {}
        for name, number, count in zip(self.names, numbers, self.counts):
            totals[name] = totals.get(name, 0.0) + number * count
            counts[name] = counts.get(name, 0) + count
        return {name: totals[name] / counts[name] for name in totals}


class _Run:
    """What a run must remember to go on after the program has been stopped."""

    def __init__(self, model, optimizer, rng, path, settings):
        self.model, self.optimizer, self.rng = model, optimizer, rng
        self.path, self.settings = path, checkpoints.as_saved(settings)
        self.history, self.evaluation_seed = [], None
        self.kinds = {"optimizer": type(optimizer).__name__, "rng": type(rng.bit_generator).__name__}

    def snapshot(self):
        """A function that puts everything that a step changes back to what it is now."""
        tensors = [(t, t.data.copy()) for _, t in self.model.named_tensors()]
        moment, steps = self.optimizer.moment.copy(), self.optimizer.steps

        def restore():
            for t, copy in tensors:
                t.data[...] = copy
            self.optimizer.moment[...], self.optimizer.steps = moment, steps

        return restore

    def is_finite(self):
        """Whether every parameter is."""
        return bool(array_module(self.optimizer.flat).isfinite(self.optimizer.flat).all())

    def save(self):
        """Write the whole state to the checkpoint, if one was asked for."""
        if self.path is None:
            return
        arrays = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        arrays |= {f"optimizer/{name}": value for name, value in self.optimizer.state_dict().items()}
        checkpoints.save(self.path, arrays, {
            "settings": self.settings, "history": self.history, "evaluation_seed": self.evaluation_seed,
            "kinds": self.kinds, "rng": self.rng.bit_generator.state,
        })

    def load(self):
        """Everything is checked before anything is changed."""
        arrays, meta = checkpoints.load(self.path)
        if not isinstance(meta, dict) or "history" not in meta:
            raise ValueError(f"{self.path} is a checkpoint, but not of a training run")
        mine, theirs = {**self.settings, **self.kinds}, {**meta["settings"], **meta["kinds"]}
        differ = [f"{key} is {theirs.get(key)!r} there and {mine.get(key)!r} here"
                  for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)]
        if differ:
            raise ValueError(f"{self.path} belongs to another run: " + "; ".join(differ))
        before = self.model.state_dict()
        self.model.load_state_dict(_part(arrays, "model/"))
        try:
            self.optimizer.load_state_dict(_part(arrays, "optimizer/"))
            self.rng.bit_generator.state = meta["rng"]
        except ValueError:
            self.model.load_state_dict(before)
            raise
        self.history, self.evaluation_seed = meta["history"], meta["evaluation_seed"]

    def interrupted(self, where):
        """The exception that says where the run stopped and how to go on."""
        if self.path is None:
            return Interrupted(f"{where}; no checkpoint was asked for, so the run cannot be resumed")
        if not self.history:
            return Interrupted(f"{where}; no epoch of this run was complete, so it has written no "
                               "checkpoint: start afresh")
        return Interrupted(f"{where}; {self.path} holds epoch {len(self.history)}: "
                           "resume the run to go on from there", resumable=True)


def _part(arrays, prefix):
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


@contextmanager
def _evaluation_at_the_end(model):
    try:
        yield
    finally:
        model.eval()


@contextmanager
def _interrupt_flag():
    """An event that Ctrl-C sets, where it would otherwise break off whatever is being computed.

    A second Ctrl-C breaks off at once. Outside the main thread, which alone may handle signals, and
    where Ctrl-C is ignored, the event is never set.
    """
    event, before = threading.Event(), signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield event
        return

    def handler(signum, frame):
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
