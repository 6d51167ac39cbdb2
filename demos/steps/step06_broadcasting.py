"""Step 6: broadcasting, and its adjoint.

In w·x + b of step 5, NumPy repeats the one number b to fill the shape of w·x. That repeating is an
operation like any other, even if nobody wrote it down: y = A b, with A a matrix of zeros and ones.
It is linear, so its Jacobian is A itself, and what the rule must compute is Aᵀ g. If A copies b to many
places, Aᵀ **adds up what comes back from these places**. This is step 3 again: a copy is a fork.

Two operations, each the other's transpose, or **adjoint**:

    broadcast_to(x, shape)      repeats x until it has the shape
    sum_to(x, shape)            sums x until it has the shape

The adjoint of A is what satisfies ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for every x and y. Linear operations come in
such pairs, and each is the rule of the other.
"""

# %%
import itertools
from collections import namedtuple

import numpy as np

# %% [markdown]
# ## The Tensor and its operations
# New: `broadcast_to` and `sum_to` take a shape, which is no Tensor and gets no gradient. Such things
# are called the **parameters** of an operation; the node remembers them (`params`), and the rules get
# them by name. To sum all elements is to sum to the shape of a number, (), so `sum` needs no rule now.
#
# A rule of the pair calls the other operation and takes only the array out of its result, `.data`.
# Is it not a waste to throw the rest away? Wait for the next step.

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
broadcast_to = primitive(np.broadcast_to).defvjp(lambda g, y, x, shape: sum_to(g, shape=x.shape).data)


@primitive
def sum_to(x, shape):
    axes = tuple(i for i in range(-x.ndim, 0) if i < -len(shape) or shape[i] == 1)
    return x.sum(axis=axes).reshape(shape)


sum_to.defvjp(lambda g, y, x, shape: broadcast_to(g, shape=x.shape).data)

# %% [markdown]
# ## The walk back
# New: the line with `sum_to`. NumPy broadcasts in `+` and in `*` and in whatever operation is still to
# come. One line undoes it for all of them: **a gradient has the shape of its Tensor**, so what a rule
# gives is summed to that shape. Where nothing was stretched, nothing is summed.

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
    """d output / dx for each x of the inputs; the output has one element."""
    assert output.data.size == 1, f"grad needs an output of one element, not of shape {output.shape}"
    grads = {output: np.ones(output.shape)}
    for t in reversed(history(output)):
        values = [x.data for x in t.node.inputs]
        for rule, x in zip(t.node.operation.rules, t.node.inputs):
            gx = rule(grads[t], t.data, *values, **t.node.params)
            grads[x] = grads.get(x, 0.0) + sum_to(gx, shape=x.shape).data
    return [grads.get(x, np.zeros(x.shape)) for x in inputs]


# %% [markdown]
# ## What was shown
# The two inner products of the adjoint identity, for arrays drawn at random; and the gradient of b,
# which is now one number, the sum of the three of step 5.

# %%
rng = np.random.default_rng(0)
x, y = rng.normal(size=(3, 1)), rng.normal(size=(2, 3, 4))
print("⟨A x, y⟩  =", np.sum(broadcast_to(x, shape=y.shape).data * y).round(12))
print("⟨x, Aᵀ y⟩ =", np.sum(x * sum_to(y, shape=x.shape).data).round(12))
w, x, b = Tensor([0.5, -1.0, 2.0]), Tensor([3.0, 1.0, 0.0]), Tensor(-1.0)
gw, gb = grad(tanh(w * x + b).sum(), [w, b])
print("dL/dw =", gw.round(6), " dL/db =", gb.round(6))

# %% [markdown]
# ## To try
# - The mean over the rows of an array is linear as well. What is its adjoint? Check with ⟨A x, y⟩.
# - Write `reshape` as an operation with its rule. What is the adjoint of moving elements about?
