"""The demo of transfer: its tasks, what each way trains, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.representations import transfer


def test_quick_run(run_quick):
    metrics, names = run_quick(transfer)
    assert names == {"transfer.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["transfer", "transfer.frozen"]


def test_the_tasks_share_no_digit_or_no_slant(a_run):
    run = a_run(transfer)
    digits = run.images()
    (_, low), (_, high), (_, unseen) = transfer.new_labels(digits)
    assert set(low) == set(range(5)) and set(high) == set(unseen) == set(range(5, 10))
    tasks = transfer.new_inputs(run, digits)
    assert all(set(labels) == set(range(10)) and len(images) == len(labels) for images, labels in tasks)
    rows = np.arange(28)[:, None] - 14  # a digit that leans to the right has its ink up on the right
    lean = [float((images[..., 0] * rows * rows.T).sum(axis=(1, 2)).mean()) for images, _ in tasks]
    assert lean[0] > max(lean[1:])


def test_few_are_so_many_of_each_digit():
    labels = np.repeat(np.arange(5, 10), 20)
    images, chosen = transfer.few((labels * 10, labels), 3, np.random.default_rng(0))
    assert np.bincount(chosen).tolist() == [0] * 5 + [3] * 5 and (images == chosen * 10).all()


@pytest.mark.parametrize("way", transfer.WAYS)
def test_each_way_begins_with_the_layers_it_should(a_run, monkeypatch, way):
    run, trained = a_run(transfer), {}

    def fit(model, examples, *, optimizer, **options):  # instead of training
        trained.update(model=model, parameters=len(optimizer.params))
    monkeypatch.setattr(run, "fit", fit)
    teacher = transfer.classifier(run.rng("weights"))
    x = np.zeros((10, 28, 28, 1), np.float32)
    transfer.second_task(run, way, teacher, (x, np.arange(10)), (x, np.arange(10)))
    first = [model.network[0][1].weight.numpy() for model in (teacher, trained["model"])]
    assert (first[0] == first[1]).all() == (way != "from scratch")
    assert trained["parameters"] == (2 if way == "frozen" else 6)


def numbers(scratch=(0.4, 0.5, 0.7), frozen=(0.5, 0.6, 0.7), fine=(0.5, 0.6, 0.8)):
    return dict(zip(transfer.WAYS, map(np.array, (scratch, frozen, fine))))


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"new labels": numbers(fine=(0.3, 0.3, 0.3))}, set()),  # nothing is claimed of it
    ({"new inputs": numbers(fine=(0.9, 0.9, 0.72))}, {"transfer"}),
    ({"new inputs": numbers(frozen=(0.41, 0.9, 0.9))}, {"transfer.frozen"}),
    ({"new inputs": numbers(scratch=(np.nan, np.nan, np.nan))}, {"transfer", "transfer.frozen"}),
])
def test_each_claim_can_fail(judged, change, missed):
    accuracy = {"new labels": numbers(), "new inputs": numbers()} | change
    assert {id for id, held in judged(transfer.judge, accuracy).items() if not held} == missed
