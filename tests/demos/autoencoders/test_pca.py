"""The demos of what a linear autoencoder learns, and of the gradient at its output."""

import numpy as np
import pytest

from demos.autoencoders import gradient, line, pca


def test_quick_runs(run_quick):
    metrics, names = run_quick(line)
    assert names == {"line.png", "metrics.json"} and [c["id"] for c in metrics["claims"]] == ["pca-line"]
    assert metrics["epochs"] == 10

    metrics, names = run_quick(pca, "--code", "3")
    assert names == {"pca.png", "metrics.json"}
    measured = metrics["measured"]
    assert measured["squared_error"]["autoencoder"] > 0.9 * measured["squared_error"]["PCA"]
    assert (measured["code"], metrics["data"]) == (3, "strokes")

    metrics, names = run_quick(gradient)
    assert names == {"gradient.png", "metrics.json"} and metrics["epochs"] is None
    assert max(c["value"] for c in metrics["claims"]) < 1e-12


@pytest.mark.parametrize("name", gradient.LOSSES)
def test_departure_sees_a_wrong_gradient(a_run, name):
    rng = np.random.default_rng(0)
    output, x = rng.standard_normal((6, 4)), rng.random((6, 4))
    error = (output if name == gradient.SQUARED else 1 / (1 + np.exp(-output))) - x
    found = gradient.gradient(a_run(gradient), gradient.LOSSES[name], output, x)
    assert gradient.departure(found, error) < 1e-14
    assert gradient.departure(found, -error) > 1
    assert gradient.departure(found, 2 * error) == pytest.approx(0.5)


def test_judges(judged):
    assert judged(line.judge, 0.9) == {"pca-line": True} and not any(judged(line.judge, 1.1).values())
    equal = {"PCA": 10.0, "autoencoder": 10.0}
    assert all(judged(pca.judge, 6, 0.5, equal).values())
    assert judged(pca.judge, 6, 2.0, {"PCA": 10.0, "autoencoder": 10.2}) == {
        "pca-subspace": False, "pca-subspace.error": False}
    right = dict.fromkeys(gradient.LOSSES, 1e-15)
    assert all(judged(gradient.judge, right).values())
    assert judged(gradient.judge, right | {gradient.SQUARED: 1e-3})["gradient"] is False
    assert judged(gradient.judge, right | {gradient.WRITTEN_OUT: 1e-3})["gradient.sigmoid"] is False
