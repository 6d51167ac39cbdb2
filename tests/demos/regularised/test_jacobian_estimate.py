"""The demo of the estimated Jacobian penalty: what it measures, and a quick run of it."""

import itertools

import numpy as np
import pytest

from demos.regularised import jacobian_estimate as demo
from tinyae import jacobian


def rng(seed=0):
    return np.random.default_rng(seed)


def small(*sizes):
    """A trained encoder stands here for any: one of those sizes in float64."""
    encoder = demo.sigmoid_layers(sizes, rng())
    for p in encoder.parameters():
        p.data = p.data.astype(np.float64)
    return encoder


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"estimate.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "jacobian-cost.equal", "jacobian-cost.value", "jacobian-cost.gradient"]
    assert metrics["measured"]["closed_relative_difference"] < 1e-10


def test_relative():
    assert demo.relative(np.array([3.0, 4.0]), np.array([3.0, 0.0])) == pytest.approx(4 / 3)


@pytest.mark.parametrize("size", [1, 30])
def test_standard_errors(size):
    """About one for draws that are right on average, and more the further they are from it."""
    draws = 5 + 2 * rng().standard_normal((300, 100, size))
    exact = np.full(size, 5.0)
    rms = np.sqrt(np.mean([demo.standard_errors(d, exact) ** 2 for d in draws]))
    assert rms == pytest.approx(1, abs=0.15)
    assert demo.standard_errors(draws[0] + 1, exact) > 3  # 1 is five standard errors of 2 / √100


def test_standard_errors_by_hand():
    draws = np.array([[1.0], [3.0], [5.0], [7.0]])
    assert demo.standard_errors(draws, np.array([0.0])) == pytest.approx(4 / np.sqrt(20 / 3 / 4))


def test_spread_over_all_signs():
    encoder, x = small(6, 5, 4), rng(1).random((3, 6))
    j = jacobian(encoder, x).numpy()
    signs = np.array(list(itertools.product((-1, 1), repeat=4)))
    estimates = ((signs @ j) ** 2).sum(axis=2)  # of each image, for each vector of signs
    exact, deviation = demo.spread(encoder, x)
    assert exact == pytest.approx(estimates.mean())
    assert deviation == pytest.approx(np.sqrt(estimates.var(axis=1).sum()) / 3)


def test_departures_see_a_wrong_penalty(a_run, monkeypatch):
    """As they are; then with a closed form and an estimate that are a little too large."""
    run, encoder, batches = a_run(demo), small(20, 10, 5), [rng(i).random((50, 20)) for i in range(4)]
    right = demo.ways

    def wrong(encoder, rng):
        way = right(encoder, rng)
        too_large = {demo.CLOSED: 1 + 1e-8, demo.ESTIMATE: 1.1}
        return way | {name: lambda x, f=way[name], by=by: by * f(x) for name, by in too_large.items()}

    apart, off = demo.departures(run, encoder, batches, 50)
    assert apart < 1e-14 and max(off.values()) < 2
    monkeypatch.setattr(demo, "ways", wrong)
    apart, off = demo.departures(run, encoder, batches, 50)
    assert apart == pytest.approx(1e-8, rel=1e-3) and min(off.values()) > 2


@pytest.mark.parametrize("apart, value, gradient, held", [
    (1e-12, 1.1, 0.9, [True, True, True]),
    (1e-8, 1.1, 0.9, [False, True, True]),
    (1e-12, 3.0, 0.9, [True, False, True]),
    (1e-12, 1.1, 3.0, [True, True, False]),
])
def test_each_claim_can_fail(judged, apart, value, gradient, held):
    off = {"value": value, "gradient": gradient}
    assert list(judged(demo.judge, apart, off, "the mean of 100 estimates").values()) == held
