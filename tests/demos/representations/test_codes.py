"""The demo of local, dense and sparse codes: its measures, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.representations import codes
from tinyae import Tensor


def test_quick_run(run_quick):
    metrics, names = run_quick(codes)
    assert names == {"codes.png", "accuracy.png", "interference.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["dense-vs-sparse", "dense-vs-sparse.local",
                                                    "dense-vs-sparse.interference"]
    active = metrics["measured"]["active_share"]
    assert active["local"] == 1 / 64 and active["sparse"] < active["dense"]


def test_k_means_finds_clouds_that_lie_apart():
    rng = np.random.default_rng(0)
    middles = 20 * np.eye(3, 5)
    x = (middles[np.arange(300) % 3] + rng.standard_normal((300, 5))).astype(np.float32)
    # It may begin with two centres in one cloud, and then ends elsewhere: the best of a few is right.
    found = min((codes.k_means(x, 3, np.random.default_rng(seed), 20) for seed in range(8)),
                key=lambda centres: codes.nearest(x, centres, 1)[0].sum())
    expected = [x[i::3].mean(axis=0) for i in range(3)]
    assert sorted(found.argmax(axis=1)) == [0, 1, 2] and found.dtype == np.float32
    assert found[found.argmax(axis=1).argsort()] == pytest.approx(np.array(expected), abs=1e-4)


def test_a_centre_that_is_nearest_to_none_stays():
    x = np.float32([[0.0], [0.0], [4.0]])
    centres = codes.k_means(x, 3, np.random.default_rng(0), 2)  # of the two that are equal the first has all
    assert sorted(centres.ravel()) == [0, 0, 4]


def test_separated_sees_the_chosen_digits_alone():
    labels = np.tile(np.arange(10), 30)
    rng = np.random.default_rng(0)
    perfect, noise = np.eye(10)[labels], rng.standard_normal((300, 5))
    for classes in (2, 10):
        assert codes.separated(perfect, labels, perfect, labels, 3, classes, rng) == 1
        wrong = [codes.separated(noise, labels, noise[::-1], labels, 3, classes, np.random.default_rng(i))
                 for i in range(20)]
        assert np.mean(wrong) == pytest.approx(1 / classes, abs=0.06)


def test_codes_without_a_common_unit_do_not_disturb_each_other(a_run):
    labels = np.tile(np.arange(10), 300)
    apart = np.eye(10, dtype=np.float32)[labels]
    run = a_run(codes)
    path = codes.learned_on(run, apart, labels, apart, labels, 4)
    assert path[0].tolist() == [0, 1] and path[-1].tolist() == [1, 1] and codes.interference(path) == 0
    rng = np.random.default_rng(0)
    dense = rng.random((10, 20), np.float32)[labels] + rng.random((len(labels), 20), np.float32)
    path = codes.learned_on(run, dense, labels, dense, labels, 4)
    assert path[-1, 0] >= codes.LEARNED and codes.interference(path) > 0.02


def test_the_readout_is_softmax_regression():
    model = codes.Readout(3)
    model.weight = Tensor(np.arange(30.0).reshape(3, 10) / 10, requires_grad=True)
    h, y = np.array([[1.0, 0, 2], [0.5, 1, 0]]), np.array([3, 9])
    logits = h @ model.weight.numpy()
    expected = (np.log(np.exp(logits).sum(axis=1)) - logits[[0, 1], y]).mean()
    assert model.loss(Tensor(h), Tensor(y), None)[0].item() == pytest.approx(expected, abs=1e-6)


def test_interference_is_read_where_the_new_digit_is_learned():
    path = np.array([[0.0, 0.96], [0.5, 0.9], [0.4, 0.8], [0.7, 0.8], [0.9, 0.6]])
    assert codes.interference(path) == pytest.approx(0.96 - 0.7)
    assert codes.interference(path[:3]) == 0.96  # it has never learned it: all is lost
    assert codes.along(path, np.array([0.0, 0.25, 0.9])) == pytest.approx([0.96, 0.93, 0.6])


RIGHT = {"right": {"local": 0.4, "dense": 0.7, "sparse": 0.8},
         "lost": {"local": 0.01, "dense": 0.15, "sparse": 0.02}}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"right": {"local": 0.4, "dense": 0.76, "sparse": 0.8}}, {"dense-vs-sparse"}),
    ({"right": {"local": 0.76, "dense": 0.7, "sparse": 0.8}}, {"dense-vs-sparse.local"}),
    ({"right": {"local": 0.4, "dense": 0.7, "sparse": float("nan")}},
     {"dense-vs-sparse", "dense-vs-sparse.local"}),
    ({"lost": {"local": 0.01, "dense": 0.15, "sparse": 0.08}}, {"dense-vs-sparse.interference"}),
    ({"lost": {"local": 0.01, "dense": 0.0, "sparse": 0.0}}, {"dense-vs-sparse.interference"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(codes.judge, **(RIGHT | change)).items() if not held} == missed
