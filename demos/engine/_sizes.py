"""What `growth` measures: an autoencoder of any size, and its training step in tinyae and in PyTorch."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from demos.engine._contenders import on_torch, tinyae_step, torch_step
from demos.engine._turns import library
from tinyae import distributions, models
from tinyae.backend import random_generator

PIXELS, CODE = 784, 20


class Sizes(NamedTuple):
    """Of a batch and an autoencoder: the width of its hidden layers, and how many there are on either side."""

    batch: int = 128
    width: int = 256
    depth: int = 2

    @property
    def layers(self):
        """(inputs, outputs) of each dense layer."""
        hidden = [self.width] * self.depth
        return list(pairwise([PIXELS, *hidden, CODE, *hidden, PIXELS]))

    @property
    def arithmetic(self):
        """The additions and multiplications of a step: three products of each weight with the batch."""
        return 6 * self.batch * sum(n * m for n, m in self.layers)

    @property
    def held(self):
        """The bytes of float32 that a step must hold: 4 (4 · parameters + batch · (input + outputs))."""
        parameters = sum((n + 1) * m for n, m in self.layers)
        return 4 * (4 * parameters + self.batch * (PIXELS + sum(m for _, m in self.layers)))


def built(sizes, contender, device):
    """A training step of that autoencoder on random pixels, by tinyae or PyTorch."""
    batch = np.random.default_rng(0).random((sizes.batch, PIXELS), np.float32)
    return (on_pytorch if library(contender) == "PyTorch" else on_tinyae)(sizes, batch, device)


def on_tinyae(sizes, batch, device):
    networks = models.dense_networks((PIXELS,), [sizes.width] * sizes.depth, CODE, np.random.default_rng(0))
    model = models.Autoencoder(*networks, distributions.Bernoulli)
    return tinyae_step(model, batch, device, random_generator(0, device))


def on_pytorch(sizes, batch, device):
    from torch import nn

    x, device = on_torch(batch, device)
    layers = [f for layer in sizes.layers for f in (nn.Linear(*layer), nn.ReLU())]
    del layers[2 * sizes.depth + 1], layers[-1]  # what would follow the code and the logits
    net, loss = nn.Sequential(*layers).to(device), nn.BCEWithLogitsLoss(reduction="sum")
    return torch_step(net.parameters(), lambda x: loss(net(x), x) / sizes.batch, x)
