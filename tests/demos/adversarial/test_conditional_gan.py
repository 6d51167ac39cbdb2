"""The demo of the conditional GAN: its pairs, its measures, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.adversarial import conditional_gan as demo
from tinyae import Tensor, data, grad, ops


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"asked.png", "metrics.json"}
    ids = [c["id"] for c in metrics["claims"]]
    assert ids == ["gan-variants", "gan-variants.varied", "gan-variants.style"]
    assert len(metrics["measured"]["variety"]) == 10


def test_a_generated_pair_has_the_label_that_was_asked_for(a_run):
    run = a_run(demo)
    game = demo.new_game(run, (14, 14, 1))
    labels = np.arange(20) % 10
    z = np.concatenate([np.eye(10, dtype=np.float32)[labels], np.zeros((20, demo.NOISE), np.float32)], axis=1)
    pairs = run.apply(game.generator, z)
    assert pairs.shape == (20, 206) and np.array_equal(pairs[:, 196:].argmax(axis=1), labels)
    images = demo.drawn(run, game.generator, labels, z[:, 10:], (14, 14, 1))
    assert np.array_equal(images.reshape(20, -1), pairs[:, :196])
    assert np.array_equal(images[:10], images[10:]) and not np.array_equal(images[0], images[1])


def test_the_discriminator_of_the_label_judges(a_run):
    """The pair's own logit counts, and there is no slope in the label."""
    game = demo.new_game(a_run(demo), (14, 14, 1))
    images, factors = data.strokes(6, np.random.default_rng(0))
    images = images[:, ::2, ::2]
    x = Tensor(demo.pairs(images, factors["digit"]), requires_grad=True)
    logits = game.discriminator(x)
    every = game.discriminator.network(Tensor(images)).data
    assert logits.data[:, 0] == pytest.approx(every[np.arange(6), factors["digit"]], rel=1e-5)
    slope = grad(ops.sum(logits), x).data
    assert slope[:, :-10].any() and not slope[:, -10:].any()


def test_variety():
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 10
    images = rng.standard_normal((1000, 4, 4, 1))
    assert demo.varied(images, labels, images, labels) == pytest.approx([1] * 10)
    narrow = np.where(labels[:, None, None, None] == 3, 0.5, 1) * images
    assert demo.varied(narrow, labels, images, labels) == pytest.approx([1, 1, 1, 0.25, *[1] * 6])


def test_likeness():
    style, rng = np.random.default_rng(0).standard_normal(1000), np.random.default_rng(1)
    assert demo.likeness(np.outer([1, 2, 3], style)) == pytest.approx(1)
    assert demo.likeness(rng.standard_normal((10, 1000))) == pytest.approx(0, abs=0.05)
    assert demo.likeness(style + rng.standard_normal((10, 1000))) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"accuracy": 0.7}, {"gan-variants"}),
    ({"variety": [0.9] * 9 + [0.1]}, {"gan-variants.varied"}),
    ({"variety": [0.9] * 9 + [float("nan")]}, {"gan-variants.varied"}),
    ({"likeness": 0.1}, {"gan-variants.style"}),
])
def test_each_claim_can_fail(judged, change, missed):
    right = {"accuracy": 0.95, "own": 0.98, "variety": [0.9] * 10, "likeness": 0.6}
    assert {id for id, held in judged(demo.judge, **(right | change)).items() if not held} == missed
