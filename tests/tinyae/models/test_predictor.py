"""The predictor: its loss is that of its distribution, and it learns."""

import numpy as np
import pytest

from tinyae import Tensor, distributions, losses, models, nn, optim, training


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_loss_is_that_of_the_distribution():
    x = Tensor(rng().standard_normal((5, 3), dtype=np.float32))
    network = nn.mlp(3, 4, rng=rng(1))
    labels, numbers = np.array([0, 3, 1, 2, 2]), rng(2).random((5, 4), dtype=np.float32)
    cases = ((models.Predictor(network), labels, losses.cross_entropy(network(x), labels)),
             (models.Predictor(network, distributions.SquaredError), numbers, losses.mse(network(x), numbers)),
             (models.Predictor(network, distributions.Bernoulli), numbers,
              distributions.Bernoulli(network(x)).nll(numbers)))
    for model, y, expected in cases:
        loss, terms = model.loss(x, y)
        assert loss.item() == expected.item() and terms == {"nll": loss}
    np.testing.assert_allclose(models.Predictor(network).predict(x).mean.numpy().sum(axis=1), 1, rtol=1e-6)


def test_it_learns_by_fit():
    x = rng().standard_normal((200, 2), dtype=np.float32)
    labels = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    model = models.Predictor(nn.mlp(2, 16, 3, rng=rng(1)))
    training.fit(model, optim.Adam(model.parameters(), 0.02), (x, labels), epochs=20, batch_size=20, rng=rng(2))
    assert (model.predict(Tensor(x)).mean.numpy().argmax(axis=1) == labels).mean() > 0.95


def test_answers_that_do_not_fit():
    model, x = models.Predictor(nn.mlp(2, 3, rng=rng())), Tensor(np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match="Categorical"):
        model.loss(x, np.array([0, 1, 2, 3]))
    with pytest.raises(ValueError, match="Categorical"):
        model.loss(x, np.zeros((4, 3), np.float32))
