"""The demos of what a linear autoencoder learns, and of the gradient at its output."""

import math

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


@pytest.mark.parametrize("degrees", [0, 1e-6, 0.5, 30, 89, 90])
def test_angle_between_planes_of_known_angle(degrees):
    rng = np.random.default_rng(0)
    turned = math.radians(degrees)
    a = np.eye(5)[:, :2]
    b = np.stack((np.eye(5)[0], [0, math.cos(turned), 0, math.sin(turned), 0]), axis=1)
    frame, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    for mix in (np.eye(2), rng.standard_normal((2, 2))):  # whatever the bases of the planes
        assert abs(pca.angle_between(frame @ a, frame @ b @ mix) - degrees) < 1e-9
        assert abs(pca.angle_between(frame @ b @ mix, frame @ a) - degrees) < 1e-9


def test_angle_between_lines_has_no_sign_and_no_length():
    assert abs(pca.angle_between([[1.0], [0.0]], [[-3.0], [3.0]]) - 45) < 1e-9


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
