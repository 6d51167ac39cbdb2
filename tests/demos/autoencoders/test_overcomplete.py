"""The demo of overcomplete autoencoders: what it measures, what it judges, and a quick run of it."""

import numpy as np
import pytest

from demos.autoencoders import overcomplete
from tinyae import corruption


def test_quick_run(run_quick):
    metrics, names = run_quick(overcomplete)
    assert names == {"filters.png", "denoising.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [f"overcomplete{word}" for word in (
        "", ".noise", ".random", ".denoises", ".features")]
    assert (metrics["epochs"], metrics["data"]) == (1, "strokes")
    measured = metrics["measured"]
    assert set(measured["locality"]) == {"at random", "without noise", "with noise"}
    assert set(measured["noise_through"]) == {"without noise", "with noise"}
    assert set(measured["noisy_error"]) == {"mean image", "without noise", "with noise"}


def test_both_autoencoders_start_from_the_same_weights(a_run):
    run = a_run(overcomplete, "--seed", "1")
    models = [overcomplete.autoencoder(6, noise, run.rng("weights"))
              for noise in (None, corruption.gaussian(1))]
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(*(m.parameters() for m in models)))


def test_noise_through():
    rng = np.random.default_rng(0)
    x, noise = rng.standard_normal((2, 30, 8))
    axes = np.linalg.qr(rng.standard_normal((8, 3)))[0]
    across = noise - noise @ axes @ axes.T
    for answers, share in ((x + noise, 1), (x, 0), (x + noise / 2, 0.5), (x + across, 0),
                           (x + noise - across, 1), (x - across + 3 * noise, 3)):
        assert overcomplete.noise_through(x, answers, noise, axes) == pytest.approx(share, abs=1e-12)


# --- how local a filter is -----------------------------------------------------------------------

def test_locality_against_brute_force():
    filters = np.random.default_rng(0).standard_normal((4, 784)).astype(np.float32)
    for window in (1, 9, 28):
        brute = [max((w[i : i + window, j : j + window] ** 2).sum()
                     for i in range(29 - window) for j in range(29 - window)) / (w**2).sum()
                 for w in filters.reshape(-1, 28, 28).astype(np.float64)]
        assert np.allclose(overcomplete.locality(filters, window), brute, rtol=1e-12)


@pytest.mark.parametrize("top, left", [(0, 0), (19, 19), (0, 19), (7, 3)])
def test_locality_of_a_patch_is_one_wherever_it_is(top, left):
    w = np.zeros((28, 28))
    w[top : top + 9, left : left + 9] = np.random.default_rng(0).standard_normal((9, 9))
    assert overcomplete.locality(-3 * w.reshape(1, -1), 9) == pytest.approx(1)
    assert overcomplete.locality(w.reshape(1, -1), 8) < 1


def test_locality_of_what_is_spread_out():
    even = np.ones((1, 784))
    assert overcomplete.locality(even, 9) == pytest.approx(81 / 784)
    corners = np.zeros((28, 28))
    corners[[0, 0, 27, 27], [0, 27, 0, 27]] = 1, -1, 1, -1
    assert overcomplete.locality(corners.reshape(1, -1), 9) == pytest.approx(0.25)


def test_locality_is_of_place():
    """The same weights in shuffled places are not local."""
    w = np.zeros((28, 28))
    w[5:14, 5:14] = 1
    shuffled = np.random.default_rng(0).permutation(w.reshape(-1))
    assert overcomplete.locality(shuffled[None], 9) < 0.3


# --- the claims ----------------------------------------------------------------------------------

GOOD = ({"without noise": 0.03}, {"without noise": 0.9}, {"without noise": 0.2, "with noise": 0.05},
        {"at random": 0.2, "without noise": 0.21, "with noise": 0.4})


def test_claims_hold_for_what_the_lecture_says(judged):
    assert list(judged(overcomplete.judge, *GOOD).values()) == 5 * [True]


@pytest.mark.parametrize("part, name, value, fails", [
    (0, "without noise", 0.2, [0]),  # it does not copy
    (1, "without noise", 0.3, [1]),  # it does not copy noise
    (2, "without noise", 0.08, [3]),  # it removes noise without having been trained to
    (2, "with noise", 0.15, [3]),  # training with noise did not help
    (3, "without noise", 0.3, [2]),  # it learned features without noise
    (3, "with noise", 0.22, [4]),  # training with noise gave no features
])
def test_each_claim_can_fail(judged, part, name, value, fails):
    measured = [dict(values) for values in GOOD]
    measured[part][name] = value
    held = judged(overcomplete.judge, *measured).values()
    assert [i for i, h in enumerate(held) if not h] == fails
