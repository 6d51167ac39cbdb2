"""The demo of the balance between reconstruction and contraction: what it measures, and a quick run of it."""

import numpy as np
import pytest

from demos.regularised import balance
from tinyae import models, nn, ops


def rng(seed=0):
    return np.random.default_rng(seed)


def test_quick_run(run_quick):
    metrics, names = run_quick(balance)
    assert names == {"balance.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["balance", "balance.error"]
    curves = metrics["measured"]["curves"]
    for points in curves.values():
        assert [point["lambda"] for point in points] == list(balance.WEIGHTS)
    assert all(point["decoder_to_encoder"] == 1 for point in curves[balance.TIED])


def test_look(a_run):
    first, second = nn.Dense(6, 4, rng=rng()), nn.Dense(4, 6, rng=rng(1))
    model = models.Autoencoder(nn.Sequential(first, ops.sigmoid), second)
    x = rng(2).random((7, 6), np.float32)
    seen = balance.look(a_run(balance), model, x)
    h = 1 / (1 + np.exp(-(x @ first.weight.data)))
    jacobians = (h * (1 - h))[:, :, None] * first.weight.data.T
    assert seen["sensitivity"] == pytest.approx((jacobians**2).sum() / 7, rel=1e-5)
    assert seen["squared_error"] == pytest.approx(((h @ second.weight.data - x) ** 2).sum() / 7, rel=1e-5)
    norms = [np.linalg.norm(layer.weight.data) for layer in (second, first)]
    assert seen["decoder_to_encoder"] == pytest.approx(norms[0] / norms[1], rel=1e-5)


@pytest.mark.parametrize("sensitivity, error, held", [
    ((9, 3, 1), (1, 2, 3), [True, True]),
    ((9, 9, 1), (1, 1, 3), [False, False]),
    ((9, 3, 4), (1, 3, 2), [False, False]),
    ((9, 3, 1), (1, 1, 3), [True, False]),
])
def test_each_claim_can_fail(judged, sensitivity, error, held):
    points = [{"sensitivity": s, "squared_error": e} for s, e in zip(sensitivity, error)]
    assert list(judged(balance.judge, points).values()) == held
