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


ops = None  # the package tinyae.ops, which is built on this file, and once imported puts itself here


class Tensor:
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

    # Arithmetic. A number or an array on the left leaves the operator to the Tensor on its right.

    def __add__(self, other): return add(self, other)
    def __sub__(self, other): return ops.subtract(self, other)
    def __mul__(self, other): return ops.multiply(self, other)
    def __truediv__(self, other): return ops.divide(self, other)
    def __pow__(self, other): return ops.power(self, other)
    def __matmul__(self, other): return ops.matmul(self, other)

    def __radd__(self, other): return add(other, self)
    def __rsub__(self, other): return ops.subtract(other, self)
    def __rmul__(self, other): return ops.multiply(other, self)
    def __rtruediv__(self, other): return ops.divide(other, self)
    def __rpow__(self, other): return ops.power(other, self)
    def __rmatmul__(self, other): return ops.matmul(other, self)

    def __neg__(self): return ops.negative(self)
    def __abs__(self): return ops.abs(self)

    # Comparisons, element by element, and masks. None and strings are equal to no Tensor, as Python says.

    def __gt__(self, other): return ops.greater(self, other)
    def __ge__(self, other): return ops.greater_equal(self, other)
    def __lt__(self, other): return ops.less(self, other)
    def __le__(self, other): return ops.less_equal(self, other)
    def __eq__(self, other): return NotImplemented if _is_no_array(other) else ops.equal(self, other)
    def __ne__(self, other): return NotImplemented if _is_no_array(other) else ops.not_equal(self, other)
    def __and__(self, other): return ops.bitwise_and(self, other)
    def __or__(self, other): return ops.bitwise_or(self, other)
    def __rand__(self, other): return ops.bitwise_and(other, self)
    def __ror__(self, other): return ops.bitwise_or(other, self)
    def __invert__(self): return ops.invert(self)

    __hash__ = object.__hash__  # `==` compares elements, so say that a Tensor hashes by identity

    # Functions, under NumPy's names. All others are in tinyae.ops.

    def exp(self): return ops.exp(self)
    def log(self): return ops.log(self)
    def sqrt(self): return ops.sqrt(self)
    def tanh(self): return ops.tanh(self)
    def sigmoid(self): return ops.sigmoid(self)
    def relu(self): return ops.relu(self)
    def clip(self, a_min=None, a_max=None): return ops.clip(self, a_min=a_min, a_max=a_max)
    def astype(self, dtype): return astype(self, dtype=dtype)

    def sum(self, axis=None, *, keepdims=False): return ops.sum(self, axis=axis, keepdims=keepdims)
    def mean(self, axis=None, *, keepdims=False): return ops.mean(self, axis=axis, keepdims=keepdims)
    def var(self, axis=None, **options): return ops.var(self, axis, **options)
    def max(self, axis=None, *, keepdims=False): return ops.max(self, axis=axis, keepdims=keepdims)
    def min(self, axis=None, *, keepdims=False): return ops.min(self, axis=axis, keepdims=keepdims)
    def argmax(self, axis=None): return ops.argmax(self, axis=axis)

    def __getitem__(self, index): return ops.getitem(self, index=index)
    def swapaxes(self, axis1, axis2): return ops.swapaxes(self, axis1=axis1, axis2=axis2)
    def squeeze(self, axis=None): return ops.squeeze(self, axis)
    def flatten(self): return ops.reshape(self, shape=-1)
    T = property(lambda self: ops.transpose(self))

    def reshape(self, *shape):
        """x.reshape(2, 3) or x.reshape((2, 3))."""
        return ops.reshape(self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes):
        """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes, = axes
        return ops.transpose(self, axes=axes or None)

    # What Python and NumPy ask of it.

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return (self[i] for i in range(len(self)))  # len refuses a scalar; without it, it would be empty

    def __bool__(self):
        return bool(self.data)

    def item(self):
        """The only element, as a Python number."""
        if self.size != 1:
            raise ValueError(f"a Tensor of shape {self.shape} is no single number: that takes size 1, not "
                             f"{self.size} (and of every element, ops.exp and not math.exp)")
        return self.data.item()

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __format__(self, spec):
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self):
        text = np.array2string(self.numpy(), separator=", ", prefix="Tensor(")
        flag = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({text}, {self.dtype}{flag})"

    def __array__(self, *args, **kwargs):
        raise TypeError("a Tensor is not turned into a NumPy array by itself: use .numpy()")

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(_use_ours(function.__name__))

    __array_priority__ = 1000  # CuPy's way to ask which side an operator is left to

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

    def tolist(self):
        """The values as Python numbers in nested lists."""
        return self.numpy().tolist()

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


def _is_no_array(other):
    return other is None or isinstance(other, str)


def _use_ours(name):
    """What to say to a call of NumPy's function of that name on a Tensor."""
    ours = f"use ops.{name}" if name in ops.__all__ else f"there is no ops.{name}; the values are in .numpy()"
    return f"np.{name} does not take a Tensor, since it would lose its gradient: {ours}"


OPERATORS = ("add", "subtract", "multiply", "divide", "power", "matmul", "greater", "greater_equal", "less",
             "less_equal", "equal", "not_equal", "bitwise_and", "bitwise_or")


class _AskedByNumPy:
    """`Tensor.__array_ufunc__`, NumPy's question what to do with a Tensor in one of its functions.

    NumPy asks the class, and is told to compute `array + Tensor` as we do, and of `np.tanh(Tensor)` which
    function to use. CuPy asks the instance; None leaves the operator to the Tensor.
    """

    def __get__(self, tensor, kind):
        return self.answer if tensor is None else None

    @staticmethod
    def answer(tensor, function, method, *inputs, **options):
        if function.__name__ in OPERATORS and method == "__call__" and not options:
            return getattr(ops, function.__name__)(*inputs)
        if options.get("out"):
            raise TypeError("an array cannot take a Tensor in place: write a = a + x, not a += x")
        raise TypeError(_use_ours(function.__name__))


Tensor.__array_ufunc__ = _AskedByNumPy()


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


_clock = itertools.count(1)  # one for what is made and what is changed: so it is known which came first
_last_change = 0


class Node:
    """How a Tensor was computed. It holds the inputs, and nothing holds it but the result."""

    __slots__ = ("operation", "inputs", "params", "number")

    def __init__(self, operation, inputs, params):
        self.operation, self.inputs, self.params = operation, inputs, params
        self.number = next(_clock)


def changed(*tensors):
    """Tell the engine that the values of these Tensors were changed in place, as an optimiser does it.

    A result computed from them before has seen the old values, and its rules would read the new ones:
    instead of a wrong gradient, `grad` and `backward` then give an error that names the operation.
    """
    global _last_change
    _last_change = next(_clock)
    for t in tensors:
        t.version = _last_change


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
    rules   the rule for each input, or None for an input without a gradient; rule(i) is that of input i
    """

    def __init__(self, body):
        functools.update_wrapper(self, body)
        self.body = body
        self.rules = ()
        self.signature = inspect.signature(body)
        arguments = self.signature.parameters.values()
        self.defaults = {p.name: p.default for p in arguments if p.default is not p.empty}
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in arguments)
        self.count = None  # of inputs; None until there are rules, and where it may be any
        self.constants = ()  # the inputs without a gradient, by number

    def __call__(self, *args, **params):
        """What the body makes of the arrays, with its history where an input requires a gradient."""
        if len(args) != self.count:
            args, params = self._bind(args, params)
        inputs, arrays, differentiable = [], [], None  # None until there is a Tensor
        for x in args:
            if type(x) is not Tensor and type(x) is not float and type(x) is not int:
                x = _operand(x)
            inputs.append(x)
            if isinstance(x, Tensor):
                arrays.append(x.data)
                differentiable = differentiable or x.requires_grad
            else:
                arrays.append(x)
        if differentiable is None and args and len(self.constants) != self.count:
            return self(*[Tensor(float(x)) for x in args], **params)  # numbers alone become float32
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
        if differentiable and _recording.on:
            if self.constants:
                inputs, differentiable = self._without_constants(inputs)
            if differentiable:
                y.requires_grad = True
                y.node = Node(self, inputs, params)
        return y

    def defvjp(self, *rules):
        """Give the rule for each input, in their order; None for an input that has no gradient."""
        names = [("*" if p.kind is p.VAR_POSITIONAL else "") + name
                 for name, p in self.signature.parameters.items()]
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
        self.rule = (lambda i: functools.partial(rules[0], i)) if self.variadic else rules.__getitem__
        self.count = None if self.variadic else len(rules)
        self.constants = tuple(i for i, rule in enumerate(rules) if rule is None)

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
        names = list(self.signature.parameters)[: len(self.rules)]
        return [bound.pop(name) for name in names], bound

    def _without_constants(self, inputs):
        """The inputs, those without a rule cut from their history, and whether one requires a gradient."""
        inputs = [x.detach() if i in self.constants and isinstance(x, Tensor) and x.requires_grad else x
                  for i, x in enumerate(inputs)]
        return inputs, any(isinstance(x, Tensor) and x.requires_grad for x in inputs)

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
    _refuse_changed(tensors, needed)

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


def _refuse_changed(tensors, needed):
    """Raise an error where a rule would read values that were changed after its operation saw them."""
    for y in tensors:
        if y.node is None or needed.isdisjoint(map(id, y.node.inputs)):
            continue  # no rule of it will run
        if y.node.number > _last_change:
            break  # oldest first: whatever follows was made after the last change of any Tensor
        for x in (*y.node.inputs, y):
            if isinstance(x, Tensor) and x.version > y.node.number:
                raise RuntimeError(
                    f"{y.node.operation.__name__} was computed with a Tensor of shape {x.shape} whose values "
                    "were changed in place since (by an optimiser's step, say): its gradient would be wrong. "
                    "Take the gradient before the change, or compute the loss again after it")


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
