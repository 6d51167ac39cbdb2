"""The demo of the VAE: what it measures, quick runs on each kind of image, its page, claims that can fail."""

import gzip
import json
import re
import struct

import numpy as np
import pytest

from demos.run import Images
from demos.variational import vae
from tinyae import data

RIGHT = {"distance": 0.6, "clear": 0.7, "kinds": 10, "same_digit": 0.7}
CLAIMS = ["vae.new", "vae", "vae.kinds"]


def page_of(folder):
    text = (folder / "quick" / "vae" / "explore.html").read_text(encoding="utf-8")
    page, = re.findall(r'id="page">(.*?)</script>', text, re.DOTALL)
    return json.loads(page), text


def test_quick_run(run_quick, tmp_path):
    metrics, names = run_quick(vae, "--hidden", "16")
    assert names == {"latent.png", "reconstructions.png", "loss.png", "explore.html", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [*CLAIMS, "vae.sheet"]
    measured = metrics["measured"]
    assert measured["test_elbo"] == -(measured["test_reconstruction"] + measured["test_kl"])
    assert metrics["epochs"] == 2 and measured["test_kl"] > 0
    page, text = page_of(tmp_path)
    assert page["latent"] == 2 and len(page["labels"]) == 512 and len(page["names"]) == 10
    assert "encoder" in page and "Two numbers describe a digit" in text


def test_no_page_of_networks_that_are_too_large(run_quick, capsys):
    _, names = run_quick(vae, "--hidden", "700", "--epochs", "0")
    assert names == {"latent.png", "reconstructions.png", "metrics.json"}
    assert "no page to play with" in capsys.readouterr().out


@pytest.mark.parametrize("options", [("--latent", "3", "--hidden", "8"),
                                     ("--latent", "4", "--model", "conv")])
def test_more_latent_dimensions(run_quick, options):
    metrics, names = run_quick(vae, *options, "--epochs", "1")
    assert names == {"samples.png", "reconstructions.png", "loss.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == CLAIMS


def test_with_faces(run_quick):
    metrics, names = run_quick(vae, "--data", "faces", "--epochs", "1")
    assert names == {"samples.png", "reconstructions.png", "loss.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["vae.new"]


def test_with_photographs(run_quick, noisy_photographs):
    metrics, names = run_quick(vae, "--data", "cifar10", "--epochs", "1", "--latent", "2")
    assert names == {"samples.png", "reconstructions.png", "loss.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["vae.new"]


def test_with_clothes(run_quick, tmp_path, monkeypatch):
    """Files of Fashion-MNIST made up of noise: there is a sheet, and a page, but no claim about digits."""
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path))
    (tmp_path / "fashion").mkdir()
    rng = np.random.default_rng(0)
    for name, n in (("train", 80), ("t10k", 60)):
        images = struct.pack(">4B3I", 0, 0, 8, 3, n, 28, 28) + rng.bytes(n * 28 * 28)
        labels = struct.pack(">4BI", 0, 0, 8, 1, n) + bytes(i % 10 for i in range(n))
        for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
            (tmp_path / "fashion" / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    metrics, names = run_quick(vae, "--data", "fashion", "--hidden", "8", "--epochs", "1")
    assert names == {"latent.png", "reconstructions.png", "loss.png", "explore.html", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["vae.new"]
    assert "Two numbers describe a garment" in page_of(tmp_path)[1]


def test_colour_images_have_convolutions(a_run):
    run = a_run(vae, "--data", "faces", "--model", "dense")
    with pytest.raises(ValueError, match="--model dense is for grey images"):
        vae.train(run, run.images(train=10, test=10))


def digits(n, seed):
    images, factors = data.strokes(n, np.random.default_rng(seed))
    return images, factors["digit"]


def test_a_look_at_samples_of_digits(a_run):
    """Samples that are digits are clear; noise is not; copies are not new."""
    images, run = Images(*digits(3000, 0), None, *digits(300, 1), None), a_run(vae)
    found = vae.look_at_samples(run, digits(500, 2)[0], images)
    assert 0.8 < found["clear"] < 1.2 and found["kinds"] == 10 and 0.8 < found["distance"] < 1.2
    assert vae.look_at_samples(run, images.train[:500], images)["distance"] < 0.05
    ones = vae.look_at_samples(run, images.train[images.train_labels == 1][:200], images)
    assert ones["kinds"] == 1
    noise = np.random.default_rng(3).random((100, 28, 28, 1), np.float32)
    assert vae.look_at_samples(run, noise, images)["distance"] > 1.5


def test_prior_grid():
    grid = vae.prior_grid(3).reshape(3, 3, 2)
    assert np.allclose(grid[1, 1], 0, atol=1e-12)
    assert np.allclose(grid[0, 0], [-1.959964, 1.959964], atol=1e-6)  # top left: z₁ low, z₂ high
    assert np.allclose(grid[0, 2], [1.959964, 1.959964], atol=1e-6)


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"distance": 0.1}, {"vae.new"}),
    ({"clear": 0.4}, {"vae"}),
    ({"kinds": 6}, {"vae.kinds"}),
    ({"same_digit": 0.5}, {"vae.sheet"}),
])
def test_each_claim_can_fail(judged, change, missed):
    held = judged(vae.judge, "digit", **(RIGHT | change))
    assert {id for id, held in held.items() if not held} == missed
    assert set(judged(vae.judge, "face", 0.6)) == {"vae.new"}
