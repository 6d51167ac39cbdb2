"""The demo of the integral that is ln p(x): the grid, the estimates, a quick run, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.variational import importance
from tinyae import models

RIGHT = {"difference": 1e-3, "share": 0.006, "spread": {"prior": 8.0, "encoder": 0.3},
         "bias": {1: -5.0, 5: -2.0, 50: -0.3, 500: -0.1, 5_000: -0.02}, "excess": 0.5, "miss": 0.02,
         "short": 18.0, "gain": 1.4}


def test_quick_run(run_quick):
    metrics, names = run_quick(importance)
    assert names == {"estimates.png", "plane.png", "bounds.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "intractable", "intractable.share", "intractable.dimensions", "intractable.encoder", "intractable.truth",
        "intractable.grid", "intractable.below", "intractable.tighter", "intractable.iwae"]


@pytest.fixture
def small(a_run):
    """A run, a model of five pixels with a plane of latents, and three images in black and white."""
    rng = np.random.default_rng(0)
    model = models.dense_vae((5,), 8, 2, rng)
    for p in model.decoder.parameters():
        p.data *= 2
    return a_run(importance), model, (rng.random((3, 5)) < 0.5).astype(np.float32)


def test_the_grid_has_the_area_of_its_fields():
    halves, area = importance.checkered_grid(0.1)
    z = np.concatenate(halves)
    assert z.shape == (101**2, 2) and area == pytest.approx(0.01) and abs(z).max() == pytest.approx(5)
    assert len(np.unique(z.round(3), axis=0)) == len(z) and abs(len(halves[0]) - len(halves[1])) == 1
    assert np.exp(-(z**2).sum(axis=1) / 2).sum() * area / (2 * math.pi) == pytest.approx(1, abs=1e-5)


def test_the_likelihood_is_that_of_the_model(small):
    run, model, x = small
    z = np.random.default_rng(1).standard_normal((4, 2), dtype=np.float32)
    found = importance.log_likelihood(run, model, z, x)
    assert found.shape == (4, 3)
    for i in range(4):
        p = model.decode(run.tensor(np.repeat(z[i : i + 1], 3, axis=0)))
        assert found[i] == pytest.approx(p.log_prob(run.tensor(x)).numpy(), abs=1e-5)


def test_all_images_together_have_the_probability_1(small):
    run, model, _ = small
    every = np.array([[number >> i & 1 for i in range(5)] for number in range(32)], np.float32)
    found = importance.truth(run, model, every, *importance.checkered_grid(0.1))
    assert np.exp(found["log_p"]).sum() == pytest.approx(1, abs=1e-4) and found["difference"] < 0.01


def test_the_estimates_agree_with_the_grid(small):
    run, model, x = small
    found = importance.truth(run, model, x, *importance.checkered_grid(0.1))
    errors = importance.errors_of_estimates(run, model, x, found["log_p"])
    for of_way in errors.values():
        assert [error.shape for error in of_way.values()] == [(5_000 // k, 3) for k in importance.DRAWS]
        assert abs(of_way[5_000]).max() < 0.1
    weights = np.exp(importance.log_likelihood(
        run, model, run.rng("prior").standard_normal((100_000, 2), dtype=np.float32), x))
    assert found["share"] == pytest.approx(weights.mean(axis=0) ** 2 / (weights**2).mean(axis=0), rel=0.02)


def test_estimates_of_groups_of_draws():
    log_w = np.log(np.array([[1.0], [3.0], [5.0], [7.0], [100.0]]))
    assert importance.estimates_of(log_w, 2)[:, 0] == pytest.approx(np.log([2.0, 6.0]))
    assert importance.estimates_of(log_w - 5_000, 5)[:, 0] == pytest.approx(np.log(23.2) - 5_000)


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"spread": {"prior": 0.3, "encoder": 0.3}}, {"intractable", "intractable.encoder"}),
    ({"share": 0.3}, {"intractable.share"}),
    ({"short": 0.1}, {"intractable.dimensions"}),
    ({"miss": 0.2}, {"intractable.truth"}),
    ({"difference": 0.3}, {"intractable.grid"}),
    ({"excess": 10}, {"intractable.below"}),
    ({"bias": RIGHT["bias"] | {50: -5.0}}, {"intractable.tighter"}),
    ({"gain": 0.0}, {"intractable.iwae"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(importance.judge, **(RIGHT | change)).items() if not held} == missed
