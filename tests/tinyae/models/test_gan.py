"""The generative adversarial network: its losses against the formulas, its two players, and that they play."""

import math

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, models, nn, no_grad, ops, optim, training


def rng(seed=0):
    return np.random.default_rng(seed)


def gan(seed=0, size=2, hidden=8, latent=3, **options):
    g = rng(seed)
    return models.GenerativeAdversarialNetwork(nn.mlp(latent, hidden, size, rng=g),
                                               nn.mlp(size, hidden, 1, rng=g, activation=ops.tanh), latent, **options)


def examples(n=6, size=2):
    return Tensor(rng(1).standard_normal((n, size)).astype(np.float32))


def probabilities(model, x):
    return 1 / (1 + np.exp(-model.discriminator(x).data.astype(float)))


def test_the_losses_are_those_of_the_game():
    model, x = gan(), examples()
    made = model.sample(6, rng(2))
    d_real, d_made = probabilities(model, x), probabilities(model, made)
    loss, terms = model.discriminator_loss(x, rng(2))
    value = np.log(d_real).mean() + np.log(1 - d_made).mean()
    assert loss.item() == pytest.approx(-value, rel=1e-5) == sum(t.item() for t in terms.values())
    assert model.value(x, made).item() == pytest.approx(value, rel=1e-5)
    assert model.generator_loss(x, rng(2))[0].item() == pytest.approx(-np.log(d_made).mean(), rel=1e-5)
    saturating = gan(saturating=True)
    assert saturating.generator_loss(x, rng(2))[0].item() == pytest.approx(np.log(1 - d_made).mean(), rel=1e-5)


def test_a_blind_discriminator_is_worth_minus_ln_4():
    model, x = gan(), examples()
    for p in model.discriminator.parameters():
        p.data[...] = 0
    assert model.value(x, model.sample(6, rng())).item() == pytest.approx(-math.log(4), rel=1e-6)


def test_each_player_has_its_own_gradient():
    model, x = gan(), examples()
    own, other = model.discriminator.parameters(), model.generator.parameters()
    d_loss, g_loss = model.discriminator_loss(x, rng())[0], model.generator_loss(x, rng())[0]
    assert all(g.data.any() for g in grad(d_loss, own)) and not any(g.data.any() for g in grad(d_loss, other))
    assert any(g.data.any() for g in grad(g_loss, other))


@pytest.mark.parametrize("size, sure", [(1e4, True), (-1e4, True), (0.0, False)])
def test_nothing_overflows(size, sure):
    for saturating in (False, True):
        model = gan(saturating=saturating)
        model.discriminator.layers[-1].bias.data[...] = size
        loss = model.generator_loss(examples(), rng())[0]
        gradients = grad(loss, model.generator.parameters())
        assert math.isfinite(loss.item()) and all(np.isfinite(g.data).all() for g in gradients)
        # Where the discriminator is sure that examples are made, only the saturating loss has no gradient.
        if size < 0:
            assert any(g.data.any() for g in gradients) == (not saturating)


def test_the_penalty_is_the_squared_slope():
    model, x = gan(r1=0.5), examples()
    w1, w2 = (model.discriminator.layers[i].weight.data.astype(float) for i in (0, 2))
    b1 = model.discriminator.layers[0].bias.data
    slope = (1 - np.tanh(x.data @ w1 + b1) ** 2) * w2[:, 0] @ w1.T
    expected = 0.5 * 0.5 * (slope**2).sum(axis=1).mean()
    loss, terms = model.discriminator_loss(x, rng())
    assert terms["r1"].item() == pytest.approx(expected, rel=1e-5)
    assert loss.item() == pytest.approx(gan().discriminator_loss(x, rng())[0].item() + expected, rel=1e-5)
    with no_grad():
        value = model.discriminator_loss(x, rng())[1]["r1"]
    assert value.item() == terms["r1"].item() and value.node is None
    assert not x.requires_grad


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_gradient_check(player):
    model = gan(hidden=3, r1=0.5 if player == "discriminator" else 0.0)
    layers = [f for f in getattr(model, player).layers if isinstance(f, nn.Dense)]

    def loss(*values):
        for layer, weight, bias in zip(layers, values[::2], values[1::2]):
            layer.weight, layer.bias = weight, bias
        return getattr(model, f"{player}_loss")(Tensor(rng(1).standard_normal((4, 2))), rng(5))[0]

    for part in (model.generator, model.discriminator):
        for p in part.parameters():
            p.data = rng(3).standard_normal(p.shape)
    gradcheck(loss, [p.data.copy() for p in getattr(model, player).parameters()], order=2)


@pytest.mark.parametrize("options", [{"latent": 0}, {"r1": -1}, {"r1": math.nan}])
def test_bad_options(options):
    model = gan()
    with pytest.raises(ValueError, match="latent must be at least 1 and r1 at least 0"):
        models.GenerativeAdversarialNetwork(model.generator, model.discriminator, **{"latent": 3, **options})


def test_they_play():
    """The generator of a point far away from the data comes to them."""
    x = (rng(1).standard_normal((200, 1)) * 0.1 + 2).astype(np.float32)
    model = gan(size=1, hidden=16, latent=2, r1=0.1)
    players = {name: optim.Adam(getattr(model, name).parameters(), 0.01, betas=(0.5, 0.9))
               for name in ("discriminator", "generator")}
    before = model.sample(500, rng()).data.mean()
    history = training.fit(model, players, x, epochs=40, batch_size=50, rng=rng())
    after = model.sample(500, rng()).data.mean()
    assert abs(after - 2) < 0.3 < abs(before - 2)
    assert {"discriminator", "generator", "real", "made", "r1"} <= set(history[-1]["train"])
