"""A predictor: a network that learns from examples with answers, and what its output stands for."""

from .. import nn
from ..distributions import Categorical


class Predictor(nn.Module):
    """p(y | x), made of any network, and learned from pairs (x, y).

        classifier = Predictor(nn.mlp(784, 200, 10, rng=rng))                    labels y (N,)
        regressor = Predictor(nn.mlp(784, 200, 1, rng=rng), SquaredError)        numbers y (N, 1)
        fit(classifier, optimizer, (x, y), ...)
        classifier.predict(x).mean                                               probabilities (N, 10)

    network     x to the parameters of p(y | x)
    likelihood  what they stand for: the distribution whose -ln p(y | x) is the loss
    """

    def __init__(self, network, likelihood=Categorical):
        self.network, self.likelihood = network, likelihood

    def predict(self, x):
        """The distribution p(y | x)."""
        return self.likelihood(self.network(x))

    def loss(self, x, y, rng=None):
        """What training minimises, -ln p(y | x) in nats per example."""
        nll = self.predict(x).nll(y)
        return nll, {"nll": nll}
