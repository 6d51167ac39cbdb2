"""The demo of faces to order: what is asked, how it is measured, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.latent import conditional
from demos.latent.conditional import HAIR, PERSON, REST, WORN


def test_quick_run(run_quick):
    metrics, names = run_quick(conditional)
    assert names == {"orders.png", "shares.png", "strangers.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "conditional", "conditional.read", "conditional.person", "conditional.true",
        "conditional.dressed"]


def test_y_is_what_the_face_wears(a_run):
    run = a_run(conditional)
    images, factors = conditional.strangers(run, beard=1, glasses=0, hat=1, hair_colour=2)
    assert (conditional.asked_of(factors) == [1, 0, 1, 0, 0, 1, 0]).all()
    again, others = conditional.strangers(run, beard=0, glasses=0, hat=1, hair_colour=2)
    assert np.array_equal(factors["identity"], others["identity"]) and not np.array_equal(images, again)
    orders = conditional.every_order()
    assert orders.shape == (32, len(WORN) + len(HAIR)) and len(np.unique(orders, axis=0)) == 32
    assert (orders[:, len(WORN):].sum(axis=1) == 1).all()
    assert {name for order in conditional.ORDERS for name in order} <= {*WORN, *HAIR}
    assert all(sum(name in HAIR for name in order) == 1 for order in conditional.ORDERS)


def test_right_counts_each_attribute():
    asked = np.float32([[1, 0, 0, 1, 0, 0, 0], [1, 1, 0, 0, 0, 1, 0]])
    read = np.float32([[0.9, 0.6, 0.2, 0.4, 0.3, 0.1, 0.2], [0.2, 0.7, 0.4, 0.5, 0.1, 0.6, 0.1]])
    assert conditional.right(read, asked) == {"beard": 0.5, "glasses": 0.5, "hat": 1.0, "hair colour": 1.0}
    assert conditional.right(read, np.roll(asked, 1, axis=0))["hair colour"] == 0


def test_moves_are_spreads_over_orders_in_those_over_z():
    z, orders = np.float64([-1, 1])[:, None], np.float64([-1, 1, -1, 1])
    rest = np.stack([z + 0 * orders, z + 0.5 * orders, 2 * z + orders, z - orders, 0 * z + orders], axis=-1)
    found = conditional.moves(rest)
    assert list(found.values()) == pytest.approx([0, 0.5, 0.5, 1, np.nan], nan_ok=True)
    assert list(found) == [*PERSON, *REST]


RATES, MOVED = dict.fromkeys((*WORN, "hair colour"), 0.99), dict.fromkeys(PERSON, 0.2) | dict.fromkeys(REST, 1.2)


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"there": RATES | {"hat": 0.8}}, {"conditional"}),
    ({"there": RATES | {"hat": np.nan}}, {"conditional"}),
    ({"reading": RATES | {"beard": 0.9}}, {"conditional.read"}),
    ({"moved": MOVED | {"face width": 0.6}}, {"conditional.person"}),
    ({"moved": MOVED | {"skin": np.nan}}, {"conditional.person"}),
    ({"error": {"dressed": 9.0, "copied": 8.0, "another": 9.0}}, {"conditional.true"}),  # z says nothing
    ({"error": {"dressed": 9.0, "copied": 5.0, "another": 60.0}}, {"conditional.dressed"}),
])
def test_each_claim_can_fail(judged, change, missed):
    told = {"reading": RATES, "there": RATES, "moved": MOVED, "error": {"dressed": 9.0, "copied": 8.0, "another": 60.0}} | change
    assert {id for id, held in judged(conditional.judge, **told).items() if not held} == missed
