"""Encoders and decoders to build models from: dense and convolutional ones, each other's mirror image."""

import math
from itertools import pairwise

from .. import nn, ops


def dense_networks(shape, hidden, code, rng, statistics=1, given=0):
    """An encoder and a decoder with hidden ReLU layers, for examples of that shape.

    hidden is the width of the one hidden layer, or a list of widths, which the decoder has in
    reverse. The encoder gives statistics · code numbers: 1 for a plain code, 2 for a mean and a
    log-variance. given is how many numbers a conditional model puts beside an example's last axis and
    beside the code.
    """
    if isinstance(shape, int):
        raise ValueError(f"dense_networks: expected the shape of an example, such as ({shape},), got {shape}")
    widths = [hidden] if isinstance(hidden, int) else list(hidden)
    encoder = nn.mlp((*shape[:-1], shape[-1] + given), *widths, statistics * code, rng=rng)
    decoder = nn.mlp(code + given, *widths[::-1], tuple(shape), rng=rng)
    return encoder, decoder


def conv_networks(shape, channels, code, rng, statistics=1, given=0):
    """An encoder of convolutions and a decoder of transposed ones, each of which halves or doubles the size.

    shape is (H, W, C); channels are those after each convolution, one or more of them, and H and W
    must be divisible by 2 for each; else ValueError. Each kernel has 4 × 4 entries and moves by 2, so
    that windows overlap evenly and, away from the border, every pixel of the decoder's image is covered
    equally often. statistics and given are as in `dense_networks`: to the encoder what is given is that
    many more channels.
    """
    if isinstance(shape, int) or len(shape) != 3:
        raise ValueError(f"conv_networks: expected the shape (H, W, C) of an image, got {shape}")
    if isinstance(channels, int) or not channels:
        raise ValueError("conv_networks: expected the channels after each convolution, such as [8, 16], "
                         f"got {channels or 'none'}")
    h, w, c = shape
    times = 2 ** len(channels)
    if h % times or w % times:
        raise ValueError(f"conv_networks: height and width must be divisible by {times}, not {h} and {w}")
    small = (h // times, w // times, channels[-1])
    size = math.prod(small)
    down = [f for a, b in pairwise((c + given, *channels))
            for f in (nn.Conv2d(a, b, 4, 2, 1, rng=rng), ops.relu)]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Dense(size, statistics * code, rng=rng, init="glorot"))
    start = [nn.Dense(code + given, size, rng=rng), ops.relu, nn.Reshape(small)]
    up = [f for a, b in pairwise(channels[::-1])
          for f in (nn.ConvTranspose2d(a, b, 4, 2, 1, rng=rng), ops.relu)]
    last = nn.ConvTranspose2d(channels[0], c, 4, 2, 1, rng=rng, init="glorot")
    return encoder, nn.Sequential(*start, *up, last)
