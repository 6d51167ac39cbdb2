"""A strict stand-in for CuPy: arrays held by NumPy that refuse what CuPy refuses.

Code that runs on it runs on a GPU as far as that can be told without one. It refuses

    NumPy's functions on its arrays, and turning an array into NumPy's without `.get()`
    NumPy's arrays in an operation with its own (numbers, also NumPy's, are welcome)
    functions, methods and keyword arguments that are not in the tables below

and its reductions give arrays without axes, not numbers. It counts what crosses between the host and
the device: `transfers` of arrays and numbers, in either direction. Where CuPy is installed, a test
compares the tables with it. CuPy itself is more lenient in two points: it takes NumPy's functions as
its own, and an index array's entries that are out of range wrap around.

`install(monkeypatch)` puts it in CuPy's place.
"""

import operator
import sys
import textwrap
import types

import numpy as np

UFUNCS = (  # of one or two arrays, with `out`
    "abs", "add", "cos", "divide", "equal", "exp", "expm1", "greater", "greater_equal", "isfinite", "less",
    "less_equal", "log", "log1p", "maximum", "minimum", "multiply", "negative", "not_equal", "sign", "sin",
    "sqrt", "square", "subtract", "tanh",
)
FUNCTIONS = {  # and the arguments that they take
    "arange": ("start", "stop", "step", "dtype"),
    "array": ("object", "dtype"),
    "asarray": ("a", "dtype"),
    "ascontiguousarray": ("a",),
    "broadcast_to": ("array", "shape"),
    "clip": ("a", "a_min", "a_max"),
    "concatenate": ("arrays", "axis"),
    "einsum": ("optimize",),
    "empty": ("shape", "dtype"),
    "empty_like": ("prototype",),
    "matmul": ("out",),
    "ones": ("shape", "dtype"),
    "ones_like": ("a",),
    "pad": ("array", "pad_width"),
    "result_type": (),
    "stack": ("arrays", "axis"),
    "zeros": ("shape", "dtype"),
    "zeros_like": ("a",),
    "lib.stride_tricks.as_strided": ("x", "shape", "strides"),
    "linalg.eigvalsh": ("a",),
}
METHODS = {
    "all": ("axis",), "any": ("axis",), "argmax": ("axis",), "astype": ("dtype", "copy"), "copy": (),
    "max": ("axis", "keepdims"), "mean": ("axis", "keepdims"), "min": ("axis", "keepdims"),
    "reshape": (), "squeeze": ("axis",), "sum": ("axis", "keepdims"), "swapaxes": (), "transpose": (),
}
PROPERTIES = ("shape", "dtype", "ndim", "size", "strides", "nbytes")
OPERATORS = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor")
IN_PLACE = tuple(name for name in OPERATORS if name != "matmul")
COMPARISONS = ("lt", "le", "eq", "ne", "gt", "ge")
UNARY = ("neg", "pos", "abs", "invert")
DRAWS = {"random": ("size", "dtype"), "standard_normal": ("size", "dtype"),
         "integers": ("low", "high", "size", "dtype")}


class Transfers:
    """How many arrays or numbers went to the device and came from it, and how many were made there."""

    def __init__(self):
        self.to_device = self.to_host = self.made = 0


transfers = Transfers()


def _refuse(self, *args, **kwargs):
    raise TypeError("a NumPy function was given an array of the GPU")


class ndarray:
    """An array on the device that is none."""

    __module__ = "cupy"
    __array_function__ = _refuse
    __hash__ = None

    def __init__(self, held):
        self.held = held
        transfers.made += 1

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        # NumPy's scalars leave an operator to the other side; everything else is a call of NumPy.
        if method != "__call__" or kwargs or not any(isinstance(x, np.generic) for x in inputs):
            _refuse(self)
        return wrap(ufunc(*map(operand, inputs)))

    def get(self):
        transfers.to_host += 1
        return self.held.copy()

    def item(self):
        transfers.to_host += 1
        return self.held.item()

    __float__ = lambda self: float(self.item())  # noqa: E731
    __int__ = lambda self: int(self.item())  # noqa: E731
    __bool__ = lambda self: bool(self.item())  # noqa: E731
    __index__ = lambda self: operator.index(self.item())  # noqa: E731
    __len__ = lambda self: len(self.held)  # noqa: E731
    __iter__ = lambda self: (wrap(row) for row in self.held)  # noqa: E731
    T = property(lambda self: wrap(self.held.T))

    def __getitem__(self, index):
        return wrap(self.held[places(index)])

    def __setitem__(self, index, value):
        self.held[places(index)] = operand(value)


def wrap(value):
    """A result of NumPy's as an array of the device, also where it has no axes."""
    return ndarray(np.asarray(value)) if isinstance(value, (np.ndarray, np.generic)) else value


def operand(value):
    """What NumPy computes with: the held array, or a number."""
    if isinstance(value, ndarray):
        return value.held
    if isinstance(value, (bool, int, float, np.generic)):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def places(index):
    """An index, of slices, integers, and arrays of the device; those of the host are sent there."""
    if isinstance(index, tuple):
        return tuple(map(places, index))
    if isinstance(index, ndarray):
        return index.held
    transfers.to_device += isinstance(index, (list, np.ndarray))
    return index


def argument(value):
    """An argument of a function: arrays of the device, alone or in a list; shapes and numbers."""
    if isinstance(value, ndarray):
        return value.held
    if isinstance(value, (list, tuple)):
        return type(value)(map(argument, value))
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def checked(name, function, names):
    """The function for arrays of the device, with these keyword arguments and no others."""
    def call(*args, **kwargs):
        unknown = set(kwargs) - set(names)
        if unknown:
            raise TypeError(f"{name}() got an unexpected keyword argument {unknown.pop()!r}")
        return wrap(function(*map(argument, args), **{k: argument(v) for k, v in kwargs.items()}))
    return call


def _operator(name):
    function = getattr(operator, name)

    def apply(self, *others):
        if any(getattr(other, "__array_ufunc__", True) is None for other in others):
            return NotImplemented  # the other side is no array, and said that it knows what to do
        return wrap(function(self.held, *map(operand, others)))

    return apply


for _name in (*OPERATORS, *COMPARISONS, *UNARY):
    setattr(ndarray, f"__{_name.strip('_')}__", _operator(_name))
for _name in OPERATORS:
    def _reflected(self, other, function=getattr(operator, _name)):
        return wrap(function(operand(other), self.held))

    setattr(ndarray, f"__r{_name.strip('_')}__", _reflected)
for _name in IN_PLACE:
    def _in_place(self, other, function=getattr(operator, f"i{_name.strip('_')}")):
        function(self.held, operand(other))
        return self

    setattr(ndarray, f"__i{_name.strip('_')}__", _in_place)
for _name in PROPERTIES:
    setattr(ndarray, _name, property(operator.attrgetter(f"held.{_name}")))
for _name, _names in METHODS.items():
    def _method(self, *args, name=_name, names=_names, **kwargs):
        return checked(name, getattr(self.held, name), names)(*args, **kwargs)

    setattr(ndarray, _name, _method)


class Ufunc:
    def __init__(self, name):
        self.function = getattr(np, name)

    def __call__(self, *args, out=None):
        result = self.function(*map(operand, args), out=None if out is None else operand(out))
        return wrap(result) if out is None else out

    def at(self, a, indices, b):
        if self.function is not np.add:
            raise NotImplementedError(f"{self.function.__name__}.at is not supported yet")
        np.add.at(operand(a), places(indices), operand(b))


class Generator:
    """Draws what NumPy's generator draws, on the device; in place of the source of random bits it takes one."""

    def __init__(self, numpys):
        self.held = numpys


for _name, _names in DRAWS.items():
    def _draw(self, *args, name=_name, names=_names, **kwargs):
        return checked(name, getattr(self.held, name), names)(*args, **kwargs)

    setattr(Generator, _name, _draw)


class ElementwiseKernel:
    """A kernel of statements that C and Python read alike, for arrays of one precision, T, and numbers."""

    def __init__(self, in_params, out_params, operation, name):
        self.inputs, self.outputs = ([p.removeprefix("T ") for p in params.split(", ")]
                                     for params in (in_params, out_params))
        self.code = compile(textwrap.dedent(operation).replace(";", ""), name, "exec")

    def __call__(self, *args):
        arrays = {a.dtype for a in args if isinstance(a, ndarray)}
        if len(arrays) > 1:
            raise TypeError(f"Type is mismatched: {arrays}")
        values = dict(zip([*self.inputs, *self.outputs], map(operand, args), strict=True))
        outputs = {name: values[name] for name in self.outputs}
        exec(self.code, {"sqrt": np.sqrt}, values)
        for name, held in outputs.items():
            held[...] = values[name]


def _sent(a, dtype=None):
    """An array of the host or of numbers, as one of the device."""
    if isinstance(a, ndarray):
        return a if dtype in (None, a.dtype) else a.astype(dtype)
    transfers.to_device += 1
    return ndarray(np.array(a, dtype))


def _where(condition, x, y):
    """Like CuPy's it calls a method of the condition, which a bool does not have."""
    return wrap(np.where(operand(condition.astype(bool)), operand(x), operand(y)))


class Pool:
    """CuPy's memory pool: the bytes that it keeps for new arrays, which the device counts as taken."""

    kept = 0
    free_bytes = property(lambda self: lambda: self.kept)


class Memory:
    """What `cuda.Device().mem_info` tells of: bytes free, bytes in all."""

    free, total = 1 << 30, 1 << 31
    mem_info = property(lambda self: (self.free, self.total))


def _module():
    cupy = types.ModuleType("cupy")
    for name in UFUNCS:
        setattr(cupy, name, Ufunc(name))
    for path, names in FUNCTIONS.items():
        *folders, name = path.split(".")
        place, function = cupy, np
        for folder in folders:
            if not hasattr(place, folder):
                setattr(place, folder, types.SimpleNamespace())
            place, function = getattr(place, folder), getattr(function, folder)
        setattr(place, name, checked(path, getattr(function, name), names))
    cupy.array = cupy.asarray = _sent
    cupy.where = _where
    cupy.get_default_memory_pool = Pool
    cupy.ndarray = ndarray
    cupy.ElementwiseKernel = ElementwiseKernel
    cupy.__version__ = "stand-in"
    cupy.random = types.SimpleNamespace(Philox4x3210=np.random.default_rng, Generator=Generator)
    cupy.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=RuntimeError),
        nvrtc=types.SimpleNamespace(getVersion=lambda: (13, 0)),
        Device=Memory,
    )
    return cupy


cupy = _module()


def install(monkeypatch):
    """Put the stand-in in CuPy's place until the test is over."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    transfers.__init__()
    return transfers
