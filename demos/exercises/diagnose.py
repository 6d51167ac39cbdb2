"""The name of a mistake, from what was expected and what came.

A wrong gradient is seldom wrong at random. It is the right one times a number, or transposed, or not
summed, or another argument's, or one of the wrong formulas that come with the task. There is one rule:

    a mistake is named only where it, done to the right answer, gives what came, in every case.

Where none does, nothing is guessed, and the learner is shown the numbers alone. A sentence begins with
the mistake's name, up to a colon or full stop.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

RIGHT = 1e-12  # relative: differences in place of derivatives, or float32, are not as good as this
ALIKE = 1e-6  # of what came and what a mistake gives

MISSING_G = "g is missing: the gradient of the output has to be a factor."


class Seen(NamedTuple):
    """What one case shows of one result."""

    got: np.ndarray  # None where the learner's code raised an exception
    want: np.ndarray
    others: list  # [(label, what was expected for it, what came for it)] of the other results
    values: dict  # the arguments by name, without g and y
    g: np.ndarray  # the gradient of the output, or None


def agree(got, want, tolerance=RIGHT):
    """Where they agree, entry by entry; to small entries a hundredth of the largest counts."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(want)
        top = np.max(size, where=np.isfinite(size), initial=1e-4)
        near = np.abs(got - want) <= tolerance * (size + 0.01 * top)
    return (near & np.isfinite(want)) | (got == want) | (np.isnan(got) & np.isnan(want))


def close(got, want, tolerance=ALIKE):
    """Whether two arrays have one shape and agree."""
    return got.shape == want.shape and bool(agree(got, want, tolerance).all())


def diagnose(task, i, outcomes):
    """What is wrong with result i, or None where no known mistake gives it.

    outcomes    for each case the list of all results, or None where the code raised an exception
    """
    seen = [_seen(task, case, i, came, right)
            for case, came, right in zip(task.cases, outcomes, task.right)]
    if all(s.got is None for s in seen):
        return None
    return next((words for words, holds in _explanations(task, i, seen) if all(holds)), None)


def fact(task, got, want):
    """What can be said of any result without knowing the mistake, or None."""
    if got.shape != want.shape:
        return "Wrong shape." + task.is_rule * " A gradient always has the shape of its argument."
    if not np.isfinite(got).all():
        return "Not finite: NaN or infinity came out."
    return None


def _seen(task, case, i, came, right):
    others = [(label, right[j], came[j]) for j, label in enumerate(task.labels) if came and j != i]
    values = dict(task.named(case)[2 * task.is_rule:])
    return Seen(came[i] if came else None, right[i], others, values,
                np.asarray(case[0]) if task.is_rule else None)


def _explanations(task, i, seen):
    """(sentence, for each case whether this mistake gives what came), the likeliest first."""
    formulas = list(_of_result(i, _known(task)))
    for words, arrays in formulas:
        yield words, map(_gives, seen, arrays)
    if any(s.got is None for s in seen):  # the mistakes that follow raise no exception
        return
    scales = list(_scales(seen))
    if not all(np.isfinite(s.got).all() for s in seen):
        yield from _overflow(seen)
        return
    if all(s.got.shape == s.want.shape for s in seen):
        yield from _facts(seen)
        for words, factors in scales:
            yield words, (close(s.got, f * s.want) for s, f in zip(seen, factors))
        yield from _exchanges(seen)
        yield from _same_shape(seen)
    else:
        yield from _exchanges(seen)
        yield from _other_shape(seen)
    yield from _repeats(seen)
    for words, arrays in _of_result(i, task.mistakes_without_g() if task.is_rule else ()):
        yield f"{words} And g is missing.", map(_gives, seen, arrays)
    for words, arrays in formulas:  # one mistake seldom comes alone
        if all(array is not None for array in arrays):
            for more, factors in scales:
                yield f"{words} And besides: {more}", (
                    close(s.got, f * array) for s, f, array in zip(seen, factors, arrays))


# --- wrong formulas ------------------------------------------------------------------------------

@functools.cache
def _known(task):
    """[(sentence, all results in each case)] of the formulas that make a mistake."""
    if not task.is_rule:
        return [*task.mistakes, *_written_in(task)]
    return [
        (MISSING_G, task.altered(lambda g, *rest: (np.ones_like(g), *rest))),  # a rule is linear in g
        ("y for g: what is handed on is the gradient of the output, not the output.",
         task.altered(lambda g, y, *rest: (y, y, *rest))),
        *task.mistakes,
        ("g is in it twice: once is enough.", task.altered(lambda g, *rest: (g * g, *rest))),
        *_written_in(task)]


def _written_in(task):
    """The mistakes of someone who wrote settings of the first case into the code."""
    first = task.named(task.cases[0])
    settings = [k for k in range(2 * task.is_rule, len(first))
                if isinstance(first[k][1], (int, float, tuple))
                and any(case[k] != first[k][1] for case in task.cases)]
    for chosen in dict.fromkeys([*((k,) for k in settings), *itertools.combinations(settings, 2),
                                 tuple(settings)]):
        said = " and ".join(f"{first[k][0]} = {first[k][1]}" for k in chosen)
        if chosen:
            yield (f"A number written in: it is right with {said} alone. Take what the function is given.",
                   task.altered(lambda *case: tuple(
                       task.cases[0][k] if k in chosen else value for k, value in enumerate(case))))


def _of_result(i, mistakes):
    """(sentence, result i in each case, None where it cannot be computed), if it is told at all."""
    for words, results in mistakes:
        told = [came[i] if i < len(came) else None for came in results if came is not None]
        if told and all(array is not None for array in told):
            yield words, [came and came[i] for came in results]


def _gives(s, array):
    if s.got is None or array is None:  # both raise an exception
        return s.got is None and array is None
    return close(s.got, array)


# --- a number too many or too few ----------------------------------------------------------------

def _scales(seen):
    """(sentence, the factor in each case) of what a forgotten sign, mean or constant does."""
    minus = "Wrong sign: it is minus what it should be."
    yield minus, [-1] * len(seen)
    for words, factors in [*_constants(seen), *_sizes(seen)]:
        yield words, factors
        yield f"{minus} {words}", [-f for f in factors]


def _constants(seen):
    yield "A factor ½ missing (or a 2 too many): it is twice what it should be.", [2] * len(seen)
    yield "A factor 2 missing (or a ½ too many): it is half of what it should be.", [0.5] * len(seen)


def _sizes(seen):
    """Of a mean for a sum and the like, over any axis of any argument."""
    sizes = {}  # of each case: what they are
    for name in seen[0].values:
        arrays = [s.values[name] for s in seen]
        if all(isinstance(a, np.ndarray) for a in arrays):
            axes = range(min(a.ndim for a in arrays))
            for axis in axes:
                sizes.setdefault(tuple(a.shape[axis] for a in arrays), f"the length of axis {axis} of {name}")
            sizes.setdefault(tuple(a.size for a in arrays), f"the number of entries of {name}")
            for one, two in itertools.combinations(axes, 2):
                sizes.setdefault(tuple(a.shape[one] * a.shape[two] for a in arrays),
                                 f"the product of the lengths of axes {one} and {two} of {name}")
    sizes = [(np.array(n), said) for n, said in sizes.items() if set(n) != {1}]
    shown = _first_wrong(seen)
    for n, said in sizes:
        yield (f"Sum for mean: it is {n[shown]} times too large, and {n[shown]} is {said}. "
               "A division is missing."), n
        yield (f"Mean for sum: it is {n[shown]} times too small, and {n[shown]} is {said}. "
               "A division is too many."), 1 / n
        yield (f"A product for a quotient: it is multiplied by {n[shown]}, which is {said}, where it is to be "
               "divided."), n * n
        words = f"A number written in: {n[0]} is {said} in the first case alone. Take it from the array."
        yield words, n / n[0]
        yield words, n[0] / n
    for (n, right), (m, wrong) in itertools.permutations(sizes, 2):
        yield (f"Divided by the wrong size: {m[shown]} is {wrong}, but it is to be divided by {n[shown]}, "
               f"{right}."), n / m


def _first_wrong(seen):
    return next(k for k, s in enumerate(seen) if not (s.got is not None and close(s.got, s.want, RIGHT)))


# --- the right shape -----------------------------------------------------------------------------

def _overflow(seen):
    finite = [np.isfinite(s.got) for s in seen]
    if any(f.any() for f in finite):
        yield ("Overflow: NaN or infinity came out in some entries, and the others are right. Exponentiate "
               "only what cannot be large, and divide by nothing that can be 0."), (
            s.got.shape == s.want.shape and agree(s.got, s.want, ALIKE)[f].all() for s, f in zip(seen, finite))


def _facts(seen):
    yield ("Not exact: it is right in its first digits only. The others are lost by finite differences, by "
           "float32, or by a small number that is added somewhere."), (close(s.got, s.want, 1e-3) for s in seen)
    yield "Zero everywhere: nothing reaches this argument.", (not s.got.any() for s in seen)


def _exchanges(seen):
    for k, (label, _, _) in enumerate(seen[0].others):
        pairs = [(s, *s.others[k][1:]) for s in seen]
        yield f"Exchanged: this is {label}. Mind the order of what you return.", (
            close(s.got, other) and not close(came, other) for s, other, came in pairs)


def _repeats(seen):
    for k, (label, _, _) in enumerate(seen[0].others):
        pairs = [(s, *s.others[k][1:]) for s in seen]
        yield f"The same twice: this is {label} again.", (
            close(s.got, other) and close(came, other) for s, other, came in pairs)


def _same_shape(seen):
    yield "Forgotten transpose: the right numbers, with the axes in another order.", (
        any(close(s.got, s.want.transpose(axes)) for axes in itertools.permutations(range(s.want.ndim)))
        for s in seen)
    for axis in range(min(s.want.ndim for s in seen)):
        yield f"Back to front: the right numbers in the opposite order along axis {axis}.", (
            close(s.got, np.flip(s.want, axis)) for s in seen)
    yield "Wrong sign in some of the entries: their magnitudes are right.", (
        close(np.abs(s.got), np.abs(s.want)) for s in seen)
    yield from _off_by_one_number(seen)
    yield "A part is missing: the entries that are not zero are right. Are all of them reached?", (
        (agree(s.got, s.want, ALIKE) | (s.got == 0)).all() and s.got.any() for s in seen)
    yield from _terms(seen)


def _off_by_one_number(seen):
    s = max(seen, key=lambda s: s.want.size)
    factor = _ratio(s.got, s.want)
    if factor is not None:
        sign = "Wrong sign: it is minus what it should be. " if factor < 0 else ""
        yield f"{sign}A constant factor: every entry is {abs(factor):.6g} times what it should be.", (
            close(s.got, factor * s.want) for s in seen)
    off = np.median(s.got - s.want)
    if s.want.size > 2 or len(seen) > 1:
        yield f"A constant is missing or too many: every entry is off by {off:.6g}.", (
            close(s.got, s.want + off) for s in seen)


def _ratio(got, want):
    """got / want in the middle, where want is not 0."""
    big = np.abs(want) > 1e-6 * np.abs(want).max(initial=0.0)
    ratio = np.median(got[big] / want[big]) if big.any() else 0
    return ratio if abs(ratio) > 1e-9 else None


def _terms(seen):
    """The right thing, and a term or a factor that is at hand too many or too few."""
    names = [name for name, value in seen[0].values.items() if isinstance(value, np.ndarray)]
    for name in names if seen[0].g is None else ("g", *names):
        spread = [_spread(s.values.get(name, s.g), s.want.shape) for s in seen]
        if any(array is None for array in spread):
            continue
        yield f"A factor too many: it is {name} times what it should be.", (
            close(s.got, s.want * a) for s, a in zip(seen, spread))
        yield f"A factor is missing: {name} times what came would be right.", (
            close(s.got * a, s.want) for s, a in zip(seen, spread))
        if name == "g":
            yield "The slope is missing: g is handed on as it is.", (
                close(s.got, a) for s, a in zip(seen, spread))
            yield "A sum for a product: g is a factor, not a term.", (
                close((s.got - a) * a, s.want) for s, a in zip(seen, spread))
        ratio = _ratio(seen[0].got - seen[0].want, spread[0])
        if ratio is not None:
            yield f"A term is missing or too many: it is off by {ratio:.6g} times {name}.", (
                close(s.got, s.want + ratio * a) for s, a in zip(seen, spread))


def _spread(array, shape):
    """The array broadcast to that shape, or None."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        return None


# --- another shape -------------------------------------------------------------------------------

def _other_shape(seen):
    yield "Wrong shape: the numbers are right, and in the right order.", (
        s.got.size == s.want.size and close(s.got.reshape(s.want.shape), s.want) for s in seen)
    yield ("Sum over the broadcast axis missing: the argument was repeated, and the shares of all copies "
           "add up."), (_summed_back(s) for s in seen)
    yield "Forgotten transpose: it would be right with its axes in another order.", (
        any(close(s.got, s.want.transpose(axes)) for axes in itertools.permutations(range(s.want.ndim)))
        for s in seen)
    yield ("Not broadcast: each entry has to be repeated for all the entries of the argument that it was "
           "made from."), (any(spread is not None and close(spread, s.want) for spread in (
               _spread(s.got, s.want.shape), _spread(s.got[..., None], s.want.shape))) for s in seen)
    for axis in range(min(s.want.ndim for s in seen)):
        for words, reduced in (("sum", np.sum), ("mean", np.mean)):
            yield f"A {words} too many: axis {axis} was reduced, and is to stay.", (
                any(close(s.got, reduced(s.want, axis=axis, keepdims=keep)) for keep in (False, True))
                for s in seen)
        n = seen[0].want.shape[axis]
        yield (f"A number written in: axis {axis} has the length {n}, which is right in the first case "
               "alone."), (_cut(s, axis, n) for s in seen)


def _summed_back(s):
    """Whether what came is right once it is summed over the axes that the argument does not have."""
    lead = s.got.ndim - s.want.ndim
    if lead < 0 or any(n not in (m, 1) for n, m in zip(s.want.shape, s.got.shape[lead:])):
        return False
    stretched = [a for a, n in enumerate(s.want.shape, lead) if n == 1 != s.got.shape[a]]
    return close(s.got.sum(axis=(*range(lead), *stretched)).reshape(s.want.shape), s.want)


def _cut(s, axis, n):
    """Whether they agree as far as both reach, where an axis has the length n in place of its own."""
    if s.got.ndim != s.want.ndim or s.got.shape[axis] not in (n, min(n, s.want.shape[axis])):
        return False
    common = [slice(None)] * s.want.ndim
    common[axis] = slice(min(n, s.want.shape[axis]))
    return close(s.got[tuple(common)], s.want[tuple(common)])
