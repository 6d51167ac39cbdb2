"""The demo of few labels: its classifier, its joint loss, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.pretraining import few_labels
from tinyae import Tensor


def test_quick_run(run_quick):
    metrics, names = run_quick(few_labels)
    assert names == {"accuracy.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["semi-supervised.digits", "semi-supervised.joint"]
    assert set(metrics["measured"]["accuracy"]) == {"pixels", "code", "joint loss", "labels alone"}


@pytest.mark.parametrize("reconstruct", [True, False])
def test_the_joint_loss_is_the_sum_of_its_terms(a_run, reconstruct):
    model = few_labels.denoising_autoencoder(a_run(few_labels))
    x = np.random.default_rng(0).random((4, 784), np.float32)
    both = few_labels.WithLabels(model, Tensor(x), Tensor(np.arange(4)), reconstruct)
    loss, terms = both.loss(Tensor(x), np.random.default_rng(1))
    assert set(terms) == {"classification"} | ({"reconstruction"} if reconstruct else set())
    assert loss.item() == pytest.approx(sum(term.item() for term in terms.values()))
    nothing_known = few_labels.ALPHA * np.log(10)
    assert terms["classification"].item() == pytest.approx(nothing_known)


RIGHT = {"pixels": [0.4, 0.7], "code": [0.4, 0.8], "joint loss": [0.4, 0.81]}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"code": [0.6, 0.72]}, {"semi-supervised.digits"}),
    ({"joint loss": [0.6, 0.72]}, {"semi-supervised.joint"}),
    ({"pixels": [0.4, float("nan")]}, {"semi-supervised.digits", "semi-supervised.joint"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(few_labels.judge, RIGHT | change).items() if not held} == missed
