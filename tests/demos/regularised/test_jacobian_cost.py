"""The demo of the Jacobian penalty's cost: what it measures, and a quick run of it."""

import itertools

import numpy as np
import pytest

from demos.regularised import jacobian_cost as demo
from tinyae import Tensor, grad, jacobian, nn


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
    assert names == {"time.png", "estimate.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["jacobian-cost", *(f"jacobian-cost.{word}" for word in (
        "value", "gradient", "exact", "estimate", "layers", "closed"))]
    assert metrics["measured"]["closed_relative_difference"] < 1e-10
    for times in metrics["measured"]["seconds"].values():
        assert all(list(way) == list(demo.ways(None, None)) for way in times.values())


# --- the four ways -------------------------------------------------------------------------------

def test_layer_by_layer_is_the_sum_over_the_layers():
    encoder, x = small(7, 5, 4, 3), rng(1).random((6, 7))
    expected = 0
    for dense in encoder.layers[::2]:
        h = 1 / (1 + np.exp(-(x @ dense.weight.data + dense.bias.data)))
        expected += (((h * (1 - h))[:, :, None] * dense.weight.data.T) ** 2).sum() / len(x)
        x = h
    got = demo.layer_by_layer(encoder, Tensor(rng(1).random((6, 7)))).item()
    assert got == pytest.approx(expected, rel=1e-12)
    assert got > 2 * demo.ways(encoder, rng())[demo.EXACT](Tensor(rng(1).random((6, 7)))).item()


def test_layer_by_layer_holds_the_layers_below_fixed():
    """The gradient in a layer's weights is that of its own penalty alone."""
    encoder, x = small(7, 5, 3), Tensor(rng(1).random((6, 7)))
    first, *_ = encoder.layers
    below = demo.layer_by_layer(nn.Sequential(*encoder.layers[:2]), x)
    whole = demo.layer_by_layer(encoder, x)
    assert np.allclose(grad(whole, first.weight).numpy(), grad(below, first.weight).numpy())


def test_value_and_gradient():
    encoder, x = small(5, 3), Tensor(rng(1).random((6, 5)))
    penalty = demo.ways(encoder, rng())[demo.EXACT]
    value, gradient = demo.value_and_gradient(penalty, x, encoder)
    assert value == pytest.approx((jacobian(encoder, x).numpy() ** 2).sum() / 6)
    weight = encoder.layers[0].weight
    for i in (0, 7, 14):
        ends = []
        for sign in (1, -2):
            weight.data.flat[i] += sign * 1e-5
            ends.append(penalty(x).item())
        weight.data.flat[i] += 1e-5
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(gradient[i], rel=1e-5)


# --- how far the estimate is off -----------------------------------------------------------------

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


# --- the claims can fail -------------------------------------------------------------------------

@pytest.mark.parametrize("apart, value, gradient, held", [
    (1e-12, 1.1, 0.9, [True, True, True]),
    (1e-8, 1.1, 0.9, [False, True, True]),
    (1e-12, 3.0, 0.9, [True, False, True]),
    (1e-12, 1.1, 3.0, [True, True, False]),
])
def test_each_claim_of_values_can_fail(judged, apart, value, gradient, held):
    off = {"value": value, "gradient": gradient}
    assert list(judged(demo.judge_values, apart, off, "the mean of 100 estimates").values()) == held


FLAT = dict.fromkeys((demo.EXACT, demo.CLOSED, demo.ESTIMATE, demo.LAYERS), 1.0)
SLOW = {**FLAT, demo.EXACT: 10.0}


@pytest.mark.parametrize("large, deep, single, held", [
    (SLOW, SLOW, SLOW, [True, True, True, True]),
    (FLAT, SLOW, SLOW, [False, True, True, True]),
    (SLOW, {**SLOW, demo.ESTIMATE: 9.0}, SLOW, [True, False, True, True]),
    (SLOW, {**SLOW, demo.LAYERS: 9.0}, SLOW, [True, True, False, True]),
    (SLOW, SLOW, FLAT, [True, True, True, False]),
])
def test_each_claim_of_times_can_fail(judged, large, deep, single, held):
    found = judged(demo.judge_times, {16: FLAT, 128: large}, {1: single, 2: deep})
    assert list(found.values()) == held


def test_seconds_of_every_case_and_way(a_run):
    times = demo.seconds(a_run(demo), {(9, 4), (9, 5, 3)}, rng().random((4, 9)))
    assert set(times) == {(9, 4), (9, 5, 3)}
    assert all(len(way) == 4 and min(way.values()) > 0 for way in times.values())
