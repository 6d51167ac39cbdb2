"""Checkpoints: what comes back is what was saved, or an error that names the file."""

import os
import zipfile

import numpy as np
import pytest

from tinyae import checkpoint

ARRAYS = {
    "a": np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32),
    "encoder.layers.0.weight": np.array([np.nan, -0.0, np.inf, 5e-324]),
    "a.npy": np.arange(3),
    "arrays/a": np.arange(4, dtype=np.uint8),
    "header": np.array([True, False]),
    "file": np.array(2.5, np.float16),
    "weight of ω/..": np.zeros((0, 5), np.int64),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}
META = {"history": [{"loss": 0.1 + 0.2, "epoch": 1}], "rng": 2**127 + 1, "none": None, "text": "ä\n"}


def same(one, other):
    return list(one) == list(other) and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in zip(one.values(), other.values()))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run" / "checkpoint.npz"
    checkpoint.save(path, {"w": np.arange(5.0), "empty": np.zeros((0, 2))}, {"epoch": 3})
    return path


@pytest.mark.parametrize("names", [[n for n in ARRAYS if n != "a.npy"], list(ARRAYS), []],
                         ids=["all but .npy", "all", "none"])
def test_round_trip(tmp_path, names):
    path = tmp_path / "new" / "folders" / "checkpoint"  # the name is kept as it is
    chosen = {name: ARRAYS[name] for name in names}
    checkpoint.save(str(path), chosen, META)
    arrays, meta = checkpoint.load(str(path))
    assert same(arrays, chosen)
    assert meta == META
    assert os.listdir(path.parent) == ["checkpoint"]


@pytest.mark.parametrize("meta", [None, [], {}, "text", 0.1, {"a": [None, True, [1.5]]}])
def test_meta(tmp_path, meta):
    checkpoint.save(tmp_path / "c", {}, meta)
    assert checkpoint.load(tmp_path / "c") == ({}, meta)


def test_arrays_in_meta_become_lists(tmp_path):
    checkpoint.save(tmp_path / "c", {}, {"key": np.arange(3), "n": np.int64(4)})
    assert checkpoint.load(tmp_path / "c")[1] == {"key": [0, 1, 2], "n": 4}


def test_overwrites(saved):
    checkpoint.save(saved, {"v": np.ones(2)}, "second")
    arrays, meta = checkpoint.load(saved)
    assert list(arrays) == ["v"] and meta == "second"


# --- files that are no checkpoint ----------------------------------------------------------------

@pytest.mark.parametrize("path", ["nowhere.npz", "nowhere/at/all", "."])
def test_missing(tmp_path, path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at .*" + str(tmp_path)):
        checkpoint.load(tmp_path / path)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def write_foreign(path, kind):
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("epoch 1: loss 3.2\n" * 50)
    elif kind == "zeros":
        path.write_bytes(bytes(5000))
    elif kind == "npy":
        with open(path, "wb") as file:
            np.save(file, np.arange(3))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme", "hello")
    else:
        arrays = {
            "npz": {"w": np.arange(3)},
            "npz with a header": {"header": np.arange(3)},
            "header of another program": {"header": np.array('{"version": 1}')},
            "header is a list": {"header": np.array("[]")},
            "header without meta": {"header": np.array('{"format": "tinyae 2"}')},
            "earlier format": {"header": np.array('{"format": "tinyae 1", "meta": null}')},
            "pickled object": {"header": np.array('{"format": "tinyae 2", "meta": null, "digest": ""}'),
                               "arrays/w": np.array([Bomb()], object)},
            "pickled header": {"header": np.array(Bomb(), object)},
        }[kind]
        with open(path, "wb") as file:
            np.savez(file, **arrays)


@pytest.mark.parametrize("kind", [
    "empty", "text", "zeros", "npy", "zip", "npz", "npz with a header", "header of another program",
    "header is a list", "header without meta", "earlier format", "pickled object", "pickled header"])
def test_foreign(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "foreign.npz"
    write_foreign(path, kind)
    with pytest.raises(ValueError) as caught:
        checkpoint.load(path)
    assert str(path) in str(caught.value)
    reason = "'tinyae 2', found 'tinyae 1'" if kind == "earlier format" else "not a whole tinyae checkpoint"
    assert reason in str(caught.value)
    assert os.listdir() == ["foreign.npz"]  # nothing in it was executed


def test_truncated(saved):
    whole = saved.read_bytes()
    for length in {*range(0, len(whole), 37), len(whole) - 1, len(whole) - 22}:
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a whole tinyae checkpoint") as caught:
            checkpoint.load(saved)
        assert str(saved) in str(caught.value)


@pytest.mark.filterwarnings("ignore")  # NumPy may warn of a header that is odd
def test_flipped_bits(saved):
    """Wherever a bit is flipped, either it is noticed or it did no harm."""
    whole, (arrays, meta) = saved.read_bytes(), checkpoint.load(saved)
    noticed = 0
    for place in range(0, len(whole), 3):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1:])
        try:
            found = checkpoint.load(saved)
        except ValueError as error:
            noticed += str(saved) in str(error)
        else:
            assert found[1] == meta and same(found[0], arrays), place
    values = whole.index(np.arange(5.0).tobytes())
    saved.write_bytes(whole[:values] + b"\1" + whole[values + 1:])
    with pytest.raises(ValueError, match="CRC"):
        checkpoint.load(saved)
    assert noticed > len(whole) / 6


# --- writing that fails --------------------------------------------------------------------------

class Unwritable:
    def __array__(self, dtype=None, copy=None):
        raise KeyboardInterrupt


def fail(*args):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("broken, arrays, meta, error", [
    ("fsync", {}, None, OSError),
    ("replace", {}, None, OSError),
    (None, {"big": np.ones(1000), "w": Unwritable()}, None, KeyboardInterrupt),
    (None, {}, {"set": {1, 2}}, (TypeError, AttributeError)),
    (None, {"w": np.array([{}], object)}, None, (ValueError, TypeError)),
], ids=["fsync", "replace", "array", "meta", "object array"])
def test_a_failing_write_leaves_the_old_checkpoint(saved, monkeypatch, broken, arrays, meta, error):
    before = saved.read_bytes()
    if broken:
        monkeypatch.setattr(os, broken, fail)
    with pytest.raises(error):
        checkpoint.save(saved, arrays, meta)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_the_file_is_whole_before_it_has_its_name(saved, monkeypatch):
    steps = []
    real = {name: getattr(os, name) for name in ("fsync", "replace")}
    for name in real:
        monkeypatch.setattr(os, name, lambda *args, name=name: (steps.append(name), real[name](*args)))
    checkpoint.save(saved, {"w": np.zeros(1)})
    assert steps[:2] == ["fsync", "replace"]


def test_a_leftover_does_no_harm(saved):
    before = saved.read_bytes()
    leftover = saved.with_name(f".{saved.name}.0123456789abcdef.partial")
    leftover.write_bytes(before[:100])
    os.utime(leftover, (1, 1))  # of a process that was killed long ago
    assert checkpoint.load(saved)[1] == {"epoch": 3}
    checkpoint.save(saved, {"w": np.ones(1)}, {"epoch": 4})
    assert checkpoint.load(saved)[1] == {"epoch": 4}
    assert os.listdir(saved.parent) == [saved.name]
