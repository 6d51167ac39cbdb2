"""The demo of the likelihoods: the losses written out, what a variance learns, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.variational import likelihoods as demo
from tinyae import Tensor, grad, optim
from tinyae.distributions import Bernoulli, Gaussian

RIGHT = {"written_out": 1e-15, "one": 0.01, "each": 0.05, "errors": {demo.ONE: 9.0, demo.FIXED: 27.0},
         "draws": {demo.ONE: 2.05, demo.FIXED: 30.0}, "outcomes": 1e-16, "grey": 0.5}


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"variances.png", "draws.png", "grey.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "stochastic", "stochastic.variance", "stochastic.pixels", "stochastic.sharper", "stochastic.draw",
        "stochastic.noise", "stochastic.outcomes", "stochastic.grey"]
    assert metrics["claims"][0]["value"] < 1e-12
    assert set(metrics["measured"]["held_out"]) == {demo.BERNOULLI, demo.FIXED, demo.ONE, demo.EACH}


@pytest.fixture
def images():
    return np.random.default_rng(0).random((6, 4, 4, 1))


@pytest.mark.parametrize("name", [demo.BERNOULLI, demo.FIXED, demo.ONE, demo.EACH])
def test_departure_sees_another_loss(images, name, monkeypatch):
    assert demo.departure(np.random.default_rng(1), images) < 1e-14
    right = demo.written_out
    monkeypatch.setattr(demo, "written_out",
                        lambda kind, *rest: right(kind, *rest) * (1.001 if kind == name else 1))
    assert demo.departure(np.random.default_rng(1), images) > 1e-4


@pytest.mark.parametrize("name, axis, shape", [(demo.ONE, None, ()), (demo.EACH, 0, (4, 4, 1))])
def test_a_variance_starts_as_that_of_the_images_and_ends_as_the_mean_square(images, name, axis, shape):
    images[:, 0] *= 0.2
    mean, kind = np.full(images.shape, 0.2), demo.likelihood(name, images)
    assert kind.theta.shape == shape
    assert np.exp(kind.theta.numpy()) == pytest.approx(images.var(axis=0).mean())
    adam = optim.Adam(kind.parameters(), lr=optim.falling(0.05, 0.01, 0.001))
    for step in range(600):
        adam.progress = step / 600
        adam.step(grad(kind(Tensor(mean)).nll(Tensor(images)), adam.params))
    expected = ((images - mean) ** 2).mean(axis=axis)
    assert np.exp(kind.theta.numpy()) + demo.FLOOR == pytest.approx(expected, rel=1e-3)


def test_a_variance_stays_above_the_floor_and_can_leave_it():
    x = Tensor(np.zeros((1, 1)))
    assert math.exp(demo.LearnedVariance((1,), 1e-12)(x).log_var.item()) == pytest.approx(demo.FLOOR)
    kind = demo.LearnedVariance((1,), demo.FLOOR)
    assert grad(kind(x).nll(Tensor(np.ones((1, 1)))), kind.theta).item() < -100  # a large error raises it


class Known:
    """A model whose code is the mean of an image and whose answer is that grey, or that grey and some noise."""

    def __init__(self, noise):
        self.noise = noise

    def encode(self, x):
        return Gaussian(x.reshape(len(x), -1).mean(axis=1, keepdims=True), -100.0)

    def decode(self, z):
        return Gaussian(z.reshape(-1, 1, 1, 1) + Tensor(np.zeros((1, 4, 4, 1))), 2 * math.log(self.noise))


def test_mean_square_is_that_of_each_pixel(images, a_run):
    grey = images.mean(axis=(1, 2, 3), keepdims=True)
    assert demo.mean_square(a_run(demo), Known(1.0), images) == pytest.approx(((images - grey) ** 2).mean(axis=0))


def test_a_draw_is_as_far_as_its_noise_says(images, a_run, monkeypatch):
    monkeypatch.setattr(demo.training, "evaluate", lambda *_: {"loss": 2.0, "kl": 1.0})
    many = np.repeat(images, 200, axis=0)
    found = demo.measured(a_run(demo), Known(0.5), many)
    grey = images.mean(axis=(1, 2, 3), keepdims=True)
    expected = ((images - grey) ** 2).sum() / len(images)
    assert found["mean"] == pytest.approx(expected)
    assert found["draw"] == pytest.approx(expected + 16 * 0.25, rel=0.05)
    assert (found["elbo"], found["kl"]) == (-2.0, 1.0)


def test_the_mass_of_a_bernoulli():
    logits = np.array([-3.0, -1.0, 2.0])
    p = 1 / (1 + np.exp(-logits))
    assert demo.mass(logits) == pytest.approx((2 * p - 1) / logits, abs=1e-12)
    assert demo.mass(np.zeros(1)) == pytest.approx(0.5)
    assert demo.of_outcomes(logits) == pytest.approx(1)


def test_the_entropy_is_the_cross_entropy_of_a_perfect_copy(images):
    logits = np.log(images / (1 - images))
    assert demo.entropy(images) == pytest.approx(Bernoulli(Tensor(logits)).nll(Tensor(images)).item())
    assert demo.entropy(np.round(images)) < 1e-9


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"written_out": 1e-6}, {"stochastic"}),
    ({"one": 0.2}, {"stochastic.variance"}),
    ({"one": -0.2}, {"stochastic.variance"}),
    ({"each": 0.3}, {"stochastic.pixels"}),
    ({"errors": {demo.ONE: 27.0, demo.FIXED: 27.0}}, {"stochastic.sharper"}),
    ({"draws": {demo.ONE: 1.0, demo.FIXED: 30.0}}, {"stochastic.draw"}),
    ({"draws": {demo.ONE: 2.0, demo.FIXED: 2.0}}, {"stochastic.noise"}),
    ({"outcomes": 0.1}, {"stochastic.outcomes"}),
    ({"grey": 1.0}, {"stochastic.grey"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(demo.judge, **(RIGHT | change)).items() if not held} == missed
