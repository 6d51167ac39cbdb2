"""What the tests share. One BLAS thread: for small arrays, threads that wait for each other cost time."""

import argparse
import json
import math
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest  # noqa: E402

from tinyae.autodiff import PRIMITIVES  # noqa: E402


@pytest.fixture(autouse=True)
def registry():
    """Primitives that a test makes, even under a name of tinyae's, are gone after it."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


@pytest.fixture
def judged(tmp_path):
    """A function that gives which claims hold when a demo's `judge` is told some numbers."""
    def hold(judge, *numbers):
        from demos.harness import Report

        report = Report("demo", argparse.Namespace(out=tmp_path, quick=False))
        judge(report, *numbers)
        return [claim["held"] for claim in report.claims]

    return hold


@pytest.fixture
def run_quick(tmp_path):
    """A function that runs a demo's main with --quick and gives its metrics and the names of its files.

    The figures must be pictures, and every claim a number that is not judged.
    """
    def run(demo, *options):
        name = demo.__name__.rpartition(".")[2]
        assert demo.main(["--quick", "--seed", "2", "--out", str(tmp_path), *options]) == 0
        for path in (tmp_path / name).glob("*.png"):
            assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000
        metrics = json.loads((tmp_path / name / "metrics.json").read_text())
        assert all(c["held"] is None and math.isfinite(c["value"]) for c in metrics["claims"])
        return metrics, {path.name for path in (tmp_path / name).iterdir()}

    return run
