"""Models: an encoder, a decoder and the loss that trains them."""

from .autoencoder import Autoencoder
from .conditional import ConditionalVariationalAutoencoder
from .dbn import DeepBeliefNetwork
from .gan import GenerativeAdversarialNetwork
from .networks import conv_networks, dense_networks
from .predictor import Predictor
from .rbm import RestrictedBoltzmannMachine
from .sparse_coding import PredictiveSparseDecomposition
from .stacking import stacked_encoder, train_greedily
from .vae import Elbo, ImportanceWeightedAutoencoder, VariationalAutoencoder, conv_vae, dense_vae

__all__ = sorted(name for name, value in globals().items() if callable(value) and not name.startswith("_"))
