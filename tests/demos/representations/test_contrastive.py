"""The demo of contrastive learning: its views and measures, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.representations import contrastive
from tinyae import data


def test_quick_run(run_quick):
    metrics, names = run_quick(contrastive)
    assert names == {"views.png", "accuracy.png", "factors.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["contrastive", "contrastive.blind", "contrastive.seen"]


# --- views ---------------------------------------------------------------------------------------

def test_a_digit_is_drawn_again_with_other_factors(a_run):
    run = a_run(contrastive)
    (first, second), factors, labels = contrastive.redrawn(run, 30, 10)
    again, drawn = data.strokes(40, run.rng("images"))
    assert np.array_equal(first, again) and np.array_equal(labels, drawn["digit"])
    assert set(factors) == {"slant", "thickness", "shift", "rotation", "size", "width"}
    assert (np.abs(second - first).max(axis=(1, 2, 3)) > 0.1).all()
    ink = np.array([view.sum(axis=(1, 2, 3)) for view in (first, second)])
    assert np.corrcoef(ink[0], factors["thickness"])[0, 1] > 0.5 > np.corrcoef(ink[1], factors["thickness"])[0, 1]


IMAGES = np.random.default_rng(0).random((3, 9, 9))


def test_images_are_shifted():
    shift = np.array([[0, 0], [2, 0], [0, -3]])
    same, right, up = contrastive.resampled(IMAGES, np.ones(3), shift)[..., 0]
    assert np.allclose(same, IMAGES[0])
    assert np.allclose(right[:, 2:], IMAGES[1][:, :-2]) and not right[:, :2].any()
    assert np.allclose(up[:-3], IMAGES[2][3:]) and not up[-3:].any()


def test_images_are_scaled_about_the_middle():
    spot = np.zeros((1, 9, 9))
    spot[0, 4, 2:7] = 1
    large = contrastive.resampled(spot, np.array([1.5]), np.zeros((1, 2)))[0, ..., 0]
    assert np.allclose(large, large[::-1, ::-1]) and large.sum() > 1.5 * spot.sum()
    assert np.allclose(contrastive.resampled(np.ones((1, 9, 9)), np.array([2.0]), np.zeros((1, 2))), 1)


def test_noise_stays_in_the_range_of_pixels():
    noise = contrastive.noisy(np.full((100, 10), 0.5, np.float32), np.random.default_rng(0)) - 0.5
    assert noise.std() == pytest.approx(contrastive.NOISE, rel=0.1) and noise.dtype == np.float32
    seen = contrastive.noisy(np.ones((100, 10), np.float32), np.random.default_rng(0))
    assert seen.max() == 1 and seen.min() > 0


# --- measures ------------------------------------------------------------------------------------

def test_what_can_be_read():
    code = np.random.default_rng(0).standard_normal((200, 3))
    assert contrastive.readable(code, code @ [1.0, 2, 3], 50) == pytest.approx(1, abs=1e-3)
    assert contrastive.readable(code, np.random.default_rng(1).standard_normal(200), 50) < 0.2


@pytest.mark.parametrize("accuracy, read, missed", [
    ({}, {}, set()),
    ({"VAE": 0.88}, {}, {"contrastive"}),
    ({"VAE": float("nan")}, {}, {"contrastive"}),
    ({}, {"contrastive": {"slant": 0.1, "shift": 0.35}}, {"contrastive.blind"}),
    ({}, {"autoencoder": {"slant": 0.2, "shift": 0.8}, "VAE": {"slant": 0.3, "shift": 0.8}}, {"contrastive.seen"}),
])
def test_each_claim_can_fail(judged, accuracy, read, missed):
    accuracy = {"contrastive": 0.9, "autoencoder": 0.7, "VAE": 0.75, "pixels": 0.6} | accuracy
    read = {"contrastive": {"slant": 0.1, "shift": 0.0}, "autoencoder": {"slant": 0.7, "shift": 0.6},
            "VAE": {"slant": 0.6, "shift": 0.7}} | read
    held = judged(contrastive.judge, accuracy, read, ("slant", "shift"))
    assert {id for id, ok in held.items() if not ok} == missed
