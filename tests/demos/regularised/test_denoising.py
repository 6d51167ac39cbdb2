"""The demo of denoising: what it measures, and a quick run of it."""

import numpy as np
import pytest

from demos.regularised import denoising

NAMES = list(denoising.CORRUPTIONS)


def test_quick_run(run_quick, monkeypatch):
    monkeypatch.setattr(denoising, "HIDDEN", 32)
    metrics, names = run_quick(denoising)
    assert names == {"restored.png", "which_corruption.png", "metrics.json"}
    assert len(metrics["claims"]) == 6
    measured = metrics["measured"]
    assert list(measured["squared_error_before"]) == NAMES
    assert list(measured["squared_error_after"]) == [denoising.PLAIN, *NAMES]
    assert all(list(row) == NAMES for row in measured["squared_error_after"].values())
    assert metrics["epochs"] == 1 and metrics["data"] == "strokes"


def test_corruptions_take_what_their_names_say(a_run):
    """On images of ones, the error that each corruption makes is known."""
    ones = np.ones((500, 28, 28, 1), np.float32)
    share = [((denoising.spoil(a_run(denoising), corrupt, ones) - 1) ** 2).mean()
             for corrupt in denoising.CORRUPTIONS.values()]
    assert np.allclose(share, [0.5**2, 0.5, (14 / 28) ** 2, 0.3 / 2], rtol=0.02)


def test_all_see_the_same_corrupted_images(a_run):
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)
    for corrupt in denoising.CORRUPTIONS.values():
        first, again = (denoising.spoil(a_run(denoising, "--seed", "4"), corrupt, images) for _ in range(2))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, denoising.spoil(a_run(denoising, "--seed", "5"), corrupt, images))


def table(own=1.0, other=2.0, plain=4.0):
    """Errors after: own on the diagonal, other beside it, plain in the first row."""
    rows = {trained: {name: own if trained == name else other for name in NAMES} for trained in NAMES}
    return {denoising.PLAIN: dict.fromkeys(NAMES, plain), **rows}


def test_own_relative_to_others():
    after = table()
    after[NAMES[2]][NAMES[1]] = 0.5
    plain, other = denoising.own_relative_to_others(after)
    assert plain == dict.fromkeys(NAMES, 0.25)
    assert other == {**dict.fromkeys(NAMES, 0.5), NAMES[1]: 2.0}


@pytest.mark.parametrize("after, held", [
    (table(), [True] * 6),
    (table(own=3.0, other=6.0, plain=9.0), [False] * 4 + [True] * 2),  # half of the error is left
    (table(plain=1.0), [True] * 4 + [False, True]),  # corruption in training has changed nothing
    (table(other=1.0), [True] * 5 + [False]),  # what was shown does not matter
])
def test_each_claim_can_fail(after, held, judged):
    assert list(judged(denoising.judge, dict.fromkeys(NAMES, 4.0), after).values()) == held


def test_one_bad_corruption_is_enough_to_fail(judged):
    after = table()
    after[NAMES[3]][NAMES[3]] = 3.5
    assert list(judged(denoising.judge, dict.fromkeys(NAMES, 4.0), after).values()) == 3 * [True] + 3 * [False]
