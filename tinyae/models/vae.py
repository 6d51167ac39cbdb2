"""The variational autoencoder (Kingma and Welling 2014; Deep Learning, section 20.10.3).

A latent variable z ~ N(0, I) makes an image through the decoder, x ~ p(x | z). The encoder answers
the other way with a Gaussian q(z | x), and both are trained together on the evidence lower bound

    ln p(x)  ≥  ELBO  =  E_q ln p(x | z)  -  KL(q(z | x) ‖ N(0, I))
                           reconstruction     the price of what z tells about x

It is the first of a row of bounds, the one for K = 1, that rises to ln p(x) with the number of draws
from q (Burda, Grosse and Salakhutdinov 2016):

    ln p(x)  ≥  L_K  =  E ln 1/K Σ w_k,  w_k = p(x | z_k) p(z_k) / q(z_k | x)
"""

import math
from typing import NamedTuple

from .. import nn, ops
from ..autodiff import Tensor
from ..backend import array_module
from ..distributions import Bernoulli, Gaussian
from .networks import conv_networks, dense_networks


class Elbo(NamedTuple):
    """The two terms of the bound, both of them costs in nats per example; `elbo` is the bound itself."""

    reconstruction: Tensor
    kl: Tensor

    @property
    def elbo(self):
        """The bound: -(reconstruction + kl)."""
        return -(self.reconstruction + self.kl)


class VariationalAutoencoder(nn.Module):
    """A VAE made of any encoder and decoder.

    encoder     x (N, ...) to (N, 2 latent): the mean and the log-variance of q(z | x), side by side
    decoder     z (N, latent) to the parameters of p(x | z), in the shape of x
    latent      the number of latent dimensions
    likelihood  what the decoder's output stands for, a distribution such as `distributions.Bernoulli`
    beta        the weight of the KL term in the training loss (Higgins et al. 2017)
    samples     latent samples for each example in the estimate of the reconstruction term
    """

    def __init__(self, encoder, decoder, latent, *, likelihood=Bernoulli, beta=1.0, samples=1):
        if samples < 1 or not beta >= 0:
            raise ValueError(f"{type(self).__name__}: samples must be at least 1 and beta at least 0, "
                             f"not {samples} and {beta}")
        self.encoder, self.decoder, self.latent = encoder, decoder, latent
        self.likelihood, self.beta, self.samples = likelihood, beta, samples

    def encode(self, x):
        """The distribution q(z | x), a Gaussian (N, latent); its `.mean` is the usual code of x."""
        statistics = self.encoder(x)
        if statistics.shape != (x.shape[0], 2 * self.latent):
            raise ValueError(f"{type(self).__name__}: expected of the encoder the mean and the log-variance in a "
                             f"latent space of {self.latent}, {(x.shape[0], 2 * self.latent)}, got {statistics.shape}")
        return Gaussian(*ops.split(statistics, 2, axis=1))

    def decode(self, z):
        """The distribution p(x | z); its `.mean` is an image for each latent vector."""
        return self.likelihood(self.decoder(z))

    def check_examples(self, x):
        """Raise ValueError where the likelihood is for other numbers, such as a Bernoulli's for pixels in [0, 1]."""
        getattr(self.likelihood, "check_examples", lambda x: None)(x)

    def reconstruct(self, x):
        """The image decoded from the mean of q(z | x)."""
        return self.decode(self.encode(x).mean).mean

    def sample(self, n, rng):
        """n images: the means of p(x | z) for z drawn from the prior."""
        dtype = self.parameters()[0].dtype
        return self.decode(Tensor(rng.standard_normal((n, self.latent), dtype=dtype))).mean

    def elbo(self, x, rng):
        """The evidence lower bound on ln p(x), averaged over the batch, by its two terms."""
        q = self.encode(x)
        x, copies = self._copies(x, q, self.samples)
        return Elbo(self.decode(copies.sample(rng)).nll(x), q.kl())

    def log_weights(self, x, samples, rng):
        """ln p(x | z) p(z) / q(z | x), (samples, N), for so many z drawn from q(z | x) of each example."""
        if samples < 1:
            raise ValueError(f"log_weights: samples must be at least 1, not {samples}")
        x, q = self._copies(x, self.encode(x), samples)
        z = q.sample(rng)
        prior = Gaussian(Tensor(array_module(z.data).zeros_like(z.data)))
        log_w = self.decode(z).log_prob(x) + prior.log_prob(z) - q.log_prob(z)
        return ops.reshape(log_w, shape=(samples, -1))

    def importance_bound(self, x, samples, rng):
        """An estimate of the bound L_K on ln p(x) of each example, (N,), from K = samples draws."""
        return ops.logsumexp(self.log_weights(x, samples, rng), axis=0) - math.log(samples)

    @staticmethod
    def _copies(x, q, samples):
        """x and q so many times, one after another."""
        if samples == 1:
            return x, q
        x, mean, log_var = (ops.concatenate([t] * samples) for t in (x, q.mean, q.log_var))
        return x, Gaussian(mean, log_var)

    def loss(self, x, rng):
        """What training minimises, reconstruction + β KL, and its terms by name, as `elbo` has them: without β."""
        reconstruction, kl = self.elbo(x, rng)
        return reconstruction + self.beta * kl, {"reconstruction": reconstruction, "kl": kl}


class ImportanceWeightedAutoencoder(VariationalAutoencoder):
    """A VAE trained on the bound L_K instead of the ELBO, with K = samples (Burda et al. 2016).

    The ELBO averages ln w over the draws and punishes each one that explains x badly. This takes ln of
    the average of w, to which such a draw adds nothing: the gradient weighs each draw by its share of
    Σ w, so the encoder may spread its draws and the posterior need not be a Gaussian.
    """

    def __init__(self, encoder, decoder, latent, *, likelihood=Bernoulli, samples=5):
        super().__init__(encoder, decoder, latent, likelihood=likelihood, samples=samples)

    def loss(self, x, rng):
        """What training minimises, -L_K, in nats per example."""
        loss = -ops.mean(self.importance_bound(x, self.samples, rng))
        return loss, {"bound": loss}


def dense_vae(shape, hidden, latent, rng, **options):
    """A VAE of two `dense_networks` with those hidden widths, for examples of that shape."""
    encoder, decoder = dense_networks(shape, hidden, latent, rng, statistics=2)
    return VariationalAutoencoder(encoder, decoder, latent, **options)


def conv_vae(shape, channels, latent, rng, **options):
    """A VAE of two `conv_networks` with those channels, for images of that shape (H, W, C)."""
    encoder, decoder = conv_networks(shape, channels, latent, rng, statistics=2)
    return VariationalAutoencoder(encoder, decoder, latent, **options)
