"""The demo of Boltzmann machines on digits: its measures, a quick run, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.pretraining import rbm_digits


def test_quick_run(run_quick):
    metrics, names = run_quick(rbm_digits, "--hidden", "30")
    assert names == {"features.png", "samples.png", "likelihood.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "rbm.digits", "rbm.features", "rbm.samples", "rbm.kinds", "rbm.second"]


def test_independent_pixels():
    train = np.float32([[0, 0], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1], [0, 0]])
    assert np.allclose(rbm_digits.logits(train), np.log([0.1 / 0.9, 0.7 / 0.3]))
    states = np.float32([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert np.allclose(np.exp(rbm_digits.independent(train, states)), [0.27, 0.63, 0.03, 0.07])


def test_looking_at_images():
    known = np.repeat(np.eye(4, dtype=np.float32), 20, axis=0)
    found = rbm_digits.look_at(np.eye(4, dtype=np.float32)[[2, 2, 3]], known, np.repeat([0, 1, 5, 9], 20))
    assert found["clear"] == 1
    assert np.allclose(found["digits"], [0, 0, 0, 0, 0, 2 / 3, 0, 0, 0, 1 / 3])


def looks(held_out=0.9, clear=0.6, digits=9 * [0.06] + [0.0]):
    return {"held-out digits": {"clear": held_out}, "two machines": {"clear": clear, "digits": digits}}


RIGHT = {"likelihood": {"independent pixels": (-187.0, 0.0), "one machine": (-120.0, 0.1)},
         "gain": 1.0, "unsure": 0.2, "wrong": {"pixels": 0.15, "features": 0.09}, "looks": looks()}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"likelihood": {"independent pixels": (-187.0, 0.0), "one machine": (-150.0, 0.1)}}, {"rbm.digits"}),
    ({"likelihood": {"independent pixels": (-187.0, 0.0), "one machine": (20.0, 0.1)}}, {"rbm.digits"}),
    ({"wrong": {"pixels": 0.15, "features": 0.14}}, {"rbm.features"}),
    ({"looks": looks(clear=0.3)}, {"rbm.samples"}),
    ({"looks": looks(held_out=0.0)}, {"rbm.samples"}),
    ({"looks": looks(digits=[0.08] * 7 + [0.009] * 3)}, {"rbm.kinds"}),
    ({"looks": looks(digits=[math.nan] * 10)}, {"rbm.kinds"}),
    ({"gain": 0.3}, {"rbm.second"}),
    ({"unsure": math.nan}, {"rbm.second"}),
])
def test_each_claim_can_fail(judged, change, missed):
    held = judged(rbm_digits.judge, **(RIGHT | change))
    assert {id for id, ok in held.items() if not ok} == missed
