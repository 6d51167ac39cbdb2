"""The demo of the lower bound: its closed forms against other ways to them, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.variational import bound
from tinyae import Tensor, gradcheck

RIGHT = {"identity": 1e-12, "at_posterior": 1e-12, "least_gap": 0.01, "sampled": 1.0, "gap": 1e-5,
         "independent": 0.5719, "theory": 0.5719,
         "ppca": {"short": 1e-9, "angle": 0.01, "noise": 1e-4, "cosine": 0.9999}}


def test_quick_run(run_quick):
    metrics, names = run_quick(bound)
    assert names == {"training.png", "ppca.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "elbo", "elbo.bound", "elbo.tight", "elbo.sampled", "elbo.trained", "elbo.independent", "elbo.ppca",
        "elbo.subspace", "elbo.noise", "elbo.axes"]
    values = {c["id"]: c["value"] for c in metrics["claims"]}
    assert max(values["elbo"], values["elbo.tight"]) < 1e-9 and values["elbo.sampled"] < 5  # without training


@pytest.fixture
def one():
    """A model with one latent number, one point, and a q."""
    model = bound.LinearGaussian([[1.5, -0.5]], [0.2, 0.1], math.log(0.6))
    return model, np.array([[1.0, 0.4]]), np.array([[0.3]]), np.array([[0.8]])


def test_the_three_are_integrals(one):
    model, x, mean, root = one
    z = np.linspace(-12, 12, 20001)[:, None]
    step = z[1, 0] - z[0, 0]
    error = x - model.mean.numpy() - z @ model.weight.numpy()
    log_joint = (-(z**2)[:, 0] / 2 - math.log(2 * math.pi) / 2 - (error**2).sum(axis=1) / 2 / 0.6
                 - math.log(2 * math.pi * 0.6))
    log_q = -(((z - mean) / root) ** 2)[:, 0] / 2 - math.log(0.8 * math.sqrt(2 * math.pi))
    log_p = math.log(np.exp(log_joint).sum() * step)
    expected = (log_p, (np.exp(log_q) * (log_joint - log_q)).sum() * step,
                (np.exp(log_q) * (log_q - log_joint + log_p)).sum() * step)
    assert np.concatenate(bound.three(model, x, mean, root)) == pytest.approx(expected, abs=1e-9)


def test_the_bound_can_be_differentiated(one):
    model, x, mean, root = one
    gradcheck(lambda mean, root: bound.elbo(model, Tensor(x), mean, root), [mean, root])


@pytest.mark.parametrize("change", ["weight", "mean", "log_var"])
def test_the_sum_would_see_a_posterior_of_another_model(one, change):
    model, x, mean, root = one
    log_p, elbo, kl = bound.three(model, x, mean, root)
    assert log_p == pytest.approx(elbo + kl, abs=1e-12)
    getattr(model, change).data[...] *= 1.01
    assert abs(log_p - elbo - bound.gap(model, x, mean, root)) > 1e-5


def test_roots_are_triangular_or_diagonal():
    rng, x = np.random.default_rng(0), Tensor(np.zeros((1, 3)))
    full, independent = (bound.Encoder(3, 2, rng, full=kind) for kind in (True, False))
    full.below.data[...] = 5.0
    assert full(x)[1].numpy().tolist() == [[1, 0], [5, 1]] and len(full.parameters()) == 4
    assert independent(x)[1].numpy().tolist() == [[1, 0], [0, 1]] and len(independent.parameters()) == 3


def test_probabilistic_pca_is_a_maximum():
    _, x = bound.drawn(np.random.default_rng(0), 200)
    best = bound.probabilistic_pca(x, 2)
    top = best.log_likelihood(x).mean()
    for name, parameter in best.named_parameters():
        for factor in (0.98, 1.02):
            kept = parameter.data.copy()
            parameter.data[...] *= factor
            assert best.log_likelihood(x).mean() < top, name
            parameter.data[...] = kept


def test_compared_sees_what_differs():
    _, x = bound.drawn(np.random.default_rng(0), 200)
    best = bound.probabilistic_pca(x, 2)
    assert bound.compared(best, best, x) == pytest.approx({"short": 0, "angle": 0, "noise": 0, "cosine": 1}, abs=1e-5)
    weight, mean, log_var = (t.numpy() for t in best.parameters())
    turned = bound.LinearGaussian(np.array([[0.8, 0.6], [-0.6, 0.8]]) @ weight, mean, log_var)
    found = bound.compared(turned, best, x)  # the same density, other rows
    assert found["short"] < 1e-12 and found["angle"] < 1e-5 and found["cosine"] < 0.95
    noisy = bound.LinearGaussian(weight, mean, log_var + math.log(2))
    assert bound.compared(noisy, best, x)["noise"] == pytest.approx(1)


def test_independent_numbers_leave_what_theory_says():
    truth, _ = bound.drawn(np.random.default_rng(0), 1)
    centre, precision = truth.posterior(np.zeros((1, bound.SIZE)))
    x, least = np.zeros((1, bound.SIZE)), bound.least_gap_of_independent(truth)
    best = np.diag(np.diag(precision) ** -0.5)
    assert bound.gap(truth, x, centre, best) == pytest.approx(least) and least > 0.3
    for worse in (best * 1.05, best * 0.95, best * [1.05, 0.95]):
        assert bound.gap(truth, x, centre, worse) > least


def test_sampling_would_see_a_wrong_bound(a_run, monkeypatch):
    run, (truth, x) = a_run(bound), bound.drawn(np.random.default_rng(0), 50)
    encoder = bound.Encoder(bound.SIZE, bound.LATENT, np.random.default_rng(1), full=False)
    bound.fit(run, truth, encoder, encoder.parameters(), x, 200)
    assert bound.by_sampling(run, truth, encoder, x, 100) < 4
    right = bound.elbo
    monkeypatch.setattr(bound, "elbo", lambda *arguments: right(*arguments) - 0.2)
    assert bound.by_sampling(run, truth, encoder, x, 100) > 4


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"identity": 1e-6}, {"elbo"}),
    ({"least_gap": -0.1}, {"elbo.bound"}),
    ({"at_posterior": 1e-6}, {"elbo.tight"}),
    ({"sampled": 6.0}, {"elbo.sampled"}),
    ({"gap": 0.1}, {"elbo.trained"}),
    ({"independent": 0.6}, {"elbo.independent"}),
    ({"independent": 0.0}, {"elbo.independent"}),
    ({"ppca": RIGHT["ppca"] | {"short": 0.1}}, {"elbo.ppca"}),
    ({"ppca": RIGHT["ppca"] | {"angle": 5.0}}, {"elbo.subspace"}),
    ({"ppca": RIGHT["ppca"] | {"noise": 0.1}}, {"elbo.noise"}),
    ({"ppca": RIGHT["ppca"] | {"cosine": 0.8}}, {"elbo.axes"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(bound.judge, **(RIGHT | change)).items() if not held} == missed
