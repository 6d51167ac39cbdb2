"""Penalties of the code against their formulas, and Jacobians against finite differences."""

import functools

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, jacobian, losses, nn, no_grad, ops, penalties

N, K = 5, 4


def rng(seed=0):
    return np.random.default_rng(seed)


def draw(seed, *shape):
    return rng(seed).standard_normal(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def kl(rho, mean):
    return rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))


H, ACTIVE = draw(0, N, K), sigmoid(draw(1, N, K))


# --- L1, L2 and sparsity -------------------------------------------------------------------------

CASES = {
    "l1": (losses.l1, lambda h: np.abs(h).sum() / N, H),
    "l2": (losses.l2, lambda h: (h**2).sum() / 2 / N, H),
    "sparsity_kl": (lambda h: losses.sparsity_kl(h, 0.1), lambda h: kl(0.1, h.mean(0)).sum(), ACTIVE),
}
each = pytest.mark.parametrize("penalty, formula, h", CASES.values(), ids=CASES)


@each
def test_value_and_gradient(penalty, formula, h):
    assert penalty(Tensor(h)).shape == ()
    assert penalty(Tensor(h)).item() == pytest.approx(formula(h), rel=1e-12)
    gradcheck(penalty, [h], order=2)


@each
def test_nats_per_example(penalty, formula, h):
    once = penalty(Tensor(h)).item()
    assert penalty(Tensor(np.concatenate([h, h]))).item() == pytest.approx(once, rel=1e-12)
    assert penalty(Tensor(np.concatenate([h, h], 1))).item() == pytest.approx(2 * once, rel=1e-12)
    assert penalty(Tensor(h.reshape(N, 2, 1, 2))).item() == pytest.approx(once, rel=1e-12)


@each
def test_keeps_float32(penalty, formula, h):
    h = Tensor(h.astype(np.float32), requires_grad=True)
    assert penalty(h).dtype == grad(penalty(h), h).dtype == np.float32


@each
def test_a_number_is_no_batch(penalty, formula, h):
    with pytest.raises(ValueError, match="expected a batch"):
        penalty(Tensor(np.asarray(0.5)))


def test_l1_is_a_laplace_prior():
    h, scale = draw(2, 1, 1), 3.0
    density = scale / 2 * np.exp(-scale * np.abs(h))
    constant = np.log(scale / 2)
    assert scale * losses.l1(Tensor(h)).item() == pytest.approx(constant - np.log(density).item())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparsity_kl_is_zero_at_rho(dtype):
    h = Tensor(np.full((8, 3), 0.05, dtype), requires_grad=True)
    value = losses.sparsity_kl(h, 0.05)
    assert abs(value.item()) < 1e-7
    assert np.abs(grad(value, h).data).max() < 1e-6
    up, down = (losses.sparsity_kl(Tensor(h.data * s), 0.05).item() for s in (1.5, 0.5))
    assert min(up, down) > 0.01


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rho", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparsity_kl_is_finite_at_the_ends(dtype, rho):
    tiny, eps = np.finfo(dtype).tiny, np.finfo(dtype).epsneg
    for mean in (0, tiny, 1e-30, 1e-8, 1 - eps, 1):
        h = Tensor(np.full((4, 2), mean, dtype), requires_grad=True)
        value = losses.sparsity_kl(h, rho)
        g = grad(value, h).data
        assert np.isfinite(value.item()) and np.isfinite(g).all() and g.dtype == dtype
        if 0 < mean < 1:
            mean = float(dtype(mean))
            expected = 2 * (rho * np.log(rho / mean) + (1 - rho) * (np.log1p(-rho) - np.log1p(-mean)))
            assert value.item() == pytest.approx(expected, rel=1e-5)
            assert np.allclose(g, ((1 - rho) / (1 - mean) - rho / mean) / 4, rtol=1e-5)
        else:
            assert value.item() > 2 * kl(rho, 0.001 if mean == 0 else 0.999) > 0 and not g.any()


@pytest.mark.filterwarnings("error")
def test_sparsity_kl_through_a_saturated_sigmoid():
    a = Tensor(np.array([[-1000, -80, -30, 30, 1000]] * 2, np.float32), requires_grad=True)
    g = grad(losses.sparsity_kl(ops.sigmoid(a), 0.05), a).data
    assert np.isfinite(g).all()
    assert np.allclose(g[0, 1:3], -0.05 / 2, rtol=1e-4)  # dKL/da = ρ̂ - ρ, however small ρ̂ is


@pytest.mark.parametrize("penalty, loss, code", [
    (penalties.l1(0.3), losses.l1, H), (penalties.l2(0.3), losses.l2, H),
    (penalties.sparsity_kl(0.1, 0.3), lambda h: losses.sparsity_kl(h, 0.1), ACTIVE)])
def test_a_penalty_is_its_loss_with_a_weight(penalty, loss, code):
    got = penalty(Tensor(code), None, None, None)  # x, encoder and rng matter to the Jacobian only
    assert got.item() == pytest.approx(0.3 * loss(Tensor(code)).item(), rel=1e-12)


@pytest.mark.parametrize("call, says", [
    (lambda: losses.sparsity_kl(Tensor(ACTIVE), 0), "rho must lie between 0 and 1, not 0"),
    (lambda: losses.sparsity_kl(Tensor(ACTIVE), 1.0), "rho must lie between 0 and 1, not 1.0"),
    (lambda: losses.sparsity_kl(Tensor(H), 0.1), r"expected a code in \[0, 1\], got means of its units from -"),
    (lambda: losses.sparsity_kl(Tensor(ACTIVE + 1), 0.1), "got means of its units from 1"),
    (lambda: penalties.sparsity_kl(2, 1.0), "rho must lie between 0 and 1, not 2"),
    (lambda: penalties.l1(-1), "l1: the weight must be at least 0, not -1"),
    (lambda: penalties.l2(-1), "l2: the weight must be at least 0"),
    (lambda: penalties.jacobian(-1), "jacobian: the weight must be at least 0"),
    (lambda: penalties.jacobian(1, "guess"), "jacobian: method must be one of .*'exact'.* not 'guess'"),
    (lambda: penalties.jacobian(1, "stochastic", probes=0), "probes at least 1, not 'stochastic' and 0"),
    (lambda: penalties.l1(float("nan")), "l1: the weight must be at least 0, not nan"),
])
def test_bad_arguments(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# --- Jacobians -----------------------------------------------------------------------------------

def dense(*layers):
    """Dense layers of those sizes with those activations, in float64, with biases."""
    g, size = rng(3), layers[0]
    made = []
    for item in layers[1:]:
        made.append(item if callable(item) else nn.Dense(size, item, rng=g))
        size = size if callable(item) else item
    return in_float64(nn.Sequential(*made))


def measure(encoder, x, method="exact", *, probes=1, rng=None, code=None):
    """‖∂f(x)/∂x‖²_F, as the penalty of weight 1 gives it."""
    return penalties.jacobian(1, method, probes)(code, x, encoder, rng)


def in_float64(module):
    for i, p in enumerate(module.parameters()):
        p.data = p.data.astype(float) if p.data.any() else draw(50 + i, *p.shape) * 0.3
    return module


def conv():
    g = rng(4)
    return in_float64(nn.Sequential(nn.Conv2d(2, 3, 2, 2, rng=g), ops.tanh, nn.Flatten(),
                                    nn.Dense(12, 3, rng=g), ops.sigmoid))


def feature_maps():
    return in_float64(nn.Sequential(nn.Conv2d(2, 2, 3, 1, rng=rng(5)), ops.softplus))


# name: encoder, the shape of an example, whether the closed form is for it
ENCODERS = {
    "one sigmoid layer": (dense(6, 4, ops.sigmoid), (6,), True),
    "one tanh layer": (dense(6, 4, ops.tanh), (6,), True),
    "one relu layer": (dense(6, 4, ops.relu), (6,), True),
    "a bare layer": (dense(6, 4).layers[0], (6,), True),
    "two layers": (dense(6, 5, ops.sigmoid, 3, ops.tanh), (6,), True),
    "four layers": (dense(6, 5, ops.tanh, 4, ops.sigmoid, 4, ops.relu, 2), (6,), True),
    "linear layers": (nn.Sequential(nn.Flatten(), *dense(6, 5, 3, 2).layers), (2, 3), True),
    "overcomplete": (dense(3, 8, ops.sigmoid, 7), (3,), True),
    "softplus": (dense(6, 4, ops.softplus, 2), (6,), False),
    "convolution": (conv(), (4, 4, 2), False),
    "feature maps": (feature_maps(), (4, 4, 2), False),
}
every = pytest.mark.parametrize("encoder, shape, closed", ENCODERS.values(), ids=ENCODERS)


def entry_by_entry(f, x, step=1e-6):
    """(N, outputs, inputs): one entry of one example moved at a time, and nothing else."""
    rows = []
    for n in range(len(x)):
        columns = []
        for k in range(x[n].size):
            ends = []
            for sign in (-1, 1):
                moved = x[n:n + 1].copy()
                moved.flat[k] += sign * step
                ends.append(f(Tensor(moved)).data.ravel())
            columns.append((ends[1] - ends[0]) / (2 * step))
        rows.append(np.stack(columns, axis=1))
    return np.stack(rows)


@every
def test_against_finite_differences(encoder, shape, closed):
    x = draw(6, N, *shape)
    expected = entry_by_entry(encoder, x)
    got = jacobian(encoder, x)
    assert got.shape == encoder(Tensor(x)).shape + shape
    assert np.allclose(got.data.reshape(expected.shape), expected, rtol=1e-6, atol=1e-8)

    squares = (expected**2).sum((1, 2))
    for method in ("exact", "closed") if closed else ("exact",):
        value = measure(encoder, Tensor(x), method)
        assert value.shape == () and value.item() == pytest.approx(squares.mean(), rel=1e-6)
    # The usual mistakes: averaging the entries, and summing over the batch before squaring
    mistakes = (expected**2).mean(), (expected.sum(0) ** 2).sum() / N, (expected.mean(0) ** 2).sum()
    if encoder is not ENCODERS["linear layers"][0] and encoder is not ENCODERS["a bare layer"][0]:
        assert all(abs(value.item() / mistake - 1) > 0.02 for mistake in mistakes)


@every
def test_the_estimate_is_unbiased_with_the_variance_it_names(encoder, shape, closed):
    x, g, n = draw(7, 3, *shape), rng(8), 1500
    estimate = functools.partial(measure, method="stochastic")
    code_size = int(np.prod(encoder(Tensor(x)).shape[1:]))
    j = jacobian(encoder, x).data.reshape(3, code_size, -1)
    gram = j @ j.swapaxes(1, 2)
    off = (gram**2).sum((1, 2)) - (np.diagonal(gram, axis1=1, axis2=2) ** 2).sum(1)
    exact = (j**2).sum() / 3
    variance = 2 * off.mean() / 3
    with no_grad():
        draws = [estimate(encoder, Tensor(x), rng=g).item() for _ in range(n)]
        many = estimate(encoder, Tensor(x), rng=g, probes=n).item()
    assert abs(np.mean(draws) - exact) < 3 * np.sqrt(variance / n)
    assert abs(many - exact) < 3 * np.sqrt(variance / n)
    assert np.var(draws) == pytest.approx(variance, rel=0.2)


def test_one_layer_by_its_formula():
    encoder, x = ENCODERS["one sigmoid layer"][0], draw(9, N, 6)
    layer = encoder.layers[0]
    h = sigmoid(x @ layer.weight.data + layer.bias.data)
    expected = ((h * (1 - h)) ** 2 @ (layer.weight.data**2).sum(0)).mean()
    for method in ("closed", "exact"):
        value = measure(encoder, Tensor(x), method).item()
        assert value == pytest.approx(expected, rel=1e-12)


def gradients(encoder, x, method, **options):
    x = Tensor(x, requires_grad=True)
    penalty = measure(encoder, x, method, **options)
    return [g.data for g in grad(penalty, [x, *encoder.parameters()])]


@pytest.mark.parametrize("encoder, shape, closed", [e for e in ENCODERS.values() if e[2]],
                         ids=[name for name, e in ENCODERS.items() if e[2]])
def test_the_closed_form_has_the_gradient_of_the_exact_one(encoder, shape, closed):
    x = draw(10, N, *shape)
    for a, b in zip(gradients(encoder, x, "closed"), gradients(encoder, x, "exact")):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name, method", [
    (name, method) for name in ("one sigmoid layer", "two layers", "convolution")
    for method in ("exact", "closed", "stochastic") if method != "closed" or ENCODERS[name][2]])
def test_gradient_check(name, method):
    encoder, shape, closed = ENCODERS[name]
    weights = [layer for layer in encoder.layers if isinstance(layer, (nn.Dense, nn.Conv2d))]
    kept = [layer.weight for layer in weights]

    def penalty(x, *values):
        for layer, value in zip(weights, values):
            layer.weight = value
        return measure(encoder, x, method, rng=rng(11), probes=2)

    try:
        gradcheck(penalty, [draw(12, 2, *shape), *(w.data for w in kept)], order=2)
    finally:
        for layer, weight in zip(weights, kept):
            layer.weight = weight


class AllSigns:
    """A generator whose uniform numbers make every combination of signs once, a row for each."""

    def random(self, shape, dtype):
        n, k = shape
        return np.array([[number >> i & 1 for i in range(k)] for number in range(n)], dtype)


def test_the_estimate_over_all_signs_is_the_penalty():
    encoder = ENCODERS["two layers"][0]
    x = np.repeat(draw(13, 1, 6), 2**3, axis=0)  # a copy of the example for each combination
    by_signs = gradients(encoder, x, "stochastic", rng=AllSigns())[1:]
    for a, b in zip(by_signs, gradients(encoder, x, "exact")[1:]):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("method", ["exact", "closed", "stochastic"])
def test_a_code_at_hand_is_not_computed_again(method):
    encoder, calls = ENCODERS["one sigmoid layer"][0], []

    class Counting(nn.Sequential):
        def __call__(self, x):
            calls.append(x)
            return super().__call__(x)

    x = Tensor(draw(14, N, 6), requires_grad=True)
    counting = Counting(*encoder.layers)
    expected = measure(counting, x, method, rng=rng()).item()
    assert len(calls) == 1
    got = measure(counting, x, method, rng=rng(), code=encoder(x)).item()
    assert got == expected and len(calls) == 1


@pytest.mark.parametrize("method", ["exact", "closed", "stochastic"])
@pytest.mark.parametrize("recording", [True, False])
def test_float32_and_no_grad(method, recording):
    encoder = nn.Sequential(nn.Dense(6, 5, rng=rng(3)), ops.sigmoid,
                            nn.Dense(5, 3, rng=rng(4)), ops.tanh)
    x = Tensor(draw(15, N, 6).astype(np.float32))
    expected = measure(encoder, x, method, rng=rng())
    assert expected.dtype == np.float32 and expected.requires_grad and not x.requires_grad
    with no_grad():
        value = measure(encoder, x, method, rng=rng(), code=encoder(x))
    assert value.item() == expected.item() and value.node is None
    assert all(g.dtype == np.float32 for g in grad(expected, encoder.parameters()))


def test_jacobian_of_a_gradient_is_the_hessian():
    def slope(x):
        x = x if x.requires_grad else Tensor(x.data, requires_grad=True)
        return grad(ops.sum(x**3) + ops.sum(x[:, 0] * x[:, 1] ** 2), x, create_graph=True)

    x = draw(16, N, 2)
    a, b = x.T
    expected = np.stack([np.stack([6 * a, 2 * b], 1), np.stack([2 * b, 6 * b + 2 * a], 1)], 1)
    assert np.allclose(jacobian(slope, x).data, expected)


def test_jacobian_can_be_differentiated():
    encoder, x = ENCODERS["two layers"][0], Tensor(draw(17, N, 6), requires_grad=True)
    j = jacobian(encoder, x, create_graph=True)
    got = grad(ops.sum(j * j) / N, encoder.parameters())
    for a, b in zip(got, gradients(encoder, x.data, "exact")[1:]):
        assert np.allclose(a.data, b, rtol=1e-10, atol=1e-13)
    assert not jacobian(encoder, x).requires_grad
    gradcheck(lambda x: jacobian(ops.tanh, x, create_graph=True), [draw(18, 2, 3)], order=2)


def test_jacobian_of_a_number_for_each_example():
    x = draw(19, N, 2, 3)
    assert np.allclose(jacobian(lambda x: ops.sum(x * x, axis=(1, 2)), x).data, 2 * x)
    assert np.array_equal(jacobian(lambda x: x, x[:, 0]).data, np.broadcast_to(np.eye(3), (N, 3, 3)))


@pytest.mark.parametrize("encoder", [
    ops.sigmoid, nn.Sequential(nn.Dense(6, 4, rng=rng()), ops.softplus),
    nn.Sequential(ops.sigmoid, nn.Dense(6, 4, rng=rng())), nn.Sequential(nn.Flatten()),
    nn.Sequential(nn.Dense(6, 4, rng=rng()), ops.tanh, ops.tanh), nn.Sequential()])
def test_no_closed_form(encoder):
    with pytest.raises(ValueError, match="jacobian: the closed form is for dense layers, each with sigmoid"):
        measure(encoder, Tensor(draw(20, N, 6)), "closed")


def test_wrong_use():
    encoder, x = ENCODERS["two layers"][0], Tensor(draw(21, N, 6))
    with pytest.raises(ValueError, match="jacobian: the stochastic method needs an rng"):
        measure(encoder, x, "stochastic")
    with pytest.raises(ValueError, match="method must be one of"):
        measure(encoder, x, "approximate")
    with pytest.raises(ValueError, match=r"\(5,\) examples gave an output of shape \(\)"):
        jacobian(ops.sum, x)
