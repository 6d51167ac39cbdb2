"""Step 1: a number that remembers how it was made.

You compute L = tanh(w·x + b) and get a number. Python forgets at once where it came from. To
differentiate L later, we need what was forgotten: which operations were applied, and to what. So we
put each number into an object that remembers.

There is no calculus in this step. It is one idea in forty lines: **a result points back at what it
was made from.** Nine more steps of this size lead from here to the engine of tinyae.

The files are notebooks as well: an editor that knows `# %%` cells shows them as such. Each is whole
and runs by itself, and repeats what the steps before it have built.
"""

# %%
import math
import operator
from collections import namedtuple

# %% [markdown]
# ## A Tensor is a value and a node
# `data` is the value, and `node` says how it was made: which operation, applied to which inputs. A
# number that you type in was not made by any operation; its `node` is None, and it is called a
# **leaf**. The class is named Tensor from the first, although until step 5 it holds one number:
# that is what it will become.
#
# The operators +, - and · are here so that a formula looks like a formula. There is no need to teach
# subtraction to anything: a - b = a + (-1)·b.

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
# ## An operation computes, and writes down that it did
# Any function of numbers can become an operation. Its **body** is the function itself, and sees
# plain numbers. Around it, `__call__` takes the numbers out of the Tensors, puts the result into a
# new one, and gives it the node. That line remembers, and it is the only one.
#
# An operation which others are made of is called a **primitive**. (The class has a small letter because it
# is used like a function: `tanh = primitive(math.tanh)`.)

# %%
class primitive:
    """A function of numbers made into an operation on Tensors, whose result remembers it."""

    def __init__(self, body):
        self.body = body

    def __call__(self, *inputs):
        inputs = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        y = Tensor(self.body(*[x.data for x in inputs]))
        y.node = Node(self, inputs)
        return y


add = primitive(operator.add)
multiply = primitive(operator.mul)
tanh = primitive(math.tanh)

# %% [markdown]
# ## What was shown
# Start from the result and follow the nodes: the whole formula is still there, numbers included. It
# is a tree here, with L at its root and the leaves w, x and b. In general it is called the **graph**.

# %%
def formula(t):
    """How t was made, written out."""
    if t.node is None:
        return str(t.data)
    return f"{t.node.operation.body.__name__}({', '.join(formula(x) for x in t.node.inputs)})"


w, x, b = Tensor(0.5), Tensor(3.0), Tensor(-1.0)
L = tanh(w * x + b)
print("L =", L.data)
print("L was made as", formula(L))
print("its last operation was", L.node.operation.body.__name__, "of", L.node.inputs[0].data)

# %% [markdown]
# ## To try
# - What does `formula` print for `w - x`, and why?
# - Put `x = x * x` in a loop of five rounds. How many multiplications are in the graph, and how many in
#   the formula? Keep the answer in mind: step 3 stumbles over the difference.
