"""The demos of PCA and of the vector field: what they measure, and quick runs of them."""

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from demos import pca, vector_field  # noqa: E402
from tinyae import data, losses  # noqa: E402


# --- PCA -----------------------------------------------------------------------------------------

def test_quick_pca(run_quick):
    metrics, names = run_quick(pca, "--code", "3")
    assert names == {"pca_line.png", "pca_subspace.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["pca-line", *2 * ["pca-subspace"], *2 * ["gradient"]]
    assert metrics["squared_error"]["autoencoder"] > 0.9 * metrics["squared_error"]["PCA"]
    assert (metrics["code"], metrics["epochs"], metrics["data"]) == (3, 10, "strokes")


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


@pytest.mark.parametrize("loss", [losses.bernoulli_nll, pca.cross_entropy, losses.mse])
def test_departure_sees_a_wrong_gradient(loss):
    rng = np.random.default_rng(0)
    output, x = rng.standard_normal((6, 4)), rng.random((6, 4))
    copy = output if loss is losses.mse else 1 / (1 + np.exp(-output))
    assert pca.departure(loss, output, x, copy - x, "cpu") < 1e-14
    assert pca.departure(loss, output, x, x - copy, "cpu") > 1
    assert pca.departure(loss, output, x, 2 * (copy - x), "cpu") == pytest.approx(0.5)


# --- the vector field ----------------------------------------------------------------------------

@pytest.mark.parametrize("manifold", ["circle", "spiral"])
def test_quick_vector_field(run_quick, manifold):
    metrics, names = run_quick(vector_field, "--manifold", manifold)
    assert names == {"vector_field.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == 2 * ["vector-field"]
    assert (metrics["manifold"], metrics["epochs"]) == (manifold, 2)
    assert set(metrics["cosine"]) == {"with noise", "without noise"}


@pytest.mark.parametrize("manifold", ["circle", "spiral"])
def test_the_data_lies_on_the_curve(manifold):
    x, _ = getattr(data, manifold)(500, np.random.default_rng(0))
    gaps = np.linalg.norm(vector_field.to_curve(x, vector_field.curve(manifold)), axis=1)
    assert gaps.max() < 0.005  # half the distance of two neighbours on the curve


def test_way_back_to_a_circle():
    points = np.random.default_rng(0).uniform(-2, 2, (300, 2))
    radius = np.linalg.norm(points, axis=1, keepdims=True)
    way_back = vector_field.to_curve(points, vector_field.curve("circle"))
    assert np.abs(way_back - (points / radius - points)).max() < 0.004
    judged, its_way = vector_field.band(points, vector_field.curve("circle"), 0.2)
    inside = (np.abs(radius[:, 0] - 1) > 0.1) & (np.abs(radius[:, 0] - 1) < 0.4)
    assert np.array_equal(judged, points[inside]) and np.array_equal(its_way, way_back[inside])


def test_bands_of_the_turns_do_not_overlap():
    """At 2 σ from the spiral one turn is clearly nearer than the next."""
    line = vector_field.curve("spiral")
    half_a_gap = 2 * math.pi / vector_field.manifolds.TURNS[1] / 2
    assert vector_field.BAND[1] * vector_field.SIGMA["spiral"] < half_a_gap
    assert np.allclose(np.linalg.norm(line[[0, -1]], axis=1), [1 / 3, 1])


def test_cosine():
    a = np.array([[1.0, 0], [1, 0], [2, 2], [0, 0], [1, 0]])
    b = np.array([[3.0, 0], [0, 5], [-1, -1], [1, 0], [1, 1]])
    assert np.allclose(vector_field.cosine(a, b), [1, 0, -1, 0, math.sqrt(0.5)])


@pytest.mark.parametrize("cosine, length, held", [
    (0.99, 0.01, [True, True]),
    (0.5, 0.01, [False, True]),  # it points elsewhere
    (0.99, 0.1, [True, False]),  # the one trained without noise moves points, too
])
def test_each_claim_of_the_field_can_fail(judged, cosine, length, held):
    cosines, steps = ({"with noise": with_noise, "without noise": without}
                      for with_noise, without in ((cosine, -0.3), (0.2, length)))
    assert judged(vector_field.judge, cosines, steps, 0.2) == held
