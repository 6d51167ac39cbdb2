"""Layers: functions with parameters. A layer is called with a Tensor and gives a Tensor."""

from .convolutional import AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d, Upsample2d
from .dense import Dense, Flatten, Reshape, Sequential, Tied, mlp
from .embedding import Embedding
from .module import Module
from .regularising import BatchNorm, Dropout

__all__ = sorted(name for name, value in globals().items() if callable(value) and not name.startswith("_"))
