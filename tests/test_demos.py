"""The demos as programs: their options, their files, their claims and their exit status."""

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from demos import harness, measures, speed, vae  # noqa: E402
from tinyae import nn, plots, training  # noqa: E402

ROOT = Path(__file__).parents[1]


def python(*args, cwd=ROOT):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *map(str, args)], cwd=cwd, env=env, capture_output=True,
                          text=True, encoding="utf-8", timeout=60)


def test_imports_stay_light():
    code = ("import sys, tinyae, tinyae.plots, tinyae.training; "
            "print({'matplotlib', 'cupy'} & set(sys.modules))")
    assert python("-c", code).stdout == "set()\n"


# --- the VAE -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The folder of a quick run, and its metrics."""
    out = tmp_path_factory.mktemp("out")
    assert vae.main(["--quick", "--out", str(out), "--hidden", "16", "--seed", "3"]) == 0
    return out, json.loads((out / "vae" / "metrics.json").read_text())


def is_png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000


def test_quick_run(quick):
    out, metrics = quick
    names = {"reconstructions.png", "latent.png", "loss.png", "metrics.json", "checkpoint.npz"}
    assert {p.name for p in (out / "vae").iterdir()} == names
    assert all(is_png(out / "vae" / name) for name in names if name.endswith("png"))
    assert (metrics["epochs"], metrics["seed"], metrics["data"]) == (2, 3, "strokes")
    assert metrics["test_elbo"] == -(metrics["test_reconstruction"] + metrics["test_kl"])
    assert metrics["test_kl"] > 0 and metrics["seconds_per_epoch"] > 0
    assert len(metrics["claims"]) == 4
    for claim in metrics["claims"]:
        assert claim["held"] is None and math.isfinite(claim["value"])  # quick: not judged
        assert {"id", "says", "measured"} <= set(claim) and {"at_least", "at_most"} & set(claim)


def test_resume(quick, tmp_path, capsys):
    out, _ = quick
    folder = tmp_path / "vae"
    folder.mkdir()
    (folder / "checkpoint.npz").write_bytes((out / "vae" / "checkpoint.npz").read_bytes())
    common = ["--quick", "--out", str(tmp_path), "--hidden", "16", "--seed", "3", "--resume"]
    with pytest.raises(ValueError, match="belongs to another run: beta is 1.0 there and 2.0 here"):
        vae.main([*common, "--beta", "2"])
    capsys.readouterr()
    assert vae.main([*common, "--epochs", "3"]) == 0
    assert capsys.readouterr().err.startswith("epoch 3/3")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["epochs"] == 3


def test_refusals_of_the_program(quick, tmp_path):
    out, _ = quick
    for options in (["--out", out, "--hidden", "16", "--seed", "3", "--beta", "2"], ["--out", tmp_path]):
        done = python("-m", "demos.vae", "--quick", "--resume", *options)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    assert "there is no checkpoint at" in done.stderr


@pytest.mark.parametrize("epochs", [0, 1])
def test_more_latent_dimensions(tmp_path, epochs):
    argv = ["--quick", "--out", str(tmp_path), "--latent", "3", "--hidden", "8", "--epochs", str(epochs)]
    assert vae.main(argv) == 0
    names = {p.name for p in (tmp_path / "vae").iterdir()}
    assert is_png(tmp_path / "vae" / "samples.png") and "latent.png" not in names
    assert ("loss.png" in names) == ("checkpoint.npz" in names) == bool(epochs)


@pytest.mark.parametrize("options, message", [
    (["--epochs", "-1"], "must be at least 0, not -1"),
    (["--epochs", "many"], "invalid whole number value: 'many'"),
    (["--hidden", "0"], "must be at least 1"),
    (["--latent", "1.5"], "invalid whole number"),
    (["--batch", "0"], "must be at least 1"),
    (["--lr", "0"], "must be a finite number above 0"),
    (["--lr", "nan"], "must be a finite number above 0"),
    (["--beta", "inf"], "must be a finite number not below 0"),
    (["--beta", "much"], "invalid number value"),
    (["--seed", "-1"], "must be at least 0"),
    (["--data", "cats"], "invalid choice"),
    (["--device", "tpu"], "invalid choice"),
    (["--colour", "red"], "unrecognized arguments"),
])
def test_bad_options(tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as caught:
        vae.main(["--out", str(tmp_path), *options])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_prior_grid():
    grid = vae.prior_grid(3).reshape(3, 3, 2)
    assert np.allclose(grid[1, 1], 0, atol=1e-12)
    assert np.allclose(grid[0, 0], [-1.959964, 1.959964], atol=1e-6)  # top left: z₁ low, z₂ high
    assert np.allclose(grid[0, 2], [1.959964, 1.959964], atol=1e-6)


# --- the report ----------------------------------------------------------------------------------

def report(folder, quick=False):
    args = argparse.Namespace(out=folder, quick=quick, seed=1, data="strokes", device="cpu", other=2)
    return harness.Report("demo", args)


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
    r = report(tmp_path)
    r.claim("sure", "one is one", "it is", 1, at_least=1)
    r.claim("id", "the lecture says", "measured:", value, **bounds)
    assert r.finish(extra=5) == (0 if held else 1)
    metrics = json.loads((tmp_path / "demo" / "metrics.json").read_text())
    claims = metrics.pop("claims")
    assert metrics == {"seed": 1, "data": "strokes", "device": "cpu", "extra": 5}
    assert [c["held"] for c in claims] == [True, held]
    assert {k: claims[1][k] for k in bounds} == bounds
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("held: [sure] one is one")
    word = "held" if held else "DID NOT HOLD"
    assert lines[-1].startswith(f"{word}: [id] the lecture says: measured:")


@pytest.mark.parametrize("epochs, said", [(None, False), (2, True)])
def test_a_claim_that_fails_after_other_epochs_says_so(tmp_path, capsys, epochs, said):
    args = argparse.Namespace(out=tmp_path, quick=False, epochs=epochs)
    r = harness.Report("demo", args)
    r.claim("id", "says", "measured", 0, at_least=1)
    assert r.finish() == 1
    assert ("This was with --epochs 2" in capsys.readouterr().out) == said


def test_without_matplotlib_it_is_said_before_any_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RuntimeError, match="need matplotlib, which this Python .* has not: use .*venv"):
        report(tmp_path)


def test_quick_claims_are_not_judged(tmp_path, capsys):
    r = report(tmp_path, quick=True)
    r.claim("id", "says", "measured", 0, at_least=1)
    assert r.finish() == 0
    assert "not judged (quick): [id]" in capsys.readouterr().out


@pytest.mark.parametrize("outcome, status, message", [
    (0, 0, ""),
    (1, 1, ""),
    (ValueError("no such thing"), 2, "error: no such thing"),
    (FileNotFoundError("no file"), 2, "error: no file"),
    (RuntimeError("no GPU"), 2, "error: no GPU"),
    (FloatingPointError("NaN"), 2, "error: NaN"),
    (harness.Interrupted("stopped in epoch 2", resumable=True), 130,
     "stopped in epoch 2\nTo go on: the same command with --resume"),
    (KeyboardInterrupt(), 130, "stopped"),
])
def test_exit_status(capsys, outcome, status, message):
    def main():
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    with pytest.raises(SystemExit) as caught:
        harness.run(main)
    assert caught.value.code == status
    assert capsys.readouterr().err.strip().startswith(message)


def test_programming_errors_keep_their_traceback():
    def main():
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        harness.run(main)


@pytest.mark.parametrize("epochs, parts, expected", [
    (9, 3, [3, 3, 3]), (10, 3, [4, 3, 3]), (10, 5, [6, 2, 2]), (2, 3, [2, 0, 0]), (0, 3, [0, 0, 0]),
])
def test_a_falling_learning_rate(monkeypatch, epochs, parts, expected):
    seen = []

    def fit(model, optimizer, x, *, epochs, batch_size):
        seen.append((epochs, optimizer.lr, optimizer))
        return [{"epoch": i + 1, "seconds": optimizer.lr} for i in range(epochs)]

    monkeypatch.setattr(training, "fit", fit)
    model = nn.Dense(2, 1, rng=np.random.default_rng(0))
    history = harness.fit_falling(model, None, epochs, (3e-3, 1e-3, 2e-4), parts, batch_size=7)
    assert [e for e, _, _ in seen] == expected and [lr for _, lr, _ in seen] == [3e-3, 1e-3, 2e-4]
    assert len({id(optimizer) for _, _, optimizer in seen}) == 1
    assert [record["epoch"] for record in history] == list(range(1, epochs + 1))
    with pytest.raises(ValueError, match="3 learning rates need at least as many parts, not 2"):
        harness.fit_falling(model, None, 4, (3e-3, 1e-3, 2e-4), parts=2)


def test_apply_is_the_function_in_batches():
    model = nn.Dense(3, 2, rng=np.random.default_rng(0))
    x = np.random.default_rng(1).random((25, 3), np.float32)
    whole, parts = harness.apply(model, x), harness.apply(model, x, batch=10)
    assert type(parts) is np.ndarray and np.allclose(parts, whole) and parts.shape == (25, 2)
    assert np.allclose(whole, x @ model.weight.numpy() + model.bias.numpy())


# --- measures ------------------------------------------------------------------------------------

@pytest.mark.parametrize("k", [1, 4, 30])
def test_nearest_is_brute_force(k):
    rng = np.random.default_rng(0)
    queries, reference = rng.random((12, 3, 2)), rng.random((30, 3, 2))
    distances, numbers = measures.nearest(queries, reference, k)
    table = np.sqrt(((queries[:, None] - reference[None]) ** 2).sum((2, 3)))
    assert np.array_equal(numbers, table.argsort(1)[:, :k])
    assert np.allclose(distances, np.sort(table, 1)[:, :k], atol=1e-7)
    again, itself = measures.nearest(reference, reference, 1)
    assert np.array_equal(itself[:, 0], np.arange(30)) and np.abs(again).max() < 1e-6


def test_copies_by_pca():
    rng = np.random.default_rng(2)
    flat = rng.standard_normal((50, 2)) @ rng.standard_normal((2, 6)) + 3  # a plane, off the origin
    train, x = flat[:40].reshape(40, 2, 3), flat[40:].reshape(10, 2, 3)
    assert np.allclose(measures.pca_copies(train, x, 2), x)
    assert measures.squared_error(measures.pca_copies(train, x, 1), x) > 0.1
    assert np.allclose(measures.pca_copies(train, x, 0), train.mean(axis=0))


def test_vote_is_brute_force():
    rng = np.random.default_rng(1)
    queries, reference, labels = rng.random((40, 2)), rng.random((200, 2)), rng.integers(0, 10, 200)
    labels[reference[:, 0] < 0.5] = 7
    winners, shares = measures.vote(queries, reference, labels)
    table = ((queries[:, None] - reference[None]) ** 2).sum(2)
    for i, row in enumerate(table):
        counts = np.bincount(labels[row.argsort()[:10]], minlength=10)
        assert winners[i] == counts.argmax() and shares[i] == counts.max() / 10
    assert {1.0} < set(shares)


# --- figures -------------------------------------------------------------------------------------

def test_a_mosaic_has_each_image_in_its_place():
    images = np.arange(3 * 2 * 2.0).reshape(3, 2, 2)
    sheet = plots.mosaic(images, columns=2, line=-1)
    assert sheet.shape == (7, 7)
    assert np.array_equal(sheet[1:3, 1:3], images[0]) and np.array_equal(sheet[4:6, 1:3], images[2])
    assert np.array_equal(sheet[1:3, 4:6], images[1]) and (sheet[4:, 4:] == -1).all()
    assert (sheet[[0, 3, 6]] == -1).all() and (sheet[:, [0, 3, 6]] == -1).all()


# --- speed ---------------------------------------------------------------------------------------

def test_ratios_of_times():
    medians = {"tinyae": 3.0, speed.CLOSED: 1.5, speed.FLOOR: 2.0,
               "PyTorch, one way": 4.0, "PyTorch, another": 6.0}
    assert speed.ratios(medians) == {"tinyae": {"PyTorch's": 0.75, "the floor's": 1.5},
                                     speed.CLOSED: {"tinyae's": 0.5}}
    assert speed.ratios({"tinyae": 3.0}) == {"tinyae": {}}


def test_threads_are_those_that_the_environment_allows(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert 1 <= speed.allowed_threads() <= os.cpu_count()
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert speed.allowed_threads() == 5
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert speed.allowed_threads() == 3
