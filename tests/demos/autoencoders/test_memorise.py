"""The demo of memorising: what it measures, and a quick run of it."""

import numpy as np
import pytest

from demos.autoencoders import memorise
from tinyae import training


def test_quick_run(run_quick):
    metrics, names = run_quick(memorise)
    assert names == {"capacity.png", "index.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [f"index-map{word}" for word in ("", ".new", ".known", ".many")]
    assert (metrics["epochs"], metrics["data"]) == (50, "strokes")
    measured = metrics["measured"]
    assert list(measured["error"]) == ["2", "128"] and list(measured["distance_to_known"]) == ["20", "512"]


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
def run(a_run):
    return a_run(memorise)


@pytest.fixture
def images():
    """Five images to know, and 50 new ones."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((5, 12)), rng.standard_normal((50, 12))


def test_errors_of_a_lookup(images, run):
    known, new = images
    errors = memorise.relative_errors(run, Lookup(known), known, new)
    gaps = ((new[:, None] - known) ** 2).sum(axis=2).min(axis=1)
    assert errors["training"] == 0
    assert errors["held out"] == pytest.approx(gaps.sum() / ((new - known.mean(axis=0)) ** 2).sum())


def test_errors_of_the_mean_image_are_one(images, run):
    known, new = images
    errors = memorise.relative_errors(run, Always(known.mean(axis=0)), known, new)
    assert errors == pytest.approx({"training": 1, "held out": 1})


def test_errors_of_a_copier_are_zero(images, run):
    class Copier:
        def reconstruct(self, x):
            return x

    assert memorise.relative_errors(run, Copier(), *images) == {"training": 0, "held out": 0}


def test_distance_to_known_images(images, run):
    known, new = images
    looked_up = run.apply(Lookup(known).reconstruct, new)
    assert memorise.distance_to_known(looked_up, known, new) < 1e-12
    halfway = (looked_up + new) / 2  # as far from the new image as from the nearest known one
    assert memorise.distance_to_known(halfway, known, new) == pytest.approx(1)
    assert memorise.distance_to_known(0.9 * new + 0.1 * looked_up, known, new) == pytest.approx(81)
    mean = np.broadcast_to(known.mean(axis=0), new.shape)
    brute = ((mean[0] - known) ** 2).sum(axis=1).min() / ((mean - new) ** 2).sum(axis=1).mean()
    assert memorise.distance_to_known(mean, known, new) == pytest.approx(brute)


def test_autoencoder_has_one_code_unit_and_three_hidden_layers_on_either_side(run):
    model = memorise.autoencoder(12, 4, np.random.default_rng(0))
    assert [p.shape for p in model.parameters() if p.ndim == 2] == [
        (12, 4), (4, 4), (4, 4), (4, 1), (1, 4), (4, 4), (4, 4), (4, 12)]
    x = np.random.default_rng(1).standard_normal((7, 12)).astype(np.float32)
    assert run.apply(model.encode, x).shape == (7, 1) and run.apply(model.reconstruct, x).shape == (7, 12)
    far = run.apply(lambda h: model.decode(h).mean, np.array([[-1e6], [1e6]], np.float32))
    assert np.ptp(far) < 100  # tanh saturates


@pytest.mark.parametrize("examples, epochs", [(20, 10), (100, 2), (40, 5), (60, 4)])
def test_every_training_has_the_same_number_of_updates(a_run, monkeypatch, examples, epochs):
    """Up to whole epochs: 10 updates on 20 images at a time, the last two fifths with smaller steps."""
    seen = []

    def fit(model, optimizer, x, **options):
        seen.append((options["epochs"], options["batch_size"], [optimizer.lr(t) for t in (0, 0.59, 0.6, 0.8)]))
        return []

    monkeypatch.setattr(training, "fit", fit)
    memorise.train(a_run(memorise, "--epochs", "10"), np.zeros((examples, 6), np.float32), 2)
    assert seen == [(epochs, memorise.FEW, [3e-3, 3e-3, 1e-3, 3e-4])]


@pytest.mark.parametrize("training, held_out, to_known, many, fails", [
    (0.01, 1.4, 0.1, 1.05, []),
    (0.3, 1.4, 0.1, 1.05, [0]),  # it does not memorise
    (0.01, 0.8, 0.1, 1.05, [1]),  # it generalises
    (0.01, 1.4, 0.6, 1.05, [2]),  # what comes back is no training image
    (0.01, 1.4, 0.1, 3.0, [3]),  # it memorises many, too
])
def test_each_claim_can_fail(judged, training, held_out, to_known, many, fails):
    held = judged(memorise.judge, {"training": training, "held out": held_out}, to_known,
                  {"training": 0.5, "held out": 0.5 * many}, 3000).values()
    assert [i for i, h in enumerate(held) if not h] == fails
