"""Step 4: the order of the walk.

Step 3 sent each share on as soon as it came. If a Tensor instead waits until all of its shares have
arrived, it hands on their sum, once, and every edge of the graph is walked a single time: the cost of
all gradients is about that of computing L, however many paths there are.

So each Tensor must come after everything that was computed from it. Such an order is called
**topological**, and we get it for nothing: **a result is always made after its inputs.** Number the
nodes as they are made, and walk from the highest number to the lowest.
"""

# %%
import itertools
import math
import operator
from collections import namedtuple

# %% [markdown]
# ## The Tensor and its operations
# New: a node has a `number`, and `numbers` counts them. The rest is as in step 3.

# %%
Node = namedtuple("Node", "operation inputs number")
numbers = itertools.count()


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
        y.node = Node(self, inputs, next(numbers))
        return y


add = primitive(operator.add).defvjp(lambda g, y, a, b: g, lambda g, y, a, b: g)
multiply = primitive(operator.mul).defvjp(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
tanh = primitive(math.tanh).defvjp(lambda g, y, x: g * (1 - y * y))


# %% [markdown]
# ## First find, then walk
# New: `history` collects every result behind the output, each once, and sorts them by number. It
# keeps a stack of its own in place of calling itself, so a graph may be deeper than Python's calls.
#
# The walk is then a plain loop over them from the newest to the oldest. When it comes to t, all that
# was made from t lies behind us, so `grads[t]` is complete.

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
    """d output / dx for each x of the inputs."""
    grads = {output: 1.0}
    for t in reversed(history(output)):
        values = [x.data for x in t.node.inputs]
        for rule, x in zip(t.node.operation.rules, t.node.inputs):
            grads[x] = grads.get(x, 0.0) + rule(grads[t], t.data, *values)
    return [grads.get(x, 0.0) for x in inputs]


# %% [markdown]
# ## What was shown
# The same doublings as in step 3, now with two calls for each addition. And a chain of ten thousand
# operations, y = x·(1 + 1/n)ⁿ with n = 10,000, whose derivative is nearly e = 2.71828...

# %%
calls = []


def counted(g):
    calls.append(g)
    return g


count_add = primitive(operator.add)
count_add.defvjp(lambda g, y, a, b: counted(g), lambda g, y, a, b: counted(g))
x = y = z = Tensor(3.0)
for _ in range(10):
    y = count_add(y, y)
print("x doubled ten times: derivative", *grad(y, [x]), "from", len(calls), "calls of a rule")
for _ in range(10_000):
    z = z * (1 + 1 / 10_000)
print("through 10,000 operations: derivative", *[round(g, 5) for g in grad(z, [x])])

# %% [markdown]
# ## To try
# - Leave `reversed` out. What goes wrong first?
# - Sort by distance from the output, nearest first, in place of the number. Find a small graph for which
#   that gives a wrong gradient.
