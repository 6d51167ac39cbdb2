"""The variational autoencoder: shapes, the bound and its exact cases, and that it learns."""

import math

import numpy as np
import pytest

from tinyae import Tensor, data, distributions, grad, gradcheck, models, nn, no_grad, ops, optim, training


def vae(shape=(4, 4, 1), hidden=8, latent=3, seed=0, **options):
    return models.dense_vae(shape, hidden, latent, np.random.default_rng(seed), **options)


def images(n=6, shape=(4, 4, 1), seed=1):
    return Tensor(np.random.default_rng(seed).random((n, *shape), dtype=np.float32))


def rng(seed=2):
    return np.random.default_rng(seed)


def test_shapes():
    model, x = vae(), images()
    q = model.encode(x)
    assert isinstance(q, distributions.Gaussian) and q.mean.shape == q.log_var.shape == (6, 3)
    assert np.array_equal(model.encoder(x).data, np.hstack([q.mean.data, q.log_var.data]))
    assert not np.array_equal(q.mean.data, q.log_var.data)
    p = model.decode(q.mean)
    assert isinstance(p, distributions.Bernoulli)
    assert p.mean.shape == model.reconstruct(x).shape == (6, 4, 4, 1)
    assert np.array_equal(p.mean.data, model.reconstruct(x).data)
    assert model.sample(5, rng()).shape == (5, 4, 4, 1)
    bound = model.elbo(x, rng())
    assert [term.shape for term in (*bound, bound.elbo)] == [()] * 3
    assert [term.dtype for term in (*bound, bound.elbo)] == [np.float32] * 3
    assert len(model.parameters()) == 8
    assert models.dense_vae((7,), 5, 2, rng()).reconstruct(images(3, (7,))).shape == (3, 7)


def test_images_are_probabilities():
    model, x = vae(), images()
    for p in model.parameters():
        p.data *= 20  # logits far out
    for image in (model.reconstruct(x), model.sample(50, rng())):
        assert 0 <= image.data.min() < 0.1 and 0.9 < image.data.max() <= 1
    gaussian = vae(likelihood=distributions.Gaussian)
    z = Tensor(np.zeros((1, 3), np.float32))
    assert np.array_equal(gaussian.decode(z).mean.data, gaussian.decoder(z).data)  # the output is the mean


@pytest.mark.parametrize("beta", [0, 0.5, 4.0])
def test_bound_and_loss(beta):
    model, plain, x = vae(beta=beta), vae(), images()
    bound = model.elbo(x, rng())
    reconstruction, kl = (term.item() for term in bound)
    assert bound.elbo.item() == pytest.approx(-(reconstruction + kl), rel=1e-6)
    assert min(reconstruction, kl) > 0
    assert [t.item() for t in plain.elbo(x, rng())] == [reconstruction, kl]  # whatever beta is
    loss, terms = model.loss(x, rng())
    assert {name: t.item() for name, t in terms.items()} == {"reconstruction": reconstruction, "kl": kl}
    assert loss.item() == pytest.approx(reconstruction + beta * kl, rel=1e-6)


def test_terms_by_hand():
    model, x = vae(), images()
    mean, log_var = model.encode(x).mean, model.encode(x).log_var
    noise = rng().standard_normal(mean.shape, dtype=np.float32)
    logits = model.decoder(Tensor(mean.data + np.exp(log_var.data / 2) * noise)).data.astype(float)
    p = 1 / (1 + np.exp(-logits))
    bound = model.elbo(x, rng())
    cross_entropy = -(x.data * np.log(p) + (1 - x.data) * np.log(1 - p)).sum() / 6
    assert bound.reconstruction.item() == pytest.approx(cross_entropy, rel=1e-5)
    kl = (np.exp(log_var.data) + mean.data**2 - 1 - log_var.data).sum() / 2 / 6
    assert bound.kl.item() == pytest.approx(kl, rel=1e-5)


def test_more_samples():
    one, many, x = vae(), vae(samples=8), images(4)
    single = np.array([one.elbo(x, rng(seed)).reconstruction.item() for seed in range(400)])
    several = np.array([many.elbo(x, rng(seed)).reconstruction.item() for seed in range(400, 500)])
    error = math.hypot(single.std() / 20, several.std() / 10)
    assert abs(single.mean() - several.mean()) < 4 * error
    assert several.std() == pytest.approx(single.std() / math.sqrt(8), rel=0.3)
    assert many.elbo(x, rng()).kl.item() == one.elbo(x, rng()).kl.item()
    # k draws for each example are what k copies of the batch with one draw each would give
    copies = Tensor(np.concatenate([x.data] * 8))
    expected = one.elbo(copies, rng()).reconstruction.item()
    assert many.elbo(x, rng()).reconstruction.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("options", [{"samples": 0}, {"beta": -1}])
def test_bad_options(options):
    with pytest.raises(ValueError, match="samples must be at least 1 and beta at least 0"):
        vae(**options)


def test_encoder_of_another_width():
    model = vae()
    model.latent = 2
    with pytest.raises(ValueError) as caught:
        model.encode(images())
    assert all(word in str(caught.value) for word in ("(6, 6)", "(6, 4)", "latent space of 2"))


def test_arrays_are_examples_too():
    model, x = vae(samples=2), images()
    assert model.loss(x.data, rng())[0].item() == model.loss(x, rng())[0].item()
    assert np.array_equal(model.reconstruct(x.data).data, model.reconstruct(x).data)


# --- networks ------------------------------------------------------------------------------------

def widths(network):
    return [f.weight.shape for f in network.layers if isinstance(f, nn.Dense)]


def test_dense_networks():
    encoder, decoder = models.dense_networks((4, 4, 1), 8, 3, rng(), statistics=2)
    assert repr(encoder) == "Sequential(Flatten(), Dense(16, 8), relu, Dense(8, 6))"
    assert repr(decoder) == "Sequential(Dense(3, 8), relu, Dense(8, 16), Reshape((4, 4, 1)))"
    encoder, decoder = models.dense_networks([4, 4, 1], [8, 5], 3, rng())
    assert widths(encoder) == [(16, 8), (8, 5), (5, 3)] and widths(decoder) == [(3, 5), (5, 8), (8, 16)]
    assert decoder(encoder(images())).shape == (6, 4, 4, 1)
    linear, back = models.dense_networks((7,), (), 2, rng())  # no hidden layer
    assert widths(linear) == [(7, 2)] and widths(back) == [(2, 7)]


@pytest.mark.parametrize("channels", [(3,), [3, 2], (3, 2, 4)])
def test_conv_networks(channels):
    encoder, decoder = models.conv_networks((16, 8, 2), channels, 5, rng(), statistics=2)
    assert encoder(images(3, (16, 8, 2))).shape == (3, 10)
    halves = 2 ** len(channels)
    assert widths(encoder) == [(16 // halves * 8 // halves * channels[-1], 10)]
    assert decoder(Tensor(np.zeros((3, 5), np.float32))).shape == (3, 16, 8, 2)
    down = [f.weight.shape for f in encoder.layers if isinstance(f, nn.Conv2d)]
    up = [f.weight.shape for f in decoder.layers if isinstance(f, nn.ConvTranspose2d)]
    assert down == up[::-1] == [(4, 4, a, b) for a, b in zip((2, *channels), channels)]


@pytest.mark.parametrize("channels, says", [
    ((2, 3, 4), "height and width must be divisible by 8, not 12 and 8"),
    ((), r"expected the channels after each convolution, such as \[8, 16\], got none"),
    (8, r"expected the channels after each convolution, such as \[8, 16\], got 8")])
def test_conv_networks_of_other_sizes(channels, says):
    with pytest.raises(ValueError, match=f"conv_networks: {says}"):
        models.conv_networks((12, 8, 1), channels, 2, rng())


@pytest.mark.parametrize("make, says", [
    (lambda: models.dense_vae(784, 100, 2, rng()), r"dense_networks: .* such as \(784,\), got 784"),
    (lambda: models.conv_vae(784, [8], 2, rng()), r"conv_networks: expected the shape \(H, W, C\) .* got 784"),
    (lambda: models.conv_vae((28, 28), [8], 2, rng()), r"conv_networks: expected .* got \(28, 28\)")])
def test_networks_of_no_shape(make, says):
    with pytest.raises(ValueError, match=says):
        make()


# --- a model whose ln p(x) is known --------------------------------------------------------------

class Signs:
    """A generator of ±1 in all combinations: the average of a quadratic in ε is its expectation."""

    def __init__(self, examples):
        self.examples = examples

    def standard_normal(self, shape, dtype):
        k = shape[1]
        rows = [[1 - 2 * (number >> i & 1) for i in range(k)] for number in range(2**k)]
        draws = np.repeat(np.array(rows, dtype), self.examples, axis=0)
        assert draws.shape == shape
        return draws


def linear_gaussian():
    """x = W z + b + noise, with orthogonal columns in W, so that p(z | x) is a diagonal Gaussian."""
    n, d, k = 5, 4, 2
    g = rng(3)
    w = np.linalg.qr(g.standard_normal((d, k)))[0] * [2.0, 0.7]
    b, x = g.standard_normal(d), g.standard_normal((n, d)) * 2
    covariance = np.linalg.inv(np.eye(k) + w.T @ w)
    encoder = nn.Dense(d, 2 * k, rng=g)
    decoder = nn.Dense(k, d, rng=g)
    encoder.weight.data = np.hstack([w @ covariance, np.zeros((d, k))])
    encoder.bias.data = np.concatenate([-b @ w @ covariance, np.log(np.diag(covariance))])
    decoder.weight.data, decoder.bias.data = w.T.copy(), b
    model = models.VariationalAutoencoder(encoder, decoder, k, likelihood=distributions.Gaussian,
                                          samples=2**k)
    return model, x, log_p_of_each(model, x).mean()


def log_p_of_each(model, x):
    """ln p(x) = ln N(x; b, I + W Wᵀ)."""
    w, b = model.decoder.weight.data.T, model.decoder.bias.data
    d = len(b)
    marginal = np.eye(d) + w @ w.T
    square = np.einsum("ni,ij,nj->n", x - b, np.linalg.inv(marginal), x - b)
    return -(d * np.log(2 * np.pi) + np.linalg.slogdet(marginal)[1] + square) / 2


def bound(model, x):
    return model.elbo(Tensor(x), Signs(len(x))).elbo.item()


def test_the_bound_is_tight_at_the_posterior():
    model, x, log_p = linear_gaussian()
    assert bound(model, x) == pytest.approx(log_p, rel=1e-12)


@pytest.mark.parametrize("shift", [0.5, -1.0])
@pytest.mark.parametrize("part", ["mean", "log_var"])
def test_the_gap_is_the_divergence_from_the_posterior(part, shift):
    model, x, log_p = linear_gaussian()
    posterior = model.encode(Tensor(x))
    model.encoder.bias.data[:2 if part == "mean" else 4] += shift
    gap = log_p - bound(model, x)
    assert gap > 0.05
    divergence = model.encode(Tensor(x)).kl(posterior).item()
    assert gap == pytest.approx(divergence, rel=1e-9)


# --- the importance-weighted bound ---------------------------------------------------------------

def off_posterior():
    """That model with q moved off the posterior, x, ln p(x) of each, and KL(q ‖ p(z | x))."""
    model, x, _ = linear_gaussian()
    posterior = model.encode(Tensor(x))
    model.encoder.bias.data += [0.3, -0.2, 0.4, 0.3]
    return model, x, log_p_of_each(model, x), model.encode(Tensor(x)).kl(posterior).item()


def test_at_the_posterior_every_draw_weighs_p_of_x():
    model, x, _ = linear_gaussian()
    log_p = log_p_of_each(model, x)
    assert model.log_weights(Tensor(x), 7, rng()).numpy() == pytest.approx(np.tile(log_p, (7, 1)), rel=1e-12)
    for samples in (1, 7):
        found = model.importance_bound(Tensor(x), samples, rng())
        assert found.shape == (5,) and found.numpy() == pytest.approx(log_p, rel=1e-12)


def test_the_weights_average_to_p_of_x_and_their_logarithms_to_the_elbo():
    model, x, log_p, gap = off_posterior()
    assert gap > 0.1
    relative = np.exp(model.log_weights(Tensor(x), 40_000, rng()).numpy() - log_p)
    error = relative.std(axis=0) / 200
    assert error.max() < 0.02 and (abs(relative.mean(axis=0) - 1) < 4 * error).all()
    elbo = model.log_weights(Tensor(x), 4, Signs(len(x))).numpy().mean()
    assert elbo == pytest.approx(log_p.mean() - gap, rel=1e-12)
    assert elbo == pytest.approx(bound(model, x), rel=1e-12)


def test_the_bound_rises_to_ln_p_of_x_with_the_number_of_draws():
    model, x, log_p, gap = off_posterior()
    gaps = []
    for samples in (1, 10, 1000):
        many = np.stack([model.importance_bound(Tensor(x), samples, rng(seed)).numpy() for seed in range(400)])
        gaps.append(log_p.mean() - many.mean())
    assert gaps[0] == pytest.approx(gap, abs=0.1) and gaps[1] < gaps[0] / 4 and abs(gaps[2]) < gaps[1] / 10


def test_improbable_examples_have_finite_bounds_and_gradients():
    model = vae()
    for p in model.decoder.parameters():
        p.data *= 1000  # then each weight is far below the least number of float32
    found = model.importance_bound(images(), 5, rng())
    assert found.data.max() < -1000 and np.isfinite(found.data).all()
    assert all(np.isfinite(g.data).all() for g in grad(ops.sum(found), model.parameters()))


def iwae(shape=(4, 4, 1), hidden=8, latent=3, **options):
    networks = models.dense_networks(shape, hidden, latent, np.random.default_rng(0), statistics=2)
    return models.ImportanceWeightedAutoencoder(*networks, latent, **options)


def test_training_on_the_importance_weighted_bound():
    model, x = iwae(samples=6), images()
    assert isinstance(model.decode(model.encode(x).mean), distributions.Bernoulli)
    loss, terms = model.loss(x, rng())
    assert loss.shape == () and terms == {"bound": loss}
    assert loss.item() == -model.importance_bound(x, 6, rng()).numpy().mean()
    log_w = model.log_weights(x, 6, rng()).numpy().astype(float)
    assert loss.item() == pytest.approx(-np.log(np.exp(log_w).mean(axis=0)).mean(), rel=1e-6)
    assert loss.item() < -log_w.mean()  # Jensen: above the average of the logarithms
    history = training.fit(model, optim.Adam(model.parameters(), 1e-2), x.data, epochs=30, batch_size=6,
                           rng=rng())
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"] - 0.5


@pytest.mark.parametrize("samples", [0, -1])
def test_no_draws_are_refused(samples):
    with pytest.raises(ValueError, match=f"samples must be at least 1, not {samples}"):
        vae().log_weights(images(), samples, rng())
    with pytest.raises(ValueError, match="samples must be at least 1"):
        iwae(samples=samples)


# --- learning ------------------------------------------------------------------------------------

@pytest.mark.parametrize("make, options", [
    (vae, {}), (vae, {"samples": 2, "beta": 0.5, "likelihood": distributions.SquaredError}),
    (vae, {"likelihood": distributions.Laplace}), (iwae, {"samples": 3})])
def test_gradient_check_of_the_loss(make, options):
    model = make((3,), 4, 2, **options)
    layers = [f for f in (*model.encoder.layers, *model.decoder.layers) if isinstance(f, nn.Dense)]

    def loss(x, *values):
        for layer, weight, bias in zip(layers, values[::2], values[1::2]):
            layer.weight, layer.bias = weight, bias
        return model.loss(x, rng())[0]

    g = rng(4)
    values = [g.standard_normal(p.shape) * 0.7 for p in model.parameters()]
    gradcheck(loss, [g.random((2, 3)), *values], order=2)


def test_training_on_strokes():
    digits = data.strokes(250, rng())[0][:, ::2, ::2]  # every other pixel: as quick on a busy machine
    train, held_out = digits[:200], digits[200:]
    model = vae((14, 14, 1), 24, 2)
    history = training.fit(model, optim.Adam(model.parameters(), 1e-2), train, held_out=held_out,
                           epochs=30, batch_size=20, rng=rng())
    first, last = (history[i]["held_out"]["loss"] for i in (0, -1))
    mean = train.mean(0).clip(1e-3, 1 - 1e-3)
    blind = -(held_out * np.log(mean) + (1 - held_out) * np.log(1 - mean)).sum() / 50
    assert last < first and last < blind  # it does better than drawing every image as the mean image
    with no_grad():
        copies = model.reconstruct(Tensor(held_out)).data
    assert ((copies - held_out) ** 2).mean() < ((held_out - train.mean(0)) ** 2).mean()
