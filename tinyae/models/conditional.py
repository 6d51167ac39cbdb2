"""The conditional variational autoencoder (Sohn, Lee and Yan 2015; Kingma et al. 2014): p(x | z, y).

What is known of an example, y (its label, its attributes), is told to the encoder and to the decoder, and
z is left to say the rest. For each y it is a variational autoencoder, with the bound

    ln p(x | y)  ≥  E_q ln p(x | z, y)  -  KL(q(z | x, y) ‖ N(0, I))

The prior does not depend on y: to order an x with that y, draw any z and decode it with y.
"""

from .. import nn, ops
from ..autodiff import as_tensor
from .vae import VariationalAutoencoder


class ConditionalVariationalAutoencoder(nn.Module):
    """A VAE of examples x about which y (N, K) is known, made of any encoder and decoder.

        networks = conv_networks((32, 32, 3), (32, 64), latent, rng, statistics=2, given=K)
        model = ConditionalVariationalAutoencoder(*networks, latent)
        fit(model, optimizer, (x, y), ...)
        model.sample(y, rng)                            new examples, each with its row of y
        model.given(y).encode(x), .importance_bound(x, samples, rng), ...

    encoder     x with y beside it to (N, 2 latent), the mean and the log-variance of q(z | x, y)
    decoder     z with y beside it, (N, latent + K), to the parameters of p(x | z, y), in the shape of x
    latent      the number of latent dimensions
    options     likelihood, beta and samples, as a `VariationalAutoencoder` has them

    "Beside" is along the last axis: K more entries of a vector, or K more channels of an image, each of
    them constant over it. Labels are given as rows with a single 1: `np.eye(10, dtype=int)[labels]`.
    """

    def __init__(self, encoder, decoder, latent, **options):
        VariationalAutoencoder(encoder, decoder, latent, **options)  # raises where these options will not do
        self.encoder, self.decoder, self.latent, self.options = encoder, decoder, latent, options

    def given(self, y):
        """The `VariationalAutoencoder` that it is for examples with these y (N, K), in their order.

        y is taken in the model's precision, whatever its own.
        """
        y = ops.astype(as_tensor(y), dtype=self.parameters()[0].dtype)  # yes and no, or np.eye's float64
        networks = Beside(self.encoder, y), Beside(self.decoder, y)
        return VariationalAutoencoder(*networks, self.latent, **self.options)

    def check_examples(self, x, y):
        """Raise ValueError for an x that the likelihood is not for, and for a y that is not (N, K)."""
        self.given(y).check_examples(x)

    def loss(self, x, y, rng):
        """What training minimises, reconstruction + β KL, and its terms by name, KL without β."""
        return self.given(y).loss(x, rng)

    def sample(self, y, rng):
        """An example for each row of y: the means of p(x | z, y) for z drawn from the prior."""
        return self.given(y).sample(len(y), rng)


class Beside(nn.Module):
    """A network that sees x with y (N, K) beside it, for N examples or several times them in the same order."""

    def __init__(self, network, y):
        if y.ndim != 2:
            raise ValueError("ConditionalVariationalAutoencoder: expected a row of numbers for each example, "
                             f"y (N, K), got the shape {y.shape}; labels are given as rows with a single 1: "
                             "np.eye(10, dtype=int)[labels]")
        self.network, self.y = network, y

    def __call__(self, x):
        n, k = self.y.shape
        if not n or x.shape[0] % n:
            raise ValueError(f"ConditionalVariationalAutoencoder: expected y for {x.shape[0]} examples, got it for {n}")
        y = ops.concatenate([self.y] * (x.shape[0] // n))
        y = ops.reshape(y, shape=(x.shape[0], *[1] * (x.ndim - 2), k))
        return self.network(ops.concatenate([x, ops.broadcast_to(y, shape=(*x.shape[:-1], k))], axis=-1))
