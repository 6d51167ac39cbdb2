"""The demo of the small ball: its scenes, the reader, both losses, a quick run, claims that can fail."""

import numpy as np
import pytest

from demos.adversarial import saliency
from tinyae import Tensor, grad, models, nn, ops


@pytest.fixture(scope="module")
def drawn():
    return saliency.scenes(300, np.random.default_rng(0))


def test_quick_run(run_quick):
    metrics, names = run_quick(saliency)
    assert names == {"copies.png", "errors.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["saliency", "saliency.adversary", "saliency.learned"]
    assert metrics["measured"]["error_of_reading"] == 0


def test_a_scene_is_a_robot_and_a_ball_of_four_pixels_above_it(drawn):
    images, places = drawn
    assert images.shape == (300, 16, 16, 1) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1
    sky = images[:, :saliency.SKY, :, 0]
    assert (sky.sum(axis=(1, 2)) == 4).all()
    row, column = places[7]
    assert (sky[7, row : row + 2, column : column + 2] == 1).all()
    below = images[:, saliency.SKY:].reshape(300, -1)
    assert below.max() == np.float32(0.8) and below.sum(axis=1).min() > 10
    assert set(map(tuple, places)) == {(r, c) for r in range(5) for c in range(15)}  # everywhere above


def test_the_reader_finds_the_ball_also_where_it_is_dim(drawn):
    images, places = drawn
    np.testing.assert_array_equal(saliency.place_read(images), places)
    noise = 0.05 * np.random.default_rng(1).random(images.shape)
    np.testing.assert_array_equal(saliency.place_read(0.3 * images + noise), places)


def players(weight):
    rng = np.random.default_rng(0)
    autoencoder = models.Autoencoder(nn.mlp(3, 2, rng=rng), nn.mlp(2, 3, rng=rng))
    features = nn.Sequential(nn.Dense(3, 4, rng=rng), ops.leaky_relu)
    return saliency.WithFeatures(autoencoder, features, nn.Dense(4, 1, rng=rng), weight)


def test_the_autoencoders_loss_is_the_squared_error_and_that_of_the_features():
    model, x = players(5.0), Tensor(np.random.default_rng(1).random((6, 3), np.float32))
    copies = model.autoencoder.reconstruct(x)
    pixels, features = (((a - b).numpy() ** 2).sum() / 12 for a, b in (
        (copies, x), (model.features(copies), model.features(x))))
    assert model.autoencoder_loss(x, None)[0].item() == pytest.approx(pixels + 5 * features, rel=1e-5)
    assert players(0.0).autoencoder_loss(x, None)[0].item() == pytest.approx(pixels, rel=1e-5)


def test_the_discriminators_loss_does_not_reach_the_autoencoder():
    model, x = players(1.0), Tensor(np.random.default_rng(1).random((6, 3), np.float32))
    loss, _ = model.discriminator_loss(x, None)
    real, copied = (model.discriminator(a).numpy() for a in (x, model.autoencoder.reconstruct(x)))
    assert loss.item() == pytest.approx((np.log1p(np.exp(-real)) + np.log1p(np.exp(copied))).mean(), rel=1e-5)
    assert all(not g.numpy().any() for g in grad(loss, model.autoencoder.parameters()))


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({saliency.SQUARED: 2.0}, {"saliency"}),
    ({saliency.TRAINED: 1.5}, {"saliency.adversary"}),
    ({saliency.TRAINED: np.nan}, {"saliency.adversary"}),
    ({saliency.UNTRAINED: 0.5}, {"saliency.learned"}),
])
def test_each_claim_can_fail(judged, change, missed):
    right = {saliency.SQUARED: 5.0, saliency.UNTRAINED: 5.0, saliency.TRAINED: 0.1}
    assert {id for id, held in judged(saliency.judge, right | change, 4.0).items() if not held} == missed
