"""IDX files, and the data sets that come in them, from disk and from servers on this machine."""

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest

from tinyae.data import load_fashion_mnist, load_mnist, mnist, read_idx


def idx(array, code=0x08, shape=None):
    """The bytes of an IDX file."""
    shape = np.shape(array) if shape is None else shape
    return (struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)
            + np.asarray(array, np.uint8).tobytes())


def tiny(split, offset=0):
    """The decompressed files of a data set of six images (train) or three (test), by name."""
    n = {"train": 6, "test": 3}[split]
    images = (np.arange(n * 784).reshape(n, 28, 28) + offset) % 256
    return dict(zip(mnist.FILES[split], (idx(images), idx((np.arange(n) + offset) % 10))))


def put(folder, files, zipped=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / (name + ".gz" if zipped else name)
        path.write_bytes(gzip.compress(content) if zipped else content)


# --- reading IDX ---------------------------------------------------------------------------------

CUBE = np.arange(24).reshape(2, 3, 4)
GOOD = idx(CUBE)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("array", [CUBE, np.arange(5), np.zeros((0, 8, 8)), np.ones((1, 2, 3, 4))])
def test_read_idx(tmp_path, array, zipped):
    path = tmp_path / "misnamed.gz"  # the contents decide, not the name
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    result = read_idx(path)
    assert result.dtype == np.uint8 and np.array_equal(result, array)
    assert np.array_equal(read_idx(str(path)), array)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("content, message", [
    (b"", "header of 4 bytes, got 0"),
    (GOOD[:3], "header of 4 bytes, got 3"),
    (b"PK" + GOOD[2:], "two zero bytes at the start, got b'PK'"),
    (idx(CUBE, code=0x0D), "type code 0x08 .*got 0x0d"),
    (idx([], shape=()), "1 to 4 dimensions, got 0"),
    (idx([1], shape=(1,) * 5), "1 to 4 dimensions, got 5"),
    (GOOD[:9], "12 bytes of dimensions, got 5"),
    (GOOD[:-1], r"expected 24 bytes of values, for shape \(2, 3, 4\), got 23"),
    (GOOD[:16], "expected 24 bytes of values, .* got 0"),
    (GOOD + b"!", "expected 24 bytes of values, .* got more"),
    (idx(CUBE, shape=(2**32 - 1,) * 4), "expected 34028236\\d* bytes of values, .* got 24"),
    (idx([], shape=(0,) + (2**32 - 1,) * 3), ".+"),  # too large for NumPy
], ids=["empty", "short magic", "magic", "type code", "no dimensions", "five dimensions",
        "short header", "short", "header only", "long", "huge promise", "huge but empty"])
def test_malformed_idx(tmp_path, content, message, zipped):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}: .*{message}"):
        read_idx(path)


def spoil(packed, place):
    return packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1:]


@pytest.mark.parametrize("content", [
    gzip.compress(GOOD)[:2],
    gzip.compress(GOOD)[:-12],
    gzip.compress(GOOD)[:-4],
    spoil(gzip.compress(GOOD), 2),
    spoil(gzip.compress(GOOD), 12),
    spoil(gzip.compress(GOOD), -8),
    gzip.compress(GOOD) + b"garbage",
], ids=["magic only", "no end", "no length", "method", "data", "checksum", "garbage"])
def test_damaged_gzip(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}: damaged gzip stream: "):
        read_idx(path)


@pytest.mark.parametrize("zipped", [False, True])
def test_memory_follows_the_file_and_not_its_promise(tmp_path, zipped):
    promise, bomb = idx(CUBE, shape=(2**32 - 1,)), GOOD + bytes(20 << 20)
    for content in (promise, bomb):
        path = tmp_path / "file"
        path.write_bytes(gzip.compress(content) if zipped else content)
        tracemalloc.start()
        with pytest.raises(ValueError, match="bytes of values"):
            read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 << 20


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


# --- a data set -----------------------------------------------------------------------------------

@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("split, n", [("train", 6), ("test", 3)])
def test_load_from_root(tmp_path, split, n, zipped):
    put(tmp_path, tiny(split), zipped)
    images, labels = load_mnist(split, root=tmp_path)
    assert images.shape == (n, 28, 28, 1) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1
    assert images[0, 1, 2, 0] == np.float32(30) / np.float32(255)
    assert labels.dtype == np.int64 and np.array_equal(labels, np.arange(n))


def test_load_from_the_variables_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path))
    put(tmp_path / "mnist", tiny("test", offset=1))
    put(tmp_path / "fashion", tiny("test", offset=2), zipped=True)
    assert load_mnist("test")[1][0] == 1
    assert load_fashion_mnist("test")[1][0] == 2


def test_one_file_zipped_and_one_not(tmp_path):
    images, labels = tiny("test").items()
    put(tmp_path, dict([images]), zipped=True)
    put(tmp_path, dict([labels]))
    assert len(load_mnist("test", root=tmp_path)[0]) == 3


def test_root_without_the_files(tmp_path):
    put(tmp_path, {mnist.FILES["train"][0]: GOOD})
    with pytest.raises(FileNotFoundError, match="MNIST: .*train-images.* and train-labels"):
        load_mnist("train", root=tmp_path)


def test_unknown_split():
    with pytest.raises(ValueError, match="split must be 'train' or 'test', not 'valid'"):
        load_mnist("valid")


@pytest.mark.parametrize("images, labels, message", [
    (np.zeros((3, 28, 28)), np.zeros(2), "3 images in .*t10k-im.* and 2 labels in .*t10k-la"),
    (np.zeros((3, 28, 27)), np.zeros(3), r"t10k-images.*\(N, 28, 28\), got \(3, 28, 27\)"),
    (np.zeros((3, 784)), np.zeros(3), r"t10k-images.*\(N, 28, 28\), got \(3, 784\)"),
    (np.zeros((3, 28, 28)), np.zeros((3, 1)), r"t10k-labels.*\(N,\), got \(3, 1\)"),
    (np.zeros((3, 28, 28)), np.array([0, 10, 1]), "t10k-labels.*from 0 to 9, got 10"),
])
def test_files_that_do_not_fit(tmp_path, images, labels, message):
    put(tmp_path, dict(zip(mnist.FILES["test"], (idx(images), idx(labels)))))
    with pytest.raises(ValueError, match=message):
        load_mnist("test", root=tmp_path)


# --- downloading: what files.py does for every data set is tested there ----------------------------

LOADERS = {"MNIST": load_mnist, "FASHION": load_fashion_mnist}
PACKED = {f"{name}.gz": gzip.compress(content) for name, content in (tiny("train") | tiny("test")).items()}
loaders = pytest.mark.parametrize("name, load", LOADERS.items(), ids=LOADERS)


@loaders
def test_download_once(servers, mirrored, name, load):
    mirrored(name, PACKED)
    servers[0].offer(PACKED)
    for split, n in (("train", 6), ("test", 3)):
        for _ in range(2):
            images, labels = load(split)
            assert images.shape == (n, 28, 28, 1) and np.array_equal(labels, np.arange(n))
    assert sorted(servers[0].asked) == sorted(PACKED)


@loaders
@pytest.mark.parametrize("change", [
    lambda packed: packed[:-20], lambda packed: packed + b"!", lambda packed: gzip.compress(b"else"),
    lambda packed: b"<html>log in first</html>", lambda packed: b""])
def test_bad_download_is_refused(servers, mirrored, cache, name, load, change):
    source = mirrored(name, PACKED)
    servers[0].offer(PACKED, change=change)
    with pytest.raises(OSError, match=f"{source.name}: no mirror delivered t10k-images") as caught:
        load("test")
    assert f"{servers[1].address}t10k-images-idx3-ubyte.gz: HTTP Error 404" in str(caught.value)
    assert not cache.exists()


def test_mnist_may_be_compressed_otherwise(servers, mirrored):
    mirrored("MNIST", PACKED)
    servers[0].offer(PACKED, change=lambda packed: gzip.compress(gzip.decompress(packed), 1))
    assert len(load_mnist("test")[0]) == 3


def test_a_gzip_bomb_is_not_unpacked(servers, mirrored, monkeypatch):
    monkeypatch.setattr(mnist, "LARGEST", 100_000)
    mirrored("MNIST", PACKED)
    bomb = gzip.compress(bytes(30 << 20))
    for server in servers:
        server.offer(PACKED, change=lambda packed: bomb)
    tracemalloc.start()
    with pytest.raises(OSError, match="digest"):
        load_mnist("test")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_real_sources_are_whole():
    names = sorted(f"{name}.gz" for names in mnist.FILES.values() for name in names)
    for source, digits in ((mnist.MNIST, 64), (mnist.FASHION, 32)):
        assert sorted(source.digests) == names
        assert all(re.fullmatch(f"[0-9a-f]{{{digits}}}", digest) for digest in source.digests.values())
