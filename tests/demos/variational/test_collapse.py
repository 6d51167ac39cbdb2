"""The demo of the balance of a VAE's terms: what it measures, a quick run, and claims that can fail."""

import math

import numpy as np
import pytest

from demos import measures
from demos.variational import collapse
from tinyae import Tensor, models

PLANES = {"KL alone": {"kl": 1e-4, "mixed": 0.5, "inside": 0.95, "clear": 0.0, "kinds": 0},
          "reconstruction alone": {"kl": 35.0, "mixed": 0.26, "inside": 0.4, "clear": 0.88, "kinds": 8},
          "both": {"kl": 6.0, "mixed": 0.45, "inside": 0.9, "clear": 0.82, "kinds": 9}}
ENDS = {"weak decoder": {"kl": 3.9, "elbo": -8.0, "active": 5},
        "strong decoder": {"kl": 0.0, "elbo": -6.87, "active": 0},
        "strong decoder with warm-up": {"kl": 0.02, "elbo": -6.88, "active": 1}}
RIGHT = {"planes": PLANES, "linear": 0.05, "silent": 1e-3, "ends": ENDS, "truth": -6.86}


def test_quick_run(run_quick):
    metrics, names = run_quick(collapse)
    assert names == {"planes.png", "linear.png", "decoders.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["vae-balance"] + ["vae-balance." + word for word in (
        "outside", "kl", "clear", "weight", "silent", "code", "decoder", "exact", "warm-up")]


def test_the_circle_holds_95_percent_of_the_prior():
    z = np.random.default_rng(0).standard_normal((100_000, 2))
    assert (np.hypot(*z.T) < collapse.CIRCLE).mean() == pytest.approx(0.95, abs=0.003)


def test_mixing_of_clouds():
    a, b = np.random.default_rng(0).standard_normal((2, 1000, 2))
    assert measures.mixing(a, b) == pytest.approx(0.5, abs=0.03)
    assert measures.mixing(a, b + 20) == 0
    assert 0.1 < measures.mixing(a, 5 * b) < 0.35
    assert measures.mixing(np.array([[0.0], [1.0]]), np.array([[0.1], [0.15]])) == 0.5
    assert measures.mixing(a, a.copy()) > 0.9  # a point's own copy is a neighbour of the other cloud


def test_the_prediction_is_the_optimum_of_the_linear_model():
    """-ELBO of a dimension, ½ (λ - 2 λ w v + v² λ w² + w² s) + β KL, for q = N(v x, s) and decoder w z."""
    lam, beta = 3.0, 1.2
    best = min(((lam - 2 * lam * w * v + w * w * (v * v * lam + s)) / 2
                + beta * (s + v * v * lam - 1 - math.log(s)) / 2, v * v * lam)
               for w in np.linspace(0, 2, 41) for v in np.linspace(0, 1, 51) for s in np.linspace(0.05, 1, 39))
    assert best[1] == pytest.approx(collapse.predicted(lam, beta), abs=0.05)
    assert list(collapse.predicted(np.array([4.0, 2.0, 1.0]), 2.0)) == [0.5, 0, 0]


def test_the_probability_of_sequences():
    every = np.array([[number >> i & 1 for i in range(collapse.LENGTH)] for number in range(2**12)])
    every[:, 12:] = every[:, 11:12]  # those whose end stays as it is
    assert np.exp(collapse.log_p(every)).sum() == pytest.approx(0.9**8)
    x = collapse.sequences(20_000, np.random.default_rng(0))
    assert x.dtype == np.float32 and x[:, 0].mean() == pytest.approx(0.5, abs=0.02)
    assert (x[:, 1:] == x[:, :-1]).mean() == pytest.approx(0.9, abs=0.005)
    entropy = math.log(2) - 19 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert -collapse.log_p(x).mean() == pytest.approx(entropy, abs=0.1)


def test_the_strong_decoder_sees_only_what_comes_before_and_can_be_exact():
    networks = models.dense_networks((20,), 4, 5, np.random.default_rng(0), statistics=2)
    model = collapse.Autoregressive(*networks, 5)
    for p in (*model.encoder.parameters(), *model.decoder.parameters()):
        p.data[...] = 0  # q is the prior, and z is not seen
    odds = 2 * math.log(9)
    model.weight.data[np.arange(19), np.arange(1, 20)] = odds
    model.decoder.layers[-2].bias.data[1:] = -odds / 2
    model.weight.data[np.tril_indices(20)] = 100  # not before: never seen
    x = collapse.sequences(500, np.random.default_rng(1))
    bound = model.elbo(Tensor(x), np.random.default_rng(2))
    assert bound.kl.item() == 0 and bound.elbo.item() == pytest.approx(collapse.log_p(x).mean(), rel=1e-5)


def planes(name, **numbers):
    return {"planes": PLANES | {name: PLANES[name] | numbers}}


def ends(name, **numbers):
    return {"ends": ENDS | {name: ENDS[name] | numbers}}


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    (planes("both", mixed=0.27), {"vae-balance"}),
    (planes("reconstruction alone", inside=0.95), {"vae-balance.outside"}),
    (planes("KL alone", kl=1.0), {"vae-balance.kl"}),
    (planes("both", clear=0.1), {"vae-balance.clear"}),
    ({"linear": 0.4}, {"vae-balance.weight"}),
    ({"silent": 0.3}, {"vae-balance.silent"}),
    (ends("weak decoder", kl=0.1), {"vae-balance.code"}),
    (ends("strong decoder", kl=3.0), {"vae-balance.decoder"}),
    (ends("strong decoder", elbo=-8.0), {"vae-balance.exact"}),
    (ends("strong decoder with warm-up", kl=3.0), {"vae-balance.warm-up"}),
])
def test_each_claim_can_fail(judged, change, missed):
    assert {id for id, held in judged(collapse.judge, **(RIGHT | change)).items() if not held} == missed
