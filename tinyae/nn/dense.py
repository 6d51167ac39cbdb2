"""Dense layers, and layers in a row."""

import math
from itertools import pairwise

from .. import ops
from .initial import initial_bias, initial_weight
from .module import Module


class Dense(Module):
    """y = x W + b, for x of shape (N, n_in), W (n_in, n_out), b (n_out,), which starts at zero.

    init is "he" (for ReLU) or "glorot" (for tanh, sigmoid and linear layers).
    """

    def __init__(self, n_in, n_out, *, rng, init="he"):
        self.weight = initial_weight(rng, (n_in, n_out), n_in, n_out, init)
        self.bias = initial_bias(self.weight, n_out)

    def __call__(self, x):
        return _affine(self, x, self.weight)

    def __repr__(self):
        return f"Dense({self.weight.shape[0]}, {self.weight.shape[1]})"


def _affine(layer, x, weight):
    """x W + b with the layer's bias, for x of shape (N, n_in)."""
    if x.ndim != 2 or x.shape[1] != weight.shape[0]:
        raise ValueError(f"{type(layer).__name__}: expected an input of shape (N, {weight.shape[0]}), "
                         f"got {x.shape}")
    return ops.affine(x, weight, layer.bias)


class Tied(Module):
    """y = x Wᵀ + b with the weight W of a Dense and a bias of its own: its mirror image in a decoder.

    The two share one parameter, whose gradient is the sum over both uses.
    """

    def __init__(self, dense):
        self.weight = dense.weight
        self.bias = initial_bias(self.weight, self.weight.shape[0])

    def __call__(self, x):
        return _affine(self, x, self.weight.T)

    def __repr__(self):
        return f"Tied({self.weight.shape[1]}, {self.weight.shape[0]})"


class Sequential(Module):
    """Layers one after another. Plain functions such as `ops.relu` are layers too.

    It is a sequence of them: `net[0]` is the first, `net[:2]` a Sequential of two, `len(net)` their number.
    """

    def __init__(self, *layers):
        for layer in layers:
            if not callable(layer):
                raise TypeError(f"Sequential: a layer must be callable, not {type(layer).__name__}")
        self.layers = layers

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self):
        return len(self.layers)

    def __getitem__(self, index):
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __repr__(self):
        return f"Sequential({', '.join(getattr(f, '__name__', repr(f)) for f in self.layers)})"


def mlp(*widths, rng, activation=ops.relu, output=None):
    """A multilayer perceptron: dense layers from each width to the next, with the activation between them.

        mlp((28, 28, 1), 256, 2, rng=rng)                          an encoder of images
        mlp(2, 256, (28, 28, 1), rng=rng, output=ops.sigmoid)      its mirror image, a decoder

    widths      at least two; the first and the last may be the shape of an example, a tuple, whose axes
                then become one, or come back
    output      what follows the last layer, if anything

    Weights begin as "he" before a ReLU, and as "glorot" elsewhere.
    """
    if len(widths) < 2:
        raise ValueError(f"mlp: expected at least two widths, from input to output, got {widths}")
    shapes = [isinstance(w, tuple) for w in widths]
    if any(shapes[1:-1]) or any(isinstance(w, list) for w in widths):
        raise ValueError("mlp: widths must be numbers, but for tuples, the shape of an example, "
                         f"as the first or the last, not {widths}")
    sizes = [math.prod(w) if is_shape else w for w, is_shape in zip(widths, shapes)]
    layers = [Flatten()] if shapes[0] else []
    hidden = "he" if activation in (ops.relu, ops.leaky_relu) else "glorot"
    for n_in, n_out in pairwise(sizes[:-1]):
        layers += [Dense(n_in, n_out, rng=rng, init=hidden), activation]
    layers.append(Dense(*sizes[-2:], rng=rng, init="glorot"))
    if output is not None:
        layers.append(output)
    if shapes[-1]:
        layers.append(Reshape(widths[-1]))
    return Sequential(*layers)


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
