"""Encoders and decoders to build models from: dense and convolutional ones, each other's mirror image."""

import math

from .. import nn, ops


def dense_networks(shape, hidden, code, rng, statistics=1):
    """An encoder and a decoder with one hidden ReLU layer each, for examples of that shape.

    The encoder gives statistics · code numbers: 1 for a plain code, 2 for a mean and a log-variance.
    """
    size = math.prod(shape)
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Dense(size, hidden, rng=rng), ops.relu,
        nn.Dense(hidden, statistics * code, rng=rng, init="glorot"),
    )
    decoder = nn.Sequential(
        nn.Dense(code, hidden, rng=rng), ops.relu,
        nn.Dense(hidden, size, rng=rng, init="glorot"),
        nn.Reshape(shape),
    )
    return encoder, decoder


def conv_networks(shape, channels, code, rng, statistics=1):
    """An encoder of two convolutions and a decoder of two transposed ones, which halve and double the size.

    shape is (H, W, C) with H and W divisible by 4; channels are those after the first and the second
    convolution. Each kernel has 4 x 4 entries and moves by 2, so that every window overlaps its
    neighbours evenly and no pixel of the decoder's image is covered more often than another.
    """
    h, w, c = shape
    if h % 4 or w % 4:
        raise ValueError(f"conv_networks: height and width must be divisible by 4, not {h} and {w}")
    one, two = channels
    small = (h // 4, w // 4, two)
    size = math.prod(small)
    encoder = nn.Sequential(
        nn.Conv2d(c, one, 4, 2, 1, rng=rng), ops.relu,
        nn.Conv2d(one, two, 4, 2, 1, rng=rng), ops.relu,
        nn.Flatten(),
        nn.Dense(size, statistics * code, rng=rng, init="glorot"),
    )
    decoder = nn.Sequential(
        nn.Dense(code, size, rng=rng), ops.relu,
        nn.Reshape(small),
        nn.ConvTranspose2d(two, one, 4, 2, 1, rng=rng), ops.relu,
        nn.ConvTranspose2d(one, c, 4, 2, 1, rng=rng, init="glorot"),
    )
    return encoder, decoder
