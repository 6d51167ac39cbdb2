"""The demo of memorising: what it measures, and a quick run of it."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from demos import memorise  # noqa: E402
from demos.harness import apply  # noqa: E402
from tinyae import training  # noqa: E402


def test_quick_run(run_quick):
    metrics, names = run_quick(memorise)
    assert names == {"capacity.png", "index.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == 4 * ["index-map"]
    assert (metrics["epochs"], metrics["data"]) == (50, "strokes")
    assert list(metrics["error"]) == ["2", "128"] and list(metrics["distance_to_known"]) == ["20", "512"]


class Lookup:
    """A model that answers with the nearest of the images that it knows: a perfect index map."""

    def __init__(self, known):
        self.known = known

    def reconstruct(self, x):
        _, numbers = memorise.nearest(x.numpy(), self.known, 1)
        return type(x)(self.known[numbers[:, 0]])


class Always:
    """A model that gives the same answer to everything."""

    def __init__(self, answer):
        self.answer = answer

    def reconstruct(self, x):
        return type(x)(np.broadcast_to(self.answer, x.shape))


@pytest.fixture
def images():
    """Five images to know, and 50 new ones."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((5, 12)), rng.standard_normal((50, 12))


def test_errors_of_a_lookup(images):
    known, new = images
    errors = memorise.relative_errors(Lookup(known), known, new, "cpu")
    gaps = ((new[:, None] - known) ** 2).sum(axis=2).min(axis=1)
    assert errors["training"] == 0
    assert errors["held out"] == pytest.approx(gaps.sum() / ((new - known.mean(axis=0)) ** 2).sum())


def test_errors_of_the_mean_image_are_one(images):
    known, new = images
    errors = memorise.relative_errors(Always(known.mean(axis=0)), known, new, "cpu")
    assert errors == pytest.approx({"training": 1, "held out": 1})


def test_errors_of_a_copier_are_zero(images):
    class Copier:
        def reconstruct(self, x):
            return x

    assert memorise.relative_errors(Copier(), *images, "cpu") == {"training": 0, "held out": 0}


def test_distance_to_known_images(images):
    known, new = images
    looked_up = apply(Lookup(known).reconstruct, new)
    assert memorise.distance_to_known(looked_up, known, new) < 1e-12
    halfway = (looked_up + new) / 2  # as far from the new image as from the nearest known one
    assert memorise.distance_to_known(halfway, known, new) == pytest.approx(1)
    assert memorise.distance_to_known(0.9 * new + 0.1 * looked_up, known, new) == pytest.approx(81)
    mean = np.broadcast_to(known.mean(axis=0), new.shape)
    brute = ((mean[0] - known) ** 2).sum(axis=1).min() / ((mean - new) ** 2).sum(axis=1).mean()
    assert memorise.distance_to_known(mean, known, new) == pytest.approx(brute)


def test_autoencoder_has_one_code_unit_and_three_hidden_layers_on_either_side():
    model = memorise.autoencoder(12, 4, np.random.default_rng(0))
    assert [p.shape for p in model.parameters() if p.ndim == 2] == [
        (12, 4), (4, 4), (4, 4), (4, 1), (1, 4), (4, 4), (4, 4), (4, 12)]
    x = np.random.default_rng(1).standard_normal((7, 12)).astype(np.float32)
    assert apply(model.encode, x).shape == (7, 1) and apply(model.reconstruct, x).shape == (7, 12)
    assert np.ptp(apply(model.decode, np.array([[-1e6], [1e6]], np.float32))) < 100  # tanh saturates


@pytest.mark.parametrize("examples, epochs", [(20, [6, 2, 2]), (100, [2, 0, 0]), (40, [3, 1, 1])])
def test_every_training_has_the_same_number_of_updates(monkeypatch, examples, epochs):
    """Up to whole epochs: 10 updates on 20 images at a time."""
    seen = []

    def fit(model, optimizer, x, **options):
        assert options["batch_size"] == memorise.FEW
        seen.append((options["epochs"], optimizer.lr))
        return []

    monkeypatch.setattr(training, "fit", fit)
    args = type("Args", (), {"seed": 0, "device": "cpu"})
    memorise.train(np.zeros((examples, 6), np.float32), 2, 10, args)
    assert seen == list(zip(epochs, (3e-3, 1e-3, 3e-4)))


@pytest.mark.parametrize("training, held_out, to_known, many, fails", [
    (0.01, 1.4, 0.1, 1.05, []),
    (0.3, 1.4, 0.1, 1.05, [0]),  # it does not memorise
    (0.01, 0.8, 0.1, 1.05, [1]),  # it generalises
    (0.01, 1.4, 0.6, 1.05, [2]),  # what comes back is no training image
    (0.01, 1.4, 0.1, 3.0, [3]),  # it memorises many, too
])
def test_each_claim_can_fail(judged, training, held_out, to_known, many, fails):
    held = judged(memorise.judge, {"training": training, "held out": held_out}, to_known,
                  {"training": 0.5, "held out": 0.5 * many}, 3000)
    assert [i for i, h in enumerate(held) if not h] == fails
