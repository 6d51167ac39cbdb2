"""Initial values of parameters, float32, on the device that the generator draws on."""

import math

import numpy as np

from ..autodiff import Tensor
from ..backend import array_module, check_rng


def he_normal(rng, shape, fan_in, fan_out):
    """Normal with variance 2 / fan_in, which keeps the scale of activations through ReLU (He et al. 2015)."""
    return rng.standard_normal(shape, dtype=np.float32) * math.sqrt(2 / fan_in)


def glorot_uniform(rng, shape, fan_in, fan_out):
    """Uniform with variance 2 / (fan_in + fan_out), for tanh and linear layers (Glorot and Bengio 2010)."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    return rng.random(shape, dtype=np.float32) * (2 * bound) - bound


INITIALISATIONS = {"he": he_normal, "glorot": glorot_uniform}


def initial_weight(rng, shape, fan_in, fan_out, init):
    """A float32 parameter drawn by the named initialisation, on the device that rng draws on."""
    if init not in INITIALISATIONS:
        raise ValueError(f"initial weights: init must be one of {sorted(INITIALISATIONS)}, not {init!r}")
    if type(rng).__name__ != "Generator":  # CuPy's has this name too
        check_rng(rng, "initial weights")
    return Tensor(INITIALISATIONS[init](rng, shape, fan_in, fan_out), requires_grad=True)


def initial_bias(weight, n):
    """A parameter of n zeros, in the precision and on the device of a weight."""
    return Tensor(array_module(weight.data).zeros(n, weight.dtype), requires_grad=True)
