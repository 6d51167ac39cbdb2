"""The Jacobian ∂f/∂x of each example.

Reverse mode gives a row of the Jacobian for one backward pass: vᵀJ for any v, and row k for v = e_k.
One pass does it for the whole batch, because examples do not mix: the gradient of Σₙ hₙₖ in xₙ is
that of hₙₖ alone. So f must treat each example by itself. BatchNorm in training mode, which does
not, has no Jacobian of each example, and what comes out for it has no such meaning.

The contractive penalty ‖∂f/∂x‖²_F, which is made of this, is in `tinyae.penalties`.
"""

import math

from . import ops
from .autodiff import Tensor, as_tensor, grad, record
from .backend import array_module

__all__ = ["jacobian"]


def jacobian(f, x, create_graph=False):
    """The Jacobian of f at each example: J[n, i..., j...] = ∂f(x)[n, i...] / ∂x[n, j...].

    f takes x (N, ...) to (N, ...), each example by itself; each entry of an example's output costs a
    backward pass. The result has shape (N, *output, *input). With create_graph it can be
    differentiated again. Raises ValueError where f does not give an output for each example.
    """
    x, h = traced(f, as_tensor(x))
    return ops.reshape(ops.stack(list(rows(h, x, create_graph)), axis=1), shape=h.shape + x.shape[1:])


def traced(f, x):
    """x, requiring a gradient, and f(x) with its history, even within `no_grad`."""
    with record():
        x = x if x.requires_grad else Tensor(x.data, requires_grad=True)
        h = f(x)
    if h.shape[:1] != x.shape[:1]:
        raise ValueError(f"jacobian: {x.shape[:1]} examples gave an output of shape {h.shape}; "
                         "expected an output for each")
    return x, h


def rows(h, x, create_graph):
    """∂hₖ/∂x in the shape of x, for each unit k of the code h, one backward pass after another."""
    xp = array_module(h.data)
    for k in range(math.prod(h.shape[1:])):
        unit = xp.zeros(h.shape[1:], h.dtype)
        unit.reshape(-1)[k] = 1
        yield grad(h, x, xp.broadcast_to(unit, h.shape), create_graph)
