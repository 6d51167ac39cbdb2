"""The demo of the Laplace prior: what it compares, and a quick run of it."""

import numpy as np
import pytest

from demos.regularised import laplace
from tinyae import Tensor, losses, ops, penalties


def test_quick_run(run_quick):
    metrics, names = run_quick(laplace, "--l1", "0.3")
    assert names == {"laplace.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["laplace", "laplace.gradient"]
    assert metrics["claims"][0]["value"] < 1e-9 and metrics["claims"][1]["value"] < 1e-12
    assert metrics["measured"]["weight"] == 0.3 and metrics["data"] is metrics["epochs"] is None


@pytest.mark.parametrize("prior", laplace.PRIORS.values())
def test_the_prior_is_a_density(prior):
    """It integrates to 1, and is the one of the lecture: p(0) = λ/2, p(1/λ) = p(0)/e."""
    h = np.linspace(-40, 40, 200_001)
    p = np.exp(-prior(Tensor(h[:, None]), 0.7).numpy())
    assert abs(p.sum() * (h[1] - h[0]) - 1) < 1e-6
    at = np.exp(-prior(Tensor(np.array([[0.0], [1 / 0.7], [-1 / 0.7]])), 0.7).numpy())
    assert np.allclose(at, [0.35, 0.35 / np.e, 0.35 / np.e])


@pytest.mark.parametrize("penalty, holds", [
    (lambda h: 0.5 * losses.l1(h), True),
    (lambda h: losses.l1(h), False),                                     # another weight
    (lambda h: 0.5 * losses.l2(h), False),                               # a Gaussian prior
    (lambda h: 0.5 * ops.sum(ops.relu(h)) / h.shape[0], False),          # forgets the negative half
    (lambda h: 0.5 * losses.l1(h) / h.shape[1], False),                  # a mean over the units
])
def test_only_l1_with_its_weight_agrees_with_the_prior(penalty, holds, a_run):
    codes = np.random.default_rng(0).standard_normal((20, 6))
    values, priors, gap = laplace.compare(a_run(laplace), lambda h, *_: penalty(h), codes, 0.5)
    for minus_log in priors.values():
        worst = np.abs(minus_log - values - 6 * np.log(2 / 0.5)).max()
        assert (worst < 1e-12, gap < 1e-12) == (holds, holds)
        assert holds or (worst > 0.1 and gap > 0.1)


@pytest.mark.parametrize("name", laplace.PRIORS)
def test_a_prior_of_another_scale_is_seen(name, a_run, monkeypatch):
    monkeypatch.setitem(laplace.PRIORS, name, lambda h, rate: laplace.written_out(h, 2 * rate))
    codes = np.random.default_rng(0).standard_normal((20, 6))
    penalty, priors, gap = laplace.compare(a_run(laplace), penalties.l1(0.5), codes, 0.5)
    assert np.abs(priors[name] - penalty - 6 * np.log(4)).max() > 0.1 and gap == pytest.approx(1)


def test_each_claim_can_fail(judged):
    assert judged(laplace.judge, 1e-14, 1e-16) == {"laplace": True, "laplace.gradient": True}
    assert judged(laplace.judge, 1e-3, 1e-16) == {"laplace": False, "laplace.gradient": True}
    assert judged(laplace.judge, 1e-14, 1e-3) == {"laplace": True, "laplace.gradient": False}
