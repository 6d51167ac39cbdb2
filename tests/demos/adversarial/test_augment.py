"""The demo of augmentation: labels spread to neighbours, who learns from what, and claims that can fail."""

import math

import numpy as np
import pytest

from demos.adversarial import augment


def test_quick_run(run_quick):
    metrics, names = run_quick(augment)
    assert names == {"accuracy.png", "digits.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "augment", "augment.more", "augment.few", "augment.guessed"]
    assert all(np.shape(rows) == (3, 2) for rows in metrics["measured"]["accuracy"].values())
    assert np.shape(metrics["measured"]["guesses_right"]) == (3, 2)


def test_labels_spread_along_neighbours():
    """Two rings of ten that do not touch: one known label fills each; and what is known stays as it is."""
    places = np.arange(10)
    ring = np.stack([(places + 1) % 10, (places - 1) % 10], axis=1)
    neighbours = np.concatenate([ring, ring + 10])
    guessed = augment.guesses(neighbours, np.array([3, 12]), np.array([7, 4]))
    assert guessed.tolist() == [7] * 10 + [4] * 10

    alone = augment.guesses(neighbours, np.array([0, 1, 2, 3, 4, 5, 12]), np.array([7, 7, 2, 7, 7, 7, 4]))
    assert alone[2] == 2 and set(np.delete(alone[:10], 2)) == {7}


def test_the_nearer_known_label_counts_more():
    line = np.clip(np.stack([np.arange(8) - 1, np.arange(8) + 1], axis=1), 0, 7)
    guessed = augment.guesses(line, np.array([0, 7]), np.array([1, 5]))
    assert guessed.tolist() == [1] * 4 + [5] * 4


def test_a_classifier_sees_all_parts_in_equal_shares(a_run, monkeypatch):
    run, seen = a_run(augment), []
    monkeypatch.setattr(run, "fit", lambda model, batch, **options: seen.append(batch))
    few, more = ((np.full((n, 196), k, np.float32), np.full(n, k)) for n, k in ((30, 3), (100, 7)))
    augment.classifier(run, [few], np.random.default_rng(0))
    augment.classifier(run, [few, more], np.random.default_rng(0))
    (alone, its), (images, labels) = seen
    assert len(alone) == len(images) == 10 * augment.BATCH and set(its) == {3}
    assert (labels == 3).sum() == (labels == 7).sum() == len(labels) / 2
    assert np.array_equal(images[:, 0], labels)


def test_each_way_has_its_own_examples(a_run, monkeypatch):
    """Both models know only what they may: of the few labelled examples, or of all with the guesses."""
    told, learned_from = [], []
    monkeypatch.setattr(augment, "drawn_digits", lambda run, x, y, rng: told.append((x, y)) or (len(x), y))
    monkeypatch.setattr(augment, "classifier", lambda run, parts, rng: learned_from.append(parts))
    x, guessed, chosen = np.arange(6.0), np.array([0, 1, 2, 3, 4, 5]), np.array([4, 1])
    networks, drawn = augment.learned(a_run(augment), x, guessed, chosen, None)
    assert [(list(a), list(b)) for a, b in told] == [(list(x), list(guessed)), ([4, 1], [4, 1])]
    assert drawn[augment.DRAWN][0] == 6 and drawn[augment.FROM_FEW][0] == 2
    assert all(list(parts[0][0]) == [4, 1] for parts in learned_from)
    second = {way: parts[1][0] if len(parts) > 1 else None for way, parts in zip(networks, learned_from)}
    assert second.pop(augment.GUESSED) is x
    assert second == {augment.PLAIN: None, augment.DRAWN: 6, augment.FROM_FEW: 2}


def test_drawn_digits_come_kind_by_kind(a_run):
    x = np.random.default_rng(0).random((60, 196), np.float32)
    drawn, asked = augment.drawn_digits(a_run(augment), x, np.arange(60) % 10, np.random.default_rng(1))
    assert drawn.shape == (100, 196) and 0 <= drawn.min() and drawn.max() <= 1
    assert np.bincount(asked).tolist() == [10] * 10


RIGHT = {augment.DRAWN: np.array([0.05, 0.03, 0.01]), augment.GUESSED: np.array([0.06, 0.04, 0.02]),
         augment.FROM_FEW: np.array([0.0, 0.0, -0.01])}


@pytest.mark.parametrize("way, gain, missed", [
    (augment.DRAWN, (0.05, 0.03, 0.01), set()),
    (augment.DRAWN, (0.015, 0.03, 0.0), {"augment"}),
    (augment.DRAWN, (0.05, 0.03, 0.045), {"augment.more", "augment.guessed"}),
    (augment.FROM_FEW, (0.03, 0.02, 0.01), {"augment.few"}),
    (augment.GUESSED, (0.04, 0.02, 0.0), {"augment.guessed"}),
    (augment.DRAWN, (math.nan, 0.03, 0.01), {"augment", "augment.more", "augment.guessed"}),
    (augment.FROM_FEW, (math.nan, 0.0, 0.0), {"augment.few"}),
])
def test_each_claim_can_fail(judged, way, gain, missed):
    held = judged(augment.judge, RIGHT | {way: np.array(gain)})
    assert {id for id, h in held.items() if not h} == missed
