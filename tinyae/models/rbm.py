"""The restricted Boltzmann machine (Smolensky 1986; Hinton 2002; Deep Learning, section 20.2).

Binary visible units v and hidden units h have the energy

    E(v, h) = -v·b - h·c - v W h            p(v, h) = e^-E(v, h) / Z

Given one layer the units of the other are independent, so that a layer is drawn at once. With the hidden
units summed out, p(v) = e^-F(v) / Z with the free energy F(v) = -v·b - Σ ln(1 + e^(c + v W)), and

    -∂ ln p(v) / ∂θ = ∂F(v) / ∂θ - E_model ∂F / ∂θ

The second term is an expectation over the model's own examples, for which a few steps of Gibbs sampling
have to stand in: contrastive divergence.
"""

import math

import numpy as np

from .. import nn, ops
from ..autodiff import Tensor, no_grad
from ..backend import array_module, to_device
from ..distributions import Bernoulli
from ..nn.initial import initial_bias

LARGEST = 20  # units of the smaller layer, up to which Z is summed exactly: a million states


class RestrictedBoltzmannMachine(nn.Module):
    """An RBM of binary units, trained by contrastive divergence.

    visible, hidden   how many units each layer has
    steps             of Gibbs sampling for a model's example: CD-k (Hinton 2002)
    chains            0: each chain begins at the data, as in CD. Or how many chains there are that go on
                      from step to step in training mode, as in persistent CD (Tieleman 2008)
    rng               what the initial weights are drawn from, N(0, 0.01²) (Hinton 2010, section 8), on its device

    The rng of a method draws on the machine's device, as `backend.random_generator(seed, device)` does.
    """

    def __init__(self, visible, hidden, *, steps=1, chains=0, rng):
        if steps < 1 or chains < 0:
            raise ValueError("RestrictedBoltzmannMachine: steps must be at least 1 and chains at least 0, "
                             f"not {steps} and {chains}")
        weight = 0.01 * rng.standard_normal((visible, hidden), dtype=np.float32)
        self.weight = Tensor(weight, requires_grad=True)
        self.bias = initial_bias(self.weight, visible)
        self.hidden_bias = initial_bias(self.weight, hidden)
        self.steps = steps
        # Saved with the parameters, so that a training that is resumed goes on with the same chains.
        self.chains = Tensor((rng.random((chains, visible), dtype=np.float32) < 0.5).astype(np.float32))

    @property
    def encoder(self):
        """`encode` as a network with the same weights, Sequential(Dense, sigmoid): a layer to fine-tune."""
        layer = nn.Dense(*self.weight.shape, rng=np.random.default_rng(0))  # the weights drawn are replaced
        layer.weight, layer.bias = self.weight, self.hidden_bias
        return nn.Sequential(layer, ops.sigmoid)

    def upside_down(self, rng):
        """A new machine with the layers exchanged, so that its p(v) is p(h) of this one.

        As the machine above this one in a `DeepBeliefNetwork` it leaves p(v) as it was: what training makes
        better from there on raises the bound on ln p(v) (Hinton, Osindero and Teh 2006, section 4). Its
        chains go on from those of this machine, by a draw of h given v.
        """
        above = RestrictedBoltzmannMachine(*self.weight.shape[::-1], steps=self.steps,
                                           rng=np.random.default_rng(0))  # its draws are replaced
        above.weight, above.bias, above.hidden_bias = (
            Tensor(array.copy(), requires_grad=True)
            for array in (self.weight.data.T, self.hidden_bias.data, self.bias.data))
        with no_grad():
            above.chains = self.hidden_given(self.chains).sample(rng)
        return above

    def energy(self, v, h):
        """E(v, h) for each example, (N,)."""
        return -(v @ self.bias + h @ self.hidden_bias + ops.sum((v @ self.weight) * h, axis=1))

    def free_energy(self, v):
        """F(v) = -ln Σ_h e^-E(v, h) for each example, (N,)."""
        return -(v @ self.bias) - ops.sum(ops.softplus(v @ self.weight + self.hidden_bias), axis=1)

    def hidden_given(self, v):
        """The distribution p(h | v)."""
        return Bernoulli(v @ self.weight + self.hidden_bias)

    def visible_given(self, h):
        """The distribution p(v | h)."""
        return Bernoulli(h @ self.weight.T + self.bias)

    def encode(self, v):
        """The probabilities of the hidden units: a code of v, and the input of a machine on top."""
        return self.hidden_given(v).mean

    def gibbs(self, v, steps, rng):
        """v after so many steps of drawing h given v and v given h, as a constant."""
        with no_grad():
            for _ in range(steps):
                v = self.visible_given(self.hidden_given(v).sample(rng)).sample(rng)
        return v

    def loss(self, v, rng):
        """Mean F of the data less mean F of the model's examples, which count as constants.

        Its gradient is that of -ln p(v), as far as the examples are the model's; its value is none. The
        textbook's form of the same gradient is the difference of ⟨v h⟩ at both (Deep Learning, 18.2).
        """
        persistent = len(self.chains) > 0
        made = self.gibbs(self.chains if persistent else v, self.steps, rng)
        if persistent and self.training_rng is not None:
            self.chains.data[...] = made.data
        return ops.mean(self.free_energy(v)) - ops.mean(self.free_energy(made)), {}

    def log_prob(self, v, log_z):
        """ln p(v) = -F(v) - ln Z for each example, (N,)."""
        return -self.free_energy(v) - log_z

    def log_partition(self, block=1 << 14):
        """ln Z, exactly: a sum over all states of the smaller layer, the other summed out by hand.

        Raises ValueError where that layer has more than 20 units.
        """
        weight, own, other = self.weight.data, self.bias.data, self.hidden_bias.data
        if len(own) > len(other):
            weight, own, other = weight.T, other, own
        if len(own) > LARGEST:
            raise ValueError(f"log_partition: the smaller layer has {len(own)} units; beyond {LARGEST} the sum "
                             "is too long: use annealed_log_partition")
        bits, parts = np.arange(len(own)), []
        with no_grad():
            for start in range(0, 1 << len(own), block):
                numbers = np.arange(start, min(start + block, 1 << len(own)))
                states = (numbers[:, None] >> bits & 1).astype(weight.dtype)
                states = Tensor(to_device(states, self.weight.device))
                inner = ops.sum(ops.softplus(states @ weight + other), axis=1)
                parts.append(ops.logsumexp(states @ Tensor(own) + inner))
        return ops.logsumexp(ops.stack(parts)).item()

    def annealed_log_partition(self, rng, base=None, temperatures=1000, runs=100):
        """ln Z by annealed importance sampling, and the standard error of it.

        Chains go from a machine without weights, whose ln Z is known, to this one over so many
        temperatures β, with the density p*_β(v) = e^((1-β) a·v) e^(β b·v) Π (1 + e^(β (c + v W))), and the
        mean of their weights estimates Z (Salakhutdinov and Murray 2008, section 4.1).

        base    a, the visible biases of that machine, by default 0; those of the data's means are better
        """
        hidden = len(self.hidden_bias)
        a = Tensor(array_module(self.bias.data).zeros_like(self.bias.data)) if base is None else base
        with no_grad():
            start = hidden * math.log(2) + ops.sum(ops.softplus(a)).item()
            v = Bernoulli(ops.broadcast_to(a, (runs, len(a)))).sample(rng)
            log_weights = 0.0
            betas = np.linspace(0, 1, temperatures + 1).tolist()
            for before, beta in zip(betas, betas[1:]):
                log_weights = log_weights + self._tempered(v, beta, a) - self._tempered(v, before, a)
                h = Bernoulli(beta * (v @ self.weight + self.hidden_bias)).sample(rng)
                v = Bernoulli((1 - beta) * a + beta * (h @ self.weight.T + self.bias)).sample(rng)
        log_weights = log_weights.numpy().astype(float)
        weights = np.exp(log_weights - log_weights.max())
        # The standard error of a logarithm is that of the mean, relative to the mean.
        error = weights.std(ddof=1) / math.sqrt(runs) / weights.mean()
        return start + log_weights.max() + math.log(weights.mean()), float(error)

    def _tempered(self, v, beta, a):
        """ln p*_β(v) for each chain."""
        inner = ops.softplus(beta * (v @ self.weight + self.hidden_bias))
        return v @ ((1 - beta) * a + beta * self.bias) + ops.sum(inner, axis=1)
