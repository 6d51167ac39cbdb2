"""The state of a training run: what it must remember to go on after the program has been stopped.

A checkpoint of a run holds the arrays "model/NAME" and "optimizer/NAME" (of several players,
"optimizer of PLAYER/NAME") of their state_dicts, and

    settings            what a run and its resumption must have in common
    kinds               the names of the optimisers' class and of the random generator's
    history             a record for each epoch: {"epoch", "seconds", "train": {...}, "held_out": {...}}
    evaluation_seed     of the noise for the held-out examples
    rng                 the state of the random generator

Resuming is all or nothing: all of it is checked before anything is touched.
"""

import copy
import math

import numpy as np

from . import checkpoint as checkpoints
from .interrupt import Interrupted
from .state import check_fit, kinds


class Run:
    """A model, its players, the source of randomness and the history; saved and loaded together."""

    def __init__(self, model, players, rng, path, settings, epochs):
        self.model, self.players, self.rng, self.path, self.epochs = model, players, rng, path, epochs
        self.device = players[0].optimizer.params[0].device
        if any(callable(player.optimizer.lr) for player in players):  # a schedule has to know where it ends
            settings = {**settings, "epochs": epochs}
        self.settings = checkpoints.as_saved(settings)
        self.history, self.evaluation_seed = [], None
        self.kinds = {"rng": type(rng.bit_generator).__name__, **{
            f"optimizer{_of(player)}": type(player.optimizer).__name__ for player in players}}
        if len(players) > 1:
            self.kinds["players"] = [player.name for player in players]  # their order matters

    def snapshot(self):
        """A function that puts everything that a step changes back to what it is now."""
        restores = [player.optimizer.snapshot() for player in self.players]
        trained = {id(p) for player in self.players for p in player.optimizer.params}
        kept = [(t, t.data.copy()) for _, t in self.model.named_tensors() if id(t) not in trained]

        def restore():
            for put_back in restores:
                put_back()
            for t, copy in kept:
                t.data[...] = copy

        return restore

    def is_finite(self):
        """Whether every parameter is, and every running average."""
        return all(player.optimizer.is_finite() for player in self.players)

    def begin(self):
        """Draw what a fresh run needs."""
        self.evaluation_seed = int(self.rng.integers(2**32))

    def save(self):
        """Write the whole state to the checkpoint, if one was asked for."""
        if self.path is None:
            return
        checkpoints.save(self.path, self._arrays(), {
            "settings": self.settings, "history": self.history, "evaluation_seed": self.evaluation_seed,
            "kinds": self.kinds, "rng": self.rng.bit_generator.state,
        })

    def load(self):
        """Take the state from the checkpoint of a run of the same kind, which has not more epochs.

        Raises FileNotFoundError or a ValueError that names the file and the entry, and changes nothing.
        """
        arrays, meta = checkpoints.load(self.path, self._check)
        with checkpoints.naming(self.path):
            self._check_values(arrays, len(meta["history"]))
        restore = self.snapshot()
        try:
            for prefix, part in self._parts():
                part.load_state_dict({name.removeprefix(prefix): array for name, array in arrays.items()
                                      if name.startswith(prefix)})
        except BaseException:  # a GPU's memory may be full
            restore()
            raise
        self.rng.bit_generator.state = meta["rng"]
        self.history, self.evaluation_seed = meta["history"], meta["evaluation_seed"]

    def _parts(self):
        """What has a state_dict, with the prefix of its names in the checkpoint."""
        yield "model/", self.model
        for player in self.players:
            yield f"optimizer{_of(player)}/", player.optimizer

    def _arrays(self):
        """Every array of the state, by its name in the checkpoint."""
        return {prefix + name: array for prefix, part in self._parts()
                for name, array in part.state_dict().items()}

    def _check(self, came, meta):
        """Raise ValueError unless meta and the arrays that came, by their kinds, are those of such a run."""
        if not isinstance(meta, dict) or "history" not in meta:
            raise ValueError("it is a checkpoint, but not of a training run")
        expected = {"settings": dict, "history": list, "evaluation_seed": int, "kinds": dict, "rng": dict}
        for name in sorted({*expected, *meta}):
            kind = expected.get(name, type(None))
            if type(meta.get(name)) is not kind:
                raise ValueError(f"{name} must be of type {kind.__name__}, not {meta.get(name)!r}")
        differ = [f"{key} is {theirs.get(key)!r} there and {mine.get(key)!r} here"
                  for mine, theirs in ((self.settings, meta["settings"]), (self.kinds, meta["kinds"]))
                  for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)]
        if differ:
            raise ValueError("it belongs to another run: " + "; ".join(differ))
        if not 0 <= meta["evaluation_seed"] < 2**32:
            raise ValueError(f"evaluation_seed must be in [0, 2**32), not {meta['evaluation_seed']}")
        _check_history(meta["history"], [player.name for player in self.players])
        done = len(meta["history"])
        if done > self.epochs:
            raise ValueError(f"it holds {done} epochs already, more than the {self.epochs} asked for")
        _check_generator(self.rng.bit_generator, meta["rng"])
        check_fit(came, kinds(self._arrays()), "run")

    def _check_values(self, arrays, epochs):
        """Raise ValueError unless the numbers could be those of so many epochs: finite, and enough steps."""
        least = epochs * math.ceil(self.settings["examples"] / self.settings["batch_size"])
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds NaN or infinity")
            if name.startswith("optimizer") and name.endswith("/steps") and not least <= array < 2**53:
                raise ValueError(f"{name} is {array}; {epochs} epochs have {least}")

    def interrupted(self, where):
        """The exception that says where the run stopped and how to go on."""
        if self.path is None:
            return Interrupted(where, "no checkpoint was asked for, so the run cannot be resumed")
        if not self.history:
            return Interrupted(where, "no epoch of this run was complete, so it has written no checkpoint: "
                                      "start afresh")
        return Interrupted(where, f"{self.path} holds epoch {len(self.history)}: resume=True goes on from there",
                           resumable=True)


def _of(player):
    return "" if player.name == "loss" else f" of {player.name}"


def _check_history(history, players):
    """Raise ValueError unless the history is a record for each epoch, with losses by name."""
    if not history:
        raise ValueError("history is empty")
    expected = {"epoch": int, "seconds": float, "train": dict, "held_out": dict}
    for i, record in enumerate(history):
        whole = (type(record) is dict and {"epoch", "seconds", "train"} <= set(record) <= set(expected)
                 and all(type(value) is expected[name] for name, value in record.items())
                 and record["epoch"] == i + 1
                 and all(set(players) <= set(losses) and all(type(x) is float for x in losses.values())
                         for losses in record.values() if type(losses) is dict))
        if not whole:
            raise ValueError(f"history[{i}] is no record of epoch {i + 1}: {record!r}")


def _check_generator(bit_generator, state):
    """Raise ValueError unless this is a state of such a generator: one that takes it gives it back."""
    probe = copy.deepcopy(bit_generator)
    try:
        probe.state = state
        taken = checkpoints.as_saved(probe.state) == state
    except Exception as error:  # NumPy's setters raise what comes
        raise ValueError(f"rng is no state of {type(probe).__name__}: {state} ({error})") from error
    # The places in their buffers are taken by MT19937 and Philox as they come.
    inner = state["state"] if isinstance(state["state"], dict) else {}
    if not taken or not 0 <= inner.get("pos", 0) <= 624 or not 0 <= state.get("buffer_pos", 0) <= 4:
        raise ValueError(f"rng is no state of {type(probe).__name__}: {state}")
