"""Toy manifolds: points on a curve in the plane or a sheet in space, with their true coordinates.

Each function takes (n, rng, noise) and gives (points, coordinates), float32 arrays with n rows. The
points are drawn evenly along the curve or over the sheet, and Gaussian noise of that standard
deviation is then added in all directions. The coordinates are lengths along the manifold, as if it
were unrolled, so a manifold is a map that changes no length.

Each raises ValueError for a negative n or noise.
"""

import math

import numpy as np

LINE_ANGLE = math.pi / 6  # of the line to the first axis
TURNS = (1.5 * math.pi, 4.5 * math.pi)  # the angles where the spiral begins and ends
HEIGHT = 1.5  # of the sheets, across the curve


def line(n, rng, noise=0.2):
    """Correlated Gaussian points in the plane: of variance 1 + noise² along a line, noise² across.

    The line is at 30° to the first axis, which makes it the first principal component.
    """
    t = rng.standard_normal(n)
    return _sample((t * math.cos(LINE_ANGLE), t * math.sin(LINE_ANGLE)), (t,), rng, noise)


def circle(n, rng, noise=0.0):
    """Points on the circle of radius 1 in the plane; the coordinate is the angle, from 0 to 2π."""
    angle = rng.uniform(0, 2 * math.pi, n)
    return _sample((np.cos(angle), np.sin(angle)), (angle,), rng, noise)


def spiral(n, rng, noise=0.0):
    """Points on one and a half turns of a spiral in the plane, which ends at radius 1."""
    length, x, y = _spiral(n, rng)
    return _sample((x, y), (length,), rng, noise)


def swiss_roll(n, rng, noise=0.0):
    """Points in space on a sheet rolled up as the spiral: (x, height, y)."""
    length, x, y = _spiral(n, rng)
    height = rng.uniform(0, HEIGHT, n)
    return _sample((x, height, y), (length, height), rng, noise)


def s_curve(n, rng, noise=0.0):
    """Points in space on a sheet bent as an S of two three-quarter circles: (x, height, y)."""
    t = rng.uniform(-1.5 * math.pi, 1.5 * math.pi, n)
    height = rng.uniform(0, HEIGHT, n)
    return _sample((np.sin(t), height, np.sign(t) * (np.cos(t) - 1)), (t, height), rng, noise)


def _spiral(n, rng):
    """Even draws of the length along the spiral r = angle / last angle, and their points x, y."""
    angles = np.linspace(*TURNS, 2000)
    lengths = (angles * np.sqrt(1 + angles**2) + np.arcsinh(angles)) / (2 * TURNS[1])
    length = rng.uniform(lengths[0], lengths[-1], n)
    angle = np.interp(length, lengths, angles)
    radius = angle / TURNS[1]
    return length - lengths[0], radius * np.cos(angle), radius * np.sin(angle)


def _sample(points, coordinates, rng, noise):
    if not noise >= 0:
        raise ValueError(f"the noise must be at least 0, not {noise}")
    points = np.stack(points, axis=1)
    points = points + noise * rng.standard_normal(points.shape)
    return points.astype(np.float32), np.stack(coordinates, axis=1).astype(np.float32)
