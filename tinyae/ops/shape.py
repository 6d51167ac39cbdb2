"""Operations that move elements about and compute nothing.

Each is a linear map A, so its rule is the adjoint Aᵀ, and the rule of Aᵀ is A again: they come in
pairs, each the other's rule, and a gradient can be differentiated any number of times.

    reshape        reshape back
    transpose      the inverse transpose
    swapaxes       itself
    broadcast_to   sum_to                       (in tinyae.autodiff: the engine needs them)
    getitem        scatter                      repeated indices add up
    pad            crop, which is getitem with slices
    concatenate    split, which is getitem with slices

The rest (squeeze, expand_dims, stack, split) are these under other names.
"""

import numpy as np

from ..autodiff import Tensor, primitive
from ..backend import array_module


@primitive
def reshape(x, shape):
    """The same elements in the same order, in another shape; one size may be -1."""
    return x.reshape(shape)


@primitive
def transpose(x, axes=None):
    """Axes in another order, by default the reverse."""
    return x.transpose(axes)


@primitive
def swapaxes(x, axis1, axis2):
    """Two axes exchanged."""
    return x.swapaxes(axis1, axis2)


@primitive
def getitem(x, index):
    """x[index]: slices, integers, None, Ellipsis, boolean masks and index arrays."""
    return x[_plain(index)]


@primitive
def scatter(x, index, shape):
    """Zeros of the shape with x added at the index; an element indexed twice receives both."""
    xp = array_module(x)
    out = xp.zeros(shape, x.dtype)
    index = _plain(index)
    parts = index if isinstance(index, tuple) else (index,)
    if all(isinstance(i, (slice, int, type(None), type(Ellipsis))) for i in parts):
        out[index] = x  # a view: nothing repeats
    else:
        xp.add.at(out, index, x)
    return out


@primitive
def pad(x, pad_width):
    """x with zeros around it; pad_width as in NumPy: n, (before, after), or a pair for each axis."""
    return array_module(x).pad(x, pad_width)


@primitive
def join(*arrays, axis=0):
    """The arrays one after another along an axis: what `concatenate` does with a list of them."""
    return array_module(*arrays).concatenate(arrays, axis=axis)


def _plain(index):
    """The index with arrays for Tensors."""
    if isinstance(index, tuple):
        return tuple(map(_plain, index))
    return index.data if isinstance(index, Tensor) else index


def _along(axis, ndim, start, stop):
    """The index that takes [start:stop] of one axis and all of the others."""
    index = [slice(None)] * ndim
    index[axis] = slice(start, stop)
    return tuple(index)


def _crop(g, y, x, pad_width):
    pairs = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    return getitem(g, index=tuple(slice(a, a + n) for (a, _), n in zip(pairs, x.shape)))


def _part(i, g, y, *arrays, axis):
    start = sum(x.shape[axis] for x in arrays[:i])
    return getitem(g, index=_along(axis, y.ndim, start, start + arrays[i].shape[axis]))


def _transpose_back(g, y, x, axes):
    return transpose(g, axes=axes and tuple(int(i) for i in np.argsort([a % x.ndim for a in axes])))


reshape.defvjp(lambda g, y, x, shape: reshape(g, shape=x.shape))
transpose.defvjp(_transpose_back)
swapaxes.defvjp(lambda g, y, x, axis1, axis2: swapaxes(g, axis1=axis1, axis2=axis2))
getitem.defvjp(lambda g, y, x, index: scatter(g, index=index, shape=x.shape))
scatter.defvjp(lambda g, y, x, index, shape: getitem(g, index=index))
pad.defvjp(_crop)
join.defvjp(_part)


def concatenate(arrays, axis=0):
    """Arrays joined along an axis that they have, or flattened and joined where axis is None."""
    _check_axis("concatenate", axis)
    if axis is None:
        arrays, axis = [reshape(x, shape=-1) for x in arrays], 0
    return join(*arrays, axis=axis)


def stack(arrays, axis=0):
    """Arrays of one shape joined along a new axis."""
    _check_axis("stack", axis)
    return join(*[expand_dims(x, axis) for x in arrays], axis=axis)


def _check_axis(name, axis):
    """Refuse a second array in the place of the axis."""
    if hasattr(axis, "dtype") and axis.ndim:
        raise TypeError(f"{name}: expected a list of arrays and the number of an axis, as in {name}([a, b]), "
                        f"got an array of shape {axis.shape} as the axis")


def split(x, indices_or_sections, axis=0):
    """A list of parts of x along an axis: so many equal ones, or cut before each of the indices.

    Raises ValueError where the axis does not divide into so many equal parts.
    """
    n = x.shape[axes_of("split", axis, x.ndim)[0]]
    if isinstance(indices_or_sections, (int, np.integer)):
        if n % indices_or_sections:
            raise ValueError(f"split: an axis of {n} does not divide into {indices_or_sections} equal parts")
        step = n // indices_or_sections
        cuts = list(range(0, n + 1, step)) if step else [0] * (indices_or_sections + 1)
    else:
        cuts = [0, *indices_or_sections, None]
    return [getitem(x, index=_along(axis, x.ndim, a, b)) for a, b in zip(cuts, cuts[1:])]


def axes_of(name, axis, ndim):
    """The axes meant by None (all), a number or a tuple, counted from the front."""
    if axis is None:
        return list(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    places = [a % ndim for a in axes if -ndim <= a < ndim]
    if len(set(places)) != len(axes):
        raise ValueError(f"{name}: axis {axis} does not name {len(axes)} of {ndim} axes")
    return places


def expand_dims(x, axis):
    """x with new axes of size one at those places of the result; axis is a number or a tuple."""
    ndim = x.ndim + (len(axis) if isinstance(axis, tuple) else 1)
    places = axes_of("expand_dims", axis, ndim)
    sizes = iter(x.shape)
    return reshape(x, shape=tuple(1 if i in places else next(sizes) for i in range(ndim)))


def squeeze(x, axis=None):
    """x without the axes named, or without every axis of size one.

    Raises ValueError where an axis named has another size.
    """
    if axis is None:
        return reshape(x, shape=tuple(n for n in x.shape if n != 1))
    axes = axes_of("squeeze", axis, x.ndim)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: the axes {axis} of shape {x.shape} are not all of size one")
    return reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in axes))
