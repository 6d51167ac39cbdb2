"""Step 8: a matrix product, and a network that learns.

One operation is missing between the engine and a neural network, the matrix product y = a b, and with it
the transposition that its rules are made of:

    dL/da = g bᵀ        dL/db = aᵀ g        (Deep Learning, section 6.5.6)

There is no need to remember which factor is transposed on which side: where the factors
are not square, only one way has shapes that fit.

The network is an old one, the 8-3-8 encoder (Ackley, Hinton & Sejnowski, 1985). Eight patterns, each with
one unit on and seven off, must pass through a code of three units and come out again. Nobody says what
the codes should be. Three units that are either low or high have 2³ = 8 settings; will it find them?
"""

# %%
import itertools
from collections import namedtuple

import numpy as np

# %% [markdown]
# ## The Tensor and its operations
# New: `@`, `matmul` and `transpose`, with their rules. The walk back below does not change at all: this is
# how every operation of tinyae comes in.

# %%
Node = namedtuple("Node", "operation inputs params number")
numbers = itertools.count()


class Tensor:
    """An array, and the record of how it was made."""

    __array_ufunc__ = None

    def __init__(self, data):
        self.data = np.asarray(data, dtype=float)
        self.node = None

    shape = property(lambda self: self.data.shape)
    __repr__ = lambda self: f"Tensor({self.data})"
    __add__ = __radd__ = lambda a, b: add(a, b)
    __mul__ = __rmul__ = lambda a, b: multiply(a, b)
    __sub__ = lambda a, b: a + -1 * b
    __rsub__ = lambda a, b: b + -1 * a
    __matmul__ = lambda a, b: matmul(a, b)
    sum = lambda self: sum_to(self, shape=())


class primitive:
    """A function of arrays made into an operation on Tensors, whose result remembers it."""

    def __init__(self, body):
        self.body = body

    def defvjp(self, *rules):
        self.rules = rules
        return self

    def __call__(self, *inputs, **params):
        inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        y = Tensor(self.body(*[x.data for x in inputs], **params))
        y.node = Node(self, inputs, params, next(numbers))
        return y


add = primitive(np.add).defvjp(lambda g, y, a, b: g, lambda g, y, a, b: g)
multiply = primitive(np.multiply).defvjp(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
tanh = primitive(np.tanh).defvjp(lambda g, y, x: g * (1 - y * y))
matmul = primitive(np.matmul).defvjp(lambda g, y, a, b: g @ transpose(b), lambda g, y, a, b: transpose(a) @ g)
transpose = primitive(np.transpose).defvjp(lambda g, y, x: transpose(g))
broadcast_to = primitive(np.broadcast_to).defvjp(lambda g, y, x, shape: sum_to(g, shape=x.shape))


@primitive
def sum_to(x, shape):
    axes = tuple(i for i in range(-x.ndim, 0) if i < -len(shape) or shape[i] == 1)
    return x.sum(axis=axes).reshape(shape)


sum_to.defvjp(lambda g, y, x, shape: broadcast_to(g, shape=x.shape))

# %% [markdown]
# ## The walk back
# As in step 7.

# %%
def history(output):
    """Every result that the output was made from, itself included, oldest first."""
    found, stack = set(), [output]
    while stack:
        t = stack.pop()
        if t.node and t not in found:
            found.add(t)
            stack.extend(t.node.inputs)
    return sorted(found, key=lambda t: t.node.number)


def grad(output, inputs):
    """d output / dx for each x of the inputs, as Tensors; the output has one element."""
    assert output.data.size == 1, f"grad needs an output of one element, not of shape {output.shape}"
    grads = {output: Tensor(np.ones(output.shape))}
    for t in reversed(history(output)):
        for rule, x in zip(t.node.operation.rules, t.node.inputs):
            gx = sum_to(rule(grads[t], t, *t.node.inputs, **t.node.params), shape=x.shape)
            grads[x] = grads[x] + gx if x in grads else gx
    return [grads.get(x, Tensor(np.zeros(x.shape))) for x in inputs]


# %% [markdown]
# ## What was shown
# The patterns are the rows of x, with 1 for on and -1 for off. The encoder is h = tanh(x W + b), the
# decoder x̂ = tanh(h V + c), and the loss half the squared error of a pattern, on average. A step of
# training moves every weight a little against its gradient. After it, the sign of each unit of the code
# says whether it is low or high.
#
# The line that moves a weight works on `.data`: a step is no part of the formula, and must not be
# remembered as one.

# %%
rng = np.random.default_rng(1)
x = Tensor(2 * np.eye(8) - 1)
weights = [Tensor(rng.normal(0, 0.5, shape)) for shape in [(8, 3), (3,), (3, 8), (8,)]]


def autoencode(x, W, b, V, c):
    h = tanh(x @ W + b)
    error = tanh(h @ V + c) - x
    return h, (error * error).sum() * (0.5 / 8)


for step in range(2001):
    h, loss = autoencode(x, *weights)
    if step % 500 == 0:
        print(f"step {step:4}  loss {loss.data:.4f}")
    for w, g in zip(weights, grad(loss, weights)):
        w.data -= 0.2 * g.data
codes = {"".join("+" if unit > 0 else "-" for unit in code) for code in h.data}
print(len(codes), "different codes for 8 patterns:", *sorted(codes))

# %% [markdown]
# ## To try
# - Other beginnings: with `default_rng(0)` it finds six codes, with 6 only four. How do two patterns come
#   to share a code, and what keeps them there? Does a smaller learning rate help, or a larger?
# - Add to the loss the square of a gradient, that of Σ h with respect to x, as in step 7. It takes two lines.
#   What becomes of the codes? (Larger networks, trained with such a penalty, are contractive autoencoders.)
