"""Faces drawn by code: small colour portraits whose factors of variation are known.

How a face comes about, step by step; each step is a function below.

1. Who it is: `identity` is an integer, and the factors that make a person (the width of the face,
   the skin, the hair, ...) are pseudo-random numbers computed from it alone. Everything else
   (expression, pose, light, what is worn) is drawn anew for every picture.
2. Turning the head: it is an ellipsoid, w(y) wide in the row y. The pixel x sees it at the angle
   arcsin(x / w), so that once it has turned by φ the pixel shows the place

       u = w · (arcsin(x / w) - φ)

   of its surface, where u = 0 is the line through nose and chin. Features are drawn in (u, y); that
   they move and foreshorten, and vanish around the far side, follows.
3. Painting, from back to front. A shape is a function d(x, y), negative inside: about the distance
   in pixels to its border. It covers the share clip(½ - d/1.2, 0, 1) of a pixel, which makes soft
   edges, and a layer of paint is  image ← image + cover · (colour - image).
4. Light from the side multiplies the person, not the background, by 0.9 + 0.3·light·n - 0.1·n²: n, the
   sideways part of the surface's normal, runs from -1 to 1 across the head.
"""

from types import SimpleNamespace

import numpy as np

from ..backend import keep_freed_memory
from .factors import checked

HAIR_COLOURS = ("black", "brown", "blond", "red")
# Factor: its lowest and highest value, between which it is drawn evenly; or k: kinds 0 to k - 1.
FACTORS = {
    "smile": (-1.0, 1.0),  # corners of the mouth down ... up
    "pose": (-1.0, 1.0),  # the head turned to the picture's left ... right
    "light": (-1.0, 1.0),  # from the picture's left ... right
    "shift": (-2.0, 2.0),  # pixels; (right, down) from the centre
    "background": (0.4, 0.95),  # (red, green, blue)
    "glasses": 2,
    "beard": 2,
    "hat": 2,
    "hair_colour": len(HAIR_COLOURS),
    "hair_length": (0.0, 1.0),  # cropped ... to the shoulders
    "face_width": (6.4, 8.4),  # pixels, from the middle to the side
    "skin": (0.0, 1.0),  # light ... dark
    "eye_distance": (2.9, 3.9),  # pixels, from the middle to an eye
    "eye_colour": (0.0, 1.0),  # brown ... green ... blue
    "nose_length": (2.0, 4.6),  # pixels
    "brow": (0.5, 1.7),  # pixels, how thick
}
PERSON = ("hair_colour", "hair_length", "face_width", "skin",  # what the identity decides
          "eye_distance", "eye_colour", "nose_length", "brow")
SHAPES = {"shift": (2,), "background": (3,)}  # of the factors that are more than a number
FIELDS = np.dtype([("identity", np.int64)] + [
    (name, np.int64 if isinstance(bounds, int) else np.float32, SHAPES.get(name, ()))
    for name, bounds in FACTORS.items()])
RANGES = {"identity": (0, 2**63 - 1)} | {
    name: (0, bounds - 1) if isinstance(bounds, int) else bounds for name, bounds in FACTORS.items()}

SKIN = ((0.99, 0.85, 0.74), (0.80, 0.57, 0.41), (0.45, 0.29, 0.20))  # colours at 0, 1/2 and 1
IRIS = ((0.33, 0.18, 0.08), (0.25, 0.50, 0.25), (0.20, 0.48, 0.85))
HAIR = np.array([(0.09, 0.08, 0.09), (0.38, 0.22, 0.11), (0.93, 0.78, 0.42), (0.76, 0.31, 0.10)], np.float32)
WHITE, BLACK, SHIRT = (0.97, 0.97, 0.96), (0.07, 0.07, 0.08), (0.25, 0.42, 0.45)
LIPS, MOUTH_INSIDE = (0.60, 0.10, 0.14), (0.20, 0.04, 0.06)
HAT, BRIM = (0.16, 0.27, 0.62), (0.10, 0.17, 0.42)
PIXELS = 32  # height and width of an image
CENTRE = (15.5, 14.5)  # (column, row) of the middle of an unshifted head, counting pixel centres from 0
HEIGHT = 9.3  # from the middle of the head to the chin
MOUTH = 3.7  # from the middle to a corner, when it does not smile
TURN = 0.6  # radians, of a head turned all the way
EDGE = 1.2  # pixels from full paint to none
BLOCK = 32  # images drawn at once: their temporaries fit a processor's cache


def faces(n, rng, **fixed):
    """Draw n faces, with the factors that made them.

    Parameters: `n`, how many; `rng`, a `numpy.random.Generator`; and any factor by name, a number
    (three for the background, two for the shift) or an array of n, which is then used instead of
    being drawn. To fix a factor does not change what is drawn for the others, so that two calls with
    equal generators give pairs that differ in one factor alone:

        sad, happy = (faces(9, np.random.default_rng(0), smile=s)[0] for s in (-1, 1))

    `identity`, an integer from 0, is who it is: equal numbers have equal hair, face width, skin,
    eyes, nose and brows, in every call and whatever the rng, unless one of these is fixed too; what
    they wear, a beard among it, changes from picture to picture.

    Returns `(images, factors)`. `images` is (n, 32, 32, 3), float32 in [0, 1]. `factors` is a
    structured array of length n, one field for each name in `FACTORS` and `identity`: int64 for the
    identity and for what comes in kinds (glasses, beard and hat: 0 or 1; hair_colour: 0 to 3, as in
    `HAIR_COLOURS`), float32 for the others; `"shift"` is (n, 2), `"background"` (n, 3). The same
    index array indexes both. Ranges and units: `from tinyae.data.faces import FACTORS`.

    Raises TypeError for an n that is no integer, an rng that is no Generator, an unknown factor and
    a factor of a wrong type; ValueError for a negative n and for a factor of a wrong shape or out
    of its range.
    """
    fixed = checked("faces", n, rng, fixed, FIELDS, RANGES)
    factors = draw_factors(n, rng, fixed)
    images = np.empty((n, PIXELS, PIXELS, 3), np.float32)
    keep_freed_memory()  # or else the many temporaries double the time
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        images[block] = portrait(factors[block]).transpose(1, 2, 3, 0)
    return images, factors


def draw_factors(n, rng, fixed):
    """Step 1: the factors of n faces, those that are fixed and those that are drawn."""
    factors = np.empty(n, FIELDS)
    factors["identity"] = rng.integers(0, 2**62, n)
    for name in FACTORS:
        if name not in PERSON:
            factors[name] = between(FACTORS[name], rng.random(factors[name].shape))
    if "identity" in fixed:
        factors["identity"] = fixed["identity"]
    for index, name in enumerate(PERSON):
        factors[name] = between(FACTORS[name], scrambled(factors["identity"], index))
    for name, value in fixed.items():
        factors[name] = value
    return factors


def between(bounds, share):
    """Numbers in [0, 1) spread over a factor's range, or over its kinds."""
    if isinstance(bounds, int):
        return (share * bounds).astype(np.int64)
    low, high = bounds
    return low + (high - low) * share


def scrambled(identity, index):
    """For every integer a number in [0, 1) that looks random: the index-th of SplitMix64 seeded with it.

    Source: Steele, Lea & Flood, Fast splittable pseudorandom number generators (2014), figure 17.
    """
    z = identity.astype(np.uint64) + np.uint64(((index + 1) * 0x9E3779B97F4A7C15) % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def portrait(factors):
    """Steps 2 to 4: the images (3, b, 32, 32) of b faces."""
    face = surface(factors)
    canvas = Canvas.of(factors["background"], face)
    for part, rows in PARTS.items():
        part(canvas.strip(rows), strip(face, rows))
    sideways = np.clip(face.x / (face.face_width + 1), -1, 1)
    return canvas.lit(0.9 + 0.3 * face.light * sideways - 0.1 * sideways**2)


def surface(factors):
    """Step 2: where each pixel lies on a head, with the factors as (b, 1, 1) arrays to calculate with.

    x (b, 1, 32) and y (b, 32, 1) are pixels from the middle of the head, to the right and down; u
    (b, 32, 32) is x on the turned head; `head` is the distance to its outline, an egg with the chin down.
    """
    face = SimpleNamespace(**{name: factors[name].astype(np.float32).reshape(-1, 1, 1)
                              for name in FACTORS if name not in SHAPES})
    pixels = np.arange(PIXELS, dtype=np.float32)
    right, down = factors["shift"].T[:, :, None]
    face.x = (pixels - CENTRE[0] - right)[:, None, :]
    face.y = (pixels - CENTRE[1] - down)[:, :, None]
    face.turn = TURN * face.pose

    egg = face.face_width * (1 - 0.13 * face.y / HEIGHT)
    face.head = (np.sqrt((face.x / egg)**2 + (face.y / HEIGHT)**2) - 1) * face.face_width
    half = egg * np.sqrt(np.maximum(1 - (face.y / HEIGHT)**2, 0.1))  # w in the equation; above 0 everywhere
    sine = face.x / half
    inside = np.clip(sine, -1, 1)
    face.u = half * (np.arcsin(inside) - face.turn + (sine - inside))  # goes on evenly beside the head

    face.skin_colour = mixed(SKIN, factors["skin"])
    face.iris_colour = mixed(IRIS, factors["eye_colour"])
    face.hair_rgb = HAIR[factors["hair_colour"]]
    return face


def strip(face, rows):
    """The same face in a few rows of the image."""
    return SimpleNamespace(**vars(face) | {name: getattr(face, name)[:, rows] for name in ("y", "u", "head")})


def mixed(colours, share):
    """The colours (b, 3) at these shares of the way along a row of colours."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(share, stops, channel) for channel in zip(*colours)], -1).astype(np.float32)


class Canvas:
    """Step 3: images in the making, (3, b, 32, 32), and the share of each pixel that the person covers."""

    def __init__(self, image, person, head):
        self.image, self.person, self.head = image, person, head

    @classmethod
    def of(cls, background, face):
        """An empty canvas with a background (b, 3)."""
        person = np.zeros(face.head.shape, np.float32)
        image = background.T[:, :, None, None] + person
        return cls(image, person, cover(face.head))

    def strip(self, rows):
        """A few rows of the canvas, to paint on."""
        return Canvas(self.image[:, :, rows], self.person[:, rows], self.head[:, rows])

    def paint(self, d, colour, share=1):
        """Paint a shape at the distance d, in a colour (b, 3) or (3,), letting `share` of the paint stick."""
        covered = cover(d) * share
        np.maximum(self.person, covered, out=self.person)
        self.lay(covered, colour)

    def paint_on_head(self, d, colour, share=1):
        """The same, where the head is and nowhere else."""
        self.lay(cover(d) * share * self.head, colour)

    def lay(self, covered, colour):
        step = np.asarray(colour, np.float32).T.reshape(3, -1, 1, 1) - self.image
        step *= covered
        self.image += step

    def lit(self, light):
        """Step 4: the finished images."""
        self.image *= 1 + self.person * (light - 1)
        return np.clip(self.image, 0, 1, out=self.image)


def cover(d):
    """The share of a pixel that a shape covers whose border is the distance d away, d < 0 inside."""
    return np.clip(0.5 - d * np.float32(1 / EDGE), 0, 1)


def ellipse(x, y, a, b):
    """About the distance to an ellipse around the origin, of half-axes a and b."""
    return (np.sqrt((x / a)**2 + (y / b)**2) - 1) * np.minimum(a, b)


def box(x, y, a, b):
    """About the distance to a rectangle around the origin, of half-sides a and b."""
    return np.maximum(np.abs(x) - a, np.abs(y) - b)


# The parts of a person, from back to front, in pixels; y is 0 at the middle of the head, 9.3 at the chin.

def behind(canvas, face):
    """The hair that falls behind, the shoulders and the neck."""
    side, top = face.face_width + 0.9 + 1.3 * face.hair_length, 9.7 + 0.5 * face.hair_length
    back = ellipse(face.x, np.minimum(face.y + 1, 0), side, top)  # a dome, and straight down below it
    canvas.paint(np.maximum(back, face.y - (-1.5 + 13 * face.hair_length)), 0.8 * face.hair_rgb)
    canvas.paint(ellipse(face.x, face.y - 20.5, 12.5, 9.5), SHIRT)
    canvas.paint(box(face.x, face.y - 8, 3.2, 4.5), 0.78 * face.skin_colour)


def head(canvas, face):
    """The ears, then the head over them."""
    for side in (-1, 1):
        canvas.paint(ear(face, side), 0.85 * face.skin_colour)
    canvas.paint(face.head, face.skin_colour)


def ear(face, side):
    return ellipse(face.x - side * np.cos(face.turn) * (face.face_width + 0.5), face.y - 0.2, 1.5, 2.3)


def near_ear(canvas, face):
    """The ear on the side from which the head has turned away lies before the head."""
    for side in (-1, 1):
        canvas.paint(ear(face, side), 0.9 * face.skin_colour, np.clip(0.5 - 2 * side * face.pose, 0, 1))


def eyes(canvas, face):
    """White, iris, pupil and brow; |u| makes a pair of each."""
    x, y = np.abs(face.u) - face.eye_distance, face.y + 0.8
    canvas.paint_on_head(ellipse(x, y, 2.2, 1.7), WHITE)
    canvas.paint_on_head(ellipse(x, y, 1.4, 1.5), face.iris_colour)
    canvas.paint_on_head(ellipse(x, y, 0.55, 0.6), BLACK)
    arch = y + 2.8 + 0.08 * x**2
    brow = np.sqrt(np.maximum(np.abs(x) - 1.6, 0)**2 + arch**2) - 0.55 * face.brow
    canvas.paint_on_head(brow, 0.55 * face.hair_rgb)


def nose(canvas, face):
    """A wedge from between the eyes down to a shadow under the tip, which stands out when the head turns."""
    x, y = face.u - 2.0 * face.turn, face.y + 1.2
    wedge = np.maximum(np.abs(x) - 0.3 - 0.9 * y / face.nose_length, np.maximum(-y, y - face.nose_length))
    canvas.paint_on_head(wedge, 0.82 * face.skin_colour, 0.6)
    canvas.paint_on_head(ellipse(x, y - face.nose_length, 1.6, 0.7), 0.58 * face.skin_colour, 0.8)


def beard(canvas, face):
    """All of the head, and a little beyond, below a line from the sides to under the nose."""
    above = (4.3 - 0.06 * face.u**2 - face.y) / np.sqrt(1 + (0.12 * face.u)**2)
    above = np.maximum(above, -face.y)
    canvas.paint(np.maximum(face.head - 0.6, above), 0.75 * face.hair_rgb, face.beard)


def mouth(canvas, face):
    """Lips along a parabola, whose curvature is the smile; it opens, dark inside, and shows the upper teeth.

    A smile also widens the mouth, and a frown presses the lips out.
    """
    opened = np.maximum(face.smile, 0)
    wide = MOUTH + 0.5 * opened
    q = (face.u / wide)**2  # 0 in the middle, 1 at the corners
    slope = 4.4 / wide**2 * face.smile * face.u
    below = face.y - 5.8 - face.smile * (0.8 - 2.2 * q)
    below /= np.sqrt(1 + slope**2)  # makes lips as thick where they are steep
    gap, lips = 1.4 * opened * np.maximum(1 - q, 0), 0.75 + 0.2 * (opened - face.smile)
    inside, side = np.abs(below) - gap, np.abs(face.u) - wide
    canvas.paint_on_head(np.maximum(inside - lips, side), LIPS)
    inside = np.maximum(inside, side + 0.8)
    canvas.paint_on_head(inside, MOUTH_INSIDE)
    canvas.paint_on_head(np.maximum(inside, below), WHITE, np.minimum(2 * opened, 1))


def hair(canvas, face):
    """A cap over the head down to a hairline, which falls to the sides, the lower the longer the hair."""
    side, top = face.face_width + 0.6 + 0.6 * face.hair_length, 9.8 + 0.5 * face.hair_length
    cap = ellipse(face.x, face.y + 0.8, side, top)
    fall = 0.05 + 0.11 * face.hair_length
    below = (face.y + 6.3 - fall * face.u**2) / np.sqrt(1 + (2 * fall * face.u)**2)
    canvas.paint(np.maximum(cap, below), face.hair_rgb)


def glasses(canvas, face):
    """A ring around each eye; what joins them and leads to the ears is one bar, less the rings' insides."""
    x, y = np.abs(face.u) - face.eye_distance, face.y + 0.8
    ring = np.abs(np.sqrt(x**2 + y**2) - 2.6) - 0.4
    bar = np.maximum(np.abs(y) - 0.4, 2.6 - np.abs(x))
    canvas.paint_on_head(np.minimum(ring, bar), BLACK, face.glasses)


def hat(canvas, face):
    """A dome and its brim, which turns with the head."""
    dome = ellipse(face.x, face.y + 4.5, face.face_width + 1.8, 8.2)
    canvas.paint(np.maximum(dome, face.y + 5), HAT, face.hat)
    canvas.paint(box(face.x - 3 * face.turn, face.y + 5.2, face.face_width + 2.8, 0.9), BRIM, face.hat)


# From back to front, with the rows of the image in which a part can be, shifted as it may: the others are not
# looked at, which halves the time.
PARTS = {behind: slice(0, 32), head: slice(2, 28), eyes: slice(6, 19), nose: slice(10, 22),
         beard: slice(11, 29), mouth: slice(13, 28), near_ear: slice(9, 21), hair: slice(0, 28),
         glasses: slice(8, 20), hat: slice(0, 14)}
