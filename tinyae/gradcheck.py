"""The gradient check: the engine's derivatives against finite differences, first and second order.

A derivative can be had without any rule, from the function alone, by the central difference

    df/dx ≈ (f(x + h) - f(x - h)) / 2h

(Deep Learning, section 11.6). It is slow, one pair of evaluations for every entry, and good to
about ten digits in float64, which is plenty to tell a right rule from a wrong one.
"""

import numpy as np

from . import ops
from .autodiff import Tensor, grad
from .backend import to_device

__all__ = ["GradientError", "NotDifferentiable", "gradcheck"]

TOLERANCE = 1e-5  # on the relative error; a wrong rule is seldom right to five digits
STEP = 1e-6  # near the cube root of float64's precision, where rounding and curvature errors balance


class GradientError(AssertionError):
    """A derivative that finite differences do not confirm.

    order       1 for a gradient, 2 for the derivative of a gradient, ...
    input       the number of the input that it belongs to
    expected    what the differences give, an array of the input's shape
    got         what the engine gives
    wrong       where the two disagree, a boolean array
    """

    def __init__(self, message, order, input, expected, got, wrong):
        super().__init__(message)
        self.order, self.input = order, input
        self.expected, self.got, self.wrong = expected, got, wrong


class NotDifferentiable(GradientError):
    """The function has a kink or a jump within a step of the point, so differences can decide nothing."""


def gradcheck(f, inputs, order=2):
    """Check the engine's derivatives of f at the inputs, in float64, every entry of every input.

    f           a function of as many Tensors as there are inputs, giving a Tensor or several
    inputs      an array or Tensor for each argument of f; their values are copied
    order       2 checks the gradient and the gradient's own derivative, 1 only the gradient

    Outputs y of any shape are made one number, Σ v y, by fixed random weights v (a report on a
    single number has v divided out). The second order checks the function (x, v) → d(Σ v y)/dx in
    the same way, and so every rule's rule.

    Returns the worst relative error. Raises GradientError with the worst entries where the engine
    is wrong, NotDifferentiable where the point is at fault, and ValueError where f is not finite
    there, gives two answers to one question (a random generator inside f, say) or changes an input.
    """
    tensors = [Tensor(x) for x in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]
    if not tensors or order < 1:
        raise ValueError(f"gradcheck needs an input and an order of at least 1, "
                         f"not {len(tensors)} inputs and order {order}")
    arrays = [t.data.astype(np.float64) for t in tensors]
    return _check(f, arrays, [f"input {i}" for i in range(len(arrays))], order, 1)


def _check(f, arrays, names, order, level):
    rng = np.random.default_rng(level)  # not the weights of the level below, which are inputs here
    before = [a.copy() for a in arrays]
    outputs = [_values(f, arrays), _values(f, arrays)]
    if not all(np.isfinite(a).all() for a in outputs[0]):
        raise ValueError("gradcheck: f is NaN or infinite at the inputs")
    for name, a, b in zip(names, arrays, before):
        if (a != b).any():
            raise ValueError(f"gradcheck: f changes {name} in place; the body of a primitive must leave its "
                             "arrays as they are and return a new one")
    if any((a != b).any() for a, b in zip(*outputs)):
        raise ValueError("gradcheck: f gives different values for the same inputs; fix its randomness")
    weights = [rng.standard_normal(y.shape) for y in outputs[0]]
    # Rounding in Σ v y, divided by the step, is as near as differences can come.
    magnitude = sum(np.abs(v * y).sum() for v, y in zip(weights, outputs[0]))
    noise = 1e-14 * magnitude / STEP + 1e-9

    xs = [Tensor(a, requires_grad=True) for a in arrays]
    vs = [Tensor(to_device(v, xs[0].device), requires_grad=True) for v in weights]
    engine = [to_device(g.data, "cpu") for g in grad(_weighted(f, xs, vs), xs)]
    worst = 0.0
    for i, got in enumerate(engine):
        backward, forward = _one_sided_differences(f, arrays, i, weights)
        expected = (backward + forward) / 2
        error = np.abs(got - expected) / (np.abs(expected) + noise / TOLERANCE)
        if not (error <= TOLERANCE).all():
            # At a kink or a jump the differences change with the step; the engine is excused as far.
            coarse = sum(_one_sided_differences(f, arrays, i, weights, 4 * STEP)) / 2
            slack = noise + 2 * np.abs(coarse - expected)
            unit = weights[0].item() if [v.size for v in weights] == [1] else 1.0
            raise _failure(
                names[i], level, i, error, slack / abs(unit), expected=expected / unit, got=got / unit,
                backward=backward / unit, forward=forward / unit, weighted=unit == 1.0)
        worst = max(worst, error.max(initial=0.0))
    if order == 1:
        return float(worst)

    def gradient(*xv):
        return grad(_weighted(f, xv[: len(xs)], xv[len(xs):]), xv[: len(xs)], create_graph=True)

    more = [f"the gradient of output {k}" if level == 1 else f"direction {k}" for k in range(len(vs))]
    second = _check(gradient, arrays + [v.data for v in vs], names + more, order - 1, level + 1)
    return max(float(worst), second)


def _outputs(f, xs):
    ys = f(*xs)
    ys = ys if isinstance(ys, (list, tuple)) else [ys]
    if not ys or not all(isinstance(y, Tensor) for y in ys):
        raise TypeError("gradcheck: f must give a Tensor or several")
    return ys


def _values(f, arrays):
    return [to_device(y.data, "cpu") for y in _outputs(f, [Tensor(a, requires_grad=True) for a in arrays])]


def _weighted(f, xs, vs):
    """Σ v y over all outputs y of f."""
    total = 0.0
    for v, y in zip(vs, _outputs(f, xs)):
        total = total + ops.sum(v * y)
    return total


def _one_sided_differences(f, arrays, i, weights, step=STEP):
    """The slopes of Σ v y a step below and a step above each entry of input i."""
    def total():
        return sum((v * y).sum() for v, y in zip(weights, _values(f, arrays)))

    x = arrays[i]
    middle = total()
    backward, forward = np.empty(x.shape), np.empty(x.shape)
    for index in np.ndindex(x.shape):
        value = float(x[index])
        h = step * max(1.0, abs(value))
        x[index] = value - h
        backward[index] = (middle - total()) / h
        x[index] = value + h
        forward[index] = (total() - middle) / h
        x[index] = value
    return backward, forward


def _failure(name, order, input, error, slack, *, expected, got, backward, forward, weighted):
    """The exception for a derivative of which engine and differences disagree; its report says where to look.

    name, order, input    which derivative it is; what follows are arrays of its shape
    error, slack          the relative error, and how far the differences change with the step
    expected, got         by central differences, and by the engine
    backward, forward     the slopes a step below and a step above each entry
    weighted              whether it is that of Σ v y, not of y itself
    """
    wrong = ~(error <= TOLERANCE)
    # With a kink between x - h and x + h the derivative may be anything from one slope to the other.
    low, high = np.minimum(backward, forward) - slack, np.maximum(backward, forward) + slack
    kink = wrong & ((low <= got) & (got <= high) | ~np.isfinite(low + high))
    blamed = wrong & ~kink
    what = "gradient" if order == 1 else f"derivative of order {order}"
    note = ["(The slopes are those of Σ v y, with fixed random weights v for the outputs y.)"] * weighted

    def table(head, chosen, *columns):
        """The worst five of the chosen entries."""
        badness = np.where(chosen, np.nan_to_num(error, nan=np.inf), -np.inf)
        worst = np.argsort(-badness, axis=None, kind="stable")[: min(5, chosen.sum())]
        rows = [("entry", *head)]
        for k in worst:
            entry = ", ".join(str(int(j)) for j in np.unravel_index(k, error.shape))
            rows.append((f"[{entry}]", *(f"{column.flat[k]:.6g}" for column in columns)))
        return ["  " + "".join(f"{cell:>16}" for cell in row) for row in rows]

    if not blamed.any():
        lines = [f"f is not differentiable at this point: {name}, shape {expected.shape}, has a kink "
                 f"or a jump within a step at {kink.sum()} of {kink.size} entries. The {what}:",
                 *table(("slope below", "slope above", "engine"), kink, backward, forward, got), *note,
                 "This says nothing against the rule. Check it at a point farther from the kink."]
        return NotDifferentiable("\n".join(lines), order, input, expected, got, wrong)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = got / expected
    lines = [f"the {what} with respect to {name}, shape {expected.shape}, is wrong in {blamed.sum()} of "
             f"{blamed.size} entries. The worst:",
             *table(("expected", "got", "got / expected"), blamed, expected, got, ratio), *note]
    if order > 1 and not got.any():
        lines.append("The engine's are all zero: a rule that uses NumPy, .data or detach has no history.")
    if kink.any():
        lines.append(f"({kink.sum()} more lie at a kink of f, and are not counted.)")
    return GradientError("\n".join(lines), order, input, expected, got, blamed)
