"""The demo of the reparameterised gradient: its estimators, its closed forms, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.variational import reparameterise as demo
from tinyae import Tensor, grad, models, ops
from tinyae.distributions import Gaussian

RIGHT = {"bias": 2.0, "theory": 0.03, "ratios": {demo.REPARAMETERISED: 1.0, demo.SCORE: 4300.0, demo.BASELINE: 99.0},
         "samples": 4.9, "wiggling": 0.004, "shares": {demo.SCORE: 0.3, demo.BASELINE: 0.5}}


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"variance.png", "training.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "reparameterise", "reparameterise.theory", "reparameterise.variance", "reparameterise.baseline",
        "reparameterise.samples", "reparameterise.vae", "reparameterise.vae-baseline", "reparameterise.limit"]
    measured = metrics["measured"]
    assert set(measured["learning_rates"].values()) <= set(demo.RATES)
    assert measured["bias"] < 5 and all(s > 0 for s in measured["seconds_per_update"].values())


@pytest.mark.parametrize("f", [demo.half_square, demo.sine(0.5), demo.sine(2)])
def test_the_closed_form_of_the_gradient(f):
    z = np.linspace(-12, 12, 40001)

    def expectation(mean, log_var):
        density = np.exp(-((z - mean) ** 2) / 2 / math.exp(log_var)) / math.sqrt(2 * math.pi * math.exp(log_var))
        return (density * f(Tensor(z[:, None])).numpy()).sum() * (z[1] - z[0])

    step = 1e-4
    in_mean = (expectation(1 + step, 0) - expectation(1 - step, 0)) / (2 * step)
    in_log_var = (expectation(1, step) - expectation(1, -step)) / (2 * step)
    assert np.array(f.gradient(np.ones(1))).ravel() == pytest.approx([in_mean, in_log_var], abs=1e-6)


@pytest.mark.parametrize("name", demo.WAYS)
def test_scatter(a_run, name):
    run = a_run(demo)
    found = demo.scatter(run, demo.WAYS[name], demo.half_square, 3, 40_000)
    assert found["bias"] < 4.5
    assert found["variance"] == pytest.approx(demo.variances(3)[name], rel=0.1)
    assert demo.averaged(run, demo.WAYS[name], 3, 40_000, 4) == pytest.approx(demo.variances(3)[name] / 4, rel=0.1)


def both(q, f, rng):
    """A mistake: the gradient passes through the sample and the density."""
    z = q.sample(rng)
    return f(z) + f(z).detach() * demo.slope(q.log_prob(z.detach()))


def squared(q, f, rng):
    """A mistake: the noise times σ²."""
    return f(Gaussian(q.mean, 2 * q.log_var).sample(rng))


def attached(q, f, rng):
    """A mistake: the score at a sample that moves with the mean, which is 0 in it."""
    z = q.sample(rng)
    return f(z.detach()) + f(z).detach() * demo.slope(q.log_prob(z))


@pytest.mark.parametrize("wrong", [both, squared, attached])
def test_bias_is_seen(a_run, wrong):
    with np.errstate(divide="ignore"):
        assert not demo.scatter(a_run(demo), wrong, demo.half_square, 2, 5_000)["bias"] < 4.5


@pytest.mark.parametrize("way", demo.WAYS.values())
def test_ways_give_the_values_of_f_and_its_own_gradient(way):
    rng, weight = np.random.default_rng(0), Tensor(np.array([2.0]), requires_grad=True)
    q = Gaussian(Tensor(np.zeros((4, 3)), requires_grad=True), Tensor(np.zeros((4, 3)), requires_grad=True))
    value = way(q, lambda z: weight * demo.half_square(z), rng)
    expected = demo.half_square(q.sample(np.random.default_rng(0))).numpy()
    assert value.numpy() == pytest.approx(2 * expected)
    assert grad(ops.sum(value), weight).numpy() == pytest.approx(expected.sum())


def test_the_baseline_of_an_example_is_the_mean_of_the_others():
    q = Gaussian(Tensor(np.zeros((3, 1)), requires_grad=True), Tensor(np.zeros((3, 1))))
    z = q.sample(np.random.default_rng(0)).numpy()[:, 0]
    values = np.array([1.0, 4.0, 10.0])
    total = ops.sum(demo.score_function_with_baseline(q, lambda z: Tensor(values), np.random.default_rng(0)))
    assert grad(total, q.mean).numpy()[:, 0] == pytest.approx((values - [7, 5.5, 2.5]) * z)


def test_vae_by_the_reparameterised_gradient_is_the_vae(a_run):
    run = a_run(demo)
    model = demo.vae(run, demo.REPARAMETERISED, (4, 4, 1))
    x = Tensor(np.random.default_rng(0).random((5, 4, 4, 1), dtype=np.float32))
    ours, _ = model.loss(x, np.random.default_rng(1))
    usual, _ = models.VariationalAutoencoder.loss(model, x, np.random.default_rng(1))
    assert ours.item() == pytest.approx(usual.item(), rel=1e-6)
    for a, b in zip(grad(ours, model.parameters()), grad(usual, model.parameters())):
        assert a.numpy() == pytest.approx(b.numpy(), abs=1e-4)


def test_nats_of_the_mean_image():
    train = np.array([[[[1.0]]], [[[0.0]]]])
    assert demo.nats_of_the_mean_image(train, train[:1]) == pytest.approx(math.log(2))
    assert math.isfinite(demo.nats_of_the_mean_image(train[:1], train[1:]))


def test_departure_and_ratios_see_other_numbers():
    table = {name: {d: {"variance": demo.variances(d)[name], "bias": d} for d in (1, 4)} for name in demo.WAYS}
    assert demo.largest_departure(table, demo.variances) < 1e-12 and demo.largest_bias(table) == 4
    table[demo.SCORE][4]["variance"] *= 1.5
    assert demo.largest_departure(table, demo.variances) == pytest.approx(0.5)
    assert demo.ratios(table, 4)[demo.SCORE] == pytest.approx(1.5 * (64 + 56 + 12) / 4)


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"bias": 6.0}, {"reparameterise"}),
    ({"theory": 0.5}, {"reparameterise.theory"}),
    ({"ratios": RIGHT["ratios"] | {demo.SCORE: 99.0}}, {"reparameterise.variance"}),
    ({"ratios": RIGHT["ratios"] | {demo.BASELINE: 1.0}}, {"reparameterise.baseline"}),
    ({"samples": 0.1}, {"reparameterise.samples"}),
    ({"shares": RIGHT["shares"] | {demo.SCORE: 1.0}}, {"reparameterise.vae"}),
    ({"shares": RIGHT["shares"] | {demo.BASELINE: 1.0}}, {"reparameterise.vae-baseline"}),
    ({"wiggling": 1.0}, {"reparameterise.limit"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(demo.judge, **(RIGHT | change)).items() if not held} == missed
