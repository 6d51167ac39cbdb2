"""The demo of the field that contraction finds: what it measures, and a quick run of it."""

import math

import numpy as np
import pytest

from demos.regularised import contracting_field as demo
from tinyae import data


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"fields.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["dae-cae.field", "dae-cae.score"]
    assert set(metrics["measured"]["relative_difference"]) == {
        demo.BETWEEN, demo.DENOISING, demo.CONTRACTION, demo.SMALL}


@pytest.mark.parametrize("variance", [0.04, 0.13, 1.0])
def test_score_is_the_slope_of_the_log_density(variance):
    """Against differences of ln p, with p the mean of the Gaussians along the circle."""
    angle = np.linspace(0, 2 * math.pi, 500, endpoint=False)
    circle = np.stack((np.cos(angle), np.sin(angle)), axis=1)

    def log_density(x):
        return np.log(np.exp(-((x[:, None] - circle)**2).sum(-1) / (2 * variance)).mean(axis=1))

    x, d = np.random.default_rng(5).uniform(-1.5, 1.5, (50, 2)), 1e-5
    rises = [log_density(x + d * e) - log_density(x - d * e) for e in np.eye(2)]
    slopes = np.stack(rises, axis=1) / (2 * d)
    assert np.allclose(demo.score(x, variance), slopes, atol=1e-6)


def test_optimal_field_is_the_mean_of_the_clean_points():
    """E[x | x̃] - x̃, by weighting many clean points with the density of the noise that leads to x̃."""
    rng = np.random.default_rng(6)
    clean = data.circle(100_000, rng, demo.SPREAD)[0].astype(np.float64)
    for seen in np.array([[0.5, 0.2], [1.0, 0.0], [-0.8, 1.0]]):
        weight = np.exp(-((clean - seen)**2).sum(axis=1) / (2 * demo.SIGMA**2))
        expected = weight @ clean / weight.sum() - seen
        assert np.allclose(demo.optimal_field(seen[None])[0], expected, atol=0.01)


def test_relative_difference():
    b = np.array([[3.0, 0], [0, 4]])
    assert demo.relative_difference(b, b) == 0
    assert demo.relative_difference(np.zeros((2, 2)), b) == 1
    assert demo.relative_difference(1.5 * b, b) == pytest.approx(0.5)
    assert demo.relative_difference(-b, b) == 2


def test_the_field_is_that_of_the_reconstruction(a_run):
    run = a_run(demo)
    model = demo.train(run, "denoising", np.zeros((4, 2), np.float32))
    x = np.array([[0.3, 1.0], [-2.0, 0.1]])
    assert np.array_equal(demo.field(run, model, x), run.apply(model.reconstruct, x) - x)


@pytest.mark.parametrize("between, denoising, contraction, held", [
    (0.1, 0.1, 0.1, [True, True]),
    (0.3, 0.1, 0.1, [False, True]),
    (0.1, 0.3, 0.1, [True, False]),
    (0.1, 0.1, 0.3, [True, False]),
])
def test_each_claim_can_fail(judged, between, denoising, contraction, held):
    apart = {demo.BETWEEN: between, demo.DENOISING: denoising, demo.CONTRACTION: contraction, demo.SMALL: 0.5}
    assert list(judged(demo.judge, apart).values()) == held
