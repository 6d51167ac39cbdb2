"""Every demo with `--device gpu`, on a strict stand-in for CuPy: nothing crosses to the host by itself."""

import importlib

import pytest
import strict_cupy

from demos import run
from demos.catalogue import catalogue

# `speed` and `growth` time a real GPU.
DEMOS = [demo for name, demo in catalogue().items() if name not in ("speed", "growth")]


@pytest.mark.parametrize("demo", DEMOS, ids=[demo.name for demo in DEMOS])
def test_every_demo_runs_there(monkeypatch, matplotlib, tmp_path, demo):
    """The figures are put together, but not painted: that they can be is seen by each demo's own quick run."""
    stand_in = strict_cupy.install(monkeypatch)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path: None)
    assert run.perform(importlib.import_module(demo.module),
                       ["--quick", "--device", "gpu", "--out", str(tmp_path)]) == 0
    assert stand_in.made > 0
