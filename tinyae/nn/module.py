"""Module: something with parameters, which it finds, names, saves and moves.

Parameters are Tensors that require gradients, found by attribute: assign one, or a module, or a
list or dict of modules, to `self`, and it is named after that attribute ("encoder.layers.0.weight").
Tensors that do not require gradients, such as running statistics, are saved with them but not
trained.
"""

import numpy as np

from ..autodiff import Tensor, changed
from ..backend import to_device
from ..state import check_fit, kinds


class Module:
    """Something with parameters. Subclasses define `__call__` (a layer) or `loss` (a model).

    A module is in evaluation mode until `train` is called, which matters to the layers that behave
    otherwise in training (`Dropout`, `BatchNorm`). `training.fit` switches to and fro.
    """

    training_rng = None  # in training mode, the generator that the layers draw from

    def __repr__(self):
        parts = ", ".join(f"{name}={part!r}" for name, part in vars(self).items() if isinstance(part, Module))
        return f"{type(self).__name__}({parts})"

    def train(self, rng):
        """Enter training mode, in which layers that need randomness draw it from rng."""
        for module in self.modules():
            module.training_rng = rng
        return self

    def eval(self):
        """Enter evaluation mode, in which nothing is random and nothing is learned."""
        return self.train(None)

    def check_examples(self, *batch):
        """Raise ValueError for examples that the model is not for: `fit` asks once, of the first thousand."""

    def modules(self):
        """This module and every module in it, each once."""
        return (module for _, module in _members(self, Module))

    def named_tensors(self):
        """(name, Tensor) for each Tensor of this module and the modules in it, each Tensor once."""
        return ((name, t) for name, t in _members(self, Tensor))

    def named_parameters(self):
        """(name, Tensor) for each Tensor that requires a gradient."""
        return ((name, t) for name, t in self.named_tensors() if t.requires_grad)

    def parameters(self):
        """The Tensors to be trained, as a list."""
        return [t for _, t in self.named_parameters()]

    def state_dict(self):
        """Every Tensor's values by name, as copies in NumPy arrays."""
        return {name: np.array(t.numpy()) for name, t in self.named_tensors()}

    def load_state_dict(self, state):
        """Take the values from what `state_dict` gave.

        Raises ValueError that lists every name, shape or precision that does not fit, and then
        changes nothing.
        """
        mine = dict(self.named_tensors())
        check_fit(kinds(state), kinds(mine), "model")
        for name, t in mine.items():  # in place: an optimiser may hold a view of the same memory
            t.data[...] = to_device(state[name], t.device)
        changed(*mine.values())

    def to(self, device):
        """Move every Tensor to "cpu" or "gpu", and return the module. Do it before making an optimiser."""
        for _, t in self.named_tensors():
            t.data = to_device(t.data, device)
        return self


def _members(module, kind):
    """(dotted name, object) for every object of a kind in a module, itself included, each once."""
    stack, seen = [("", module)], set()
    while stack:
        prefix, value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, kind):
            yield prefix, value
        inside = ()
        if isinstance(value, Module):
            inside = vars(value).items()
        elif isinstance(value, dict):
            inside = value.items()
        elif isinstance(value, (list, tuple)):
            inside = enumerate(value)
        stack.extend((f"{prefix}.{name}" if prefix else str(name), v) for name, v in reversed([*inside]))
