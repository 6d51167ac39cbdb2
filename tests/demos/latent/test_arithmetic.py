"""The demo that adds and subtracts faces: what it measures, a quick run, and claims that can fail."""

import copy

import numpy as np
import pytest

from demos import portraits
from demos.latent import arithmetic


def found(name, there=0.95, other=0.05, missed=0.4):
    return {"there": there, "moved": dict.fromkeys(portraits.COLUMNS, other) | {name: 0.7}, "missed": missed}


RIGHT = {name: {"codes": found(name), "pixels": found(name, other=0.3, missed=0.8),
                "drawn anew": found(name, missed=0.0)} for name in arithmetic.OPERATIONS}


def test_quick_run(run_quick):
    metrics, names = run_quick(arithmetic)
    assert names == {"equation.png", "faces.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["arithmetic", "arithmetic.others", "arithmetic.pixels"]
    operations = metrics["measured"]["operations"]
    assert set(operations) == {"glasses", "smile", "hat"}
    for ways in operations.values():  # what is drawn anew misses nothing of what it changes
        assert ways["drawn anew"]["missed"] == 0 and ways["pixels"]["missed"] > 0


def test_with_and_without():
    having, without = arithmetic.with_and_without(np.array([0, 1, 1]))
    assert having.tolist() == [False, True, True] and without.tolist() == [True, False, False]
    having, without = arithmetic.with_and_without(np.array([-0.8, -0.3, 0.2, 0.9], np.float32))
    assert having.tolist() == [False, False, False, True] and without.tolist() == [True, False, False, False]


class Sure:
    """A reader that finds glasses wherever an image is bright."""

    def read(self, images):
        read = np.zeros((len(images), len(portraits.COLUMNS)))
        read[:, portraits.column("glasses")] = images.mean(axis=(1, 2, 3)) > 0.5
        return read


def test_measured():
    before, change = np.zeros((4, 2, 2, 3)), np.ones((4, 2, 2, 3))
    half = before + change * np.array([1, 1, 1, 0])[:, None, None, None]
    numbers = arithmetic.measured(Sure(), "glasses", before, half, change)
    assert numbers["there"] == 0.75 and numbers["missed"] == pytest.approx(0.25)
    assert numbers["moved"]["glasses"] == 1 and portraits.farthest(numbers["moved"], "glasses") != "glasses"
    assert arithmetic.measured(Sure(), "glasses", before, before, change)["missed"] == 1  # nothing was done


@pytest.mark.parametrize("operation, change, missed", [
    ("glasses", {}, set()),
    ("glasses", {"there": 0.8}, {"arithmetic"}),
    ("hat", {"there": 0.8}, {"arithmetic"}),
    ("smile", {"other": 0.2}, {"arithmetic.others"}),
    ("smile", {"other": np.nan}, {"arithmetic.others"}),
    ("smile", {"missed": 0.75}, {"arithmetic.pixels"}),
    ("hat", {"missed": np.nan}, {"arithmetic.pixels"}),
])
def test_each_claim_can_fail(judged, operation, change, missed):
    numbers = copy.deepcopy(RIGHT)
    numbers[operation]["codes"] = found(operation, **change)
    held = judged(arithmetic.judge, numbers)
    assert {id for id, held in held.items() if not held} == missed
