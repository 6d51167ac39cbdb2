"""The demo of the face autoencoder: what it measures, quick runs of it, and claims that can fail."""

import numpy as np
import pytest

from demos import portraits
from demos.convolutional import faces
from demos.run import Images

KEPT = {name: 0.8 for name in portraits.COLUMNS}


def test_quick_run(run_quick):
    metrics, names = run_quick(faces, "--code", "5")
    assert names == {"reconstructions.png", "kept.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["faces", "faces.expression", "faces.person"]
    assert metrics["measured"]["code"] == 5 and set(metrics["measured"]["kept"]) == {"autoencoder", "PCA"}


def test_with_photographs(run_quick, noisy_photographs):
    """No factors of a photograph are known, so that nothing of them is claimed."""
    metrics, names = run_quick(faces, "--data", "cifar10")
    assert names == {"reconstructions.png", "metrics.json"}
    assert [(c["id"], c["at_most"]) for c in metrics["claims"]] == [("faces", 1.0)]
    assert metrics["data"] == "cifar10"


def test_what_is_kept_is_what_the_code_holds():
    """A code of every factor but the glasses, of faces that all stand in the same place."""
    drawn, factors = portraits.passport(600, np.random.default_rng(0))
    images = Images(drawn[:500], None, factors[:500], drawn[500:], None, factors[500:])
    codes = np.delete(portraits.numbers(factors), portraits.column("glasses"), axis=1)
    kept = faces.what_is_kept(images, codes[:500], codes[500:])
    still = {"light", "shift right", "shift down", "background red", "background green", "background blue"}
    assert set(kept) == set(portraits.COLUMNS) - still
    assert kept.pop("glasses") < 0.1 and min(kept.values()) > 0.99


@pytest.mark.parametrize("error, change, missed", [
    (7, {}, set()),
    (8, {}, {"faces"}),
    (7, {"smile": 0.4}, {"faces.expression"}),
    (7, {"pose": np.nan}, {"faces.expression"}),
    (7, {"skin": 0.4}, {"faces.person"}),
    (7, {"brow": 0.0}, set()),
])
def test_each_claim_can_fail(judged, error, change, missed):
    held = judged(faces.judge, 16, {"autoencoder": error, "PCA": 10}, 0.75, KEPT | change)
    assert {id for id, held in held.items() if not held} == missed
    assert judged(faces.judge, 16, {"autoencoder": error, "PCA": 10}, 0.75, None) == {"faces": error <= 7.5}
