"""The demo of the vector field: what it measures, and quick runs of it."""

import math

import numpy as np
import pytest

from demos.regularised import vector_field
from tinyae import data


@pytest.mark.parametrize("manifold", ["circle", "spiral"])
def test_quick_vector_field(run_quick, manifold):
    metrics, names = run_quick(vector_field, "--manifold", manifold)
    assert names == {"vector_field.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["vector-field", "vector-field.copy"]
    measured = metrics["measured"]
    assert (measured["manifold"], metrics["epochs"]) == (manifold, 2)
    assert set(measured["cosine"]) == set(measured["mean_length"]) == {"with noise", "without noise"}


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


def test_mean_length():
    assert vector_field.mean_length(np.array([[3.0, 4], [0, 1]])) == 3


def test_the_field_is_that_of_the_reconstruction(a_run):
    run = a_run(vector_field)
    model = vector_field.autoencoder(None, run.rng("weights"))
    model.decoder = lambda h: h[:, :2] * 0 + [[3, -1]]
    points = np.array([[0.5, 2.0], [1.0, 1.0]])
    assert np.allclose(vector_field.field(run, model, points), [3, -1] - points)


@pytest.mark.parametrize("cosine, length, held", [
    (0.99, 0.01, [True, True]),
    (0.5, 0.01, [False, True]),  # it points elsewhere
    (0.99, 0.1, [True, False]),  # the one trained without noise moves points, too
])
def test_each_claim_can_fail(judged, cosine, length, held):
    cosines, lengths = ({"with noise": with_noise, "without noise": without}
                        for with_noise, without in ((cosine, -0.3), (0.2, length)))
    assert list(judged(vector_field.judge, cosines, lengths, 0.2).values()) == held
