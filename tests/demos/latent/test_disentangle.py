"""The demo of disentangling: its faces, its components, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.latent import disentangle
from demos.latent.disentangle import AUTOENCODER, HIGH, MODELS, PLAIN


def test_quick_run(run_quick):
    metrics, names = run_quick(disentangle)
    assert names == {"gaps.png", "tables.png", "traversals.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["disentangle", "disentangle.autoencoder", "disentangle.price"]


def test_each_factor_changes_its_own_pixels():
    images, factors = disentangle.faces(40, np.random.default_rng(0))
    assert images.shape == (40, 32, 32, 3) and factors.shape == (40, 4)
    corner, forehead = images[:, 0, 0, 0], images[:, 12, 15]
    assert np.corrcoef(corner, factors[:, 0])[0, 1] > 0.999
    assert np.corrcoef(forehead.mean(axis=1), factors[:, 2])[0, 1] < -0.95  # from light to dark


def test_components_keep_images_and_errors(a_run):
    images, _ = disentangle.faces(300, np.random.default_rng(0))
    space = disentangle.Components(a_run(disentangle), images)
    components = space.components(images)
    assert components.shape == (300, disentangle.AXES)
    assert np.abs(space.images(components) - images).max() < 0.05
    distance = ((components[0] - components[1]) ** 2).sum() * disentangle.NOISE**2
    assert distance == pytest.approx(((images[0] - images[1]) ** 2).sum(), rel=1e-2)


def test_dimensions_come_in_the_order_of_their_factors():
    table = np.array([[0.0, 0.1, 0.5, 0.2], [0.1, 0.0, 0.0, 0.0], [0.6, 0.0, 0.1, 0.0], [0.0, 0.2, 0.0, 0.4]])
    assert disentangle.in_order(table).tolist() == [2, 0, 3, 1]


GAPS = {name: [0.05, 0.1, 0.15] for name in MODELS} | {HIGH: [0.3, 0.4, 0.5]}
ERRORS = {name: [0.5, 0.6, 0.7] for name in MODELS} | {HIGH: [4.0, 4.1, 4.2]}


@pytest.mark.parametrize("gaps, errors, missed", [
    ({}, {}, set()),
    ({PLAIN: [0.3, 0.2, 0.4]}, {}, {"disentangle"}),
    ({AUTOENCODER: [0.3, 0.2, 0.4]}, {}, {"disentangle.autoencoder"}),
    ({HIGH: [0.9, np.nan, 0.9]}, {}, {"disentangle", "disentangle.autoencoder"}),
    ({}, {HIGH: [0.5, 0.6, 0.8]}, {"disentangle.price"}),
])
def test_each_claim_can_fail(judged, gaps, errors, missed):
    held = judged(disentangle.judge, GAPS | gaps, ERRORS | errors)
    assert {id for id, ok in held.items() if not ok} == missed
