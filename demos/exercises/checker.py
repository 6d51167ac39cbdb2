"""Run a learner's file on the tasks of its exercise, and say in words what is wrong."""

import errno
import inspect
import traceback
import warnings

import numpy as np

from tinyae import Tensor

from .catalogue import Verdict
from .diagnose import RIGHT, agree, close, diagnose, fact
from .standin import Array, WrongModule, of_another_module
from .tasks import BY_NAME, Complaint


MISFITS = ("matmul", "could not be broadcast", "could not broadcast", "not aligned", "cannot reshape", "does not broadcast",
           "not broadcastable")
NO_TENSORS = ("Tensor is not turned into", "__array_ufunc__", "does not take a Tensor")  # of NumPy
LARGEST = 1 << 18  # bytes of a learner's file
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


class Misfit(Wrong):
    """An exception such as arrays raise that do not go together: a mistake may show in this, too."""


def check(exercise, path):
    """The verdict on the learner's file at that path."""
    right = []
    try:
        namespace = load(path)
        for task in BY_NAME[exercise.name]:
            check_task(task, namespace, path)
            if task.function not in right:
                right.append(task.function)
    except Wrong as wrong:
        so_far = f"{' and '.join(right)}: right.\n" if right else ""
        return Verdict("failing", wrong.mistake, _short(f"{so_far}{wrong.about}{wrong}"))
    return Verdict("done")


def _short(text):
    """The text with no line longer than a screen is wide, nor more lines than it is high."""
    lines = [line if len(line) <= 300 else f"{line[:300]} ..." for line in text.splitlines()]
    return "\n".join(lines if len(lines) <= 40 else [*lines[:40], "..."])


def load(path):
    """The names that the file defines."""
    try:
        if path.stat().st_size > LARGEST:
            raise Wrong(f"The file is too large: {path.stat().st_size:,} bytes, where an exercise takes "
                        "some lines.")
        source = path.read_text(encoding="utf-8")
        code = compile(source, str(path), "exec")
    except SyntaxError as error:
        line, caret = "", ""
        if error.text:
            line = "\n    " + error.text.rstrip("\n")
            caret = f"\n    {' ' * ((error.offset or 1) - 1)}^"
        raise Wrong(f"Syntax error: {error.msg}, in line {error.lineno}{line}{caret}") from None
    except (OSError, ValueError) as error:  # among them: not UTF-8, null bytes
        raise Wrong(f"The file cannot be read: {error}") from None
    except (MemoryError, RecursionError):
        raise Wrong("The file cannot be read: an expression in it is too long for Python.") from None
    namespace = {"__name__": "exercise", "__file__": str(path)}
    _guarded(path, lambda: exec(code, namespace))
    return namespace


def check_task(task, namespace, path):
    """Raise Wrong if the learner's function does not do what the task asks."""
    function = namespace.get(task.function)
    try:
        if not callable(function):
            raise Wrong(f"The function is missing: the file should define {task.function}"
                        f"({', '.join(task.arguments)}).")
        _compare(task, [_outcome(task, function, case, path) for case in task.cases])
        if task.device:
            elsewhere = [of_another_module(value) for value in task.cases[0]]
            came = _call(task, function, elsewhere, path)
            _compare(task, [came, *task.right[1:]], " on arrays that are not NumPy's")
    except Wrong as wrong:
        wrong.about = wrong.about or f"{task.function}:\n"
        raise


def _outcome(task, function, case, path):
    """What the learner's function gives in a case, as a list of NumPy arrays, or a Misfit."""
    try:
        return _call(task, function, case, path)
    except Misfit as misfit:
        return misfit


def _call(task, function, case, path):
    args = [a.copy() if isinstance(a, (np.ndarray, Array)) else a for a in case]
    if task.call:
        return _guarded(path, lambda: _arrays(task, task.call(function, *args)), task)
    try:
        inspect.signature(function).bind(*args)
    except (TypeError, ValueError):
        raise Wrong(f"Wrong arguments: {task.function} is called with "
                    f"({', '.join(task.arguments)}).") from None
    if task.tensors:
        args = [Tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    arrays = _guarded(path, lambda: _arrays(task, function(*args)), task)
    for name, before, after in zip(task.arguments, case, args):
        if not np.array_equal(_plain(before), _plain(after)):
            raise Wrong(f"An argument is changed: {name} is not what it was before the call. Make a new "
                        "array.")
    return arrays


def _arrays(task, results):
    """The learner's results as a list of NumPy arrays, one for each label."""
    labels = task.labels
    if results is None or results is Ellipsis:
        raise Wrong(f"Nothing is returned: the result is {results}. Is the return missing?")
    several = isinstance(results, (tuple, list))
    if several and not (len(labels) == 1 and isinstance(results, list) and results[1:]):  # an array's rows
        results = list(results)
    else:
        several, results = False, [results]
    if len(results) != len(labels):
        came = f"{len(results)} of them" if several else f"one {type(results[0]).__name__}"
        raise Wrong(f"Wrong number of results: {came}, where {len(labels)} "
                    f"{'is' if len(labels) == 1 else 'are'} expected: {'; '.join(labels)}.")
    return [_array(task, label, result) for label, result in zip(labels, results)]


def _array(task, label, result):
    if result is None or result is Ellipsis:
        raise Wrong(f"Nothing is returned: {label} is {result}.")
    if task.tensors and not isinstance(result, Tensor):
        raise Wrong(f"NumPy where tinyae's operations are meant: {label} is of type "
                    f"{type(result).__name__}, and should be a Tensor.")
    try:
        array = np.asarray(_plain(result))
        if array.dtype.kind not in "biuf":
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"Not an array: {label} is of type {type(result).__name__}, and should be an array of "
                    "real numbers.") from None


def _plain(value):
    """The NumPy array in whatever holds one."""
    return value.data if isinstance(value, Tensor) else value.held if isinstance(value, Array) else value


def _compare(task, outcomes, where=""):
    """Raise Wrong if a result is not what is expected, best of all about one with a known mistake."""
    raised = [isinstance(came, Misfit) for came in outcomes]
    results = [None if misfit else came for came, misfit in zip(outcomes, raised)]
    found = []
    for i, label in enumerate(task.labels):
        wrong = [k for k, came in enumerate(results)
                 if came and not close(came[i], task.right[k][i], RIGHT)]
        if wrong:
            words = diagnose(task, i, results)
            about = _about(task, i, wrong[0], results, where)
            if words:
                raise Wrong(words, about=about)
            found.append((about, fact(task, results[wrong[0]][i], task.right[wrong[0]][i])))
    if any(raised) and (raised[0] or not found):
        raise outcomes[raised.index(True)]
    if found:
        about, words = next((f for f in found if f[1]), found[0])
        raise Wrong(words or UNKNOWN, words is not None, about)


def _about(task, i, k, results, where):
    """Which result is wrong in case k, which case that is, and how far off it is."""
    got, want = results[k][i], task.right[k][i]
    before = "" if k == 0 else " (in the cases before it was right)"
    return (f"{task.function}: {task.labels[i]} is wrong{where}{_table(got, want)}\n"
            f"    case {k + 1} of {len(results)}{before}: {_described(task, k)}\n")


def _described(task, k):
    """The shapes and the settings of a case."""
    said = []
    for name, value in task.named(task.cases[k]):
        if isinstance(value, np.ndarray):
            said.append(f"{name} {value.shape}")
        elif isinstance(value, (int, float, tuple)):
            said.append(f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}")
        elif isinstance(value, list):
            said.append(f"{name}, the last of {len(value)} nodes")
    return ", ".join(said)


def _table(got, want):
    """How many entries are wrong, and the worst of them."""
    if got.shape != want.shape:
        return f": it has the shape {got.shape}, expected {want.shape}."
    wrong = ~agree(got, want)
    error = np.where(wrong, np.nan_to_num(np.abs(got - want), nan=np.inf), -1)
    worst = np.unravel_index(np.argmax(error), want.shape)
    entry = f"entry [{', '.join(map(str, map(int, worst)))}]" if want.ndim else "the number"
    digits = 6 if f"{want[worst]:.6g}" != f"{got[worst]:.6g}" else 15
    return (f", shape {want.shape}, in {wrong.sum()} of {wrong.size} entries. The worst:\n"
            f"    {entry}:  expected {want[worst]:.{digits}g}, got {got[worst]:.{digits}g}")


def _guarded(path, run, task=None):
    """What run() gives; whatever goes wrong in the learner's code becomes a Wrong with its line."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run()
    except Wrong:
        raise
    except Complaint as complaint:
        raise Wrong(str(complaint)) from None
    except BaseException as error:  # also SystemExit and KeyboardInterrupt raised by that code
        fits = isinstance(error, (ValueError, IndexError)) and task
        kind = Misfit if fits else Wrong
        raise kind(f"{_explain(error, task)}\n{_where(error, path)}") from None


def _where(error, path):
    """The learner's own line, and what was raised there."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    lines = [f"    line {f.lineno}, in {f.name}:  {f.line}" for f in frames[-1:]]
    said = message(error).splitlines()
    return "\n".join([*lines, f"    {type(error).__name__}{': ' + said[0] if said else ''}"])


def message(error):
    """Its text, which is the learner's own code where the class is."""
    try:
        return str(error)
    except BaseException:
        return "(with a text that raises an exception itself)"


def _explain(error, task):
    """A sentence on an exception in the learner's code, which begins with the mistake's name."""
    said = message(error)
    if isinstance(error, NotImplementedError):
        return "not written yet"
    if isinstance(error, WrongModule) or task and task.device and said == "name 'np' is not defined":
        return ("NumPy where the array module is meant: the code is to run on CuPy's arrays too. Take "
                "xp = array_module(x), and call xp's functions in place of np's.")
    if isinstance(error, MemoryError):
        return "Too much memory: is there an array or a list that grows without end?"
    if isinstance(error, RecursionError):
        return "Too deep a recursion: Python stops a function that calls itself so often. Use a loop."
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return "Endless output: your code prints without end."
    if any(words in said for words in NO_TENSORS):
        return ("NumPy where tinyae's operations are meant: the arguments are Tensors. Use ops and the "
                "methods of Tensor.")
    if isinstance(error, ValueError) and any(words in said for words in MISFITS):
        return "Shapes that do not fit: what came together in this line is said below."
    return f"An exception in your code: {type(error).__name__}."
