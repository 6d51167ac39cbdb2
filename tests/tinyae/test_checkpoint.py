"""Checkpoints: what comes back is what was saved, or an error that names the file."""

import copy
import io
import os
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

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


def rewrite(path, change):
    """Write the archive anew with its entries {name: bytes} changed, as another program would."""
    with zipfile.ZipFile(path) as file:
        entries = [(entry.filename, file.read(entry)) for entry in file.infolist()]
    with zipfile.ZipFile(path, "w") as file:
        for name, content in change(entries):
            file.writestr(name, content)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


CHANGED = {  # what a rewritten archive holds, and words of the refusal
    "two arrays exchanged": (lambda e: [e[0], (e[1][0], e[2][1]), (e[2][0], e[1][1])],
     "do not belong together"),
    "one from elsewhere": (lambda e: [e[0], (e[1][0], npy(np.arange(4.0))), e[2]], "do not belong together"),
    "other dtype": (lambda e: [e[0], (e[1][0], npy(np.arange(4))), e[2]], "do not belong together"),
    "other shape": (lambda e: [e[0], (e[1][0], npy(np.zeros((2, 2)))), e[2]], "do not belong together"),
    "one less": (lambda e: e[:2], "do not belong together"),
    "one more": (lambda e: [*e, ("arrays/z.npy", e[1][1])], "do not belong together"),
    "renamed": (lambda e: [e[0], ("arrays/z.npy", e[1][1]), e[2]], "do not belong together"),
    "no header": (lambda e: e[1:], "entry header cannot be read"),
    "a name twice": (lambda e: [*e, e[1]], "holds the entry arrays/a.npy twice"),
    "the header twice": (lambda e: [*e, e[0]], "holds the entry header.npy twice"),
    "no array": (lambda e: [*e, ("arrays/z.npy", b"hello")], "magic string"),
    "no name of ours": (lambda e: [*e, ("z.npy", e[1][1])], "entry z.npy is neither the header nor an array"),
    "short": (lambda e: [e[0], (e[1][0], e[1][1][:-1]), e[2]],
     r"array a says that it is float64 of shape \(4,\), but"),
    "long": (lambda e: [e[0], (e[1][0], e[1][1] + b"0"), e[2]],
     r"array a says that it is .* but has 33 bytes"),
    "huge": (lambda e: [e[0], (e[1][0], e[1][1].replace(b"(4,), ", b"(4" + b"0" * 5 + b",)")), e[2]],
     "array a says"),
    "objects": (lambda e: [e[0], (e[1][0], npy(np.array([Bomb()], object))), e[2]],
     "array a says that it is object"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("change, message", CHANGED.values(), ids=CHANGED)
def test_what_does_not_belong_together(tmp_path, change, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.npz"
    checkpoint.save(path, {"a": np.zeros(4), "b": np.ones(4)}, {"epoch": 3})
    rewrite(path, lambda entries: entries)
    assert checkpoint.load(path)[1] == {"epoch": 3}  # the rewriting itself does no harm
    rewrite(path, change)
    with pytest.raises(ValueError, match=f"{path} is not a whole tinyae checkpoint.*{message}"):
        checkpoint.load(path)
    assert os.listdir() == ["c.npz"]


def test_meta_belongs_to_the_arrays(saved):
    def change(entries):
        (name, header), *arrays = entries
        text = str(np.load(io.BytesIO(header)))
        assert '"epoch": 3' in text
        return [(name, npy(np.array(text.replace('"epoch": 3', '"epoch": 4')))), *arrays]

    rewrite(saved, change)
    with pytest.raises(ValueError, match="do not belong together"):
        checkpoint.load(saved)


def test_what_would_unpack_is_refused_before_it_is(saved):
    """A file of 64 kB that says it holds 64 MB."""
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("arrays/big.npy", npy(np.zeros(1 << 23)))
    assert saved.stat().st_size < 1 << 17
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="entry arrays/big.npy is compressed, to unpack to 671"):
            checkpoint.load(saved)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_entries_may_not_share_their_bytes(saved):
    """Many names for the same bytes would take more memory than the file has."""
    with zipfile.ZipFile(saved, "a") as file:
        file.writestr("arrays/x.npy", npy(np.zeros(1000)))
        for i in range(9):
            copied = copy.copy(file.getinfo("arrays/x.npy"))
            copied.filename = f"arrays/{i}.npy"
            file.filelist.append(copied)
    with pytest.raises(ValueError, match="its entries overlap"):
        checkpoint.load(saved)


def test_a_check_sees_the_kinds_before_an_array_is_read(saved, monkeypatch):
    def refuse(kinds, meta):
        assert kinds == {"w": (np.float64, (5,)), "empty": (np.float64, (0, 2))} and meta == {"epoch": 3}
        raise ValueError("w is too long")

    read = []
    monkeypatch.setattr(checkpoint, "_read", lambda archive, name, real=checkpoint._read: (
        read.append(name), real(archive, name))[1])
    with pytest.raises(ValueError, match=f"^{saved}: w is too long"):
        checkpoint.load(saved, refuse)
    assert read == ["header"]


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


SAVER = """
import sys
import numpy as np
from tinyae import checkpoint
for i in range(60):
    checkpoint.save(sys.argv[1], {"w": np.full(20_000, float(sys.argv[2]))}, {"by": float(sys.argv[2])})
"""


def test_two_processes_that_save_on_one_path(tmp_path):
    """Whatever is there at any moment is whole, and one of theirs."""
    path = tmp_path / "c.npz"
    checkpoint.save(path, {"w": np.full(20_000, 0.0)}, {"by": 0.0})
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OPENBLAS_NUM_THREADS": "1"}
    savers = [subprocess.Popen([sys.executable, "-c", SAVER, str(path), str(i)], env=env) for i in (1, 2)]
    seen = set()
    while any(saver.poll() is None for saver in savers):
        arrays, meta = checkpoint.load(path)
        assert (arrays["w"] == meta["by"]).all()
        seen.add(meta["by"])
    assert [saver.returncode for saver in savers] == [0, 0]
    assert seen & {1.0, 2.0} and os.listdir(tmp_path) == ["c.npz"]
