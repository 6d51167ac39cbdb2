"""The name of a mistake, from what was expected and what came.

A wrong gradient is seldom wrong at random. It is the right one times a number, or transposed, or not
summed, or another argument's; so each of these is tried on the expected array, and the one that
gives what came is the mistake. Mistakes of one exercise, wrong formulas, come with the task.

Every function here gives a sentence that begins with the mistake's name, or None.
"""

import itertools

import numpy as np

TOLERANCE = 1e-5  # relative; the differences are good to about 1e-8


def close(got, want):
    """Whether two arrays have one shape and agree to the tolerance."""
    got, want = np.asarray(got), np.asarray(want)
    return got.shape == want.shape and bool(agree(got, want).all())


def agree(got, want):
    """Where they agree, entry by entry; to small entries a hundredth of the largest counts."""
    scale = np.abs(want) + 0.01 * np.abs(want).max(initial=1e-4)
    with np.errstate(invalid="ignore"):
        return np.abs(got - want) <= TOLERANCE * scale


def diagnose(got, want, suspects=(), others=(), g=None, inputs=()):
    """What is wrong with `got`, where `want` was expected, or None where no known mistake gives it.

    suspects    (sentence, array) of wrong formulas
    others      (label, array) of what was expected for the other arguments
    g           the gradient of the output
    inputs      (name, array) of the arguments, whose sizes a mean or a sum may have gone wrong by
    """
    for words, array in suspects:
        if close(got, array):
            return words
    if got.shape != want.shape:
        return _not_summed(got, want, g) or _exchanged(got, others) or _wrong_shape(got, want, g, inputs)
    if not np.isfinite(got).all():
        return ("Overflow: NaN or infinity came out. Exponentiate only what cannot be large, and divide "
                "by nothing that can be 0.")
    if not got.any():
        return "Zero everywhere: nothing reaches this argument."
    return (_exchanged(got, others) or _factor(got, want, g, inputs) or _gradient_of_output(got, want, g)
            or _transposed(got, want) or _some_signs(got, want) or _constant(got, want)
            or _one_part(got, want) or _term(got, want, g, inputs))


def _exchanged(got, others):
    for label, array in others:
        if close(got, array):
            return f"Exchanged: this is {label}. Mind the order of what you return."
    return None


def _not_summed(got, want, g):
    lead = got.ndim - want.ndim
    fits = lead >= 0 and all(n in (m, 1) for n, m in zip(want.shape, got.shape[lead:]))
    if fits and got.size > want.size:
        stretched = [i for i, n in enumerate(want.shape, lead) if n == 1 != got.shape[i]]
        summed = got.sum(axis=(*range(lead), *stretched), keepdims=True).reshape(want.shape)
        if _proportional(summed, want, g):
            return ("Sum over the broadcast axis missing: the argument was repeated, and the shares of "
                    "all copies add up.")
    return None


def _wrong_shape(got, want, g, inputs):
    if got.size == want.size and _proportional(got.reshape(want.shape), want, g):
        return "Wrong shape: the numbers are right, and in the right order."
    if got.ndim == want.ndim:
        for axes in itertools.permutations(range(want.ndim)):
            if got.shape == want.transpose(axes).shape and _proportional(got, want.transpose(axes), g):
                return "Forgotten transpose: it would be right with its axes in another order."
    for spread in (got, got[..., None]):
        if got.ndim <= want.ndim and _proportional(_spread(spread, want.shape), want, g):
            return ("Not broadcast: each entry has to be repeated for all the entries of the argument "
                    "that it was made from.")
    for axes in itertools.chain.from_iterable(
            itertools.combinations(range(want.ndim), k) for k in range(1, want.ndim + 1)):
        if any(_proportional(got, want.sum(axis=axes, keepdims=keep), g) for keep in (False, True)):
            return f"A sum too many: axis {axes[0]} was summed over, and is to stay."
    for name, array in inputs:
        if got.shape == np.shape(array) != ():
            return f"Wrong shape: it is the shape of {name}. Is the order of what you return right?"
    return "Wrong shape: a gradient always has the shape of its argument."


def _spread(array, shape):
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        return array


def _proportional(got, want, g):
    """Whether they are the same but for a constant factor (or for g): one mistake seldom comes alone."""
    if want.size == 1:  # any two numbers are
        return close(got, want)
    return got.shape == want.shape and (
        _ratio(got, want) is not None or _gradient_of_output(got, want, g) is not None)


def _ratio(got, want):
    """got / want where that is one number for all entries, else None."""
    big = np.abs(want) > 1e-6 * np.abs(want).max(initial=0.0)
    if not big.any():
        return None
    ratio = np.median(got[big] / want[big])
    return ratio if close(got, ratio * want) and abs(ratio) > 1e-9 else None


def _factor(got, want, g, inputs):
    """The right thing times a number."""
    ratio = _ratio(got, want)
    if ratio is None:
        return None
    sizes = {}
    for name, array in inputs:
        for axis, n in enumerate(np.shape(array)):
            sizes.setdefault(n, f"{n} is the length of axis {axis} of {name}")
        sizes.setdefault(np.size(array), f"{np.size(array)} is the number of entries of {name}")
    known = [(2, "A factor ½ missing (or a 2 too many): it is twice what it should be."),
             (0.5, "A factor 2 missing (or a ½ too many): it is half of what it should be.")]
    if np.ndim(g) == 0 and g is not None:
        known += [(1 / g, "g is missing: the gradient of the output has to be a factor."),
                  (g, "g is in it twice: once is enough.")]
        known += [(n / g, f"g is missing, and a division as well: {said}.") for n, said in sizes.items()]
    for n, said in sizes.items():
        known += [
            (n, f"Sum for mean: it is {n} times too large, and {said}. A division is missing."),
            (1 / n, f"Mean for sum: it is {n} times too small, and {said}. A division is too many."),
        ]
    known += [(n / m, f"Divided by the wrong size: {sizes[m]}, but it is to be divided by {n}.")
              for n in sizes for m in sizes if m not in (1, n) and n != 1]
    sign = "Wrong sign: it is minus what it should be. " if ratio < 0 else ""
    if np.isclose(abs(ratio), 1, rtol=1e-4):
        return sign.strip()
    for factor, words in known:
        if np.isclose(abs(ratio), abs(factor), rtol=1e-4):
            return sign + words
    if want.size == 1:  # every number is a multiple of every other
        return None
    return f"{sign}A constant factor: every entry is {abs(ratio):.6g} times what it should be."


def _gradient_of_output(got, want, g):
    if g is None or np.ndim(g) == 0:
        return None
    for shaped in (_spread(g, want.shape), _spread(np.asarray(g)[..., None], want.shape)):
        if shaped.shape != want.shape or not got.any():
            continue
        if close(np.abs(got * shaped), np.abs(want)):
            return "g is missing: the gradient of the output has to be a factor."
        if close(got, want * shaped):
            return "g is in it twice: once is enough."
    return None


def _transposed(got, want):
    for axes in itertools.permutations(range(want.ndim)):
        if axes != tuple(range(want.ndim)) and _proportional(got, want.transpose(axes), None):
            return "Forgotten transpose: the right numbers, with axes in the order " + str(axes) + "."
    for axis in range(want.ndim):
        if want.shape[axis] > 1 and close(got, np.flip(want, axis)):
            return f"Back to front: the right numbers in the opposite order along axis {axis}."
    return None


def _some_signs(got, want):
    if close(np.abs(got), np.abs(want)):
        return "Wrong sign in some of the entries: their magnitudes are right."
    return None


def _constant(got, want):
    difference = got - want
    middle = np.median(difference)
    if want.size > 2 and abs(middle) > 1e-9 and close(difference, np.full(want.shape, middle)):
        return f"A constant is missing or too many: every entry is off by {middle:.6g}."
    return None


def _term(got, want, g, inputs):
    """The right thing, and a term or a factor that is at hand too many or too few."""
    for name, array in inputs if g is None else (("g", g), *inputs):
        array = _spread(array, want.shape)
        if array.shape != want.shape or want.size < 2:
            continue
        ratio = _ratio(got - want, array)
        if ratio is not None:
            return f"A term is missing or too many: it is off by {ratio:.6g} times {name}."
        if close(got, want * array):
            return f"A factor too many: it is {name} times what it should be."
        if close(got * array, want):
            return f"A factor is missing: {name} times what came would be right."
        if name == "g" and close((got - g) * g, want):
            return "A sum for a product: g is a factor, not a term."
    return None


def _one_part(got, want):
    """Right along a part of one axis, such as the first example of the batch, and zero elsewhere."""
    right = agree(got, want)
    if (right | (got == 0)).all() and right.any():
        return "A part is missing: the entries that are not zero are right. Are all of them reached?"
    return None
