"""Step 3: a graph with a fork.

The walk of step 2 says that the derivative of x·x at 3 is 3. It is 6. The number x is used twice
there, so it moves L in two ways, and what counts is both together:

    dL/dx = Σ dL/dyᵢ · dyᵢ/dx        over everything, yᵢ, that was computed from x

(Deep Learning, equation 6.45). **Where the way forward forks, the gradients on the way back add up.**
In the code that is one changed line; most mistakes in hand-written gradients are this line forgotten.
"""

# %%
import math
import operator
from collections import namedtuple

# %% [markdown]
# ## The Tensor and its operations
# As in step 2.

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
# ## Shares add up
# New: what arrives at a Tensor is a **share** of its gradient, and is added to what came before. A
# Tensor at which nothing arrives does not move the output: its gradient is the empty sum, 0.

# %%
def grad(output, inputs):
    """d output / dx for each x of the inputs."""
    grads = {}

    def send(t, g):
        grads[t] = grads.get(t, 0.0) + g
        if t.node:
            values = [x.data for x in t.node.inputs]
            for rule, x in zip(t.node.operation.rules, t.node.inputs):
                send(x, rule(g, t.data, *values))

    send(output, 1.0)
    return [grads.get(x, 0.0) for x in inputs]


# %% [markdown]
# ## What was shown
# d(x·x + x)/dx = 2x + 1, which is 7 at x = 3.
#
# Now a flaw. Each share is sent on by itself, all the way to the leaves, so the walk takes every
# **path** from the output to x. Double a number ten times, y = x + x, z = y + y, ..., and the paths
# double as well. An addition that counts how often its rules are asked shows it.

# %%
calls = []


def counted(g):
    calls.append(g)
    return g


count_add = primitive(operator.add)
count_add.defvjp(lambda g, y, a, b: counted(g), lambda g, y, a, b: counted(g))
x = y = Tensor(3.0)
print("d(x·x + x)/dx at 3 =", *grad(x * x + x, [x]))
for _ in range(10):
    y = count_add(y, y)
print("x doubled ten times: derivative", *grad(y, [x]), "from", len(calls), "calls of a rule")

# %% [markdown]
# ## To try
# - Ten additions, two rules each: 20 calls would be enough. Where do the others come from? Draw the
#   graph for three doublings and write at each edge how often it is walked.
# - Add 1 to x two thousand times in a loop, and take the gradient. What does Python say?
