"""The demo of what good features are: a quick run, its models and measures, and claims that can fail."""

import copy
import math

import numpy as np
import pytest

from demos.representations import invariance
from tinyae import Tensor, data


def test_quick_run(run_quick):
    metrics, names = run_quick(invariance)
    assert names == {"scoreboard.png", "pairs.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["invariance", "invariance.smooth", "invariance.sparse"]
    scores = metrics["measured"]["scores"]
    assert set(scores) == {"plain", "sparse", "denoising", "contractive", "VAE", "β-VAE"}
    assert all(set(of_model) == set(invariance.COLUMNS) for of_model in scores.values())


def test_a_digit_is_drawn_again_with_another_shift_and_slant(a_run):
    run = a_run(invariance)
    images, again, factors = invariance.pairs(run, 30)
    assert (np.abs(again - images).max(axis=(1, 2, 3)) > 0.1).all()
    same = data.strokes(30, run.rng("test"), slant=factors["slant"], shift=factors["shift"])[0]
    assert np.array_equal(images, same)
    ink = np.array([drawn.sum(axis=(1, 2, 3)) for drawn in (images, again)])
    assert np.corrcoef(ink)[0, 1] > 0.95  # the thickness and the path are the same
    assert invariance.columns(factors).shape == (30, 7)


def test_a_smaller_code_makes_no_larger_decoder(a_run):
    made = invariance.autoencoders((4, 4, 1), a_run(invariance))
    for name in ("plain", "sparse", "denoising", "contractive"):
        model, _ = made[name]
        weights = [tensor for tensor in model.parameters() if tensor.ndim == 2]
        assert [w.shape for w in weights] == [(16, invariance.HIDDEN), (invariance.HIDDEN, invariance.CODE)]
    first = [next(t for t in model.parameters() if t.ndim == 2).numpy() for model, _ in made.values()]
    assert all(np.array_equal(weight, first[0]) for weight in first)  # the same random numbers
    x = Tensor(np.random.default_rng(0).random((5, 4, 4, 1), dtype=np.float32))
    assert all(encode(x).shape == (5, invariance.CODE) for _, encode in made.values())
    for name, penalty in (("contractive", "jacobian"), ("sparse", "l1")):
        _, terms = made[name][0].loss(x, np.random.default_rng(0))
        assert set(terms) == {"reconstruction", penalty} and terms[penalty].item() > 0
    assert made["β-VAE"][0].beta > made["VAE"][0].beta == 1


# --- measures ------------------------------------------------------------------------------------

def test_roughness_of_known_maps():
    codes = np.random.default_rng(0).standard_normal((5000, 2))
    one = np.tile(np.eye(2).reshape(2, 2, 1), (10, 1, 1, 1))
    assert invariance.roughness(one, codes) == pytest.approx(1, rel=0.05)  # √2, over √2
    assert invariance.roughness(3 * one, 3 * codes) == pytest.approx(invariance.roughness(one, codes))
    assert invariance.roughness(3 * one, codes) == pytest.approx(3 * invariance.roughness(one, codes))
    assert math.isnan(invariance.roughness(0 * one, np.ones((10, 2))))  # a constant is not smooth


def test_how_far_a_code_moves():
    codes, labels = np.array([[0.0, 0], [4, 0], [0, 0], [4, 0]]), np.array([1, 2, 1, 2])
    assert invariance.moves(codes, codes, labels) == 0
    assert invariance.moves(codes, codes + [0, 1], labels) == pytest.approx(0.25)
    assert invariance.moves(9 * codes, 9 * (codes + [0, 1]), labels) == pytest.approx(0.25)
    assert math.isnan(invariance.moves(0 * codes, 0 * codes, labels))  # nor is a constant invariant
    nearer = np.array([[0.0, 0], [4, 0], [4, 9], [0, 9]])  # 9 away is the same digit, 4 another one
    assert invariance.moves(nearer, nearer + [1, 0], np.array([1, 2, 2, 1])) == pytest.approx(1 / 4)


SCORES = {name: {"smooth": 1.0, "sparse": 0.5, "disentangled": 0.02, "invariant": 0.7, "digit": 0.9}
          for name in ("plain", "sparse", "denoising", "contractive", "VAE", "β-VAE")}
SCORES["contractive"]["smooth"], SCORES["sparse"]["sparse"] = 0.5, 0.7


def test_ranks_know_whether_more_is_better():
    scores = {name: dict.fromkeys(invariance.COLUMNS, score) for name, score in (("a", 1), ("b", 2))}
    values, ranks = invariance.table(scores)
    assert values.tolist() == [[1] * 5, [2] * 5]
    assert ranks[0].tolist() == [0, 1, 1, 0, 1] and ranks[1].tolist() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("model, of_model, missed", [
    ("plain", {}, set()),
    ("denoising", {"invariant": 0.45}, {"invariance"}),
    ("VAE", {"invariant": math.nan}, {"invariance"}),
    ("contractive", {"smooth": 0.75}, {"invariance.smooth"}),
    ("plain", {"smooth": 0}, {"invariance.smooth"}),
    ("sparse", {"sparse": 0.6}, {"invariance.sparse"}),
    ("sparse", {"sparse": math.nan}, {"invariance.sparse"}),
])
def test_each_claim_can_fail(judged, model, of_model, missed):
    scores = copy.deepcopy(SCORES)
    scores[model].update(of_model)
    held = judged(invariance.judge, scores)
    assert {id for id, ok in held.items() if not ok} == missed
