"""The factors of drawn faces as numbers, a network that reads them, and what moves in a latent space.

What a demo has done to a face is measured in factors: how far did the smile move, and what else did? Each
factor that is a number is one from 0 to 1 over its range, each kind of hair is 0 or 1, a shift is two
numbers and a background three: `COLUMNS` has their names in order. `recipes.face_reader` trains the
network.
"""

import numpy as np

from demos.run import Images
from tinyae import data
from tinyae.data.faces import FACTORS, HAIR_COLOURS

PARTS = {"shift": ("shift right", "shift down"),
         "background": ("background red", "background green", "background blue"),
         "hair_colour": tuple(f"{colour} hair" for colour in HAIR_COLOURS)}
COLUMNS = [column for name in FACTORS for column in PARTS.get(name, (name.replace("_", " "),))]
PASSPORT = {"shift": (0, 0), "background": (0.75, 0.75, 0.75), "light": 0.0}  # equal in all of them
VARIED = [column for column in COLUMNS if column.split()[0] not in PASSPORT]
# Faces whose codes are to be moved along straight lines: a beard hides the mouth, and the middle between the
# codes of heads turned all the way left and right is often no face.
PLAIN = {"turn": 0.5, "beard": 0}


def passport(n, rng, turn=1.0, **fixed):
    """Faces as `data.faces` draws them, all in the same place, before the same wall and in the same light.

    Heads are turned by at most `turn`, from 0 to 1.

    Squared error sees more in a shift of a pixel, or in another wall, than in all that a face expresses: a
    code of some 30 numbers has none left for the smile of faces that are not all in one place.
    """
    if turn < 1:
        fixed = {"pose": rng.uniform(-turn, turn, n), **fixed}
    return data.faces(n, rng, **{**PASSPORT, **fixed})


def passports(run, train=10_000, test=1_000, turn=1.0, **fixed):
    """Such faces to train on and held out, as `run.images` gives others; each is somebody else."""
    train, test = run.pick(train, 512), run.pick(test, 256)
    images, factors = passport(train + test, run.rng("passports"), turn, **fixed)
    who = factors["identity"]
    return Images(images[:train], who[:train], factors[:train], images[train:], who[train:], factors[train:])


def column(name):
    """The place of a factor among `COLUMNS`."""
    return COLUMNS.index(name)


def numbers(factors):
    """The factors of n faces, a structured array as `data.faces` gives it, as (n, len(COLUMNS)) in [0, 1]."""
    parts = []
    for name, bounds in FACTORS.items():
        values = factors[name].astype(np.float32)
        if name == "hair_colour":
            parts.append(factors[name][:, None] == np.arange(bounds))
        elif isinstance(bounds, int):
            parts.append(values[:, None])
        else:
            low, high = bounds
            parts.append((values.reshape(len(values), -1) - low) / (high - low))
    return np.concatenate(parts, axis=1, dtype=np.float32)


def reading_error(read, images, factors):
    """{factor: the median error of a reader, a function of images, on drawn faces, relative to the range}."""
    return dict(zip(COLUMNS, np.median(np.abs(read(images) - numbers(factors)), axis=0).tolist()))


class LatentSpace:
    """The latent space of a model of faces, and a reader's word for what a change in it does."""

    def __init__(self, run, model, read):
        self.run, self.model, self.read = run, model, read

    def encode(self, images):
        """The means of q(z | x)."""
        return self.run.apply(lambda x: self.model.encode(x).mean, images)

    def sample(self, images):
        """Draws of q(z | x)."""
        noise = self.run.noise("samples")
        return self.run.apply(lambda x: self.model.encode(x).sample(noise), images)

    def decode(self, z):
        """The means of p(x | z)."""
        return self.run.apply(lambda z: self.model.decode(z).mean, z)

    def change(self, z, step):
        """How far every factor moves, relative to its range, where z + step is decoded in place of z."""
        return self.read(self.decode(z + step)) - self.read(self.decode(z))

    def scaled(self, way, z, factor, move):
        """The direction, so long that `move` times it moves the factor by `move` in the median face of z.

        Three times its length is the most that is tried.
        """
        lengths = np.linspace(0, 3, 13)
        moves = [np.median(self.change(z, length * way)[:, factor]) for length in lengths]
        return (np.interp(move, np.maximum.accumulate(moves), lengths) / move * way).astype(np.float32)


def slopes(codes, known):
    """How the code changes while one factor goes through its range and the others stay: (factors, d).

    They are the B of least squares, codes ≈ known B + b. The columns of a kind always sum to 1, so that B
    is not unique; it is the smallest.
    """
    slope, *_ = np.linalg.lstsq(known - known.mean(axis=0), codes - codes.mean(axis=0), rcond=1e-5)
    return slope.astype(np.float32)


def moves(change, meant, turn=1.0):
    """{factor: median over the faces of how far it moved, relative to its range}; to either side if not meant.

    Where heads turn by at most `turn`, that is the whole range of the pose.
    """
    change = change / np.where(np.arange(len(COLUMNS)) == column("pose"), turn, 1)
    medians = np.median(np.abs(change), axis=0)
    medians[meant] = np.median(change[:, meant])
    return dict(zip(COLUMNS, medians.tolist()))


def farthest(moved, meant):
    """The factor that moved most among those that were not meant; one that moved by NaN comes first."""
    others = [name for name in moved if name != meant]
    return others[int(np.argmax([moved[name] for name in others]))]
