"""Data sets: digits and faces drawn by code, photographs and digits in files, points on toy manifolds."""

from .cifar10 import load_cifar10
from .faces import faces
from .manifolds import circle, line, s_curve, spiral, swiss_roll
from .mnist import load_fashion_mnist, load_mnist, read_idx
from .pixels import black_and_white, half_size
from .strokes import strokes

__all__ = sorted(name for name, value in globals().items() if callable(value) and not name.startswith("_"))
