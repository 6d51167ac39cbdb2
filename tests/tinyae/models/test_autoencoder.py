"""The autoencoder: its equation term by term, every combination of C and Ω, and tied weights."""

import functools
import itertools

import numpy as np
import pytest

from tinyae import (
    Tensor, corruption, data, grad, gradcheck, jacobian, losses, models, nn, no_grad, ops, optim, penalties,
    training,
)
from tinyae.distributions import Bernoulli, Gaussian, Laplace, SquaredError


def rng(seed=0):
    return np.random.default_rng(seed)


def dense(n_in, n_out, g):
    return nn.Dense(n_in, n_out, rng=g, init="glorot")


def autoencoder(size=6, hidden=5, code=3, seed=0, likelihood=Bernoulli, **options):
    g = rng(seed)
    encoder = nn.Sequential(dense(size, hidden, g), ops.sigmoid, dense(hidden, code, g), ops.sigmoid)
    decoder = nn.Sequential(dense(code, hidden, g), ops.sigmoid, dense(hidden, size, g))
    return models.Autoencoder(encoder, decoder, likelihood, **options)


def examples(n=8, *shape, dtype=np.float32):
    return Tensor(rng(1).random((n, *(shape or (6,))), dtype=dtype))


CORRUPTIONS = {"clean": None, "gaussian": corruption.gaussian(0.2), "masking": corruption.masking(0.3),
               "salt_and_pepper": corruption.salt_and_pepper(0.2)}
PENALTIES = {"none": (), "sparse": (penalties.l1(0.01), penalties.sparsity_kl(0.1, 0.3)),
             "contractive": (penalties.jacobian(0.5, "stochastic"),),
             "all": (penalties.l2(0.1), penalties.sparsity_kl(0.1, 0.3), penalties.jacobian(0.5))}
COMBINATIONS = list(itertools.product(CORRUPTIONS, PENALTIES))


# --- the equation --------------------------------------------------------------------------------

def test_parts():
    model, x = autoencoder(), examples()
    h = model.encode(x)
    p = model.decode(h)
    assert isinstance(p, Bernoulli)
    assert h.shape == (8, 3) and p.mean.shape == model.reconstruct(x).shape == (8, 6)
    assert np.array_equal(h.data, model.encoder(x).data)
    assert np.array_equal(p.mean.data, ops.sigmoid(model.decoder(h)).data)
    assert np.array_equal(model.reconstruct(x).data, p.mean.data)
    for likelihood in (SquaredError, Gaussian, Laplace):
        other = autoencoder(likelihood=likelihood)
        assert isinstance(other.decode(h), likelihood)
        assert np.array_equal(other.decode(h).mean.data, other.decoder(h).data)
        assert np.array_equal(other.reconstruct(x).data, other.decoder(h).data)
    assert models.Autoencoder(model.encoder, model.decoder).likelihood is SquaredError
    assert len(model.parameters()) == 8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("c, omega", COMBINATIONS)
def test_loss_is_the_sum_of_its_terms(c, omega, dtype):
    model, x = autoencoder(corruption=CORRUPTIONS[c], penalties=PENALTIES[omega]), examples(dtype=dtype)
    for p in model.parameters():
        p.data = p.data.astype(dtype)
    before = x.data.copy()
    loss, terms = model.loss(x, rng())
    assert list(terms) == ["reconstruction", *(penalty.__name__ for penalty in PENALTIES[omega])]
    assert loss.shape == () and all(t.shape == () for t in terms.values())
    assert {loss.dtype, *(t.dtype for t in terms.values())} == {np.dtype(dtype)}
    assert loss.item() == pytest.approx(sum(t.item() for t in terms.values()), rel=1e-6)
    assert all(np.isfinite(g.data).all() and g.data.any() and g.dtype == dtype
               for g in grad(loss, model.parameters()))
    assert np.array_equal(x.data, before) and not x.requires_grad and x.grad is None
    assert model.loss(x, rng())[0].item() == loss.item()
    with no_grad():
        value, again = model.loss(x, rng())
    assert value.node is None
    assert {k: t.item() for k, t in again.items()} == {k: t.item() for k, t in terms.items()}


def test_terms_by_hand():
    model = autoencoder(corruption=corruption.masking(0.3), penalties=PENALTIES["all"])
    x = examples()
    seen = corruption.masking(0.3)(x, rng())
    h = model.encoder(seen)
    terms = model.loss(x, rng())[1]
    assert not np.array_equal(seen.data, x.data)
    expected = {
        "reconstruction": Bernoulli(model.decoder(h)).nll(x),  # of the clean x
        "l2": 0.1 * losses.l2(h), "sparsity_kl": 0.3 * losses.sparsity_kl(h, 0.1),
        "jacobian": penalties.jacobian(0.5, "closed")(None, seen, model.encoder, None),
    }
    assert {k: t.item() for k, t in terms.items()} == pytest.approx(
        {k: t.item() for k, t in expected.items()}, rel=1e-5)


def test_a_penalty_of_ones_own():
    def spread(h, x, encoder, g):
        assert x.requires_grad and np.array_equal(encoder(x).data, h.data)
        return 2 * ops.sum(ops.var(h, 0)) + 0 * ops.sum(grad(h, x, np.ones(h.shape, h.dtype)))

    model, x = autoencoder(penalties=[spread, penalties.l1(0.5)]), examples()
    loss, terms = model.loss(x, None)  # nothing here is random
    assert list(terms) == ["reconstruction", "spread", "l1"]
    assert terms["spread"].item() == pytest.approx(2 * model.encode(x).data.var(0).sum(), rel=1e-5)


def test_backward_goes_no_further_than_the_parameters():
    seen = []
    model = autoencoder(penalties=[lambda h, x, encoder, g: seen.append(x) or losses.l1(h)])
    model.loss(examples(), None)[0].backward()
    assert seen[0].grad is None and all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("method", ["exact", "closed", "stochastic"])
def test_the_code_is_computed_once(method):
    calls, omega = [], penalties.jacobian(2, method, probes=3)
    model, x = autoencoder(penalties=[omega]), examples()
    model.encoder.layers[0].__class__ = type("Counting", (nn.Dense,), {
        "__call__": lambda self, x: calls.append(x) or nn.Dense.__call__(self, x)})
    value = model.loss(x, rng())[1]["jacobian"].item()
    assert len(calls) == (2 if method == "closed" else 1)  # the closed form needs the hidden layer
    expected = penalties.jacobian(1, method, probes=3)(None, x, model.encoder, rng()).item()
    assert value == pytest.approx(2 * expected, rel=1e-6)


def test_terms_need_different_names():
    with pytest.raises(ValueError, match="different names, .* not reconstruction, l1, l1"):
        autoencoder(penalties=[penalties.l1(1), penalties.l1(2)])


@pytest.mark.parametrize("options, says", [
    ({"penalties": penalties.l1(0.1)}, r"penalties must be a list such as \[penalties.l1\(0.1\)\]"),
    ({"penalties": [0.1]}, "expected functions and modules, got 0.1"),
    ({"penalties": [penalties.l1]}, r"expected what penalties.l1 gives .* penalties.l1\(weight\), got .* itself"),
    ({"corruption": corruption.gaussian}, r"expected what corruption.gaussian gives .*gaussian\(sigma\), got"),
    ({"corruption": 0.3}, "expected functions and modules, got 0.3"),
    ({"likelihood": "bernoulli"}, "expected functions and modules, got 'bernoulli'"),
])
def test_parts_must_be_functions(options, says):
    with pytest.raises(TypeError, match=f"Autoencoder: {says}"):
        autoencoder(**options)


def test_penalties_without_a_name():
    class Small:
        def __call__(self, h, x, encoder, rng):
            return losses.l2(h)

    half = functools.partial(lambda weight, h, x, encoder, rng: weight * losses.l1(h), 0.5)
    loss, terms = autoencoder(penalties=[Small(), half]).loss(examples(), rng())
    assert list(terms) == ["reconstruction", "Small", "partial"]
    assert loss.item() == pytest.approx(sum(t.item() for t in terms.values()), rel=1e-6)


def test_a_penalty_that_returns_nothing():
    def forgotten(h, x, encoder, rng):
        losses.l1(h)

    with pytest.raises(TypeError, match="the penalty forgotten must return a Tensor of one element, not None"):
        autoencoder(penalties=[forgotten]).loss(examples(), rng())


@pytest.mark.parametrize("omega", PENALTIES)
def test_gradient_check(omega):
    model = autoencoder(3, 3, 2, corruption=corruption.gaussian(0.3), penalties=PENALTIES[omega])
    layers = [f for f in (*model.encoder.layers, *model.decoder.layers) if isinstance(f, nn.Dense)]

    def loss(x, *values):
        for layer, weight, bias in zip(layers, values[::2], values[1::2]):
            layer.weight, layer.bias = weight, bias
        return model.loss(x, rng(3))[0]

    g = rng(4)
    values = [g.standard_normal(p.shape) for p in model.parameters()]
    gradcheck(loss, [g.random((2, 3)), *values], order=2)


def test_output_gradient_is_the_error():
    """L5: for squared error, and for cross-entropy on a sigmoid, dL/d(output) = x̂ - x."""
    for likelihood in (SquaredError, Gaussian, Bernoulli):
        model, x = autoencoder(likelihood=likelihood), examples()
        outputs = []
        model.decoder.layers += (lambda y: outputs.append(y) or y,)
        loss = model.loss(x, None)[0]
        error = model.reconstruct(x).data - x.data
        assert np.allclose(8 * grad(loss, outputs[0]).data, error, atol=1e-6)


# --- tied weights --------------------------------------------------------------------------------

def tied(seed=0, **options):
    g = rng(seed)
    one, two = dense(6, 5, g), dense(5, 3, g)
    encoder = nn.Sequential(one, ops.sigmoid, two, ops.sigmoid)
    decoder = nn.Sequential(nn.Tied(two), ops.sigmoid, nn.Tied(one))
    return models.Autoencoder(encoder, decoder, Bernoulli, **options)


def test_tied_weights_are_found_once():
    model = tied()
    assert [name for name, _ in model.named_parameters()] == [
        "encoder.layers.0.weight", "encoder.layers.0.bias", "encoder.layers.2.weight",
        "encoder.layers.2.bias", "decoder.layers.0.bias", "decoder.layers.2.bias"]
    assert [p.size for p in model.parameters()] == [30, 5, 15, 3, 5, 6]
    assert repr(model.decoder.layers[0]) == "Tied(3, 5)"


def test_tied_value():
    g = rng()
    layer = dense(4, 3, g)
    mirror = nn.Tied(layer)
    mirror.bias.data += g.random(4, dtype=np.float32)
    h = g.random((2, 3), dtype=np.float32)
    assert np.allclose(mirror(Tensor(h)).data, h @ layer.weight.data.T + mirror.bias.data)
    with pytest.raises(ValueError, match=r"Tied: expected an input of shape \(N, 3\), got \(2, 4\)"):
        mirror(Tensor(np.zeros((2, 4), np.float32)))


def test_tied_gradient_is_the_sum_over_both_uses():
    model, free, x = tied(), autoencoder(), examples()
    encoder = [model.encoder.layers[i] for i in (0, 2)]
    for layer, mine in zip((free.encoder.layers[0], free.encoder.layers[2]), encoder):
        layer.weight.data = mine.weight.data.copy()
    for layer, mine in zip((free.decoder.layers[2], free.decoder.layers[0]), encoder):
        layer.weight.data = mine.weight.data.T.copy()
    loss, expected = model.loss(x, None)[0], free.loss(x, None)[0]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    got = grad(loss, [layer.weight for layer in encoder])
    for i, g in enumerate(got):
        mirror = free.decoder.layers[2 - 2 * i]
        up, down = grad(expected, [free.encoder.layers[2 * i].weight, mirror.weight])
        assert np.allclose(g.data, up.data + down.data.T, rtol=1e-4, atol=1e-6)


def test_tied_weights_stay_tied():
    model, other, x = tied(), tied(1), examples()
    training.fit(model, optim.Adam(model.parameters(), 0.01), x.data, epochs=3, batch_size=4, rng=rng())
    assert model.decoder.layers[2].weight is model.encoder.layers[0].weight
    other.load_state_dict(model.state_dict())
    assert np.array_equal(other.reconstruct(x).data, model.reconstruct(x).data)
    assert not np.array_equal(tied().reconstruct(x).data, model.reconstruct(x).data)


def test_tied_gradient_check():
    layer = dense(3, 2, rng())
    mirror = nn.Tied(layer)

    def f(x, w, b):
        layer.weight = mirror.weight = w
        mirror.bias = b
        return mirror(ops.sigmoid(layer(x)))

    g = rng(5)
    gradcheck(f, [g.random((2, 3)), g.standard_normal((3, 2)), g.random(3)], order=2)


# --- learning ------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [autoencoder, tied])
@pytest.mark.parametrize("c, omega", COMBINATIONS)
def test_training_lowers_the_loss(c, omega, make):
    model = make(corruption=CORRUPTIONS[c], penalties=PENALTIES[omega])
    # Three kinds of examples, so that there is something to learn.
    x = (rng(6).random((3, 6)) < 0.5).astype(np.float32)[rng(7).integers(0, 3, 60)]
    history = training.fit(model, optim.Adam(model.parameters(), 0.03), x, held_out=x, epochs=6,
                           batch_size=20, rng=rng())
    assert history[-1]["held_out"]["loss"] < 0.97 * history[0]["held_out"]["loss"]
    assert history[-1]["held_out"]["reconstruction"] < history[0]["held_out"]["reconstruction"]


def small_conv(**options):
    g = rng()
    encoder = nn.Sequential(nn.Conv2d(1, 3, 4, 2, 1, rng=g), ops.relu, nn.Flatten(),
                            dense(48, 4, g), ops.sigmoid)
    decoder = nn.Sequential(dense(4, 48, g), ops.relu, nn.Reshape((4, 4, 3)),
                            nn.ConvTranspose2d(3, 1, 4, 2, 1, rng=g))
    return models.Autoencoder(encoder, decoder, Bernoulli, **options)


def test_convolutional_denoising_contractive_sparse():
    every = [penalties.jacobian(0.1), penalties.sparsity_kl(0.2, 0.1), penalties.l1(0.01)]
    model = small_conv(corruption=corruption.masking_squares(3, 2), penalties=every)
    digits = data.strokes(60, rng())[0][:, 2:26:3, 2:26:3]
    history = training.fit(model, optim.Adam(model.parameters(), 0.01), digits, epochs=5, batch_size=20,
                           rng=rng())
    assert history[-1]["train"]["loss"] < 0.9 * history[0]["train"]["loss"]


def contraction(model, x):
    with no_grad():
        return float((jacobian(model.encoder, x).data ** 2).sum() / len(x))


@pytest.mark.parametrize("method", ["exact", "closed", "stochastic"])
def test_the_contractive_penalty_contracts(method):
    x = examples(60)
    plain, contractive = autoencoder(), autoencoder(penalties=[penalties.jacobian(5, method)])
    for model in (plain, contractive):
        training.fit(model, optim.Adam(model.parameters(), 0.03), x.data, epochs=10, batch_size=20,
                     rng=rng())
    assert contraction(contractive, x) < 0.2 * contraction(plain, x)


def test_sparsity_drives_the_mean_activation_to_rho():
    x, means = examples(60), {}
    for name, omega in (("plain", ()), ("sparse", [penalties.sparsity_kl(0.05, 5.0)])):
        model = autoencoder(penalties=omega)
        training.fit(model, optim.Adam(model.parameters(), 0.03), x.data, epochs=40, batch_size=60,
                     rng=rng())
        means[name] = model.encode(x).data.mean(0)
    assert np.abs(means["sparse"] - 0.05).max() < 0.02 < np.abs(means["plain"] - 0.05).min()


def test_denoising_undoes_noise():
    x = data.line(400, rng(), noise=0.0)[0]
    noisy = corruption.gaussian(0.5)(Tensor(x), rng(8))
    model = models.Autoencoder(dense(2, 1, rng(2)), dense(1, 2, rng(3)), corruption=corruption.gaussian(0.5))
    training.fit(model, optim.Adam(model.parameters(), 0.02), x, epochs=30, batch_size=50, rng=rng())
    before, after = (((y - x) ** 2).mean() for y in (noisy.data, model.reconstruct(noisy).data))
    # The best linear map projects on the line and shrinks by s = 1 / (1 + σ²): error s σ², not 2 σ².
    assert after < 0.5 * before
