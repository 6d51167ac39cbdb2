"""The demo of L1 on a code: what it measures, and a quick run of it."""

import numpy as np
import pytest

from demos.regularised import sparse
from tinyae import Tensor


def test_quick_run(run_quick):
    metrics, names = run_quick(sparse, "--units", "48", "--l1", "0.3")
    assert names == {"l1.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [f"sparse-l1{word}" for word in
                                                    ("", ".fewer", ".which", ".used", ".error")]
    measured = metrics["measured"]
    assert (measured["units"], measured["weight"], metrics["epochs"]) == (48, 0.3, 1)
    assert all(measured[name]["squared_error"] > 0 for name in sparse.NAMES)


def test_overlap_against_sets():
    rng = np.random.default_rng(0)
    active, labels = rng.random((30, 12)) < 0.15, rng.integers(0, 3, 30)
    active[:3] = False  # empty sets, which must not divide by zero
    found = {True: [], False: []}
    for i in range(30):
        for j in range(30):
            if i != j:
                a, b = (set(np.flatnonzero(active[k])) for k in (i, j))
                found[bool(labels[i] == labels[j])].append(len(a & b) / len(a | b) if a | b else 1)
    assert np.allclose(sparse.overlap(active, labels), [np.mean(found[True]), np.mean(found[False])])


def test_overlap_tells_a_choice_by_digit_from_none():
    labels = np.repeat(np.arange(5), 20)
    assert sparse.overlap(labels[:, None] == np.arange(5), labels) == (1, 0)
    for same_for_all in (np.arange(8) < 2, np.zeros(8, bool)):  # two units for every image, or none at all
        assert sparse.overlap(np.tile(same_for_all, (100, 1)), labels) == (1, 1)
    at_random = np.random.default_rng(0).random((100, 200)) < 0.1
    same, different = sparse.overlap(at_random, labels)
    assert abs(same / different - 1) < 0.05


def test_activity_sees_dead_units_and_units_that_never_rest():
    labels = np.arange(400) % 10
    active = np.zeros((400, 8), bool)
    active[:, 0] = True   # for every image
    active[:4, 1] = True  # for exactly 1% of them
    active[:3, 2] = True  # for less
    measured = sparse.activity(active, labels)
    assert measured["used_share"] == 0.25 and measured["active_share"] == 407 / 3200
    assert (measured["overlap_same"], measured["overlap_different"]) == sparse.overlap(active, labels)


def test_units_are_ordered_by_their_digit():
    labels = np.array([0, 0, 1, 1, 2, 2])
    active = np.zeros((6, 5), bool)
    active[4:, 0] = active[4, 4] = True  # units 0 and 4 prefer digit 2, and 0 more so
    active[:1, 1] = True                 # unit 1 prefers digit 0
    active[1:4, 3] = True                # unit 3 prefers digit 1; unit 2 is never active
    assert sparse.by_digit(active, labels).tolist() == [1, 3, 0, 4, 2]


def test_rows_have_length_one_so_that_scale_cannot_evade_the_penalty():
    rng = np.random.default_rng(0)
    directions, h = rng.standard_normal((7, 30)), Tensor(rng.random((4, 7)))
    decoder, larger = sparse.UnitRows(directions), sparse.UnitRows(100 * directions)
    assert np.allclose(np.linalg.norm(decoder.rows().numpy(), axis=1), 1)
    assert np.allclose(decoder(h).numpy(), larger(h).numpy())
    assert np.allclose(decoder(h).numpy(), h.numpy() @ decoder.rows().numpy())
    assert len(decoder.parameters()) == 2


def test_decoder_starts_along_the_encoder():
    model = sparse.autoencoder((4, 4, 1), 9, [], np.random.default_rng(0))
    weight, decoder = model.encoder.layers[1].weight.numpy(), model.decoder
    rows = decoder.layers[0].rows().numpy()
    assert np.allclose(rows, (weight / np.linalg.norm(weight, axis=0)).T, atol=1e-6)
    assert not np.shares_memory(weight, decoder.layers[0].directions.numpy())


GOOD = {"active_share": 0.07, "overlap_same": 0.14, "overlap_different": 0.06, "used_share": 0.7,
        "squared_error": 9.0}


@pytest.mark.parametrize("change, fails", [
    ({}, []),
    ({"active_share": 0.2}, [0]),
    ({"overlap_different": 0.13}, [2]),  # the same units whatever the digit
    ({"overlap_same": 0.0, "overlap_different": 0.0}, [2]),
    ({"used_share": 0.1}, [3]),
    ({"squared_error": 20.0}, [4]),
])
def test_each_claim_can_fail(judged, change, fails):
    results = dict(zip(sparse.NAMES, ({**GOOD, **change}, {"active_share": 0.9})))
    assert [i for i, held in enumerate(judged(sparse.judge, results, 18, 15.0).values()) if not held] == fails


def test_few_units_may_be_active_without_the_penalty_too(judged):
    results = dict(zip(sparse.NAMES, (GOOD, {"active_share": 0.08})))
    assert list(judged(sparse.judge, results, 18, 15.0).values()) == [True, False, True, True, True]
