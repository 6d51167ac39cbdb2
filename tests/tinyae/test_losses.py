"""Losses against their formulas, and their units (nats per example).

Those of distributions are in test_distributions.py, those of codes in test_penalties.py.
"""

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, losses

N, D = 4, 3


def draw(seed, shape=(N, D)):
    return np.random.default_rng(seed).standard_normal(shape)


A, B, LABELS = draw(0), draw(1), np.array([2, 0, 1, 1])


def softmax(l):
    return np.exp(l) / np.exp(l).sum(1, keepdims=True)


def cross_entropy(l, y=LABELS):
    return losses.cross_entropy(l, y)


def two_way(a, b, t=0.1):
    """The terms of InfoNCE, from its formula."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    s = a @ b.T / t
    return -(np.log(np.diag(softmax(s))) + np.log(np.diag(softmax(s.T)))) / 2


# name: loss of Tensors, its terms in NumPy, the arguments
CASES = {
    "mse": (losses.mse, lambda p, t: (p - t) ** 2 / 2, (A, B)),
    "cross_entropy": (cross_entropy, lambda l: -np.log(softmax(l)[range(N), LABELS]), (A,)),
    "info_nce": (losses.info_nce, two_way, (A, B)),
    "info_nce, warm": (lambda a, b: losses.info_nce(a, b, temperature=2.0),
                       lambda a, b: two_way(a, b, 2.0), (A, B)),
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


def test_nats_per_example():
    def repeated(times, axis):
        return losses.mse(*(Tensor(np.concatenate([a] * times, axis)) for a in (A, B))).item()

    once = repeated(1, 0)
    assert repeated(2, 0) == pytest.approx(once, rel=1e-12)  # the batch: a mean
    assert repeated(2, 1) == pytest.approx(2 * once, rel=1e-12)  # the dimensions: a sum
    image = [Tensor(a.reshape(N, 1, D, 1)) for a in (A, B)]  # an image's axes are all summed over
    assert losses.mse(*image).item() == pytest.approx(once, rel=1e-12)
    labels = cross_entropy(Tensor(np.concatenate([A, A])), np.concatenate([LABELS, LABELS])).item()
    assert labels == pytest.approx(cross_entropy(Tensor(A)).item(), rel=1e-12)


@pytest.mark.parametrize("loss, formula", [
    (lambda p: losses.mse(p, Tensor(B)), lambda p: (p - B) / N),
    (cross_entropy, lambda l: (softmax(l) - np.eye(D)[LABELS]) / N)])
def test_gradient_formula(loss, formula):
    a = Tensor(A, requires_grad=True)
    assert np.allclose(grad(loss(a), a).data, formula(A), rtol=1e-13, atol=1e-16)


def test_one_hot():
    for labels in (LABELS, Tensor(LABELS), LABELS.astype(np.uint8)):
        rows = losses.one_hot(labels, Tensor(A.astype(np.float32)))
        assert rows.dtype == np.float32 and not rows.requires_grad
        assert np.array_equal(rows.data, np.eye(D)[LABELS])


def info_nce(a, b, *temperature):
    return losses.info_nce(Tensor(a), Tensor(b), *temperature).item()


def test_info_nce_knows_partners():
    assert info_nce(A, B) == pytest.approx(info_nce(B, A), rel=1e-12)
    assert info_nce(3 * A, 0.1 * B) == pytest.approx(info_nce(A, B), rel=1e-12)  # lengths do not count
    same = np.ones((N, D))
    assert info_nce(same, same) == pytest.approx(np.log(N), rel=1e-12)  # nobody can tell
    corners = np.eye(N)
    assert info_nce(corners, corners, 0.01) == pytest.approx(0, abs=1e-12)  # everybody can
    assert info_nce(corners, corners[::-1], 0.01) == pytest.approx(100)  # and is wrong


def test_info_nce_of_nothing_is_finite():
    a = Tensor(np.zeros((N, D), np.float32), requires_grad=True)
    loss = losses.info_nce(a, Tensor(B.astype(np.float32)))
    assert loss.item() == pytest.approx(np.log(N), rel=1e-6) and np.isfinite(grad(loss, a).data).all()


@pytest.mark.parametrize("a, b, temperature, message", [
    ((4, 3), (4, 2), 0.1, r"the shapes must be equal, not \(4, 3\), \(4, 2\)"),
    ((4, 3, 1), (4, 3, 1), 0.1, r"expected codes \(N, D\) of two examples or more, got the shape \(4, 3, 1\)"),
    ((1, 3), (1, 3), 0.1, r"of two examples or more, got the shape \(1, 3\)"),
    ((4, 3), (4, 3), 0, "temperature must be above 0, not 0"),
    ((4, 3), (4, 3), float("nan"), "temperature must be above 0, not nan"),
])
def test_info_nce_refuses(a, b, temperature, message):
    with pytest.raises(ValueError, match=message):
        info_nce(np.ones(a), np.ones(b), temperature)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("odd", [(2, 4), (2, 1), (2,), (1, 3), (3, 2, 3)])
def test_shapes_must_be_equal(odd, place):
    shapes = [odd if i == place else (2, 3) for i in range(2)]
    with pytest.raises(ValueError) as caught:
        losses.mse(*(Tensor(np.full(s, 0.5)) for s in shapes))
    assert str(caught.value) == f"mse: the shapes must be equal, not {shapes[0]}, {shapes[1]}"


@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
@pytest.mark.parametrize("loss, count", [(losses.mse, 2), (losses.l1, 1), (losses.l2, 1)])
def test_no_batch(loss, count, shape):
    with pytest.raises(ValueError) as caught:
        loss(*(Tensor(np.full(shape, 0.5)) for _ in range(count)))
    assert str(caught.value) == (f"{loss.__name__}: expected a batch of examples (N, ...), "
                                 f"got the shape {shape}")
