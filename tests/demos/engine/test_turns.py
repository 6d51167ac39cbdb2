"""Steps timed in turns: the processes, and the turns. No time is judged here."""

import importlib.util
import multiprocessing
import os
from types import SimpleNamespace

import pytest

from demos import measures
from demos.engine import _turns
from demos.engine._contenders import FLOOR, built

VAE = "784-400-20 VAE"


def test_a_worker_makes_steps_in_a_process_of_its_own():
    with _turns.worker("NumPy", built, "cpu") as steps:
        for contender, count in ((FLOOR, 3), ("tinyae", 2), (FLOOR, 1)):
            seconds = steps(VAE, contender, count)
            assert len(seconds) == count and all(s > 0 for s in seconds)
        child, = multiprocessing.active_children()
        assert child.pid != os.getpid()
    assert not multiprocessing.active_children()


def test_an_error_in_a_worker_is_an_error_here_and_it_goes_on():
    with _turns.worker("NumPy", built, "cpu") as steps:
        with pytest.raises(KeyError, match="no such contender"):
            steps(VAE, "no such contender", 1)
        assert len(steps(VAE, FLOOR, 1)) == 1


def test_a_worker_that_ends_is_named():
    with _turns.worker("NumPy", built, "cpu") as steps:
        assert len(steps(VAE, FLOOR, 1)) == 1
        child, = multiprocessing.active_children()
        child.kill()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="the process of NumPy ended with exit status -9"):
                steps(VAE, FLOOR, 1)


@pytest.mark.parametrize("torch, names", [(None, ["NumPy"]), ("there", ["NumPy", "PyTorch"])])
def test_there_is_a_process_for_each_library_that_is_installed(monkeypatch, torch, names):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: torch)
    with _turns.workers(built, "cpu") as libraries:  # PyTorch's would look for it when asked for a step
        assert list(libraries) == names and len(multiprocessing.active_children()) == len(names)
    assert not multiprocessing.active_children()


def test_contenders_take_turns(monkeypatch):
    monkeypatch.setattr(_turns.time, "sleep", lambda seconds: None)
    asked = []

    def steps(case, contender, count):
        asked.append((contender, count))
        return [float(len(asked))] * count

    names = ["tinyae", "PyTorch eager"]
    medians = _turns.compare({"NumPy": steps, "PyTorch": steps}, VAE, names, rounds=3, turn=5)
    assert asked == 3 * [("tinyae", 10), ("tinyae", 5), ("PyTorch eager", 10), ("PyTorch eager", 5)]
    assert medians == {"tinyae": 6.0, "PyTorch eager": 8.0}  # of 2, 6, 10 and of 4, 8, 12: those that count


def test_the_clock_of_a_gpu_waits_for_the_last_step_alone():
    now, waited = [0.0], []

    def event():
        mark = SimpleNamespace(record=lambda: setattr(mark, "at", now[0]), synchronize=lambda: waited.append(mark))
        return mark

    clock = _turns.gpu_clock(event, lambda a, b: b.at - a.at)
    assert clock(lambda: now.append(now.pop() * 2 + 1000), 3) == [1.0, 2.0, 4.0]  # from milliseconds
    assert [mark.at for mark in waited] == [7000]


def test_threads_are_those_that_the_environment_allows(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert 1 <= measures.allowed_threads() <= os.cpu_count()
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert measures.allowed_threads() == 5
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert measures.allowed_threads() == 3 and _turns.where("cpu") == "CPU, 3 threads"
