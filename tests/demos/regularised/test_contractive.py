"""The demo of the contractive autoencoder: what it measures, its recipe, and a quick run of it."""

import numpy as np

from demos import recipes
from demos.regularised import contractive
from tinyae import Tensor, nn, ops


def rng(seed=0):
    return np.random.default_rng(seed)


def test_quick_run(run_quick):
    metrics, names = run_quick(contractive)
    assert names == {"spectrum.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["contractive", "contractive.drop", "contractive.few"]
    assert metrics["epochs"] == 1
    assert set(metrics["measured"]["number_above_one"]) == {contractive.WITH, contractive.WITHOUT}


def test_singular_values_of_a_linear_encoder(a_run):
    """Its Jacobian is its weight, the same for each image."""
    dense = nn.Dense(9, 4, rng=rng())
    left, right = (np.linalg.qr(rng(size).standard_normal((size, 4)))[0] for size in (4, 9))
    dense.weight.data = (right * [0.5, 3.0, 1.0, 2.0]) @ left.T
    values = contractive.singular_values(a_run(contractive), dense, rng(2).random((5, 9)))
    assert values.shape == (5, 4) and np.allclose(values, [3, 2, 1, 0.5])


def test_no_small_step_moves_the_code_by_more_than_the_largest_singular_value(a_run):
    encoder = nn.mlp(9, 4, rng=rng(), output=ops.sigmoid)
    for p in encoder.parameters():
        p.data = p.data.astype(float)
    x, steps = rng(1).random((5, 9)), rng(2).standard_normal((300, 9))
    steps *= 1e-6 / np.linalg.norm(steps, axis=1, keepdims=True)
    largest = contractive.singular_values(a_run(contractive), encoder, x)[:, 0]
    moves = [np.linalg.norm(encoder(Tensor(x + step)).numpy() - encoder(Tensor(x)).numpy(), axis=1)
             for step in steps]
    stretched = np.max(moves, axis=0) / 1e-6
    assert (stretched <= largest * (1 + 1e-4)).all() and (stretched > largest / 2).all()


def test_above_one():
    assert contractive.above_one(np.array([[3, 1.1, 1.0, 0.9], [1.5, 0.5, 0, 0]])) == 1.5


def test_every_weight_begins_alike(a_run):
    """And only the untied decoder has a weight of its own."""
    images, run = rng().random((4, 784), np.float32), a_run(contractive, "--epochs", "0")
    states = [recipes.contractive_autoencoder(run, images, weight, tied).state_dict()
              for weight, tied in ((0, True), (10, True), (0, False), (10, False))]
    for a, b in (states[:2], states[2:]):
        assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
    assert len(states[2]) == len(states[0]) + 1


def test_a_recipe_is_not_found_for_other_images(a_run):
    images, run = rng().random((2, 4, 784), np.float32), a_run(contractive, "--epochs", "1")
    first, other, again = (recipes.contractive_autoencoder(run, images[i], 0).encoder.layers[0].weight.numpy()
                           for i in (0, 1, 0))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_each_claim_can_fail(judged):
    before = np.tile(np.r_[np.full(40, 2.0), np.full(60, 0.5)], (5, 1))
    few = np.tile(np.r_[np.full(5, 2.0), np.full(95, 0.1)], (5, 1))
    found = [judged(contractive.judge, {contractive.WITHOUT: before, contractive.WITH: after}).values()
             for after in (few, before, few / 4)]
    assert [list(held) for held in found] == [
        [True, True, True], [False, False, True], [True, True, False]]
