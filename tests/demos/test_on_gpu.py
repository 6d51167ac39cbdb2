"""Every demo with `--device gpu`, on a strict stand-in for CuPy: nothing crosses to the host by itself."""

import importlib

import pytest
import strict_cupy

from demos.catalogue import catalogue

# `speed` times a real GPU.
DEMOS = [demo for name, demo in catalogue().items() if name != "speed"]


@pytest.mark.parametrize("demo", DEMOS, ids=[demo.name for demo in DEMOS])
def test_every_demo_runs_there(monkeypatch, run_quick, demo):
    stand_in = strict_cupy.install(monkeypatch)
    run_quick(importlib.import_module(demo.module), "--device", "gpu")
    assert stand_in.made > 0
