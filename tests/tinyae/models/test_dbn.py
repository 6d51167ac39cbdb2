"""The deep belief network against sums over all of its states."""

import itertools

import numpy as np
import pytest

from tinyae import Tensor, models

V, H, TOP = 4, 3, 5
STATES = {n: np.array(list(itertools.product((0.0, 1.0), repeat=n))) for n in (V, H, TOP)}


def rng(seed=0):
    return np.random.default_rng(seed)


def machine(visible, hidden, seed=0, **options):
    model = models.RestrictedBoltzmannMachine(visible, hidden, rng=rng(), **options)
    for i, p in enumerate(model.parameters()):
        p.data = rng(seed + i).standard_normal(p.shape)
    return model


def exact(machine):
    """p(v) of every state, and p(v | h) of every pair (states of h, states of v)."""
    v, h = (Tensor(STATES[n]) for n in machine.weight.shape)
    p = np.exp(machine.log_prob(v, machine.log_partition()).data)
    on = machine.visible_given(h).mean.data
    given = np.array([[np.prod(np.where(x == 1, q, 1 - q)) for x in v.data] for q in on])
    return p, given


@pytest.fixture
def network():
    return models.DeepBeliefNetwork([machine(V, H), machine(H, TOP, 10)])


def test_samples_are_those_of_the_model(network):
    below, top = network.machines
    p = exact(top)[0] @ exact(below)[1]
    assert p.sum() == pytest.approx(1)
    n = 20_000
    v = network.sample(n, 50, rng(1)).data
    counts = np.bincount((v @ [8, 4, 2, 1]).astype(int), minlength=16) / n
    assert np.abs(counts - p).max() < 4 * np.sqrt(0.25 / n)


def test_the_bound_is_below_the_likelihood(network):
    below, top = network.machines
    log_p = np.log(exact(top)[0] @ exact(below)[1])
    draws = [network.bound(Tensor(STATES[V]), top.log_partition(), rng(seed)).data for seed in range(500)]
    bound, error = np.mean(draws, axis=0), np.std(draws, axis=0) / np.sqrt(len(draws))
    assert (bound < log_p + 4 * error).all() and (bound < log_p - 4 * error).any()
    # And it is E_q [ln p(v | h) + ln p(h) - ln q(h | v)], over all h.
    joint = np.log(exact(below)[1].T) + np.log(exact(top)[0])
    on = below.encode(Tensor(STATES[V])).data
    q = np.array([[np.prod(np.where(h == 1, p, 1 - p)) for h in STATES[H]] for p in on])
    assert np.abs((q * (joint - np.log(q))).sum(axis=1) - bound).max() < 4 * error.max()


def test_of_one_machine_all_is_that_machines():
    alone = machine(V, H)
    network, v, log_z = models.DeepBeliefNetwork([alone]), Tensor(STATES[V]), alone.log_partition()
    assert np.array_equal(network.bound(v, log_z, rng()).data, alone.log_prob(v, log_z).data)
    assert np.array_equal(network.encode(v).data, alone.encode(v).data)
    assert network.sample(7, 2, rng()).shape == (7, V)


@pytest.mark.parametrize("options", [{}, {"steps": 3, "chains": 6}])
def test_the_machine_upside_down_changes_nothing(options):
    below = machine(V, H, **options)
    top = below.upside_down(rng())
    assert (top.steps, top.chains.shape) == (below.steps, (len(below.chains), H))
    assert np.allclose(exact(top)[0] @ exact(below)[1], exact(below)[0])
    network, v = models.DeepBeliefNetwork([below, top]), Tensor(STATES[V])
    for seed in range(5):  # the bound is ln p(v) itself, whatever is drawn
        assert np.allclose(network.bound(v, top.log_partition(), rng(seed)).data, np.log(exact(below)[0]))
    assert np.isin(top.chains.data, (0, 1)).all()
    top.weight.data += 1  # a copy
    assert np.array_equal(below.weight.data, machine(V, H).weight.data)


def test_three_machines():
    network = models.DeepBeliefNetwork([machine(V, H), machine(H, TOP, 10), machine(TOP, 2, 20)])
    v = Tensor(STATES[V])
    codes = [m.encode for m in network.machines]
    assert np.array_equal(network.encode(v).data, codes[2](codes[1](codes[0](v))).data)
    assert network.encode(v).shape == (16, 2) and network.sample(3, 1, rng()).shape == (3, V)
    assert network.bound(v, network.machines[2].log_partition(), rng()).shape == (16,)
    assert len(network.parameters()) == 9


def test_machines_that_do_not_fit():
    with pytest.raises(ValueError, match="machine 2 has 5 hidden units, but the one above it 3 visible"):
        models.DeepBeliefNetwork([machine(V, H), machine(H, TOP), machine(H, TOP)])
    with pytest.raises(ValueError, match="at least one machine"):
        models.DeepBeliefNetwork([])
