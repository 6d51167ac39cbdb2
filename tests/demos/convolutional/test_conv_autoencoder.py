"""The demo of the convolutional autoencoder: its models, and a quick run of it."""

import numpy as np
import pytest

from demos.convolutional import conv_autoencoder
from demos.convolutional.conv_autoencoder import CONVOLUTIONAL, DENSE, LONG


def test_quick_run(run_quick):
    metrics, names = run_quick(conv_autoencoder, "--code", "3")
    assert names == {"reconstructions.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["conv-ae", "conv-ae.dense"]
    measured = metrics["measured"]
    assert set(measured["squared_error"]) == {"PCA", CONVOLUTIONAL, DENSE, LONG}
    assert set(measured["training_seconds"]) == {CONVOLUTIONAL, DENSE, LONG}
    assert measured["parameters"][DENSE] == pytest.approx(measured["parameters"][CONVOLUTIONAL], rel=0.02)
    assert "3 numbers" in metrics["figures"][0]["title"] and metrics["epochs"] == 1


@pytest.mark.parametrize("code", [2, 20, 50])
def test_the_dense_networks_have_as_many_parameters(code):
    rng = np.random.default_rng(0)
    sizes = [sum(map(conv_autoencoder.parameters, networks((28, 28, 1), code, rng)))
             for networks in (conv_autoencoder.convolutional, conv_autoencoder.dense)]
    assert abs(sizes[0] - sizes[1]) <= (2 * 784 + 2 * code + 2) / 2  # a hidden unit has so many in both


@pytest.mark.parametrize("convolutional, dense, held", [
    (9.0, 10.0, [True, True]), (13.0, 14.0, [False, True]), (11.0, 10.5, [True, False])])
def test_each_claim_can_fail(convolutional, dense, held, judged):
    errors = {"PCA": 12.0, CONVOLUTIONAL: convolutional, DENSE: dense, LONG: 8.0}
    assert list(judged(conv_autoencoder.judge, 20, errors).values()) == held
