"""The demo of denoising as contraction: what it measures, and a quick run of it."""

import itertools
import math

import numpy as np
import pytest

from demos.regularised import denoising_contracts as demo
from tinyae import Tensor, grad, ops


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"losses.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["dae-cae", "dae-cae.exact"]
    measured = metrics["measured"]
    assert set(measured) == {"sigma", "trained by denoising", "untrained"}
    assert len(measured["untrained"]["added"]) == len(measured["sigma"])
    assert metrics["claims"][1]["value"] < 1e-3  # exact for any network, so also after 4 epochs


def test_quadrature_gives_the_moments_of_a_gaussian():
    points, weights = demo.gauss_hermite(6)
    for a, b in itertools.product(range(7), repeat=2):
        value = (weights * points[:, 0]**a * points[:, 1]**b).sum()
        normal = [math.prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0 for k in (a, b)]
        assert value == pytest.approx(normal[0] * normal[1], abs=1e-9)


def quadratic(x):
    """r(x) = (x₁² + 3 x₁ x₂, x₂ - 2 x₁²): its Jacobian is (2x₁ + 3x₂, 3x₁; -4x₁, 1), Δr is (2, -4)."""
    a, b = x[:, 0], x[:, 1]
    return ops.stack([a * a + 3 * a * b, b - 2 * a * a], axis=1)


def test_second_order_of_a_quadratic_map(a_run):
    x = np.random.default_rng(0).standard_normal((20, 2))
    a, b = x.T
    penalty, bend = demo.second_order(a_run(demo), quadratic, x)
    assert penalty == pytest.approx(((2 * a + 3 * b)**2 + 9 * a**2 + 16 * a**2 + 1).mean(), rel=1e-12)
    r = quadratic(Tensor(x)).numpy()
    assert bend == pytest.approx(((r - x) @ [2, -4]).mean(), rel=1e-12)


def test_what_noise_adds_to_the_loss_of_a_quadratic_map(a_run):
    """With H of r: E ‖½ εᵀHε‖² σ² is all that the expansion leaves out; entries of H give it by hand."""
    x = np.random.default_rng(1).standard_normal((20, 2))
    penalty, bend = demo.second_order(a_run(demo), quadratic, x)
    hessians = np.array([[[2, 3], [3, 0]], [[-4, 0], [0, 0]]])
    rest = sum((np.trace(h)**2 + 2 * (h**2).sum()) / 4 for h in hessians)
    for sigma in (1, 0.1, 0.001):
        added = demo.added_by_noise(lambda p: quadratic(Tensor(p)).numpy(), x, sigma)
        assert added == pytest.approx(penalty + bend + sigma**2 * rest, rel=1e-6)


def test_what_noise_adds_agrees_with_sampling(a_run):
    run, sigma = a_run(demo), 0.5
    model = demo.autoencoder(run.rng("weights"))
    x = np.random.default_rng(2).standard_normal((1, 2))

    def r(points):
        return run.apply(model.reconstruct, points)

    noise = np.random.default_rng(3).standard_normal((100_000, 2))
    sampled = ((r(x + sigma * noise) - x)**2).sum(axis=1)
    expected = (sampled.mean() - demo.squared_error(r(x), x)) / sigma**2
    error = sampled.std() / math.sqrt(len(noise)) / sigma**2
    assert abs(demo.added_by_noise(r, x, sigma) - expected) < 5 * error


def test_the_contraction_is_of_the_whole_reconstruction():
    """Its gradient too: the penalty for a linear autoencoder x A B is ½ λ ‖A B‖², with a known gradient."""
    rng = np.random.default_rng(4)
    a, b = (Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 3), (3, 2)))
    x = Tensor(rng.standard_normal((5, 2)), requires_grad=True)
    encoder, decoder = lambda x: x @ a, lambda h: h @ b  # noqa: E731
    penalty = demo.contraction_of_copies(0.3, decoder)(encoder(x), x, encoder, None)
    product = a.data @ b.data
    assert penalty.item() == pytest.approx(0.15 * (product**2).sum())
    slope, = grad(penalty, [a])
    assert np.allclose(slope.numpy(), 0.3 * product @ b.data.T)


@pytest.mark.parametrize("how", [None, "denoising", "contraction"])
def test_each_way_of_training_has_its_own_loss_and_the_same_weights(how, a_run):
    run = a_run(demo)
    model, plain = (demo.autoencoder(run.rng("weights"), way) for way in (how, None))
    assert all(np.array_equal(a.data, b.data) for a, b in zip(model.parameters(), plain.parameters()))
    assert (model.corruption is not None) == (how == "denoising")
    assert [penalty.__name__ for penalty in model.penalties] == ["contraction"] * (how == "contraction")


def found(added, penalty=2.0, laplacian=0.0):
    return {"added": [9.0, added], "penalty": penalty, "laplacian": laplacian}


@pytest.mark.parametrize("trained, untrained, held", [
    (found(2.0), found(3.0, laplacian=1.0), [True, True]),
    (found(2.2, laplacian=0.2), found(3.0, laplacian=1.0), [False, True]),  # the other term matters
    (found(2.01), found(3.0, laplacian=1.0), [True, False]),  # the expansion misses something
    (found(2.0), found(3.1, laplacian=1.0), [True, False]),
])
def test_each_claim_can_fail(judged, trained, untrained, held):
    measured = {demo.TRAINED: trained, demo.UNTRAINED: untrained}
    assert list(judged(demo.judge, measured).values()) == held
