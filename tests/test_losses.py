"""Losses against their formulas, their units (nats per example), and the reparameterised sampler."""

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, losses, sampling

N, D = 4, 3
LN_2PI = np.log(2 * np.pi)


def draw(seed, shape=(N, D)):
    return np.random.default_rng(seed).standard_normal(shape)


A, B, C = draw(0), draw(1), draw(2)
X = 1 / (1 + np.exp(-draw(3)))  # targets in (0, 1)
PRIOR_MEAN, PRIOR_LOG_VAR = draw(4, D), draw(5, D)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def kl_formula(m, v, pm, pv):
    return 0.5 * (pv - v + (np.exp(v) + (m - pm) ** 2) / np.exp(pv) - 1)


# name: loss of Tensors, its terms in NumPy, the arguments
CASES = {
    "mse": (losses.mse, lambda p, t: (p - t) ** 2 / 2, (A, B)),
    "bernoulli_nll": (losses.bernoulli_nll,
                      lambda l, t: -t * np.log(sigmoid(l)) - (1 - t) * np.log(1 - sigmoid(l)), (A, X)),
    "gaussian_nll": (losses.gaussian_nll,
                     lambda m, v, t: (LN_2PI + v + (t - m) ** 2 / np.exp(v)) / 2, (A, B, C)),
    "gaussian_kl": (losses.gaussian_kl, lambda m, v: kl_formula(m, v, 0, 0), (A, B)),
    "gaussian_kl, prior": (losses.gaussian_kl, kl_formula, (A, B, PRIOR_MEAN, PRIOR_LOG_VAR)),
}
each = pytest.mark.parametrize("loss, formula, arrays", CASES.values(), ids=CASES)


@each
def test_value(loss, formula, arrays):
    value = loss(*map(Tensor, arrays))
    assert value.shape == () and value.dtype == np.float64
    assert value.item() == pytest.approx(formula(*arrays).sum() / N, rel=1e-12)


@each
def test_gradient(loss, formula, arrays):
    gradcheck(loss, arrays, order=2)


@each
def test_keeps_float32(loss, formula, arrays):
    tensors = [Tensor(a.astype(np.float32), requires_grad=True) for a in arrays]
    value = loss(*tensors)
    assert value.dtype == np.float32
    assert all(g.dtype == np.float32 for g in grad(value, tensors))


@each
def test_nats_per_example(loss, formula, arrays):
    def repeated(times, axis):
        """The loss with every array repeated along an axis; a prior of shape (D,) has no batch axis."""
        axes = [axis - 2 + a.ndim for a in arrays]
        repeats = [a if i < 0 else np.concatenate([a] * times, i) for a, i in zip(arrays, axes)]
        return loss(*map(Tensor, repeats)).item()

    once = repeated(1, 0)
    assert repeated(2, 0) == pytest.approx(once, rel=1e-12)  # the batch: a mean
    assert repeated(2, 1) == pytest.approx(2 * once, rel=1e-12)  # the dimensions: a sum
    if all(a.ndim == 2 for a in arrays):  # an image's axes are all summed over
        image = [Tensor(a.reshape(N, 1, D, 1)) for a in arrays]
        assert loss(*image).item() == pytest.approx(once, rel=1e-12)


@pytest.mark.parametrize("target", [np.float64, np.float32, np.float16, np.int64, np.bool_])
def test_bernoulli_nll_has_the_precision_of_numpys_arithmetic(target):
    logits, x = np.linspace(-3, 3, 8, dtype=np.float32).reshape(2, 4), np.eye(2, 4, dtype=target)
    assert losses.bernoulli_nll(Tensor(logits), Tensor(x)).dtype == (x * logits).dtype


@pytest.mark.parametrize("loss, formula", [(losses.mse, lambda p, t: (p - t) / N),
                                           (losses.bernoulli_nll, lambda l, t: (sigmoid(l) - t) / N)])
def test_gradient_formula(loss, formula):
    a = Tensor(A, requires_grad=True)
    assert np.allclose(grad(loss(a, Tensor(X)), a).data, formula(A, X), rtol=1e-13, atol=0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bernoulli_nll_is_stable(dtype):
    logits = Tensor(np.array([[1e4, -1e4, 1e4, -1e4]], dtype), requires_grad=True)
    value = losses.bernoulli_nll(logits, Tensor(np.array([[1, 0, 0, 1]], dtype)))
    assert value.item() == 2e4  # exactly: 0 where right, |logit| where wrong
    assert np.array_equal(grad(value, logits).data, [[0, 0, 1, -1]])
    assert losses.bernoulli_nll.mean(logits).data.tolist() == [[1, 0, 1, 0]]


def all_mismatches():
    small, wide, tall = (2, 3), (2, 4), (2, 1)
    for loss, count in ((losses.mse, 2), (losses.bernoulli_nll, 2), (losses.gaussian_nll, 3),
                        (losses.gaussian_kl, 2)):
        for odd in (wide, tall, (2,), (1, 3), (3, 2, 3)):
            for place in range(count):
                yield pytest.param(loss, [odd if i == place else small for i in range(count)],
                                   id=f"{loss.__name__} {odd} at {place}")


@pytest.mark.parametrize("loss, shapes", list(all_mismatches()))
def test_shapes_must_be_equal(loss, shapes):
    with pytest.raises(ValueError) as caught:
        loss(*(Tensor(np.full(s, 0.5)) for s in shapes))
    assert loss.__name__ in str(caught.value)
    assert all(str(s) in str(caught.value) for s in shapes)


@pytest.mark.parametrize("loss, count", [(losses.mse, 2), (losses.bernoulli_nll, 2),
                                         (losses.gaussian_nll, 3), (losses.gaussian_kl, 2)])
def test_a_number_is_no_batch(loss, count):
    with pytest.raises(ValueError, match=f"{loss.__name__}: expected a batch"):
        loss(*(Tensor(np.asarray(0.5)) for _ in range(count)))


# --- the Gaussians -------------------------------------------------------------------------------

GRID = np.linspace(-40, 40, 400_001)  # wide and fine enough for the trapezium rule to be exact


def test_gaussian_nll_is_a_density():
    for mean, log_var in ((0.0, 0.0), (1.5, -3.0), (-2.0, 2.0)):
        points = Tensor(np.array([[mean]])), Tensor(np.array([[log_var]]))
        nll = np.array([losses.gaussian_nll(*points, Tensor(np.array([[x]]))).item()
                        for x in np.linspace(mean - 40, mean + 40, 4001)])
        assert np.trapezoid(np.exp(-nll), dx=0.02) == pytest.approx(1, abs=1e-9)


def log_density(x, mean, log_var):
    return -(LN_2PI + log_var + (x - mean) ** 2 / np.exp(log_var)) / 2


@pytest.mark.parametrize("q, p", [
    ((0.7, -0.5), (0.0, 0.0)), ((-1.0, 1.0), (0.5, -0.7)), ((2.0, 0.3), (2.0, 1.2))])
def test_gaussian_kl_is_the_integral(q, p):
    log_q, log_p = log_density(GRID, *q), log_density(GRID, *p)
    expected = np.trapezoid(np.exp(log_q) * (log_q - log_p), GRID)
    m, v = (Tensor(np.array([[value]])) for value in q)
    assert losses.gaussian_kl(m, v, *p).item() == pytest.approx(expected, rel=1e-9)
    assert losses.gaussian_kl(m, v, *(Tensor(np.array([value])) for value in p)).item() == pytest.approx(
        expected, rel=1e-9)


def test_gaussian_kl_is_the_expectation():
    mean, log_var = draw(6, (1, 5)), draw(7, (1, 5)) - 0.5
    z = mean + np.exp(log_var / 2) * draw(8, (100_000, 5))
    ratio = (log_density(z, mean, log_var) - log_density(z, 0, 0)).sum(1)
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.02
    assert abs(losses.gaussian_kl(Tensor(mean), Tensor(log_var)).item() - ratio.mean()) < 4 * error


def test_gaussian_kl_properties():
    p, q = (Tensor(A), Tensor(B)), (Tensor(B), Tensor(C))
    assert losses.gaussian_kl(*p, *p).item() == 0
    assert losses.gaussian_kl(Tensor(0 * A), Tensor(0 * A)).item() == 0
    forward, backward = losses.gaussian_kl(*p, *q).item(), losses.gaussian_kl(*q, *p).item()
    assert min(forward, backward) > 0 and abs(forward - backward) > 0.1


# --- the sampler ---------------------------------------------------------------------------------

def test_reparameterize_moments():
    mean, log_var = np.array([[-1.0, 2.0]]), np.array([[-1.0, 0.8]])
    n = 100_000
    z = sampling.reparameterize(Tensor(np.repeat(mean, n, 0)), Tensor(np.repeat(log_var, n, 0)),
                                np.random.default_rng(0)).data
    sigma = np.exp(log_var[0] / 2)
    assert (np.abs(z.mean(0) - mean[0]) < 4 * sigma / np.sqrt(n)).all()
    assert (np.abs(z.var(0) / sigma**2 - 1) < 4 * np.sqrt(2 / n)).all()
    assert abs(np.corrcoef(z.T)[0, 1]) < 4 / np.sqrt(n)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reparameterize_gradient(dtype):
    mean, log_var = (Tensor(a.astype(dtype), requires_grad=True) for a in (A, B))
    z = sampling.reparameterize(mean, log_var, np.random.default_rng(1))
    again = sampling.reparameterize(mean, log_var, np.random.default_rng(1))
    noise = np.random.default_rng(1).standard_normal(A.shape, dtype=dtype)
    assert z.dtype == dtype and np.array_equal(z.data, again.data)
    by_mean, by_log_var = grad(z, [mean, log_var], grad_output=np.ones(A.shape, dtype))
    assert (by_mean.data == 1).all()
    assert np.allclose(by_log_var.data, 0.5 * np.exp(B / 2) * noise, rtol=1e-5)


def test_reparameterize_gradient_check():
    gradcheck(lambda m, v: sampling.reparameterize(m, v, np.random.default_rng(2)), [A, B], order=2)


def test_reparameterize_shapes():
    with pytest.raises(ValueError, match=r"mean has shape \(4, 3\), log_var \(3,\)"):
        sampling.reparameterize(Tensor(A), Tensor(A[0]), np.random.default_rng(0))
