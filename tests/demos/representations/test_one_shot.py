"""The demo of one-shot learning: its rounds, its loss, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.representations import one_shot
from tinyae import Tensor


def test_quick_run(run_quick):
    metrics, names = run_quick(one_shot)
    assert names == {"accuracy.png", "strangers.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["one-shot", "one-shot.pixels", "one-shot.twenty",
                                                    "one-shot.people"]


def test_portraits_are_of_their_people():
    both = [one_shot.portraits(np.array([3, 8]), 4, np.random.default_rng(seed)) for seed in (0, 1)]
    assert both[0].shape == (2, 4, 32, 32, 3)
    expected, _ = one_shot.data.faces(8, np.random.default_rng(0), identity=np.repeat([3, 8], 4))
    assert (both[0].reshape(expected.shape) == expected).all() and (both[0] != both[1]).any()


def test_a_round_asks_for_another_picture_of_the_same_people():
    codes = np.arange(30 * 4).reshape(30, 4, 1)  # a code is the picture's number, and 4 are of one person
    for seed in range(20):
        a, b = one_shot.one_round(codes, 5, np.random.default_rng(seed))
        assert (a // 4 == b // 4).all() and (a != b).all() and len(set((a // 4).ravel())) == 5


def test_accuracy_is_one_where_people_lie_apart_and_chance_where_codes_say_nothing():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((50, 10, 3))
    apart = 100 * rng.standard_normal((50, 1, 3)) + noise
    assert one_shot.accuracy(apart, 5, np.random.default_rng(1), 200) > 0.98
    assert one_shot.accuracy(noise, 5, np.random.default_rng(1), 400) == pytest.approx(0.2, abs=0.04)


def test_the_loss_is_that_of_the_nearest_of_two_pictures():
    model = one_shot.Acquaintance(np.random.default_rng(0))
    model.encoder = lambda x: x  # pictures that are their own codes
    x = np.float32([[[0.0], [1.0]], [[3.0], [5.0]]])  # two people, two pictures each
    losses = {round(model.loss(Tensor(x), np.random.default_rng(seed))[0].item(), 4) for seed in range(40)}

    def expected(a, b):
        """-ln p(i | b_i), averaged."""
        squares = (np.array(b)[:, None] - np.array(a)) ** 2
        return round(float(np.mean(np.diag(squares) + np.log(np.exp(-squares).sum(axis=1)))), 4)
    possible = {expected((u, w), (1 - u, 8 - w)) for u in (0.0, 1.0) for w in (3.0, 5.0)}
    assert sorted(losses) == pytest.approx(sorted(possible), abs=2e-4)


RIGHT = {"pixels": {5: 0.33, 20: 0.13}, "PCA": {5: 0.34, 20: 0.14}, 10: {5: 0.7, 20: 0.5},
         90: {5: 0.95, 20: 0.85}}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({90: {5: 0.79, 20: 0.85}}, {"one-shot"}),
    ({90: {5: 0.95, 20: 0.55}}, {"one-shot.twenty", "one-shot.people"}),
    ({"PCA": {5: 0.7, 20: 0.14}}, {"one-shot.pixels"}),
    ({"pixels": {5: float("nan"), 20: 0.1}}, {"one-shot.pixels"}),
    ({10: {5: 0.9, 20: 0.8}}, {"one-shot.people"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(one_shot.judge, RIGHT | change, (10, 90)).items() if not held} == missed
