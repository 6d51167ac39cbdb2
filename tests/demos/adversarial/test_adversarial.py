"""The demo of adversarial images: the step, training on it, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.adversarial import adversarial
from tinyae import Tensor, losses, nn, no_grad


def test_quick_run(run_quick):
    metrics, names = run_quick(adversarial)
    assert names == {"triples.png", "accuracy.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "adversarial", "adversarial.confidence", "adversarial.control", "adversarial.cure",
        "adversarial.price"]


def linear():
    """A linear classifier of three pixels and two kinds: two pixels speak for a kind, the last for none."""
    model = nn.Dense(3, 2, rng=np.random.default_rng(0))
    model.weight.data[...] = [[1, -1], [-2, 2], [0, 0]]
    return model


def test_the_step_is_against_the_true_label_and_stays_in_the_image():
    x = np.float32([[0.5, 0.5, 0.5], [0.05, 0.5, 0.5], [0.5, 0.95, 0.5]])
    with no_grad():  # as a demo that only measures has it
        moved = adversarial.adversary(linear(), Tensor(x), Tensor(np.array([0, 0, 1])), 0.1)
    assert moved.numpy() == pytest.approx(np.float32([[0.4, 0.6, 0.5], [0, 0.6, 0.5], [0.6, 0.85, 0.5]]))
    assert not moved.requires_grad


def test_half_of_the_loss_is_that_of_the_adversaries():
    model = adversarial.Classifier(3, 0.1, np.random.default_rng(0))
    x, y = Tensor(np.random.default_rng(1).random((5, 3), np.float32)), Tensor(np.arange(5))
    moved = adversarial.adversary(model, x, y, 0.1)
    both = [losses.cross_entropy(model(images), y).item() for images in (x, moved)]
    assert model.loss(x, y, None)[0].item() == pytest.approx(np.mean(both), rel=1e-5)
    assert both[1] > both[0]
    model.epsilon = 0.0
    assert model.loss(x, y, None)[0].item() == pytest.approx(both[0])


def curve(clean, at):
    return np.interp(adversarial.STEPS, [0, adversarial.EPSILON, 0.25], [clean, at, at])


RIGHT = {adversarial.PLAIN: curve(0.98, 0.2), adversarial.CURED: curve(0.98, 0.9),
         adversarial.CONTROL: curve(0.98, 0.97)}


@pytest.mark.parametrize("change, confidence, missed", [
    ({}, 0.9, set()),
    ({adversarial.PLAIN: curve(0.98, 0.5)}, 0.9, {"adversarial"}),
    ({}, 0.6, {"adversarial.confidence"}),
    ({}, np.nan, {"adversarial.confidence"}),
    ({adversarial.CONTROL: curve(0.98, 0.9)}, 0.9, {"adversarial.control"}),
    ({adversarial.CURED: curve(0.98, 0.6)}, 0.9, {"adversarial.cure"}),
    ({adversarial.CURED: curve(0.95, 0.9)}, 0.9, {"adversarial.price"}),
])
def test_each_claim_can_fail(judged, change, confidence, missed):
    verdicts = judged(adversarial.judge, RIGHT | change, confidence)
    assert {id for id, held in verdicts.items() if not held} == missed
