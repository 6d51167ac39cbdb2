"""The demo of outliers: its small digits, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.latent import outliers
from demos.latent.outliers import BOTH_WAYS, ERROR, LIKELIHOOD


def test_quick_run(run_quick):
    metrics, names = run_quick(outliers)
    assert names == {"areas.png", "likelihoods.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "outlier", "outlier.error", "outlier.one", "outlier.small", "outlier.blank", "outlier.typical"]


def test_shrunk_is_the_drawing_in_the_middle():
    x = np.zeros((2, 28, 28, 1), np.float32)
    x[0, 4, 6] = x[1, 27, 27] = 1
    small = outliers.shrunk(x)
    assert small.shape == x.shape and small.sum() == 2
    assert small[0, 7 + 2, 7 + 3] == small[1, 20, 20] == 1
    assert outliers.shrunk(np.ones((1, 30, 26, 1))).shape == (1, 30, 26, 1)  # halves that are odd


def test_the_scores_of_a_model_that_is_known(a_run):
    """A model that ignores z: ln p(x) is -n ln 2 for n pixels, whatever x is, and the error ¼ each."""
    run = a_run(outliers)
    x = np.float32(np.random.default_rng(0).random((7, 28, 28, 1)) < 0.5)
    model = outliers.models.dense_vae(x.shape[1:], 4, 2, run.rng("weights"))
    for p in model.parameters():
        p.data[...] = 0
    scores, log_p = outliers.scores_of(run, model, x[:3], {"these": x})
    assert log_p["these"] == pytest.approx(np.full(7, -784 * np.log(2)), rel=1e-5)
    assert scores[LIKELIHOOD]["these"] == pytest.approx(-log_p["these"])
    assert scores[ERROR]["these"] == pytest.approx(np.full(7, 784 / 4))
    assert scores[BOTH_WAYS]["these"] == pytest.approx(np.zeros(7), abs=1e-3)


def unseen(one=0.3, other=0.9):
    return [other if digit != 1 else one for digit in range(10)]


def simple(half=(0.1, 0.1), blank=(0.0, 0.0)):
    return {"half-size": half, "blank": blank}


RIGHT = ({LIKELIHOOD: unseen(), ERROR: unseen(), BOTH_WAYS: unseen()},
         {LIKELIHOOD: simple(), ERROR: simple(), BOTH_WAYS: simple(blank=(0.99, 0.99))})


@pytest.mark.parametrize("digits, images, missed", [
    ({}, {}, set()),
    ({LIKELIHOOD: unseen(other=0.7)}, {}, {"outlier"}),
    ({ERROR: unseen(other=0.7)}, {}, {"outlier.error"}),
    ({LIKELIHOOD: unseen(one=0.6)}, {}, {"outlier.one"}),
    ({}, {LIKELIHOOD: simple(half=(0.1, 0.4))}, {"outlier.small"}),
    ({}, {LIKELIHOOD: simple(blank=(0.0, np.nan))}, {"outlier.blank"}),
    ({}, {BOTH_WAYS: simple(blank=(0.99, 0.9))}, {"outlier.typical"}),
])
def test_each_claim_can_fail(judged, digits, images, missed):
    held = judged(outliers.judge, RIGHT[0] | digits, RIGHT[1] | images)
    assert {id for id, ok in held.items() if not ok} == missed
