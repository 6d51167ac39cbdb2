"""Predictive sparse decomposition (Kavukcuoglu et al. 2008; Deep Learning, section 14.8).

Sparse coding explains x as a sum of few atoms, the rows of a dictionary D, with the code

    h*(x) = argmin_h  ½ ‖x - h D‖² + λ ‖h‖₁

which takes an iteration to find. An encoder f is trained at the same time to predict it at once.
"""

import math

import numpy as np

from .. import losses, nn, ops
from ..autodiff import Tensor
from ..backend import array_module


class PredictiveSparseDecomposition(nn.Module):
    """A dictionary of atoms of length 1, inference of the code, and an encoder that predicts it.

    encoder     x (N, ...) to a code (N, atoms)
    size        the number of entries of an example
    atoms       the number of atoms
    sparsity    λ
    steps       of the inference
    rng         what the first dictionary is drawn from
    """

    def __init__(self, encoder, size, atoms, sparsity, *, steps=50, rng):
        if not sparsity >= 0 or steps < 1:
            raise ValueError("PredictiveSparseDecomposition: sparsity must be at least 0 and steps at least 1, "
                             f"not {sparsity} and {steps}")
        self.encoder, self.sparsity, self.steps = encoder, float(sparsity), steps
        directions = rng.standard_normal((atoms, size), dtype=np.float32) / math.sqrt(size)
        self.directions = Tensor(directions, requires_grad=True)

    def dictionary(self):
        """The atoms (atoms, size): the trained directions, scaled to length 1.

        Without the scale, large atoms and small codes would evade the penalty.
        """
        return unit_rows(self.directions)

    def encode(self, x):
        """The predicted code f(x), at the price of one pass through the encoder."""
        return self.encoder(x)

    def decode(self, h):
        """The sum of atoms h D, (N, size)."""
        return h @ self.dictionary()

    def objective(self, x, h):
        """½ ‖x - h D‖² + λ ‖h‖₁, in nats per example."""
        return losses.mse(self.decode(h), _rows(x)) + self.sparsity * losses.l1(h)

    def infer(self, x, steps=None):
        """The code that minimises the objective, by FISTA (Beck and Teboulle 2009), as a constant.

        From a point y ahead of h, a gradient step on ½ ‖x - h D‖² of length 1/L, with L the largest
        eigenvalue of D Dᵀ, and then the shrinkage that λ ‖h‖₁ asks for. After k steps the objective
        is within 2 L ‖h*‖² / (k + 1)² of the best.
        """
        data, d = _rows(x).data, self.dictionary().data
        xp, gram, target = array_module(d), d @ d.T, data @ d.T
        length = 1 / xp.linalg.eigvalsh(gram)[-1]
        h = y = xp.zeros_like(target)
        t = 1.0
        for _ in range(self.steps if steps is None else steps):
            z = y - length * (y @ gram - target)
            last, h = h, xp.sign(z) * xp.maximum(xp.abs(z) - length * self.sparsity, 0)
            last_t, t = t, (1 + math.sqrt(1 + 4 * t * t)) / 2
            y = h + (last_t - 1) / t * (h - last)
        return Tensor(h)

    def loss(self, x, rng=None):
        """½ ‖x - h* D‖², which trains the dictionary, and ½ ‖h* - f(x)‖², which trains the encoder.

        Equation 14.19 of Deep Learning, but for h: here it does not depend on the encoder, and is the
        minimum for the present dictionary. The term "sparsity", λ ‖h*‖₁, is a constant to both.
        """
        h = self.infer(x)
        terms = {
            "reconstruction": losses.mse(self.decode(h), _rows(x)),
            "sparsity": self.sparsity * losses.l1(h),
            "prediction": losses.mse(self.encode(x), h),
        }
        return terms["reconstruction"] + terms["sparsity"] + terms["prediction"], terms


def unit_rows(directions):
    """The rows (n, D), each scaled to length 1."""
    return directions / ops.sqrt(ops.sum(directions * directions, axis=1, keepdims=True))


def _rows(x):
    return ops.reshape(x, shape=(x.shape[0], math.prod(x.shape[1:])))
