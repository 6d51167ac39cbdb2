"""The demo of compression: its quantisers and JPEG, a quick run, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.representations import compression
from tinyae import Tensor, data

DIGITS, _ = data.strokes(4, np.random.default_rng(0))


def test_quick_run(run_quick):
    metrics, names = run_quick(compression)
    assert names == {"bits.png", "copies.png", "accuracy.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "compression", "compression.pca", "compression.meaning", "compression.jpeg"]
    found = metrics["measured"]["bits_and_errors"]
    assert [bits for bits, _ in found["autoencoder"]] == [4 * units for units in compression.UNITS]


def test_noise_is_as_wide_as_a_step():
    layer, x = compression.NoisySteps(), Tensor(np.zeros(10_000, np.float32))
    assert (layer(x).data == 0.5).all()
    noise = layer.train(np.random.default_rng(0))(x).data - 0.5
    assert np.abs(noise).max() <= 0.5 / compression.LEVELS and abs(noise.mean()) < 1e-3
    assert noise.std() == pytest.approx(1 / compression.LEVELS / math.sqrt(12), rel=0.05)


def test_steps_and_their_bits():
    codes = np.array([[0.0, 0.99 / 16, 1.01 / 16, 0.5, 0.999, 1.0]])
    steps = compression.step_of(codes)
    assert steps.tolist() == [[0, 0, 1, 8, 15, 15]]
    assert compression.bits_of(steps[:, 2:5]).tolist() == [[1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]


def test_bits_go_where_the_error_is():
    assert compression.shares_of_bits(np.array([16.0, 4.0, 1.0, 0.1]), 3).tolist() == [2, 1, 0, 0]
    assert compression.shares_of_bits(np.ones(4), 8).tolist() == [2, 2, 2, 2]


def test_lloyd_is_the_best_quantiser_of_a_gaussian():
    x = np.random.default_rng(0).standard_normal(100_000)
    for levels, error in ((1, 1.0), (2, 0.3634), (4, 0.1175)):  # Max 1960, table I
        centres = compression.lloyd(x, levels)
        nearest = np.abs(x[:, None] - centres).min(axis=1)
        assert (nearest**2).mean() == pytest.approx(error, rel=0.03)
    assert compression.lloyd(np.repeat([0.0, 1.0], 50), 4) == pytest.approx([0, 0, 1, 1])


def test_jpeg_keeps_more_with_more_bytes():
    sizes, errors = [], []
    for quality in (1, 50, 95):
        copy, content = compression.jpeg(DIGITS[0], quality)
        assert copy.shape == (28, 28) and 0 <= copy.min() <= copy.max() <= 1
        sizes.append(len(content))
        errors.append(((copy - DIGITS[0, ..., 0]) ** 2).sum())
    assert sizes == sorted(sizes) and errors == sorted(errors)[::-1] and errors[-1] < 0.1
    grey, least = compression.jpeg(np.full((28, 28, 1), 0.5, np.float32), 50)
    assert np.ptp(grey) == 0 and len(least) < 20  # sixteen blocks without detail; the file has some 300 bytes


def test_stored_bits():
    known, new = compression.stored_bits([b"\x80", b"\x01\xff"], [b""])
    assert known.tolist() == [[1] + [0] * 15, [0] * 7 + [1] * 9] and new.tolist() == [[0] * 16]


ERRORS = {"autoencoder": [(64, 9.0), (128, 5.0), (256, 3.5)], "PCA": [(64, 12.0), (128, 7.0), (256, 3.8)],
          "JPEG": [(290.0, 8.5), (1500.0, 0.3), (2400.0, 0.05)]}


@pytest.mark.parametrize("errors, read, missed", [
    ({}, {}, set()),
    ({"JPEG": [(290.0, 6.0), (2400.0, 0.05)]}, {}, {"compression"}),
    ({"JPEG": [(250.0, 8.5), (2400.0, 0.05)]}, {}, {"compression"}),  # of fewer bits than the code
    ({"PCA": [(128, 5.2)]}, {}, {"compression.pca"}),
    ({}, {"JPEG": 0.7}, {"compression.meaning"}),
    ({}, {"JPEG": float("nan")}, {"compression.meaning"}),
    ({"JPEG": [(290.0, 8.5), (2400.0, 2.0)]}, {}, {"compression.jpeg"}),
])
def test_each_claim_can_fail(judged, errors, read, missed):
    held = judged(compression.judge, ERRORS | errors, {"autoencoder": 0.86, "JPEG": 0.33} | read)
    assert {id for id, ok in held.items() if not ok} == missed
