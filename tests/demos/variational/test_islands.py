"""The demo of islands in latent space: lines, steps and distances, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.variational import islands

RIGHT = {"jump": {"autoencoder": 0.24, "VAE": 0.16}}


def test_quick_run(run_quick):
    metrics, names = run_quick(islands)
    assert names == {"strips.png", "steps.png", "holes.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["ae-islands"]
    assert set(metrics["measured"]["clear"]) == set(metrics["measured"]["in_box"]) == {"autoencoder", "VAE"}


def test_pairs_are_of_different_digits():
    labels = np.arange(50) % 3
    pairs = islands.different_digits(labels, 20, np.random.default_rng(0))
    assert pairs.shape == (20, 2) and (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()


def test_lines_lead_from_code_to_code():
    start, end = np.array([[[0.0, 1.0], [2.0, 2.0]], [[4.0, 1.0], [2.0, -2.0]]], np.float32)
    lines = islands.between(start, end)
    assert lines.dtype == np.float32 and lines.shape == (2, len(islands.WAY), 2)
    assert (lines[:, 0] == start).all() and (lines[:, -1] == end).all()
    assert lines[:, len(islands.WAY) // 2] == pytest.approx((start + end) / 2)


def test_clear_pictures_are_those_that_one_kind_surrounds(a_run):
    digits = a_run(islands).images()
    assert islands.share_of_clear(digits.train, digits) > 0.3
    assert islands.share_of_clear(np.repeat(digits.train.mean(axis=0, keepdims=True), 3, axis=0), digits) == 0


def test_steps_that_are_equal_and_a_jump():
    even = np.linspace(0, 1, 41)[None, :, None, None, None] * np.ones((3, 1, 2, 2, 1))
    assert islands.steps_of(even) == pytest.approx(np.full((3, 40), 1 / 40))
    assert islands.steepest_tenth(islands.steps_of(even)) == pytest.approx(0.1)
    jump = (even > 0.5).astype(float)
    steps = islands.steps_of(jump)
    assert steps[:, 0] == pytest.approx(1) and islands.steepest_tenth(steps) == pytest.approx(1)


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"jump": {"autoencoder": 0.16, "VAE": 0.16}}, {"ae-islands"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(islands.judge, **(RIGHT | change)).items() if not held} == missed
