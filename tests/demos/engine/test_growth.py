"""The demo of growth: its sizes, its steps, what it counts and what it claims. No time is judged here."""

import importlib.util
import math
import multiprocessing
import tempfile

import numpy as np
import pytest
import strict_cupy

from demos.engine import _turns, growth
from demos.engine._sizes import Sizes
from tinyae import optim

SMALL = Sizes(batch=4, width=30, depth=2)


def test_quick_run(run_quick, monkeypatch):
    monkeypatch.setattr(_turns, "PAUSE", 0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # PyTorch may be installed here
    metrics, names = run_quick(growth)
    assert names == {"time.png", "memory.png", "metrics.json"}
    assert {c["id"] for c in metrics["claims"]} == {
        "growth.batch", "growth.linear", "growth.memory", "growth.examples", "growth.memmap"}
    measured = metrics["measured"]
    assert [(step["batch"], step["width"], step["depth"]) for step in measured["steps"]] == [
        (32, 256, 2), (128, 256, 2), (128, 64, 2), (128, 256, 1)]
    assert all(list(step["seconds"]) == ["tinyae"] and step["seconds"]["tinyae"] > 0 for step in measured["steps"])
    assert [found["file_bytes"] for found in measured["files"]] == [500 * 256, 1000 * 256]
    assert not multiprocessing.active_children()


# --- sizes and steps -----------------------------------------------------------------------------

def test_what_a_step_computes_and_holds():
    assert SMALL.layers == [(784, 30), (30, 30), (30, 20), (20, 30), (30, 30), (30, 784)]
    weights = 2 * (784 * 30 + 30 * 30 + 30 * 20)
    assert SMALL.arithmetic == 6 * 4 * weights
    biases = outputs = 4 * 30 + 20 + 784
    assert SMALL.held == 4 * (4 * (weights + biases) + 4 * (784 + outputs))


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_step_of_ours_changes_every_parameter(device, monkeypatch):
    if device == "gpu":
        strict_cupy.install(monkeypatch)
    made, begin = [], optim.Adam.__init__
    monkeypatch.setattr(optim.Adam, "__init__", lambda self, *args: made.append(self) or begin(self, *args))
    step = growth.built(SMALL, "tinyae", device)
    adam, = made
    assert [p.shape for p in adam.params] == [shape for n, m in SMALL.layers for shape in ((n, m), (m,))]
    assert adam.params[0].device == device
    before = adam.params[0].numpy().copy()
    step()
    assert adam.steps == 1 and not np.array_equal(adam.params[0].numpy(), before)


def test_pytorch_takes_the_same_step(monkeypatch):
    """The same network and loss: from the same weights, both have the same weights after it."""
    torch = pytest.importorskip("torch")
    made, given = [], []
    ours, theirs = optim.Adam.__init__, torch.optim.Adam
    monkeypatch.setattr(optim.Adam, "__init__", lambda self, *args: made.append(self) or ours(self, *args))
    monkeypatch.setattr(torch.optim, "Adam", lambda p, lr: theirs(given.append(list(p)) or given[-1], lr))
    steps = [growth.built(SMALL, name, "cpu") for name in growth.CONTENDERS]
    for mine, its in zip(made[0].params, given[0], strict=True):
        its.data = torch.from_numpy(mine.numpy().T.copy())
    for step in steps:
        step()
        step()
    for mine, its in zip(made[0].params, given[0]):
        np.testing.assert_allclose(mine.numpy().T, its.detach().numpy(), atol=1e-4)


def test_sizes_take_turns_of_fewer_steps_where_they_are_longer(a_run, monkeypatch):
    asked = []

    def compare(libraries, sizes, names, rounds, turn):
        asked.append((sizes.batch, rounds, turn))
        return {name: float(len(asked)) for name in names}

    monkeypatch.setattr(growth, "compare", compare)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    run = a_run(growth)
    run.quick = False
    all_sizes = [Sizes(batch=n) for n in (32, 128, 4096)]
    found = growth.time_steps(run, all_sizes)
    assert asked == 3 * [(32, 1, 24), (128, 1, 6), (4096, 1, 1)]
    assert found == {sizes: {"tinyae": median} for sizes, median in zip(all_sizes, (4, 5, 6))}


# --- memory --------------------------------------------------------------------------------------

def test_memory_is_counted_at_its_peak_and_from_nothing():
    before = np.ones(100_000)
    assert 24_000 <= growth.peak_bytes(lambda: np.ones(1000) + np.ones(1000)) < 26_000
    assert len(before) and not growth.tracemalloc.is_tracing()


def test_the_first_step_holds_as_much_as_another():
    """So what is counted is not the memory that it took to build the model."""
    def steps(count):
        step = growth.built(sizes, "tinyae", "cpu")
        for _ in range(count):
            step()

    for sizes in (Sizes(batch=32, width=300), Sizes(batch=500, width=30)):
        none, one, three = (growth.peak_bytes(lambda: steps(count)) for count in (0, 1, 3))
        assert max(none, sizes.held) < one == pytest.approx(three, rel=0.02) and one < 3 * sizes.held


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_training_on_files(a_run, monkeypatch, tmp_path, device):
    if device == "gpu":
        strict_cupy.install(monkeypatch)
    folder, seen, train = tmp_path / "files", [], growth.train
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(growth, "PIECE", 300)

    def look(run, examples, epochs):
        assert isinstance(examples, np.memmap) and examples.max(axis=1).min() > 0.5  # every piece has been written
        seen.append((len(examples), epochs))
        train(run, examples, epochs)

    monkeypatch.setattr(growth, "train", look)
    run = a_run(growth, "--device", device)
    run.quick = False
    monkeypatch.setattr(growth, "SEEN", 2000)
    found = growth.trained_on_files(run, (1000, 2500))
    assert [numbers["file_bytes"] for numbers in found.values()] == [256_000, 640_000]
    assert all(value > 0 for numbers in found.values() for value in numbers.values())
    assert seen == 4 * [(1000, 2), (2500, 1)] + [(1000, 1), (2500, 1)]  # in turns, and once to count
    assert not list(folder.iterdir())


# --- claims --------------------------------------------------------------------------------------

def test_the_exponent_is_that_of_the_upper_end():
    line = [Sizes(width=n) for n in (1, 10, 20, 40)]
    assert growth.exponent({sizes: 7 * sizes.width**2 + (sizes.width == 1) for sizes in line}, line, "width") == 2


SERIES = {axis: [Sizes(**{axis: n}) for n in values] for axis, values in growth.SERIES.items()}
ALL = {sizes for line in SERIES.values() for sizes in line}
FILES = {n: {"seconds_per_example": 4e-6, "peak_bytes": 5e6 + 8 * n, "file_bytes": 256 * n} for n in growth.EXAMPLES}


def seconds(power=1.0, overhead=1e-3):
    return {sizes: overhead + 1e-11 * sizes.arithmetic**power for sizes in ALL}


@pytest.mark.parametrize("changes, missed", [
    ({}, set()),
    ({"seconds": seconds(overhead=0)}, {"growth.batch"}),
    ({"seconds": seconds(power=1.4)}, {"growth.batch", "growth.linear"}),
    ({"seconds": {**seconds(), SERIES["depth"][-1]: 7 * seconds()[SERIES["depth"][-3]]}}, {"growth.linear"}),
    ({"seconds": {**seconds(), SERIES["width"][-1]: 40 * seconds()[SERIES["width"][-3]]}}, {"growth.linear"}),
    ({"seconds": {**seconds(), SERIES["depth"][-1]: math.nan}}, {"growth.linear"}),
    ({"peaks": {**{sizes: sizes.held for sizes in ALL}, Sizes(): 3.1 * Sizes().held}}, {"growth.memory"}),
    ({"files": {**FILES, 10**6: {**FILES[10**6], "seconds_per_example": 7e-6}}}, {"growth.examples"}),
    ({"files": {**FILES, 10**6: {**FILES[10**6], "peak_bytes": 270e6}}}, {"growth.memmap"}),
])
def test_each_claim_can_fail(judged, changes, missed):
    numbers = {"seconds": seconds(), "series": SERIES, "peaks": {sizes: 2 * sizes.held for sizes in ALL},
               "files": FILES, **changes}
    held = judged(growth.judge, **numbers)
    assert {id for id, ok in held.items() if not ok} == missed and len(held) == 5
