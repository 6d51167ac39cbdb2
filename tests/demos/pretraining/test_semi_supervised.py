"""The demo of unlabelled examples: its two worlds, its model, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.pretraining import semi_supervised as demo


def test_quick_run(run_quick):
    metrics, names = run_quick(demo)
    assert names == {"worlds.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["semi-supervised", "semi-supervised.enough",
                                                    "semi-supervised.uniform"]


@pytest.mark.parametrize("world", [demo.humps, demo.uniform])
def test_examples_are_drawn_from_the_densities(monkeypatch, world):
    monkeypatch.setattr(demo, "EXAMPLES", 100_000)
    x, y, truth = world(np.random.default_rng(0), 2)
    assert truth.shape == (2, len(demo.GRID), demo.KINDS) and truth.sum(axis=(1, 2)) == pytest.approx(1)
    for column in range(2):
        for kind in range(demo.KINDS):
            of_kind, density = y[:, column] == kind, truth[column, :, kind]
            assert of_kind.mean() == pytest.approx(density.sum(), abs=0.01)
            assert x[of_kind, column].mean() == pytest.approx(density @ demo.GRID / density.sum(), abs=0.05)
    assert world is demo.humps or truth.sum(axis=2) == pytest.approx(1 / len(demo.GRID))  # says nothing of y


def test_the_first_few_kind_and_their_means():
    y = np.array([[0, 2], [0, 1], [1, 0], [2, 0], [2, 0], [2, 2]])
    assert (demo.first_few(y, 1) == np.array([[1, 1], [0, 1], [1, 1], [1, 0], [0, 0], [0, 0]])).all()
    assert demo.first_few(y, 2).sum(axis=0).tolist() == [5, 5]
    x = np.arange(6.0)[:, None] * [1, 10]
    assert demo.class_means(x, y) == pytest.approx(np.array([[0.5, 2, 4], [30, 10, 25]]))


def test_the_loss_is_minus_the_logarithm_of_the_joint_density():
    model = demo.Humps(np.array([[-1.0, 0.0, 2.0]]))
    model.log_std.data[...] = np.log([[0.5, 1.0, 2.0]])
    x = np.array([[0.3], [1.0]])
    possible = np.array([[[1, 0, 0]], [[1, 1, 1]]], bool)  # the second has no label
    joint = np.exp(-(((x - [-1, 0, 2]) / [0.5, 1, 2]) ** 2) / 2) / [0.5, 1, 2]
    prior = (np.log([0.5, 1, 2]) ** 2).sum() / (2 * 0.5**2)
    expected = (prior - np.log(joint[0, 0]) - np.log(joint[1].sum())) / 2
    assert model.loss(demo.Tensor(x), demo.Tensor(possible)).item() == pytest.approx(expected, rel=1e-6)


def test_accuracy_is_the_share_that_is_right():
    truth = np.array([[[0.5, 0.1, 0.0], [0.1, 0.1, 0.2]]])
    assert demo.right(np.array([[0, 2]]), truth) == pytest.approx([0.7])
    assert demo.right(np.array([[2, 1]]), truth) == pytest.approx([0.1])


def numbers(humps, humps_both, uniform, uniform_both):
    def ways(*accuracy, best):
        return dict(zip(demo.WAYS, map(np.array, accuracy)), best=[best])
    return {"humps": ways(humps, humps_both, best=0.97), "uniform": ways(uniform, uniform_both, best=1.0)}


@pytest.mark.parametrize("means, missed", [
    (numbers([0.92, 0.96], [0.967, 0.967], [0.8, 0.95], [0.7, 0.7]), set()),
    (numbers([0.92, 0.96], [0.955, 0.967], [0.8, 0.95], [0.7, 0.7]), {"semi-supervised"}),
    (numbers([0.60, 0.96], [0.94, 0.967], [0.8, 0.95], [0.7, 0.7]), {"semi-supervised.enough"}),
    (numbers([0.92, 0.96], [0.967, 0.967], [0.8, 0.8], [0.7, 0.83]), {"semi-supervised.uniform"}),
    (numbers([0.92, 0.96], [0.967, 0.967], [0.8, 0.95], [0.7, np.nan]), {"semi-supervised.uniform"}),
])
def test_each_claim_can_fail(judged, means, missed):
    assert {id for id, held in judged(demo.judge, means).items() if not held} == missed
