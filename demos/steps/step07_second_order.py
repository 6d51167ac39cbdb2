"""Step 7: rules made of operations, so that second order comes by itself.

The rules compute with arrays, so a gradient is an array: a number without a past, as in the world
before step 1. But look at a rule, `g * (1 - y * y)`. It does not say that g and y are arrays. Give it
Tensors, and the same line computes with Tensors, **whose results remember how they were made**. The
gradient is then a result like any other, with a graph behind it, and can be differentiated in turn:

    f = tanh x        f' = 1 - f²        f'' = -2 f f'        f''' = 4 f² f' - 2 f'²

Nothing is added to the engine in this step. Something is taken away: every `.data` in the walk. (A graph
behind each gradient costs memory, and is seldom wanted. In tinyae it is there for who asks for it with
`create_graph=True`; step 9 brings that in.)
"""

# %%
import itertools
from collections import namedtuple

import numpy as np

# %% [markdown]
# ## The Tensor and its operations
# New: the rules of `broadcast_to` and `sum_to` call each other, and no longer take the array out.
# That is why these two had to be operations with rules, and not a few lines of NumPy in the engine.

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
broadcast_to = primitive(np.broadcast_to).defvjp(lambda g, y, x, shape: sum_to(g, shape=x.shape))


@primitive
def sum_to(x, shape):
    axes = tuple(i for i in range(-x.ndim, 0) if i < -len(shape) or shape[i] == 1)
    return x.sum(axis=axes).reshape(shape)


sum_to.defvjp(lambda g, y, x, shape: broadcast_to(g, shape=x.shape))

# %% [markdown]
# ## The walk back
# New: `grads` holds Tensors, and the rules are handed the Tensors t and its inputs themselves, not
# their arrays. A first share is stored, and only a second one added to it: each sum would be one more
# operation in the graph of the gradient.

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
# Three derivatives of tanh at two places, each the gradient of the sum of the one before, and beside
# them the formulas of the head of this file. The last line counts the results in each graph: the higher the
# order, the longer the way.

# %%
x = Tensor([0.5, -1.0])
f = tanh(x)
first, = grad(f.sum(), [x])
second, = grad(first.sum(), [x])
third, = grad(second.sum(), [x])
y = np.tanh(x.data)
formulas = [1 - y**2, -2 * y * (1 - y**2), 4 * y**2 * (1 - y**2) - 2 * (1 - y**2) ** 2]
for name, g, formula in zip(["f'", "f''", "f'''"], [first, second, third], formulas):
    print(f"{name:5} {g.data.round(9)}   by the formula {formula.round(9)}")
print("results behind f, f', f'', f''':", *[len(history(t)) for t in (f, first, second, third)])

# %% [markdown]
# ## To try
# - A penalty on the size of a gradient, P = Σ (dL/dx)², as in a contractive autoencoder, has a
#   gradient of its own with respect to the weights. Compute it for L = Σ tanh(w·x), and check an entry by
#   moving w.
# - Write the operation `sin` with the rule `g * np.cos(x)`. What goes wrong, and what must take its place?
