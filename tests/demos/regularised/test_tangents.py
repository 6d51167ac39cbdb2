"""The demo of the directions that a contractive code keeps: what it measures, and a quick run of it."""

import numpy as np
import pytest

from demos.regularised import tangents
from tinyae import Tensor, nn, ops


def rng(seed=0):
    return np.random.default_rng(seed)


def axes_of(n, size, count, seed=0):
    """n orthonormal families of so many directions, as rows."""
    return np.linalg.qr(rng(seed).standard_normal((n, size, count)))[0].swapaxes(1, 2)


def test_quick_run(run_quick):
    metrics, names = run_quick(tangents)
    assert names == {"tangents.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["contractive.tangents", "contractive.place"]
    assert len(metrics["measured"]["share_of_tangents"]) == 4


# --- directions ----------------------------------------------------------------------------------

def test_directions_of_a_linear_encoder(a_run):
    """Its Jacobian is its weight: of known axes, the same for each image."""
    dense = nn.Dense(9, 4, rng=rng())
    left, right = axes_of(1, 4, 4)[0], axes_of(1, 9, 4, 1)[0]
    dense.weight.data = (right.T * [3.0, 2.0, 1.0, 0.5]) @ left
    axes = tangents.directions(a_run(tangents), dense, rng(2).random((5, 9)))
    assert np.allclose(np.abs((axes * right).sum(axis=2)), 1)


def test_steps_along_the_directions_move_the_code_less_and_less(a_run):
    """And at right angles to each other, as those of a singular value decomposition do."""
    encoder = nn.mlp(9, 4, rng=rng(), output=ops.sigmoid)
    for p in encoder.parameters():
        p.data = p.data.astype(float)
    x = rng(1).random((5, 9))
    axes, code = tangents.directions(a_run(tangents), encoder, x), encoder(Tensor(x)).numpy()
    moved = np.stack([encoder(Tensor(x + 1e-6 * axes[:, i])).numpy() - code for i in range(4)], axis=1) / 1e-6
    lengths = np.linalg.norm(moved, axis=2)
    assert (np.diff(lengths, axis=1) < 0).all()
    gram = moved @ moved.swapaxes(1, 2)
    assert np.allclose(gram, lengths[:, :, None] ** 2 * np.eye(4), atol=1e-5)


def test_captured_known_answers():
    axes, true = np.eye(6)[None, :4], np.zeros((1, 6, 2))
    true[0, 1, 0] = true[0, 5, 1] = 1  # the second axis, and one that is in no axis
    assert np.allclose(tangents.captured(axes, true), [0, 0.5, 0.5, 0.5])
    true[0, 5, 1], true[0, [0, 5], 1] = 0, [0.6, 0.8]
    assert np.allclose(tangents.captured(axes, true), [0.18, 0.68, 0.68, 0.68])


def test_captured_by_brute_force_and_by_chance():
    axes, true = axes_of(200, 40, 10), axes_of(200, 40, 7, 1).swapaxes(1, 2)
    share = tangents.captured(axes, true)
    assert np.allclose(share, np.arange(1, 11) / 40, rtol=0.1)
    parts = [np.linalg.norm(a[:3].T @ (a[:3] @ t), axis=0) ** 2 for a, t in zip(axes, true)]
    assert share[2] == pytest.approx(np.mean(parts))


def test_captured_does_not_mix_images():
    axes = axes_of(8, 60, 7)
    true = axes.swapaxes(1, 2)
    assert tangents.captured(axes, true)[-1] == pytest.approx(1)
    assert tangents.captured(axes, np.roll(true, 1, axis=0))[-1] < 0.3


def test_orthonormal_spans_the_moves():
    moves = rng().standard_normal((3, 30, 7)).astype(np.float32)
    basis = tangents.orthonormal(moves)
    assert np.allclose(basis.swapaxes(1, 2) @ basis, np.eye(7))
    for b, m in zip(basis, moves):
        assert np.allclose(b @ (b.T @ m), m, atol=1e-5)


# --- the true tangents ---------------------------------------------------------------------------

def unit(moves):
    return moves / np.linalg.norm(moves, axis=1, keepdims=True)


def test_the_slope_of_the_ink_agrees_with_drawing_again(a_run):
    """Two ways to the same directions, one of them without the factors: by name, and in their span."""
    images, drawn = tangents.drawn_again(a_run(tangents), 30)
    same, ink = tangents.moved_ink(images)
    assert same is images and drawn.shape == ink.shape == (30, 784, len(tangents.MOVES))
    cosines = np.abs(unit(drawn).swapaxes(1, 2) @ unit(ink)).mean(axis=0)
    assert (cosines.argmax(axis=1) == np.arange(7)).all()
    drawn, ink = (tangents.orthonormal(moves) for moves in (drawn, ink))
    shares = [tangents.captured(ink.swapaxes(1, 2), np.roll(drawn, by, axis=0))[-1] for by in (0, 1)]
    assert shares[0] > 0.6 > 2 * shares[1]


def test_drawn_again_is_a_derivative(a_run):
    """A pixel to the right or down for a pixel of shift, and more ink for a thicker pen."""
    images, moves = tangents.drawn_again(a_run(tangents), 100)
    rows, columns = np.mgrid[:28, :28].reshape(2, -1)
    ink = images.sum(axis=1)
    by = dict(zip(tangents.MOVES, np.moveaxis(moves, 2, 0)))
    for name, moved in (("shift right", (1, 0)), ("shift down", (0, 1))):
        speed = [((by[name] @ places) / ink).mean() for places in (columns, rows)]
        assert np.allclose(speed, moved, atol=0.05)
    length = ink / images.max(axis=1)  # of the line, times its thickness of some pixels
    assert (by["thickness"].sum(axis=1) > length / 5).all()


@pytest.mark.parametrize("own, without, other, held", [
    (0.2, 0.05, 0.1, [True, True]), (0.2, 0.15, 0.1, [False, True]), (0.2, 0.05, 0.2, [True, False])])
def test_each_claim_can_fail(judged, own, without, other, held):
    shares = {tangents.WITH: own, tangents.WITHOUT: without, tangents.ELSEWHERE: other, tangents.PCA: 0.3}
    assert list(judged(tangents.judge, shares).values()) == held
