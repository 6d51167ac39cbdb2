"""Where data files are looked for, the cache, and the download, from servers on this machine."""

import dataclasses
import hashlib
import os
import re
import time
import tracemalloc
import urllib.error
import urllib.request

import pytest

from tinyae.data import files
from tinyae.data.files import Source, locate

FILES = {"one.bin": b"the first file" * 20, "two.bin": b"the second" * 30}
BOTH = [("a.txt", "b.txt"), ("one.bin", "two.bin")]  # the alternatives; the last is what the mirrors have


def sha256(values):
    return hashlib.sha256(values).hexdigest()


@pytest.fixture
def source(servers):
    return Source("Toys", "toys", tuple(server.address for server in servers),
                  {name: sha256(content) for name, content in FILES.items()}, sha256, largest=4000)


def put(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def held(folder):
    """The files that a folder holds, hidden ones included, but for the list of checks."""
    return sorted(set(os.listdir(folder)) - {files.CHECKED}) if folder.exists() else []


def contents(paths):
    return {path.name: path.read_bytes() for path in paths}


# --- on disk -------------------------------------------------------------------------------------

def test_places_are_tried_in_order(source, servers, tmp_path, cache, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path / "data"))
    servers[0].offer(FILES)
    assert contents(locate(source, BOTH)) == FILES and held(cache / "toys") == sorted(FILES)
    own = {name: b"own " + name.encode() for name in FILES}
    put(tmp_path / "data" / "toys", own)
    assert contents(locate(source, BOTH)) == own  # as they are: the user's files may be others
    put(tmp_path / "data" / "toys", {"a.txt": b"a", "b.txt": b"b"})
    assert contents(locate(source, BOTH)) == {"a.txt": b"a", "b.txt": b"b"}
    put(tmp_path / "root", own)
    assert contents(locate(source, BOTH, root=str(tmp_path / "root"))) == own


def test_all_files_come_from_one_place(source, servers, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path / "data"))
    put(tmp_path / "data" / "toys", {"a.txt": b"a", "one.bin": b"own"})
    servers[0].offer(FILES)
    assert contents(locate(source, BOTH)) == FILES


def test_it_is_said_where_it_was_looked_for_in_vain(source, servers, tmp_path, cache, monkeypatch, capsys):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path / "data"))
    servers[0].offer(FILES)
    locate(source, BOTH)
    assert f"is not in {tmp_path / 'data' / 'toys'} or {cache / 'toys'}: " in capsys.readouterr().err


def test_empty_variable_counts_as_unset(source, servers, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYAE_DATA", "")
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "toys", {"a.txt": b"a", "b.txt": b"b"})
    servers[0].offer(FILES)
    assert contents(locate(source, BOTH)) == FILES


def test_root_without_the_files_is_an_error_and_no_download(source, servers, tmp_path):
    put(tmp_path / "root", {"a.txt": b"a"})
    with pytest.raises(FileNotFoundError, match="Toys: .*root.* a.txt and b.txt, or one.bin and two.bin"):
        locate(source, BOTH, root=tmp_path / "root")
    assert not servers[0].asked


# --- the cache -----------------------------------------------------------------------------------

def test_download_once(source, servers, cache, capsys):
    servers[0].offer(FILES)
    first = locate(source, BOTH)
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 2 and f"downloading it to {cache / 'toys'}" in said.err
    assert locate(source, BOTH) == first and contents(first) == FILES
    assert servers[0].asked == ["one.bin", "two.bin"] and not servers[1].asked
    assert capsys.readouterr().err == ""


def test_only_the_missing_file_is_fetched(source, servers, cache):
    put(cache / "toys", {"one.bin": FILES["one.bin"]})
    servers[0].offer(FILES)
    assert contents(locate(source, BOTH)) == FILES
    assert servers[0].asked == ["two.bin"]


@pytest.fixture
def checks(monkeypatch):
    """The names of the files that were checked."""
    names, real = [], files.check_file
    monkeypatch.setattr(files, "check_file", lambda *args: (names.append(args[1]), real(*args)))
    return names


def test_a_file_is_checked_again_when_its_time_or_size_changes(source, servers, checks):
    servers[0].offer(FILES)
    one, two = locate(source, BOTH)
    locate(source, BOTH)
    assert checks == []
    os.utime(two, ns=(0, 10**18))
    locate(source, BOTH)
    assert checks == ["two.bin"]
    locate(source, BOTH)
    assert checks == ["two.bin"]
    time_before = one.stat().st_mtime_ns
    one.write_bytes(FILES["one.bin"] + b"!")
    os.utime(one, ns=(time_before, time_before))
    with pytest.raises(ValueError, match="one.bin has changed"):
        locate(source, BOTH)


@pytest.mark.parametrize("spoiled", [b"", FILES["one.bin"][:-1], FILES["one.bin"][:-1] + b"?", bytes(5000)],
                         ids=["empty", "truncated", "other", "huge"])
def test_a_changed_file_in_the_cache_is_refused_and_kept(source, servers, cache, spoiled):
    servers[0].offer(FILES)
    path, _ = locate(source, BOTH)
    path.write_bytes(spoiled)
    for _ in range(2):
        with pytest.raises(ValueError, match=f"{re.escape(str(path))} has changed .*remove it"):
            locate(source, BOTH)
    assert path.read_bytes() == spoiled
    path.unlink()
    assert contents(locate(source, BOTH)) == FILES


@pytest.mark.parametrize("record", [b"", b"{", b"[1]", b'{"one.bin": 7}', b"\xff"])
def test_a_damaged_list_of_checks_means_to_check(source, servers, cache, checks, record):
    servers[0].offer(FILES)
    locate(source, BOTH)
    (cache / "toys" / files.CHECKED).write_bytes(record)
    assert contents(locate(source, BOTH)) == FILES
    assert checks == ["one.bin", "two.bin"]


def test_a_cache_that_cannot_be_written_serves(source, servers, cache, checks, monkeypatch):
    put(cache / "toys", FILES)

    def no_entry(path, write):
        raise PermissionError(path)

    monkeypatch.setattr(files, "write_whole", no_entry)
    assert contents(locate(source, BOTH)) == contents(locate(source, BOTH)) == FILES
    assert checks == ["one.bin", "two.bin"] * 2


# --- downloading ---------------------------------------------------------------------------------

BAD_ANSWERS = {
    "other contents": ({"change": lambda body: b"something else"}, "digest [0-9a-f]{64}, got [0-9a-f]{64}"),
    "half": ({"change": lambda body: body[:-20]}, "digest"),
    "nothing": ({"change": lambda body: b""}, "digest"),
    "cut connection": ({"longer": 1000}, r"expected \d+ bytes, got \d+|IncompleteRead"),
    "too large": ({"change": lambda body: body + bytes(5000)}, "at most 4000 bytes"),
    "not found": ({"status": 404}, "404"),
    "server error": ({"status": 503}, "503"),
}
bad = pytest.mark.parametrize("answer, message", BAD_ANSWERS.values(), ids=BAD_ANSWERS)


@bad
def test_bad_download_is_refused_and_leaves_nothing(source, servers, cache, answer, message):
    for server in servers:
        server.offer(FILES, **answer)
    with pytest.raises(OSError, match=message) as caught:
        locate(source, BOTH)
    for server in servers:  # the error lists every mirror and says what to do
        assert f"{server.address}one.bin: " in str(caught.value)
    assert "TINYAE_DATA" in str(caught.value)
    assert held(cache / "toys") == []


@bad
def test_second_mirror_helps(source, servers, cache, answer, message):
    servers[0].offer(FILES, **answer)
    servers[1].offer(FILES)
    assert contents(locate(source, BOTH)) == FILES
    assert held(cache / "toys") == sorted(FILES)


def test_a_refusal_is_closed(servers):
    servers[0].offer(FILES, status=404)
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        files.fetch(servers[0].address + "one.bin", 4000)
    assert caught.value.closed


def test_no_server(source, servers, cache):
    for server in servers:
        server.close()
    with pytest.raises(OSError, match=f"{servers[1].address}one.bin: .+"):
        locate(source, BOTH)
    assert held(cache / "toys") == []


@pytest.mark.parametrize("length", ["many", "-5"])
def test_a_promise_that_is_no_length(source, servers, length):
    servers[0].answers["one.bin"] = 200, FILES["one.bin"], {"Content-Length": length}
    servers[1].offer(FILES)
    assert contents(locate(source, BOTH)) == FILES


def test_a_redirection_is_followed(source, servers):
    servers[0].answers["one.bin"] = 302, b"", {"Location": servers[1].address + "one.bin"}
    servers[0].answers["two.bin"] = 302, b"", {"Location": servers[0].address + "two.bin"}  # for ever
    servers[1].offer(FILES)
    assert contents(locate(source, BOTH)) == FILES


def test_https_is_not_left(source, servers, monkeypatch):
    servers[1].offer(FILES)
    real = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen",
                        lambda address, timeout: real(servers[1].address + "one.bin", timeout=timeout))
    source = dataclasses.replace(source, mirrors=("https://example.org/",))
    with pytest.raises(OSError, match=f"redirected to {servers[1].address}one.bin, which is not https"):
        locate(source, BOTH)


def test_a_byte_now_and_then_does_not_keep_it_waiting(source, servers, cache, monkeypatch):
    # Each byte comes well within the time after which a silent server is given up; all would take 40 seconds.
    monkeypatch.setattr(files, "SILENCE", 0.4)
    monkeypatch.setattr(files, "SLOWEST", 1e9)
    server = servers[0]
    server.answers["one.bin"] = 200, bytes(4000), {}
    server.pause = 0.01
    start = time.monotonic()
    with pytest.raises(OSError, match="one.bin: too slow"):
        locate(dataclasses.replace(source, mirrors=(server.address,)), BOTH)
    assert time.monotonic() - start < 20
    assert held(cache / "toys") == []


def test_memory_follows_what_comes_up_to_the_limit(source, servers):
    servers[0].offer(FILES, change=lambda body: bytes(30 << 20))
    source = dataclasses.replace(source, mirrors=(servers[0].address,))  # of two, both answers might be in memory
    tracemalloc.start()
    with pytest.raises(OSError, match="at most 4000 bytes"):
        files.download(source, "one.bin")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (30 << 20) + (8 << 20)  # the server's own answer, and a little


def test_interrupt_while_receiving(source, servers, cache, monkeypatch):
    servers[0].offer(FILES)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "fetch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        locate(source, BOTH)
    assert held(cache / "toys") == []


def test_interrupt_or_full_disk_while_storing(source, servers, cache, monkeypatch):
    servers[0].offer(FILES)
    for error in (KeyboardInterrupt, OSError("no space left")):
        def replace(temporary, target):
            assert os.path.dirname(temporary) == str(cache / "toys") and os.path.exists(temporary)
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            with pytest.raises(error if isinstance(error, type) else OSError):
                locate(source, BOTH)
        assert held(cache / "toys") == []
    assert contents(locate(source, BOTH)) == FILES
    assert not servers[1].asked
