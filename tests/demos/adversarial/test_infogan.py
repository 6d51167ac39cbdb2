"""The demo of InfoGAN: its loss and its measures against known answers, a quick run, claims that can fail."""

import numpy as np
import pytest

from demos.adversarial import infogan
from tinyae import Tensor, grad


def test_quick_run(run_quick):
    metrics, names = run_quick(infogan)
    assert names == {"kinds.png", "number.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["gan-variants.code"]
    assert np.shape(metrics["measured"]["counts"]) == (infogan.KINDS, 10)


def test_the_code_is_read_from_what_is_drawn(a_run, monkeypatch):
    """Both parts of the loss, against the formulas; they reach the generator and the readers."""
    monkeypatch.setattr(infogan, "GRAIN", 0.0)
    game = infogan.new_game(a_run(infogan), (14, 14, 1))
    z = np.random.default_rng(3).standard_normal((6, infogan.LATENT), dtype=np.float32)
    made = game.generator(Tensor(z))
    code = game.code(made).data.astype(float)
    logits, kind = code[:, :-1], z[:, : infogan.KINDS].argmax(axis=1)
    loss, terms = game.generator_loss(Tensor(np.zeros((6, 14, 14, 1), np.float32)), np.random.default_rng(3))
    nll = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), kind]
    assert terms["kind"].item() == pytest.approx(nll.mean(), rel=1e-5)
    error = code[:, -1] - z[:, infogan.KINDS]
    assert terms["number"].item() == pytest.approx((error**2).mean() / 2, rel=1e-5)
    fooled = np.log1p(np.exp(-game.discriminator(made).data.astype(float))).mean()
    informed = sum(infogan.WEIGHTS[name] * term.item() for name, term in terms.items())
    assert loss.item() == pytest.approx(fooled + informed, rel=1e-5)
    for part in (game.generator, game.kinds, game.number):
        assert all(g.data.any() for g in grad(loss, part.parameters()))


def test_only_the_kind_and_the_rest_of_z_count(a_run):
    """Of the first entries of z only the place of the largest counts."""
    game = infogan.new_game(a_run(infogan), (14, 14, 1))
    z = np.zeros((3, infogan.LATENT), np.float32)
    z[0, 4], z[1, 4], z[2, 5] = 0.5, 2, 2
    first, same, other = game.generator(Tensor(z)).data
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_plain_digits(a_run):
    digits = infogan.plain_digits(a_run(infogan))
    assert len(digits.train) == 512 and len(digits.test) == 256
    for name, value in (("rotation", 0), ("thickness", np.float32(2.1)), ("size", 17), ("shift", 0)):
        assert (digits.train_factors[name] == value).all()
    slants = digits.train_factors["slant"]
    assert np.histogram(slants, bins=5, range=(-0.3, 0.7))[0].min() > 60
    known = infogan.manner(digits)
    assert set(known) == {"slant"} and np.array_equal(known["slant"], digits.test_factors["slant"])
    measured = infogan.manner(digits._replace(test_factors=None))
    assert np.corrcoef(measured["lean of the ink"], known["slant"])[0, 1] > 0.7
    assert np.allclose(measured["amount of ink"], digits.test.sum(axis=(1, 2, 3)))


def test_purity():
    kinds, labels = np.array([0, 0, 0, 1, 1]), np.array([7, 7, 3, 3, 3])
    counts = infogan.table(kinds, labels)
    assert counts.shape == (infogan.KINDS, 10) and counts.sum() == 5
    assert counts[0, 7] == 2 and counts[1, 3] == 2
    assert infogan.purity(counts) == 0.8
    assert infogan.by_digit(counts[:2]).tolist() == [1, 0]


def test_the_strongest_correlation_has_either_sign():
    assert infogan.strongest({"a": 0.3, "b": -0.8}) == "b"
    assert infogan.strongest({"a": float("nan"), "b": 0.8}) == "a"


@pytest.mark.parametrize("share, held", [(0.7, True), (0.3, False), (float("nan"), False)])
def test_the_claim_can_fail(judged, share, held):
    assert judged(infogan.judge, share) == {"gan-variants.code": held}
