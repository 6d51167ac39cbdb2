"""Step 2: the chain rule, backwards.

If L depends on u, and u on x, then

    dL/dx = dL/du · du/dx

(Goodfellow, Bengio & Courville, Deep Learning, section 6.5.2). Read it as a recipe for walking back
through the graph of step 1. Say that we have arrived at u and know g = dL/du. The operation that
made u knows du/dx, for that is calculus of one line. Their product is dL/dx, and with it we stand
at x, one operation further back, and go on.

It begins at L itself, with dL/dL = 1. **Each operation needs to know its own derivative only.**
"""

# %%
import math
import operator
from collections import namedtuple

# %% [markdown]
# ## A Tensor is a value and a node
# As in step 1.

# %%
Node = namedtuple("Node", "operation inputs")


class Tensor:
    """A number, and the record of how it was made."""

    def __init__(self, data):
        self.data = data
        self.node = None

    __repr__ = lambda self: f"Tensor({self.data})"
    __add__ = __radd__ = lambda a, b: add(a, b)
    __mul__ = __rmul__ = lambda a, b: multiply(a, b)
    __sub__ = lambda a, b: a + -1 * b
    __rsub__ = lambda a, b: b + -1 * a


# %% [markdown]
# ## An operation has a rule for each of its inputs
# New: `defvjp` gives an operation its **rules**. A rule is told g = dL/dy, where y is the result of
# the operation, then y itself, then the inputs. It answers with dL/d(input) = g · dy/d(input):
#
#     y = a + b       dy/da = 1          dy/db = 1
#     y = a·b         dy/da = b          dy/db = a
#     y = tanh x      dy/dx = 1 - y²
#
# The last shows why a rule is told y: the derivative of tanh is cheapest from its value. (Why "vjp"?
# Step 5 tells.)

# %%
class primitive:
    """A function of numbers made into an operation on Tensors, whose result remembers it."""

    def __init__(self, body):
        self.body = body

    def defvjp(self, *rules):
        self.rules = rules
        return self

    def __call__(self, *inputs):
        inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        y = Tensor(self.body(*[x.data for x in inputs]))
        y.node = Node(self, inputs)
        return y


add = primitive(operator.add).defvjp(lambda g, y, a, b: g, lambda g, y, a, b: g)
multiply = primitive(operator.mul).defvjp(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
tanh = primitive(math.tanh).defvjp(lambda g, y, x: g * (1 - y * y))


# %% [markdown]
# ## The walk back
# New: `send` hands a Tensor its g, asks the rules for the g of each input, and sends those on. One
# walk from L gives its derivative with respect to everything behind it. That is why one goes
# **backwards**: forwards, each of a million weights would need a walk of its own.

# %%
def grad(output, inputs):
    """d output / dx for each x of the inputs."""
    grads = {}

    def send(t, g):
        grads[t] = g
        if t.node:
            values = [x.data for x in t.node.inputs]
            for rule, x in zip(t.node.operation.rules, t.node.inputs):
                send(x, rule(g, t.data, *values))

    send(output, 1.0)
    return [grads[x] for x in inputs]


# %% [markdown]
# ## What was shown
# There is a way to find a derivative that needs no rules, and so can check them: move the input a
# little, and see what the output does, (f(x + h) - f(x - h)) / 2h.

# %%
def L(w, x, b):
    return tanh(w * x + b)


w, x, b = Tensor(0.5), Tensor(3.0), Tensor(-1.0)
h = 1e-6
moved = (L(w.data + h, x.data, b.data).data - L(w.data - h, x.data, b.data).data) / (2 * h)
print("dL/dw, dL/dx, dL/db =", *[round(g, 6) for g in grad(L(w, x, b), [w, x, b])])
print("dL/dw by moving w   =", round(moved, 6))

# %% [markdown]
# ## To try
# - Give the engine the exponential: `exp = primitive(math.exp)`, and its rule in one line. Check it
#   by moving the input.
# - What is `grad(x * x, [x])`? What should it be? The next step is about the difference.
