"""The demo of hashing: its codes and table against a scan, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.representations import hashing
from tinyae import Tensor, ops


def test_quick_run(run_quick):
    metrics, names = run_quick(hashing)
    assert names == {"codes.png", "found.png", "time.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == [
        "hashing", "hashing.binary", "hashing.table", "hashing.time"]


def test_noise_in_training_only():
    layer, x = hashing.NoisySigmoid(3.0), Tensor(np.linspace(-2, 2, 2_000, dtype=np.float32))
    assert np.array_equal(layer(x).data, ops.sigmoid(x).data)
    noisy = layer.train(np.random.default_rng(0))(x).data.astype(float)
    noise = np.log(noisy / (1 - noisy)) - x.data
    assert noise.std() == pytest.approx(3, rel=0.05) and abs(noise.mean()) < 0.2


def test_keys_differ_in_as_many_bits():
    bits = np.random.default_rng(0).random((20, hashing.BITS)) < 0.5
    keys = hashing.pack(bits)
    assert keys.dtype == np.uint32
    assert np.array_equal(np.bitwise_count(keys[:, None] ^ keys), (bits[:, None] != bits).sum(axis=2))


def test_the_ball():
    assert len(set(hashing.BALL.tolist())) == 1 + 32 + 32 * 31 // 2
    assert np.bincount(np.bitwise_count(hashing.BALL)).tolist() == [1, 32, 496]


def test_the_table_finds_what_a_scan_finds():
    rng = np.random.default_rng(0)
    keys = hashing.pack(rng.random((500, hashing.BITS)) < 0.05)  # many are near each other, and some are equal
    table = hashing.Table(keys)
    for key in keys[:20]:
        found = table.near(key)
        assert len(found) > 1 and np.array_equal(np.sort(found), hashing.scan(keys, key))
    assert hashing.Table(keys).near(np.uint32(2**32 - 1)).tolist() == []


def test_what_queries_find():
    known = hashing.pack(np.eye(20, hashing.BITS) > 0)  # all at a distance of 2 of each other, of 1 from 0
    labels, nobody = np.repeat([0, 1], [15, 5]), np.uint32(2**32 - 1)
    found = hashing.look_at(known, np.array([0, nobody], np.uint32), labels, np.array([0, 0]))
    assert found["precision"] == pytest.approx(0.75 / 2) and found["nothing"] == 0.5 and found["items"] == 10
    assert found["precision_of_ten"] == 1  # of those that tie, the first
    assert found["as_scan"] == 1


def test_time_is_measured(a_run):
    keys = hashing.pack(np.random.default_rng(0).random((50, hashing.BITS)) < 0.5)
    seconds = hashing.time_queries(a_run(hashing), keys, keys[:3], 200)
    assert seconds.keys() == {"table", "scan"} and all(0 < each < 0.1 for each in seconds.values())


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"precision": {"noise before the sigmoid": 0.5, "random hyperplanes": 0.45}}, {"hashing"}),
    ({"binary": 0.4}, {"hashing.binary"}),
    ({"as_scan": 0.999}, {"hashing.table"}),
    ({"seconds": {100: {"table": 1.0, "scan": 1.0}, 900: {"table": 4.0, "scan": 9.0}}}, {"hashing.time"}),
    ({"seconds": {100: {"table": 1.0, "scan": 1.0}, 900: {"table": 0.0, "scan": 9.0}}}, {"hashing.time"}),
])
def test_each_claim_can_fail(judged, change, missed):
    right = {"precision": {"noise before the sigmoid": 0.8, "random hyperplanes": 0.2}, "binary": 0.95, "as_scan": 1.0,
             "seconds": {100: {"table": 1.0, "scan": 1.0}, 900: {"table": 2.0, "scan": 9.0}}}
    assert {id for id, held in judged(hashing.judge, **(right | change)).items() if not held} == missed
