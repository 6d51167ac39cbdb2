"""What the tests of demos share: the judges told other numbers, and quick runs."""

import json
import math

import numpy as np
import pytest

from demos import run
from tinyae.data import cifar10


@pytest.fixture
def matplotlib():
    """What draws the figures; without it a test that runs a demo is skipped."""
    return pytest.importorskip("matplotlib")


@pytest.fixture
def judged():
    """A function that says which claims hold when a demo's `judge` is told some numbers: {id: held}."""
    def hold(judge, *numbers, **named):
        claim = run.Claims()
        judge(claim, *numbers, **named)
        return {c["id"]: c["held"] for c in claim}

    return hold


@pytest.fixture
def run_quick(tmp_path, matplotlib):
    """A function that runs a demo with --quick and gives its metrics and the names of its files.

    The figures must be pictures with a title and a text that says what they show, and every claim a
    number that is not judged.
    """
    def quick(demo, *options):
        assert run.perform(demo, ["--quick", "--seed", "2", "--out", str(tmp_path), *options]) == 0
        folder = tmp_path / "quick" / demo.__name__.rpartition(".")[2]
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        assert all(c["held"] is None and c["value"] is not None and math.isfinite(c["value"])
                   for c in metrics["claims"])
        for figure in metrics["figures"]:
            picture = (folder / figure["file"]).read_bytes()
            assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) > 5000
            assert figure["title"] and len(figure["alt"]) > 20
        return metrics, {path.name for path in folder.iterdir()}

    return quick


@pytest.fixture
def a_run(tmp_path, matplotlib):
    """A function that gives the Run of a demo with --quick and other options, without running it."""
    return lambda demo, *options: run.begin(demo, ["--quick", "--out", str(tmp_path), *options])


@pytest.fixture
def noisy_photographs(tmp_path, monkeypatch):
    """Files of CIFAR-10 with 60 images each, made up of noise, where they are looked for."""
    monkeypatch.setattr(cifar10, "RECORDS", 60)
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    rng = np.random.default_rng(0)
    for name in (*cifar10.FILES["train"], *cifar10.FILES["test"]):
        records = rng.integers(0, 256, (60, cifar10.RECORD), np.uint8)
        records[:, 0] %= 10
        (tmp_path / "cifar10" / name).write_bytes(records.tobytes())
