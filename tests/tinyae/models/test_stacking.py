"""Layers trained one after another, and the network that they make."""

import numpy as np
import pytest
import strict_cupy

from tinyae import Tensor, corruption, distributions, grad, models, nn, ops, optim, penalties, training

WIDTHS = (6, 5, 4)


def rng(seed=0):
    return np.random.default_rng(seed)


def machine(n_in, n_out):
    return models.RestrictedBoltzmannMachine(n_in, n_out, rng=rng())


def autoencoder(n_in, n_out, **options):
    encoder = nn.mlp(n_in, n_out, rng=rng(), output=ops.sigmoid)
    return models.Autoencoder(encoder, nn.Tied(encoder[0]), distributions.Bernoulli, **options)


def denoising(n_in, n_out):
    return autoencoder(n_in, n_out, corruption=corruption.masking(0.3))


def contractive(n_in, n_out):
    return autoencoder(n_in, n_out, penalties=[penalties.jacobian(0.1, "closed")])


def linear(n_in, n_out):
    return models.Autoencoder(nn.Dense(n_in, n_out, rng=rng()), nn.Dense(n_out, n_in, rng=rng()))


ALL = [machine, autoencoder, denoising, contractive, linear]


def stack(kind):
    return [kind(*widths) for widths in zip(WIDTHS, WIDTHS[1:])]


def examples(n=30):
    return (rng(1).random((n, WIDTHS[0])) < 0.5).astype(np.float32)


def train(model, x):
    training.fit(model, optim.Adam(model.parameters(), 0.01), x, epochs=2, batch_size=10, rng=rng(2))


@pytest.mark.parametrize("kind", ALL)
def test_each_layer_learns_from_the_codes_below(kind):
    layers, x, seen = stack(kind), examples(), []
    before = [layer.state_dict() for layer in layers]

    def watched(model, x):
        seen.append((model, x))
        train(model, x)

    codes = models.train_greedily(layers, x, watched, batch_size=7)
    assert [model for model, _ in seen] == layers and seen[0][1] is x
    first = layers[0].encode(Tensor(x)).data
    assert np.allclose(seen[1][1], first) and seen[1][1].dtype == np.float32
    assert np.allclose(codes, layers[1].encode(Tensor(first)).data) and codes.shape == (30, 4)
    for layer, old in zip(layers, before):
        assert all((values != old[name]).any() for name, values in layer.state_dict().items() if values.size)


@pytest.mark.parametrize("kind", ALL)
def test_the_stacked_encoder_gives_the_codes_and_is_a_copy(kind):
    layers, x = stack(kind), examples()
    codes = models.train_greedily(layers, x, train)
    network = models.stacked_encoder(layers)
    assert isinstance(network, nn.Sequential) and len(network) == (2 if kind is linear else 4)
    assert np.allclose(network(Tensor(x)).data, codes, atol=1e-6)
    assert len(network.parameters()) == 4 and all(np.any(g.data) for g in grad(
        ops.sum(network(Tensor(x)) ** 2), network.parameters()))
    for p in network.parameters():  # fine-tuned
        p.data += 1
    assert np.allclose(models.stacked_encoder(layers)(Tensor(x)).data, codes, atol=1e-6)


class Classifier(nn.Module):
    """The stacked encoders and a layer of logits."""

    def __init__(self, layers):
        self.network = nn.Sequential(*models.stacked_encoder(layers), nn.Dense(WIDTHS[-1], 2, rng=rng()))

    def loss(self, x, y, rng):
        return distributions.Categorical(self.network(x)).nll(y), {}


def test_a_classifier_on_top_can_be_fine_tuned():
    layers, x = stack(machine), examples()
    models.train_greedily(layers, x, train)
    model = Classifier(layers)
    history = training.fit(model, optim.Adam(model.parameters(), 0.05), (x, x[:, 0].astype(int)),
                           epochs=30, batch_size=10, rng=rng())
    assert history[-1]["train"]["loss"] < 0.5 * history[0]["train"]["loss"]


def test_codes_stay_on_the_device(monkeypatch):
    stand_in = strict_cupy.install(monkeypatch)
    layers, devices = [layer.to("gpu") for layer in stack(machine)], []
    codes = models.train_greedily(layers, examples(), lambda model, x: devices.append(type(x).__module__))
    assert devices == ["numpy", "cupy"] and type(codes).__module__ == "cupy"
    assert models.stacked_encoder(layers).parameters()[0].device == "gpu"
    assert stand_in.to_host == 0
