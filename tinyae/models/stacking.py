"""Stacking: deep networks made layer by layer, without labels.

Each layer is a model of its own, a Boltzmann machine or an autoencoder of any kind, and learns from the
codes that the layers below it give (Hinton, Osindero and Teh 2006; Bengio et al. 2007; Deep Learning,
section 15.1). Their encoders, one after another, are a deep network whose weights know the data before
the first label comes:

    train_greedily(layers, x, train)
    classifier = nn.Sequential(*stacked_encoder(layers), nn.Dense(200, 10, rng=rng))
"""

import copy

from .. import nn
from ..autodiff import Tensor, no_grad
from ..backend import array_module, to_device


def train_greedily(layers, x, train, batch_size=1000):
    """Train the first of the layers on x, each one after it on the codes of the one below; the last's codes.

    layers  models whose `encode` gives a code, from the lowest up
    train   a function (model, x) that trains one of them, such as
            lambda model, x: fit(model, optim.Adam(model.parameters()), x, epochs=5, batch_size=100, rng=rng)

    The codes of batch_size examples at a time are computed on the model's device, where they stay.
    """
    for layer in layers:
        train(layer, x)
        x = _codes(layer, x, batch_size)
    return x


def _codes(layer, x, batch_size):
    device = layer.parameters()[0].device
    with no_grad():
        parts = [layer.encode(Tensor(to_device(x[i : i + batch_size], device))).data
                 for i in range(0, len(x), batch_size)]
    return array_module(parts[0]).concatenate(parts)


def stacked_encoder(layers):
    """The encoders of the layers one after another, as one Sequential to fine-tune.

    Its weights are copies: the layers stay as they are, and each call gives a new start.
    """
    encoders = [copy.deepcopy(layer.encoder) for layer in layers]
    return nn.Sequential(*(f for e in encoders for f in (e if isinstance(e, nn.Sequential) else [e])))
