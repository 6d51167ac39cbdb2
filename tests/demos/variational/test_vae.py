"""The demo of the variational autoencoder: what it measures, and quick runs of it."""

import numpy as np
import pytest

from demos.run import Images
from demos.variational import vae
from tinyae import models


def test_quick_run(run_quick):
    metrics, names = run_quick(vae, "--hidden", "16")
    assert names == {"latent.png", "reconstructions.png", "loss.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["vae", "vae.kinds", "vae.new", "vae.sheet"]
    assert (metrics["epochs"], metrics["data"]) == (2, "strokes")
    measured = metrics["measured"]
    assert measured["test_elbo"] == -(measured["test_reconstruction"] + measured["test_kl"])
    assert measured["test_kl"] > 0


@pytest.mark.parametrize("options, figures", [
    (["--latent", "3", "--epochs", "0"], {"samples.png", "reconstructions.png"}),
    (["--latent", "3", "--epochs", "1"], {"samples.png", "reconstructions.png", "loss.png"}),
    (["--model", "conv", "--epochs", "1"], {"latent.png", "reconstructions.png", "loss.png"}),
])
def test_other_models(run_quick, options, figures):
    metrics, names = run_quick(vae, "--hidden", "8", *options)
    assert names == {*figures, "metrics.json"}
    assert len(metrics["claims"]) == (4 if "latent.png" in figures else 3)  # the sheet has two dimensions


@pytest.mark.parametrize("options, message", [
    (["--hidden", "0"], "must be at least 1"),
    (["--latent", "1.5"], "invalid whole number"),
    (["--batch", "0"], "must be at least 1"),
    (["--lr", "0"], "must be a finite number above 0"),
    (["--beta", "-1"], "must be a finite number not below 0"),
    (["--model", "deep"], "invalid choice"),
])
def test_bad_options(a_run, capsys, options, message):
    with pytest.raises(SystemExit) as caught:
        a_run(vae, *options)
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_prior_grid():
    grid = vae.prior_grid(3).reshape(3, 3, 2)
    assert np.allclose(grid[1, 1], 0, atol=1e-12)
    assert np.allclose(grid[0, 0], [-1.959964, 1.959964], atol=1e-6)  # top left: z₁ low, z₂ high
    assert np.allclose(grid[0, 2], [1.959964, 1.959964], atol=1e-6)


# --- what it measures ----------------------------------------------------------------------------

def kinds(rng, n, spread=0.1):
    """Points (n, 10) near ten corners, one for each kind, and their kinds."""
    labels = np.arange(n) % 10
    return 3 * np.eye(10)[labels] + spread * rng.standard_normal((n, 10)), labels


@pytest.fixture
def clouds():
    """Images of ten kinds, each a point near a corner of its own."""
    rng = np.random.default_rng(0)
    return Images(*kinds(rng, 2000), None, *kinds(rng, 500), None)


def test_samples_like_the_held_out_ones(clouds):
    samples, _ = kinds(np.random.default_rng(1), 1000)
    seen = vae.look_at_samples(samples, clouds, np.random.default_rng(2))
    assert seen["clear"] == 1 and seen["kinds"] == 10
    assert seen["distance"] == pytest.approx(1, rel=0.1)


def test_samples_between_the_kinds_are_not_clear(clouds):
    seen = vae.look_at_samples(np.full((1000, 10), 0.3), clouds, np.random.default_rng(2))
    assert seen["clear"] == seen["kinds"] == 0 and seen["distance"] > 5


def test_samples_of_few_kinds_and_copies(clouds):
    few = clouds.train[clouds.train_labels < 3]
    seen = vae.look_at_samples(few, clouds, np.random.default_rng(2))
    assert seen["clear"] == 1 and seen["kinds"] == 3
    assert seen["distance"] < 1e-3  # they are training images


@pytest.mark.parametrize("shuffled, expected", [(False, 1.0), (True, 0.1)])
def test_neighbours_on_the_sheet(a_run, clouds, shuffled, expected):
    """With codes that lie as the kinds do, and with the same codes but other digits."""
    model = models.dense_vae((10,), 4, 2, np.random.default_rng(0))
    angles = 2 * np.pi * np.arange(10) / 10  # the kinds go to ten places on a circle
    circle = np.c_[np.cos(angles), np.sin(angles)]
    model.encoder = lambda x: x @ np.c_[circle, 0 * circle]
    run = a_run(vae)
    digits = clouds if not shuffled else clouds._replace(
        train_labels=np.random.default_rng(2).permutation(clouds.train_labels))
    codes = run.apply(lambda x: model.encode(x).mean, digits.test)
    assert vae.same_digit(run, model, digits, codes) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("change, fails", [
    ({}, None), ({"clear": 0.4}, "vae"), ({"kinds": 7}, "vae.kinds"), ({"distance": 0.2}, "vae.new"),
    ({"same_digit": 0.5}, "vae.sheet")])
def test_each_claim_can_fail(change, fails, judged):
    numbers = {"clear": 0.8, "kinds": 10, "distance": 0.9, "same_digit": 0.7} | change
    held = judged(vae.judge, **numbers)
    assert held == {id: id != fails for id in ("vae", "vae.kinds", "vae.new", "vae.sheet")}


def test_a_sheet_of_more_dimensions_is_not_judged(judged):
    held = judged(vae.judge, clear=0.8, kinds=10, distance=0.9, same_digit=None)
    assert list(held) == ["vae", "vae.kinds", "vae.new"]
