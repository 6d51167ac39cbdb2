"""The exercises and their command: what is in them, what it prints, and where it refuses."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demos.exercises.__main__ import check_blanks, main
from demos.exercises.catalogue import BLANKS, EXERCISES, POINTERS, places
from demos.exercises.judge import judge
from demos.exercises.tasks import BY_NAME

ROOT = Path(__file__).parents[3]
COUNT = len(EXERCISES)


def test_blanks_are_not_written_yet(capsys):
    assert COUNT == 32 == len(list(BLANKS.glob("*.py"))) and POINTERS.keys() == {e.name for e in EXERCISES}
    assert check_blanks() == 0
    assert f"{COUNT} of {COUNT}" in capsys.readouterr().out


def test_quick(tmp_path, capsys):
    assert main(["--quick", "--out", str(tmp_path)]) == 0 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_an_exercise_is_complete(exercise):
    assert exercise.name in BY_NAME and len(BY_NAME) == COUNT
    assert len(exercise.hints) == 2 and all(10 < len(hint) < 300 for hint in exercise.hints)
    assert all(len(line) <= 105 for line in exercise.blank.splitlines())
    for task in BY_NAME[exercise.name]:
        head = f"def {task.function}({', '.join(task.arguments)}):"
        assert f"{head}\n    raise NotImplementedError" in exercise.blank


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_what_is_said_to_be_in_tinyae_is_there(exercise):
    found = places(exercise)
    assert len(found) == len(POINTERS[exercise.name])
    for name, file, line in found:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        assert name.rpartition(".")[2] in lines[line - 1] or (line == 1 and name == Path(file).stem)


@pytest.fixture
def begun(tmp_path, capsys):
    """A folder with the blanks."""
    folder = tmp_path / "mine"
    assert main(["--start", str(folder)]) == 0
    assert f"{COUNT} exercises copied" in capsys.readouterr().out
    return folder


def test_a_learners_way(begun, capsys):
    first = begun / EXERCISES[0].filename
    where = ["--dir", str(begun)]
    assert main(["1", *where]) == 1
    assert "not written yet" in capsys.readouterr().out

    first.write_text(first.read_text(encoding="utf-8").replace(
        "raise NotImplementedError", "print('hello')\n    return g * b, -g * a"), encoding="utf-8")
    assert main(["1", *where]) == 1
    said = capsys.readouterr().out
    assert "failing" in said and "with respect to b" in said and "Wrong sign" in said
    assert "    hello" in said
    assert "entry [" in said and f"--dir {begun} --hint" in said

    assert main(["1", *where, "--hint"]) == 0
    said = capsys.readouterr().out
    assert said.count("Hint for exercise 1") == 1 and EXERCISES[0].hints[0] in " ".join(said.split())
    assert main(["1", *where, "--hint", "--hint"]) == 0
    assert EXERCISES[0].hints[1] in " ".join(capsys.readouterr().out.split())

    assert main(where) == 0
    said = capsys.readouterr().out
    assert re.search(r"1  failing .*\(Wrong sign\)", said) and f"0 of {COUNT} done" in said
    assert said.count("untouched") == COUNT - 1

    first.write_text(first.read_text(encoding="utf-8").replace("-g", "g"), encoding="utf-8")
    assert main(["1", *where]) == 0
    said = capsys.readouterr().out
    assert "done" in said and "tinyae/ops/elementwise.py, line" in said and "02_sum_broadcast.py" in said
    assert main(where) == 0
    assert f"1 of {COUNT} done. Next: " in capsys.readouterr().out


def test_what_is_begun_is_never_overwritten(begun, capsys):
    mine = begun / EXERCISES[2].filename
    mine.write_text("# mine\n")
    (begun / EXERCISES[3].filename).unlink()
    assert main(["--start", str(begun)]) == 0
    assert mine.read_text() == "# mine\n" and (begun / EXERCISES[3].filename).exists()
    said = capsys.readouterr().out
    assert "1 exercises copied" in said and f"{COUNT - 1} were there already" in said


def test_a_half_written_file_says_which_half(begun):
    path = begun / EXERCISES[4].filename
    path.write_text(path.read_text(encoding="utf-8").replace(
        "raise NotImplementedError", "return g * y * (1 - y)", 1), encoding="utf-8")
    verdict = judge([(EXERCISES[4], path)])[0][0]
    assert verdict.mistake == "not written yet" and "sigmoid_vjp: right" in verdict.report
    assert "tanh_vjp" in verdict.report


def test_list_before_the_start(tmp_path, capsys):
    assert main(["--dir", str(tmp_path / "none")]) == 0
    said = capsys.readouterr().out
    assert all(e.title in said for e in EXERCISES) and f"--start {tmp_path / 'none'}" in said


@pytest.mark.parametrize("argv, words", [
    ([str(COUNT + 1)], f"must be a whole number from 1 to {COUNT}, not '{COUNT + 1}'"),
    (["0"], "must be a whole number from 1"),
    (["multiply"], f"must be a whole number from 1 to {COUNT}, not 'multiply'"),
    (["3", "--dir", "no such folder"], "there is no file .*03_matmul.py.*--start"),
    (["--hint"], "needs the number"),
])
def test_refusals(argv, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2 and re.search(words, capsys.readouterr().err.replace("\n", " "))


def test_as_a_program_from_any_folder(begun):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "demos.exercises", "1", "--dir", "mine"],
                          cwd=begun.parent, env=env, capture_output=True, text=True, encoding="utf-8",
                          timeout=60)
    assert done.returncode == 1 and "not written yet" in done.stdout and not done.stderr
