"""The demo of the KL penalty on a code: what it measures, and a quick run of it."""

import numpy as np
import pytest

from demos import run
from demos.regularised import sparse_kl


def test_quick_run(run_quick):
    metrics, names = run_quick(sparse_kl, "--units", "48", "--rho", "0.1")
    assert names == {"kl.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["sparse-kl", "sparse-kl.every", "sparse-kl.without"]
    measured = metrics["measured"]
    assert (measured["units"], measured["rho"], metrics["epochs"]) == (48, 0.1, 1)
    assert all(0 < measured[name]["mean_activation"] < 1 and measured[name]["squared_error"] > 0
               for name in sparse_kl.NAMES)


@pytest.mark.parametrize("rho", ["0", "1", "2", "nan"])
def test_rho_is_a_mean_activation(tmp_path, capsys, rho):
    with pytest.raises(SystemExit):
        run.start("sparse_kl", ["--out", str(tmp_path), "--rho", rho])
    assert f"--rho: must be a finite number above 0 and below 1, not {rho!r}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_silent_units_are_not_on_target():
    assert sparse_kl.departure(np.zeros(5), 0.01) == (0.01, 0)


def test_departure_does_not_cancel():
    assert sparse_kl.departure(np.array([0.05, 0.05]), 0.05) == (0, 1)
    distance, within = sparse_kl.departure(np.array([0.0, 0.1, 0.06, 0.04]), 0.05)  # their mean is 0.05
    assert distance == pytest.approx(0.03) and within == 0.5
    assert sparse_kl.departure(np.full(8, 0.5), 0.05) == (pytest.approx(0.45), 0)


@pytest.mark.parametrize("distance, within, without, held", [
    (0.003, 1.0, 0.4, [True, True, True]),
    (0.05, 1.0, 0.4, [False, True, True]),
    (0.003, 0.5, 0.4, [True, False, True]),
    (0.003, 1.0, 0.02, [True, True, False]),  # the units are as quiet without the penalty
])
def test_each_claim_can_fail(judged, distance, within, without, held):
    results = dict(zip(sparse_kl.NAMES, ({"mean_distance": distance, "share_within": within},
                                         {"mean_distance": without})))
    assert list(judged(sparse_kl.judge, 0.05, results).values()) == held
