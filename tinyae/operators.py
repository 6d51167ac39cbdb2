"""What can be written with a Tensor: operators, methods, and what Python and NumPy ask of it.

`x + 1` is `ops.add(x, 1)` and `x.exp()` is `ops.exp(x)`: every line here hands on to one of the
operations in `tinyae.ops`. NumPy's own functions would lose the gradient, so they are refused, with the
name of the operation to use.
"""

import numpy as np

ops = None  # the package tinyae.ops, which is built on Tensor, and once imported puts itself here


class Operators:
    """The operators and methods of a Tensor, whose array is `self.data`."""

    __slots__ = ()

    # Arithmetic. A number or an array on the left leaves the operator to the Tensor on its right.

    def __add__(self, other): return ops.add(self, other)
    def __sub__(self, other): return ops.subtract(self, other)
    def __mul__(self, other): return ops.multiply(self, other)
    def __truediv__(self, other): return ops.divide(self, other)
    def __pow__(self, other): return ops.power(self, other)
    def __matmul__(self, other): return ops.matmul(self, other)

    def __radd__(self, other): return ops.add(other, self)
    def __rsub__(self, other): return ops.subtract(other, self)
    def __rmul__(self, other): return ops.multiply(other, self)
    def __rtruediv__(self, other): return ops.divide(other, self)
    def __rpow__(self, other): return ops.power(other, self)
    def __rmatmul__(self, other): return ops.matmul(other, self)

    # `x += 1` is `x = x + 1`, a new Tensor: for a parameter that would no longer be the parameter.

    def __iadd__(self, other): return self._no_parameter("+=") + other
    def __isub__(self, other): return self._no_parameter("-=") - other
    def __imul__(self, other): return self._no_parameter("*=") * other
    def __itruediv__(self, other): return self._no_parameter("/=") / other

    def _no_parameter(self, sign):
        if self.requires_grad and self.node is None:
            raise TypeError(f"{sign} would make a new Tensor of one that requires a gradient, and leave the old one "
                            "as it was: take a step of optim.SGD, or change its .data in place and say so "
                            "with tinyae.changed")
        return self

    def __neg__(self): return ops.negative(self)
    def __abs__(self): return ops.abs(self)

    # Comparisons, element by element, and masks. None and strings are equal to no Tensor, as Python says.

    def __gt__(self, other): return ops.greater(self, other)
    def __ge__(self, other): return ops.greater_equal(self, other)
    def __lt__(self, other): return ops.less(self, other)
    def __le__(self, other): return ops.less_equal(self, other)
    def __eq__(self, other): return NotImplemented if _no_array(other) else ops.equal(self, other)
    def __ne__(self, other): return NotImplemented if _no_array(other) else ops.not_equal(self, other)
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
    def astype(self, dtype): return ops.astype(self, dtype=dtype)

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

    # What Python asks of it.

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

    def tolist(self):
        """The values as Python numbers in nested lists."""
        return self.numpy().tolist()

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

    # What NumPy and CuPy ask of it; more below.

    __array_priority__ = 1000  # CuPy's way to ask which side an operator is left to

    def __array__(self, *args, **kwargs):
        raise TypeError("a Tensor is not turned into a NumPy array by itself: use .numpy()")

    def __array_function__(self, function, types, args, kwargs):
        refuse(function)


def _no_array(other):
    return other is None or isinstance(other, str)


class AskedByNumPy:
    """`Tensor.__array_ufunc__`, NumPy's question what to do with a Tensor in one of its functions.

    NumPy asks the class, and is told to compute `array + Tensor` as we do, and of `np.tanh(Tensor)` which
    function to use. CuPy asks the instance; None leaves the operator to the Tensor.
    """

    OPERATORS = ("add", "subtract", "multiply", "divide", "power", "matmul", "greater", "greater_equal",
                 "less", "less_equal", "equal", "not_equal", "bitwise_and", "bitwise_or")

    def __get__(self, tensor, kind):
        return self.answer if tensor is None else None

    def answer(self, tensor, function, method, *inputs, **options):
        if function.__name__ in self.OPERATORS and method == "__call__" and not options:
            return getattr(ops, function.__name__)(*inputs)
        if options.get("out"):
            raise TypeError("an array cannot take a Tensor in place: write a = a + x, not a += x")
        refuse(function)


ALIASES = {"absolute": "abs", "amax": "max", "amin": "min", "dot": "matmul", "vstack": "concatenate"}


def refuse(function):
    """The error for a call of one of NumPy's functions on a Tensor."""
    name = function.__name__
    ours = ALIASES.get(name, name)
    ours = f"use ops.{ours}" if ours in ops.__all__ else f"there is no ops.{ours}"
    raise TypeError(f"np.{name} does not take a Tensor, since it would lose its gradient: {ours}")


Operators.__array_ufunc__ = AskedByNumPy()
