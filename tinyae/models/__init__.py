"""Models: an encoder, a decoder and the loss that trains them."""

from .vae import Elbo, VariationalAutoencoder, dense_vae
