"""Task: what a function of an exercise is called with, what is expected of it, and known mistakes.

What is expected of a rule is found without any rule: from central differences of the forward function,
written here in plain NumPy. So a right rule cannot be blamed for an error in tinyae. Where a function
has a kink, the convention that the exercise states is written out instead.

A suspect is a wrong formula and its name. It is given what the learner's function is given.
"""

import inspect
from typing import Callable, NamedTuple

import numpy as np

STEP = 1e-6  # of the differences


class Complaint(Exception):
    """Something that the learner's function must not do, in words that begin with its name."""


class Task(NamedTuple):
    """One function to write.

    function    its name
    arguments   the names of its arguments
    labels      what its results are, one for each
    cases       the arguments that it is called with, a tuple for each call
    expected    of the arguments, a tuple of arrays, one for each label
    suspects    sentence: a function of the arguments (or several) that makes this mistake, giving such a
                tuple, with None where it says nothing
    call        calls the learner's function with the arguments, where that is not f(*arguments)
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
    tensors: bool = False
    device: bool = False
    slow: str = "Does a loop have an end that it never reaches?"


def rule(forward, inputs, cases, suspects, exact=None, **more):
    """The task to write the rule of `forward` for its first so many inputs.

    exact   the gradients in closed form, of (g, y, *arguments), where differences cannot tell them
    """
    names = tuple(inspect.signature(forward).parameters)
    rng = np.random.default_rng(7)
    calls = []
    for case in cases:
        y = forward(*case)
        g = 0.73 if np.ndim(y) == 0 else rng.standard_normal(np.shape(y))
        calls.append((g, y, *case))

    def expected(g, y, *case):
        if exact:
            found = exact(g, y, *case)
            return found if isinstance(found, tuple) else (found,)
        return tuple(differences(forward, case, i, g) for i in range(inputs))

    return Task(f"{forward.__name__}_vjp", ("g", more.pop("output", "y"), *names),
                tuple(f"the gradient with respect to {name}" for name in names[:inputs]),
                calls, expected, suspects, **more)


def differences(forward, case, i, g):
    """The gradient of Σ g · forward in argument i, by central differences."""
    x = case[i]
    slopes = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        ends = []
        for h in (STEP, -STEP):
            moved = x.copy()
            moved[index] += h
            ends.append(forward(*case[:i], moved, *case[i + 1:]))
        slopes[index] = np.sum(g * (ends[0] - ends[1])) / (2 * STEP)
    return slopes


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


def positive(*shape):
    return 0.1 + 0.8 * np.random.default_rng([3, *shape]).random(shape)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))
