"""Toy manifolds: the points lie where they should, evenly, and the coordinates are lengths."""

import numpy as np
import pytest

from tinyae import data

TURNS = 1.5 * np.pi, 4.5 * np.pi
HEIGHT = 1.5
KINDS = {"line": (2, 1), "circle": (2, 1), "spiral": (2, 1), "swiss_roll": (3, 2), "s_curve": (3, 2)}
each = pytest.mark.parametrize("name", KINDS)


def make(name, n=2000, seed=0, noise=0.0):
    return getattr(data, name)(n, np.random.default_rng(seed), noise)


@each
def test_shapes_and_seeds(name):
    points, coordinates = make(name, 7)
    axes, dimensions = KINDS[name]
    assert points.shape == (7, axes) and coordinates.shape == (7, dimensions)
    assert points.dtype == coordinates.dtype == np.float32
    same, other = make(name, 7), make(name, 7, seed=1)
    assert np.array_equal(points, same[0]) and np.array_equal(coordinates, same[1])
    assert not np.array_equal(points, other[0])
    assert len(make(name, 0)[0]) == 0


@each
def test_coordinates_are_lengths(name):
    """Neighbours on the manifold are as far apart as their coordinates, in every direction."""
    points, coordinates = (a.astype(float) for a in make(name, 4000))
    compared = 0
    for point, place in zip(points[:200], coordinates[:200]):
        along = np.linalg.norm(coordinates - place, axis=1)
        near = (along > 0.01) & (along < 0.1)
        straight = np.linalg.norm(points - point, axis=1)[near]
        assert np.allclose(straight, along[near], rtol=0.03)
        compared += near.sum()
    assert compared > 1000


def uniform(values, low, high):
    """Kolmogorov and Smirnov: is the distribution function within 1.95 / √n, as in 99.9 % of samples?"""
    places = np.sort((values - low) / (high - low))
    return np.abs(places - np.arange(len(places)) / len(places)).max() < 1.95 / np.sqrt(len(places))


@pytest.mark.parametrize("name, low, high", [
    ("circle", 0, 2 * np.pi), ("s_curve", -1.5 * np.pi, 1.5 * np.pi),
    ("spiral", 0, None), ("swiss_roll", 0, None)])
def test_points_are_even(name, low, high):
    coordinates = make(name)[1]
    if high is None:  # the length of the spiral, by adding up small chords
        angle = np.linspace(*TURNS, 100_000)
        curve = np.stack([angle * np.cos(angle), angle * np.sin(angle)]) / TURNS[1]
        high = np.sqrt((np.diff(curve) ** 2).sum(0)).sum()
    assert uniform(coordinates[:, 0], low, high)
    if name in ("s_curve", "swiss_roll"):
        assert uniform(coordinates[:, 1], 0, HEIGHT)
        assert abs(np.corrcoef(coordinates.T)[0, 1]) < 4 / np.sqrt(len(coordinates))


def test_places():
    (x, y), angle = make("circle")[0].T, make("circle")[1][:, 0]
    assert np.allclose(x**2 + y**2, 1, atol=1e-6)
    assert np.allclose(np.exp(1j * angle), x + 1j * y, atol=1e-6)

    for name, (x, y) in (("spiral", make("spiral")[0].T), ("swiss_roll", make("swiss_roll")[0].T[::2])):
        radius = np.hypot(x, y)
        assert 1 / 3 <= radius.min() and radius.max() <= 1 + 1e-6
        turn = (np.arctan2(y, x) - radius * TURNS[1]) / (2 * np.pi)  # the angle is the radius, scaled
        assert np.allclose(turn, np.round(turn), atol=1e-3)
    for name in ("swiss_roll", "s_curve"):
        points, coordinates = make(name)
        assert np.array_equal(points[:, 1], coordinates[:, 1])

    (x, _, y), t = make("s_curve")[0].T, make("s_curve")[1][:, 0]
    assert np.allclose(x**2 + (y + np.sign(t)) ** 2, 1, atol=1e-5)  # two circles that touch at 0
    assert (y[t > 0] <= 0).all() and (y[t < 0] >= 0).all()


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_noise(noise):
    for name in KINDS:
        n = 3000
        error = (make(name, n, noise=noise)[0] - make(name, n)[0]) / noise
        assert (np.abs(error.mean(0)) < 4 / np.sqrt(n)).all()
        assert (np.abs(error.var(0) - 1) < 4 * np.sqrt(2 / n)).all()
        assert np.array_equal(make(name, n, noise=noise)[1], make(name, n)[1])


def test_the_line_is_the_first_principal_component():
    points, along = make("line", 20_000, noise=0.2)
    values, vectors = np.linalg.eigh(np.cov(points.T))
    assert np.allclose(values, [0.04, 1.04], rtol=4 * np.sqrt(2 / 20_000))
    angle = np.arctan2(*(vectors[::-1, 1] * np.sign(vectors[0, 1])))
    assert angle == pytest.approx(np.pi / 6, abs=0.01)
    assert abs(along.mean()) < 4 / np.sqrt(20_000)
    assert np.array_equal(data.line(5, np.random.default_rng(0))[0], make("line", 5, noise=0.2)[0])


@each
def test_bad_arguments(name):
    with pytest.raises(ValueError, match="the noise must be at least 0, not -0.1"):
        make(name, noise=-0.1)
    with pytest.raises(ValueError):
        make(name, n=-1)
