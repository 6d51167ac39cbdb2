"""The demo of digits by a GAN: what it says of samples, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.adversarial import gan
from demos.run import Images
from tinyae import data


def strokes(n, seed):
    images, factors = data.strokes(n, np.random.default_rng(seed))
    return images, factors["digit"]


def test_quick_run(run_quick):
    metrics, names = run_quick(gan)
    assert names == {"samples.png", "nearest.png", "losses.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["gan.digits", "gan.kinds", "gan.new"]
    measured = metrics["measured"]
    assert len(measured["counts"]) == 10 and len(measured["losses"]) == metrics["epochs"]


def test_a_look_at_samples():
    """Digits are clear and new; ones alone are one kind; copies are not new; noise is far away."""
    digits = Images(*strokes(3000, 0), None, *strokes(300, 1), None)
    found = gan.look_at(strokes(500, 2)[0], digits)
    assert 0.8 < found["clear"] < 1.2 and 0.8 < found["distance"] < 1.2 and (found["counts"] >= 10).all()
    ones = gan.look_at(digits.train[digits.train_labels == 1][:100], digits)
    assert ones["counts"][1] > 80 and ones["counts"].sum() == ones["counts"][1] and ones["distance"] < 0.05
    noise = np.random.default_rng(3).random((100, 28, 28, 1), np.float32)
    assert gan.look_at(noise, digits)["distance"] > 1.5


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"clear": 0.4}, {"gan.digits"}),
    ({"counts": [60] * 7 + [9] * 3}, {"gan.kinds"}),
    ({"distance": 0.1}, {"gan.new"}),
    ({"distance": float("nan")}, {"gan.new"}),
    ({"distance": 3.0}, {"gan.new"}),
])
def test_each_claim_can_fail(judged, change, missed):
    right = {"clear": 0.7, "counts": [60] * 10, "distance": 1.1}
    assert {id for id, held in judged(gan.judge, **(right | change)).items() if not held} == missed
