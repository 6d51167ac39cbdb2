"""The conditional variational autoencoder: for each y a VAE, trained as one, which draws what is ordered."""

import numpy as np
import pytest

from tinyae import Tensor, data, distributions, grad, gradcheck, models, nn, no_grad, ops, optim, training

SHAPE, KINDS, LATENT = (4, 4, 1), 3, 2


def rng(seed=0):
    return np.random.default_rng(seed)


def dense(shape=SHAPE, hidden=8, **options):
    networks = models.dense_networks(shape, hidden, LATENT, rng(), statistics=2, given=KINDS)
    return models.ConditionalVariationalAutoencoder(*networks, LATENT, **options)


def conv(**options):
    networks = models.conv_networks(SHAPE, (5, 4), LATENT, rng(), statistics=2, given=KINDS)
    return models.ConditionalVariationalAutoencoder(*networks, LATENT, **options)


def examples(n=6, shape=SHAPE):
    return rng(1).random((n, *shape), dtype=np.float32), np.eye(KINDS, dtype=np.float32)[np.arange(n) % KINDS]


@pytest.mark.parametrize("make", [dense, conv])
def test_for_each_y_it_is_a_vae(make):
    model, (x, y) = make(beta=2.0, likelihood=distributions.SquaredError), examples()
    plain = model.given(y)
    assert type(plain) is models.VariationalAutoencoder and plain.beta == 2
    loss, terms = model.loss(Tensor(x), Tensor(y), rng())
    expected, its_terms = plain.loss(Tensor(x), rng())
    assert loss.item() == expected.item() and loss.dtype == np.float32
    assert {name: t.item() for name, t in terms.items()} == {name: t.item() for name, t in its_terms.items()}
    assert plain.reconstruct(x).shape == model.sample(y, rng()).shape == x.shape
    assert {id(p) for p in plain.parameters()} == {id(p) for p in model.parameters()}


def test_y_stands_beside_vectors_and_is_a_channel_of_images():
    model, (x, y) = dense(), examples()
    planes = np.broadcast_to(y[:, None, None], (6, 4, 4, KINDS))
    statistics = model.encoder(Tensor(np.concatenate([x, planes], axis=-1))).numpy()
    assert np.array_equal(model.given(y).encode(x).mean.numpy(), statistics[:, :LATENT])
    z = rng(3).standard_normal((6, LATENT)).astype(np.float32)
    assert np.array_equal(model.given(y).decode(z).mean.numpy(),
                          ops.sigmoid(model.decoder(Tensor(np.hstack([z, y])))).numpy())
    vectors = dense((16,))
    assert vectors.given(y).encode(x.reshape(6, 16)).mean.shape == (6, LATENT)


def test_every_draw_of_an_example_keeps_its_y():
    model, (x, y) = dense(samples=4), examples()
    copies = dense().loss(Tensor(np.concatenate([x] * 4)), Tensor(np.concatenate([y] * 4)), rng())[0]
    assert model.loss(Tensor(x), Tensor(y), rng())[0].item() == pytest.approx(copies.item(), rel=1e-6)
    bounds = model.given(y).importance_bound(x, 7, rng()).numpy()
    assert bounds.shape == (6,) and np.isfinite(bounds).all()


@pytest.mark.parametrize("dtype", [np.int64, bool, np.float64])
def test_y_is_taken_in_the_precision_of_the_model(dtype):
    model, (x, y) = dense(), examples()
    whole = model.loss(Tensor(x), Tensor(y.astype(dtype)), rng())[0]
    assert whole.dtype == np.float32 and whole.item() == model.loss(Tensor(x), Tensor(y), rng())[0].item()
    assert model.sample(y.astype(dtype), rng()).dtype == np.float32


def test_a_y_of_another_precision_has_its_gradient():
    model, (x, y) = dense(), examples()
    wide = Tensor(y.astype(np.float64), requires_grad=True)
    loss = model.loss(Tensor(x), wide, rng())[0]
    assert loss.dtype == np.float32 and grad(loss, wide).dtype == np.float64


def test_what_does_not_fit_is_refused():
    model, (x, y) = dense(), examples()
    with pytest.raises(ValueError, match=r"y \(N, K\), got the shape \(6,\).*np.eye"):
        model.loss(Tensor(x), Tensor(y[:, 0]), rng())
    with pytest.raises(ValueError, match="y for 6 examples, got it for 4"):
        model.loss(Tensor(x), Tensor(y[:4]), rng())
    with pytest.raises(ValueError, match="y for 0 examples, got it for 0"):
        model.loss(Tensor(x[:0]), Tensor(y[:0]), rng())
    with pytest.raises(ValueError, match="samples must be at least 1"):
        dense(samples=0)
    with pytest.raises(TypeError, match="colour"):
        dense(colour=1)

    def fit(x, y):
        training.fit(model, optim.Adam(model.parameters()), (x, y), epochs=1, batch_size=2, rng=rng())
    with pytest.raises(ValueError, match=r"in \[0, 1\]|between 0 and 1"):
        fit(x + 1, y)
    with pytest.raises(ValueError, match=r"y \(N, K\)"):
        fit(x, y.argmax(axis=1))


def test_gradient_check_of_the_loss():
    model = dense((3,), 4)
    layers = [f for f in (*model.encoder.layers, *model.decoder.layers) if isinstance(f, nn.Dense)]

    def loss(x, y, *values):
        for layer, weight, bias in zip(layers, values[::2], values[1::2]):
            layer.weight, layer.bias = weight, bias
        return model.loss(x, y, rng())[0]

    g = rng(4)
    values = [g.standard_normal(p.shape) * 0.7 for p in model.parameters()]
    gradcheck(loss, [g.random((2, 3)), g.random((2, KINDS)), *values], order=2)


def test_it_draws_the_digit_that_is_ordered():
    digit = rng(5).integers(3, size=400)
    x = data.strokes(400, rng(6), digit=digit)[0][:, ::2, ::2].reshape(400, -1)  # every other pixel
    y = np.eye(3, dtype=int)[digit]
    networks = models.dense_networks((196,), 32, LATENT, rng(), statistics=2, given=3)
    model = models.ConditionalVariationalAutoencoder(*networks, LATENT)
    history = training.fit(model, optim.Adam(model.parameters(), 1e-2), (x, y), epochs=12, batch_size=20,
                           rng=rng(7))
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]
    with no_grad():
        made = model.sample(y, rng(8)).numpy()
    means = np.stack([x[digit == kind].mean(axis=0) for kind in range(3)])
    nearest = ((made[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == digit).mean() > 0.9
