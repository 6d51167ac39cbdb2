"""A training step of the 784-400-20 VAE by hand, in plain NumPy: what an engine does for you.

Every product of the forward pass comes back twice, in the opposite order, as the two of its gradients;
every activation comes back as its derivative; and whoever changes the model changes all of it. In return
nothing is recorded and little memory is asked for: each large array is made once and written to again.

    h = relu(x W₁ + b₁)     [μ, ln σ²] = h W₂ + b₂     z = μ + σ ε     k = relu(z W₃ + b₃)     l = k W₄ + b₄
    loss = 1/N Σ [ln(1 + eˡ) - x l + ½ (σ² + μ² - 1 - ln σ²)]

The names of the gradients are those of what they belong to: dl is ∂loss/∂l.
"""

import numpy as np

from tinyae.optim import BLOCK

BETA1, BETA2, EPSILON, RATE = 0.9, 0.999, 1e-8, 1e-3


class VaeByHand:
    """The model, its gradients and Adam's averages; `step` takes one training step on the batch x."""

    def __init__(self, weights, x, rng):
        """weights: W₁, b₁, W₂, b₂, ... as a list of float32 arrays."""
        n, hidden, latent = len(x), weights[0].shape[1], weights[4].shape[0]
        self.x, self.rng, self.steps = x, rng, 0
        self.flat = np.concatenate([w.ravel() for w in weights])
        self.gradient, self.m, self.v = (np.zeros_like(self.flat) for _ in range(3))
        shapes = [w.shape for w in weights]
        self.weights, self.gradients = parts(self.flat, shapes), parts(self.gradient, shapes)
        new = lambda *shape: np.empty(shape, np.float32)
        self.h, self.dh, self.k, self.dk = (new(n, hidden) for _ in range(4))
        self.statistics, self.dstatistics = new(n, 2 * latent), new(n, 2 * latent)
        self.noise, self.sigma, self.z, self.dz = (new(n, latent) for _ in range(4))
        self.l, self.p = new(*x.shape), new(*x.shape)
        self.scratch, self.ones = new(BLOCK), np.ones(n, np.float32)

    def step(self):
        """Forward, backward, Adam; the loss."""
        w1, b1, w2, b2, w3, b3, w4, b4 = self.weights
        x, h, z, k, l = self.x, self.h, self.z, self.k, self.l
        affine(x, w1, b1, h)
        np.maximum(h, 0, out=h)
        affine(h, w2, b2, self.statistics)
        mean, log_var = np.split(self.statistics, 2, axis=1)
        self.rng.standard_normal(out=self.noise, dtype=np.float32)
        np.exp(np.multiply(log_var, 0.5, out=self.sigma), out=self.sigma)
        np.add(mean, np.multiply(self.sigma, self.noise, out=z), out=z)
        affine(z, w3, b3, k)
        np.maximum(k, 0, out=k)
        affine(k, w4, b4, l)
        variance = self.sigma**2
        loss = self.cross_entropy() + 0.5 * float((variance + mean**2 - 1 - log_var).sum()) / len(x)
        self.backward(mean, variance)
        self.adam()
        return loss

    def cross_entropy(self):
        """1/N Σ ln(1 + eˡ) - x l = 1/N Σ ½ (|l| + l) + ln(1 + e^-|l|) - x l, in which nothing overflows."""
        l, t = self.l, self.p
        loss = 0.5 * float(np.abs(l, out=t).sum() + l.sum()) - float(np.vdot(self.x, l))
        np.exp(np.negative(t, out=t), out=t)
        t += 1
        return (loss + float(np.log(t, out=t).sum())) / len(l)

    def backward(self, mean, variance):
        """The gradients, from the last layer to the first."""
        dw1, db1, dw2, db2, dw3, db3, dw4, db4 = self.gradients
        _, _, w2, _, w3, _, w4, _ = self.weights
        n, dl, dmean, dlog_var = len(self.x), self.p, *np.split(self.dstatistics, 2, axis=1)
        np.exp(np.negative(self.l, out=dl), out=dl)
        dl += 1
        np.reciprocal(dl, out=dl)  # sigmoid(l)
        dl -= self.x
        dl *= np.float32(1 / n)
        self.back(dl, self.k, w4, dw4, db4, self.dk)
        self.dk *= self.k > 0
        self.back(self.dk, self.z, w3, dw3, db3, self.dz)
        np.add(self.dz, mean / n, out=dmean)
        np.add(0.5 * self.dz * self.sigma * self.noise, 0.5 * (variance - 1) / n, out=dlog_var)
        self.back(self.dstatistics, self.h, w2, dw2, db2, self.dh)
        self.dh *= self.h > 0
        self.back(self.dh, self.x, None, dw1, db1, None)  # nobody asks for the gradient of the images

    def back(self, dy, x, w, dw, db, dx):
        """Through y = x W + b: ∂W = xᵀ ∂y, ∂b = Σ ∂y, ∂x = ∂y Wᵀ."""
        np.matmul(x.T, dy, out=dw)
        np.matmul(self.ones, dy, out=db)
        if w is not None:
            np.matmul(dy, w.T, out=dx)

    def adam(self):
        """θ ← θ - lr m̂ / (√v̂ + ε), in blocks: what is written is still in the cache when it is read."""
        self.steps += 1
        root = np.sqrt(1 - BETA2**self.steps)
        rate, epsilon = np.float32(RATE * root / (1 - BETA1**self.steps)), np.float32(EPSILON * root)
        for start in range(0, self.flat.size, BLOCK):
            block = slice(start, start + BLOCK)
            p, g, m, v = self.flat[block], self.gradient[block], self.m[block], self.v[block]
            s = self.scratch[: len(p)]
            m *= BETA1
            m += np.multiply(g, 1 - BETA1, out=s)
            v *= BETA2
            v += np.multiply(np.multiply(g, g, out=s), 1 - BETA2, out=s)
            np.sqrt(v, out=s)
            s += epsilon
            np.divide(m, s, out=s)
            s *= rate
            p -= s


def affine(x, w, b, out):
    """x W + b, in the memory of out."""
    np.matmul(x, w, out=out)
    out += b


def parts(flat, shapes):
    """Views of parts of a flat array, one after another, in those shapes."""
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes)]
