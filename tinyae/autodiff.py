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


class Tensor:
    """An array, and the record of how it was computed.

    data            the NumPy or CuPy array
    requires_grad   whether gradients flow to it: asked for on a leaf, inherited by every result
    grad            the Tensor that `backward` has accumulated in this leaf, or None
    node            how it was computed, or None for a leaf

    Python floats, and lists of them, become float32; an array keeps its precision. The arithmetic
    operators and the methods with NumPy's names are put on the class by `tinyae.ops`.
    """

    __slots__ = ("data", "requires_grad", "grad", "node", "__weakref__")
    __array_ufunc__ = None  # array + Tensor is left to Tensor.__radd__
    __array_priority__ = 1000  # the same, for CuPy

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
        self.grad = None
        self.node = None

    shape = property(lambda self: self.data.shape)
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    device = property(lambda self: device_of(self.data))

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return (self[i] for i in range(len(self)))  # len refuses a scalar; without it, it would be empty

    def __bool__(self):
        return bool(self.data)

    __hash__ = object.__hash__  # `==` compares elements, so say that a Tensor hashes by identity

    def __array__(self, *args, **kwargs):
        raise TypeError("a Tensor is not turned into a NumPy array by itself: use .numpy()")

    def __repr__(self):
        text = np.array2string(self.numpy(), separator=", ", prefix="Tensor(")
        flag = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({text}, {self.dtype}{flag})"

    def item(self):
        """The only element, as a Python number."""
        return self.data.item()

    __float__ = item

    def numpy(self):
        """The values as a NumPy array: the Tensor's own array on the CPU, a copy of it from the GPU.

        The Tensor's own array changes with it: copy it to keep a parameter's values of this moment.
        """
        return to_device(self.data, "cpu")

    def detach(self):
        """The same array without its history: a constant to whatever is computed from it."""
        return Tensor(self.data)

    def to(self, device):
        """The values on "cpu" or "gpu", as a new leaf unless they are there already."""
        return self if self.device == device else Tensor(to_device(self.data, device), self.requires_grad)

    def backward(self, grad_output=None):
        """Add d self / d leaf to the `grad` of every leaf that requires a gradient.

        grad_output is the gradient of self, and must be given unless self has one element. Do not
        change a `grad` in place: it may share its memory with another.
        """
        if not self.requires_grad:
            raise ValueError("backward: this Tensor was not computed from any that requires a gradient")
        tensors = history(self)
        leaves = [t for t in tensors if t.node is None and t.requires_grad]
        for leaf, g in zip(leaves, _differentiate(self, tensors, leaves, grad_output, False)):
            leaf.grad = g if leaf.grad is None else add(leaf.grad, g)


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


class Node:
    """How a Tensor was computed. It holds the inputs, and nothing holds it but the result."""

    __slots__ = ("operation", "inputs", "params", "number")
    _count = itertools.count()

    def __init__(self, operation, inputs, params):
        self.operation, self.inputs, self.params = operation, inputs, params
        self.number = next(self._count)


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

    The body sees raw arrays. A rule sees Tensors: the gradient g of the output, the output y, the
    inputs; then the parameters, all by name. There is a rule for each input: the arguments beyond
    the last rule are parameters, such as `axis`. A rule need not undo broadcasting: its result is
    summed to its input's shape. Rules are made of tinyae's operations: `ops.tanh`, not `np.tanh`.

    With a single rule for any number of inputs (`def concatenate(*xs, axis)`), the rule is also
    told which input is meant: `defvjp(lambda i, g, y, *xs, axis: ...)`.

    Numbers stay numbers in the body and the rules, so that they take the precision of the arrays.
    """
    signature = inspect.signature(body)
    arguments = signature.parameters.values()
    defaults = {p.name: p.default for p in arguments if p.default is not p.empty}
    variadic = any(p.kind is p.VAR_POSITIONAL for p in arguments)

    @functools.wraps(body)
    def operation(*args, **params):
        if not operation.rules:
            raise TypeError(f"{body.__name__} has no rules yet: give it one for each input with defvjp")
        if len(args) != len(operation.rules) and not variadic:
            args, params = bind(args, params)
        inputs, arrays, differentiable = _operands(args)
        if defaults:
            params = {**defaults, **params}
        try:
            y = Tensor(body(*arrays, **params))
        except TypeError as error:
            _explain_mixed_devices(operation, arrays, error)
            raise
        for p in params.values():
            if isinstance(p, Tensor) and p.requires_grad:
                raise TypeError(f"{body.__name__}: an argument that requires a gradient has no rule; "
                                f"defvjp was given {len(operation.rules)}")
        if differentiable and _recording.on:
            y.requires_grad = True
            y.node = Node(operation, inputs, params)
        return y

    def bind(args, params):
        """The inputs in their order and the parameters by name, of a call that mixed the two."""
        try:
            bound = signature.bind(*args, **params).arguments
        except TypeError as error:
            raise TypeError(f"{body.__name__}: {error}") from None
        names = list(signature.parameters)[: len(operation.rules)]
        return [bound.pop(name) for name in names], bound

    def defvjp(*rules):
        operation.rules = rules
        operation.rule = (lambda i: functools.partial(rules[0], i)) if variadic else rules.__getitem__

    operation.rules = ()
    operation.defvjp = defvjp
    PRIMITIVES[body.__name__] = operation
    return operation


def _operands(args):
    """The inputs (Tensors and numbers), what the body sees of them, and whether one requires a gradient."""
    inputs, arrays, differentiable = [], [], None  # None until there is a Tensor
    for a in args:
        if isinstance(a, np.generic):
            a = a.item()
        elif not isinstance(a, (Tensor, float, int)):
            a = Tensor(a)
        inputs.append(a)
        if isinstance(a, Tensor):
            arrays.append(a.data)
            differentiable = differentiable or a.requires_grad
        else:
            arrays.append(a)
    if differentiable is None and args:
        return _operands([Tensor(float(a)) for a in args])  # numbers alone become float32
    return inputs, arrays, differentiable


def _explain_mixed_devices(operation, arrays, error):
    places = [device_of(a) for a in arrays if hasattr(a, "dtype")]
    if len(set(places)) > 1:
        raise TypeError(
            f"{operation.__name__}: the inputs live on different devices ({', '.join(places)}); "
            "move them to one with .to(device)"
        ) from error


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
            if t.node is None or id(t) not in grads or id(t) not in needed:
                continue
            # Unless it is wanted, the memory of a gradient is free for the rest of the way.
            g = grads[id(t)] if id(t) in kept else grads.pop(id(t))
            for i, x in enumerate(t.node.inputs):
                if id(x) in needed:
                    gx = _vjp(t.node, i, g, t)
                    grads[id(x)] = add(grads[id(x)], gx) if id(x) in grads else gx
    return [grads[id(t)] if id(t) in grads else Tensor(array_module(t.data).zeros_like(t.data))
            for t in wanted]


def _seed(output, grad_output):
    if grad_output is None:
        if output.size != 1:
            raise ValueError(f"the gradient of a Tensor of shape {output.shape} needs a grad_output")
        return Tensor(array_module(output.data).ones_like(output.data))
    grad_output = grad_output if isinstance(grad_output, Tensor) else Tensor(grad_output)
    if grad_output.shape != output.shape:
        raise ValueError(f"grad_output has shape {grad_output.shape}, the output {output.shape}")
    return grad_output


def _vjp(node, i, g, y):
    """The share of input i in the gradient g of y, in the shape and precision of that input."""
    x = node.inputs[i]
    gx = node.operation.rule(i)(g, y, *node.inputs, **node.params)
    if gx is None:
        raise TypeError(f"the rule of {node.operation.__name__} for input {i} returned None")
    gx = gx if isinstance(gx, Tensor) else Tensor(gx)
    if gx.data.shape != x.data.shape:  # of .data: the property costs a call in every rule
        try:
            gx = sum_to(gx, shape=x.shape)
        except ValueError as error:
            raise ValueError(f"the rule of {node.operation.__name__} for input {i} gave shape "
                             f"{gx.shape}; the input has shape {x.shape}") from error
    return gx if gx.data.dtype == x.data.dtype else astype(gx, dtype=x.dtype)


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
        raise TypeError(f"astype: expected a floating-point dtype, not {np.dtype(dtype)}")
    return x.astype(dtype)


add.defvjp(lambda g, y, a, b: g, lambda g, y, a, b: g)
broadcast_to.defvjp(lambda g, y, x, shape: sum_to(g, shape=x.shape))
sum_to.defvjp(lambda g, y, x, shape: broadcast_to(g, shape=x.shape))
astype.defvjp(lambda g, y, x, dtype: astype(g, dtype=x.dtype))
