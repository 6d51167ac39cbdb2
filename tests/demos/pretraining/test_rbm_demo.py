"""The demo of the restricted Boltzmann machine: its data, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.pretraining import rbm


def test_quick_run(run_quick):
    metrics, names = run_quick(rbm)
    assert names == {"likelihood.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["rbm", "rbm.steps", "rbm.entropy", "rbm.annealing"]
    assert all(len(curve) == rbm.LOOKS + 1 for curve in metrics["measured"]["minus_log_likelihood"].values())


def test_bars_and_stripes():
    patterns, p = rbm.bars_and_stripes(4)
    assert patterns.shape == (30, 16) and p.sum() == pytest.approx(1)
    for pattern, share in zip(patterns.reshape(-1, 4, 4), p):
        bars, stripes = (pattern == pattern[:1]).all(), (pattern == pattern[:, :1]).all()
        assert bars or stripes
        assert share == (1 / 16 if bars and stripes else 1 / 32)


RIGHT = {"before": 7.7, "excess": {"CD-1": 1.4, "CD-10": 0.5, "persistent CD": 0.4}, "off": 0.5}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"before": 2.0}, {"rbm"}),
    ({"excess": {"CD-1": 0.3, "CD-10": 0.5, "persistent CD": 0.4}}, {"rbm.steps"}),
    ({"excess": {"CD-1": 9.0, "CD-10": 5.0, "persistent CD": 0.4}}, {"rbm"}),
    ({"excess": {"CD-1": 1.4, "CD-10": 0.5, "persistent CD": float("nan")}}, {"rbm.entropy"}),
    ({"excess": {"CD-1": 1.4, "CD-10": 0.5, "persistent CD": -0.1}}, {"rbm.entropy"}),  # that Z is too small
    ({"off": 7.0}, {"rbm.annealing"}),
])
def test_each_claim_can_fail(judged, change, missed):
    held = judged(rbm.judge, **(RIGHT | change))
    assert {id for id, ok in held.items() if not ok} == missed


def test_samples_are_patterns_of_zeros_and_ones(a_run):
    machine = rbm.models.RestrictedBoltzmannMachine(16, 4, rng=np.random.default_rng(0))
    made = rbm.samples(a_run(rbm), machine, 7)
    assert made.shape == (7, 16) and set(np.unique(made)) == {0, 1}
