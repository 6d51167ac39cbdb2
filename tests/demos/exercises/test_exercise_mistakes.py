"""Answers to the exercises, in this process: right ones pass, wrong ones get the right name or none."""

import re

import numpy as np
import pytest

from demos.exercises.catalogue import EXERCISES
from demos.exercises.checker import check
from demos.exercises.diagnose import ALIKE, close, diagnose
from demos.exercises.tasks import BY_NAME
from demos.exercises.tasks.task import logsumexp, slopes, softmax, softplus
from exercise_answers import ALSO_RIGHT, MISTAKES, SOLUTIONS, solved, with_mistake

TASKS = [(name, task) for name, tasks in BY_NAME.items() for task in tasks]


def checked(folder, number, text):
    path = folder / "answer.py"
    path.write_text(text, encoding="utf-8")
    return check(EXERCISES[number - 1], path)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_right_rules_pass(exercise, tmp_path):
    verdict = checked(tmp_path, exercise.number, solved(exercise))
    assert verdict.status == "done", verdict.report


def test_every_exercise_has_a_solution_here():
    assert SOLUTIONS.keys() == {e.number for e in EXERCISES}


@pytest.mark.parametrize("number, function, body", ALSO_RIGHT)
def test_there_is_more_than_one_right_way(number, function, body, tmp_path):
    verdict = checked(tmp_path, number, with_mistake(number, function, body))
    assert verdict.status == "done", verdict.report


# --- the table of wrong answers ------------------------------------------------------------------

@pytest.fixture(scope="module")
def diagnoses(tmp_path_factory):
    """The verdict on each wrong answer of the table."""
    folder = tmp_path_factory.mktemp("mistakes")
    return [checked(folder, number, with_mistake(number, function, body))
            for number, function, body, _ in MISTAKES]


@pytest.mark.parametrize("i", range(len(MISTAKES)), ids=[f"{row[0]}-{row[1]}" for row in MISTAKES])
def test_mistakes_are_called_by_their_names(diagnoses, i):
    number, function, _, words = MISTAKES[i]
    verdict = diagnoses[i]
    assert verdict.status == "failing" and function in verdict.report
    if words is None:
        assert verdict.mistake is None
        assert re.search(r"expected \S+, got \S+\n.*\nThat is no mistake", verdict.report)
    else:
        assert verdict.mistake and re.search(words, verdict.report, re.DOTALL), verdict.report


def test_the_table_is_large_enough(diagnoses):
    numbers = [row[0] for row in MISTAKES]
    assert len(MISTAKES) >= 150 and all(numbers.count(e.number) >= 3 for e in EXERCISES)
    assert sum(v.mistake is not None for v in diagnoses) >= 0.95 * len(MISTAKES)


def test_no_report_shows_the_checkers_own_code(diagnoses):
    for verdict in diagnoses:
        assert "Traceback" not in verdict.report and "checker.py" not in verdict.report


# --- the rule: a mistake is named only where it gives what came, in every case --------------------

@pytest.mark.parametrize("name, task", TASKS, ids=[f"{name}-{task.function}" for name, task in TASKS])
def test_a_task_tells_its_mistakes_apart(name, task):
    """Each known mistake is wrong in some case, and when made gets its own name."""
    assert len(task.cases) >= 2
    for words, results in task.mistakes:
        seen = False
        for i, label in enumerate(task.labels):
            told = [came is None or i < len(came) and came[i] is not None for came in results]
            if not all(told) or all(came is None for came in results):
                continue
            if all(came is not None and close(came[i], right[i]) for came, right in zip(results, task.right)):
                continue  # this result is right all the same
            seen = True
            outcomes = [came and [came[j] if j < len(came) and came[j] is not None else want
                                  for j, want in enumerate(right)]
                        for came, right in zip(results, task.right)]
            assert diagnose(task, i, outcomes).startswith(words), (words, label)
        assert seen, f"no case shows: {words}"


@pytest.mark.parametrize("name, task", TASKS, ids=[f"{name}-{task.function}" for name, task in TASKS])
def test_cases_differ_in_every_size_and_setting(name, task):
    """So that what is written in for one of them is wrong in another."""
    for place, (argument, first) in enumerate(task.named(task.cases[0])):
        others = [case[place] for case in task.cases[1:]]
        if isinstance(first, np.ndarray):
            for axis in range(first.ndim):
                sizes = {first.shape[axis], *(a.shape[axis] if a.ndim > axis else 0 for a in others)}
                assert len(sizes) > 1, (argument, axis)
        elif isinstance(first, (int, float, tuple)):
            assert any(other != first for other in others), argument


@pytest.mark.parametrize("name, task", TASKS, ids=[f"{name}-{task.function}" for name, task in TASKS])
def test_random_answers_get_no_name(name, task):
    """Numbers without sense, which no mistake gives."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        outcomes = [[rng.standard_normal(want.shape) for want in right] for right in task.right]
        for i in range(len(task.labels)):
            assert diagnose(task, i, outcomes) is None


@pytest.mark.parametrize("name, task", TASKS, ids=[f"{name}-{task.function}" for name, task in TASKS])
def test_a_name_holds_in_every_case_or_is_not_given(name, task):
    """Twice the right answer, but in the last case something else: no factor of 2 is called a mistake."""
    for i in range(len(task.labels)):
        outcomes = [[2 * want for want in right] for right in task.right]
        last = outcomes[-1][i]
        outcomes[-1][i] = last + 0.1 + np.arange(last.size).reshape(last.shape)
        words = diagnose(task, i, outcomes)
        assert words is None, words


def test_the_reference_is_as_good_as_the_numbers():
    """Complex steps, against derivatives in closed form."""
    x = np.random.default_rng(1).standard_normal((4, 3))
    assert close(slopes(np.tanh, (x,), 0), 1 - np.tanh(x) ** 2, 1e-14)
    assert close(slopes(softplus, (x,), 0), 1 / (1 + np.exp(-x)), 1e-14)
    assert close(slopes(logsumexp, (x,), 0), softmax(x), 1e-14)
    assert close(softplus(x), np.logaddexp(0, x), 1e-14)


def test_what_is_alike():
    nan, inf = np.array([np.nan, np.inf, -np.inf]), np.array([np.nan, np.inf, np.inf])
    assert close(nan, nan) and not close(nan, inf) and not close(np.zeros(3), np.zeros((3, 1)))
    assert close(np.ones(2), np.ones(2) + 0.1 * ALIKE) and not close(np.ones(2), np.ones(2) + 3 * ALIKE)
