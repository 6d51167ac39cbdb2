"""Forensics: where a number that is not finite came from.

The graph behind a loss holds every value on the way to it, oldest first, so the first one that is NaN
or infinite names the operation that made it. A gradient has such a graph too, if it is asked for.
"""

import math

from .autodiff import grad, history
from .backend import array_module


def check_held_out(losses, epoch):
    """Raise FloatingPointError where a held-out loss is not finite, which the training need not have seen."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise FloatingPointError(f"held out, {name} became {value} after epoch {epoch}")


def of_loss(model, player, loss, where):
    """The error for a loss that is not finite."""
    return FloatingPointError(f"the {player.method} became {loss.item()} in {where}; {_blame(model, loss)}")


def of_step(model, player, loss, where, error):
    """The error for a step that the player's optimiser has refused with a NotFinite."""
    parameter = player.optimizer.params[error.index]
    name = next((name for name, p in model.named_parameters() if p is parameter), f"parameter {error.index}")
    if not error.gradient:
        return FloatingPointError(f"the gradient of {name} became too large in {where}: {error}")
    g = grad(loss, parameter, create_graph=True)
    return FloatingPointError(f"the gradient of {name} stopped being finite in {where}; {_blame(model, g)}")


def first_nonfinite(result):
    """The first Tensor on the way to the result, itself included, that holds a NaN or infinity; or None."""
    return next((t for t in history(result) if not array_module(t.data).isfinite(t.data).all()), None)


def _blame(model, result):
    """The first value on the way to the result that is not finite, in words."""
    culprit = first_nonfinite(result)
    if culprit is None:
        return "computed again it is finite, so its operations do not give the same result each time"
    if culprit.node is not None:
        shapes = ", ".join(str(getattr(x, "shape", x)) for x in culprit.node.inputs)
        return f"the first operation to give such a value was {culprit.node.operation.__name__}({shapes})"
    for name, parameter in model.named_parameters():
        if parameter is culprit:
            return f"the parameter {name} held such a value before"
    return f"the data held such a value before (shape {culprit.shape})"
