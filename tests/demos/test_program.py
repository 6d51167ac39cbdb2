"""`python -m demos`: the list, one demo, all of them. Where demos run, they are made up."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from demos import __main__ as program
from demos import catalogue
from demos.results import write_text

ROOT = Path(__file__).parents[2]


def python(*args):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run([sys.executable, *args], cwd=ROOT, env=env, capture_output=True, text=True,
                          encoding="utf-8", timeout=60)


def module(folder, chapter, name, title="What it shows.", body=""):
    (folder / chapter).mkdir(parents=True, exist_ok=True)
    source = f'"""{title}\n\nThe lecture: ..."""\n\n{body}\n'
    (folder / chapter / f"{name}.py").write_text(source, encoding="utf-8")


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A house with three demos, and things that are none."""
    folder = tmp_path / "house"
    module(folder, "engine", "graph", "The graph of ⟨Ax, y⟩.")
    module(folder, "autoencoders", "pca", "A line.", 'DATA = ("strokes", "mnist")')
    module(folder, "autoencoders", "deep", "Depth.", 'import no_such_package\nDATA = ("faces",)')
    module(folder, "autoencoders", "_shared")
    module(folder, "autoencoders/inner", "__init__")
    module(folder, "steps", "first")
    monkeypatch.setattr(catalogue, "FOLDER", folder)
    monkeypatch.setattr(catalogue, "ORDER", [])
    return folder


@pytest.fixture
def run(monkeypatch):
    """demos.run, whose `start` only keeps what was started."""
    from demos import run

    started = []
    monkeypatch.setattr(run, "start", lambda name, argv: started.append((name, argv)) or run.status)
    monkeypatch.setattr(run, "started", started, raising=False)
    monkeypatch.setattr(run, "status", 0, raising=False)
    return run


# --- the demos there are -------------------------------------------------------------------------

def test_chapters_have_an_order(house, monkeypatch):
    monkeypatch.setattr(catalogue, "ORDER", ["pca"])
    assert list(catalogue.catalogue()) == ["pca", "deep", "graph"]



def test_every_demo_says_what_it_is():
    for name, demo in catalogue.catalogue().items():
        imported = importlib.import_module(demo.module)
        assert callable(imported.main) and isinstance(imported.LECTURES, str)
        assert demo.title == imported.__doc__.splitlines()[0] and demo.title.endswith(".")
        assert demo.data == getattr(imported, "DATA", ())
        assert name not in ("all", "steps", "exercises")


def test_the_catalogue(house):
    found = catalogue.catalogue()
    assert list(found) == ["deep", "pca", "graph"]
    assert [demo.title for demo in found.values()] == ["Depth.", "A line.", "The graph of ⟨Ax, y⟩."]
    assert [demo.data for demo in found.values()] == [("faces",), ("strokes", "mnist"), ()]
    assert found["pca"].module == "demos.autoencoders.pca"


def test_two_demos_of_one_name(house):
    module(house, "engine", "pca")
    with pytest.raises(ValueError, match="one name: demos.autoencoders.pca and demos.engine.pca"):
        catalogue.catalogue()


@pytest.mark.parametrize("source", ["", "x = 1"])
def test_a_demo_without_a_docstring(house, source):
    (house / "engine" / "speed.py").write_text(source)
    with pytest.raises(ValueError, match=r"speed\.py has no docstring; its first line should say"):
        catalogue.catalogue()["speed"].title


# --- python -m demos -----------------------------------------------------------------------------

def test_list(house, capsys):
    assert program.main([]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[:6] == [
        "Autoencoders (autoencoders)",
        "  deep                 Depth.",
        "  pca                  A line.",
        "",
        "The engine (engine)",
        "  graph                The graph of ⟨Ax, y⟩."]
    for command in ("NAME --help", "all [CHAPTER]", "steps", "exercises"):
        assert f"python -m demos {command}" in said


def test_names(house, capsys):
    assert program.main(["--names"]) == 0
    assert capsys.readouterr().out == "deep\npca\ngraph\n"


def test_the_list_of_the_real_demos():
    done = python("-m", "demos")
    assert done.returncode == 0 and not done.stderr
    assert all(demo.title in done.stdout for demo in catalogue.catalogue().values())


def test_a_list_loads_no_demo_and_no_engine():
    code = ("import sys; from demos.__main__ import main; main([]); "
            "print({'numpy', 'matplotlib', 'tinyae', 'demos.run'} & set(sys.modules))")
    assert python("-c", code).stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("words", [["--names"], ["graph", "--quick", "--out"]])
def test_a_reader_that_has_read_enough(tmp_path, words):
    """As `head`: there is no traceback, and the status that shells give for it."""
    words += [str(tmp_path)] * ("--out" in words)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "demos", *words], cwd=ROOT, stdout=write, stderr=subprocess.PIPE,
                          text=True, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("status", [0, 1, 130])
def test_one_demo(house, run, status):
    run.status = status
    assert program.main(["pca", "--quick", "--help", "--data=mnist"]) == status
    assert run.started == [("pca", ["--quick", "--help", "--data=mnist"])]


@pytest.mark.parametrize("words, message", [
    (["depe"], "there is no demo 'depe'; near it: deep"),
    (["pac", "--quick"], "there is no demo 'pac'; near it: pca"),
    (["exercise"], "near it: exercises"),
    (["xyzzy"], "there is no demo 'xyzzy'; python -m demos lists them"),
    (["engine"], "engine is a chapter, run by: python -m demos all engine"),
    (["autoencoders.pca"], "there is no demo 'autoencoders.pca'"),
    (["--quick", "pca"], "what to run comes first, then its options; not: --quick pca"),
    (["--nmaes"], "unrecognized arguments: --nmaes; near it: --names"),
    (["--names", "pca", "x y"], "what to run comes first, then its options; not: --names pca 'x y'"),
    (["all", "pca"], "invalid choice: 'pca'"),
    (["all", "latent"], "invalid choice: 'latent'"),
    (["all", "--data", "cats"], "invalid choice: 'cats'"),
    (["all", "--epochs=3"], "unrecognized arguments: --epochs=3; python -m demos all --help lists the options"),
    (["all", "--quik"], "unrecognized arguments: --quik; near it: --quick"),
    (["all", "--jobs=two"], "argument --jobs: must be a whole number of at least 1, not 'two'"),
    (["all", "--jobs", "0"], "argument --jobs: must be a whole number of at least 1, not '0'"),
    (["steps", "--halp"], "near it: --help"),
    (["gallery", "--uot", "x"], "unrecognized arguments: --uot x; near it: --out"),
    (["exercises", "1", "--hnit"], "unrecognized arguments: --hnit; near it: --hint"),
])
def test_refusals(house, run, capsys, words, message):
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not run.started


def test_steps(house, monkeypatch, capsys):
    steps = [("steps/one.py", "A number that remembers."), ("steps/two.py", "A rule.")]
    monkeypatch.setitem(sys.modules, "demos.steps", types.SimpleNamespace(STEPS=steps))
    assert program.main(["steps"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.split(maxsplit=2) == ["python", "steps/one.py", "A number that remembers."]
    assert second.split(maxsplit=2) == ["python", "steps/two.py", "A rule."]
    for number in ("three", "3"):
        with pytest.raises(SystemExit):
            program.main(["steps", number])
        assert f"must be a whole number from 1 to 2, not {number!r}" in capsys.readouterr().err


def test_one_step(capsys):
    assert program.main(["steps", "1"]) == 0
    assert capsys.readouterr().out


def test_exercises(monkeypatch):
    from demos.exercises import __main__ as exercises

    monkeypatch.setattr(exercises, "main", lambda words: words)
    assert program.main(["exercises", "7", "--hint"]) == ["7", "--hint"]


# --- python -m demos all -------------------------------------------------------------------------

def metrics(name, chapter, **claim):
    return {"demo": name, "chapter": chapter, "title": "It.", "lectures": "L1", "command": "python",
            "seconds": 1, "figures": [], "pages": [], "measured": {},
            "claims": [{"id": name, "says": "so", "measured": "that:", "value": 1, "at_least": 0.5, **claim}]}


@pytest.fixture
def ends(house, run, monkeypatch, tmp_path):
    """`python -m demos all` on made-up demos: each ends with the status given for it, and such a claim."""
    def all_(statuses, *words, **claim):
        chapters = {"deep": "autoencoders", "pca": "autoencoders", "graph": "engine"}
        commands = []

        def call(command):
            commands.append(command)
            name = command[3]
            out = tmp_path / "out" / "quick" if "--quick" in command else tmp_path / "out"
            status = statuses[name]
            if status in (0, 1):
                (out / name).mkdir(parents=True, exist_ok=True)
                held = None if "--quick" in command else not status
                write_text(out / name / "metrics.json",
                           json.dumps(metrics(name, chapters[name], **{"held": held, **claim})))
            return 1 if status == "traceback" else status

        def overheard(command, environment, said):
            said.append(f"{command[3]} with {environment['OPENBLAS_NUM_THREADS']}")
            return call(command)

        monkeypatch.setattr(program, "call", call)
        monkeypatch.setattr(program, "overheard", overheard)
        return program.main(["all", *words, "--out", str(tmp_path / "out")]), commands
    return all_


def test_all(ends, tmp_path, capsys):
    recipe = tmp_path / "out" / "recipes" / "vae.npz"
    recipe.parent.mkdir(parents=True)
    recipe.touch()
    status, commands = ends({"deep": 0, "pca": 0, "graph": 0}, "--data", "mnist", "--seed", "4")
    assert recipe.exists()
    again, _ = ends({"deep": 0, "pca": 0, "graph": 0}, "--fresh", "--data", "mnist", "--seed", "4")
    assert again == 0 and not recipe.exists()  # gone once, so that the demos after the first find the new one
    assert status == 0
    start, common = [sys.executable, "-m", "demos"], ["--seed=4", "--device=cpu", f"--out={tmp_path / 'out'}"]
    assert commands == [[*start, "deep", *common],
                        [*start, "pca", *common, "--data=mnist"],
                        [*start, "graph", *common]]
    said = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert (said["data"], said["seed"], said["device"], said["quick"]) == ("mnist", 4, "cpu", False)
    assert [(r["demo"], r["status"], r["claims"][0]["id"]) for r in said["demos"]] == [
        ("deep", 0, "deep"), ("pca", 0, "pca"), ("graph", 0, "graph")]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "3 of 3 claims held" in page and "No results here" not in page
    out = capsys.readouterr().out
    assert "✓ held              pca                     so" in out and "that: 1 (asked: at least 0.5)" in out
    assert "3 of 3 claims held" in out
    assert out.startswith("1 of 3 demos run on mnist; the others do not offer it and run on their own data\n")


def test_all_of_a_chapter(ends, capsys):
    status, commands = ends({"deep": 0, "pca": 0}, "autoencoders")
    assert status == 0 and [command[3] for command in commands] == ["deep", "pca"]
    assert not any(word.startswith("--data") for command in commands for word in command)
    assert "do not offer" not in capsys.readouterr().out


def test_all_quickly(ends, tmp_path, capsys):
    status, commands = ends({"deep": 0, "pca": 0, "graph": 0}, "--quick")
    assert status == 0 and all("--quick" in command for command in commands)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"quick"}
    assert (tmp_path / "out" / "quick" / "index.html").exists()
    out = capsys.readouterr().out
    assert "3 claims, none judged" in out and "asked" not in out


@pytest.mark.parametrize("statuses, expected, words", [
    ([0, 1, 0], 1, ["✗ did not hold", "2 of 3 claims held"]),
    ([0, 2, 0], 1, ["pca (0 s, FAILED with status 2)", "2 of 2 claims held\ncame to no end: pca"]),
    ([0, "traceback", 0], 1, ["pca (0 s, FAILED with status 2)", "it wrote no ", "2 of 2 claims held"]),
    ([0, -9, 0], 1, ["pca (0 s, FAILED with status -9)"]),
    ([0, 130, 0], 130, ["pca (0 s, stopped)", "1 of 1 claim held", "stopped: pca; not begun: graph"]),
])
def test_all_sums_up(ends, tmp_path, capsys, statuses, expected, words):
    """Also where demos fail or are stopped; then the results of an earlier run are kept, but do not count."""
    ends({"deep": 0, "pca": 0, "graph": 0})
    capsys.readouterr()
    status, commands = ends(dict(zip(("deep", "pca", "graph"), statuses)))
    assert status == expected and len(commands) == (2 if 130 in statuses else 3)
    said = capsys.readouterr().out
    assert all(word in said for word in words)
    assert [r["demo"] for r in json.loads((tmp_path / "out" / "claims.json").read_text())["demos"]] == [
        command[3] for command in commands]
    assert json.loads((tmp_path / "out" / "pca" / "metrics.json").read_text())["demo"] == "pca"


def test_jobs(ends, house, monkeypatch, tmp_path, capsys):
    """Side by side, each on its share of the threads; but one that measures times is alone, and last."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    module(house, "autoencoders", "deep", body="TIMED = True")
    status, commands = ends({"deep": 0, "pca": 0, "graph": 0}, "--jobs", "3")
    assert status == 0 and len(commands) == 3 and commands[-1][3] == "deep"
    out = capsys.readouterr().out
    assert "pca with 2" in out and "graph with 2" in out and "deep with" not in out
    said = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert [r["demo"] for r in said["demos"]] == ["deep", "pca", "graph"]  # in their order all the same


def test_jobs_that_are_stopped(ends, house, capsys):
    module(house, "autoencoders", "deep", body="TIMED = True")
    status, commands = ends({"pca": 130, "graph": 130}, "--jobs", "2")
    assert status == 130 and "deep" not in [command[3] for command in commands]
    assert "without --fresh" not in capsys.readouterr().out
    ends({"pca": 130, "graph": 130}, "--jobs", "2", "--fresh")
    assert "the same command without --fresh goes on" in capsys.readouterr().out


def test_an_error_in_a_job_begins_no_other(ends, house, monkeypatch):
    begun = []

    def fail(demo, args, out, call):
        begun.append(demo.name)
        raise PermissionError(demo.name)
    monkeypatch.setattr(program, "run_one", fail)
    for i in range(20):
        module(house, "autoencoders", f"more{i}")
    with pytest.raises(PermissionError):
        ends({}, "--jobs", "2")
    assert len(begun) < 20


def test_after_jobs_that_were_cancelled_nothing_is_begun(ends, house, monkeypatch, capsys):
    """Though the one that ran came to its end, as where Ctrl-C reached the parent only."""
    module(house, "autoencoders", "deep", body="TIMED = True")
    ran = {"pca": {"demo": "pca", "status": 0, "seconds": 1.0, "claims": []}}
    monkeypatch.setattr(program, "side_by_side", lambda demos, args, out: ran)
    status, commands = ends({"deep": 0, "pca": 0, "graph": 0}, "--jobs", "2")
    assert status == 130 and not commands and "not begun: deep, graph" in capsys.readouterr().out


def test_when_nobody_reads_on_no_other_job_is_begun(monkeypatch, tmp_path):
    began = []

    def run_one(demo, args, out, call):
        time.sleep(0.01 * len(began))
        began.append(demo)
        raise BrokenPipeError  # as of the line that says how it ended

    monkeypatch.setattr(program, "run_one", run_one)
    monkeypatch.setattr(program, "as_completed", lambda tasks: tasks[:1])
    with pytest.raises(BrokenPipeError):
        program.side_by_side(range(50), types.SimpleNamespace(jobs=1), tmp_path)
    assert len(began) < 50


def test_what_a_job_says_is_kept():
    said = []
    code = "import os, sys; print(os.environ['KEY']); print('and', file=sys.stderr); sys.exit(7)"
    assert program.overheard([sys.executable, "-u", "-c", code], {**os.environ, "KEY": "so"}, said) == 7
    assert said == ["so\nand"]


def test_claims_of_one_name(ends, capsys):
    status, _ = ends({"deep": 0, "pca": 0, "graph": 0}, id="same")
    assert status == 1 and "several claims have one name: same" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made(ends, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SystemExit) as caught:
        ends({})
    assert caught.value.code == 2 and "no folder for the results: " in capsys.readouterr().err


def test_what_is_not_a_result(ends, capsys):
    status, _ = ends({"deep": 0, "pca": 0, "graph": 0}, value="high")
    assert status == 1 and "'value' is 'high'" in capsys.readouterr().out


def test_ctrl_c_leaves_the_demo_the_time_to_save(tmp_path):
    """Both get the signal, as on a terminal; the demo needs more than the 0.25 s that subprocess waits."""
    child = ("import time, sys\n"
             "try:\n    print('ready', flush=True); time.sleep(30)\nexcept KeyboardInterrupt:\n"
             "    time.sleep(1); open(sys.argv[1], 'w').close(); sys.exit(130)")
    code = ("import sys; from demos.__main__ import call; "
            "sys.exit(call([sys.executable, '-c', *sys.argv[1:]]))")
    process = subprocess.Popen([sys.executable, "-c", code, child, str(tmp_path / "saved")], cwd=ROOT,
                               stdout=subprocess.PIPE, start_new_session=True)
    with process:
        assert process.stdout.readline() == b"ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=20) == 130
    assert (tmp_path / "saved").exists()


def test_call_gives_the_status():
    assert program.call([sys.executable, "-c", "raise SystemExit(7)"]) == 7
