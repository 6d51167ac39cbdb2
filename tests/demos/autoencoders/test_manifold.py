"""The demo of the sheets in space: its measures, the way outwards, the penalty, and a quick run."""

import numpy as np
import pytest

from demos.autoencoders import manifold
from demos.measures import r_squared
from tinyae import Tensor, data, grad, gradcheck, nn


def rng(seed=0):
    return np.random.default_rng(seed)


def sheet(n=600, seed=0):
    """Places on a sheet of 6 × 1.5."""
    return rng(seed).uniform(0, (6, 1.5), (n, 2))


def test_quick_manifold(run_quick):
    metrics, names = run_quick(manifold, "--stages", "5")
    assert names == {"manifold.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [f"manifold{word}" for word in (
        "", ".neighbours", ".error", ".pca")]
    measured = metrics["measured"]
    assert (measured["stages"], measured["lengths"]) == (5, 0.1)
    for name in manifold.SHEETS:
        assert set(measured[name]) == {"PCA", "plain autoencoder", "aided autoencoder"}
        assert measured[name]["PCA"]["r2"] < 0.5


# --- the measures --------------------------------------------------------------------------------

def scores(h, places, half=300):
    fitted = manifold.cubic_fit(h[:half], places[:half])(h[half:])
    return np.array([r_squared(t, place) for t, place in zip(fitted.T, places[half:].T)])


def turned(places):
    return places @ [[0.6, 0.8], [-0.8, 0.6]] * 3 + 7


def test_a_turned_and_gently_bent_code_passes():
    places = sheet()
    bent = turned(places)
    bent[:, 1] += 0.05 * bent[:, 0] ** 2
    for h in (places, turned(places), bent):
        assert scores(h, places).min() > 0.99
        assert manifold.neighbours_kept(h, places) > 0.95


def test_a_folded_a_torn_and_a_shuffled_code_fail():
    places = sheet()
    folded = np.stack((np.abs(places[:, 0] - 3), places[:, 1]), axis=1)
    torn = np.stack(((places[:, 0] * 5 // 3 * 4 + places[:, 0]) % 6, places[:, 1]), axis=1)
    lost = np.stack((places[:, 0], 1e-3 * rng(1).standard_normal(len(places))), axis=1)
    for h in (folded, torn, lost, rng(2).permutation(places)):
        assert scores(h, places).min() < 0.6
    for h in (folded, lost, rng(2).permutation(places)):
        assert manifold.neighbours_kept(h, places) < 0.75


def test_r_squared_by_hand():
    truth = np.array([0.0, 2, 4])
    assert r_squared(truth, truth) == 1
    assert r_squared(np.full(3, 2.0), truth) == pytest.approx(0)
    assert r_squared(truth + 1, truth) == pytest.approx(1 - 3 / 8)


def test_neighbours_by_brute_force():
    h, places = rng(3).standard_normal((80, 2)), rng(4).standard_normal((80, 2))
    kept = []
    for i in range(80):
        in_code, on_sheet = (np.argsort(np.linalg.norm(a - a[i], axis=1))[1:] for a in (h, places))
        kept.append(len(set(in_code[: manifold.NEAR]) & set(on_sheet[: manifold.AROUND])) / manifold.NEAR)
    assert manifold.neighbours_kept(h, places) == pytest.approx(np.mean(kept))


def test_measure_of_a_perfect_model_and_of_one_without_a_code():
    draws = rng(5)
    train, held_out = data.s_curve(300, draws), data.s_curve(300, draws)
    place_of = {x.tobytes(): place for x, place in zip(*map(np.concatenate, zip(train, held_out)))}
    perfect = manifold.measure(lambda x: np.stack([place_of[row.tobytes()] for row in x]), lambda x: x,
                               train, held_out)
    assert perfect == {"r2": pytest.approx(1), "neighbours": 1, "error": 0}
    mean = held_out[0].mean(axis=0)
    blind = manifold.measure(lambda x: draws.standard_normal((len(x), 2)), lambda x: 0 * x + mean,
                             train, held_out)
    assert blind["r2"] < 0.1 and blind["neighbours"] < 0.3 and blind["error"] == pytest.approx(1)


# --- from the middle outwards --------------------------------------------------------------------

def test_hops_on_a_chain_and_out_of_reach():
    near = np.array([[0, 1], [1, 2], [2, 3], [3, 2], [4, 4]])
    assert manifold.hops(near, 0).tolist() == [0, 1, 2, 3, 5]
    assert manifold.hops(near, 3).tolist() == [3, 2, 1, 0, 5]  # against the arrows, too
    assert manifold.hops(near, 4).tolist() == [5, 5, 5, 5, 0]


@pytest.mark.parametrize("name", ["s_curve", "swiss_roll"])
def test_outwards_begins_in_the_middle_and_ends_at_the_ends(name):
    x, places = getattr(data, name)(1500, rng())
    order = manifold.outwards(x)
    assert np.array_equal(np.sort(order), np.arange(len(x)))
    along = places[:, 0] - (places[:, 0].min() + places[:, 0].max()) / 2
    half = np.abs(along).max()
    assert abs(along[order[0]]) < 0.2 * half
    assert np.abs(along[order[:150]]).max() < 0.4 * half
    assert np.abs(along[order[-30:]]).min() > 0.7 * half


# --- the penalty ---------------------------------------------------------------------------------

def linear(weight):
    layer = nn.Dense(2, 3, rng=rng())
    layer.weight.data[...] = weight
    return layer


@pytest.mark.parametrize("stretch", [0.0, 0.5, 1.0, 3.0])
def test_the_penalty_of_a_plane_is_that_of_its_stretch(stretch):
    """For g(h) = s · h in some plane, E (s ‖δ‖ - ‖δ‖)² / σ² = 2 (s - 1)²."""
    plane = np.linalg.qr(rng(6).standard_normal((3, 2)))[0].T
    h = Tensor(rng(7).standard_normal((20_000, 2)).astype(np.float32))
    penalty = manifold.keep_lengths(linear(stretch * plane), 0.7)
    expected = 1.4 * (stretch - 1) ** 2
    assert penalty(h, None, None, rng(8)).item() == pytest.approx(expected, rel=0.05, abs=1e-6)


def test_the_penalty_trains_the_decoder():
    decoder = manifold.network(2, 3, rng())
    weight = decoder.layers[0].weight
    h = Tensor(rng(1).standard_normal((5, 2)).astype(np.float32))
    gradient, = grad(manifold.keep_lengths(decoder, 1.0)(h, None, None, rng()), [weight])
    assert np.abs(gradient.numpy()).max() > 0
    gradcheck(lambda rows: manifold.norms(rows).sum(), [rng(2).standard_normal((4, 3))])


def test_fit_uses_its_aids(a_run):
    """Either aid leads from the same start to other weights."""
    run = a_run(manifold, "--epochs", "5")
    x, _ = data.s_curve(200, rng())
    weights = [manifold.fit(run, x, weight, stages).encoder.layers[0].weight.numpy()
               for weight, stages in ((0.0, 1), (0.1, 1), (0.0, 4), (0.1, 4))]
    assert all(not np.array_equal(a, b) for i, a in enumerate(weights) for b in weights[:i])


def test_no_epochs_train_nothing_and_more_stages_than_points_do_no_harm(a_run):
    x, _ = data.s_curve(60, rng())
    start = manifold.network(3, 2, a_run(manifold).rng("weights")).layers[0].weight.numpy()
    for epochs, stages, same in (("0", 4, True), ("1", 100, False)):
        model = manifold.fit(a_run(manifold, "--epochs", epochs), x, 0.1, stages)
        assert np.array_equal(model.encoder.layers[0].weight.numpy(), start) == same


# --- the claims ----------------------------------------------------------------------------------

GOOD = {"r2": 0.99, "neighbours": 0.97, "error": 0.001}


@pytest.mark.parametrize("sheet", manifold.SHEETS)
@pytest.mark.parametrize("kind, number, value, fails", [
    (manifold.AIDED, "r2", 0.99, None),
    (manifold.AIDED, "r2", 0.9, "manifold"),
    (manifold.AIDED, "r2", float("nan"), "manifold"),
    (manifold.AIDED, "neighbours", 0.8, "manifold.neighbours"),
    (manifold.AIDED, "error", 0.02, "manifold.error"),
    (manifold.LINEAR, "r2", 0.6, "manifold.pca"),
])
def test_each_claim_can_fail_on_either_sheet(judged, sheet, kind, number, value, fails):
    measured = {name: {manifold.LINEAR: {"r2": 0.3}, manifold.AIDED: dict(GOOD)} for name in manifold.SHEETS}
    measured[sheet][kind][number] = value
    held = judged(manifold.judge, measured)
    assert [id for id, holds in held.items() if not holds] == ([fails] if fails else [])
