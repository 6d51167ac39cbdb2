"""Digits drawn by code: an unlimited MNIST look-alike that knows how each image was made.

How an image is made:

1. A digit is a few control points on a sheet 20 units high (`GLYPHS`). They are moved a little,
   each image in its own way, and a smooth Catmull-Rom curve through them is the pen's path. The
   curve is linear in its control points, so a path is a matrix product: dots = curve @ points.
2. The factors act on the path, in this order: width stretches it sideways, slant shears it,
   rotation turns it, size scales it to pixels, and shift moves it off the centre of the image.
3. The path is now a row of dots p_i, each standing for a piece of length l_i. A pixel x measures
   its distance d from the path with a soft minimum over the dots,

       exp(-d²/2s²) = Σ_i  l_i / (s √2π) · exp(-|x - p_i|²/2s²),

   scaled so that d = 0 on a long straight line. A Gaussian in two dimensions is a product of two
   in one, exp(-|x - p|²/2s²) = exp(-(row - p_y)²/2s²) · exp(-(column - p_x)²/2s²), so that the sum
   over dots, for all pixels at once, is one small matrix product: rows @ columns.
4. Ink is 1 inside the pen's radius and falls to 0 within about a pixel around it:
   ink = clip((thickness/2 - d)/1.2 + ½, 0, 1).
"""

import math

import numpy as np

from .factors import checked

# Factor: lowest value, the most likely one, highest. A factor is drawn from the triangular
# distribution on these three; a fixed one has to lie between the lowest and the highest.
FACTORS = {
    "slant": (-0.3, 0.1, 0.7),  # radians; > 0 leans the top to the right
    "rotation": (-0.3, 0.0, 0.3),  # radians; > 0 turns anticlockwise
    "thickness": (1.3, 2.1, 4.2),  # pixels, where the ink is at half its darkness
    "size": (13.5, 17.0, 18.5),  # pixels, height of the pen's path before slant and rotation
    "width": (0.7, 1.0, 1.3),  # horizontal stretch, relative to the glyph
    "shift": (-2.0, 0.0, 2.0),  # pixels; (right, down) from the centre
}
FIELDS = np.dtype([("digit", np.int64)] + [
    (name, np.float32, (2,) if name == "shift" else ()) for name in FACTORS])
RANGES = {"digit": (0, 9)} | {name: (low, high) for name, (low, _, high) in FACTORS.items()}

# Every digit in the ways people write it. A point is "x,y" with y downwards, 0 to 20; "/" lifts the
# pen. Points with equal coordinates are one point, so that strokes which meet there stay together.
GLYPHS = {
    0: ["8,0 1,5 1,15 8,20 15,15 15,5 8,0",
        "10,2 5,1 0,8 2,18 9,19 14,12 13,3 7,0 3,3"],
    1: ["2,0 2,10 2,20",
        "1,4 4,0 / 4,0 4,10 4,20",
        "2,4 5,0 / 5,0 5,10 5,20 / 0,20 5,20 10,20"],
    2: ["0,5 3,1 7,0 11,4 9,10 5,15 0,20 / 0,20 6,20 13,19",
        "0,4 5,0 10,3 9,9 6,15 2,19 0,17 2,15 7,18 13,19"],
    3: ["1,3 6,0 11,4 9,8 4,9 / 4,9 10,11 12,15 7,20 0,18",
        "0,1 5,0 11,1 / 11,1 8,5 5,8 / 5,8 11,10 12,15 7,20 0,18"],
    4: ["1,0 0,6 1,11 6,11 12,9 / 12,0 11,10 10,20",
        "8,0 4,6 0,12 / 0,12 7,12 15,11 / 11,4 11,12 10,20",
        "12,0 6,6 0,12 / 0,12 8,12 16,12 / 12,0 12,10 12,20"],
    5: ["12,0 3,0 / 3,0 2,8 / 2,8 8,8 12,12 10,18 5,20 0,18",
        "3,1 2,8 / 2,8 8,8 11,13 9,18 5,20 0,18 / 3,1 8,1 13,0"],
    6: ["9,0 4,4 1,10 1,16 5,20 10,18 11,13 7,10 3,12 1,16",
        "7,0 3,5 0,12 2,18 7,20 11,17 9,13 5,13 2,18"],
    7: ["0,1 7,1 14,0 / 14,0 10,9 6,20",
        "0,2 6,1 12,0 / 12,0 9,10 6,20 / 4,11 8,10 13,10"],
    8: ["11,3 6,0 1,4 6,9 12,15 6,20 0,15 5,10 10,6 11,3",
        "6,0 2,4 6,9 10,4 6,0 / 6,9 1,15 6,20 11,15 6,9"],
    9: ["11,4 6,0 1,5 4,10 9,9 11,4 / 11,4 11,12 10,20",
        "11,3 6,0 1,4 3,9 8,9 11,3 11,11 8,18 2,20"],
}
UNITS_HIGH = 20  # height of a glyph's sheet
PIXELS = 28  # height and width of an image
CENTRE = 14.0  # where MNIST has its centres of mass, counting pixel centres from 0
SPREAD = 0.7  # s of the soft minimum, pixels
EDGE = 1.2  # pixels from full ink to none
WOBBLE = 0.8  # standard deviation of a control point's displacement, glyph units
BLOCK = 64  # images drawn at once: their temporaries fit a processor's cache


def curve_matrices(glyph, spacing=1.0):
    """A glyph's control points (k, 2) and two matrices (m, k) which map them to a row of m dots.

    The first gives the dots' places on the Catmull-Rom curve, the second the vector of the piece of
    curve that each dot stands for, about `spacing` units long.
    """
    strokes = [[tuple(map(int, point.split(","))) for point in stroke.split()]
               for stroke in glyph.split("/")]
    points = list(dict.fromkeys(point for stroke in strokes for point in stroke))
    places, pieces = [], []
    for stroke in strokes:
        closed = stroke[0] == stroke[-1]
        before, after = (stroke[-2], stroke[1]) if closed else (stroke[0], stroke[-1])
        through = [before, *stroke, after]
        for segment in zip(through, through[1:], through[2:], through[3:]):
            count = int(np.ceil(np.hypot(*np.subtract(segment[2], segment[1])) / spacing))
            t = (np.arange(count)[:, None] + 0.5) / count
            place = np.concatenate([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3,
                                    t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1) / 2
            speed = np.concatenate([-1 + 4 * t - 3 * t**2, -10 * t + 9 * t**2,
                                    1 + 8 * t - 9 * t**2, 3 * t**2 - 2 * t], axis=1) / 2
            pick = np.eye(len(points))[[points.index(point) for point in segment]]
            places.append(place @ pick)
            pieces.append(speed @ pick / count)
    return np.array(points), np.concatenate(places), np.concatenate(pieces)


def glyph_table():
    """All variants, padded to one size by dots of length 0, and where each digit has its own."""
    drawn = [curve_matrices(glyph) for digit in range(10) for glyph in GLYPHS[digit]]
    most_points = max(len(points) for points, _, _ in drawn)
    most_dots = max(len(places) for _, places, _ in drawn)
    points = np.zeros((len(drawn), most_points, 2), np.float32)
    curves = np.zeros((len(drawn), 2, most_dots, most_points), np.float32)
    for row, (p, places, pieces) in enumerate(drawn):
        points[row, :len(p)] = p
        curves[row, 0, :len(places), :len(p)] = places
        curves[row, 1, :len(pieces), :len(p)] = pieces
    count = np.array([len(GLYPHS[digit]) for digit in range(10)])
    return points, curves, np.cumsum(count) - count, count


POINTS, CURVES, FIRST_VARIANT, VARIANTS = glyph_table()


def strokes(n, rng, **fixed):
    """Draw n digits as pen strokes, with the factors that made them.

    Parameters: `n`, how many; `rng`, a `numpy.random.Generator`; and any factor by name, a number
    or an array of n, which is then used instead of being drawn: `strokes(100, rng, digit=7)`. To
    fix a factor does not change what is drawn for the others.

    Returns `(images, factors)`. `images` is (n, 28, 28, 1), float32 in [0, 1], white ink on black,
    centred as in MNIST. `factors` is a structured array of length n: `factors["digit"]` int64 in 0
    to 9; `"slant"` and `"rotation"` in radians, `"thickness"` and `"size"` in pixels, `"width"`
    relative to the glyph, all float32; `"shift"` (n, 2), (right, down) in pixels. The
    same index array indexes both. Their ranges: `from tinyae.data.strokes import FACTORS`.

    Raises TypeError for an n that is no integer, an rng that is no Generator, an unknown factor and
    a factor that is no number; ValueError for a negative n and for a factor of a wrong shape or out
    of its range.
    """
    fixed = checked("strokes", n, rng, fixed, FIELDS, RANGES)

    factors = np.empty(n, FIELDS)
    factors["digit"] = rng.integers(0, 10, n)
    for name, (low, typical, high) in FACTORS.items():
        factors[name] = rng.triangular(low, typical, high, factors[name].shape)
    choice = rng.random(n)
    wobble = rng.standard_normal((n, *POINTS.shape[1:]), np.float32)
    for name, value in fixed.items():
        factors[name] = value

    digit = factors["digit"]
    variant = FIRST_VARIANT[digit] + (choice * VARIANTS[digit]).astype(np.int64)
    images = np.empty((n, PIXELS, PIXELS), np.float32)
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        dots, lengths = pen_path(variant[block], wobble[block], factors[block])
        images[block] = ink(dots, lengths, factors["thickness"][block])
    return images[..., None], factors


def pen_path(variant, wobble, factors):
    """Steps 1 and 2: the dots (b, m, 2), as (x, y) in pixels, and their pieces' lengths (b, m)."""
    points = POINTS[variant] + WOBBLE * wobble
    places, pieces = np.moveaxis(CURVES[variant] @ points[:, None], 1, 0)

    slant, rotation = factors["slant"], factors["rotation"]
    scale = factors["size"] / UNITS_HIGH
    cos, sin = scale * np.cos(rotation), scale * np.sin(rotation)
    # Rows are (x, y) with y downwards, hence the signs: stretch and slant, then turn and scale.
    stretch = np.stack([factors["width"], 0 * slant, -np.tan(slant), 1 + 0 * slant], -1)
    turn = np.stack([cos, -sin, sin, cos], -1)
    transform = stretch.reshape(-1, 2, 2) @ turn.reshape(-1, 2, 2)

    dots, pieces = places @ transform, pieces @ transform
    lengths = np.sqrt(np.sum(pieces**2, axis=-1))
    middle = np.sum(dots * lengths[..., None], 1) / np.sum(lengths, 1)[:, None]
    return dots + (CENTRE + factors["shift"] - middle)[:, None], lengths


def ink(dots, lengths, thickness):
    """Steps 3 and 4: the images (b, 28, 28) of paths drawn with a pen of that thickness."""
    grid = np.arange(PIXELS, dtype=np.float32)
    # Beyond exp(-40) nothing changes, and float32 stays clear of slow denormals and of log(0).
    columns, rows = (np.exp(np.maximum((grid - dots[..., axis, None])**2 / (-2 * SPREAD**2), -40))
                     for axis in (0, 1))
    rows *= lengths[..., None] / (SPREAD * math.sqrt(2 * math.pi))
    density = np.swapaxes(rows, 1, 2) @ columns
    distance = np.sqrt(np.maximum(-2 * SPREAD**2 * np.log(density), 0))
    return np.clip((thickness[:, None, None] / 2 - distance) / EDGE + 0.5, 0, 1)
