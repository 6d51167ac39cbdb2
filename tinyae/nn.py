"""Layers: functions with parameters. A layer is called with a Tensor and gives a Tensor.

Parameters are Tensors that require gradients, found by attribute: assign one, or a module, or a
list of modules, to `self`, and it is named after that attribute ("encoder.layers.0.weight").
"""

import math

import numpy as np

from . import ops
from .autodiff import Tensor
from .backend import array_module, to_device


class Module:
    """Something with parameters. Subclasses define `__call__` (a layer) or `loss` (a model)."""

    def named_tensors(self, prefix=""):
        """(name, Tensor) for each Tensor of this module and the modules in it, each Tensor once."""
        seen = set()
        for name, value in _members(self, prefix):
            if id(value) not in seen:
                seen.add(id(value))
                yield name, value

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
        wrong = [f"{name} is missing" for name in mine if name not in state]
        wrong += [f"{name} is not in the model" for name in state if name not in mine]
        wrong += [f"{name} is {_kind(state[name])}, the model's is {_kind(t)}"
                  for name, t in mine.items() if name in state and _kind(state[name]) != _kind(t)]
        if wrong:
            raise ValueError("the state does not fit the model: " + "; ".join(wrong))
        for name, t in mine.items():  # in place: an optimiser may hold a view of the same memory
            t.data[...] = to_device(state[name], t.device)

    def to(self, device):
        """Move every Tensor to "cpu" or "gpu", and return the module. Do it before making an optimiser."""
        for _, t in self.named_tensors():
            t.data = to_device(t.data, device)
        return self


def _kind(array):
    return f"{array.dtype} of shape {array.shape}"


def _members(value, prefix):
    """Tensors in a module, a list of modules, or a Tensor itself, with their dotted names."""
    if isinstance(value, Tensor):
        yield prefix, value
    elif isinstance(value, Module):
        for name, member in vars(value).items():
            yield from _members(member, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, (list, tuple)):
        for i, member in enumerate(value):
            yield from _members(member, f"{prefix}.{i}")


def he_normal(rng, shape, fan_in, fan_out):
    """Normal with variance 2 / fan_in, which keeps the scale of activations through ReLU (He et al. 2015)."""
    return rng.standard_normal(shape, dtype=np.float32) * math.sqrt(2 / fan_in)


def glorot_uniform(rng, shape, fan_in, fan_out):
    """Uniform with variance 2 / (fan_in + fan_out), for tanh and linear layers (Glorot and Bengio 2010)."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    return rng.random(shape, dtype=np.float32) * (2 * bound) - bound


INITIALISATIONS = {"he": he_normal, "glorot": glorot_uniform}


def initial_weight(rng, shape, fan_in, fan_out, init):
    """A float32 parameter drawn by the named initialisation, on the device that rng draws on."""
    if init not in INITIALISATIONS:
        raise ValueError(f"init must be one of {sorted(INITIALISATIONS)}, not {init!r}")
    return Tensor(INITIALISATIONS[init](rng, shape, fan_in, fan_out), requires_grad=True)


class Dense(Module):
    """y = x W + b, for x of shape (N, n_in), W (n_in, n_out), b (n_out,), which starts at zero.

    init is "he" (for ReLU) or "glorot" (for tanh, sigmoid and linear layers).
    """

    def __init__(self, n_in, n_out, *, rng, init="he"):
        self.weight = initial_weight(rng, (n_in, n_out), n_in, n_out, init)
        self.bias = Tensor(array_module(self.weight.data).zeros(n_out, np.float32), requires_grad=True)

    def __call__(self, x):
        if x.ndim < 2 or x.shape[-1] != self.weight.shape[0]:
            raise ValueError(f"Dense: expected an input of shape (N, {self.weight.shape[0]}), got {x.shape}")
        return x @ self.weight + self.bias

    def __repr__(self):
        return f"Dense({self.weight.shape[0]}, {self.weight.shape[1]})"


class Sequential(Module):
    """Layers one after another. Plain functions such as `ops.relu` are layers too."""

    def __init__(self, *layers):
        for layer in layers:
            if not callable(layer):
                raise TypeError(f"Sequential: a layer must be callable, not {type(layer).__name__}")
        self.layers = layers

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def __repr__(self):
        return f"Sequential({', '.join(getattr(f, '__name__', repr(f)) for f in self.layers)})"


class Flatten(Module):
    """(N, ...) to (N, D): all axes but the first become one."""

    def __call__(self, x):
        return ops.reshape(x, shape=(x.shape[0], math.prod(x.shape[1:])))

    def __repr__(self):
        return "Flatten()"


class Reshape(Module):
    """(N, ...) to (N, *shape)."""

    def __init__(self, shape):
        self.shape = tuple(shape)

    def __call__(self, x):
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ValueError(f"Reshape: examples of shape {x.shape[1:]} do not fill {self.shape}")
        return ops.reshape(x, shape=(x.shape[0], *self.shape))

    def __repr__(self):
        return f"Reshape({self.shape})"
