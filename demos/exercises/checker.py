"""Run a learner's file on the tasks of its exercise, and say in words what is wrong."""

import errno
import inspect
import traceback

import numpy as np

from tinyae import Tensor

from .catalogue import Verdict
from .diagnose import agree, diagnose
from .standin import Array, WrongModule, of_another_module
from .tasks import BY_NAME, Complaint


MISFITS = ("matmul", "could not be broadcast", "not aligned", "cannot reshape", "does not broadcast")
UNKNOWN = "That is no mistake that this checker knows. Work the entry above out on paper."


class Wrong(Exception):
    """What is wrong. Its text begins with the mistake's name, up to a colon or full stop, if named.

    about   the line or lines that come before the text in the report
    """

    def __init__(self, text, named=True, about=""):
        super().__init__(text)
        first = text.splitlines()[0]
        self.mistake = first.partition(":")[0].partition(".")[0].strip() if named else None
        self.about = about


def check(exercise, path):
    """The verdict on the learner's file at that path."""
    passed = []
    try:
        namespace = load(path)
        for task in BY_NAME[exercise.name]:
            check_task(task, namespace, path)
            passed.append(task.function)
    except Wrong as wrong:
        right = f"{' and '.join(passed)}: right.\n" if passed else ""
        return Verdict("failing", wrong.mistake, f"{right}{wrong.about}{wrong}")
    return Verdict("done")


def load(path):
    """The names that the file defines."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"The file cannot be read: {error}") from None
    try:
        code = compile(source, str(path), "exec")
    except ValueError as error:  # null bytes
        raise Wrong(f"The file cannot be read: {error}") from None
    except SyntaxError as error:
        caret = f"\n    {' ' * ((error.offset or 1) - 1)}^" if error.text else ""
        line = (error.text or "").rstrip("\n")
        raise Wrong(f"Syntax error: {error.msg}, in line {error.lineno}\n    {line}{caret}") from None
    namespace = {"__name__": "exercise", "__file__": str(path)}
    _guarded(path, lambda: exec(code, namespace))
    return namespace


def check_task(task, namespace, path):
    """Raise Wrong if the learner's function does not do what the task asks."""
    try:
        _check_task(task, namespace.get(task.function), path)
    except Wrong as wrong:
        wrong.about = wrong.about or f"{task.function}:\n"
        raise


def _check_task(task, function, path):
    if not callable(function):
        raise Wrong(f"The function is missing: the file should define {task.function}"
                    f"({', '.join(task.arguments)}).")
    for case in task.cases:
        expected = task.expected(*case)
        _compare(task, case, expected, _call(task, function, case, path))
    if task.device:
        case = [of_another_module(a) for a in task.cases[0]]
        _compare(task, task.cases[0], task.expected(*task.cases[0]), _call(task, function, case, path))


def _call(task, function, case, path):
    """What the learner's function gives, as a list of NumPy arrays."""
    args = [a.copy() if isinstance(a, (np.ndarray, Array)) else a for a in case]
    if task.call:
        results = _guarded(path, lambda: task.call(function, *args), task)
        return list(results) if isinstance(results, tuple) else [results]
    try:
        inspect.signature(function).bind(*args)
    except TypeError:
        raise Wrong(f"Wrong arguments: {task.function} is called with "
                    f"({', '.join(task.arguments)}).") from None
    if task.tensors:
        args = [Tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    results = _guarded(path, lambda: function(*args), task)
    for name, before, after in zip(task.arguments, case, args):
        if not np.array_equal(_plain(before), _plain(after)):
            raise Wrong(f"An argument is changed: {name} is not what it was before the call. Make a new "
                        "array.")
    return _results(task, results)


def _results(task, results):
    labels = task.labels
    if results is None or results is Ellipsis:
        raise Wrong(f"Nothing is returned: the result is {results}. Is the return missing?")
    several = isinstance(results, (tuple, list))
    if len(labels) > 1 or several and len(results) == 1:
        if not several or len(results) != len(labels):
            came = f"{len(results)} of them" if several else f"one {type(results).__name__}"
            raise Wrong(f"Wrong number of results: {came}, where {len(labels)} are expected: "
                        f"{'; '.join(labels)}.")
    else:
        results = [results]
    arrays = []
    for label, result in zip(labels, results):
        if result is None or result is Ellipsis:
            raise Wrong(f"Nothing is returned: {label} is {result}.")
        if task.tensors and not isinstance(result, Tensor):
            raise Wrong(f"NumPy where tinyae's operations are meant: {label} is of type "
                        f"{type(result).__name__}, and should be a Tensor.")
        try:
            arrays.append(np.asarray(_plain(result), np.float64))
        except (TypeError, ValueError):
            raise Wrong(f"Not an array: {label} is of type {type(result).__name__}.") from None
    return arrays


def _plain(value):
    """The NumPy array in whatever holds one."""
    return value.data if isinstance(value, Tensor) else value.held if isinstance(value, Array) else value


def _compare(task, case, expected, results):
    """Raise Wrong if a result is not what is expected, best of all about one with a known mistake."""
    found = []
    for i, (label, want, got) in enumerate(zip(task.labels, expected, results)):
        want = np.asarray(want)
        if got.shape == want.shape and agree(got, want).all():
            continue
        inputs = [(name, a) for name, a in zip(task.arguments, case)
                  if isinstance(a, np.ndarray) and name not in ("g", "y", "z")]
        g = case[0] if task.arguments[0] == "g" else None
        others = [(task.labels[j], other) for j, other in enumerate(expected) if j != i]
        words = diagnose(got, want, list(_suspects(task, case, i)), others, g, inputs)
        about = f"{task.function}: {label} is wrong{_table(got, want)}\n"
        found.append(Wrong(words or UNKNOWN, words is not None, about))
    if found:
        raise next((wrong for wrong in found if wrong.mistake), found[0])


def _suspects(task, case, i):
    """(sentence, array) of the wrong formulas that say something about result i."""
    if task.arguments[0] == "g" and np.ndim(case[0]):  # every rule is linear in g
        g, y, *inputs = case
        yield "g is missing: the gradient of the output has to be a factor.", \
            task.expected(np.ones_like(g), y, *inputs)[i]
        yield "y for g: what is handed on is the gradient of the output, not the output.", \
            task.expected(y, y, *inputs)[i]
    for words, functions in task.suspects.items():
        for suspect in functions if isinstance(functions, tuple) else (functions,):
            with np.errstate(all="ignore"):
                try:
                    arrays = suspect(*case)
                except (ValueError, IndexError):  # its shapes do not fit in this case
                    continue
            arrays = arrays if isinstance(arrays, tuple) else (arrays,)
            if i < len(arrays) and arrays[i] is not None:
                yield words, np.asarray(arrays[i])


def _table(got, want):
    """How many entries are wrong, and the worst of them."""
    if got.shape != want.shape:
        return f": it has the shape {got.shape}, expected {want.shape}."
    wrong = ~agree(got, want)
    error = np.where(wrong, np.nan_to_num(np.abs(got - want), nan=np.inf), -1)
    worst = np.unravel_index(np.argmax(error), want.shape)
    entry = f"entry [{', '.join(map(str, map(int, worst)))}]" if want.ndim else "the number"
    return (f", shape {want.shape}, in {wrong.sum()} of {wrong.size} entries. The worst:\n"
            f"    {entry}:  expected {want[worst]:.6g}, got {got[worst]:.6g}")


def _guarded(path, run, task=None):
    """What run() gives; whatever goes wrong in the learner's code becomes a Wrong with its line."""
    try:
        with np.errstate(all="ignore"):
            return run()
    except Complaint as complaint:
        raise Wrong(str(complaint)) from None
    except BaseException as error:  # also SystemExit and KeyboardInterrupt raised by that code
        raise Wrong(f"{_explain(error, task)}\n{_where(error, path)}") from None


def _where(error, path):
    """The learner's own line, and what was raised there."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    lines = [f"    line {f.lineno}, in {f.name}:  {f.line}" for f in frames[-1:]]
    message = str(error).splitlines()
    return "\n".join([*lines, f"    {type(error).__name__}{': ' + message[0] if message else ''}"])


def _explain(error, task):
    """A sentence on an exception in the learner's code, which begins with the mistake's name."""
    message = str(error)
    if isinstance(error, NotImplementedError):
        return "not written yet"
    if isinstance(error, WrongModule) or task and task.device and message == "name 'np' is not defined":
        return ("NumPy where the array module is meant: the code is to run on CuPy's arrays too. Take "
                "xp = array_module(x), and call xp's functions in place of np's.")
    if isinstance(error, MemoryError):
        return "Too much memory: is there an array or a list that grows without end?"
    if isinstance(error, RecursionError):
        return "Too deep a recursion: Python stops a function that calls itself so often. Use a loop."
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return "Endless output: your code prints without end."
    if "Tensor is not turned into" in message or "does not take a Tensor" in message:
        return ("NumPy where tinyae's operations are meant: the arguments are Tensors. Use ops and the "
                "methods of Tensor.")
    if isinstance(error, ValueError) and any(words in message for words in MISFITS):
        return "Shapes that do not fit: is a transpose forgotten, or the order of the factors wrong?"
    return f"An exception in your code: {type(error).__name__}."
