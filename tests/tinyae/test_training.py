"""`fit`: its history, resumption to the bit, interruption at any moment, and readable failures."""

import functools
import io
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tinyae import Tensor, checkpoint, distributions, grad, losses, models, nn, ops, optim, progress
from tinyae.training import Interrupted, evaluate, fit

TRAIN = np.random.default_rng(0).random((23, 6), dtype=np.float32)
HELD_OUT = np.random.default_rng(1).random((7, 6), dtype=np.float32)


def setup(seed=2, hidden=8, method=optim.Adam, generator=np.random.default_rng, **options):
    rng = generator(seed)
    model = models.dense_vae((6,), hidden, 2, np.random.default_rng(seed), **options)
    return model, method(model.parameters(), 0.01), rng


def train(run, epochs=3, examples=TRAIN, **options):
    model, optimizer, rng = run
    options = {"held_out": HELD_OUT, "batch_size": 5, "stream": io.StringIO(), **options}
    return fit(model, optimizer, examples, epochs=epochs, rng=rng, **options)


def state(run):
    """Everything that a run is made of, as bytes."""
    model, optimizer, rng = run
    arrays = {**model.state_dict(), **{f"optimizer {k}": v for k, v in optimizer.state_dict().items()}}
    return {k: v.tobytes() for k, v in arrays.items()}, repr(rng.bit_generator.state)


class Duel(nn.Module):
    """Two players on numbers: a generator scales and shifts noise, a discriminator tells it from data."""

    def __init__(self, at_call=lambda model, loss: None):
        rng = np.random.default_rng(3)
        self.made, self.told = nn.Dense(1, 1, rng=rng), nn.Sequential(nn.Dense(1, 8, rng=rng), ops.tanh,
                                                                    nn.Dense(8, 1, rng=rng))
        self.at_call, self.calls = at_call, 0

    def draw(self, x, rng):
        return self.made(Tensor(rng.standard_normal(x.shape, dtype=x.dtype)))

    def discriminator_loss(self, x, rng):
        real = ops.mean(ops.softplus(-self.told(x)))
        fake = ops.mean(ops.softplus(self.told(self.draw(x, rng).detach())))
        return real + fake, {"real": real, "fake": fake}

    def generator_loss(self, x, rng):
        self.calls += 1
        loss = ops.mean(ops.softplus(-self.told(self.draw(x, rng))))
        changed = self.at_call(self, loss)
        return (loss if changed is None else changed), {}


NUMBERS = np.random.default_rng(7).normal(3.0, 0.5, (40, 1)).astype(np.float32)


def duel(at_call=lambda model, loss: None, lr=0.03, order=("discriminator", "generator"), seed=5):
    model = Duel(at_call)
    parameters = {"discriminator": model.told.parameters(), "generator": model.made.parameters()}
    optimizers = {name: optim.Adam(parameters[name], lr, (0.5, 0.9)) for name in order}
    return model, optimizers, np.random.default_rng(seed)


def play(run, epochs=3, **options):
    return train(run, epochs, NUMBERS, **{"held_out": NUMBERS[:7], "batch_size": 9, **options})


def duel_state(run):
    model, optimizers, rng = run
    return [state((model, optimizer, rng)) for optimizer in optimizers.values()]


def timeless(history):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history]


class Linear(nn.Module):
    """No randomness: the squared error of a linear map, with something done at every call."""

    def __init__(self, at_call=lambda model, x: None):
        self.layer = nn.Dense(6, 6, rng=np.random.default_rng(3))
        self.at_call, self.calls = at_call, 0

    def loss(self, x, rng):
        self.calls += 1
        loss = losses.mse(self.layer(x), x)
        changed = self.at_call(self, x)
        loss = loss if changed is None else loss + changed
        return loss, {"error": loss * 0.5}


def linear(at_call=lambda model, x: None, lr=0.01):
    model = Linear(at_call)
    return model, optim.SGD(model.parameters(), lr, 0.9), np.random.default_rng(4)


# --- the history ---------------------------------------------------------------------------------

def test_history():
    history = train(setup())
    assert [record["epoch"] for record in history] == [1, 2, 3]
    for record in history:
        assert set(record) == {"epoch", "seconds", "train", "held_out"}
        assert record["seconds"] > 0
        for terms in (record["train"], record["held_out"]):
            assert set(terms) == {"loss", "reconstruction", "kl"}
            assert all(type(value) is float for value in terms.values())
            assert terms["loss"] == pytest.approx(terms["reconstruction"] + terms["kl"], rel=1e-5)
    assert "held_out" not in train(setup(), held_out=None)[0]
    assert train(setup(), epochs=0) == []


def test_training_lowers_the_loss():
    history = train(linear(), epochs=30)
    assert history[-1]["train"]["loss"] < 0.3 * history[0]["train"]["loss"]
    assert history[-1]["held_out"]["loss"] < history[0]["held_out"]["loss"]


@pytest.mark.parametrize("batch_size", [1, 3, 7, 23, 100])
def test_averages_are_over_examples(batch_size):
    """Also where the last batch is smaller: 23 = 7 · 3 + 2."""
    run = linear(lr=0)
    record, = train(run, 1, batch_size=batch_size)
    assert run[0].calls == -(-23 // batch_size) + 1
    for name, examples in (("train", TRAIN), ("held_out", HELD_OUT)):
        expected = losses.mse(run[0].layer(Tensor(examples)), Tensor(examples)).item()
        assert record[name]["loss"] == pytest.approx(expected, rel=1e-5)
        assert record[name]["error"] == pytest.approx(expected / 2, rel=1e-5)


def test_evaluate():
    model, _, rng = linear()
    whole = evaluate(model, TRAIN, rng, batch_size=23)
    for batch_size in (1, 4, 22, 500):
        assert evaluate(model, TRAIN, rng, batch_size=batch_size) == pytest.approx(whole, rel=1e-5)
    seen = []
    model.at_call = lambda model, x: seen.append(model.layer(x).node)
    evaluate(model, TRAIN, rng)
    assert seen == [None]  # nothing is recorded


def test_each_epoch_sees_every_example_once_in_a_new_order():
    seen = []
    train(linear(lambda model, x: seen.extend(x.data[:, 0].tolist())), epochs=2, held_out=None)
    first, second = seen[:23], seen[23:]
    assert sorted(first) == sorted(second) == sorted(TRAIN[:, 0].tolist())
    assert first != second and first != TRAIN[:, 0].tolist()


def test_a_seed_gives_the_same_bits():
    one, same, other = setup(), setup(), setup(seed=5)
    assert timeless(train(one)) == timeless(train(same))
    train(other)
    assert state(one) == state(same) != state(other)


def test_noise_comes_from_the_seed():
    def draws(seed):
        model, optimizer, _ = linear()
        loss, drawn = model.loss, []
        model.loss = lambda x, rng: (drawn.append(rng.random()), loss(x, rng))[1]
        train((model, optimizer, np.random.default_rng(seed)), 2, held_out=None)
        return drawn

    first, other = draws(0), draws(1)
    assert first == draws(0)
    assert len({*first, *other}) == 2 * 2 * 5  # new in each batch, epoch and run


def test_a_step_is_the_loop_of_the_docstring():
    """A run by `fit` and one by hand have the same bits, where the order is made the same."""
    run, by_hand = setup(), setup()
    train(run, 2, held_out=None)
    model, adam, rng = by_hand
    rng.integers(2**32)
    for _ in range(2):
        order, noise = rng.permutation(23), np.random.default_rng(int(rng.integers(2**32)))
        for start in range(0, 23, 5):
            loss, _ = model.loss(Tensor(TRAIN[order[start : start + 5]]), noise)
            adam.step(grad(loss, adam.params))
    assert state(by_hand) == state(run)


class Labelled(nn.Module):
    """A classifier of three classes, which remembers what it was given."""

    def __init__(self):
        self.layer, self.seen = nn.Dense(6, 3, rng=np.random.default_rng(0)), []

    def loss(self, x, labels, weights, rng):
        self.seen.append((x.numpy().copy(), labels.numpy().copy(), weights.dtype))
        scores = self.layer(x)
        at = ops.sum(scores * np.eye(3, dtype=np.float32)[labels.numpy()], axis=1)
        return ops.mean(ops.logsumexp(scores, axis=1) - at), {}


def test_arrays_that_share_their_first_axis():
    labels, weights = (3 * TRAIN[:, 0]).astype(int), np.ones((23, 2), bool)
    model = Labelled()
    history = train((model, optim.Adam(model.parameters(), 0.1), np.random.default_rng(0)), 20,
                    (TRAIN, labels, weights), held_out=(TRAIN[:4], labels[:4], weights[:4]))
    assert history[-1]["train"]["loss"] < 0.6 * history[0]["train"]["loss"]
    of = {row.tobytes(): label for row, label in zip(TRAIN, labels)}
    for x, y, dtype in model.seen:
        assert y.dtype == labels.dtype and dtype == bool
        assert [of[row.tobytes()] for row in x] == y.tolist()
    before = model.layer.weight.numpy().copy()
    found = evaluate(model, (TRAIN, labels, weights), None)
    assert found["loss"] < history[0]["train"]["loss"] and np.array_equal(before, model.layer.weight.numpy())


def test_a_file_mapped_into_memory_is_read_by_batches(tmp_path):
    rows = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (4096, 2048))  # 32 MB
    rows[:, 0] = 1

    class Mean(nn.Module):
        def __init__(self):
            self.scale = Tensor(np.ones((), np.float32), requires_grad=True)

        def loss(self, x, rng):
            assert type(x.data) is np.ndarray
            return ops.sum(x[:, 0]) * self.scale / len(x), {}

    model = Mean()
    run = model, optim.SGD(model.parameters(), 0.0), np.random.default_rng(0)
    tracemalloc.start()
    try:
        history = train(run, 1, rows, held_out=rows[:500], batch_size=64)
        assert tracemalloc.get_traced_memory()[1] < rows.nbytes / 4
    finally:
        tracemalloc.stop()
    assert history[0]["train"] == history[0]["held_out"] == {"loss": 1.0}


def test_the_rate_follows_its_schedule():
    asked = []
    run = linear(lr=lambda t: (asked.append(t), 0.01 * (1 - t))[1])
    train(run, 3, held_out=None)
    assert sorted(set(asked)) == pytest.approx(np.arange(15) / 15)
    assert run[1].progress == asked[-1] == pytest.approx(14 / 15)


# --- several players -----------------------------------------------------------------------------

def test_players_are_updated_in_turn():
    run, by_hand = duel(), duel()
    history = play(run, 2)
    model, optimizers, rng = by_hand
    rng.integers(2**32)
    for record in history:
        order, noise = rng.permutation(40), np.random.default_rng(int(rng.integers(2**32)))
        sums = {"discriminator": 0.0, "real": 0.0, "fake": 0.0, "generator": 0.0}
        for start in range(0, 40, 9):
            x = Tensor(NUMBERS[order[start : start + 9]])
            for name, optimizer in optimizers.items():
                loss, terms = getattr(model, f"{name}_loss")(x, noise)
                for key, t in {name: loss, **terms}.items():
                    sums[key] += t.item() * len(x)
                optimizer.step(grad(loss, optimizer.params))
        assert record["train"] == pytest.approx({key: total / 40 for key, total in sums.items()})
        assert set(record["held_out"]) == set(sums)
    assert duel_state(by_hand) == duel_state(run)


def test_players_learn():
    run = duel()
    play(run, 120, held_out=None)
    drawn = run[0].draw(Tensor(np.zeros((1000, 1), np.float32)), np.random.default_rng(0)).numpy()
    assert abs(drawn.mean() - 3) < 1 < abs(Duel().draw(Tensor(np.zeros((1000, 1), np.float32)),
                                                       np.random.default_rng(0)).numpy().mean() - 3)


def test_a_duel_resumed_to_the_bit(tmp_path):
    straight, stopped, resumed = duel(), duel(), duel(seed=9)
    full = play(straight, 4)
    play(stopped, 2, checkpoint=tmp_path / "c")
    assert {"optimizer of discriminator/moment", "optimizer of generator/steps"} < set(
        checkpoint.load(tmp_path / "c")[0])
    assert timeless(play(resumed, 4, checkpoint=tmp_path / "c", resume=True)) == timeless(full)
    assert duel_state(resumed) == duel_state(straight)


@pytest.mark.parametrize("change, message", [
    (lambda run: (run[0], {"generator": run[1]["generator"]}, run[2]),
     "optimizer of discriminator is 'Adam' there"),
    (lambda run: (run[0], {**run[1], "generator": optim.SGD(run[0].made.parameters(), 0.1)}, run[2]),
     "optimizer of generator is 'Adam' there and 'SGD' here"),
    (lambda run: duel(order=("generator", "discriminator")),
     "players is .*disc.*gen.* there and .*gen.*disc.* here"),
], ids=["one missing", "another method", "another order"])
def test_a_checkpoint_of_other_players(tmp_path, change, message):
    play(duel(), 1, checkpoint=tmp_path / "c")
    run = change(duel(seed=9))
    before = duel_state(run)
    with pytest.raises(ValueError, match=message):
        play(run, 2, checkpoint=tmp_path / "c", resume=True)
    assert duel_state(run) == before


def test_a_duel_interrupted(tmp_path, handler):
    def press(model, loss):
        if model.calls == 8:
            signal.raise_signal(signal.SIGINT)

    run = duel(press)
    with pytest.raises(Interrupted, match=r"stopped in epoch 2 after step 3; .*c holds epoch 1: resume"):
        play(run, held_out=None, checkpoint=tmp_path / "c")
    assert [optimizer.steps for optimizer in run[1].values()] == [8, 8]
    resumed, straight = duel(), duel()
    play(resumed, held_out=None, checkpoint=tmp_path / "c", resume=True)
    play(straight, held_out=None)
    assert duel_state(resumed) == duel_state(straight)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("spoil, message", [
    (lambda loss: ops.log(loss * 0),
     r"the generator_loss became -inf in epoch 2, step 3; the first .* log\(\(\)\)"),
    (lambda loss: loss + ops.sqrt(loss * 0),
     "the gradient of made.weight stopped being finite in epoch 2, step 3; "),
    (lambda loss: loss * 1e30,
     "the gradient of made.weight became too large in epoch 2, step 3: .* too large for Adam"),
], ids=["loss", "gradient", "too large"])
def test_the_player_whose_loss_breaks_is_named(spoil, message):
    run = duel(lambda model, loss: spoil(loss) if model.calls == 8 else None)
    with pytest.raises(FloatingPointError, match=message):
        play(run, held_out=None)
    assert [optimizer.steps for optimizer in run[1].values()] == [8, 7]
    assert all(np.isfinite(p.data).all() for p in run[0].parameters())


def test_evaluate_of_players():
    model, _, rng = duel()
    found = evaluate(model, NUMBERS, rng, players=("discriminator", "generator"))
    assert set(found) == {"discriminator", "real", "fake", "generator"}
    assert list(evaluate(model, NUMBERS, rng, players=["generator"])) == ["generator"]


def test_progress_of_players():
    stream = Terminal()
    play(duel(), 2, stream=stream)
    number = r"[\d.]+"
    drawn = stream.getvalue().split("\r\033[K")
    assert re.fullmatch(rf"epoch 2/2 █+ discriminator {number}, generator {number}, 0:00 left", drawn[-2])
    terms = rf"discriminator {number}, real {number}, fake {number}, generator {number}"
    assert re.fullmatch(rf"epoch 2/2: train {terms}; held-out {terms}; {number} s\n", drawn[-1])


@pytest.mark.parametrize("make, error, message", [
    (lambda m: {}, TypeError, "optimizer must be an optimiser .* or a dict"),
    (lambda m: [optim.Adam(m.parameters())], TypeError, "optimizer must be an optimiser"),
    (lambda m: m.parameters(), TypeError, "optimizer must be an optimiser"),
    (lambda m: {"critic": optim.Adam(m.parameters())}, TypeError,
     r"Duel needs a method critic_loss\(x, rng\)"),
    (lambda m: NUMBERS, TypeError, r"one for each player by its name, not float32 of shape \(40, 1\)$"),
    (lambda m: {"loss": optim.Adam(m.parameters())}, ValueError, 'a player cannot be called "loss"'),
    (lambda m: optim.Adam(m.parameters()), TypeError, r"Duel needs a method loss\(x, rng\)"),
    (lambda m: {name: optim.Adam(m.parameters()) for name in ("discriminator", "generator")}, RuntimeError,
     "has been given a new array"),
    (lambda m: {"discriminator": optim.Adam(m.told.parameters()),
                "generator": optim.Adam([Tensor(np.ones(2), requires_grad=True)])}, ValueError,
     "the players must share one precision and device, not float32 on the cpu, float64 on the cpu"),
])
def test_bad_players(make, error, message):
    model, _, rng = duel()
    with pytest.raises(error, match=message):
        play((model, make(model), rng))


@pytest.mark.parametrize("terms, message", [
    ({"discriminator"}, "discriminator and generator both have a term 'discriminator'"),
    ({"real"}, "discriminator and generator both have a term 'real'"),
    ({"generator"}, "a term of the generator is called 'generator' too"),
])
def test_names_of_terms_are_not_taken_twice(terms, message):
    model, optimizers, rng = duel()
    loss = model.generator_loss
    model.generator_loss = lambda x, rng: (loss(x, rng)[0], {name: loss(x, rng)[0] for name in terms})
    with pytest.raises(ValueError, match=message):
        play((model, optimizers, rng))


def test_held_out_noise_is_the_same_each_time():
    model, _, rng = setup()
    first, second = train((model, optim.SGD(model.parameters(), 0), rng), 2)
    assert first["held_out"] == second["held_out"]
    assert first["train"] != second["train"]


def test_outside_the_main_thread():
    here, there = setup(), setup()
    train(here)
    thread = threading.Thread(target=train, args=(there,))
    thread.start()
    thread.join(30)
    assert state(here) == state(there)


# --- resuming ------------------------------------------------------------------------------------

GENERATORS = {name: lambda seed, name=name: np.random.Generator(getattr(np.random, name)(seed))
              for name in ("PCG64", "MT19937", "Philox", "SFC64")}


@pytest.mark.parametrize("stop, method, generator", [
    (1, optim.Adam, "PCG64"), (2, optim.SGD, "PCG64"), (4, optim.Adam, "PCG64"),
    (2, optim.Adam, "MT19937"), (2, optim.Adam, "Philox"), (2, optim.Adam, "SFC64")])
def test_resumed_to_the_bit(tmp_path, stop, method, generator):
    options = {"method": method, "generator": GENERATORS[generator]}
    straight, stopped, resumed = setup(**options), setup(**options), setup(seed=9, **options)
    settings = {"lr": 0.01, "shape": [6]}
    full = train(straight, 4, settings=settings)
    train(stopped, stop, checkpoint=tmp_path / "c.npz", settings=settings)
    history = train(resumed, 4, checkpoint=tmp_path / "c.npz", resume=True, settings=settings)
    assert timeless(history) == timeless(full)
    assert state(resumed) == state(straight)


@pytest.mark.parametrize("settings", [
    {"shape": (28, 28, 1)}, {"lr": np.float32(0.1)}, {"sizes": np.arange(2)}, {"nothing": None},
    {1: "one"}], ids=["tuple", "NumPy number", "array", "None", "number as key"])
def test_settings_of_any_kind(tmp_path, settings):
    for epochs, resume in ((1, False), (2, True)):
        history = train(setup(), epochs, settings=settings, checkpoint=tmp_path / "c", resume=resume)
    assert len(history) == 2


def test_resuming_what_is_done(tmp_path):
    done, again = setup(), setup(seed=9)
    history = train(done, 2, checkpoint=tmp_path / "c")
    before = (tmp_path / "c").read_bytes()
    assert train(again, 2, checkpoint=tmp_path / "c", resume=True) == history
    assert state(again) == state(done)
    assert (tmp_path / "c").read_bytes() == before


def test_resuming_a_longer_run(tmp_path):
    train(setup(), 3, checkpoint=tmp_path / "c")
    run = setup(seed=9)
    before = state(run)
    with pytest.raises(ValueError, match="c: it holds 3 epochs already, more than the 2 asked for"):
        train(run, 2, checkpoint=tmp_path / "c", resume=True)
    assert state(run) == before


def test_resuming_with_a_schedule(tmp_path):
    """It must end when it was meant to; a number for a rate leaves the end open."""
    def scheduled(seed=2):
        model, _, rng = setup(seed)
        return model, optim.Adam(model.parameters(), optim.one_cycle(0.02)), rng

    straight, stopped, resumed = scheduled(), scheduled(), scheduled(9)
    full = train(straight, 4)
    stopped[0].loss = lambda x, rng, loss=stopped[0].loss: (
        signal.raise_signal(signal.SIGINT) if stopped[1].steps == 12 else None, loss(x, rng))[1]
    with pytest.raises(Interrupted):
        train(stopped, 4, checkpoint=tmp_path / "c")
    with pytest.raises(ValueError, match="c: it belongs to another run: epochs is 4 there and 5 here"):
        train(scheduled(), 5, checkpoint=tmp_path / "c", resume=True)
    assert timeless(train(resumed, 4, checkpoint=tmp_path / "c", resume=True)) == timeless(full)
    assert state(resumed) == state(straight)


OTHERS = {  # what differs: the run's arguments, fit's options, words in the message
    "settings": ({}, {"settings": {"beta": 4.0}}, "beta is 1.0 there and 4.0 here"),
    "a setting more": ({}, {"settings": {"beta": 1.0, "depth": 2}}, "depth is None there and 2 here"),
    "a setting less": ({}, {"settings": {}}, "beta is 1.0 there and None here"),
    "batch size": ({}, {"batch_size": 6}, "batch_size is 5 there and 6 here"),
    "examples": ({}, {"examples": TRAIN[:20]}, "examples is 23 there and 20 here"),
    "optimiser": ({"method": optim.SGD}, {}, "optimizer is 'Adam' there and 'SGD' here"),
    "model": ({"hidden": 9}, {}, r"encoder.layers.1.weight is float32 of shape \(6, 8\)"),
    "generator": ({"generator": GENERATORS["MT19937"]}, {}, "MT19937"),
}


@pytest.mark.parametrize("kept", ["model and optimiser", "generator"])
@pytest.mark.parametrize("arguments, options, message", OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_of_another_run(tmp_path, arguments, options, message, kept):
    train(setup(), 1, checkpoint=tmp_path / "c", settings={"beta": 1.0})
    run = setup(**arguments)
    before, file = state(run), (tmp_path / "c").read_bytes()
    with pytest.raises(ValueError, match=message):
        train(run, 2, **{"settings": {"beta": 1.0}, **options}, checkpoint=tmp_path / "c", resume=True)
    part = kept == "generator"
    assert state(run)[part] == before[part]
    assert (tmp_path / "c").read_bytes() == file


@pytest.mark.parametrize("name", ["optimizer/moment", "model/encoder.layers.1.bias"])
@pytest.mark.parametrize("spoil", [lambda a: a[..., :-1], None], ids=["short", "absent"])
def test_a_checkpoint_with_wrong_arrays(tmp_path, name, spoil):
    train(setup(), 1, checkpoint=tmp_path / "c")
    arrays, meta = checkpoint.load(tmp_path / "c")
    array = arrays.pop(name)
    checkpoint.save(tmp_path / "c", {**arrays, name: spoil(array)} if spoil else arrays, meta)
    run = setup(seed=9)
    before = state(run)[0]
    with pytest.raises(ValueError, match="does not fit"):
        train(run, 2, checkpoint=tmp_path / "c", resume=True)
    assert state(run)[0] == before


def in_meta(**entries):
    return lambda arrays, meta: (arrays, {**meta, **entries})


def in_rng(change, **entries):
    return lambda arrays, meta: (arrays, {**meta, "rng": change({**meta["rng"], **entries})})


def in_record(change):
    def apply(arrays, meta):
        change(meta["history"][1])
        return arrays, meta
    return apply


def with_array(name, change):
    return lambda arrays, meta: ({**arrays, name: change(arrays[name].copy())}, meta)


def poked(value):
    def poke(array):
        array.reshape(-1)[-1] = value
        return array
    return poke


def without(name):
    return lambda arrays, meta: ({k: v for k, v in arrays.items() if k != name},
                                 {k: v for k, v in meta.items() if k != name})


WEIGHT = "model/encoder.layers.1.weight"
DAMAGED = {  # how arrays and meta are changed, and the entry that the refusal names
    **{f"no {name}": (without(name), name) for name in (
        "settings", "evaluation_seed", "kinds", "rng", WEIGHT, "optimizer/steps", "optimizer/moment")},
    **{f"{name} is {value!r}": (in_meta(**{name: value}), name) for name in (
        "settings", "evaluation_seed", "kinds", "rng", "history") for value in (None, 1.5, "text", [], True)},
    "an entry more": (in_meta(extra=1), "extra"),
    "seed below": (in_meta(evaluation_seed=-1), "evaluation_seed"),
    "seed above": (in_meta(evaluation_seed=2**32), "evaluation_seed"),
    "rng empty": (in_meta(rng={}), "rng"),
    "unknown generator": (in_rng(dict, bit_generator="Dice"), "rng"),
    "other generator": (in_rng(dict, bit_generator="MT19937"), "rng"),
    "rng without state": (in_rng(lambda rng: {k: v for k, v in rng.items() if k != "state"}), "rng"),
    "rng of text": (in_rng(dict, state="abc"), "rng"),
    "rng of a fraction": (in_rng(dict, state={"state": 0.5, "inc": 1}), "rng"),
    "rng negative": (in_rng(dict, state={"state": -1, "inc": 1}), "rng"),
    "rng too large": (in_rng(dict, state={"state": 2**128, "inc": 1}), "rng"),
    "rng with more": (in_rng(dict, more=1), "rng"),
    "history is a dict": (in_meta(history={"epoch": 1}), "history"),
    "history too short": (lambda arrays, meta: (arrays, {**meta, "history": meta["history"][1:]}),
     r"history\[0\]"),
    "history doubled": (lambda arrays, meta: (arrays, {**meta, "history": meta["history"] * 2}),
     r"history\[2\]"),
    "history of numbers": (in_meta(history=[1, 2]), r"history\[0\]"),
    "record without train": (in_record(lambda r: r.pop("train")), r"history\[1\]"),
    "record without seconds": (in_record(lambda r: r.pop("seconds")), r"history\[1\]"),
    "record without loss": (in_record(lambda r: r["train"].pop("loss")), r"history\[1\]"),
    "record of text": (in_record(lambda r: r["held_out"].update(kl="1.0")), r"history\[1\]"),
    "record of another epoch": (in_record(lambda r: r.update(epoch=3)), r"history\[1\]"),
    "record with more": (in_record(lambda r: r.update(more=3)), r"history\[1\]"),
    **{f"steps {n}": (with_array("optimizer/steps", poked(n)), "optimizer/steps")
       for n in (-1, -5, 0, 9, 2**62)},
    "steps of another type": (with_array("optimizer/steps", lambda a: a.astype(float)), "optimizer/steps"),
    **{f"{value} in {name}": (with_array(name, poked(value)), name)
       for name in (WEIGHT, "optimizer/moment") for value in (np.nan, np.inf)},
    "an array of another type": (with_array(WEIGHT, lambda a: a.astype(np.float64)), WEIGHT),
    "an array turned": (with_array(WEIGHT, np.transpose), WEIGHT),
    "an array more": (lambda arrays, meta: ({**arrays, "model/extra": np.zeros(2)}, meta), "model/extra"),
}


@pytest.mark.parametrize("change, entry", DAMAGED.values(), ids=DAMAGED)
def test_resuming_is_all_or_nothing(tmp_path, change, entry):
    """Every refusal is a ValueError that names the file and the entry, and nothing has changed."""
    path = tmp_path / "c.npz"
    train(setup(), 2, checkpoint=path, settings={"beta": 1.0})
    checkpoint.save(path, *change(*checkpoint.load(path)))
    run, file = setup(seed=9), path.read_bytes()
    before = state(run)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}: .*{entry}"):
        train(run, 4, checkpoint=path, resume=True, settings={"beta": 1.0})
    assert state(run) == before and path.read_bytes() == file


@pytest.mark.parametrize("name, change", [
    ("MT19937", lambda rng: rng["state"].update(pos=10**6)),
    ("MT19937", lambda rng: rng["state"].update(pos=-1)),
    ("MT19937", lambda rng: rng["state"]["key"].pop()), ("Philox", lambda rng: rng.update(buffer_pos=10**6)),
    ("Philox", lambda rng: rng["buffer"].pop()), ("SFC64", lambda rng: rng["state"].update(state=[1]))])
def test_the_state_of_each_generator_is_checked(tmp_path, name, change):
    """Some of them would read beyond their memory later on."""
    train(setup(generator=GENERATORS[name]), 1, checkpoint=tmp_path / "c")
    arrays, meta = checkpoint.load(tmp_path / "c")
    change(meta["rng"])
    checkpoint.save(tmp_path / "c", arrays, meta)
    run = setup(seed=9, generator=GENERATORS[name])
    before = state(run)
    with pytest.raises(ValueError, match=f"c: rng is no state of {name}"):
        train(run, 2, checkpoint=tmp_path / "c", resume=True)
    assert state(run) == before


def test_arrays_too_large_are_refused_unread(tmp_path):
    """What the run needs is known from its headers: 32 MB are not read to find that they do not fit."""
    train(setup(), 1, checkpoint=tmp_path / "c")
    arrays, meta = checkpoint.load(tmp_path / "c")
    checkpoint.save(tmp_path / "c", {**arrays, WEIGHT: np.zeros((1 << 11, 1 << 11))}, meta)
    del arrays
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"is float64 of shape \(2048, 2048\), the run's is float32"):
            train(setup(), 2, checkpoint=tmp_path / "c", resume=True)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_failure_while_loading_takes_all_of_it_back(tmp_path, monkeypatch):
    play(duel(), 1, checkpoint=tmp_path / "c")
    run = duel(seed=9)
    before = duel_state(run)

    def fail(state):
        raise MemoryError("the GPU is full")

    monkeypatch.setattr(run[1]["generator"], "load_state_dict", fail)
    with pytest.raises(MemoryError):
        play(run, 2, checkpoint=tmp_path / "c", resume=True)
    assert duel_state(run) == before


@pytest.mark.parametrize("meta", [None, {}, [1], {"format": 1}])
def test_a_checkpoint_of_something_else(tmp_path, meta):
    checkpoint.save(tmp_path / "c", {"w": np.zeros(2)}, meta)
    with pytest.raises(ValueError, match="it is a checkpoint, but not of a training run"):
        train(setup(), checkpoint=tmp_path / "c", resume=True)


def test_a_checkpoint_is_not_overwritten(tmp_path):
    history = train(setup(), 2, checkpoint=tmp_path / "c")
    run, file = setup(), (tmp_path / "c").read_bytes()
    before = state(run)
    with pytest.raises(FileExistsError, match="c is there already: resume=True goes on from it"):
        train(run, 3, checkpoint=tmp_path / "c")
    assert state(run) == before and (tmp_path / "c").read_bytes() == file
    (tmp_path / "c").unlink()
    assert timeless(train(run, 2, checkpoint=tmp_path / "c")) == timeless(history)


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        train(setup(), checkpoint=tmp_path / "c", resume=True)


# --- killed and interrupted ----------------------------------------------------------------------

SCRIPT = """
import os, sys, time
import numpy as np
from tinyae import models, optim
from tinyae.training import Interrupted, fit

path, epochs, slow = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sync = os.fsync
if slow == "write":
    def slowly(number):
        print("writing", flush=True)
        time.sleep(0.03)
        sync(number)
    os.fsync = slowly
rng = np.random.default_rng(0)
model = models.dense_vae((6,), 8, 2, rng)
if slow == "step":
    loss = model.loss
    model.loss = lambda x, rng: (time.sleep(0.01), loss(x, rng))[1]
try:
    fit(model, optim.Adam(model.parameters()), rng.random((40, 6), dtype=np.float32), batch_size=7,
        epochs=epochs, rng=rng, checkpoint=path, resume=os.path.exists(path), stream=sys.stdout)
except Interrupted as stop:
    print("interrupted:", stop)
    sys.exit(130)
"""
ROOT = Path(__file__).parents[2]


def start(*args):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1",
           "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *map(str, args)], env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")


def follow(process, word, count):
    """Read the process's lines up to the count-th with the word; what is then on disk is in mid-work."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        count -= word in line
        if not count:
            break
    return "".join(lines)


def contents(path):
    arrays, meta = checkpoint.load(path)
    return {k: v.tobytes() for k, v in arrays.items()}, {**meta, "history": timeless(meta["history"])}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_again_and_again(tmp_path):
    straight, killed = tmp_path / "straight.npz", tmp_path / "killed.npz"
    epochs, dice, kills, last = 40, random.Random(0), 0, 0
    reference = start(straight, epochs, "no")
    # Killed while a checkpoint is half written, while the first is, and at any moment.
    for slow, word, count in (("write", "writing", 1), ("write", "writing", 4), ("step", "epoch", 2),
                              ("step", "epoch", 1), ("write", "epoch", 2)):
        process = start(killed, epochs, slow)
        follow(process, word, count)
        time.sleep(dice.random() * 0.06)
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if killed.exists():
            done = len(contents(killed)[1]["history"])
            assert done >= last
            last = done
    assert kills >= 4 and 4 <= last < epochs
    process = start(killed, epochs, "no")
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert f"epoch {last + 1}/{epochs}" in output.splitlines()[0]  # it went on and did not start afresh
    assert reference.wait(60) == 0
    reference.stdout.close()
    assert contents(killed) == contents(straight)
    names = [name for name in os.listdir(tmp_path) if not re.fullmatch(r"\.killed\.npz\.\w+\.partial", name)]
    assert sorted(names) == ["killed.npz", "straight.npz"]


@pytest.mark.skipif(os.name != "posix", reason="signals between processes")
def test_interrupted_from_outside(tmp_path):
    path = tmp_path / "c.npz"
    process = start(path, 1000, "step")
    follow(process, "epoch", 2)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 130, output
    epoch, kept = re.search(r"interrupted: stopped \D+ (\d+).*; .*c\.npz holds epoch (\d+): resume",
                            output).groups()
    assert int(kept) == len(checkpoint.load(path)[1]["history"]) >= 2
    assert int(epoch) - int(kept) in (0, 1)


def interrupting(at, times=1):
    """A run whose model presses Ctrl-C in its at-th batch."""
    def press(model, x):
        if model.calls == at:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
    return linear(press)


@pytest.fixture
def handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("at, where, advice", [
    (3, "stopped in epoch 1 after step 3",
     "no epoch of this run was complete, so it has written no checkpoint: start"),
    (8, "stopped in epoch 2 after step 3", r"c holds epoch 1: resume=True goes on from there"),
    (10, "stopped in epoch 2 after step 5", "c holds epoch 1"),
])
@pytest.mark.parametrize("saved", [True, False])
def test_interrupted(tmp_path, handler, at, where, advice, saved):
    run = interrupting(at)
    advice = advice if saved else "no checkpoint was asked for, so the run cannot be resumed"
    with pytest.raises(Interrupted, match=f"{where}; .*{advice}"):
        train(run, held_out=None, checkpoint=tmp_path / "c" if saved else None)
    assert run[0].calls == run[1].steps == at  # the batch was finished
    assert signal.getsignal(signal.SIGINT) is handler
    assert (tmp_path / "c").exists() == (saved and at > 5)
    if (tmp_path / "c").exists():
        resumed, straight = linear(), linear()
        history = train(resumed, held_out=None, checkpoint=tmp_path / "c", resume=True)
        assert timeless(history) == timeless(train(straight, held_out=None))
        assert state(resumed) == state(straight)


def test_interrupted_in_the_evaluation(tmp_path, handler):
    with pytest.raises(Interrupted, match="stopped after epoch 1; .* holds epoch 1"):
        train(interrupting(6), checkpoint=tmp_path / "c")
    assert len(checkpoint.load(tmp_path / "c")[1]["history"]) == 1


def test_interrupted_twice_breaks_off(handler):
    run = interrupting(3, times=2)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(run)
    assert not isinstance(caught.value, Interrupted)
    assert run[1].steps == 2 and signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("end", ["done", "error"])
def test_the_handler_is_restored(handler, end):
    def fail(model, x):
        if end == "error":
            raise ZeroDivisionError
    try:
        train(linear(fail), 1)
    except ZeroDivisionError:
        pass
    assert signal.getsignal(signal.SIGINT) is handler


# --- numbers that are not finite -----------------------------------------------------------------

def overflow(model, x):
    return ops.sum(ops.exp(model.layer.bias + 1000)) if model.calls == 7 else None


def root(model, x):
    return ops.sum(ops.sqrt(model.layer.bias - model.layer.bias.data)) if model.calls == 7 else None


def both_ways(model, x):
    if model.calls == 7:
        gap = model.layer.weight - model.layer.weight.data
        return ops.sum(ops.sqrt(gap * gap))  # 0 · inf


def poisoned(model, x):
    if model.calls == 7:
        model.layer.bias.data[1] = np.nan
        return ops.sum(model.layer.bias)


FAILURES = {
    "overflow": (overflow, r"the loss became inf in epoch 2, step 2; "
                           r"the first operation to give such a value was exp\(\(6,\)\)"),
    "infinite gradient": (root, r"the gradient of layer\.bias stopped being finite in epoch 2, step 2; "
                                r"the first operation to give such a value was \w+\(.*\(6,\)"),
    "NaN gradient": (both_ways, r"the gradient of layer\.weight stopped being finite in epoch 2, "
                                r"step 2; the first operation to give such a value was \w+\(.*\(6, 6\)"),
    "parameter": (poisoned, "the loss became nan in epoch 2, step 2; "
                            "the parameter layer.bias held such a value before"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("at_call, message", FAILURES.values(), ids=FAILURES)
def test_failures_name_their_origin(at_call, message):
    before = {}

    def watch(model, x):
        before.update(model.state_dict())
        changed = at_call(model, x)
        before.update({} if at_call is not poisoned else model.state_dict())
        return changed

    run = linear(watch)
    with pytest.raises(FloatingPointError, match=message):
        train(run, held_out=None)
    assert run[1].steps == 6
    for name, array in run[0].state_dict().items():
        assert array.tobytes() == before[name].tobytes()
    assert np.isfinite(run[1].moment).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_data():
    spoilt = TRAIN.copy()
    spoilt[11, 3] = np.nan
    run = setup()
    message = (r"the loss became nan in epoch 1, step [1-5]; "
               r"the data held such a value before \(shape \([35], 6\)\)")
    with pytest.raises(FloatingPointError, match=message):
        train(run, examples=spoilt)
    assert all(np.isfinite(p.data).all() for p in run[0].parameters())


# --- arguments -----------------------------------------------------------------------------------

@pytest.mark.parametrize("options, message", [
    ({"examples": Tensor(TRAIN)}, r"train must be .* not a Tensor of shape \(23, 6\): give its array, \.data"),
    ({"held_out": Tensor(TRAIN)}, "held_out must be .* not a Tensor"),
    ({"examples": TRAIN.tolist()}, "train must be a floating-point array .* not list"),
    ({"examples": (TRAIN * 255).astype(np.uint8)}, 
     r"train must be .* not uint8 of shape \(23, 6\); pixels .* x\.astype\(np\.float32\) / 255"),
    ({"examples": TRAIN[:0]}, r"train must be .* at least one example, not float32 of shape \(0, 6\)"),
    ({"examples": np.float32(1)}, r"train must be"),
    ({"held_out": TRAIN[:0]}, "held_out must be"),
    ({"examples": ()}, "train is an empty tuple"),
    ({"examples": (TRAIN, TRAIN[:3])}, r"arrays of train must share .* shapes \(23, 6\), \(3, 6\)"),
    ({"examples": (np.arange(23), TRAIN)}, r"train\[0\] must be a floating-point array .* not int64"),
    ({"examples": (TRAIN, ["a"] * 23)}, r"train\[1\] must be an array of numbers .* not list"),
    ({"examples": (TRAIN, np.array(["a"] * 23))}, r"train\[1\] must be an array of numbers .* not <U1"),
    ({"examples": TRAIN.astype(np.float64)},
     r"train is float64 and the model float32.*\.astype\(np\.float32\)"),
    ({"examples": (TRAIN, TRAIN.astype(np.float64))}, 
     r"train\[1\] is float64 and the model float32.* or labels with \.astype\(np\.int64\)"),
    ({"examples": (TRAIN, TRAIN)},
     r"train must be the arrays that loss\(x, rng\) takes before the rng, .* not a tuple of 2 arrays"),
    ({"held_out": (TRAIN, TRAIN, TRAIN)}, "held_out must be the arrays .* not a tuple of 3 arrays"),
    ({"held_out": HELD_OUT.astype(np.float64)}, "held_out is float64 and the model float32"),
    ({"held_out": [[0.5] * 6]}, "held_out must be .* not list"),
    ({"epochs": -1}, "epochs must be at least 0"),
    ({"batch_size": 0}, "batch_size at least 1"),
    ({"resume": True}, "resume needs the path of a checkpoint"),
])
def test_bad_arguments(options, message):
    run = setup()
    before = state(run)
    with pytest.raises(ValueError, match=message):
        train(run, **options)
    assert state(run) == before


@pytest.mark.parametrize("options", [{}, {"held_out": HELD_OUT}], ids=["train", "held-out"])
def test_images_without_labels(options):
    """The rng would be taken for the labels."""
    model = models.Predictor(nn.Dense(6, 3, rng=np.random.default_rng(0)))
    examples = (TRAIN, np.zeros(len(TRAIN), int)) if options else TRAIN
    run = model, optim.Adam(model.parameters()), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"the arrays that loss\(x, y, rng=None\) takes .* not one array"):
        train(run, examples=examples, **{"held_out": None, **options})


@pytest.mark.parametrize("loss_by", [
    lambda loss: lambda x, *others: loss(x), lambda loss: lambda *batch: loss(batch[0]),
    lambda loss: lambda x, y=None, z=None: loss(x), lambda loss: lambda x, *others, rng=None: loss(x),
    lambda loss: functools.wraps(linear()[0].loss)(lambda *batch: loss(batch[0]))])
@pytest.mark.parametrize("count", [1, 2])
def test_a_loss_of_any_number_of_arrays(loss_by, count):
    model, optimizer, rng = linear()
    model.loss = loss_by(lambda x: (losses.mse(model.layer(x), x), {}))
    train((model, optimizer, rng), 1, (TRAIN,) * count, held_out=None)


class Rows(nn.Module):
    """A table that is drawn towards ones."""

    def __init__(self):
        self.table = nn.Embedding(4, 2, rng=np.random.default_rng(0))

    def loss(self, words, rng):
        off = self.table(words) - 1
        return ops.mean(off * off), {}


def test_integers_for_a_model_with_an_embedding():
    model = Rows()
    words = np.array([0, 1, 3, 1])
    run = model, optim.Adam(model.parameters(), 0.1), np.random.default_rng(0)
    history = train(run, 100, words, held_out=words)
    assert history[-1]["held_out"]["loss"] < 1e-2
    assert np.allclose(model.table.weight.data[[0, 1, 3]], 1, atol=0.2)
    assert np.array_equal(model.table.weight.data[2], Rows().table.weight.data[2])  # it was not used
    with pytest.raises(ValueError, match="train must be an array of floats or indices .* not uint8"):
        train(run, 1, words.astype(np.uint8), held_out=words)


@pytest.mark.parametrize("rng", [0, None, np.random.RandomState(0), np.random],
                         ids=["seed", "None", "RandomState", "module"])
def test_bad_generator(rng):
    model, optimizer, _ = setup()
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator, such as"):
        train((model, optimizer, rng))


BATCH_LOSS = {  # what a loss returns, from the right loss, and words of the refusal
    "no pair": (lambda loss: loss,
     r"loss must return \(loss, terms\), .* it returned a Tensor of shape \(\)"),
    "nothing": (lambda loss: None, "it returned NoneType"),
    "a number": (lambda loss: (loss.item(), {}), r"it returned \(float, \{\}\)"),
    "a number as term": (lambda loss: (loss, {"error": 1.0}),
     r"it returned \(a Tensor of shape \(\), \{'error': float\}\)"),
    "three": (lambda loss: (loss, loss, {}),
     r"it returned \(a Tensor of shape \(\), a Tensor of shape \(\), \{\}\)"),
    "no mean": (lambda loss: (loss + np.ones(5, np.float32), {}),
     r"it returned \(a Tensor of shape \(5,\), \{\}\)"),
    "terms in a list": (lambda loss: (loss, [loss]), r"it returned \(a Tensor of shape \(\), list\)"),
}


@pytest.mark.parametrize("change, message", BATCH_LOSS.values(), ids=BATCH_LOSS)
def test_a_loss_that_is_none(change, message):
    run = linear()
    loss = run[0].loss
    run[0].loss = lambda x, rng: change(loss(x, rng)[0])
    with pytest.raises(TypeError, match=message):
        train(run)


def test_a_loss_without_history():
    run = linear()
    run[0].loss = lambda x, rng: (losses.mse(x, x), {})
    with pytest.raises(ValueError, match="loss returned a loss that was not computed from any parameter"):
        train(run)


# --- progress ------------------------------------------------------------------------------------

class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_progress():
    stream = io.StringIO()
    history = train(setup(), 2, stream=stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and "\r" not in stream.getvalue() and "\033" not in stream.getvalue()
    number = r"[\d.]+"
    terms = rf"({number}) \(reconstruction {number}, kl {number}\)"
    for i, (line, record) in enumerate(zip(lines, history), 1):
        found = re.fullmatch(rf"epoch {i}/2: train {terms}; held-out {terms}; {number} s", line)
        assert float(found[1]) == pytest.approx(record["train"]["loss"], rel=1e-4)
        assert float(found[2]) == pytest.approx(record["held_out"]["loss"], rel=1e-4)


def test_progress_on_a_terminal():
    stream = Terminal()
    train(setup(), 3, stream=stream)
    drawn = stream.getvalue().split("\r\033[K")
    bars = [part for part in drawn if "█" in part]
    assert len(bars) >= 3
    for bar in bars:
        assert re.fullmatch(r"epoch [123]/3 (?=.{24} loss)█+░* loss [\d.]+, \d+:\d\d left", bar), bar
    assert bars[-1].startswith("epoch 3/3 " + "█" * 24) and bars[-1].endswith("0:00 left")
    assert drawn[-1].startswith("epoch 3/3: train") and drawn[-1].endswith(" s\n")


def test_time_left(monkeypatch):
    """A clock that moves a second at each look: as many steps to go, as many seconds."""
    clock = iter(range(10_000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    stream = Terminal()
    bar = progress.Progress(stream, 30, 10)
    for epoch in (21, 22):  # resumed after 20 epochs, which took this run no time
        for step in range(1, 11):
            bar.step(epoch, step, {"loss": Tensor(1.0)})
    left = re.findall(r"(\d+):(\d\d) left", stream.getvalue())
    assert [60 * int(m) + int(s) for m, s in left] == [100 - i for i in range(1, 21)]
    bars = re.findall("█*░+|█+", stream.getvalue())
    assert [bar.count("█") for bar in bars[:10]] == [24 * step // 10 for step in range(1, 11)]


@pytest.mark.parametrize("epochs, shown", [(20, range(1, 21)), (100, [1, *range(5, 101, 5)]), (41, [1, *range(3, 41, 3), 41])])
def test_of_many_epochs_some_are_shown(epochs, shown):
    stream = io.StringIO()
    shows = progress.Progress(stream, epochs, 1)
    for epoch in range(1, epochs + 1):
        shows.epoch({"epoch": epoch, "train": {"loss": 1.0}, "seconds": 0.1})
    assert [int(line.split("/")[0].split()[1]) for line in stream.getvalue().splitlines()] == list(shown)


@pytest.mark.parametrize("make", [
    lambda rng: models.dense_vae((4,), 5, 2, rng),
    lambda rng: models.Autoencoder(*models.dense_networks((4,), 5, 2, rng), distributions.Bernoulli)])
@pytest.mark.parametrize("where", ["train", "held_out"])
@pytest.mark.parametrize("value", [255, -0.1])
def test_pixels_that_a_bernoulli_cannot_be_of_are_refused(make, where, value):
    rng = np.random.default_rng(0)
    good, bad, model = rng.random((8, 4), np.float32), rng.random((8, 4), np.float32), make(rng)
    bad[3, 2] = value
    train, held_out = (bad, good) if where == "train" else (good, bad)
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"Bernoulli: expected numbers in \[0, 1\], got them from"):
        fit(model, optim.Adam(model.parameters()), train, held_out=held_out, epochs=1, batch_size=4, rng=rng)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
