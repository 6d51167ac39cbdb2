"""Models: an encoder, a decoder and the loss that trains them."""

from .autoencoder import Autoencoder
from .networks import conv_networks, dense_networks
from .sparse_coding import PredictiveSparseDecomposition
from .vae import Elbo, VariationalAutoencoder, conv_vae, dense_vae

__all__ = sorted(name for name, value in globals().items() if callable(value) and not name.startswith("_"))
