"""The demo of sparse autoencoders: what it measures, and a quick run of it."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from demos import sparse  # noqa: E402
from tinyae import Tensor, losses, ops  # noqa: E402


def test_quick_sparse(run_quick):
    metrics, names = run_quick(sparse, "--units", "48", "--l1", "0.3", "--rho", "0.1")
    assert names == {"laplace.png", "l1.png", "kl.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [*2 * ["laplace"], *5 * ["sparse-l1"], *3 * ["sparse-kl"]]
    assert metrics["claims"][0]["value"] < 1e-9 and metrics["claims"][1]["value"] < 1e-12
    assert (metrics["units"], metrics["epochs"]) == (48, 1)
    assert (metrics["l1"]["weight"], metrics["kl"]["rho"]) == (0.3, 0.1)
    for kind in ("l1", "kl"):
        assert all(metrics[kind][name]["squared_error"] > 0 for name in sparse.NAMES)


@pytest.mark.parametrize("rho", ["0", "1", "2", "nan"])
def test_rho_is_a_mean_activation(tmp_path, capsys, rho):
    with pytest.raises(SystemExit):
        sparse.main(["--out", str(tmp_path), "--rho", rho])
    assert f"--rho: must be a finite number above 0 and below 1, not {rho}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- L1 and the prior ----------------------------------------------------------------------------

def test_laplace_prior_is_a_density():
    """It integrates to 1, and is the one of the lecture: p(0) = λ/2, p(1/λ) = p(0)/e."""
    h = np.linspace(-40, 40, 200_001)
    p = np.exp(-sparse.laplace_prior(Tensor(h[:, None]), 0.7).numpy())
    assert abs(p.sum() * (h[1] - h[0]) - 1) < 1e-6
    at = np.exp(-sparse.laplace_prior(Tensor(np.array([[0.0], [1 / 0.7], [-1 / 0.7]])), 0.7).numpy())
    assert np.allclose(at, [0.35, 0.35 / np.e, 0.35 / np.e])


@pytest.mark.parametrize("penalty, holds", [
    (lambda h: 0.5 * losses.l1(h), True),
    (lambda h: losses.l1(h), False),                                     # another weight
    (lambda h: 0.5 * losses.l2(h), False),                               # a Gaussian prior
    (lambda h: 0.5 * ops.sum(ops.relu(h)) / h.shape[0], False),          # forgets the negative half
    (lambda h: 0.5 * losses.l1(h) / h.shape[1], False),                  # a mean over the units
])
def test_only_l1_with_its_weight_agrees_with_the_prior(penalty, holds):
    codes = np.random.default_rng(0).standard_normal((20, 6))
    values, minus_log, gap = sparse.compare(penalty, codes, 0.5, "cpu")
    worst = np.abs(minus_log - values - 6 * np.log(2 / 0.5)).max()
    assert (worst < 1e-12, gap < 1e-12) == (holds, holds)
    assert holds or (worst > 0.1 and gap > 0.1)


# --- what is active ------------------------------------------------------------------------------

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
    encoder, decoder = sparse.relu_networks((4, 4, 1), 9, np.random.default_rng(0))
    weight, rows = encoder.layers[1].weight.numpy(), decoder.layers[0].rows().numpy()
    assert np.allclose(rows, (weight / np.linalg.norm(weight, axis=0)).T, atol=1e-6)
    assert not np.shares_memory(weight, decoder.layers[0].directions.numpy())


# --- mean activations ----------------------------------------------------------------------------

def test_silent_units_are_not_on_target():
    assert sparse.departure(np.zeros(5), 0.01) == (0.01, 0)


def test_departure_does_not_cancel():
    assert sparse.departure(np.array([0.05, 0.05]), 0.05) == (0, 1)
    distance, within = sparse.departure(np.array([0.0, 0.1, 0.06, 0.04]), 0.05)  # their mean is 0.05
    assert distance == pytest.approx(0.03) and within == 0.5
    assert sparse.departure(np.full(8, 0.5), 0.05) == (pytest.approx(0.45), 0)


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
def test_each_claim_on_l1_can_fail(judged, change, fails):
    results = dict(zip(sparse.NAMES, ({**GOOD, **change}, {"active_share": 0.9})))
    assert [i for i, held in enumerate(judged(sparse.judge_l1, results, 18, 15.0)) if not held] == fails


def test_few_units_may_be_active_without_the_penalty_too(judged):
    results = dict(zip(sparse.NAMES, (GOOD, {"active_share": 0.08})))
    assert judged(sparse.judge_l1, results, 18, 15.0) == [True, False, True, True, True]


@pytest.mark.parametrize("distance, within, without, held", [
    (0.003, 1.0, 0.4, [True, True, True]),
    (0.05, 1.0, 0.4, [False, True, True]),
    (0.003, 0.5, 0.4, [True, False, True]),
    (0.003, 1.0, 0.02, [True, True, False]),  # the units are as quiet without the penalty
])
def test_each_claim_on_kl_can_fail(judged, distance, within, without, held):
    results = dict(zip(sparse.NAMES, ({"mean_distance": distance, "share_within": within},
                                      {"mean_distance": without})))
    assert judged(sparse.judge_kl, 0.05, results) == held
