"""Step 5: arrays in place of numbers.

A million numbers, each an object with a node, would be slow. Let a Tensor hold an array, and let one
operation treat all of its elements at once. What becomes of the derivative? For y = f(x) with arrays x
and y it is a matrix, the **Jacobian**, ∂yᵢ/∂xⱼ: one entry for each pair of an output and an input. The
chain rule for one number L at the end is

    dL/dxⱼ = Σᵢ dL/dyᵢ · ∂yᵢ/∂xⱼ        or        gₓ = Jᵀ g

a **vector-Jacobian product** (Deep Learning, equation 6.46), which is where the "vjp" in `defvjp` comes
from. A rule computes the product and never builds J. For an operation on each element by itself J is
diagonal, and the product is one multiplication per element: **the rules stay as they are, letter for
letter.**
"""

# %%
import itertools
from collections import namedtuple

import numpy as np

# %% [markdown]
# ## The Tensor and its operations
# New: `data` is a NumPy array of floats (and `__array_ufunc__ = None` asks NumPy to leave array + Tensor
# to us). There is a first operation that is not elementwise, `sum`, which makes one number of many. Each
# element counts once in it, so J is a row of ones, and Jᵀ g is g for every element.

# %%
Node = namedtuple("Node", "operation inputs number")
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
    sum = lambda self: sum(self)


class primitive:
    """A function of arrays made into an operation on Tensors, whose result remembers it."""

    def __init__(self, body):
        self.body = body

    def defvjp(self, *rules):
        self.rules = rules
        return self

    def __call__(self, *inputs):
        inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        y = Tensor(self.body(*[x.data for x in inputs]))
        y.node = Node(self, inputs, next(numbers))
        return y


add = primitive(np.add).defvjp(lambda g, y, a, b: g, lambda g, y, a, b: g)
multiply = primitive(np.multiply).defvjp(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
tanh = primitive(np.tanh).defvjp(lambda g, y, x: g * (1 - y * y))
sum = primitive(np.sum).defvjp(lambda g, y, x: g * np.ones_like(x))


# %% [markdown]
# ## The walk back
# New: it begins with an array that holds a 1, and the empty sum is an array of zeros. The output must
# be a single number: an array has no gradient, only a Jacobian.

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
            grads[x] = grads.get(x, 0.0) + rule(grads[t], t.data, *values)
    return [grads.get(x, np.zeros(x.shape)) for x in inputs]


# %% [markdown]
# ## What was shown
# L = Σ tanh(wᵢ·xᵢ + b). The gradient of w has w's shape, and its entries are those that step 4 gives
# for each element by itself: (1 - tanh²(wᵢ·xᵢ + b))·xᵢ.
#
# Another flaw shows: b is one number, which NumPy stretches over all three elements, and what comes
# back for it is three numbers. The next step is about them.

# %%
w, x, b = Tensor([0.5, -1.0, 2.0]), Tensor([3.0, 1.0, 0.0]), Tensor(-1.0)
L = tanh(w * x + b).sum()
gw, gb = grad(L, [w, b])
print("L =", L.data.round(6), " dL/dw =", gw.round(6))
print("by the formula      dL/dw =", ((1 - np.tanh(w.data * x.data + b.data) ** 2) * x.data).round(6))
print("b has the shape", b.shape, "but its gradient the shape", gb.shape)

# %% [markdown]
# ## To try
# - What should dL/db be, given the three numbers that came? (Think of step 3: how often is b used?)
# - Write the operation `exp` with its rule, and then a function sinh x = (eˣ - e⁻ˣ) / 2. Does it need a
#   rule of its own?
