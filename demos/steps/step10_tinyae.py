"""Step 10: the same, in tinyae.

The engine of step 9 is tinyae's, with its names and in its shape. This file writes no engine: it imports
both and runs the same programs on each, the network of step 8 among them. If they are the same, so are
all the numbers: values, gradients, gradients of gradients, and the loss after a hundred steps of training.

It needs tinyae to be installed, as the README's quick start does it.
"""

# %%
import contextlib
import io

import numpy as np

import tinyae

with contextlib.redirect_stdout(io.StringIO()):  # step 9 prints what it shows when it is imported
    from demos.steps import step09_memory as step9

# %% [markdown]
# ## Where to find each step
# The name on the left is step 9's; the file on the right is where tinyae has it.
#
#     Tensor, Node                 autodiff.py       its operators in operators.py
#     primitive, defvjp            autodiff.py       the rules on lines of their own
#     no_grad                      autodiff.py       in each thread by itself
#     history, grad                autodiff.py       and backward(), which is grad for all leaves
#     add, sum_to, broadcast_to    autodiff.py       those that the engine itself uses
#     multiply, tanh, ...          ops/elementwise.py
#     transpose, ...               ops/shape.py      each with its adjoint beside it
#     matmul                       ops/matmul.py
#
# What tinyae has beyond it is no new idea but care: arrays on a GPU, float32, integers, a gradient computed
# only for what lies between the output and the inputs asked for, `grad_output` for outputs of any shape,
# and errors that say what was expected and what came. And operations: convolution is one as well.

# %% [markdown]
# ## One program for both engines
# An engine is `Tensor`, `grad`, `no_grad` and `tanh` here, and all else is in the operators. The program is
# given one, and what it returns is compared.

# %%
SHAPES = [(8, 3), (3,), (3, 8), (8,)]


def autoencode(tanh, x, W, b, V, c):
    h = tanh(x @ W + b)
    error = tanh(h @ V + c) - x
    return h, (error * error).sum() * (0.5 / 8)


def program(Tensor, grad, no_grad, tanh):
    """What the network computes, by name, each a list of Tensors."""
    rng = np.random.default_rng(1)
    x = Tensor(2 * np.eye(8) - 1)
    weights = [Tensor(rng.normal(0, 0.5, shape), requires_grad=True) for shape in SHAPES]
    h, loss = autoencode(tanh, x, *weights)
    gradients = grad(loss, weights, create_graph=True)
    size = sum((g * g).sum() for g in gradients)
    result = {"values": [h, loss], "gradients": gradients, "second order": grad(size, weights)}
    for _ in range(100):
        for w, g in zip(weights, grad(autoencode(tanh, x, *weights)[1], weights)):
            w.data -= 0.2 * g.data
    with no_grad():
        result["after training"] = [*weights, *autoencode(tanh, x, *weights)]
    return result


# %% [markdown]
# ## What was shown
# For each part of the program, how many numbers it is and by how much the two engines differ at most. A
# difference near 10⁻¹⁶ is a sum whose terms were added in another order.

# %%
ours = program(step9.Tensor, step9.grad, step9.no_grad, step9.tanh)
theirs = program(tinyae.Tensor, tinyae.grad, tinyae.no_grad, tinyae.ops.tanh)
for part in ours:
    pairs = [(a.data, b.data) for a, b in zip(ours[part], theirs[part], strict=True)]
    count, difference = sum(a.size for a, _ in pairs), max(np.abs(a - b).max() for a, b in pairs)
    print(f"{part:15} {count:3} numbers, largest difference {difference:.0e}")
print("loss before and after:", ours["values"][-1].data.round(4), theirs["after training"][-1].data.round(4))

# %% [markdown]
# ## To try
# - Read `tinyae/autodiff.py` from top to bottom. Which lines have no counterpart in step 9, and what would
#   go wrong without them?
# - Give `program` the function `tinyae.ops.softplus` in place of tanh. Step 9 has none: write it there as a
#   primitive, with a rule made of operations, so that all numbers are the same again. Its derivative, the
#   sigmoid, is (1 + tanh(x/2)) / 2.
