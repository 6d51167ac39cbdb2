"""Data sets: digits drawn by code (`strokes`) and files in MNIST's format (`load_mnist`)."""

from .mnist import load_mnist, read_idx
from .strokes import strokes
