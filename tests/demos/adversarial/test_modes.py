"""The demo of mode collapse: its measures against known answers, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.adversarial import modes


def test_quick_run(run_quick):
    metrics, names = run_quick(modes)
    assert names == {"points.png", "discriminator.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["gan.modes", "gan.steadied", "gan.near", "gan.plane"]
    assert len(metrics["measured"]["near"]["with R1"]) == modes.LOOKS + 1


def test_a_look_at_points():
    rng = np.random.default_rng(0)
    covered, near = modes.look(modes.ring(rng, 5000))
    assert covered == 8 and near == pytest.approx(1 - np.exp(-4.5), abs=0.01)  # within 3 σ
    assert modes.look(np.repeat(modes.CENTRES[:3], 100, axis=0)) == (3, 1)
    few = np.concatenate([np.repeat(modes.CENTRES[:1], 99, axis=0), modes.CENTRES[1:2]])
    assert modes.look(few) == (1, 1)  # one point in a hundred covers no mode
    assert modes.look(np.zeros((10, 2))) == (0, 0)


def test_density_is_that_of_the_points():
    width = 0.25
    points = modes.ring(np.random.default_rng(0), 200_000, width)
    p = modes.density(modes.CENTRES, width).reshape(len(modes.AXIS), -1)
    assert p.sum() * modes.CELL == pytest.approx(1, abs=1e-3)
    row, column = np.unravel_index(modes.density(modes.CENTRES[2:3], width).argmax(), p.shape)
    assert (modes.AXIS[column], modes.AXIS[row]) == pytest.approx(modes.CENTRES[2], abs=0.05)
    right = points[:, 0] > 1
    assert right.mean() == pytest.approx(p[:, modes.AXIS > 1].sum() * modes.CELL, abs=0.02)


def test_points_are_those_of_each_state(a_run):
    run = a_run(modes)
    generator, other = (modes.new_game(run, 0).generator for _ in range(2))
    for p in other.parameters():
        p.data[...] = 0
    states = [g.state_dict() for g in (generator, other, generator)]
    first, zero, again = modes.points_of(run, generator, states)
    assert first.any() and not zero.any() and np.array_equal(first, again)


def test_noise_is_two_more_entries_of_z():
    z = np.zeros((5, modes.LATENT + 2))
    z[:, -2:] = np.arange(10).reshape(5, 2)
    assert np.allclose(modes.Noisy(lambda z: z[:, :2])(z), modes.NOISE * z[:, -2:])


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"modes": {"without R1": 8, "with R1": 8}}, {"gan.modes"}),
    ({"modes": {"without R1": 2, "with R1": 7}}, {"gan.steadied"}),
    ({"near": 0.5}, {"gan.near"}),
    ({"near": float("nan")}, {"gan.near"}),
    ({"error": 0.1}, {"gan.plane"}),
])
def test_each_claim_can_fail(judged, change, missed):
    right = {"modes": {"without R1": 2, "with R1": 8}, "near": 0.9, "error": 0.02}
    assert {id for id, held in judged(modes.judge, **(right | change)).items() if not held} == missed
