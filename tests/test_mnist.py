"""IDX files, where they are looked for, and the download, from a server on this machine."""

import gzip
import hashlib
import os
import re
import struct
import threading
import tracemalloc
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tinyae.data import load_mnist, mnist, read_idx


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


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no $TINYAE_DATA, no mirrors and no proxies."""
    monkeypatch.delenv("TINYAE_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    monkeypatch.setattr(mnist, "MIRRORS", ())
    return tmp_path / "cache" / "tinyae" / "mnist"


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


# --- finding files on disk -----------------------------------------------------------------------

@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("split, n", [("train", 6), ("test", 3)])
def test_load_from_root(tmp_path, split, n, zipped):
    put(tmp_path, tiny(split), zipped)
    images, labels = load_mnist(split, root=tmp_path)
    assert images.shape == (n, 28, 28, 1) and images.dtype == np.float32
    assert images.min() == 0 and images.max() == 1
    assert images[0, 1, 2, 0] == np.float32(30) / np.float32(255)
    assert labels.dtype == np.int64 and np.array_equal(labels, np.arange(n))


def first_label():
    return load_mnist("test")[1][0]


def test_places_are_tried_in_order(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path / "data"))
    put(cache, tiny("test", offset=1))
    assert first_label() == 1
    put(tmp_path / "data", tiny("test", offset=2))
    assert first_label() == 2
    put(tmp_path / "data" / "mnist", tiny("test", offset=3), zipped=True)
    assert first_label() == 3
    put(tmp_path / "root", tiny("test", offset=4))
    assert load_mnist("test", root=str(tmp_path / "root"))[1][0] == 4


def test_images_and_labels_come_from_one_place(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path / "data"))
    images, labels = mnist.FILES["test"]
    put(tmp_path / "data" / "mnist", {images: tiny("test", offset=5)[images]})
    put(cache, tiny("test", offset=1))
    loaded, _ = load_mnist("test")
    assert loaded[0, 0, 0, 0] == np.float32(1) / np.float32(255)


def test_empty_variable_counts_as_unset(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", "")
    monkeypatch.chdir(tmp_path)
    put(tmp_path, tiny("test", offset=2))
    put(cache, tiny("test", offset=1))
    assert first_label() == 1


def test_it_is_said_where_it_was_looked_for_in_vain(tmp_path, cache, monkeypatch, capsys):
    def nothing(names, folder):
        raise OSError("no network")

    monkeypatch.setenv("TINYAE_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(mnist, "download", nothing)
    with pytest.raises(OSError, match="no network"):
        load_mnist("test")
    said = capsys.readouterr().err
    assert str(tmp_path / "elsewhere" / "mnist") in said and f"downloading it to {cache}" in said


def test_root_without_the_files_is_an_error_and_no_download(tmp_path, cache, monkeypatch):
    put(tmp_path / "root", {mnist.FILES["train"][0]: GOOD})
    monkeypatch.setattr(mnist, "download", lambda *_: pytest.fail("tried to download"))
    put(cache, tiny("train"))
    with pytest.raises(FileNotFoundError, match="train-images.* and train-labels.* in .*root"):
        load_mnist("train", root=tmp_path / "root")


def test_unknown_split():
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'valid'"):
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


# --- downloading ---------------------------------------------------------------------------------

class Server:
    """A mirror: `answers[name]` is (status, body, promised length or None)."""

    def __init__(self):
        self.answers, self.asked = {}, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.strip("/")
                server.asked.append(name)
                status, body, length = server.answers.get(name, (404, b"", None))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}/"
        # A short poll, so that shutdown does not wait half a second.
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def offer(self, files, status=200, change=lambda packed: packed, longer=0):
        for name, content in files.items():
            body = change(gzip.compress(content))
            self.answers[name + ".gz"] = (status, body, len(body) + longer)

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def servers(monkeypatch):
    """Two mirrors which know nothing yet, and the checksums of the tiny data set."""
    pair = Server(), Server()
    monkeypatch.setattr(mnist, "MIRRORS", tuple(server.address for server in pair))
    for split in mnist.FILES:
        for name, content in tiny(split).items():
            monkeypatch.setitem(mnist.SHA256, name, hashlib.sha256(content).hexdigest())
    yield pair
    for server in pair:
        server.close()


def held(folder):
    """What a folder holds, hidden files included."""
    return sorted(os.listdir(folder)) if folder.exists() else []


def test_download_once(servers, cache, capsys):
    servers[0].offer(tiny("train"))
    images, labels = load_mnist("train")
    assert images.shape == (6, 28, 28, 1) and np.array_equal(labels, np.arange(6))
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and str(cache) in said.err
    assert held(cache) == sorted(mnist.FILES["train"])

    again, _ = load_mnist("train")
    assert np.array_equal(again, images)
    assert len(servers[0].asked) == 2 and not servers[1].asked
    assert capsys.readouterr().err == ""


def test_variable_that_leads_nowhere_falls_through(servers, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path / "nothing"))
    servers[0].offer(tiny("test"))
    assert first_label() == 0


def test_only_the_missing_file_is_fetched(servers, cache):
    images, labels = mnist.FILES["test"]
    put(cache, {images: tiny("test")[images]}, zipped=True)
    servers[0].offer(tiny("test"))
    load_mnist("test")
    assert servers[0].asked == [labels + ".gz"]
    assert held(cache) == sorted([images + ".gz", labels])


BAD_ANSWERS = {
    "wrong contents": ({"change": lambda packed: gzip.compress(b"something else")},
                       "SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}"),
    "no gzip": ({"change": lambda packed: b"<html>log in first</html>"}, "incorrect header check"),
    "half a gzip": ({"change": lambda packed: packed[:-20]}, "SHA-256"),
    "cut connection": ({"longer": 1000}, r"expected \d+ bytes, got \d+"),
    "too large": ({"change": lambda packed: packed + bytes(5000)}, "at most 4000 bytes"),
    "not found": ({"status": 404}, "404"),
    "server error": ({"status": 503}, "503"),
}


@pytest.mark.parametrize("answer, message", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_bad_download_is_refused_and_leaves_nothing(servers, cache, monkeypatch, answer, message):
    monkeypatch.setattr(mnist, "MAX_DOWNLOAD", 4000)
    for server in servers:
        server.offer(tiny("test"), **answer)
    with pytest.raises(OSError, match=message) as caught:
        load_mnist("test")
    for server in servers:  # the error lists every mirror and says what to do
        assert f"{server.address}t10k-images-idx3-ubyte.gz: " in str(caught.value)
    assert "TINYAE_DATA" in str(caught.value)
    assert held(cache) == []


@pytest.mark.parametrize("answer", [answer for answer, _ in BAD_ANSWERS.values()], ids=BAD_ANSWERS)
def test_second_mirror_helps(servers, cache, monkeypatch, answer):
    monkeypatch.setattr(mnist, "MAX_DOWNLOAD", 4000)
    servers[0].offer(tiny("test"), **answer)
    servers[1].offer(tiny("test"))
    assert first_label() == 0
    assert held(cache) == sorted(mnist.FILES["test"])


def test_no_server(cache, monkeypatch):
    gone = Server()
    gone.close()
    monkeypatch.setattr(mnist, "MIRRORS", (gone.address,))
    with pytest.raises(OSError, match=f"{gone.address}t10k-images-idx3-ubyte.gz: .+"):
        load_mnist("test")
    assert held(cache) == []


def test_a_gzip_bomb_is_not_unpacked(servers, monkeypatch):
    monkeypatch.setattr(mnist, "MAX_DOWNLOAD", 100_000)
    bomb = gzip.compress(bytes(30 << 20))
    for server in servers:
        server.offer(tiny("test"), change=lambda packed: bomb)
    tracemalloc.start()
    with pytest.raises(OSError, match="SHA-256"):
        load_mnist("test")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_interrupt_while_receiving(servers, cache, monkeypatch):
    servers[0].offer(tiny("test"))
    real = urllib.request.urlopen

    def interrupted(*args, **options):
        response = real(*args, **options)
        monkeypatch.setattr(response, "read", lambda size: (_ for _ in ()).throw(KeyboardInterrupt))
        return response

    monkeypatch.setattr(urllib.request, "urlopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_mnist("test")
    assert held(cache) == [] and not servers[1].asked


def test_interrupt_or_full_disk_while_storing(servers, cache, monkeypatch):
    servers[0].offer(tiny("test"))
    for error in (KeyboardInterrupt, OSError("no space left")):
        def replace(source, target):
            assert os.path.dirname(source) == str(cache) and os.path.exists(source)
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            with pytest.raises(error if isinstance(error, type) else OSError):
                load_mnist("test")
        assert held(cache) == []
    assert first_label() == 0
    assert not servers[1].asked
