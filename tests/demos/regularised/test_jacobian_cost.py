"""The demo of the Jacobian penalty's cost: what it measures, and a quick run of it."""

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
    assert names == {"time.png", "metrics.json"} and metrics["epochs"] is None
    assert [c["id"] for c in metrics["claims"]] == [
        "jacobian-cost", "jacobian-cost.estimate", "jacobian-cost.layers", "jacobian-cost.closed"]
    for times in metrics["measured"]["seconds"].values():
        assert all(list(way) == list(demo.ways(None, None)) for way in times.values())


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


FLAT = dict.fromkeys((demo.EXACT, demo.CLOSED, demo.ESTIMATE, demo.LAYERS), 1.0)
SLOW = {**FLAT, demo.EXACT: 10.0}


@pytest.mark.parametrize("large, deep, single, held", [
    (SLOW, SLOW, SLOW, [True, True, True, True]),
    (FLAT, SLOW, SLOW, [False, True, True, True]),
    (SLOW, {**SLOW, demo.ESTIMATE: 9.0}, SLOW, [True, False, True, True]),
    (SLOW, {**SLOW, demo.LAYERS: 9.0}, SLOW, [True, True, False, True]),
    (SLOW, SLOW, FLAT, [True, True, True, False]),
])
def test_each_claim_can_fail(judged, large, deep, single, held):
    found = judged(demo.judge, {16: FLAT, 128: large}, {1: single, 2: deep})
    assert list(found.values()) == held


def test_seconds_of_every_case_and_way(a_run):
    times = demo.seconds(a_run(demo), {(9, 4), (9, 5, 3)}, rng().random((4, 9), np.float32))
    assert set(times) == {(9, 4), (9, 5, 3)}
    assert all(len(way) == 4 and min(way.values()) > 0 for way in times.values())
