"""Players: who minimises what in a training, and the losses that come of it.

Most models have one loss, and one optimiser minimises it. A generative adversarial network has two
players, each with parameters and a loss of its own:

    fit(model, {"discriminator": Adam(...), "generator": Adam(...)}, x, ...)

updates them in turn by `model.discriminator_loss(x, rng)` and `model.generator_loss(x, rng)`.
"""

import inspect

from .autodiff import Tensor, is_recording
from .backend import array_module, to_device
from .optim import Optimizer


class Player:
    """A loss of the model and the optimiser that minimises it. A model's only player is called "loss"."""

    def __init__(self, model, name, optimizer=None):
        self.name, self.optimizer = name, optimizer
        self.method = "loss" if name == "loss" else f"{name}_loss"
        self.loss = getattr(model, self.method, None)
        if not callable(self.loss):
            raise TypeError(f"{type(model).__name__} needs a method {self.method}(x, rng) to be trained, "
                            "which returns the loss and a dict of its terms")

    def check_arrays(self, arrays, name):
        """Raise ValueError, which names the arrays, unless so many of them and an rng are what the loss takes."""
        try:
            signature = inspect.signature(self.loss, follow_wrapped=False)
        except (TypeError, ValueError):  # a callable that does not tell
            return
        rng = object()
        try:
            given = signature.bind(*arrays, rng).arguments
            # With an array too few for loss(x, y, rng=None), the rng would be taken for y.
            fits = "rng" not in signature.parameters or not any(
                value is rng and parameter != "rng" for parameter, value in given.items())
        except TypeError:
            fits = False
        if not fits:
            came = f"a tuple of {len(arrays)} arrays" if len(arrays) > 1 else "one array"
            raise ValueError(f"{name} must be the arrays that {self.method}{signature} takes before the rng, in a "
                             f"tuple such as (x, y) where there are several, not {came}")

    def evaluate(self, batch, rng):
        """The loss of a batch and its terms by name, Tensors of one element."""
        result = self.loss(*batch, rng)
        pair = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)
        numbers = [result[0], *result[1].values()] if pair else []
        if not pair or not all(isinstance(t, Tensor) and t.size == 1 for t in numbers):
            raise TypeError(f"{self.method} must return (loss, terms), a Tensor of one element and a dict of "
                            f"such Tensors by name, which may be empty; it returned {kind_of(result)}")
        if is_recording() and not result[0].requires_grad:
            raise ValueError(f"{self.method} returned a loss that was not computed from any parameter, so "
                             "that there is nothing to minimise")
        return result


def players_of(model, optimizer):
    """The players of `fit`'s optimizer: an optimiser, or a dict {player: optimiser}."""
    players = _players(model, optimizer)
    own = set(map(id, model.parameters()))
    for player in players:
        if not own.issuperset(map(id, player.optimizer.params)):
            raise ValueError(f"the optimiser of the {player.name} has a parameter that is none of the model's: it "
                             "would change what the loss does not depend on")
    return players


def _players(model, optimizer):
    if isinstance(optimizer, Optimizer):
        return [Player(model, "loss", optimizer)]
    if not isinstance(optimizer, dict) or not optimizer or not all(
            isinstance(name, str) and isinstance(o, Optimizer) for name, o in optimizer.items()):
        raise TypeError("optimizer must be an optimiser such as optim.Adam(model.parameters()), or a dict of "
                        f"one for each player by its name, not {kind_of(optimizer)}")
    if "loss" in optimizer:
        raise ValueError('a player cannot be called "loss": its loss would be model.loss_loss')
    kinds = {f"{o.flat.dtype} on the {o.params[0].device}" for o in optimizer.values()}
    if len(kinds) > 1:
        raise ValueError(f"the players must share one precision and device, not {', '.join(sorted(kinds))}")
    return [Player(model, name, o) for name, o in optimizer.items()]


def kind_of(x):
    """What a value is, in words: types, and shapes of Tensors and arrays."""
    if isinstance(x, tuple):
        return "(" + ", ".join(map(kind_of, x)) + ")"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{name!r}: {kind_of(value)}" for name, value in x.items()) + "}"
    if isinstance(x, Tensor):
        return f"a Tensor of shape {x.shape}"
    return f"{x.dtype} of shape {x.shape}" if hasattr(x, "dtype") else type(x).__name__


class Losses:
    """The losses of many batches, left where they were computed until they are asked for."""

    def __init__(self):
        self.values, self.names, self.counts, self.owners = [], [], [], {}

    def add(self, player, loss, terms, count):
        """A player's loss and its terms on a batch of so many examples, Tensors of one element."""
        if player in terms:
            raise ValueError(f"a term of the {player} is called {player!r} too: give it another name")
        for name, t in {player: loss, **terms}.items():
            if self.owners.setdefault(name, player) != player:
                raise ValueError(f"{self.owners[name]} and {player} both have a term {name!r}: give them "
                                 "different names")
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
