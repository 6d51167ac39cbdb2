"""The demo of the game: the formulas it is compared with, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.adversarial import game
from demos.variational.divergence import GRID, STEP, two_humps

P, Q = np.exp(two_humps(GRID)), game.gaussian(GRID[:, 0], 0.5, 1.5)


def test_quick_run(run_quick):
    metrics, names = run_quick(game)
    assert names == {"discriminator.png", "saturation.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["gan", "gan.value", "gan.saturates", "gan.other"]


def test_the_best_discriminator_is_worth_the_formula():
    best = game.value(P, Q, P / (P + Q))
    assert best == pytest.approx(-np.log(4) + 2 * game.jensen_shannon(P, Q), abs=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(5):  # and no other is worth more
        assert game.value(P, Q, np.clip(P / (P + Q) + 0.1 * rng.standard_normal(len(P)), 0.01, 0.99)) < best
    assert game.jensen_shannon(P, P) == pytest.approx(0, abs=1e-12)
    assert game.jensen_shannon(game.gaussian(GRID[:, 0], -5, 0.3), game.gaussian(GRID[:, 0], 5, 0.3)
                               ) == pytest.approx(np.log(2), abs=1e-9)


def test_draws_are_those_of_p():
    x = game.draws_of_p(np.random.default_rng(0), 100_000)
    assert x.shape == (100_000, 1) and x.dtype == np.float32
    shares, _ = np.histogram(x, bins=GRID[::100, 0])
    expected = P[:-1].reshape(-1, 100).sum(axis=1) * STEP
    assert np.abs(shares / len(x) - expected).max() < 0.01


@pytest.mark.parametrize("saturating", [True, False])
@pytest.mark.parametrize("distance", [0.0, 1.0, 3.0])
def test_slopes_are_the_integrals(a_run, distance, saturating):
    """∂/∂δ of the loss for the fixed best discriminator, with logit = δ²/2 - δ x, over q = N(δ, 1)."""
    x = np.linspace(distance - 10, distance + 10, 20_001)
    q, logit = game.gaussian(x, distance, 1), distance**2 / 2 - distance * x
    sure = 1 / (1 + np.exp(-logit))
    expected = np.trapezoid(q * distance * (sure if saturating else 1 - sure), x)
    assert game.slope(a_run(game), distance, saturating) == pytest.approx(expected, rel=0.05, abs=1e-6)


SLOPES = {"v": [0, 0.3, 0.4] + [0.001] * 14, "other": [0, 0.3, 0.6] + [3.0] * 14}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"error": 0.1}, {"gan"}),
    ({"slopes": {**SLOPES, "v": [0.0] * 17}}, {"gan.saturates"}),
    ({"worth": -np.log(4)}, {"gan.value"}),
    ({"slopes": {**SLOPES, "v": SLOPES["other"]}}, {"gan.saturates"}),
    ({"slopes": {**SLOPES, "other": SLOPES["v"]}}, {"gan.other"}),
])
def test_each_claim_can_fail(judged, change, missed):
    right = {"error": 0.01, "worth": -np.log(4) + 2 * 0.23, "jsd": 0.23, "slopes": SLOPES}
    assert {id for id, held in judged(game.judge, **(right | change)).items() if not held} == missed
