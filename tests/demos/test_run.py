"""What a demo is given: claims, streams, data, files, exit status; and recipes."""

import json
import math
import sys
import types

import numpy as np
import pytest

from demos import arguments, recipes, run
from demos.autoencoders import line
from tinyae import models, nn, training


def demo(main, **parts):
    """A demo module in memory."""
    module = types.ModuleType("demos.engine.made_up", "A sentence.\n\nWhat is measured.")
    module.__dict__.update({"LECTURES": "L1", "main": main, "__file__": __file__, **parts})
    return module


def results(folder, name="made_up"):
    return json.loads((folder / name / "metrics.json").read_text(encoding="utf-8"))


# --- claims --------------------------------------------------------------------------------------

@pytest.mark.parametrize("value, bounds, held", [
    (0.5, {"at_least": 0.5}, True),
    (0.49, {"at_least": 0.5}, False),
    (0.5, {"at_most": 0.5}, True),
    (0.51, {"at_most": 0.5}, False),
    (1, {"at_least": 0, "at_most": 2}, True),
    (3, {"at_least": 0, "at_most": 2}, False),
    (-1, {"at_least": 0, "at_most": 2}, False),
    (np.int64(3), {"at_least": 3}, True),
    (np.float32(3), {"at_most": 2}, False),
    (math.nan, {"at_least": 0}, False),
    (math.nan, {"at_most": 0}, False),
    (math.inf, {"at_least": 0}, False),
])
def test_claims_decide_the_exit_status(tmp_path, capsys, value, bounds, held):
    def main(run):
        run.claim("sure", "one is one", "it is", 1, at_least=1)
        run.claim("id", "the lecture says", "measured:", value, **bounds)
        run.note(extra=5, array=np.float32(0.5))

    assert run.perform(demo(main), ["--out", str(tmp_path), "--seed", "1"]) == (0 if held else 1)
    metrics = results(tmp_path)
    claims = metrics["claims"]
    assert [c["held"] for c in claims] == [True, held]
    assert {k: claims[1][k] for k in bounds} == bounds
    assert metrics["measured"] == {"extra": 5, "array": 0.5}
    assert (metrics["demo"], metrics["chapter"], metrics["title"]) == ("made_up", "engine", "A sentence.")
    assert (metrics["seed"], metrics["data"], metrics["epochs"], metrics["status"]) == (1, None, None, 1 - held)
    assert metrics["command"] == f"python -m demos made_up --out {tmp_path} --seed 1"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("✓ held: [sure] one is one")
    assert lines[-1].startswith(f"{'✓ held' if held else '✗ did not hold'}: [id] the lecture says: measured:")


def test_an_id_is_given_once_and_a_claim_asks_for_something():
    claim = run.Claims()
    claim("id", "says", "measured", 1, at_least=0)
    with pytest.raises(ValueError, match="'id' is made twice"):
        claim("id", "says", "measured", 1, at_least=0)
    with pytest.raises(ValueError, match="'other' asks for nothing"):
        claim("other", "says", "measured", 1)


@pytest.mark.parametrize("options, said", [([], False), (["--epochs", "2"], True)])
def test_a_claim_that_fails_after_other_epochs_says_so(tmp_path, capsys, options, said):
    def main(run):
        run.claim("id", "says", "measured", 0, at_least=1)

    assert run.perform(demo(main, EPOCHS={"all": 3}), ["--out", str(tmp_path), *options]) == 1
    assert ("This was with --epochs 2" in capsys.readouterr().out) == said


def test_quick_runs_are_not_judged_and_leave_full_ones_alone(tmp_path, capsys):
    def main(run):
        run.claim("id", "says", "measured", 0, at_least=1)
        (run.folder / "checkpoint.npz").write_bytes(b"state")

    assert run.perform(demo(main), ["--out", str(tmp_path)]) == 1
    assert run.perform(demo(main), ["--out", str(tmp_path), "--quick"]) == 0
    assert "○ not judged: [id]" in capsys.readouterr().out
    assert (results(tmp_path)["status"], results(tmp_path / "quick")["status"]) == (1, 0)


# --- what it draws from --------------------------------------------------------------------------

def test_streams_have_names(a_run):
    one, other = a_run(line, "--seed", "1"), a_run(line, "--seed", "2")
    first, again = (one.rng("weights").random(4) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, one.rng("points").random(4))
    assert not np.array_equal(first, other.rng("weights").random(4))
    assert np.array_equal(one.noise("weights").random(4), first)  # on the CPU they are the same


def test_images_come_with_what_made_them(tmp_path):
    r = run.begin(demo(None, DATA=("strokes",)), ["--out", str(tmp_path)])
    digits = r.images(30, 20)
    assert digits.train.shape == (30, 28, 28, 1) and digits.test.shape == (20, 28, 28, 1)
    assert np.array_equal(digits.test_labels, digits.test_factors["digit"])
    assert [x.shape for x in digits.vectors()] == [(30, 784), (20, 784)]
    assert np.array_equal(digits.train, r.images(30, 20).train)


@pytest.mark.parametrize("argv, epochs", [
    ([], 7), (["--data", "mnist"], 5), (["--quick"], 1), (["--epochs", "3", "--quick"], 3), (["--epochs", "0"], 0)])
def test_epochs(tmp_path, argv, epochs):
    made_up = demo(None, DATA=("strokes", "mnist"), EPOCHS={"strokes": 7, "mnist": 5})
    assert run.begin(made_up, ["--out", str(tmp_path), *argv]).epochs == epochs
    assert run.begin(demo(None, EPOCHS={"all": 9, "quick": 4}), ["--out", str(tmp_path), "--quick"]).epochs == 4


def test_apply_is_the_function_in_batches(a_run):
    model = nn.Dense(3, 2, rng=np.random.default_rng(0))
    x = np.random.default_rng(1).random((25, 3), np.float32)
    whole, parts = a_run(line).apply(model, x), a_run(line).apply(model, x, batch=10)
    assert type(parts) is np.ndarray and np.allclose(parts, whole) and parts.shape == (25, 2)
    assert np.allclose(whole, x @ model.weight.numpy() + model.bias.numpy())
    assert np.allclose(a_run(line).apply(lambda a, b: a + b, x, x, batch=7), 2 * x)


def test_figures_and_pages_of_an_earlier_run_go_away(tmp_path):
    from demos.figures import figure

    def main(run):
        run.save(figure(3, 2, "A title\nin two lines"), f"{run.seed}.png", "nothing but a title")
        (run.folder / "explore.html").write_text("page")
        if not run.seed:
            run.add_page("explore.html", "a page")

    for seed, left in ((0, {"0.png", "explore.html"}), (1, {"1.png"})):
        assert run.perform(demo(main), ["--out", str(tmp_path), "--seed", str(seed)]) == 0
        folder = tmp_path / "made_up"
        assert {p.name for p in folder.iterdir()} == {*left, "metrics.json"}
        assert results(tmp_path)["figures"] == [
            {"file": f"{seed}.png", "title": "A title in two lines", "alt": "nothing but a title"}]


# --- the command line ----------------------------------------------------------------------------

@pytest.mark.parametrize("options, message", [
    (["--epochs", "-1"], "argument --epochs: must be a whole number of at least 0, not '-1'"),
    (["--epochs", "many"], "must be a whole number of at least 0, not 'many'"),
    (["--seed", "1.5"], "must be a whole number of at least 0, not '1.5'"),
    (["--layers", "4"], "must be a whole number from 1 to 3, not '4'"),
    (["--data", "cats"], "invalid choice"),
    (["--device", "tpu"], "invalid choice"),
    (["--colour", "red"], "unrecognized arguments: --colour red; python -m demos made_up --help lists the options"),
    (["--quik"], "unrecognized arguments: --quik; near it: --quick"),
    (["--sede=4"], "near it: --seed"),
    (["quick"], "unrecognized arguments: quick; near it: --quick"),
    (["--rate", "0"], "must be a finite number above 0, not '0'"),
    (["--rate", "nan"], "must be a finite number above 0, not 'nan'"),
    (["--beta", "inf"], "must be a finite number not below 0, not 'inf'"),
    (["--beta", "much"], "must be a finite number not below 0, not 'much'"),
    (["--rho", "1"], "must be a finite number above 0 and below 1, not '1'"),
])
def test_bad_options(tmp_path, capsys, options, message):
    def own(p):
        p.add_argument("--rate", type=arguments.real(above=0))
        p.add_argument("--beta", type=arguments.real())
        p.add_argument("--rho", type=arguments.real(above=0, below=1))
        p.add_argument("--layers", type=arguments.whole(1, 3))

    made_up = demo(None, DATA=("strokes",), EPOCHS={"strokes": 2}, options=own)
    with pytest.raises(SystemExit) as caught:
        run.begin(made_up, ["--out", str(tmp_path), *options])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def start(monkeypatch, main):
    """Let this main be that of the demo `line`."""
    monkeypatch.setattr(run.importlib, "import_module", lambda name: demo(main))


@pytest.mark.parametrize("outcome, status, message", [
    (None, 0, ""),
    (ValueError("no such thing"), 2, "error: no such thing\n(test_run.py, line "),
    (FileNotFoundError("no file"), 2, "error: no file"),
    (RuntimeError("no GPU"), 2, "error: no GPU"),
    (FloatingPointError("NaN"), 2, "error: NaN"),
    (training.Interrupted("stopped in epoch 2 after step 3", "x.npz holds epoch 1", resumable=True), 130,
     "stopped in epoch 2 after step 3; the same command goes on after the last whole epoch"),
    (training.Interrupted("stopped in epoch 1 after step 3", "no checkpoint"), 130,
     "stopped in epoch 1 after step 3; nothing of this training is kept"),
    (KeyboardInterrupt(), 130, "stopped"),
])
def test_exit_status(tmp_path, monkeypatch, capsys, outcome, status, message):
    def main(run):
        if outcome:
            raise outcome

    start(monkeypatch, main)
    assert run.start("line", ["--out", str(tmp_path)]) == status
    assert capsys.readouterr().err.strip().startswith(message)


def test_programming_errors_keep_their_traceback(tmp_path, monkeypatch):
    def main(run):
        raise TypeError("a bug")

    start(monkeypatch, main)
    with pytest.raises(TypeError):
        run.start("line", ["--out", str(tmp_path)])


def test_without_matplotlib_it_is_said_before_any_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RuntimeError, match="need matplotlib, which .* has not: use .*venv.*, or pip install"):
        run.begin(demo(None), ["--out", str(tmp_path)])


# --- recipes -------------------------------------------------------------------------------------

def prepared(out, *options):
    r = run.begin(demo(None, DATA=("strokes",)), ["--out", str(out), "--quick", *options])
    return r, r.images(40, 20)


def ask(out, *options, latent=2, epochs=2, **more):
    return recipes.digits_vae(*prepared(out, *options), latent=latent, hidden=6, epochs=epochs, **more)


def test_a_recipe_is_trained_once(tmp_path, capsys):
    model, history = ask(tmp_path)
    assert len(history) == 2 and "goes on from" not in capsys.readouterr().out
    again, same = ask(tmp_path)
    assert same == history and "what is left of the training" in capsys.readouterr().out
    assert all(np.array_equal(a.data, b.data) for a, b in zip(model.parameters(), again.parameters()))
    ask(tmp_path, "--fresh")
    assert "goes on from" not in capsys.readouterr().out
    assert len(list((tmp_path / "quick" / "recipes").iterdir())) == 1


@pytest.mark.parametrize("beta, said", [(1.0, ""), (0.25, "loss = reconstruction + 0.25 kl:\n")])
def test_where_the_terms_do_not_add_up_to_the_loss_it_is_said(tmp_path, capsys, beta, said):
    ask(tmp_path, beta=beta)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("change", [{"latent": 3}, {"epochs": 1}, {"options": ["--seed", "5"]}])
def test_other_settings_are_another_model(tmp_path, capsys, change):
    ask(tmp_path)
    ask(tmp_path, *change.pop("options", []), **change)
    assert "goes on from" not in capsys.readouterr().out
    assert len(list((tmp_path / "quick" / "recipes").iterdir())) == 2


def test_another_library_or_recipe_is_another_model(monkeypatch, tmp_path):
    before = recipes.digest({"a": 1}, recipes.digits_vae)
    assert before == recipes.digest({"a": 1}, recipes.digits_vae) != recipes.digest({"a": 2}, recipes.digits_vae)
    assert before != recipes.digest({"a": 1}, recipes.trained)
    (tmp_path / "one.py").write_text("x = 1")
    monkeypatch.setattr(recipes.tinyae, "__file__", str(tmp_path / "__init__.py"))
    changed = recipes.digest({"a": 1}, recipes.digits_vae)
    (tmp_path / "one.py").write_text("x = 2")
    assert len({before, changed, recipes.digest({"a": 1}, recipes.digits_vae)}) == 3


def test_a_recipe_that_was_stopped_goes_on(tmp_path, monkeypatch):
    whole, _ = ask(tmp_path / "whole", epochs=3)
    losses, loss = [], models.VariationalAutoencoder.loss

    def interrupted(self, x, rng):
        losses.append(1)
        if len(losses) == 4:  # one batch an epoch, and one for the held-out digits
            raise KeyboardInterrupt
        return loss(self, x, rng)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(models.VariationalAutoencoder, "loss", interrupted)
        ask(tmp_path / "parts", epochs=3)
    model, history = ask(tmp_path / "parts", epochs=3)
    assert len(history) == 3
    assert all(np.array_equal(a.data, b.data) for a, b in zip(model.parameters(), whole.parameters()))
