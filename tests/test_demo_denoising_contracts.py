"""The demo of denoising as contraction: what it measures, and a quick run of it."""

import itertools
import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from demos import denoising_contracts as demo  # noqa: E402
from demos.harness import parser  # noqa: E402
from tinyae import Tensor, grad, ops, training  # noqa: E402


@pytest.fixture
def args():
    return parser("denoising_contracts", demo.__doc__, epochs=demo.EPOCHS, images=False).parse_args([])


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"losses.png", "fields.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == 4 * ["dae-cae"]
    assert set(metrics["losses"]) == {"sigma", "trained by denoising", "untrained"}
    assert len(metrics["losses"]["untrained"]["added"]) == len(metrics["losses"]["sigma"])
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


def test_second_order_of_a_quadratic_map():
    x = np.random.default_rng(0).standard_normal((20, 2))
    a, b = x.T
    penalty, bend = demo.second_order(quadratic, x, "cpu")
    assert penalty == pytest.approx(((2 * a + 3 * b)**2 + 9 * a**2 + 16 * a**2 + 1).mean(), rel=1e-12)
    r = quadratic(Tensor(x)).numpy()
    assert bend == pytest.approx(((r - x) @ [2, -4]).mean(), rel=1e-12)


def test_what_noise_adds_to_the_loss_of_a_quadratic_map():
    """With H of r: E ‖½ εᵀHε‖² σ² is all that the expansion leaves out; entries of H give it by hand."""
    x = np.random.default_rng(1).standard_normal((20, 2))
    penalty, bend = demo.second_order(quadratic, x, "cpu")
    hessians = np.array([[[2, 3], [3, 0]], [[-4, 0], [0, 0]]])
    rest = sum((np.trace(h)**2 + 2 * (h**2).sum()) / 4 for h in hessians)
    for sigma in (1, 0.1, 0.001):
        added = demo.added_by_noise(lambda p: quadratic(Tensor(p)).numpy(), x, sigma)
        assert added == pytest.approx(penalty + bend + sigma**2 * rest, rel=1e-6)


def test_what_noise_adds_agrees_with_sampling(args):
    model, sigma = demo.autoencoder(args), 0.5
    x = np.random.default_rng(2).standard_normal((1, 2))

    def r(points):
        return demo.apply(model.reconstruct, points)

    noise = np.random.default_rng(3).standard_normal((100_000, 2))
    sampled = ((r(x + sigma * noise) - x)**2).sum(axis=1)
    expected = ((sampled.mean() - demo.squared_error(r(x), x)) / sigma**2)
    error = sampled.std() / math.sqrt(len(noise)) / sigma**2
    assert abs(demo.added_by_noise(r, x, sigma) - expected) < 5 * error


def test_the_contraction_is_of_the_whole_reconstruction(args):
    """Its gradient too: the penalty for a linear autoencoder x A B is ½ λ ‖A B‖², with a known gradient."""
    rng = np.random.default_rng(4)
    a, b = (Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 3), (3, 2)))
    x = Tensor(rng.standard_normal((5, 2)), requires_grad=True)
    encoder, decoder = lambda x: x @ a, lambda h: h @ b  # noqa: E731
    penalty = demo.contractive_penalty(0.3, decoder)(encoder(x), x, encoder, None)
    product = a.data @ b.data
    assert penalty.item() == pytest.approx(0.15 * (product**2).sum())
    slope, = grad(penalty, [a])
    assert np.allclose(slope.numpy(), 0.3 * product @ b.data.T)


@pytest.mark.parametrize("variance", [0.04, 0.13, 1.0])
def test_score_is_the_slope_of_the_log_density(variance):
    """Against differences of ln p, with p the mean of the Gaussians along the circle."""
    angle = np.linspace(0, 2 * math.pi, 500, endpoint=False)
    circle = np.stack((np.cos(angle), np.sin(angle)), axis=1)

    def log_density(x):
        return np.log(np.exp(-((x[:, None] - circle)**2).sum(-1) / (2 * variance)).mean(axis=1))

    x, d = np.random.default_rng(5).uniform(-1.5, 1.5, (50, 2)), 1e-5
    rises = [log_density(x + d * e) - log_density(x - d * e) for e in np.eye(2)]
    slopes = np.stack(rises, axis=1) / (2 * d)
    assert np.allclose(demo.score(x, variance), slopes, atol=1e-6)


def test_optimal_field_is_the_mean_of_the_clean_points():
    """E[x | x̃] - x̃, by weighting many clean points with the density of the noise that leads to x̃."""
    rng = np.random.default_rng(6)
    clean = demo.data.circle(100_000, rng, demo.SPREAD)[0].astype(np.float64)
    for seen in np.array([[0.5, 0.2], [1.0, 0.0], [-0.8, 1.0]]):
        weight = np.exp(-((clean - seen)**2).sum(axis=1) / (2 * demo.SIGMA**2))
        expected = weight @ clean / weight.sum() - seen
        assert np.allclose(demo.optimal_field(seen[None])[0], expected, atol=0.01)


def test_relative_difference():
    b = np.array([[3.0, 0], [0, 4]])
    assert demo.relative_difference(b, b) == 0
    assert demo.relative_difference(np.zeros((2, 2)), b) == 1
    assert demo.relative_difference(1.5 * b, b) == pytest.approx(0.5)
    assert demo.relative_difference(-b, b) == 2


@pytest.mark.parametrize("how", ["denoising", "contraction"])
@pytest.mark.parametrize("epochs", [0, 1, 3, 6])
def test_training_takes_the_epochs_asked_for(how, epochs, args, monkeypatch):
    parts = []
    monkeypatch.setattr(training, "fit", lambda *a, **k: parts.append(k["epochs"]) or [])
    model = demo.train(how, np.zeros((4, 2), np.float32), epochs, args)
    assert sum(parts) == epochs
    assert (model.corruption is None) == (how == "contraction") == bool(model.penalties)
