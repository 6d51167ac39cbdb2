"""The engine in ten steps: each file runs and shows what it says, stays small, and ends at tinyae."""

import ast
import difflib
import gc
import os
import re
import subprocess
import sys
import tracemalloc
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tinyae
from demos.steps import STEPS
from tinyae import ops

ROOT = Path(__file__).resolve().parents[2]
PATHS = [path for path, _ in STEPS]


def shown(path):
    """What a step prints when it is run as a reader runs it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run([sys.executable, str(path)], env=environment, capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    return run.stdout


def numbers(text):
    return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


def code(path):
    """The lines of a file that are neither docstring nor comment nor blank."""
    text = path.read_text(encoding="utf-8")
    prose = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            prose.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return [line for i, line in lines if i not in prose and line.strip() and not line.lstrip().startswith("#")]


def load(path):
    """The names that a step defines, as an object."""
    names = {"__name__": path.stem}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), names)
    return SimpleNamespace(**names)


@pytest.fixture(scope="module")
def outputs():
    return {path.stem[:6]: shown(path) for path in PATHS}


@pytest.fixture(scope="module")
def step9():
    step = load(PATHS[8])
    tracemalloc.stop()
    return step


def test_there_are_ten_steps_in_order_with_titles():
    assert [path.name[:7] for path in PATHS] == [f"step{n:02}_" for n in range(1, 11)]
    assert [title.split(":")[0] for _, title in STEPS] == [f"Step {n}" for n in range(1, 11)]
    assert all(title.endswith(".") for _, title in STEPS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_step_is_small_and_prose_stands_between_its_code(path):
    assert len(code(path)) <= 80
    text = path.read_text(encoding="utf-8")
    cells = re.split(r"^# %%", text, flags=re.M)[1:]
    assert all(cell.startswith((" [markdown]\n", "\n")) for cell in cells)
    for cell in cells:
        if cell.startswith(" [markdown]"):
            assert all(line.startswith("#") or not line for line in cell.splitlines()[1:])
    assert "# ## What was shown" in text and "# ## To try" in cells[-1]
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("before, after", list(zip(PATHS[:8], PATHS[1:9])), ids=lambda path: path.stem)
def test_the_difference_between_two_steps_fits_a_screen(before, after):
    """Side by side, so that a line put in the place of another is one line."""
    edits = difflib.SequenceMatcher(None, code(before), code(after), autojunk=False).get_opcodes()
    assert 0 < sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in edits if tag != "equal") <= 45


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_step_imports_the_standard_library_and_numpy_only(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    allowed = {"numpy", *sys.stdlib_module_names, *(("tinyae", "demos") if path == PATHS[9] else ())}
    assert imported <= allowed


def test_every_step_prints_a_few_lines_with_numbers(outputs):
    for text in outputs.values():
        assert 2 <= len(text.splitlines()) <= 8
        assert numbers(text)


def test_step_1_remembers_the_formula(outputs):
    assert "tanh(add(mul(0.5, 3.0), -1.0))" in outputs["step01"]
    assert f"L = {np.tanh(0.5):.6f}"[:-1] in outputs["step01"]


def test_step_2_finds_the_gradient_that_moving_the_input_finds(outputs):
    gw, gx, gb, moved = numbers(outputs["step02"])
    slope = 1 - np.tanh(0.5) ** 2
    np.testing.assert_allclose([gw, gx, gb, moved], [3 * slope, 0.5 * slope, slope, 3 * slope], atol=1e-6)


def test_step_2_has_the_flaw_that_step_3_mends():
    """Step 2's walk forgets all shares but the last; its last question is about that."""
    for path, expected in (PATHS[1], 3.0), (PATHS[2], 6.0):
        step = load(path)
        x = step.Tensor(3.0)
        assert step.grad(x * x, [x]) == [expected]


def test_step_3_walks_every_path_and_step_4_every_edge_once(outputs):
    assert "7.0" in outputs["step03"]
    assert "1024.0 from 2046 calls" in outputs["step03"]
    assert "1024.0 from 20 calls" in outputs["step04"]


def test_step_3_cannot_go_deep_and_step_4_can():
    step = load(PATHS[2])
    y = x = step.Tensor(1.0)
    for _ in range(2000):
        y = y + 1
    with pytest.raises(RecursionError):
        step.grad(y, [x])
    step = load(PATHS[3])
    y = x = step.Tensor(1.0)
    for _ in range(50_000):
        y = y + 1
    assert step.grad(y, [x]) == [1.0]


def test_step_5_leaves_the_flaw_that_step_6_mends(outputs):
    assert "shape () but its gradient the shape (3,)" in outputs["step05"]
    step = load(PATHS[5])
    w, b = step.Tensor([0.5, -1.0]), step.Tensor(2.0)
    gw, gb = step.grad((w * b + b).sum(), [w, b])
    np.testing.assert_allclose(gw, [2.0, 2.0])
    assert gb.shape == () and gb == 1.5
    left, right = (numbers(line)[0] for line in outputs["step06"].splitlines()[:2])
    assert left == right


@pytest.mark.parametrize("path", PATHS[4:9], ids=lambda path: path.stem)
def test_an_output_of_many_elements_is_refused(path):
    step = load(path)
    x = step.Tensor([1.0, 2.0])
    with pytest.raises(AssertionError, match=r"one element, not of shape \(2,\)"):
        step.grad(x * x, [x])


def test_step_7_agrees_with_the_formulas(outputs):
    for line in outputs["step07"].splitlines()[:3]:
        got, formula = line.split("by the formula")
        np.testing.assert_allclose(numbers(got), numbers(formula), atol=1e-8)


def test_step_8_learns_a_code_of_its_own_for_each_pattern(outputs):
    *losses, codes = outputs["step08"].splitlines()
    losses = [numbers(line)[1] for line in losses]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.05 * losses[0]
    assert codes.startswith("8 different codes")


def test_step_9_keeps_only_what_is_needed(outputs):
    off, on, back = outputs["step09"].splitlines()
    off, on, back = numbers(off)[0], numbers(on)[0], numbers(back)[0]
    assert 0.7 < off < 2 and 79 < on < 82 and back < on + 8  # the gradients of all results would be 80 more


def test_step_9_leaves_nothing_to_the_collector(step9):
    gc.disable()
    try:
        x = step9.Tensor([0.5, 1.0], requires_grad=True)
        y = step9.tanh(x)
        g, = step9.grad(y.sum(), [x], create_graph=True)
        seen = [weakref.ref(y), weakref.ref(g)]
        del y, g
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


def test_step_9_records_again_after_an_error_within_no_grad(step9):
    x = step9.Tensor(1.0, requires_grad=True)
    with pytest.raises(ZeroDivisionError), step9.no_grad():
        1 / 0
    assert (x * x).requires_grad
    with step9.no_grad():
        with step9.no_grad():
            pass
        assert not (x * x).requires_grad


def test_step_9_does_not_record_what_asks_for_no_gradient(step9):
    x, w = step9.Tensor(2.0), step9.Tensor(3.0, requires_grad=True)
    assert (x * x).node is None and (x * w).node is not None
    g, = step9.grad(w * w, [w])
    assert g.node is None
    g, = step9.grad(w * w, [w], create_graph=True)
    assert g.node is not None


# Expressions for either engine e: operators, and the operations that e brings.
EXPRESSIONS = {
    "a number from the right": lambda e, a, b, c: (2 - a) * 3 + 1 - a * 0.5,
    "a fork": lambda e, a, b, c: a * a + e.tanh(a) * a - a,
    "broadcasting": lambda e, a, b, c: e.tanh(a * b + c) * b,
    "a matrix product": lambda e, a, b, c: e.tanh(a @ e.transpose(b * a) + c) @ a,
    "a sum over rows": lambda e, a, b, c: e.sum_to(a * a, shape=(4,)) * e.sum_to(a, shape=(3, 1)) + b,
    "repeated": lambda e, a, b, c: e.broadcast_to(b, shape=(2, 3, 4)) * a * a + c,
    "an input of no effect": lambda e, a, b, c: c * c,
}
THEIRS = SimpleNamespace(Tensor=tinyae.Tensor, grad=tinyae.grad, tanh=ops.tanh, transpose=ops.transpose,
                         sum_to=ops.sum_to, broadcast_to=ops.broadcast_to)


def derivatives(engine, expression):
    """The value, the gradients, and the gradients of the gradients' squared size, as arrays."""
    rng = np.random.default_rng(3)
    inputs = [engine.Tensor(rng.normal(size=shape), requires_grad=True) for shape in ((3, 4), (4,), ())]
    y = expression(engine, *inputs)
    first = engine.grad((y * y).sum(), inputs, create_graph=True)
    size = (y * y).sum() + sum((g * g).sum() for g in first)
    return [t.data for t in (y, *first, *engine.grad(size, inputs))]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_step_9_is_tinyae_value_by_value(step9, name):
    ours, theirs = (derivatives(engine, EXPRESSIONS[name]) for engine in (step9, THEIRS))
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_step_10_finds_no_difference(outputs):
    *parts, losses = outputs["step10"].splitlines()
    assert [numbers(part)[0] for part in parts] == [25, 59, 59, 84]
    assert all(numbers(part)[1] < 1e-12 for part in parts)
    before, after = numbers(losses)
    assert after < before


def test_step_10_says_where_to_find_each_name():
    table = re.findall(r"^#     (\S.*?)   +(\S+\.py)", PATHS[9].read_text(encoding="utf-8"), flags=re.M)
    assert len(table) == 8
    for names, file in table:
        text = (ROOT / "tinyae" / file).read_text(encoding="utf-8")
        for name in re.findall(r"\w+", names):
            assert re.search(rf"^ *(def|class) {name}\b", text, flags=re.M), f"{name} is not in {file}"
