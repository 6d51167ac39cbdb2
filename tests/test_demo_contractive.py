"""The demos of the contractive autoencoder and of its balance: what they measure, and quick runs of them."""

import argparse

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from demos import balance, contractive  # noqa: E402
from demos.harness import Report  # noqa: E402
from tinyae import Tensor, losses, models, nn, ops  # noqa: E402


def rng(seed=0):
    return np.random.default_rng(seed)


def axes_of(n, size, count, seed=0):
    """n orthonormal families of so many directions, as rows."""
    return np.linalg.qr(rng(seed).standard_normal((n, size, count)))[0].swapaxes(1, 2)


@pytest.fixture
def report(tmp_path):
    return Report("here", argparse.Namespace(out=tmp_path, quick=False, seed=0))


def test_quick_contractive(run_quick):
    metrics, names = run_quick(contractive)
    assert names == {"spectrum.png", "directions.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == 5 * ["contractive"]
    assert metrics["epochs"] == 1
    assert set(metrics["number_above_one"]) == {contractive.WITH, contractive.WITHOUT}


def test_quick_balance(run_quick):
    metrics, names = run_quick(balance)
    assert names == {"balance.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == 2 * ["balance"]
    for points in metrics["curves"].values():
        assert [point["lambda"] for point in points] == list(balance.WEIGHTS)
    assert all(point["decoder_to_encoder"] == 1 for point in metrics["curves"][balance.TIED])


# --- singular values and directions --------------------------------------------------------------

def test_decompose_a_linear_encoder():
    """Whose Jacobian is its weight: of known singular values and axes, and the same for each image."""
    dense = nn.Dense(9, 4, rng=rng())
    left, right = axes_of(1, 4, 4)[0], axes_of(1, 9, 4, 1)[0]
    dense.weight.data = (right.T * [3.0, 2.0, 1.0, 0.5]) @ left
    values, axes = contractive.decompose(dense, rng(2).random((5, 9)), "cpu")
    assert np.allclose(values, [3, 2, 1, 0.5])
    assert np.allclose(np.abs((axes * right).sum(axis=2)), 1)


def test_a_step_along_an_axis_moves_the_code_by_its_singular_value():
    encoder = nn.Sequential(nn.Dense(9, 4, rng=rng()), ops.sigmoid)
    for p in encoder.parameters():
        p.data = p.data.astype(float)
    x = rng(1).random((5, 9))
    values, axes = contractive.decompose(encoder, x, "cpu")
    for i in range(4):
        moved, code = (encoder(Tensor(place)).numpy() for place in (x + 1e-6 * axes[:, i], x))
        assert np.allclose(np.linalg.norm(moved - code, axis=1) / 1e-6, values[:, i], rtol=1e-4)


def test_above_one():
    assert contractive.above_one(np.array([[3, 1.1, 1.0, 0.9], [1.5, 0.5, 0, 0]])) == 1.5


def test_captured_known_answers():
    axes, tangents = np.eye(6)[None, :4], np.zeros((1, 6, 2))
    tangents[0, 1, 0] = tangents[0, 5, 1] = 1  # the second axis, and one that is in no axis
    assert np.allclose(contractive.captured(axes, tangents), [0, 0.5, 0.5, 0.5])
    tangents[0, 5, 1], tangents[0, [0, 5], 1] = 0, [0.6, 0.8]
    assert np.allclose(contractive.captured(axes, tangents), [0.18, 0.68, 0.68, 0.68])


def test_captured_by_brute_force_and_by_chance():
    axes, tangents = axes_of(200, 40, 10), axes_of(200, 40, 7, 1).swapaxes(1, 2)
    share = contractive.captured(axes, tangents)
    assert np.allclose(share, np.arange(1, 11) / 40, rtol=0.1)
    parts = [np.linalg.norm(a[:3].T @ (a[:3] @ t), axis=0) ** 2 for a, t in zip(axes, tangents)]
    assert share[2] == pytest.approx(np.mean(parts))


def test_captured_does_not_mix_images():
    axes = axes_of(8, 60, 7)
    tangents = axes.swapaxes(1, 2)
    assert contractive.captured(axes, tangents)[-1] == pytest.approx(1)
    assert contractive.captured(axes, np.roll(tangents, 1, axis=0))[-1] < 0.3


def test_orthonormal_spans_the_moves():
    moves = rng().standard_normal((3, 30, 7)).astype(np.float32)
    basis = contractive.orthonormal(moves)
    assert np.allclose(basis.swapaxes(1, 2) @ basis, np.eye(7))
    for b, m in zip(basis, moves):
        assert np.allclose(b @ (b.T @ m), m, atol=1e-5)


# --- the true tangents ---------------------------------------------------------------------------

def unit(moves):
    return moves / np.linalg.norm(moves, axis=1, keepdims=True)


def test_the_slope_of_the_ink_agrees_with_drawing_again():
    """Two ways to the same directions, one of them without the factors: by name, and in their span."""
    images, drawn = contractive.drawn_again(30, 0)
    same, ink = contractive.moved_ink(images)
    assert same is images and drawn.shape == ink.shape == (30, 784, len(contractive.MOVES))
    cosines = np.abs(unit(drawn).swapaxes(1, 2) @ unit(ink)).mean(axis=0)
    assert (cosines.argmax(axis=1) == np.arange(7)).all()
    drawn, ink = (contractive.orthonormal(moves) for moves in (drawn, ink))
    shares = [contractive.captured(ink.swapaxes(1, 2), np.roll(drawn, by, axis=0))[-1] for by in (0, 1)]
    assert shares[0] > 0.6 > 2 * shares[1]


def test_drawn_again_is_a_derivative():
    """A pixel to the right or down for a pixel of shift, and more ink for a thicker pen."""
    images, moves = contractive.drawn_again(100, 3)
    rows, columns = np.mgrid[:28, :28].reshape(2, -1)
    ink = images.sum(axis=1)
    by = dict(zip(contractive.MOVES, np.moveaxis(moves, 2, 0)))
    for name, moved in (("shift right", (1, 0)), ("shift down", (0, 1))):
        speed = [((by[name] @ places) / ink).mean() for places in (columns, rows)]
        assert np.allclose(speed, moved, atol=0.05)
    length = ink / images.max(axis=1)  # of the line, times its thickness of some pixels
    assert (by["thickness"].sum(axis=1) > length / 5).all()


# --- the claims can fail -------------------------------------------------------------------------

def held(report):
    return [claim["held"] for claim in report.claims]


def test_spectra_judged(report):
    before = np.tile(np.r_[np.full(40, 2.0), np.full(60, 0.5)], (5, 1))
    few = np.tile(np.r_[np.full(5, 2.0), np.full(95, 0.1)], (5, 1))
    for after in (few, before, few / 4):
        contractive.judge_values(report, {contractive.WITHOUT: before, contractive.WITH: after})
    assert held(report) == [True, True, True, False, False, True, True, True, False]


def test_directions_judged(report):
    for own, without, other in ((0.2, 0.05, 0.1), (0.2, 0.15, 0.1), (0.2, 0.05, 0.2)):
        shares = {contractive.WITH: own, contractive.WITHOUT: without, contractive.ELSEWHERE: other}
        contractive.judge_directions(report, {name: np.full(10, share) for name, share in shares.items()})
    assert held(report) == [True, True, False, True, True, False]


def test_balance_judged(report):
    for sensitivity, error in (((9, 3, 1), (1, 2, 3)), ((9, 9, 1), (1, 1, 3)), ((9, 3, 4), (1, 3, 2))):
        points = [{"sensitivity": s, "squared_error": e} for s, e in zip(sensitivity, error)]
        balance.judge(report, points)
    assert held(report) == [True, True, False, False, False, False]


def test_look():
    first, second = nn.Dense(6, 4, rng=rng()), nn.Dense(4, 6, rng=rng(1))
    model = models.Autoencoder(nn.Sequential(first, ops.sigmoid), second, losses.mse)
    x = rng(2).random((7, 6), np.float32)
    seen = balance.look(model, x, "cpu")
    h = 1 / (1 + np.exp(-(x @ first.weight.data)))
    jacobians = (h * (1 - h))[:, :, None] * first.weight.data.T
    assert seen["sensitivity"] == pytest.approx((jacobians**2).sum() / 7, rel=1e-5)
    assert seen["squared_error"] == pytest.approx(((h @ second.weight.data - x) ** 2).sum() / 7, rel=1e-5)
    norms = [np.linalg.norm(layer.weight.data) for layer in (second, first)]
    assert seen["decoder_to_encoder"] == pytest.approx(norms[0] / norms[1], rel=1e-5)


def test_every_weight_begins_alike():
    args = argparse.Namespace(seed=0, device="cpu")
    images = rng().random((4, 784), np.float32)
    states = [contractive.fitted(images, weight, 0, args, tied).state_dict()
              for weight, tied in ((0, True), (10, True), (0, False), (10, False))]
    for a, b in (states[:2], states[2:]):
        assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
    assert len(states[2]) == len(states[0]) + 1  # a decoder's weight of its own
