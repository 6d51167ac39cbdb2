"""Convolutional layers, Dropout and BatchNorm: shapes, scales, gradients, modes, and resuming with them."""

import io

import numpy as np
import pytest

from tinyae import Tensor, gradcheck, models, nn, ops, optim, training

RNG = np.random.default_rng(0)
IMAGES = RNG.random((4, 8, 6, 3), np.float32)


def double(module):
    """The module in float64, for gradient checks."""
    for _, t in module.named_tensors():
        t.data = t.data.astype(np.float64)
    return module


# --- convolution and pooling ---------------------------------------------------------------------

@pytest.mark.parametrize("layer, shape", [
    (nn.Conv2d(3, 5, 3, rng=RNG), (4, 6, 4, 5)),
    (nn.Conv2d(3, 5, (4, 2), (2, 1), (1, 0), rng=RNG), (4, 4, 5, 5)),
    (nn.ConvTranspose2d(3, 5, 4, 2, 1, rng=RNG), (4, 16, 12, 5)),
    (nn.ConvTranspose2d(3, 5, 3, 2, 1, 1, rng=RNG), (4, 16, 12, 5)),
    (nn.MaxPool2d(2), (4, 4, 3, 3)),
    (nn.MaxPool2d(3, 1), (4, 6, 4, 3)),
    (nn.AvgPool2d((4, 2)), (4, 2, 3, 3)),
    (nn.Upsample2d(2), (4, 16, 12, 3)),
], ids=repr)
def test_shapes_and_precision(layer, shape):
    y = layer(Tensor(IMAGES))
    assert y.shape == shape and y.dtype == np.float32


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 2, 3, 2, 1, rng=RNG),
                                   nn.ConvTranspose2d(1, 2, 3, 2, 1, 1, rng=RNG)], ids=repr)
def test_gradients(layer):
    double(layer)
    x = RNG.standard_normal((2, 3, 3, 1))

    def f(x, w, b):
        layer.weight, layer.bias = w, b
        return ops.tanh(layer(x))

    gradcheck(f, [x, layer.weight.data, layer.bias.data])


@pytest.mark.parametrize("layer, channels, fan_in", [
    (nn.Conv2d(8, 64, 4, 2, 1, rng=RNG), 8, 4 * 4 * 8),
    (nn.ConvTranspose2d(64, 8, 4, 2, 1, rng=RNG), 64, 2 * 2 * 64),  # 2 x 2 windows meet on a pixel
], ids=repr)
def test_initial_scale_keeps_the_signal(layer, channels, fan_in):
    assert layer.weight.data.var() == pytest.approx(2 / fan_in, rel=0.1)
    x = np.maximum(RNG.standard_normal((8, 16, 16, channels), np.float32), 0)
    inside = layer(Tensor(x)).data[:, 2:-2, 2:-2]
    assert (inside**2).mean() == pytest.approx(1, rel=0.25)  # fan_in · 2/fan_in · E relu(n)², which is 1/2


def test_wrong_channels_are_named():
    with pytest.raises(ValueError, match=r"conv2d: input has 3 channels but the kernel takes 1"):
        nn.Conv2d(1, 2, 3, rng=RNG)(Tensor(IMAGES))


# --- Dropout -------------------------------------------------------------------------------------

def test_dropout_is_the_identity_in_evaluation():
    x = Tensor(IMAGES)
    assert nn.Dropout(0.5)(x) is x
    layer = nn.Sequential(nn.Dropout(0.5))
    assert layer.train(RNG).eval()(x) is x


def test_dropout_in_training():
    x = Tensor(np.ones((200, 500), np.float32), requires_grad=True)
    layer = nn.Dropout(0.3).train(np.random.default_rng(1))
    y = layer(x)
    kept = y.data != 0
    n = kept.size
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.21 / n)
    assert np.allclose(y.data[kept], 1 / 0.7) and y.dtype == np.float32
    y.backward(np.ones(y.shape, np.float32))
    assert np.array_equal(x.grad.data, y.data)  # the mask and the scale, once
    assert not np.array_equal(layer(x).data, y.data)
    again = nn.Dropout(0.3).train(np.random.default_rng(1))
    assert np.array_equal(again(x).data, y.data)


@pytest.mark.parametrize("rate", [-0.1, 1, 2, float("nan")])
def test_dropout_rates(rate):
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\)"):
        nn.Dropout(rate)


# --- BatchNorm -----------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(7, 3), (4, 5, 2, 3)])
def test_batch_norm_in_training(shape):
    layer = nn.BatchNorm(3, momentum=0.2).train(RNG)
    x = RNG.standard_normal(shape).astype(np.float32) * 3 + 5
    axes = tuple(range(len(shape) - 1))
    y = layer(Tensor(x)).data
    assert y.dtype == np.float32
    assert np.allclose(y.mean(axes), 0, atol=1e-5) and np.allclose(y.var(axes), 1, atol=1e-3)
    assert np.allclose(layer.running_mean.data, 0.2 * x.mean(axes), rtol=1e-5)
    assert np.allclose(layer.running_var.data, 0.8 + 0.2 * x.var(axes, ddof=1), rtol=1e-5)


def test_batch_norm_in_evaluation_uses_running_statistics():
    layer = nn.BatchNorm(2)
    layer.load_state_dict({"gamma": np.float32([2, 3]), "beta": np.float32([1, -1]),
                           "running_mean": np.float32([5, 6]), "running_var": np.float32([4, 9])})
    before = layer.state_dict()
    y = layer(Tensor([[7.0, 9.0]])).data
    assert np.allclose(y, [[2 * 1 + 1, 3 * 1 - 1]], atol=1e-4)
    assert all(np.array_equal(v, before[k]) for k, v in layer.state_dict().items())


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_batch_norm_gradients(mode):
    layer = double(nn.BatchNorm(2))

    def f(x, gamma, beta):
        layer.gamma, layer.beta = gamma, beta
        layer.train(RNG if mode == "train" else None)
        return ops.tanh(layer(x))

    gradcheck(f, [RNG.standard_normal((4, 2)), np.array([1.5, 0.5]), np.array([0.1, -0.2])])


def test_batch_norm_refuses():
    with pytest.raises(ValueError, match=r"expected an input \(N, ..., 3\), got \(2, 4\)"):
        nn.BatchNorm(3)(Tensor(np.zeros((2, 4), np.float32)))
    with pytest.raises(ValueError, match="no variance"):
        nn.BatchNorm(3).train(RNG)(Tensor(np.zeros((1, 3), np.float32)))


def test_running_statistics_are_saved_and_not_trained():
    layer = nn.BatchNorm(3)
    assert set(layer.state_dict()) == {"gamma", "beta", "running_mean", "running_var"}
    assert [name for name, _ in layer.named_parameters()] == ["gamma", "beta"]


# --- in a model ----------------------------------------------------------------------------------

def restless_vae(rng):
    """A VAE with every layer that behaves otherwise in training."""
    encoder = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, rng=rng), nn.BatchNorm(4), ops.relu, nn.Flatten(),
                            nn.Dropout(0.2), nn.Dense(48, 4, rng=rng))
    decoder = nn.Sequential(nn.Dense(2, 48, rng=rng), ops.relu, nn.Reshape((4, 3, 4)),
                            nn.ConvTranspose2d(4, 3, 4, 2, 1, rng=rng))
    return models.VariationalAutoencoder(encoder, decoder, 2)


def run(epochs, path, resume=False):
    rng = np.random.default_rng(5)
    model = restless_vae(rng)
    training.fit(model, optim.Adam(model.parameters(), 0.01), np.repeat(IMAGES, 5, axis=0), epochs=epochs,
                 batch_size=8, rng=rng, held_out=IMAGES, checkpoint=path, resume=resume, stream=io.StringIO())
    return model


def test_resuming_gives_the_same_bits(tmp_path):
    whole = run(4, tmp_path / "whole.npz").state_dict()
    run(2, tmp_path / "part.npz")
    resumed = run(4, tmp_path / "part.npz", resume=True).state_dict()
    assert all(np.array_equal(value, resumed[name]) for name, value in whole.items())
    assert not np.array_equal(whole["encoder.layers.1.running_mean"], np.zeros(4))


def test_a_fitted_model_is_in_evaluation_mode(tmp_path):
    model = run(1, tmp_path / "c.npz")
    before = model.state_dict()
    x = Tensor(IMAGES)
    assert np.array_equal(model.reconstruct(x).data, model.reconstruct(x).data)
    assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())
