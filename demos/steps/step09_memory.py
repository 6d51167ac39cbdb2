"""Step 9: remember only what is needed, only as long as it is needed.

The engine is right, but it keeps too much. A recorded result keeps its inputs alive, they keep theirs,
and so every intermediate array of a computation stays in memory until the last result of it is gone. For
training that is the price. Three things there is no need to pay for:

- **Predictions.** Nobody differentiates them. Within `with no_grad():` nothing is recorded; nor is an
  operation none of whose inputs asks for a gradient, `requires_grad`. Data do not ask, weights do, and a
  result asks if one of its inputs does.
- **Gradients of gradients.** Seldom needed: `grad` records its own computation if `create_graph=True`.
- **Gradients that have been handed on.** Once its rules have been asked, the gradient of an intermediate
  result is of no use to anyone, and its memory is free for the rest of the walk.

What is kept is given back at once, for **the graph has no cycles**: results point at inputs, never the
other way round. Python frees such objects with the last reference, without waiting for its collector.
"""

# %%
import itertools
import tracemalloc
from collections import namedtuple
from contextlib import contextmanager

import numpy as np

# %% [markdown]
# ## The Tensor and its operations
# New: `requires_grad`, which a leaf is given and a result inherits; `recording`, the switch, with
# `no_grad` to turn it off for the length of a `with` (a stack of switches, since one `with` may stand within
# another); and the condition in `__call__`.

# %%
Node = namedtuple("Node", "operation inputs params number")
numbers = itertools.count()
recording = [True]


class Tensor:
    """An array, and the record of how it was made."""

    __array_ufunc__ = None

    def __init__(self, data, requires_grad=False):
        self.data = np.asarray(data, dtype=float)
        self.requires_grad = requires_grad
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
        if recording[-1] and any(x.requires_grad for x in inputs):
            y.requires_grad, y.node = True, Node(self, inputs, params, next(numbers))
        return y


@contextmanager
def no_grad(off=True):
    """A context in which results do not remember how they were made."""
    recording.append(not off)
    try:
        yield
    finally:
        recording.pop()


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
# New: rules are asked only for inputs that require a gradient, and are recorded only with `create_graph`.
# `pop` takes a gradient out of `grads` as its rules are asked, unless it is one of those wanted.

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


def grad(output, inputs, create_graph=False):
    """d output / dx for each x of the inputs, as Tensors; the output has one element."""
    assert output.data.size == 1, f"grad needs an output of one element, not of shape {output.shape}"
    grads = {output: Tensor(np.ones(output.shape))}
    with no_grad(not create_graph):
        for t in reversed(history(output)):
            g = grads[t] if t in inputs else grads.pop(t)
            for rule, x in zip(t.node.operation.rules, t.node.inputs):
                if x.requires_grad:
                    gx = sum_to(rule(g, t, *t.node.inputs, **t.node.params), shape=x.shape)
                    grads[x] = grads[x] + gx if x in grads else gx
    return [grads.get(x, Tensor(np.zeros(x.shape))) for x in inputs]


# %% [markdown]
# ## What was shown
# A chain of 100 tanh over an array of 0.8 MB. Without recording, the memory in use after it is that of one
# result. Recorded, it is that of all, 80 MB. The gradients on the way back would take as much again if
# they were kept; as it is they take a few arrays, however long the chain.

# %%
x = Tensor(np.linspace(-1, 1, 100_000), requires_grad=True)
tracemalloc.start()
for off, y in ((True, x), (False, x)):
    with no_grad(off):
        for _ in range(100):
            y = tanh(y)
    print(f"no_grad({off}): {tracemalloc.get_traced_memory()[0] / 1e6:.1f} MB in use after 100 operations")
grad(y.sum(), [x])
print(f"with the way back: {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB at most")

# %% [markdown]
# ## To try
# - Put `grads[t]` in place of the line with `pop`. What does the way back take then? What with
#   `create_graph=True`?
# - `import gc` and `gc.disable()` at the top: no collector runs any more. Build and drop the chain in a
#   loop, and watch the memory. Then give each Tensor a list of what was made from it, and watch again.
