"""Arrays that are not NumPy's, to see without a GPU whether code calls the array module's functions.

To `tinyae.backend.array_module` an Array of this file belongs to the module `standin`, whose
functions are NumPy's on what the Arrays hold. A NumPy function that is given an Array refuses.
"""

import operator
import sys
import types

import numpy as np


class WrongModule(TypeError):
    """NumPy was given an array of another module."""


def _refuse(*args, **kwargs):
    raise WrongModule("a NumPy function was called with an array that is not NumPy's")


class Array:
    """An array of another module than NumPy, with operators and methods but no way into NumPy."""

    __array_priority__ = 1000
    __array_ufunc__ = __array_function__ = __array__ = _refuse

    def __init__(self, data):
        self.held = data

    def __getattr__(self, name):
        found = getattr(self.held, name)
        return _lifted(found) if callable(found) else _wrap(found)

    def __getitem__(self, index):
        return _wrap(self.held[_unwrap(index)])

    def __setitem__(self, index, value):
        self.held[_unwrap(index)] = _unwrap(value)

    def __len__(self):
        return len(self.held)

    def __iter__(self):
        return (_wrap(row) for row in self.held)

    def __bool__(self):
        return bool(self.held)

    def __float__(self):
        return float(self.held)

    def __repr__(self):
        return repr(self.held)


def _wrap(value):
    if isinstance(value, (np.ndarray, np.generic)):
        return Array(np.asarray(value))
    return tuple(map(_wrap, value)) if isinstance(value, tuple) else value


def _unwrap(value):
    if isinstance(value, Array):
        return value.held
    if isinstance(value, np.ndarray):
        _refuse()
    return type(value)(map(_unwrap, value)) if isinstance(value, (list, tuple)) else value


def _lifted(function):
    def lifted(*args, **kwargs):
        return _wrap(function(*map(_unwrap, args), **{key: _unwrap(v) for key, v in kwargs.items()}))
    return lifted


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    _function = _lifted(getattr(operator, _name))
    setattr(Array, f"__{_name.strip('_')}__", _function)
    setattr(Array, f"__r{_name.strip('_')}__", lambda a, b, f=_function: f(b, a))
for _name in ("lt", "le", "eq", "ne", "gt", "ge", "neg", "pos", "abs", "invert"):
    setattr(Array, f"__{_name}__", _lifted(getattr(operator, _name)))


class _Module(types.ModuleType):
    """NumPy's functions, for Arrays."""

    def __getattr__(self, name):
        found = getattr(np, name)
        if isinstance(found, np.ufunc):
            return _Ufunc(found)
        return found if isinstance(found, type) or not callable(found) else _lifted(found)


class _Ufunc:
    def __init__(self, ufunc):
        self.ufunc = ufunc

    def __call__(self, *args, **kwargs):
        return _lifted(self.ufunc)(*args, **kwargs)

    def __getattr__(self, name):  # at, reduce, outer
        return _lifted(getattr(self.ufunc, name))


sys.modules["standin"] = _Module("standin")
Array.__module__ = "standin"


def of_another_module(value):
    """The value with Arrays for NumPy's arrays."""
    return Array(value.copy()) if isinstance(value, np.ndarray) else value
