"""The state of a training run: what it must remember to go on after the program has been stopped."""

from . import checkpoint as checkpoints
from .interrupt import Interrupted


class Run:
    """A model, its players, the source of randomness and the history of the epochs; saved and loaded together."""

    def __init__(self, model, players, rng, path, settings):
        self.model, self.players, self.rng = model, players, rng
        self.device = players[0].optimizer.params[0].device
        self.path, self.settings = path, checkpoints.as_saved(settings)
        self.history, self.evaluation_seed = [], None
        self.kinds = {"rng": type(rng.bit_generator).__name__, **{
            f"optimizer{_of(player)}": type(player.optimizer).__name__ for player in players}}

    def snapshot(self):
        """A function that puts everything that a step changes back to what it is now."""
        restores = [player.optimizer.snapshot() for player in self.players]
        kept = [(t, t.data.copy()) for _, t in self.model.named_tensors() if not t.requires_grad]

        def restore():
            for put_back in restores:
                put_back()
            for t, copy in kept:
                t.data[...] = copy

        return restore

    def is_finite(self):
        """Whether every parameter is, and every running average."""
        return all(player.optimizer.is_finite() for player in self.players)

    def save(self):
        """Write the whole state to the checkpoint, if one was asked for."""
        if self.path is None:
            return
        arrays = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        for player in self.players:
            arrays |= {f"optimizer{_of(player)}/{name}": value
                       for name, value in player.optimizer.state_dict().items()}
        checkpoints.save(self.path, arrays, {
            "settings": self.settings, "history": self.history, "evaluation_seed": self.evaluation_seed,
            "kinds": self.kinds, "rng": self.rng.bit_generator.state,
        })

    def load(self, epochs):
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
            for player in self.players:
                player.optimizer.load_state_dict(_part(arrays, f"optimizer{_of(player)}/"))
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


def _of(player):
    return "" if player.name == "loss" else f" of {player.name}"


def _part(arrays, prefix):
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
