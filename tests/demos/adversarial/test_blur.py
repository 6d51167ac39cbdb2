"""The demo of blur: its measures, a quick run, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.adversarial import blur


def test_quick_run(run_quick):
    metrics, names = run_quick(blur)
    assert names == {"samples.png", "toy.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "blur", "blur.images", "blur.gan", "blur.mean", "blur.one"]


def test_sharpness():
    dot = np.zeros((1, 7, 7, 1), np.float32)
    dot[0, 3, 3] = 0.5
    assert blur.sharpness(dot) == pytest.approx([20])  # 4² and four times 1², whatever its brightness
    square = np.zeros((1, 8, 8, 1), np.float32)
    square[0, 2:6, 2:6] = 1
    soft = (square + np.roll(square, 1, axis=1) + np.roll(square, 1, axis=2)) / 3
    assert blur.sharpness(soft) < 0.6 * blur.sharpness(square)
    full = np.ones((1, 3, 3, 1), np.float32)  # at its rim it ends, as in the middle of an image
    assert blur.sharpness(full) == pytest.approx([(4 * 2**2 + 4 * 1) / 9])


def test_the_same_network_as_the_gan(a_run):
    """Layer by layer, so that what differs is what it was trained for."""
    run = a_run(blur)
    game, _ = blur.recipes.digits_gan(run, run.images(train=64, test=8))
    ours = [p.shape for p in blur.same_generator(run, (28, 28, 1), game.latent).decoder.parameters()]
    assert ours == [p.shape for p in game.generator.parameters()]


def test_two_images_and_the_distance_to_the_nearer():
    both = blur.two_images()
    assert both.shape == (2, 14, 14, 1) and both.dtype == np.float32
    assert np.abs(both[0] - both[1]).sum() > 10
    mean = both.mean(axis=0, keepdims=True)
    assert blur.distance(both, both, both) == pytest.approx(0, abs=1e-6)
    assert blur.distance(mean, both, both) == blur.distance(both, mean, both) == pytest.approx(0.5)
    assert blur.distance(0.9 * both[:1] + 0.1 * both[1:], both, both) == pytest.approx(0.1, rel=1e-4)
    assert blur.distance(1.5 * both[:1] - 0.5 * both[1:], mean, both) == pytest.approx(1)  # as far from one as the mean


SHARP = {"VAE": 0.5, "held-out digits": 0.9, "GAN": 1.0}
AWAY = {"squared error": 0.02, "the game": 0.05}


@pytest.mark.parametrize("sharp, away, missed", [
    ({}, {}, set()),
    ({"VAE": 0.95}, {}, {"blur", "blur.images"}),
    ({"GAN": 0.5}, {}, {"blur", "blur.gan"}),
    ({"GAN": 9.0}, {}, {"blur.gan"}),
    ({"held-out digits": 0.5}, {}, {"blur.images", "blur.gan"}),
    ({"VAE": math.nan}, {}, {"blur", "blur.images"}),
    ({}, {"squared error": 0.5}, {"blur.mean"}),
    ({}, {"the game": 0.5}, {"blur.one"}),
])
def test_each_claim_can_fail(judged, sharp, away, missed):
    held = judged(blur.judge, SHARP | sharp, AWAY | away)
    assert {id for id, h in held.items() if not h} == missed
