"""The demo of the KL divergence: what it measures, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.variational import divergence
from tinyae import Tensor, gradcheck

RIGHT = {"errors": 1.5, "least": 0.003, "at_equality": 0.0, "apart": 20.0,
         "covering": {"mean": 0.0, "std": 2.0616, "share": 0.5},
         "picking": {"mean": -2.0, "std": 0.5, "share": 1.0}}


def test_quick_run(run_quick):
    metrics, names = run_quick(divergence)
    assert names == {"directions.png", "closed_form.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "kl", "kl.positive", "kl.zero", "kl.asymmetric", "kl.covers", "kl.picks", "kl.shape"]


def gaussian(mean, std):
    return -(((divergence.GRID[:, 0] - mean) / std) ** 2) / 2 - np.log(std * np.sqrt(2 * np.pi))


def test_sums_over_the_grid_are_integrals():
    p, q = gaussian(0.3, 0.8), gaussian(-0.5, 1.2)
    expected = np.log(1.2 / 0.8) + (0.8**2 + 0.8**2) / (2 * 1.2**2) - 0.5
    assert divergence.forward(Tensor(p), Tensor(q)).item() == pytest.approx(expected, abs=1e-9)
    assert divergence.backward(Tensor(q), Tensor(p)).item() == pytest.approx(expected, abs=1e-9)
    assert np.exp(divergence.two_humps(divergence.GRID)).sum() * divergence.STEP == pytest.approx(1, abs=1e-9)
    assert np.isfinite(divergence.two_humps(np.array([[-1e3], [1e3]]))).all()
    for way in (divergence.forward, divergence.backward):
        gradcheck(lambda log_q: way(Tensor(p[1500:2500:50]), log_q), [q[1500:2500:50]])


def test_moments():
    found = divergence.moments(gaussian(-2.0, 0.5))
    assert found == {"mean": pytest.approx(-2), "std": pytest.approx(0.5), "share": pytest.approx(1, abs=1e-4)}
    assert divergence.moments(gaussian(0.5, 5.0))["share"] < 0.6


def test_sampling_would_see_a_wrong_closed_form():
    found = divergence.by_sampling(np.random.default_rng(0), 5, 20_000)
    assert abs(found["sampled"] - found["closed"]) < 4 * found["error"]
    assert abs(found["sampled"] - 1.1 * found["closed"]) > 4 * found["error"]  # a tenth too large


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"errors": 5}, {"kl"}),
    ({"least": -0.1}, {"kl.positive"}),
    ({"at_equality": 1e-6}, {"kl.zero"}),
    ({"apart": 0.0}, {"kl.asymmetric"}),
    ({"covering": RIGHT["picking"]}, {"kl.covers"}),
    ({"picking": RIGHT["covering"]}, {"kl.picks", "kl.shape"}),
    ({"picking": {"mean": 2.0, "std": 1.0, "share": 1.0}}, {"kl.shape"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(divergence.judge, **(RIGHT | change)).items() if not held} == missed
