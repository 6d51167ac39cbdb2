"""The factors of drawn faces as numbers, and what moves in a latent space: where the answer is known."""

import numpy as np
import pytest

from demos import portraits, recipes
from demos.variational import vae
from tinyae import Tensor, data
from tinyae.distributions import Gaussian

SMILE, HAT = portraits.column("smile"), portraits.column("hat")


def drawn(n=200, **fixed):
    return data.faces(n, np.random.default_rng(0), **fixed)


def test_numbers():
    _, factors = drawn()
    known = portraits.numbers(factors)
    assert known.shape == (200, len(portraits.COLUMNS)) and known.dtype == np.float32
    assert known.min() >= 0 and known.max() <= 1 and len(set(portraits.COLUMNS)) == len(portraits.COLUMNS)
    np.testing.assert_allclose(known[:, SMILE], (factors["smile"] + 1) / 2, atol=1e-6)
    down = portraits.column("shift down")
    np.testing.assert_allclose(known[:, down], (factors["shift"][:, 1] + 2) / 4, atol=1e-6)
    np.testing.assert_allclose(known[:, portraits.column("background green")],
                               (factors["background"][:, 1] - 0.4) / 0.55, atol=1e-6)
    assert np.array_equal(known[:, HAT], factors["hat"])
    assert np.array_equal(known[:, portraits.column("blond hair")], factors["hair_colour"] == 2)


def test_passports(a_run):
    faces = portraits.passports(a_run(vae, "--data", "faces"), beard=0)
    assert faces.train.shape == (512, 32, 32, 3) and faces.test.shape == (256, 32, 32, 3)
    assert np.array_equal(faces.test_labels, faces.test_factors["identity"])
    for factors in (faces.train_factors, faces.test_factors):
        assert not factors["shift"].any() and not factors["light"].any() and not factors["beard"].any()
        assert np.ptp(factors["background"], axis=0).max() == 0 and np.ptp(factors["smile"]) > 1.9
    assert len(faces.train_factors) == 512 and not set(faces.train_labels) & set(faces.test_labels)


def test_heads_that_turn_only_so_far():
    """Whatever is drawn for the pose, the other factors are the same; one that is fixed may be any."""
    drawn, ahead = (portraits.passport(200, np.random.default_rng(0), **portraits.PLAIN, **fixed)[1]
                    for fixed in ({}, {"pose": 0.9}))
    assert 0.45 < np.abs(drawn["pose"]).max() <= 0.5 and np.allclose(ahead["pose"], 0.9)
    assert np.array_equal(drawn["smile"], ahead["smile"]) and not drawn["beard"].any()


def test_a_passport_may_differ_in_one_factor():
    smiling, frowning = (portraits.passport(9, np.random.default_rng(0), smile=s)[0] for s in (1, -1))
    changed = np.abs(smiling - frowning).max(axis=(0, 3)) > 0
    assert changed[17:25].any() and not changed[:17].any() and not changed[25:].any()


def test_slopes_are_those_of_a_linear_code():
    """A code that depends on the factors by known slopes, and on something else, gives the slopes back."""
    known = portraits.numbers(drawn(2000)[1])
    rng = np.random.default_rng(1)
    true = rng.standard_normal((len(portraits.COLUMNS), 5))
    hair = [portraits.column(name) for name in portraits.PARTS["hair_colour"]]
    true[hair] -= true[hair].mean(axis=0)  # what all kinds of hair have in common cannot be told
    codes = known @ true + 7 + 0.01 * rng.standard_normal((2000, 5))
    np.testing.assert_allclose(portraits.slopes(codes, known), true, atol=0.01)


def test_moves_and_the_farthest():
    change = np.zeros((3, len(portraits.COLUMNS)))
    change[:, SMILE], change[:, HAT] = (-0.5, -0.4, 0.9), (-0.3, 0.1, 0.2)
    moved = portraits.moves(change, SMILE)
    assert moved["smile"] == pytest.approx(-0.4)  # back is not forth for the one that was meant
    assert moved["hat"] == pytest.approx(0.2)
    assert portraits.farthest(moved, "smile") == "hat"
    change[:, portraits.column("pose")] = 0.15
    assert portraits.moves(change, SMILE, turn=0.5) == pytest.approx(moved | {"pose": 0.3})
    assert portraits.farthest(moved | {"smile": 0.5}, "hat") == "smile"
    assert portraits.farthest(moved | {"brow": np.nan}, "smile") == "brow"


class Straight:
    """A model whose images are its codes, seen as faces of one pixel that a reader reads as they are."""

    def encode(self, x):
        return Gaussian(x, Tensor(np.full(x.shape, -40.0)))

    def decode(self, z):
        return Gaussian(z)


@pytest.fixture
def space(a_run):
    return portraits.LatentSpace(a_run(vae, "--data", "faces"), Straight(), lambda images: 0.5 * images)


def test_change_in_a_latent_space(space):
    z = np.array([[0.2, 0.4], [0.6, 0.9]])
    np.testing.assert_allclose(space.encode(z), z)
    np.testing.assert_allclose(space.sample(z), z, atol=1e-6)
    np.testing.assert_allclose(space.change(z, np.array([0.2, 0.0])), [[0.1, 0], [0.1, 0]])


def test_a_direction_is_made_as_long_as_it_takes(space):
    z = np.zeros((3, 2))
    way = space.scaled(np.array([0.5, 0.0]), z, 0, 0.2)
    np.testing.assert_allclose(0.2 * way, [0.4, 0], atol=1e-6)  # of which the reader sees half
    assert space.change(z, 0.2 * way)[:, 0] == pytest.approx(0.2)
    far = space.scaled(np.array([0.01, 0.0]), z, 0, 0.2)
    np.testing.assert_allclose(0.2 * far, [0.03, 0], atol=1e-6)  # three times its length is the most


def test_reading_error():
    images, factors = drawn(5)
    error = portraits.reading_error(lambda images: portraits.numbers(factors) + 0.25, images, factors)
    assert error == pytest.approx(dict.fromkeys(portraits.COLUMNS, 0.25))


def test_a_reader_is_trained_once_and_reads_each_factor(a_run, capsys):
    images, _ = drawn(6)
    read = recipes.face_reader(a_run(vae, "--data", "faces"))
    assert read(images).shape == (6, len(portraits.COLUMNS))
    capsys.readouterr()
    again = recipes.face_reader(a_run(vae, "--data", "faces"))
    assert "found " in capsys.readouterr().out
    np.testing.assert_array_equal(again(images), read(images))
