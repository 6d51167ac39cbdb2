"""Distributions against their formulas, integrals and draws; their units (nats per example) and extremes."""

import itertools

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, losses, ops
from tinyae.distributions import Bernoulli, Categorical, Gaussian, Laplace, SquaredError

N, D, K = 4, 3, 5
LN_2PI = np.log(2 * np.pi)


def rng(seed=0):
    return np.random.default_rng(seed)


def draw(seed, *shape):
    return rng(seed).standard_normal(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(l):
    return np.exp(l) / np.exp(l).sum(-1, keepdims=True)


A, B, C, P, Q = (draw(seed, N, D) for seed in range(5))
ROW, ONE = draw(5, D), np.array(0.7)  # one log-variance for each dimension, one for all
X = sigmoid(draw(6, N, D))  # grey pixels in (0, 1)
LOGITS, OTHERS, LABELS = draw(7, N, K), draw(8, N, K), np.array([4, 0, 2, 2])


def bernoulli(x, l):
    return -x * np.log(sigmoid(l)) - (1 - x) * np.log(1 - sigmoid(l))


def gaussian(x, m, v=0.0):
    return (LN_2PI + v + (x - m) ** 2 / np.exp(v)) / 2


def laplace(x, m, s=0.0):
    return np.log(2) + s + np.abs(x - m) / np.exp(s)


def categorical(x, l):
    return -np.log(softmax(l)[range(len(x)), x])


# name: the kind, its parameters, examples, and -ln p of each number in NumPy
CASES = {
    "Bernoulli": (Bernoulli, (A,), X, bernoulli),
    "Gaussian": (Gaussian, (A, B), C, gaussian),
    "Gaussian, no log_var": (Gaussian, (A,), C, gaussian),
    "Gaussian, one log_var": (Gaussian, (A, ONE), C, gaussian),
    "Gaussian, a log_var for each pixel": (Gaussian, (A, ROW), C, gaussian),
    "Laplace": (Laplace, (A, B), C, laplace),
    "Laplace, no log_scale": (Laplace, (A,), C, laplace),
    "Laplace, one log_scale": (Laplace, (A, ONE), C, laplace),
    "Laplace, a log_scale for each pixel": (Laplace, (A, ROW), C, laplace),
    "Categorical": (Categorical, (LOGITS,), LABELS, categorical),
    "SquaredError": (SquaredError, (A,), C, gaussian),
}
each = pytest.mark.parametrize("kind, parameters, x, formula", CASES.values(), ids=CASES)


def of(kind, *parameters):
    return kind(*map(Tensor, parameters))


def constant(kind, x):
    """What the kind's nll leaves out of each example's -ln p(x)."""
    return LN_2PI / 2 * x[0].size if kind is SquaredError else 0.0


# --- nll and log_prob ----------------------------------------------------------------------------

@each
def test_value(kind, parameters, x, formula):
    p, expected = of(kind, *parameters), formula(x, *parameters).reshape(N, -1).sum(1)
    nll, log_prob = p.nll(Tensor(x)), p.log_prob(Tensor(x))
    assert nll.shape == () and nll.dtype == np.float64
    assert nll.item() == pytest.approx(expected.mean() - constant(kind, x), rel=1e-12)
    assert log_prob.shape == (N,) and log_prob.dtype == np.float64
    assert np.allclose(log_prob.data, -expected, rtol=1e-12, atol=0)


@each
def test_gradient(kind, parameters, x, formula):
    variables = parameters if kind is Categorical else (*parameters, x)  # labels are no variables

    def split(values):
        return kind(*values[:len(parameters)]), values[-1] if kind is not Categorical else x

    def nll(*values):
        p, at = split(values)
        return p.nll(at)

    def log_prob(*values):
        p, at = split(values)
        return p.log_prob(at)

    gradcheck(nll, variables, order=2)
    gradcheck(log_prob, variables, order=2)


@each
def test_keeps_float32(kind, parameters, x, formula):
    tensors = [Tensor(a.astype(np.float32), requires_grad=True) for a in parameters]
    x = Tensor(x if kind is Categorical else x.astype(np.float32))
    p = kind(*tensors)
    for value in (p.nll(x), p.log_prob(x), p.kl(p)):
        assert value.dtype == np.float32
        assert all(g.dtype == np.float32 for g in grad(ops.sum(value), tensors))
    assert p.mean.dtype == np.float32 and p.mean.shape == parameters[0].shape
    assert p.sample(rng()).dtype == (np.int64 if kind is Categorical else np.float32)


@each
def test_nats_per_example(kind, parameters, x, formula):
    def repeated(times, axis):
        """nll, log_prob and kl with every array repeated along an axis, where it has that axis."""
        def longer(a):
            i = axis if a is x else axis + a.ndim - 2
            return a if i < 0 else np.concatenate([a] * times, i)

        p = of(kind, *map(longer, parameters))
        other = of(kind, *(longer(0.5 * a) for a in parameters))
        return p.nll(Tensor(longer(x))).item(), p.log_prob(Tensor(longer(x))).data, p.kl(other).item()

    nll, log_prob, kl = repeated(1, 0)
    twice, each_twice, kl_twice = repeated(2, 0)
    assert (twice, kl_twice) == pytest.approx((nll, kl), rel=1e-12) and kl > 0.01  # the batch: a mean
    assert np.allclose(each_twice, np.concatenate([log_prob] * 2), rtol=1e-12)
    if kind is Categorical:
        return  # it has no dimensions to be summed over
    twice, each_twice, kl_twice = repeated(2, 1)
    assert (twice, kl_twice) == pytest.approx((2 * nll, 2 * kl), rel=1e-12)  # the dimensions: a sum
    assert np.allclose(each_twice, 2 * log_prob, rtol=1e-12)
    # An image's axes are all summed over.
    image = [a.reshape(N, 1, D, 1) if a.ndim == 2 else a.reshape(-1, 1) if a.ndim else a for a in parameters]
    p, at = of(kind, *image), Tensor(x.reshape(N, 1, D, 1))
    assert p.nll(at).item() == pytest.approx(nll, rel=1e-12)
    assert np.allclose(p.log_prob(at).data, log_prob, rtol=1e-12)


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [0.7, np.float64(0.7), np.float32(0.7), 1])
def test_a_scale_may_be_a_number(kind, dtype, number):
    mean, x = Tensor(A.astype(dtype)), Tensor(C.astype(dtype))
    p, same = kind(mean, number), kind(mean, Tensor(np.asarray(number, dtype)))
    assert p.nll(x).dtype == dtype and p.nll(x).item() == same.nll(x).item()
    assert np.array_equal(p.sample(rng()).data, same.sample(rng()).data)
    assert p.kl(kind(mean)).item() == same.kl(kind(mean)).item() > 0


@pytest.mark.parametrize("target", [np.float64, np.float32, np.float16, np.int64, np.bool_])
def test_bernoulli_has_the_precision_of_numpys_arithmetic(target):
    logits, x = np.linspace(-3, 3, 8, dtype=np.float32).reshape(2, 4), np.eye(2, 4, dtype=target)
    assert of(Bernoulli, logits).nll(Tensor(x)).dtype == (x * logits).dtype


@pytest.mark.parametrize("kind, x, formula", [
    (SquaredError, X, lambda m: (m - X) / N), (Bernoulli, X, lambda l: (sigmoid(l) - X) / N),
    (Gaussian, X, lambda m: (m - X) / N), (Laplace, X, lambda m: np.sign(m - X) / N),
    (Categorical, LABELS[:, None] % D, lambda l: (softmax(l) - np.eye(D)[LABELS % D]) / N)])
def test_gradient_formula(kind, x, formula):
    a = Tensor(A, requires_grad=True)
    x = x[:, 0] if kind is Categorical else x
    assert np.allclose(grad(kind(a).nll(Tensor(x)), a).data, formula(A), rtol=1e-13, atol=1e-16)


def test_cross_entropy_is_the_categoricals_nll():
    logits = Tensor(LOGITS)
    expected = Categorical(logits).nll(Tensor(LABELS)).item()
    for labels in (LABELS, Tensor(LABELS), LABELS.astype(np.uint8), LABELS.astype(np.int32)):
        assert losses.cross_entropy(logits, labels).item() == expected
    two, either = np.stack([np.zeros(N), A[:, 0]], 1), np.array([0, 0, 1, 1])  # a Bernoulli distribution
    expected = of(Bernoulli, A[:, :1]).nll(Tensor(either[:, None].astype(float))).item()
    assert losses.cross_entropy(Tensor(two), either).item() == pytest.approx(expected, rel=1e-12)


# --- they are distributions ----------------------------------------------------------------------

@pytest.mark.parametrize("kind, mean, scales, width", [
    (kind, mean, scales, np.exp(np.sum(scales) * (0.5 if kind is Gaussian else 1)))
    for kind, mean, scales in [(Gaussian, 0.0, ()), (Gaussian, 1.5, (-3.0,)), (Gaussian, -2.0, (2.0,)),
                               (SquaredError, 0.3, ()), (Laplace, 0.0, ()), (Laplace, 1.5, (-1.5,)),
                               (Laplace, -2.0, (1.0,))]])
def test_a_density_has_the_integral_1_and_its_mean(kind, mean, scales, width):
    x = mean + width * np.linspace(-40, 40, 80_001)[:, None]
    density = np.exp(of(kind, np.full(x.shape, mean), *map(np.array, scales)).log_prob(Tensor(x)).data)
    assert np.trapezoid(density, x[:, 0]) == pytest.approx(1, abs=2e-7)
    assert np.trapezoid(density * x[:, 0], x[:, 0]) == pytest.approx(mean, abs=1e-6)


def test_probabilities_sum_to_1_and_give_the_mean():
    outcomes = np.array(list(itertools.product([0.0, 1.0], repeat=D)))
    p = of(Bernoulli, np.repeat(A[:1], len(outcomes), 0))
    probabilities = np.exp(p.log_prob(Tensor(outcomes)).data)
    assert probabilities.sum() == pytest.approx(1, rel=1e-12)
    assert np.allclose(probabilities @ outcomes, p.mean.data[0], rtol=1e-12)
    p = of(Categorical, np.repeat(LOGITS[:1], K, 0))
    probabilities = np.exp(p.log_prob(Tensor(np.arange(K))).data)
    assert probabilities.sum() == pytest.approx(1, rel=1e-12)
    assert np.allclose(probabilities, p.mean.data[0], rtol=1e-12)


# --- divergences ---------------------------------------------------------------------------------

DIVERGENCES = {
    "Bernoulli": (Bernoulli, (A,), (B,)),
    "Gaussian": (Gaussian, (A, B), (P, Q)),
    "Gaussian, no log_var": (Gaussian, (A,), (P,)),
    "Gaussian, no log_var, from one": (Gaussian, (A,), (P, Q)),
    "Gaussian, from no log_var": (Gaussian, (A, B), (P,)),
    "Gaussian, one log_var": (Gaussian, (A, ONE), (P, ROW)),
    "Gaussian, the same for all": (Gaussian, (A, B), (P[:1], ROW)),
    "Gaussian, one number": (Gaussian, (A, B), (P[0, :1], ONE)),
    "Laplace": (Laplace, (A, B), (P, Q)),
    "Laplace, no log_scale": (Laplace, (A,), (P,)),
    "Laplace, from no log_scale": (Laplace, (A, B), (P,)),
    "Laplace, one log_scale": (Laplace, (A, ONE), (P, ROW)),
    "Laplace, the same for all": (Laplace, (A, B), (P[0], ROW)),
    "Categorical": (Categorical, (LOGITS,), (OTHERS,)),
    "Categorical, the same for all": (Categorical, (LOGITS,), (OTHERS[:1],)),
    "SquaredError": (SquaredError, (A,), (P,)),
}
every = pytest.mark.parametrize("kind, ours, theirs", DIVERGENCES.values(), ids=DIVERGENCES)


def by_sum(kind, ours, theirs):
    """Σ p (ln p - ln p′) over the outcomes of each number."""
    p, q = (softmax(l) if kind is Categorical else np.stack([sigmoid(l), sigmoid(-l)])
            for l, in (ours, theirs))
    return (p * np.log(p / q)).sum() / N


def by_quadrature(kind, ours, theirs):
    """The trapezium rule for each number, between and beyond the two means, where a Laplace's kinks are."""
    formula, total = laplace if kind is Laplace else gaussian, 0.0
    shape = ours[0].shape
    ours, theirs = ([np.broadcast_to(a, shape).ravel() for a in (*b, *[0.0] * (2 - len(b)))]
                    for b in (ours, theirs))
    for p, q in zip(zip(*ours), zip(*theirs)):
        ends = sorted([p[0], q[0]])
        width = np.exp(p[1] / 2 if formula is gaussian else p[1])
        for low, high in ((ends[0] - 40 * width, ends[0]), ends, (ends[1], ends[1] + 40 * width)):
            x = np.linspace(low, high, 20_001)
            total += np.trapezoid(np.exp(-formula(x, *p)) * (formula(x, *q) - formula(x, *p)), x)
    return total / shape[0]


@every
def test_kl_is_the_integral(kind, ours, theirs):
    expected = (by_sum if kind in (Bernoulli, Categorical) else by_quadrature)(kind, ours, theirs)
    value = of(kind, *ours).kl(of(kind, *theirs))
    assert value.shape == () and value.item() == pytest.approx(expected, rel=1e-5)
    if kind in (Bernoulli, Categorical):
        assert value.item() == pytest.approx(expected, rel=1e-12)


@every
def test_kl_is_the_expectation(kind, ours, theirs):
    """Of ln p(x) - ln p′(x) over draws from p; the first example of each."""
    n = 100_000

    def repeated(parameters):
        return [np.repeat(a[:1], n, 0) if a.ndim == 2 else a for a in parameters]

    def first(parameters):
        return [a[:1] if a.ndim == 2 else a for a in parameters]

    theirs = np.broadcast_to(theirs[0], ours[0].shape), *theirs[1:]
    p, q = of(kind, *repeated(ours)), of(kind, *repeated(theirs))
    x = p.sample(rng(1))
    ratio = p.log_prob(x).data - q.log_prob(x).data
    value, error = of(kind, *first(ours)).kl(of(kind, *first(theirs))).item(), ratio.std() / np.sqrt(n)
    assert abs(value - ratio.mean()) < 4 * error < 0.1 * value  # it can tell a tenth


@every
def test_kl_gradient(kind, ours, theirs):
    def kl(*values):
        return kind(*values[:len(ours)]).kl(kind(*values[len(ours):]))

    gradcheck(kl, [*ours, *theirs], order=2)


@every
def test_kl_is_zero_at_equality_and_nowhere_else(kind, ours, theirs):
    p = of(kind, *ours)
    assert p.kl(p).item() == pytest.approx(0, abs=1e-14)
    assert p.kl(of(kind, *ours)).item() == pytest.approx(0, abs=1e-14)
    q = of(kind, *(np.broadcast_to(a, ours[0].shape) for a in theirs))
    forward, backward = p.kl(q).item(), q.kl(p).item()
    assert min(forward, backward) > 0.01
    if len(ours) == len(theirs) == 1 and kind in (Gaussian, SquaredError, Laplace):
        assert forward == pytest.approx(backward, rel=1e-14)  # symmetric where the scale is the same
    else:
        assert abs(forward - backward) > 1e-3


def test_gaussian_kl_is_by_default_from_the_standard_normal():
    standard = of(Gaussian, 0 * A, 0 * A)
    for kind, *parameters in [(Gaussian, A, B), (Gaussian, A), (Gaussian, A, ROW), (Gaussian, A, ONE),
                              (SquaredError, A)]:
        value = of(kind, *parameters).kl().item()
        assert value == pytest.approx(of(kind, *parameters).kl(standard).item(), rel=1e-14)
        assert value == pytest.approx(by_quadrature(kind, parameters, (0 * A,)), rel=1e-5) and value > 0.1
        gradcheck(lambda *values: kind(*values).kl(), parameters, order=2)
    assert standard.kl().item() == of(Gaussian, 0 * A).kl().item() == 0


def test_a_squared_error_is_a_gaussian():
    p, q = of(SquaredError, A), of(Gaussian, P, Q)
    plain = of(Gaussian, A)
    assert p.kl(q).item() == plain.kl(q).item() and q.kl(p).item() == q.kl(plain).item()
    assert np.array_equal(p.log_prob(Tensor(C)).data, plain.log_prob(Tensor(C)).data)
    assert p.nll(Tensor(C)).item() == losses.mse(Tensor(A), Tensor(C)).item()
    assert p.nll(Tensor(A)).item() == 0


# --- draws ---------------------------------------------------------------------------------------

DRAWS = 100_000


@pytest.mark.parametrize("kind, scale, variance, kurtosis, far", [
    (Gaussian, np.array([-1.0, 0.8]), np.exp([-1.0, 0.8]), 3, 0.0455),
    (Gaussian, None, np.ones(2), 3, 0.0455), (SquaredError, None, np.ones(2), 3, 0.0455),
    (Laplace, np.array([-1.0, 0.8]), 2 * np.exp([-2.0, 1.6]), 6, np.exp(-2 * np.sqrt(2))),
    (Laplace, None, 2 * np.ones(2), 6, np.exp(-2 * np.sqrt(2)))])
def test_moments(kind, scale, variance, kurtosis, far):
    mean = np.array([-1.0, 2.0])
    p = of(kind, np.repeat(mean[None], DRAWS, 0), *([] if scale is None else [scale]))
    x = p.sample(rng()).data - mean
    assert (np.abs(x.mean(0)) < 4 * np.sqrt(variance / DRAWS)).all()
    assert (np.abs(x.var(0) / variance - 1) < 4 * np.sqrt((kurtosis - 1) / DRAWS)).all()
    beyond = (np.abs(x) > 2 * np.sqrt(variance)).mean(0)
    assert (np.abs(beyond - far) < 4 * np.sqrt(far * (1 - far) / DRAWS)).all()
    assert abs(np.corrcoef(x.T)[0, 1]) < 4 / np.sqrt(DRAWS)


def test_frequencies():
    logits = np.array([-2.0, 0.0, 3.0])
    x = of(Bernoulli, np.repeat(logits[None], DRAWS, 0)).sample(rng()).data
    p = sigmoid(logits)
    assert set(np.unique(x)) == {0, 1}
    assert (np.abs(x.mean(0) - p) < 4 * np.sqrt(p * (1 - p) / DRAWS)).all()
    assert (np.abs(np.corrcoef(x.T)[np.triu_indices(3, 1)]) < 4 / np.sqrt(DRAWS)).all()
    x = of(Categorical, np.repeat(logits[None], DRAWS, 0)).sample(rng()).data
    p = softmax(logits)
    assert x.shape == (DRAWS,)
    assert (np.abs(np.bincount(x, minlength=3) / DRAWS - p) < 4 * np.sqrt(p * (1 - p) / DRAWS)).all()


@each
def test_a_draw_is_reproducible_and_an_example(kind, parameters, x, formula):
    p, g = of(kind, *parameters), rng(1)
    once, twice = p.sample(g), p.sample(g)
    assert np.array_equal(once.data, p.sample(rng(1)).data) and not np.array_equal(once.data, twice.data)
    assert once.shape == x.shape and p.log_prob(once).shape == (N,)


@each
def test_the_gradient_of_a_draw(kind, parameters, x, formula):
    variables = [Tensor(a, requires_grad=True) for a in parameters]
    if kind in (Bernoulli, Categorical):
        assert not kind(*variables).sample(rng()).requires_grad
        return
    gradcheck(lambda *values: kind(*values).sample(rng(2)), parameters, order=2)
    z = kind(*variables).sample(rng(2))
    by_mean, *by_scale = grad(z, variables, grad_output=np.ones(A.shape))
    assert (by_mean.data == 1).all()
    for g, scale in zip(by_scale, parameters[1:]):  # dz/dln b = z - μ, and half of it for ln σ²
        each_one = (0.5 if kind is Gaussian else 1) * (z.data - A)
        axes = tuple(range(A.ndim - scale.ndim))
        assert np.allclose(g.data, each_one.sum(axes), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gaussian_draw_by_hand(dtype):
    mean, log_var = (Tensor(a.astype(dtype), requires_grad=True) for a in (A, B))
    z = Gaussian(mean, log_var).sample(rng(1))
    noise = rng(1).standard_normal(A.shape, dtype=dtype)
    assert z.dtype == dtype and np.allclose(z.data, A + np.exp(B / 2) * noise, rtol=1e-5)
    by_mean, by_log_var = grad(z, [mean, log_var], grad_output=np.ones(A.shape, dtype))
    assert (by_mean.data == 1).all()
    assert np.allclose(by_log_var.data, 0.5 * np.exp(B / 2) * noise, rtol=1e-5)


class Always:
    """A generator whose uniform numbers are all the same."""

    def __init__(self, number):
        self.number = number

    def random(self, shape, dtype):
        return np.full(shape, self.number, dtype)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draws_at_the_ends_of_the_uniform_numbers(dtype):
    least, middle, most = (Always(u) for u in (0.0, 0.5, 1 - np.finfo(dtype).epsneg))
    p = of(Laplace, A.astype(dtype))
    low, high = (p.sample(g).data - p.mean.data for g in (least, most))
    assert np.isfinite(low).all() and (low < -10).all() and np.isfinite(high).all() and (high > 10).all()
    assert np.array_equal(p.sample(middle).data, p.mean.data)
    for g in (least, most):
        kinds = of(Categorical, LOGITS.astype(dtype)).sample(g).data
        assert np.array_equal(kinds, LOGITS.argmax(1))
    certain = of(Bernoulli, np.array([[1e4, -1e4]], dtype))
    assert certain.sample(least).data.tolist() == [[1, 0]] == certain.sample(most).data.tolist()


# --- extremes ------------------------------------------------------------------------------------

def with_gradients(f, *arrays):
    tensors = [Tensor(np.asarray(a), requires_grad=True) for a in arrays]
    value = f(*tensors)
    return value.item(), [g.data for g in grad(value, tensors)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bernoulli_of_large_logits(dtype):
    logits = Tensor(np.array([[1e4, -1e4, 1e4, -1e4]], dtype), requires_grad=True)
    p = Bernoulli(logits)
    value = p.nll(Tensor(np.array([[1, 0, 0, 1]], dtype)))
    assert value.item() == 2e4  # exactly: 0 where right, |logit| where wrong
    assert np.array_equal(grad(value, logits).data, [[0, 0, 1, -1]])
    assert p.mean.data.tolist() == [[1, 0, 1, 0]]
    value, gradients = with_gradients(lambda l, m: Bernoulli(l).kl(Bernoulli(m)),
                                      logits.data, np.array([[1e4, -1e4, -1e4, 1e4]], dtype))
    assert value == 2e4 and np.array_equal(gradients, [[[0, 0, 0, 0]], [[0, 0, -1, 1]]])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_categorical_of_large_logits(dtype):
    logits, labels = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0]], dtype), np.array([0, 1])
    for nll in (lambda l: Categorical(l).nll(labels), lambda l: losses.cross_entropy(l, labels)):
        value, (g,) = with_gradients(nll, logits)
        assert value == 1e4 and np.array_equal(g, [[0, 0, 0], [0.5, -0.5, 0]])
    p = of(Categorical, logits)
    assert p.log_prob(labels).data.tolist() == [0, -2e4] and p.mean.data.tolist() == [[1, 0, 0]] * 2
    assert p.sample(rng()).data.tolist() == [0, 0]
    value, gradients = with_gradients(lambda l, m: Categorical(l).kl(Categorical(m)), logits, -logits)
    assert value == 2e4 and np.array_equal(gradients, [[[0] * 3] * 2, [[-0.5, 0.5, 0]] * 2])


@pytest.mark.filterwarnings("error")
def test_gaussian_of_almost_no_variance():
    """Where 1/σ² is too large for float32, and (x - mean)² / σ² is not."""
    def nll(x, mean, log_var):
        return with_gradients(lambda m, v: Gaussian(m, v).nll(Tensor(x)), mean, log_var)

    one = np.ones((1, 1), np.float32)
    value, (by_mean, by_log_var) = nll(one, one, -95 * one)
    assert value == pytest.approx((-95 + LN_2PI) / 2, rel=1e-6)
    assert by_mean.item() == 0 and by_log_var.item() == pytest.approx(0.5)
    tiny = one * 1e-20  # 4.2 σ
    value, (by_mean, by_log_var) = nll(tiny, 0 * one, -95 * one)
    z2 = np.float64(tiny.item()) ** 2 * np.exp(95.0)
    assert value == pytest.approx((z2 - 95 + LN_2PI) / 2, rel=1e-4)
    assert by_log_var.item() == pytest.approx((1 - z2) / 2, rel=1e-4)
    assert by_mean.item() == pytest.approx(-tiny.item() * np.exp(95.0), rel=1e-4)


@pytest.mark.filterwarnings("error")
def test_divergence_of_almost_no_variance():
    one = np.ones((2, 3), np.float32)
    for kind, scale in ((Gaussian, -200), (Laplace, -80)):
        value, gradients = with_gradients(lambda m, s, n, t: kind(m, s).kl(kind(n, t)),
                                          one, scale * one, one, scale * one)
        assert value == 0 and not np.any(gradients) and np.isfinite(gradients).all()
    p = of(Laplace, one, -80 * one)
    assert p.nll(Tensor(one)).item() == pytest.approx(3 * (np.log(2) - 80), rel=1e-6)


# --- refusals ------------------------------------------------------------------------------------

def all_mismatches():
    for kind in (Bernoulli, Gaussian, Laplace, SquaredError):
        for odd in ((2, 4), (2, 1), (2,), (1, 3), (3, 2, 3)):
            for shapes in (((2, 3), odd), (odd, (2, 3))):
                yield pytest.param(kind, *shapes, id=f"{kind.__name__} {shapes}")


@pytest.mark.parametrize("kind, shape, other", list(all_mismatches()))
def test_examples_must_have_the_shape_of_the_parameters(kind, shape, other):
    p, x = of(kind, np.full(shape, 0.5)), Tensor(np.full(other, 0.5))
    for call in (p.nll, p.log_prob):
        with pytest.raises(ValueError) as caught:
            call(x)
        assert str(caught.value) == f"{kind.__name__}: the shapes must be equal, not {shape}, {other}"


@pytest.mark.parametrize("kind", [Bernoulli, Gaussian, Laplace, SquaredError])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_no_batch(kind, shape):
    p, x = of(kind, np.full(shape, 0.5)), Tensor(np.full(shape, 0.5))
    for call in (p.nll, p.log_prob, lambda x: p.kl(p)):
        with pytest.raises(ValueError) as caught:
            call(x)
        message = str(caught.value).replace(".kl", "")
        assert message == f"{kind.__name__}: expected a batch of examples (N, ...), got the shape {shape}"
    if issubclass(kind, Gaussian):
        with pytest.raises(ValueError, match=f"{kind.__name__}.kl: expected a batch"):
            p.kl()


@pytest.mark.parametrize("kind, name", [(Gaussian, "log_var"), (Laplace, "log_scale")])
@pytest.mark.parametrize("mean, scale", [((4, 3), (4,)), ((4, 3), (2, 3)), ((1, 3), (4, 3)), ((4, 1), (3,)),
                                         ((4, 3), (1, 4, 3))])
def test_a_scale_must_broadcast_to_the_mean(kind, name, mean, scale):
    with pytest.raises(ValueError) as caught:
        of(kind, np.zeros(mean), np.zeros(scale))
    assert str(caught.value) == f"{kind.__name__}: {name} {scale} does not broadcast to the mean {mean}"


KINDS = {Bernoulli: Bernoulli, Gaussian: Gaussian, SquaredError: Gaussian, Laplace: Laplace,
         Categorical: Categorical}


@pytest.mark.parametrize("kind, wanted", KINDS.items())
def test_the_other_of_a_divergence_must_fit(kind, wanted):
    p = of(kind, A)
    for other in KINDS:
        if not issubclass(other, wanted):
            with pytest.raises(TypeError) as caught:
                p.kl(of(other, A))
            assert str(caught.value) == (f"{kind.__name__}.kl: expected another {wanted.__name__}, "
                                         f"got {other.__name__}")
    with pytest.raises(TypeError, match=f"{kind.__name__}.kl: expected another .*, got Tensor"):
        p.kl(Tensor(A))
    for shape in [(N, D + 1), (N + 1, D), (N, N, D), (2, D)]:
        if kind is Categorical and len(shape) > 2:
            continue
        with pytest.raises(ValueError) as caught:
            p.kl(of(kind, np.zeros(shape)))
        assert str(caught.value) == (f"{kind.__name__}.kl: the other's shape {shape} does not broadcast "
                                     f"to {(N, D)}")


@pytest.mark.parametrize("logits, labels, says", [
    (LOGITS, np.array([0, 1, 2, 5]), r"labels must lie in \[0, 5\), not between 0 and 5"),
    (LOGITS, np.array([0, -1, 2, 4]), r"labels must lie in \[0, 5\), not between -1 and 4"),
    (LOGITS, np.array([0.0, 1, 2, 3]), "labels must be integers, not float64"),
    (LOGITS, np.array([True, False, True, True]), "labels must be integers, not bool"),
    (LOGITS, np.array([0, 1, 2]), r"expected logits \(N, K\) and labels \(N,\), got \(4, 5\) and \(3,\)"),
    (LOGITS, np.array([[0], [1], [2], [3]]), r"labels \(N,\), got \(4, 5\) and \(4, 1\)"),
    (LOGITS, np.eye(4, 5, dtype=int), r"labels \(N,\), got \(4, 5\) and \(4, 5\)"),
    (LOGITS, np.eye(5)[:len(LOGITS)], r"labels \(N,\), got .*; one-hot rows\? use \.argmax\(axis=1\)"),
    (LOGITS[:0], np.array([], int), r"expected a batch of examples \(N, ...\), got the shape \(0, 5\)"),
])
def test_labels(logits, labels, says):
    p = of(Categorical, logits)
    for given in (labels, Tensor(labels)):
        for name, call in (("Categorical", p.nll), ("Categorical", p.log_prob),
                           ("cross_entropy", lambda labels: losses.cross_entropy(Tensor(logits), labels))):
            with pytest.raises(ValueError, match=f"{name}: .*{says}"):
                call(given)


def test_logits_of_kinds_have_two_axes():
    for shape in [(), (5,), (2, 3, 5)]:
        with pytest.raises(ValueError) as caught:
            of(Categorical, np.zeros(shape))
        assert str(caught.value) == f"Categorical: expected logits (N, K), got the shape {shape}"
    with pytest.raises(ValueError, match=r"cross_entropy: expected logits \(N, K\) .* got \(5,\) and \(5,\)"):
        losses.cross_entropy(Tensor(np.zeros(5)), np.zeros(5, int))
    with pytest.raises(ValueError, match=r"Categorical.kl: expected a batch"):
        of(Categorical, LOGITS[:0]).kl(of(Categorical, LOGITS[:0]))
