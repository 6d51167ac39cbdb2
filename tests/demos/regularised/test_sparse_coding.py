"""The demo of predictive sparse decomposition: what it measures, and a quick run of it."""

import math

import numpy as np
import pytest

from demos.regularised import sparse_coding
from tinyae import Tensor, gradcheck


def test_quick_run(run_quick):
    metrics, names = run_quick(sparse_coding, "--atoms", "30", "--sparsity", "0.4")
    assert names == {"dictionary.png", "reconstructions.png", "time.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["psd", "psd.gain", "psd.time"]
    measured = metrics["measured"]
    assert (measured["atoms"], measured["sparsity"], metrics["epochs"]) == (30, 0.4, 1)
    values = [measured["objective"][str(steps)] for steps in sparse_coding.STEPS]
    assert values[-1] < values[0] < measured["zero"]
    assert 0 < measured["active_share"]["inferred"] < 1


def test_an_encoder_before_training_gains_nothing(run_quick):
    """So the claim can fail: the untrained encoder's code is worse than the code 0."""
    metrics, _ = run_quick(sparse_coding, "--epochs", "0")
    missed, gain, _ = (c["value"] for c in metrics["claims"])
    assert metrics["measured"]["predicted"] == metrics["measured"]["untrained"] and gain < 0 and missed > 0.5


def test_shrinkage():
    layer = sparse_coding.Shrink(5)
    a = np.array([[-2.0, -0.05, 0.0, 0.1, 0.75]], np.float32)
    expected = np.sign(a) * np.maximum(np.abs(a) - np.float32(0.1), 0)
    np.testing.assert_array_equal(layer(Tensor(a)).data, expected)
    layer.threshold = Tensor(np.linspace(0.1, 0.5, 5), requires_grad=True)
    gradcheck(layer, [a.astype(np.float64)[:, [0, 4, 0, 4, 0]]])


@pytest.fixture
def small(a_run):
    """A run, a model of 12 atoms for images of six pixels, and four such images."""
    run = a_run(sparse_coding, "--atoms", "12", "--sparsity", "0.3")
    model = sparse_coding.decomposition((3, 2, 1), run.options, run.rng("weights"))
    return run, model, run.rng("images").random((4, 3, 2, 1), np.float32)


def test_the_objective_is_the_formula(small):
    run, model, images = small
    codes = run.rng("codes").standard_normal((4, 12)).astype(np.float32)
    atoms = model.dictionary().data
    each = [0.5 * ((x.ravel() - h @ atoms) ** 2).sum() + 0.3 * np.abs(h).sum() for x, h in zip(images, codes)]
    value = sparse_coding.objective(run, model, images, lambda x: Tensor(codes))
    assert value == pytest.approx(np.mean(each), rel=1e-5)


def test_each_way_is_timed(small):
    seconds = sparse_coding.timed(*small)
    assert set(seconds) == {"encoder", *sparse_coding.STEPS} and min(seconds.values()) > 0


@pytest.mark.parametrize("missed, gain, longer, fails", [
    (0.15, 0.95, 5.0, []),
    (1.1, 0.95, 5.0, [0]),  # another code
    (0.15, 0.5, 5.0, [1]),  # a worse one
    (0.15, 0.95, 1.2, [2]),  # no faster
    (0.15, math.nan, 5.0, [1]),  # where the code 0 is the best
])
def test_each_claim_can_fail(judged, missed, gain, longer, fails):
    held = judged(sparse_coding.judge, missed, gain, 20, longer).values()
    assert [i for i, h in enumerate(held) if not h] == fails
