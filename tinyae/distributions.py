"""Distributions: what the numbers that a network gives stand for.

A decoder's output becomes a distribution p(x | h), a VAE's encoder gives q(z | x), and each loss of
the course is a sentence about them (Deep Learning, sections 14.4 and 20.10.3):

    q = model.encode(x)
    p = model.decode(q.sample(rng))
    loss = p.nll(x) + beta * q.kl()

                              the loss -ln p(x) of one number x
    Bernoulli(logits)         -x ln p - (1 - x) ln(1 - p)              cross-entropy on a sigmoid
    Gaussian(mean, log_var)   ½ (x - mean)² / σ² + ½ ln 2πσ²           squared error, if σ is fixed
    Laplace(mean, log_scale)  |x - mean| / b + ln 2b                   absolute error, if b is fixed
    Categorical(logits)       logsumexp(l) - l_x                       cross-entropy on a softmax

`nll` and `kl` are in nats per example: summed over its dimensions, averaged over the batch.
`log_prob` is one number for each example. All of them can be differentiated.
"""

import math

import numpy as np

from . import losses, ops
from .autodiff import Tensor
from .backend import array_module
from .ops.likelihood import bernoulli_terms, gaussian_kl_terms

__all__ = ["Bernoulli", "Categorical", "Distribution", "Gaussian", "Laplace", "SquaredError"]


class Distribution:
    """Independent numbers, each with parameters of its own; subclasses say what `_terms` are.

    Examples x have the shape (N, ...) of the parameters; another one is a ValueError. `kl` takes a
    distribution of the same kind, else it is a TypeError, with parameters that broadcast to these:
    one distribution for each example, or the same for all.
    """

    def nll(self, x):
        """-ln p(x), averaged over the batch: the loss that this distribution stands for."""
        self._check(x)
        return losses.per_example(self._terms(x))

    def log_prob(self, x):
        """ln p(x) of each example, (N,)."""
        self._check(x)
        return -_sum_each(self._terms(x))

    def _terms(self, x):
        """-ln p of each number in x."""
        raise NotImplementedError

    def _check(self, x):
        losses.check_batch(type(self).__name__, self._parameter, x)

    def _check_other(self, other, kind):
        """Refuse a divergence from another kind, which has no closed form here, and other shapes."""
        name, shape = f"{type(self).__name__}.kl", self._parameter.shape
        if not isinstance(other, kind):
            raise TypeError(f"{name}: expected another {kind.__name__}, got {type(other).__name__}")
        losses.check_batch(name, self._parameter)
        if not _fits(other._parameter.shape, shape):
            raise ValueError(f"{name}: the other's shape {other._parameter.shape} does not broadcast "
                             f"to {shape}")


class Bernoulli(Distribution):
    """Numbers that are 1 with the probability p = sigmoid(logits), else 0.

    nll is the cross-entropy -Σ [x ln p + (1 - x) ln(1 - p)], also for x between 0 and 1 (grey pixels,
    which are no outcomes: then it is a loss, not the -ln of a density). Its gradient is p - x.
    """

    def __init__(self, logits):
        self.logits = self._parameter = logits

    @staticmethod
    def check_examples(x):
        """Raise ValueError for an array with numbers outside [0, 1]; on the CPU, since a GPU would be waited for."""
        if isinstance(x, np.ndarray) and (x.min() < 0 or x.max() > 1):
            raise ValueError(f"Bernoulli: expected numbers in [0, 1], got them from {x.min():g} to {x.max():g}; "
                             "pixels from 0 to 255 are to be divided by 255")

    @property
    def mean(self):
        """p = sigmoid(logits)."""
        return ops.sigmoid(self.logits)

    def _terms(self, x):
        return bernoulli_terms(self.logits, x)

    def sample(self, rng):
        """Zeros and ones, as constants: a draw of them has no gradient."""
        p = self.mean.data
        return Tensor((rng.random(p.shape, dtype=p.dtype) < p).astype(p.dtype))

    def kl(self, other):
        """KL(self ‖ other) = Σ p (l - l') - ln(1 + eˡ) + ln(1 + eˡ′)."""
        self._check_other(other, Bernoulli)
        l, m = self.logits, other.logits
        return losses.per_example(self.mean * (l - m) - ops.softplus(l) + ops.softplus(m))


class Gaussian(Distribution):
    """N(mean, σ²) with σ² = exp(log_var), each number by itself; without log_var, σ = 1.

    log_var may be a number, or have any shape that broadcasts to the mean's: one for each pixel, say.
    """

    def __init__(self, mean, log_var=None):
        self.mean = self._parameter = mean
        self.log_var = _beside("Gaussian: log_var", log_var, mean)

    def _terms(self, x):
        error = x - self.mean
        if self.log_var is None:
            return 0.5 * (error * error) + 0.5 * math.log(2 * math.pi)
        scaled = _over_sigma(error, self.log_var)
        return 0.5 * (scaled * scaled) + (0.5 * self.log_var + 0.5 * math.log(2 * math.pi))

    def sample(self, rng):
        """z = μ + σ ε with ε ~ N(0, I).

        The randomness is in ε, which does not depend on the parameters, so that z is a smooth
        function of μ and log σ² and gradients pass through the sampler (Kingma and Welling 2014,
        section 2.4): dz/dμ = 1 and dz/dlog σ² = ½ σ ε.
        """
        noise = rng.standard_normal(self.mean.shape, dtype=self.mean.dtype)
        return self.mean + (noise if self.log_var is None else ops.exp(0.5 * self.log_var) * noise)

    def kl(self, other=None):
        """KL(self ‖ other), by default from N(0, I), the prior of a variational autoencoder:

            ½ Σ (σ² + mean² - 1 - ln σ²)               (Kingma and Welling 2014, appendix B)

        Another Gaussian is made N(0, I) by a shift and a scale of both, which change no divergence.
        """
        mean, log_var = self.mean, self.log_var
        if other is None:
            losses.check_batch(f"{type(self).__name__}.kl", mean)
        else:
            self._check_other(other, Gaussian)
            mean = mean - other.mean
            if other.log_var is not None:
                mean = _over_sigma(mean, other.log_var)
                log_var = (0 if log_var is None else log_var) - other.log_var
        return losses.l2(mean) if log_var is None else losses.per_example(gaussian_kl_terms(mean, log_var))


class SquaredError(Gaussian):
    """N(mean, I) whose nll leaves out the constant ½ D ln 2π: the squared error ½ Σ (x - mean)².

    The ½ makes the gradient mean - x at each example's output, and the loss is 0 at best. In all else
    it is that Gaussian: log_prob is ln of a density, with the constant.
    """

    def __init__(self, mean):
        super().__init__(mean)

    def nll(self, x):
        """½ Σ (x - mean)²."""
        self._check(x)
        return losses.mse(self.mean, x)


class Laplace(Distribution):
    """Density exp(-|x - mean| / b) / 2b with b = exp(log_scale); without log_scale, b = 1.

    Its nll is the absolute error: as a prior on a code it is the L1 penalty (Deep Learning, 14.2.1).
    log_scale may be a number, or have any shape that broadcasts to the mean's.
    """

    def __init__(self, mean, log_scale=None):
        self.mean = self._parameter = mean
        self.log_scale = _beside("Laplace: log_scale", log_scale, mean)

    def _terms(self, x):
        distance = ops.abs(x - self.mean)
        if self.log_scale is None:
            return distance + math.log(2)
        return distance * ops.exp(-self.log_scale) + (self.log_scale + math.log(2))

    def sample(self, rng):
        """mean - b sign(u) ln(1 - 2|u|) with u uniform on (-½, ½): like a Gaussian's, with a gradient."""
        u = rng.random(self.mean.shape, dtype=self.mean.dtype) - 0.5
        xp = array_module(u)
        noise = -xp.sign(u) * xp.log1p(-xp.minimum(2 * xp.abs(u), 1 - np.finfo(u.dtype).epsneg))
        return self.mean + (noise if self.log_scale is None else ops.exp(self.log_scale) * noise)

    def kl(self, other):
        """KL(self ‖ other) = Σ ln(b′ / b) + (b e^(-d / b) + d) / b′ - 1, with d = |mean - mean′|."""
        self._check_other(other, Laplace)
        d = ops.abs(self.mean - other.mean)
        ours, theirs = (_beside("", 0 if s is None else s, d) for s in (self.log_scale, other.log_scale))
        ratio = theirs - ours
        return losses.per_example(
            ratio + ops.exp(-ratio - d * ops.exp(-ours)) + d * ops.exp(-theirs) - 1)


class Categorical(Distribution):
    """One of K kinds for each example, with the probabilities softmax(logits), logits (N, K).

    Its examples are labels x (N,), integers in [0, K); anything else is a ValueError.
    """

    def __init__(self, logits):
        if logits.ndim != 2:
            raise ValueError(f"Categorical: expected logits (N, K), got the shape {logits.shape}")
        self.logits = self._parameter = logits

    @property
    def mean(self):
        """The probabilities (N, K), which are the mean of a one-hot vector."""
        return ops.softmax(self.logits)

    def _check(self, x):
        losses.check_labels("Categorical", self.logits, x)

    def _terms(self, x):
        return losses.cross_entropy_terms(self.logits, x)

    def sample(self, rng):
        """Labels (N,), as constants: the largest of the logits plus Gumbel noise."""
        logits = self.logits.data
        xp = array_module(logits)
        u = xp.maximum(rng.random(logits.shape, dtype=logits.dtype), np.finfo(logits.dtype).tiny)
        return Tensor((logits - xp.log(-xp.log(u))).argmax(axis=1))

    def kl(self, other):
        """KL(self ‖ other) = Σ p (ln p - ln p′)."""
        self._check_other(other, Categorical)
        return losses.per_example(self.mean * (ops.log_softmax(self.logits) - ops.log_softmax(other.logits)))


def _fits(shape, whole):
    """Does an array of that shape broadcast to the whole one, and not beyond it?"""
    try:
        return np.broadcast_shapes(shape, whole) == whole
    except ValueError:
        return False


def _beside(name, parameter, mean):
    """A second parameter beside the mean: None, or a Tensor that broadcasts to it."""
    if isinstance(parameter, (int, float, np.generic)):
        return Tensor(array_module(mean.data).zeros((), mean.dtype) + float(parameter))
    if parameter is not None and not _fits(parameter.shape, mean.shape):
        raise ValueError(f"{name} {parameter.shape} does not broadcast to the mean {mean.shape}")
    return parameter


def _over_sigma(error, log_var):
    """error / σ. In two steps, since 1 / σ overflows where the quotient does not: 0 / σ is 0."""
    root = ops.exp(-0.25 * log_var)
    return error * root * root


def _sum_each(terms):
    """(N, ...) to (N,)."""
    return ops.sum(ops.reshape(terms, shape=(terms.shape[0], -1)), axis=1)
