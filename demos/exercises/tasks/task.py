"""Task: what a function of an exercise is called with, what is expected of it, and known mistakes.

What is expected of a rule is found without any rule, from the forward function alone, written here in
plain NumPy: f(x + ih) = f(x) + ih f'(x) + O(h²), so that the imaginary part over h is the slope (the
complex step of Squire and Trapp 1998). No two numbers are subtracted, so that no digit is lost, and a
right rule cannot be blamed for an error in tinyae. Where a function has a kink, the convention that the
exercise states is written out instead.

Each function is called with several cases, which differ in every size and setting: what is written in
for one of them is wrong in another.

A suspect is a wrong formula and its name. It is given what the learner's function is given.
"""

import functools
import inspect
from dataclasses import dataclass
from typing import Callable

import numpy as np

STEP = 1e-30  # along the imaginary axis


class Complaint(Exception):
    """Something that the learner's function must not do, in words that begin with its name."""


@dataclass(frozen=True, eq=False)
class Task:
    """One function to write.

    function    its name
    arguments   the names of its arguments
    labels      what its results are, one for each
    cases       what it is called with, a tuple for each call
    expected    of a case, a tuple of arrays, one for each label
    suspects    sentence: a function of a case (or several) that makes this mistake, giving such a
                tuple, with None where it says nothing
    call        calls the learner's function with a case, where that is not f(*case)
    names       what the values of a case are called, where these are not the arguments
    tensors     whether the arguments are Tensors
    device      whether it must run on arrays of another module than NumPy
    slow        what may be the matter if it does not end
    """

    function: str
    arguments: tuple
    labels: tuple
    cases: list
    expected: Callable
    suspects: dict
    call: Callable = None
    names: tuple = None
    tensors: bool = False
    device: bool = False
    slow: str = "Does a loop have an end that it never reaches?"

    @property
    def is_rule(self):
        """Whether it turns the gradient of an output into gradients of inputs."""
        return self.arguments[0] == "g" and self.call is None

    def named(self, case):
        """[(name, value)] of what is in a case."""
        return list(zip(self.names or self.arguments, case))

    @functools.cached_property
    def right(self):
        """What is expected in each case."""
        return [tuple(map(np.asarray, self.expected(*case))) for case in self.cases]

    @functools.cached_property
    def mistakes(self):
        """[(sentence, what this mistake gives in each case)]; None where it cannot even be computed."""
        return [(words, [_attempt(suspect, case) for case in self.cases])
                for words, suspects in self.suspects.items()
                for suspect in (suspects if isinstance(suspects, tuple) else (suspects,))]

    def altered(self, alter):
        """What is expected in each case if alter(*case) is taken for it."""
        return [_attempt(lambda *case: self.expected(*alter(*case)), case) for case in self.cases]

    def mistakes_without_g(self):
        """The mistakes of someone who left out g, too."""
        for words, suspects in self.suspects.items():
            for suspect in suspects if isinstance(suspects, tuple) else (suspects,):
                yield words, [_attempt(suspect, (np.ones_like(g), *rest)) for g, *rest in self.cases]


def _attempt(formula, case):
    try:
        with np.errstate(all="ignore"):
            found = formula(*case)
    except (ValueError, IndexError):  # its shapes do not fit in this case
        return None
    found = found if isinstance(found, tuple) else (found,)
    return tuple(None if array is None else np.asarray(array) for array in found)


def rule(forward, inputs, cases, suspects, exact=None, output="y", **more):
    """The task to write the rule of `forward` for its first so many inputs.

    exact   the gradients in closed form, of (g, y, *arguments), where the function has a kink
    """
    names = tuple(inspect.signature(forward).parameters)
    rng = np.random.default_rng(7)
    calls = []
    for number, case in enumerate(cases):
        y = forward(*case)
        g = 0.73 + 0.9 * number if np.ndim(y) == 0 else rng.standard_normal(np.shape(y))
        calls.append((g, y, *case))

    def expected(g, y, *case):
        if exact:
            found = exact(g, y, *case)
            return found if isinstance(found, tuple) else (found,)
        return tuple(slopes(forward, case, i, g) for i in range(inputs))

    return Task(f"{forward.__name__}_vjp", ("g", output, *names),
                tuple(f"the gradient with respect to {name}" for name in names[:inputs]),
                calls, expected, suspects, **more)


def slopes(forward, case, i, g=1.0):
    """The gradient of Σ g · forward in argument i, by complex steps."""
    x = case[i]
    found = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1j * STEP
        found[index] = np.sum(g * forward(*case[:i], moved, *case[i + 1:]).imag) / STEP
    return found


def value(function, reference, label, cases, suspects, **more):
    """The task to write a function of the same arguments and values as the reference."""
    def expected(*case):
        found = reference(*case)
        return found if isinstance(found, tuple) else (found,)

    labels = label if isinstance(label, tuple) else (label,)
    return Task(function, tuple(inspect.signature(reference).parameters), labels, cases, expected,
                suspects, **more)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def positive(*shape, seed=3):
    return 0.1 + 0.8 * np.random.default_rng([seed, *shape]).random(shape)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def softplus(x):
    """ln(1 + eˣ), of complex numbers too."""
    right = np.real(x) > 0
    return np.where(right, x, 0) + np.log1p(np.exp(np.where(right, -x, x)))


def logsumexp(x, axis=-1):
    top = np.max(np.real(x), axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + np.squeeze(top, axis)


def softmax(x, axis=-1):
    e = np.exp(x - np.max(np.real(x), axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
