"""Layers that behave otherwise in training than in evaluation: Dropout and BatchNorm."""

import numpy as np

from .. import ops
from ..autodiff import Tensor, changed
from .module import Module


class Dropout(Module):
    """In training, each entry is 0 with probability rate; the others are scaled by 1 / (1 - rate).

    In evaluation the identity, which is the expectation of that (Deep Learning, section 7.12).
    """

    def __init__(self, rate):
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout: rate must be in [0, 1), not {rate}")
        self.rate = rate

    def __call__(self, x):
        if self.training_rng is None:
            return x
        kept = self.training_rng.random(x.shape, dtype=x.dtype) >= self.rate
        return x * kept / (1 - self.rate)

    def __repr__(self):
        return f"Dropout({self.rate})"


class BatchNorm(Module):
    """y = γ (x - μ) / √(σ² + ε) + β for each channel, the last axis (Ioffe and Szegedy 2015).

    In training μ and σ² are those of the batch, over all axes but the last, and running averages
    of them are kept: r ← (1 - momentum) r + momentum · new, with σ² unbiased there. In evaluation
    the running averages take their place.
    """

    def __init__(self, channels, momentum=0.1, eps=1e-5):
        self.gamma = Tensor(np.ones(channels, np.float32), requires_grad=True)
        self.beta = Tensor(np.zeros(channels, np.float32), requires_grad=True)
        self.running_mean = Tensor(np.zeros(channels, np.float32))
        self.running_var = Tensor(np.ones(channels, np.float32))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x):
        if x.ndim < 2 or x.shape[-1:] != self.gamma.shape:
            raise ValueError(f"BatchNorm: expected an input (N, ..., {self.gamma.size}), got {x.shape}")
        if self.training_rng is None:
            mean, var = self.running_mean, self.running_var
        else:
            mean, var = self._batch_statistics(x)
        return self.gamma * (x - mean) / ops.sqrt(var + self.eps) + self.beta

    def _batch_statistics(self, x):
        count, axes = x.size // x.shape[-1], tuple(range(x.ndim - 1))
        if count < 2:
            raise ValueError(f"BatchNorm: a batch of shape {x.shape} has no variance to normalise by")
        mean, var = ops.mean(x, axes), ops.var(x, axes)
        unbiased = var.data * (count / (count - 1))
        for running, new in ((self.running_mean, mean.data), (self.running_var, unbiased)):
            running.data *= 1 - self.momentum
            running.data += self.momentum * new
        changed(self.running_mean, self.running_var)
        return mean, var

    def __repr__(self):
        return f"BatchNorm({self.gamma.size})"
