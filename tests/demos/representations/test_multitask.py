"""The demo of multi-task learning: its tasks, its losses, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.representations import multitask
from tinyae import Tensor, data, distributions, grad


def test_quick_run(run_quick):
    metrics, names = run_quick(multitask)
    assert names == {"multitask.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["multitask", "multitask.soft", "multitask.unrelated"]


def test_what_the_other_tasks_ask_for():
    _, factors = data.strokes(500, np.random.default_rng(0))
    related, unrelated = multitask.loop_and_odd(factors["digit"]), multitask.slant_and_thickness(factors)
    assert {(d, *row) for d, row in zip(factors["digit"].tolist(), related.tolist())} == {
        (d, float(d in (0, 6, 8, 9)), d % 2) for d in range(10)}
    assert unrelated.mean(axis=0) == pytest.approx(0, abs=1e-5) and unrelated.std(axis=0) == pytest.approx(1)
    assert np.corrcoef(unrelated[:, 0], factors["slant"])[0, 1] == pytest.approx(1)
    assert unrelated.dtype == related.dtype == np.float32


@pytest.fixture
def examples():
    images, factors = data.strokes(20, np.random.default_rng(0))
    return Tensor(images), Tensor(factors["digit"])


def test_hard_sharing_trains_one_trunk_for_all(examples):
    rng, answers = np.random.default_rng(0), np.ones((20, 2), np.float32)
    model = multitask.Together(examples, distributions.Bernoulli, rng)
    assert model.others_trunk is model.trunk and len(model.parameters()) == 4 + 2 + 2
    loss, terms = model.loss(examples[0], Tensor(answers), np.random.default_rng(1))
    assert set(terms) == {"digit", "others"}
    assert loss.item() == pytest.approx(sum(term.item() for term in terms.values()))
    first = model.trunk.parameters()[0]
    alone, both = (grad(part, first).numpy() for part in (
        model.loss(examples[0], Tensor(answers), np.random.default_rng(1))[1]["digit"], loss))
    assert np.abs(both - alone).max() > 1e-3  # the other tasks reach it


def test_soft_sharing_pulls_two_trunks_together(examples):
    model = multitask.Together(examples, distributions.Bernoulli, np.random.default_rng(0), soft=0.5)
    answers = Tensor(np.ones((20, 2), np.float32))
    assert len(model.parameters()) == 4 + 4 + 2 + 2
    assert model.loss(examples[0], answers, np.random.default_rng(1))[1]["distance"].item() == 0
    model.trunk.parameters()[1].data[...] += 2
    terms = model.loss(examples[0], answers, np.random.default_rng(1))[1]
    assert terms["distance"].item() == pytest.approx(0.5 * 4 * 256)


def test_apart_sees_the_labelled_examples_only(examples):
    model = multitask.Apart(examples, np.random.default_rng(0))
    losses = [model.loss(x, None, np.random.default_rng(1))[0].item() for x in (examples[0], None)]
    assert losses[0] == losses[1] and model(examples[0]).shape == (20, 10)


RIGHT = {"apart": [0.4, 0.5], "hard": [0.5, 0.6], "soft": [0.5, 0.58], "unrelated": [0.4, 0.5]}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"hard": [0.9, 0.54]}, {"multitask"}),
    ({"soft": [0.9, 0.52]}, {"multitask.soft"}),
    ({"unrelated": [0.4, 0.55]}, {"multitask.unrelated"}),
    ({"apart": [0.4, float("nan")]}, {"multitask", "multitask.soft", "multitask.unrelated"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(multitask.judge, RIGHT | change).items() if not held} == missed
