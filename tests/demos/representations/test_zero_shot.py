"""The demo of zero-shot learning: its kinds and descriptions, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos import run
from demos.representations import zero_shot


def test_quick_run(run_quick, monkeypatch):
    asked, fit = [], run.Run.fit
    monkeypatch.setattr(run.Run, "fit", lambda *args, **more: asked.append(more.get("epochs")) or fit(*args, **more))
    metrics, names = run_quick(zero_shot, "--epochs", "4")
    assert asked == [3, 3, None, 3, 3]  # each but the conditional VAE is trained for three quarters of them
    assert names == {"accuracy.png", "faces.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["zero-shot", "zero-shot.generation", "zero-shot.bridge",
                                                    "zero-shot.all"]
    accuracy = metrics["measured"]["accuracy"]
    assert set(accuracy) == {"embedding", "exchanged", "generation"}
    assert all(set(way) == {"8", "32"} and way["8"]["seen"] == 0 for way in accuracy.values())


def test_each_attribute_of_an_unseen_kind_is_seen_in_others():
    described, unseen = zero_shot.DESCRIPTIONS, zero_shot.UNSEEN
    assert described.shape == (32, 7) and len(np.unique(described, axis=0)) == 32 and unseen.sum() == 8
    worn, hair = described[:, :3], described[:, 3:]
    assert len(np.unique(worn[unseen], axis=0)) == 8 and (hair.sum(axis=1) == 1).all()
    assert (worn[~unseen].sum(axis=0) == 12).all() and hair[~unseen].sum(axis=0).min() >= 5


def test_people_are_of_their_kinds():
    images, kinds = zero_shot.people(20, np.array([3, 30]), np.random.default_rng(0))
    assert images.shape == (20, 3072) and set(kinds) == {3, 30}
    again, same = zero_shot.people(20, np.array([3, 30]), np.random.default_rng(0))
    assert (again == images).all() and (same == kinds).all()
    hat = images.reshape(20, 32, 32, 3)[:, 5, 16]  # above the forehead: blue where there is one
    assert ((hat[:, 2] > hat[:, 0]) == (kinds == 30)).all() and zero_shot.KINDS[30, 2] == 1


def test_the_harmonic_mean_is_high_where_both_are():
    assert zero_shot.harmonic_mean(0.5, 0.5) == 0.5 and zero_shot.harmonic_mean(1, 0) == 0
    assert zero_shot.harmonic_mean(0.2, 0.6) == pytest.approx(0.3) and zero_shot.harmonic_mean(0, 0) == 0


def accuracy(few, unseen, seen):
    return {8: {"unseen": few, "seen": 0.0}, 32: {"unseen": unseen, "seen": seen}}


RIGHT = {"embedding": accuracy(0.9, 0.7, 0.8), "exchanged": accuracy(0.1, 0.0, 0.8),
         "generation": accuracy(0.8, 0.6, 0.7)}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"embedding": accuracy(0.69, 0.7, 0.8)}, {"zero-shot"}),
    ({"generation": accuracy(0.4, 0.6, 0.7)}, {"zero-shot.generation"}),
    ({"exchanged": accuracy(0.7, 0.0, 0.8)}, {"zero-shot.bridge"}),
    ({"embedding": accuracy(0.9, 0.1, 0.9)}, {"zero-shot.all"}),
    ({"generation": accuracy(0.8, 0.9, float("nan"))}, {"zero-shot.all"}),
])
def test_each_claim_can_fail(judged, change, missed):
    held = judged(zero_shot.judge, RIGHT | change, 8, 32)
    assert {id for id, held in held.items() if not held} == missed
