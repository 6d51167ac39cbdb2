"""Training: `fit` runs the epochs, shows progress, and can be stopped and resumed at any moment.

What it repeats is short, and is the heart of `_step` below:

    loss, terms = model.loss(*batch, rng)
    grads = grad(loss, optimizer.params)
    optimizer.step(grads)

This file sees to the order of the batches and to their noise. What else a long training needs has files
of its own: who minimises what (`players`), the state of a run and its checkpoint (`run_state`), the
origin of a number that is not finite (`forensics`), Ctrl-C (`interrupt`), and what is shown (`progress`).

A GPU is not waited for within an epoch, except to show progress on a terminal: examples that fit live
there, and losses are read at the end. If they are not finite then, the epoch is run again from its
beginning with a look at every step, to find the one where it happened.
"""

import math
import os
import sys
import time
from contextlib import ExitStack

import numpy as np

from . import forensics
from .autodiff import Tensor, grad, no_grad
from .backend import check_rng, device_of, keep_freed_memory, place, random_generator, to_device
from .interrupt import Interrupted, interrupt_flag
from .nn import Embedding
from .optim import NotFinite
from .players import Losses, Player, kind_of, players_of
from .progress import Progress
from .run_state import Run

__all__ = ["Interrupted", "evaluate", "fit"]


def fit(model, optimizer, train, *, epochs, batch_size, rng, held_out=None, checkpoint=None, resume=False,
        settings=None, stream=None):
    """Train the model by minibatch gradient descent until so many epochs are done.

    model       has `loss(x, rng)`, which gives the loss to minimise and a dict of its terms
    optimizer   minimises it. Or a dict {player: optimiser}, where each player has parameters and a loss
                of its own, `model.<player>_loss(x, rng)`: they are updated in turn on each batch
    train       an array of examples (N, ...), in the model's precision, or of signed integers for a model
                with an nn.Embedding; or a tuple of arrays that share their first axis, such as inputs and
                labels, for a `loss(x, y, rng)`. Each epoch takes them in a new order drawn from rng, in batches
                of batch_size (the last may be smaller). Of an np.memmap only the batches are read
    held_out    examples on which the loss is reported after each epoch, with the same noise each time
    checkpoint  a path: after each epoch the whole state is saved there. A file that is there is an error, unless
    resume      says to go on from it; then the run ends with the same bits as one never stopped
    settings    a dict that a run and its resumption must have in common (model sizes, lr, seed, ...), as
                they must the number of examples, batch_size and, if a rate is a schedule, epochs
    stream      where progress is shown, by default standard error

    Returns the history, a dict for each epoch: {"epoch", "seconds", "train": {...}, "held_out": {...}},
    with the losses in nats per example, by term and together as "loss"; of several players, each one's
    loss under its name, and no "loss".

    Raises ValueError for unusable arguments or a checkpoint of another run; FileExistsError for one that is
    there and not to be resumed; Interrupted on Ctrl-C; FloatingPointError that names the epoch, the step and
    the operation where the loss or a gradient stopped being finite, before it could reach the parameters.
    """
    players = players_of(model, optimizer)
    _check_arguments(epochs, batch_size, rng, checkpoint, resume)
    like = players[0].optimizer.params[0]
    train = _examples(model, players, train, "train", like)
    held_out = None if held_out is None else _examples(model, players, held_out, "held_out", like)
    settings = {**(settings or {}), "batch_size": batch_size, "examples": len(train[0])}
    run = Run(model, players, rng, checkpoint, settings, epochs)
    run.load() if resume else run.begin()
    progress = Progress(stream or sys.stderr, epochs, math.ceil(len(train[0]) / batch_size))
    keep_freed_memory()
    with interrupt_flag() as interrupted, ExitStack() as at_the_end:
        at_the_end.callback(model.eval)
        for epoch in range(len(run.history) + 1, epochs + 1):
            started = time.perf_counter()
            record = {"epoch": epoch, "train": _epoch(run, train, batch_size, epoch, progress, interrupted)}
            if held_out is not None:
                record["held_out"] = _held_out(run, held_out, epoch)
            record["seconds"] = time.perf_counter() - started
            run.history.append(record)
            run.save()
            progress.epoch(record)
            if interrupted.is_set():
                raise run.interrupted(f"stopped after epoch {epoch}")
    return run.history


def _held_out(run, examples, epoch):
    """The losses on held-out examples, with the same noise after each epoch."""
    noise = random_generator(run.evaluation_seed, run.device)
    losses = _evaluate(run.model, run.players, examples, noise, batch_size=500)
    forensics.check_held_out(losses, epoch)
    return losses


def _epoch(run, train, batch_size, epoch, progress, interrupted):
    """Take every batch of the epoch once; the losses, averaged over the examples."""
    # rng decides the order and seeds the noise, so that its state at the end of an epoch is all the
    # randomness that a checkpoint has to hold, on any device.
    order = run.rng.permutation(len(train[0]))
    seed = int(run.rng.integers(2**32))
    orders = {device: to_device(order, device) for device in sorted(set(map(device_of, train)))}

    def attempt(check):
        """The epoch from its beginning, with the same order and noise each time."""
        noise, losses = random_generator(seed, run.device), Losses()
        run.model.train(noise)
        for step, batch in enumerate(_batches(train, batch_size, run.device, orders), 1):
            share = progress.share(epoch, step)
            now = _step(run, batch, noise, losses, share, check, f"epoch {epoch}, step {step}")
            progress.step(epoch, step, now)
            if interrupted.is_set():
                progress.clear()
                raise run.interrupted(f"stopped in epoch {epoch} after step {step}")
        return losses.averages()

    if run.device == "cpu":
        return attempt(check=True)
    restore = run.snapshot()
    try:
        averages = attempt(check=False)
        if all(math.isfinite(averages[player.name]) for player in run.players) and run.is_finite():
            return averages
    except Exception:
        if run.is_finite():
            raise
        # A later step broke on numbers that are not finite. Where do they come from?
    restore()
    return attempt(check=True)


def _step(run, batch, noise, losses, share, check, where):
    """An update by each player in turn, after such a share of the run; the losses before it, by player.

    Without check nobody looks whether all is finite.
    """
    now = {}
    for player in run.players:
        optimizer = player.optimizer
        loss, terms = player.evaluate(batch, noise)
        losses.add(player.name, loss, terms, len(batch[0]))
        if check and not math.isfinite(loss.item()):
            raise forensics.of_loss(run.model, player, loss, where)
        optimizer.progress = share
        grads = grad(loss, optimizer.params)
        try:
            optimizer.step(grads, check)
        except NotFinite as error:
            raise forensics.of_step(run.model, player, loss, where, error) from error
        now[player.name] = loss
    return now


def evaluate(model, examples, rng, batch_size=500, players=None):
    """The loss and its terms on the examples, averaged, in evaluation mode; the model stays in it.

    examples are an array or a tuple of arrays, and players the names of the players, both as in `fit`.
    """
    like = model.parameters()[0]
    chosen = [Player(model, name) for name in players or ["loss"]]
    return _evaluate(model, chosen, _examples(model, chosen, examples, "examples", like), rng, batch_size)


def _evaluate(model, players, examples, rng, batch_size):
    losses = Losses()
    model.eval()
    with no_grad():
        for batch in _batches(examples, batch_size, model.parameters()[0].device):
            for player in players:
                losses.add(player.name, *player.evaluate(batch, rng), len(batch[0]))
    return losses.averages()


def _batches(arrays, size, device, orders=None):
    """The arrays cut into batches, each a list of Tensors on the device.

    orders gives the order of the examples, once for every device that an array lives on.
    """
    for start in range(0, len(arrays[0]), size):
        part = slice(start, start + size)
        yield [Tensor(to_device(a[orders[device_of(a)][part] if orders else part], device)) for a in arrays]


def _check_arguments(epochs, batch_size, rng, checkpoint, resume):
    if epochs < 0 or batch_size < 1:
        raise ValueError(f"fit: epochs must be at least 0 and batch_size at least 1, "
                         f"not {epochs} and {batch_size}")
    if resume and checkpoint is None:
        raise ValueError("fit: resume needs the path of a checkpoint")
    if checkpoint is not None and not resume and os.path.exists(checkpoint):
        raise FileExistsError(f"fit: {checkpoint} is there already: resume=True goes on from it; to begin anew, "
                              "remove the file")
    check_rng(rng, "fit")


def _examples(model, players, given, name, like):
    """The array or arrays as a tuple, checked, and on the device of the parameter `like` if they fit."""
    arrays = given if isinstance(given, tuple) else (given,)
    if not arrays:
        raise ValueError(f"{name} is an empty tuple: expected arrays that share their first axis")
    # With integers a dense layer would compute in float64; unsigned bytes are images that nobody has scaled.
    first = "fi" if any(isinstance(module, Embedding) for module in model.modules()) else "f"
    for i, array in enumerate(arrays):
        full = f"{name}[{i}]" if isinstance(given, tuple) else name
        _check_array(array, full, "fiub" if i else first, like)
    if len({len(array) for array in arrays}) > 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"the arrays of {name} must share their first axis, but have the shapes {shapes}")
    for player in players:
        player.check_arrays(arrays, name)
    model.check_examples(*(array[:1000] for array in arrays))
    # Of a file mapped into memory, only the batches are read.
    return tuple(np.asarray(a) if isinstance(a, np.memmap) else place(a, like.device) for a in arrays)


# Kinds of numbers, as NumPy abbreviates them, and what an error calls them.
EXPECTED = {"f": "a floating-point array", "fi": "an array of floats or indices",
            "fiub": "an array of numbers"}


def _check_array(array, name, kinds, like):
    """Raise ValueError unless it is an array of one of the kinds, in the precision of the parameter `like`."""
    if isinstance(array, Tensor):
        raise ValueError(f"{name} must be {EXPECTED[kinds]}, not {kind_of(array)}: give its array, .data")
    if not hasattr(array, "dtype") or array.ndim < 1 or not len(array) or array.dtype.kind not in kinds:
        pixels = getattr(array, "dtype", None) == np.uint8 and "u" not in kinds
        advice = f"; pixels from 0 to 255 are to be scaled: x.astype(np.{like.dtype}) / 255" if pixels else ""
        raise ValueError(f"{name} must be {EXPECTED[kinds]} of at least one example, not {kind_of(array)}{advice}")
    if array.dtype.kind == "f" and array.dtype.itemsize > like.dtype.itemsize:
        labels = ", or labels with .astype(np.int64)" if "b" in kinds else ""
        raise ValueError(f"{name} is {array.dtype} and the model {like.dtype}, which would compute in "
                         f"{array.dtype} from there on: cast it with .astype(np.{like.dtype}){labels}")
