"""The restricted Boltzmann machine against sums over all of its states."""

import itertools
import math

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, models, optim, training

V, H = 4, 3
STATES = {n: np.array(list(itertools.product((0.0, 1.0), repeat=n))) for n in (V, H)}


def rng(seed=0):
    return np.random.default_rng(seed)


def machine(visible=V, hidden=H, dtype=np.float64, **options):
    model = models.RestrictedBoltzmannMachine(visible, hidden, rng=rng(), **options)
    for i, p in enumerate(model.parameters()):
        p.data = rng(i + 1).standard_normal(p.shape).astype(dtype)
    return model


def table(model):
    """p(v, h) of every pair of states, (16, 8), and ln Z, from the energy written out."""
    w, b, c = (p.data for p in (model.weight, model.bias, model.hidden_bias))
    minus_energy = np.array([[v @ b + h @ c + v @ w @ h for h in STATES[H]] for v in STATES[V]])
    z = np.exp(minus_energy).sum()
    return np.exp(minus_energy) / z, math.log(z)


def test_energies():
    model = machine()
    joint, log_z = table(model)
    for i, v in enumerate(STATES[V]):
        energies = model.energy(Tensor(np.tile(v, (len(STATES[H]), 1))), Tensor(STATES[H])).data
        assert np.allclose(np.exp(-energies - log_z), joint[i])
    free = model.free_energy(Tensor(STATES[V])).data
    assert np.allclose(np.exp(-free - log_z), joint.sum(axis=1))
    assert np.allclose(model.log_prob(Tensor(STATES[V]), log_z).data, np.log(joint.sum(axis=1)))


def test_conditionals_are_those_of_the_joint():
    model = machine()
    joint, _ = table(model)
    given_v = joint @ STATES[H] / joint.sum(axis=1, keepdims=True)
    given_h = joint.T @ STATES[V] / joint.sum(axis=0)[:, None]
    assert np.allclose(model.hidden_given(Tensor(STATES[V])).mean.data, given_v)
    assert np.allclose(model.encode(Tensor(STATES[V])).data, given_v)
    assert np.allclose(model.visible_given(Tensor(STATES[H])).mean.data, given_h)


@pytest.mark.parametrize("visible, hidden", [(4, 3), (3, 7), (6, 2)])
def test_the_partition_function_is_the_sum(visible, hidden):
    model = machine(visible, hidden)
    w, b, c = (p.data for p in (model.weight, model.bias, model.hidden_bias))
    terms = [np.array(v) @ b + np.array(h) @ c + np.array(v) @ w @ np.array(h)
             for v in itertools.product((0, 1), repeat=visible) for h in itertools.product((0, 1), repeat=hidden)]
    assert model.log_partition() == pytest.approx(np.log(np.exp(terms).sum()), rel=1e-12)
    assert model.log_partition(block=3) == pytest.approx(model.log_partition(), rel=1e-12)


def test_of_a_large_machine_there_is_no_exact_sum():
    with pytest.raises(ValueError, match="smaller layer has 21 units; beyond 20 .* use annealed_log_partition"):
        machine(21, 30).log_partition()


def test_gibbs_sampling_leaves_the_distribution_alone():
    model = machine()
    joint, _ = table(model)
    p, n = joint.sum(axis=1), 40_000
    v = STATES[V][rng(9).choice(len(p), n, p=p)]
    after = model.gibbs(Tensor(v), 3, rng(10)).data
    counts = np.bincount((after @ [8, 4, 2, 1]).astype(int), minlength=16) / n
    assert np.abs(counts - p).max() < 4 * np.sqrt(0.25 / n)
    far = model.gibbs(Tensor(np.zeros((n, V))), 100, rng(11)).data
    counts = np.bincount((far @ [8, 4, 2, 1]).astype(int), minlength=16) / n
    assert np.abs(counts - p).max() < 4 * np.sqrt(0.25 / n)  # and leads to it from anywhere


def test_the_gradient_is_the_textbooks_difference():
    """∂loss/∂W = -(⟨v h⟩ at the data - ⟨v h⟩ at the model's examples), with h at its mean."""
    model, v = machine(steps=2), STATES[V][[1, 6, 11, 13]]
    loss, _ = model.loss(Tensor(v), rng(5))
    made = model.gibbs(Tensor(v), 2, rng(5)).data
    by_engine = grad(loss, [model.weight, model.bias, model.hidden_bias])
    h, h_made = (model.encode(Tensor(x)).data for x in (v, made))
    expected = [(made.T @ h_made - v.T @ h) / 4, (made - v).mean(axis=0), (h_made - h).mean(axis=0)]
    assert all(np.allclose(g.data, e) for g, e in zip(by_engine, expected))


def test_the_gradient_of_the_exact_likelihood():
    """With the model's own examples in all their frequency, the gradient is that of -ln p(v)."""
    model, v = machine(), Tensor(STATES[V][[1, 6]])

    def nll(w, b, c):
        model.weight, model.bias, model.hidden_bias = w, b, c
        free = model.free_energy(Tensor(STATES[V]))
        return -(model.log_prob(v, (0 - free).max() + ((0 - free) - (0 - free).max()).exp().sum().log())).mean()

    parameters = [p.data.copy() for p in (model.weight, model.bias, model.hidden_bias)]
    gradcheck(nll, parameters, order=2)


@pytest.mark.parametrize("base", [None, "data"])
def test_annealed_importance_sampling_is_near_the_sum(base):
    model = machine(8, 6)
    exact = model.log_partition()
    a = None if base is None else Tensor(rng(8).standard_normal(8))
    estimates = [model.annealed_log_partition(rng(seed), a, temperatures=200, runs=50) for seed in range(20)]
    values, errors = np.array(estimates).T
    assert np.abs(values - exact).mean() < 0.2
    assert abs(values.mean() - exact) < 4 * values.std() / np.sqrt(20) + 0.02
    assert 0.3 < errors.mean() / values.std() < 3  # the error bars are of the right size


def test_annealing_a_machine_without_weights_is_exact():
    model = machine()
    model.weight.data[...] = 0
    log_z, error = model.annealed_log_partition(rng(), Tensor(model.bias.data), temperatures=5, runs=3)
    # The two machines still differ by the hidden biases, which weigh every chain alike.
    assert log_z == pytest.approx(model.log_partition(), rel=1e-9) and error < 1e-9


PATTERNS = np.float32([[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]])  # two pairs of equal units


@pytest.mark.parametrize("options", [{}, {"steps": 3}, {"chains": 200}])
def test_it_learns_patterns(options):
    model = models.RestrictedBoltzmannMachine(4, 3, rng=rng(), **options)
    x = PATTERNS[rng(1).integers(0, 4, 200)]
    before = model.log_prob(Tensor(PATTERNS), model.log_partition()).data.mean()
    training.fit(model, optim.Adam(model.parameters(), optim.falling(0.1, 0.01)), x, epochs=60, batch_size=20, rng=rng())
    after = model.log_prob(Tensor(PATTERNS), model.log_partition()).data.mean()
    assert before < -2.5 and -1.8 < after < -math.log(4) + 1e-3  # no model gives each more than a quarter


def test_chains_go_on_in_training_alone_and_are_saved():
    model = machine(chains=5, dtype=np.float32)
    before = model.chains.data.copy()
    model.loss(Tensor(PATTERNS), rng())
    assert np.array_equal(model.chains.data, before)  # evaluation
    model.train(rng())
    model.loss(Tensor(PATTERNS), rng())
    assert not np.array_equal(model.chains.data, before)
    assert "chains" in model.state_dict() and all(p is not model.chains for p in model.parameters())


@pytest.mark.parametrize("options", [{"steps": 0}, {"chains": -1}])
def test_bad_options(options):
    with pytest.raises(ValueError, match="steps must be at least 1 and chains at least 0"):
        machine(**options)
