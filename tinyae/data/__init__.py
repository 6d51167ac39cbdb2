"""Data sets: digits drawn by code (`strokes`), files in MNIST's format (`load_mnist`), toy manifolds."""

from .faces import faces
from .manifolds import circle, line, s_curve, spiral, swiss_roll
from .mnist import load_mnist, read_idx
from .strokes import strokes
