"""CIFAR-10's binary version, in files of four records: from disk, from its archive, from a server."""

import gzip
import io
import re
import tarfile
import tracemalloc

import numpy as np
import pytest

from tinyae.data import cifar10, load_cifar10
from tinyae.data.cifar10 import ARCHIVE, FILES, FOLDER, RECORD

RECORDS = 4


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", RECORDS)
    monkeypatch.setattr(cifar10, "MOST_UNPACKED", 6 * RECORDS * RECORD + (1 << 20))


def batch(start, labels=None):
    """A file of records, whose values depend on where they are and on the start."""
    labels = np.arange(start, start + RECORDS) % 10 if labels is None else np.asarray(labels)
    pixels = (np.arange(RECORDS * (RECORD - 1)).reshape(RECORDS, -1) * 7 + start) % 256
    return np.concatenate([labels[:, None], pixels], axis=1).astype(np.uint8).tobytes()


BINS = {name: batch(10 * i) for i, name in enumerate(FILES["train"] + FILES["test"])}
OTHERS = {"batches.meta.txt": b"airplane\n", "readme.html": b"<html>"}
MEMBERS = {f"{FOLDER}/{name}": content for name, content in (BINS | OTHERS).items()}


def packed(members, folder=FOLDER, change=lambda member: member):
    """A gzipped tar archive of a folder and these members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        if folder:
            directory = tarfile.TarInfo(folder)
            directory.type = tarfile.DIRTYPE
            archive.addfile(directory)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(change(member), io.BytesIO(content))
    return file.getvalue()


GOOD = packed(MEMBERS)


def put(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("contents", [BINS, {ARCHIVE: GOOD}], ids=["files", "archive"])
@pytest.mark.parametrize("split, n", [("train", 20), ("test", 4)])
def test_load(tmp_path, monkeypatch, contents, split, n):
    monkeypatch.setenv("TINYAE_DATA", str(tmp_path))
    put(tmp_path / "cifar10", contents)
    images, labels = load_cifar10(split)
    assert images.shape == (n, 32, 32, 3) and images.dtype == np.float32
    assert labels.shape == (n,) and labels.dtype == np.int64
    raw = np.frombuffer(b"".join(BINS[name] for name in FILES[split]), np.uint8).reshape(n, RECORD)
    assert np.array_equal(labels, raw[:, 0])
    for colour in range(3):
        plane = raw[:, 1 + 1024 * colour:1 + 1024 * (colour + 1)].reshape(n, 32, 32)
        assert np.array_equal(images[..., colour], plane / np.float32(255))


def test_nothing_is_written_beside_an_archive(tmp_path):
    put(tmp_path, {ARCHIVE: GOOD})
    load_cifar10("train", root=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ARCHIVE]


def test_an_archive_without_an_entry_for_its_folder_will_do(tmp_path):
    put(tmp_path, {ARCHIVE: packed(MEMBERS, folder=None)})
    assert len(load_cifar10("test", root=tmp_path)[0]) == 4


@pytest.mark.parametrize("content, message", [
    (b"", "expected 12292 bytes, 4 records of 3073, got 0"),
    (BINS["data_batch_3.bin"][:-1], "got 12291"),
    (BINS["data_batch_3.bin"][:RECORD], "got 3073"),
    (BINS["data_batch_3.bin"] + b"!", "got more"),
    (batch(0, [0, 9, 10, 3]), "labels from 0 to 9, got 10"),
    (batch(0, [255] * 4), "labels from 0 to 9, got 255"),
], ids=["empty", "truncated", "one record", "longer", "label 10", "label 255"])
def test_a_malformed_file(tmp_path, content, message):
    put(tmp_path / "bins", BINS | {"data_batch_3.bin": content})
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path))}.*data_batch_3.bin: .*{message}"):
        load_cifar10("train", root=tmp_path / "bins")
    put(tmp_path / "tar", {ARCHIVE: packed(MEMBERS | {f"{FOLDER}/data_batch_3.bin": content})})
    with pytest.raises(ValueError, match=f"{ARCHIVE}: data_batch_3.bin: .*{message}"):
        load_cifar10("train", root=tmp_path / "tar")


def link(kind, target):
    def change(member):
        if member.name.endswith("readme.html"):
            member.type, member.linkname, member.size = kind, target, 0
        return member

    return change


def without(name):
    return {member: content for member, content in MEMBERS.items() if not member.endswith(name)}


def longer(rest):
    return gzip.compress(gzip.decompress(GOOD) + rest)


BAD_ARCHIVES = {
    "empty": (b"", "damaged archive"),
    "truncated": (GOOD[:len(GOOD) // 2], "damaged archive"),
    "without its end": (GOOD[:-4], "damaged archive"),
    "damaged": (GOOD[:500] + bytes([GOOD[500] ^ 255]) + GOOD[501:], "damaged archive"),
    "longer": (GOOD + b"!", "damaged archive"),
    "no gzip": (b"<html>log in first</html>", "damaged archive"),
    "no tar": (gzip.compress(b"no tar" * 300), "damaged archive"),
    "other file": (packed(MEMBERS | {f"{FOLDER}/more.bin": b"?"}), "nothing else, got '.*more.bin'"),
    "parent": (packed(MEMBERS | {"../outside": b"?"}), "nothing else, got '../outside'"),
    "through the parent": (packed(MEMBERS | {f"{FOLDER}/../{FOLDER}/readme.html": b"?"}), "nothing else"),
    "absolute": (packed(MEMBERS | {"/etc/passwd": b"?"}), "nothing else, got '/etc/passwd'"),
    "no folder": (packed(BINS, folder=None), "nothing else, got 'data_batch_1.bin'"),
    "other folder": (packed(MEMBERS, folder="elsewhere"), "nothing else, got 'elsewhere'"),
    "symbolic link": (packed(MEMBERS, change=link(tarfile.SYMTYPE, "/etc/passwd")), "got '.*readme.html'"),
    "hard link": (packed(MEMBERS, change=link(tarfile.LNKTYPE, f"{FOLDER}/test_batch.bin")), "nothing else"),
    "device": (packed(MEMBERS, change=link(tarfile.CHRTYPE, "")), "got '.*readme.html'"),
    "lacking one": (packed(without("data_batch_2.bin")), "expected a member .*data_batch_2.bin"),
    "a tar behind it": (longer(gzip.decompress(packed({f"{FOLDER}/readme.html": b"?"}))), "zeros after"),
    "something behind it": (longer(b"?"), "zeros after the last member"),
    "a bomb": (longer(bytes(40 << 20)), "at most .* bytes unpacked, got more"),
}


@pytest.mark.parametrize("content, message", BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
def test_a_bad_archive_is_one_error_that_names_it(tmp_path, content, message):
    put(tmp_path / "in", {ARCHIVE: content})
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path / 'in' / ARCHIVE))}: .*{message}"):
        load_cifar10("train", root=tmp_path / "in")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert sorted(path.name for path in tmp_path.rglob("*")) == [ARCHIVE, "in"]


def test_a_member_twice(tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in [*MEMBERS.items(), *MEMBERS.items()]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    put(tmp_path, {ARCHIVE: file.getvalue()})
    with pytest.raises(ValueError, match="once in .* got 'cifar-10-batches-bin/data_batch_1.bin'"):
        load_cifar10("test", root=tmp_path)


def test_root_without_the_files(tmp_path):
    put(tmp_path, {"data_batch_1.bin": BINS["data_batch_1.bin"]})
    with pytest.raises(FileNotFoundError, match=f"CIFAR-10: .*data_batch_5.bin, or {ARCHIVE}"):
        load_cifar10("train", root=tmp_path)


def test_unknown_split():
    with pytest.raises(ValueError, match="split must be 'train' or 'test', not 'valid'"):
        load_cifar10("valid")


def test_download_once(servers, mirrored, cache):
    mirrored("CIFAR10", {ARCHIVE: GOOD})
    servers[1].offer({ARCHIVE: GOOD})
    for split, n in (("train", 20), ("test", 4), ("train", 20)):
        assert load_cifar10(split)[0].shape == (n, 32, 32, 3)
    assert servers[1].asked == [ARCHIVE]
    assert (cache / "cifar10" / ARCHIVE).read_bytes() == GOOD


def test_another_archive_is_not_taken_from_a_server(servers, mirrored, cache):
    mirrored("CIFAR10", {ARCHIVE: GOOD})
    servers[0].offer({ARCHIVE: packed(MEMBERS | {f"{FOLDER}/readme.html": b"other"})})
    with pytest.raises(OSError, match=f"CIFAR-10: no mirror delivered {ARCHIVE}:\n.*digest"):
        load_cifar10("test")
    assert not cache.exists()


def test_the_real_source():
    assert cifar10.CIFAR10.largest == 170_052_171
    assert re.fullmatch("[0-9a-f]{64}", cifar10.CIFAR10.digests[ARCHIVE])
    assert len(cifar10.KINDS) == 10
