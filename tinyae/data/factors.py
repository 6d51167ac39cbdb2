"""What the drawn data sets share: the checks of what a caller asks for."""

import numpy as np

from ..backend import check_rng


def checked(name, n, rng, fixed, fields, ranges):
    """The fixed factors as arrays, once it is sure that all arguments of the function `name` are right.

    `fields` is the dtype of the structured array of factors, `ranges` each factor's (lowest, highest).

    Raises TypeError for an n that is no integer, an rng that is no Generator, an unknown factor and
    a factor of a wrong type; ValueError for a negative n and for a factor of a wrong shape or out
    of its range.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"{name}: n must be an integer, not {n!r} ({type(n).__name__})")
    if n < 0:
        raise ValueError(f"{name}: n must be 0 or more, not {n}")
    check_rng(rng, name)
    for factor in fixed:
        if factor not in fields.names:
            raise TypeError(f"{name}: no factor is named {factor!r}; there are {', '.join(fields.names)}")
    return {factor: checked_factor(f"{name}: {factor}", value, n, fields[factor], ranges[factor])
            for factor, value in fixed.items()}


def checked_factor(name, value, n, field, bounds):
    """The array of a fixed factor, once it is sure that its type, shape and range are right."""
    array = np.asarray(value)
    low, high = bounds
    kinds, wanted = ("iu", "integers") if field.base.kind == "i" else ("iuf", "real numbers")
    if array.dtype.kind not in kinds:
        raise TypeError(f"{name} must be {wanted}, not {value!r} (dtype {array.dtype})")
    if array.shape not in [(n,) + field.shape, field.shape]:
        raise ValueError(f"{name} must have shape {field.shape} or, one for each image, "
                         f"{(n,) + field.shape}, not {array.shape}")
    outside = ~((array >= low) & (array <= high))  # written so that nan is outside too
    if outside.any():
        raise ValueError(f"{name} must be in [{low}, {high}], not {array[outside][0]}")
    return array
