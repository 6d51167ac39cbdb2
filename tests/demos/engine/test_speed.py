"""The demo of speed: its steps and what it makes of their times. No time is judged here."""

import importlib.util
import multiprocessing

import numpy as np
import pytest
import strict_cupy

from demos.engine import _contenders, _profile, _turns, speed
from demos.engine._contenders import BY_HAND, CASES, CLOSED, FLOOR
from demos.engine._turns import library
from tinyae import Tensor, grad, models, ops, optim
from tinyae.autodiff import PRIMITIVES

ALL = [(case, name) for case, (_, contenders) in CASES.items() for name in contenders]


def test_quick_run(run_quick, monkeypatch):
    monkeypatch.setattr(_turns, "PAUSE", 0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # PyTorch may be installed here
    metrics, names = run_quick(speed)
    assert names == {"speed.png", "metrics.json"} and metrics["claims"] == []
    measured = metrics["measured"]
    assert measured["rounds"] == 1 and measured["place"].startswith("CPU, ")
    medians = measured["medians_in_seconds"]
    assert [(case, name) for case, seconds in medians.items() for name in seconds] == [
        (case, name) for case, name in ALL if library(name) == "NumPy"]
    assert all(seconds > 0 for case in medians.values() for seconds in case.values())
    assert set(measured["ratios"]["784-400-20 VAE"]["tinyae"]) == {"the step by hand's", "the floor's"}
    assert not multiprocessing.active_children()


# --- steps ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("case, contender", [(c, name) for c, name in ALL if name.startswith("tinyae")])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_step_of_ours_changes_every_parameter(case, contender, device, monkeypatch):
    if device == "gpu":
        strict_cupy.install(monkeypatch)
    made, begin = [], optim.Adam.__init__
    monkeypatch.setattr(optim.Adam, "__init__", lambda self, *args: made.append(self) or begin(self, *args))
    batch = np.random.default_rng(0).random((3, 784), np.float32)
    step = CASES[case].contenders[contender](batch, device)
    adam, = made
    assert adam.params[0].device == device
    before = [p.numpy().copy() for p in adam.params]
    step()
    step()
    assert adam.steps == 2
    assert not any(np.array_equal(p.numpy(), b) for p, b in zip(adam.params, before))


def test_the_exact_penalty_and_its_closed_form_are_one_loss(monkeypatch):
    """They differ in time, not in what they compute."""
    seen = []
    monkeypatch.setattr(_contenders, "tinyae_step", lambda model, batch, device, rng: seen.append(model))
    for method in ("exact", "closed"):
        _contenders.tinyae_contractive(method)(None, "cpu")
    x = np.random.default_rng(0).random((2, 784), np.float32)
    losses = [model.loss(x, np.random.default_rng(0))[0].item() for model in seen]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("case, contender", [(c, name) for c, name in ALL if library(name) == "PyTorch"])
def test_a_step_of_pytorch_changes_every_parameter(case, contender, monkeypatch):
    torch = pytest.importorskip("torch")
    given, begin = [], torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda p, lr: begin(given.append(list(p)) or given[-1], lr))
    batch = np.random.default_rng(0).random((_contenders.BATCH, 784), np.float32)
    step = CASES[case].contenders[contender](batch, "cpu")
    before = [p.detach().clone() for p in given[0]]
    step()
    assert not any(torch.equal(p, b) for p, b in zip(given[0], before))


def test_both_ways_of_pytorch_give_one_jacobian():
    torch = pytest.importorskip("torch")
    encoder = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Sigmoid())
    x = torch.rand(_contenders.BATCH, 5)
    squares = [way(encoder, x)[0].square().sum().item()
               for way in (_contenders.all_by_functions, _contenders.all_by_double_backward)]
    assert squares[0] == pytest.approx(squares[1], rel=1e-4)


def test_the_step_by_hand_is_that_of_the_engine():
    x = np.random.default_rng(0).random((6, 30), np.float32)
    model = models.dense_vae((30,), 8, 3, np.random.default_rng(1))
    hand = _contenders.VaeByHand([p.data.copy() for p in model.parameters()], x, np.random.default_rng(2))
    adam, rng = optim.Adam(model.parameters(), 1e-3), np.random.default_rng(2)
    for _ in range(4):
        loss, _ = model.loss(x, rng)
        adam.step(grad(loss, adam.params))
        assert hand.step() == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(hand.flat, adam.flat, atol=2e-5)


# --- where the time goes -------------------------------------------------------------------------

def test_a_profile_tells_operations_from_their_rules(monkeypatch):
    """On a clock that moves by one whenever it is looked at, seconds can be counted."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(_profile.time, "perf_counter", lambda: next(ticks))
    x = Tensor(np.ones(3), requires_grad=True)
    before = {op: (op.body, op.rules) for op in PRIMITIVES.values()}
    parts, whole = _profile.profile(lambda: grad(ops.sum(ops.exp(x) * ops.tanh(x)), x), 2)
    assert {op: (op.body, op.rules) for op in PRIMITIVES.values()} == before
    assert parts["exp"] == parts["tanh"] == (1, 1)
    assert parts["rule of multiply"] == (2, 2)  # two rules, of one product each
    assert parts["rule of tanh"] == (1, 3)  # g * (1 - y * y)
    assert parts["add"] == (1, 1)  # of the two ways back to x: the engine's, in no rule
    assert list(parts.values()) == sorted(parts.values(), key=lambda part: -part[1])
    assert sum(seconds for _, seconds in parts.values()) == pytest.approx(whole)


def test_what_runs_inside_of_something_else_is_not_counted_twice(monkeypatch):
    ticks = iter(range(100))
    monkeypatch.setattr(_profile.time, "perf_counter", lambda: next(ticks))
    clock = _profile.Clock()
    inner = clock.timed("inner", lambda: None)
    clock.timed("outer", lambda: (inner(), inner()))()
    assert clock.seconds == {"outer": 3, "inner": 2} and clock.calls["outer"] == 1


def test_the_profile_is_told(run_quick):
    metrics, names = run_quick(speed, "--profile")
    assert names == {"metrics.json"}
    assert list(metrics["measured"]["profile"]) == list(CASES)
    for parts in metrics["measured"]["profile"].values():
        assert {_profile.UPDATE, _profile.PYTHON, "affine", "rule of affine"} <= set(parts)


def test_no_profile_on_a_gpu(a_run, monkeypatch):
    strict_cupy.install(monkeypatch)
    with pytest.raises(RuntimeError, match="does not wait for a GPU"):
        speed.main(a_run(speed, "--profile", "--device", "gpu"))


# --- what it makes of the times ------------------------------------------------------------------

def test_ratios_of_times():
    medians = {"tinyae": 3.0, CLOSED: 1.5, BY_HAND: 2.5, FLOOR: 2.0, "PyTorch, one way": 4.0,
               "PyTorch, another": 6.0}
    assert speed.ratios(medians) == {
        "tinyae": {"PyTorch's": 0.75, "the step by hand's": 1.2, "the floor's": 1.5},
        CLOSED: {"tinyae's": 0.5}}
    assert speed.ratios({"tinyae": 3.0}) == {"tinyae": {}}


@pytest.mark.parametrize("ours, doubt", [(3.0, False), (1.9, True)])
def test_a_step_below_the_floor_is_not_believed(ours, doubt):
    text = speed.told("model", {"tinyae": ours, FLOOR: 2.0}, "CPU, 2 threads")
    assert ("do not trust these" in text) == doubt
