"""What is public: each module's names, their docstrings, and the page that lists them."""

import inspect
import pydoc
import sys

import pytest

import tinyae
from tinyae import nn, reference

MODULES = [sys.modules[f"tinyae.{topic}"] for topic in reference.TOPICS]


def test_the_page_is_current():
    assert reference.PATH.read_text(encoding="utf-8") == reference.reference(), \
        "REFERENCE.md is not what the docstrings say: run python -m tinyae.reference"


def test_every_public_module_is_a_topic():
    public = {name for name in tinyae.__all__ if inspect.ismodule(getattr(tinyae, name))}
    assert public == set(reference.TOPICS) - {"gradcheck", "jacobian"}  # functions of their modules' names


@pytest.mark.parametrize("module", MODULES, ids=reference.TOPICS)
def test_public_names(module):
    assert list(module.__all__) == sorted(module.__all__) and len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        assert not callable(value) or inspect.getdoc(value), f"{name} has no docstring"


def test_dir_and_help_show_what_is_public():
    assert dir(tinyae) == sorted(tinyae.__all__)
    for name in tinyae.__all__:
        value = getattr(tinyae, name)
        if inspect.ismodule(value):
            assert dir(value) == sorted(value.__all__)
    page = pydoc.plain(pydoc.render_doc(tinyae.losses))
    assert "cross_entropy(logits" in page and "check_batch" not in page and "array_module" not in page


def test_entries():
    assert reference.entry(tinyae.backend, "DEVICES") == "- `DEVICES = ('cpu', 'gpu')`\n"
    assert reference.entry(tinyae.autodiff, "grad").startswith("- **`grad(output, inputs, grad_output=None, ")
    module = reference.entry(tinyae.backend, "device_module")
    assert module.startswith("- `device_module(device)`, **`tinyae.device`**: ")
    assert "activation=relu, output=None)`: A multilayer perceptron" in reference.entry(nn, "mlp")
    assert "likelihood=SquaredError, corruption" in reference.entry(tinyae.models, "Autoencoder")
    gaussian = reference.entry(tinyae.distributions, "Gaussian").splitlines()
    assert "  - `.sample(rng)`: z = μ + σ ε with ε ~ N(0, I)." in gaussian
    assert any(line.startswith("  - `.mean`: ") for line in
               reference.entry(tinyae.distributions, "Bernoulli").splitlines())
    assert nn.Module.training_rng is None and "training_rng" not in reference.entry(nn, "Module")
