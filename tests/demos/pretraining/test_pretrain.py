"""The demo of pre-training: where its networks begin, a quick run, and claims that can fail."""

import math
from itertools import pairwise

import numpy as np
import pytest

from demos.pretraining import pretrain
from tinyae import Tensor, nn, ops


def test_quick_run(run_quick):
    metrics, names = run_quick(pretrain)
    assert names == {"labels.png", "features.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "pretrain", "pretrain.contractive", "pretrain.few", "pretrain.modern"]
    ways = {*pretrain.STACKS, pretrain.RANDOM, pretrain.ADAM, pretrain.RELU}
    assert set(metrics["measured"]["accuracy"]) == ways


@pytest.mark.parametrize("kind", pretrain.STACKS)
def test_pretrained_networks_begin_with_the_layers(kind):
    rng = np.random.default_rng(0)
    stack = [pretrain.layer(kind, *widths, rng) for widths in pairwise(pretrain.WIDTHS)]
    network = pretrain.beginning(kind, stack, rng)
    x = h = Tensor(rng.random((3, 784), dtype=np.float32))
    for layer in stack:
        h = layer.encode(h)
    assert np.allclose(network[:-1](x).data, h.data, atol=1e-6) and network(x).shape == (3, 10)


@pytest.mark.parametrize("way, activation", [
    (pretrain.RANDOM, ops.sigmoid), (pretrain.ADAM, ops.sigmoid), (pretrain.RELU, ops.relu)])
def test_random_networks(way, activation):
    network = pretrain.beginning(way, None, np.random.default_rng(0))
    assert [f for f in network.layers if not isinstance(f, nn.Dense)] == [activation] * 3
    for dense in network.layers[::2]:
        weight, bound = dense.weight.data, 1 / dense.weight.shape[0] ** 0.5
        if activation is ops.sigmoid:
            assert 0.98 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)
        elif dense is not network[-1]:
            assert weight.std() == pytest.approx(2**0.5 * bound, rel=0.02)


RIGHT = {"Boltzmann machines": [0.5, 0.7, 0.85, 0.91, 0.93], "autoencoders": [0.49, 0.71, 0.85, 0.92, 0.95],
         "contractive autoencoders": [0.51, 0.72, 0.86, 0.92, 0.95],
         pretrain.RELU: [0.3, 0.6, 0.83, 0.95, 0.97], pretrain.ADAM: [0.35, 0.6, 0.8, 0.89, 0.92],
         pretrain.RANDOM: [0.1, 0.1, 0.1, 0.1, 0.12]}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"Boltzmann machines": [0.5, 0.7, 0.15, 0.91, 0.93]}, {"pretrain"}),
    ({"Boltzmann machines": [0.5, 0.7, math.nan, 0.91, 0.93]}, {"pretrain", "pretrain.few"}),
    ({pretrain.RANDOM: [0.4, 0.69, 0.84, 0.93, 0.95]}, {"pretrain"}),
    ({"contractive autoencoders": [0.45, 0.70, 0.82, 0.92, 0.95]}, {"pretrain.contractive"}),
    ({pretrain.RELU: [0.5, 0.72, 0.86, 0.95, 0.97]}, {"pretrain.few"}),
    ({pretrain.RELU: [0.3, 0.6, 0.83, 0.91, 0.92]}, {"pretrain.modern"}),
    ({pretrain.RELU: [0.3, 0.6, 0.83, 0.95, math.nan]}, {"pretrain.modern"}),
])
def test_each_claim_can_fail(judged, change, missed):
    accuracy = {way: np.array(found) for way, found in (RIGHT | change).items()}
    assert {id for id, held in judged(pretrain.judge, accuracy).items() if not held} == missed
