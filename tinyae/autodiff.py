"""Reverse-mode automatic differentiation: Tensor, primitive, grad. This file is all of it.

Every operation on Tensors remembers what it was and what it was applied to:

    y.node = (operation, inputs, parameters)

so the Tensors behind a result form a graph. To differentiate a scalar L, start from dL/dL = 1 and
walk the graph from the newest Tensor to the oldest. Each operation y = f(a, b) has one rule for
each input, which turns g = dL/dy into that input's share, the vector-Jacobian product (VJP)

    dL/da = (dy/da)ᵀ g

and the shares that reach a Tensor over different paths add up (Goodfellow, Bengio & Courville,
Deep Learning, section 6.5). The rules are written in the same operations, so a gradient is itself
a result with a graph behind it, and can be differentiated again: `create_graph=True`.

The operations themselves are in the package `ops`; that `a + b` is `ops.add(a, b)` is said in `operators`.
"""

import functools
import inspect
import itertools
import math
import threading
import warnings
from contextlib import contextmanager

import numpy as np

from .backend import array_module, device_of, to_device
from .operators import Operators

__all__ = ["Operation", "Tensor", "changed", "grad", "history", "is_recording", "no_grad", "primitive",
           "record"]


class Tensor(Operators):
    """An array, and the record of how it was computed.

    data            the NumPy or CuPy array
    requires_grad   whether gradients flow to it: asked for on a leaf, inherited by every result
    grad            the Tensor that `backward` has accumulated in this leaf, or None
    node            how it was computed, or None for a leaf
    version         when its values were last changed in place (see `changed`), 0 for never

    Python floats, and lists of them, become float32; an array keeps its precision, and where two
    meet the result has the larger one, as in NumPy.
    """

    __slots__ = ("data", "requires_grad", "grad", "node", "version", "__weakref__")

    def __init__(self, data, requires_grad=False):
        if type(data) is not np.ndarray:
            data = _as_array(data)
        kind = data.dtype.kind
        if kind not in "fiub":
            raise TypeError(f"a Tensor holds real numbers, not dtype {data.dtype}")
        if requires_grad and kind != "f":
            raise TypeError(f"only a floating-point Tensor can require a gradient, not {data.dtype}")
        self.data = data
        self.requires_grad = requires_grad
        self.grad = self.node = None
        self.version = 0

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    device = property(lambda self: device_of(self.data))

    # The values, with and without their history.

    def numpy(self):
        """The values as a NumPy array: on the CPU the Tensor's own, from the GPU a copy.

        A result's array is read-only, since the rules behind it will read it. A leaf's is not, and changes
        with the Tensor: copy it to keep the values of this moment. Who writes to it between the computation
        of a loss and its gradient says so with `changed`.
        """
        array = to_device(self.data, "cpu")
        if self.node is not None:
            array = array.view()
            array.flags.writeable = False
        return array

    def detach(self):
        """The same array without its history: a constant to whatever is computed from it."""
        return Tensor(self.data)

    def to(self, device):
        """The values on "cpu" or "gpu", as a new leaf unless they are there already."""
        return self if self.device == device else Tensor(to_device(self.data, device), self.requires_grad)

    def backward(self, grad_output=None):
        """Add d self / d leaf to the `grad` of every leaf that requires a gradient.

        grad_output is the gradient of self, and must be given unless self has one element. Do not
        change a `grad` in place: it may share its memory with another. Threads may call it at once.
        """
        if not self.requires_grad:
            raise ValueError("backward: this Tensor was not computed from any that requires a gradient")
        tensors = history(self)
        leaves = [t for t in tensors if t.node is None and t.requires_grad]
        gradients = _differentiate(self, tensors, leaves, grad_output, False)
        with _accumulating:
            for leaf, g in zip(leaves, gradients):
                leaf.grad = g if leaf.grad is None else add(leaf.grad, g)


_accumulating = threading.Lock()  # or of two threads that add to one `grad`, one could be forgotten


def _as_array(data):
    """The array in a Tensor, an array of any package as it is, and NumPy's array of anything else."""
    if isinstance(data, Tensor):
        return data.data
    if isinstance(data, np.generic):  # NumPy's reductions give scalars, not 0-d arrays
        return np.asarray(data)
    if hasattr(data, "dtype"):
        return data
    data = np.asarray(data)
    return data.astype(np.float32) if data.dtype == np.float64 else data


def as_tensor(x):
    """x itself if it is a Tensor, else a Tensor of it."""
    return x if isinstance(x, Tensor) else Tensor(x)


class Node:
    """How a Tensor was computed. It holds the inputs, and nothing holds it but the result."""

    __slots__ = ("operation", "inputs", "params", "number")

    def __init__(self, operation, inputs, params):
        self.operation, self.inputs, self.params = operation, inputs, params
        self.number = next(_clock)


_clock = itertools.count(1)  # one for what is made and what is changed: so it is known which came first


# Reverse mode.


def grad(output, inputs, grad_output=None, create_graph=False):
    """The gradient of output with respect to each of the inputs, as a list of Tensors.

    output          the Tensor to differentiate, of one element unless grad_output is given
    inputs          a Tensor or a list of Tensors that require gradients; leaves or results
                    (for a single Tensor the result is a single Tensor)
    grad_output     the gradient of output, of its shape: the result is then grad_outputᵀ ∂output/∂input
    create_graph    record the computation, so that the gradient can be differentiated again

    An input that output does not depend on has the gradient zero. Nothing is computed that no input
    asks for, and no Tensor's `grad` is touched.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"grad: the output must be a Tensor, not {type(output).__name__}")
    wanted = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    for i, x in enumerate(wanted):
        if not isinstance(x, Tensor) or not x.requires_grad:
            what = "a Tensor without requires_grad" if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"grad: input {i} must be a Tensor that requires a gradient, not {what}")
    if not output.requires_grad:
        warnings.warn("grad: the output has no history (was it made under no_grad, or is it a gradient taken "
                      "without create_graph=True?), so its gradient is zero", stacklevel=2)
    grads = _differentiate(output, history(output), wanted, grad_output, create_graph)
    return grads[0] if isinstance(inputs, Tensor) else grads


def history(output):
    """Every Tensor that output was computed from, itself included, oldest first.

    A result is always made after its inputs, so the order of making is a topological order.
    """
    seen, stack = {id(output): output}, [output]
    while stack:
        node = stack.pop().node
        for x in node.inputs if node else ():
            if isinstance(x, Tensor) and id(x) not in seen:
                seen[id(x)] = x
                stack.append(x)
    return sorted(seen.values(), key=lambda t: t.node.number if t.node else -1)


def _differentiate(output, tensors, wanted, grad_output, create_graph):
    """Reverse mode: carry the gradient of output back to the wanted Tensors, newest Tensor first."""
    # A Tensor needs a gradient if it is wanted, or if something wanted lies behind it.
    kept = {id(t) for t in wanted}
    needed = set(kept)
    for t in tensors:
        if t.node and not needed.isdisjoint(map(id, t.node.inputs)):
            needed.add(id(t))

    grads = {id(output): _seed(output, grad_output)}
    with record(create_graph):
        for t in reversed(tensors):
            node = t.node
            if node is None or id(t) not in grads or id(t) not in needed:
                continue
            # Unless it is wanted, the memory of a gradient is free for the rest of the way.
            g = grads[id(t)] if id(t) in kept else grads.pop(id(t))
            for i, x in enumerate(node.inputs):
                if id(x) in needed:
                    gx = _vjp(node, i, g, t)
                    grads[id(x)] = add(grads[id(x)], gx) if id(x) in grads else gx
    return [grads[id(t)] if id(t) in grads else Tensor(array_module(t.data).zeros_like(t.data))
            for t in wanted]


def _seed(output, grad_output):
    if grad_output is None:
        if output.size != 1:
            raise ValueError(f"the gradient of a Tensor of shape {output.shape} needs a grad_output of that shape")
        return Tensor(array_module(output.data).ones_like(output.data))
    grad_output = as_tensor(grad_output)
    if grad_output.shape != output.shape:
        raise ValueError(f"grad_output must have the shape of the output, {output.shape}, not {grad_output.shape}")
    return grad_output


def _vjp(node, i, g, y):
    """The share of input i in the gradient g of y, in the shape and precision of that input."""
    if node.number < _last_change:
        _refuse_changed(node, y)
    x = node.inputs[i]
    gx = node.operation.rule(i)(g, y, *node.inputs, **node.params)
    if gx is None:
        raise TypeError(f"the rule of {node.operation.__name__} for input {i} returned None")
    gx = as_tensor(gx)
    if gx.data.shape != x.data.shape:  # of .data: the property costs a call in every rule
        try:
            gx = sum_to(gx, shape=x.shape)
        except ValueError as error:
            raise ValueError(f"the rule of {node.operation.__name__} for input {i} gave shape "
                             f"{gx.shape}; the input has shape {x.shape}") from error
    return gx if gx.data.dtype == x.data.dtype else astype(gx, dtype=x.dtype)


# Operations.


PRIMITIVES = {}  # every primitive by name; the tests require a gradient check for each


def primitive(body):
    """Make a differentiable operation of a function on arrays; its rules follow with `defvjp`.

        @primitive
        def multiply(a, b):
            return a * b

        multiply.defvjp(
            lambda g, y, a, b: g * b,      # dL/da, from g = dL/dy
            lambda g, y, a, b: g * a,      # dL/db
        )

    The body sees raw arrays, and leaves them as they are. A rule sees Tensors: the gradient g of the
    output, the output y, the inputs; then the parameters, all by name. There is a rule for each input:
    the arguments beyond the last rule are parameters, such as `axis`. None in place of a rule says that
    the input has no gradient. A rule need not undo broadcasting: its result is summed to its input's
    shape. Rules are made of tinyae's operations: `ops.tanh`, not `np.tanh`.

    With a single rule for any number of inputs (`def concatenate(*xs, axis)`), the rule is also
    told which input is meant: `defvjp(lambda i, g, y, *xs, axis: ...)`.

    Numbers stay numbers in the body and the rules, so that they take the precision of the arrays.
    """
    operation = PRIMITIVES[body.__name__] = Operation(body)
    return operation


class Operation:
    """What `primitive` makes of a body: called with Tensors, it computes, and remembers how.

    body    the function on arrays
    rules   the rule for each input, or None for an input without a gradient
    """

    def __init__(self, body):
        functools.update_wrapper(self, body)
        self.body, self.signature = body, inspect.signature(body)
        arguments = self.signature.parameters.values()
        self.defaults = {p.name: p.default for p in arguments if p.default is not p.empty}
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in arguments)
        self.rules = ()
        self.count = None  # of inputs; None until there are rules, and where it may be any
        self.constants = ()  # the inputs without a gradient, by number

    def __call__(self, *args, **params):
        """What the body makes of the arrays, with its history where an input requires a gradient."""
        if len(args) != self.count:
            args, params = self._bind(args, params)
        inputs, arrays, numbers, recorded = [], [], True, False
        for i, x in enumerate(args):
            if type(x) is not Tensor and type(x) is not float and type(x) is not int:
                x = _operand(x)
            if isinstance(x, Tensor):
                numbers = False
                arrays.append(x.data)
                if x.requires_grad and i in self.constants:
                    x = x.detach()  # no gradient goes there, so its history ends here
                recorded = recorded or x.requires_grad
            else:
                arrays.append(x)
            inputs.append(x)
        # Numbers alone become float32, unless no input has a gradient: then integers may be meant.
        if numbers and args and len(self.constants) != self.count:
            return self(*[Tensor(float(x)) for x in args], **params)
        if self.defaults:
            params = {**self.defaults, **params}
        try:
            value = self.body(*arrays, **params)
        except TypeError as error:
            _explain_mixed_devices(self, arrays, error)
            raise
        if value is None:
            raise TypeError(f"{self.__name__}: the body returned None; it must return an array")
        y = Tensor(value)
        for p in params.values():
            if isinstance(p, Tensor) and p.requires_grad:
                raise TypeError(f"{self.__name__}: an argument that requires a gradient has no rule; "
                                f"defvjp was given {len(self.rules)}")
        if recorded and _recording.on:
            y.requires_grad = True
            y.node = Node(self, inputs, params)
        return y

    def defvjp(self, *rules):
        """Give the rule for each input, in their order; None for an input that has no gradient."""
        names = [str(p.replace(default=p.empty)) for p in self.signature.parameters.values()]  # or "*xs"
        inputs, params = names[: len(rules)], names[len(rules):]
        if len(inputs) < len(rules):
            raise TypeError(f"{self.__name__} takes {len(inputs)} arguments, but defvjp was given "
                            f"{len(rules)} rules; there is one for each input")
        call = ["i"] * self.variadic + ["g", "y", *inputs]
        for i, rule in enumerate(rules):
            try:
                rule is None or inspect.signature(rule).bind(*call, **dict.fromkeys(params))
            except TypeError as error:
                raise TypeError(f"{self.__name__}: rule {i} must take ({', '.join([*call, *params])}), "
                                f"not {inspect.signature(rule)}: {error}") from None
        self.rules = rules
        self.count = None if self.variadic else len(rules)
        self.constants = tuple(i for i, rule in enumerate(rules) if rule is None)

    def rule(self, i):
        """The rule of input i."""
        return functools.partial(self.rules[0], i) if self.variadic else self.rules[i]

    def _bind(self, args, params):
        """The inputs in their order and the parameters by name, of a call that mixed the two."""
        if not self.rules:
            raise TypeError(f"{self.__name__} has no rules yet: give it one for each input with defvjp")
        if self.variadic:
            return args, params
        try:
            bound = self.signature.bind(*args, **params).arguments
        except TypeError as error:
            raise TypeError(f"{self.__name__}: {error}") from None
        return [bound.pop(name) for name in list(self.signature.parameters)[: self.count]], bound

    def __get__(self, instance, kind=None):
        """Be a method where a class has it, as a function would (and help() takes it for one)."""
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self):
        return self.__name__  # pickled and copied by name, as a function is

    def __repr__(self):
        return f"<operation {self.__name__}{self.signature}>"


def _operand(x):
    """An argument as a Tensor, or as a Python number."""
    if isinstance(x, np.generic):
        return x.item()
    return x if isinstance(x, (Tensor, float, int)) else Tensor(x)


def _explain_mixed_devices(operation, arrays, error):
    places = [device_of(a) for a in arrays if hasattr(a, "dtype")]
    if len(set(places)) > 1:
        raise TypeError(
            f"{operation.__name__}: the inputs live on different devices ({', '.join(places)}); "
            "move them to one with .to(device)"
        ) from error


# Whether to remember, and what has changed since.


class _Recording(threading.local):
    on = True  # the value in every thread that has not set its own


_recording = _Recording()


def is_recording():
    """Whether results remember how they were computed, in this thread."""
    return _recording.on


@contextmanager
def record(on=True):
    """A context in which results remember how they were computed, or do not."""
    before, _recording.on = _recording.on, on
    try:
        yield
    finally:
        _recording.on = before


def no_grad():
    """A context in which results remember nothing: `with no_grad(): prediction = model(x)`."""
    return record(False)


_last_change = 0


def changed(*tensors):
    """Tell the engine that the values of these Tensors were changed in place, as an optimiser does it.

    A result computed from them before has seen the old values, and its rules would read the new ones:
    instead of a wrong gradient, `grad` and `backward` then give an error that names the operation.
    """
    global _last_change
    _last_change = next(_clock)
    for t in tensors:
        t.version = _last_change


def _refuse_changed(node, y):
    """Raise an error if what the rules of y read was changed after its operation saw it."""
    for x in (*node.inputs, y):
        if isinstance(x, Tensor) and x.version > node.number:
            raise RuntimeError(
                f"{node.operation.__name__} was computed with a Tensor of shape {x.shape} whose values "
                "were changed in place since (by an optimiser's step, say): its gradient would be wrong. "
                "Take the gradient before the change, or compute the loss again after it")


# The operations that the engine itself uses: gradients add up, are summed back over broadcast
# axes, and keep their Tensor's precision. All others are in tinyae.ops.


@primitive
def add(a, b):
    """a + b."""
    return a + b


@primitive
def broadcast_to(x, shape):
    """x repeated along new and size-one axes to fill the shape. Its adjoint is `sum_to`."""
    return array_module(x).broadcast_to(x, shape)


@primitive
def sum_to(x, shape):
    """x summed over the axes that broadcasting from the shape would add or stretch."""
    shape = tuple(shape)
    lead = x.ndim - len(shape)
    if lead < 0 or any(n != m and n != 1 for n, m in zip(shape, x.shape[lead:])):
        raise ValueError(f"sum_to: shape {shape} does not broadcast to {x.shape}")
    stretched = [i for i, n in enumerate(shape, lead) if n == 1 and x.shape[i] != 1]
    if lead and not stretched and isinstance(x, np.ndarray) and x.dtype.char in "fd":
        # The gradient of a bias. NumPy is slow to sum many short rows; products with ones are fast,
        # and precise as long as each adds up few rows.
        rows, columns = math.prod(x.shape[:lead]), math.prod(shape)
        few = math.gcd(rows, 1024)
        sums = np.ones(few, x.dtype) @ x.reshape(rows // few, few, columns)
        return sums.sum(axis=0).reshape(shape)
    return x.sum(axis=(*range(lead), *stretched), keepdims=True).reshape(shape)


@primitive
def astype(x, dtype):
    """x in another floating-point precision."""
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"astype: expected a floating-point dtype, got {np.dtype(dtype)}")
    return x.astype(dtype)


add.defvjp(lambda g, y, a, b: g, lambda g, y, a, b: g)
broadcast_to.defvjp(lambda g, y, x, shape: sum_to(g, shape=x.shape))
sum_to.defvjp(lambda g, y, x, shape: broadcast_to(g, shape=x.shape))
astype.defvjp(lambda g, y, x, dtype: astype(g, dtype=x.dtype))
