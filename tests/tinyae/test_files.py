"""`write_whole`: a file is the old one or the new one, whole, whatever happens and whoever else writes."""

import errno
import os
import re
import threading

import pytest

from tinyae.files import ABANDONED, write_whole


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "numbers.bin"
    path.write_bytes(b"old")
    return path


def test_writes_and_overwrites(tmp_path):
    path = tmp_path / "new" / "folders" / "file"
    for content in (b"one", b"", b"three" * 1000):
        write_whole(str(path), lambda file: file.write(content))
        assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["file"]


def fail(*args):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_full_disk_names_the_file_and_leaves_the_old_one(path, monkeypatch, broken):
    if broken != "write":
        monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match=f"No space left on device: '{re.escape(str(path))}'") as caught:
        write_whole(path, fail if broken == "write" else lambda file: file.write(b"new"))
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old" and os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, OSError("half a number"),
                                   FileNotFoundError(2, "No such file", "its source")])
def test_any_other_failure_leaves_the_old_file(path, error):
    def write(file):
        file.write(b"ne")
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)) as caught:
        write_whole(path, write)
    if isinstance(error, OSError):  # the file that it is about, which may be another one
        assert caught.value.filename == (error.filename or str(path))
    assert path.read_bytes() == b"old" and os.listdir(path.parent) == [path.name]


def test_a_folder_that_cannot_be_written_to(path, monkeypatch):
    def refuse(name, *args):
        raise PermissionError(errno.EACCES, "Permission denied", str(name))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionError) as caught:
        write_whole(path, lambda file: None)
    assert caught.value.filename == str(path)


@pytest.mark.skipif(os.name != "posix", reason="symlinks")
@pytest.mark.parametrize("there", [True, False])
def test_a_symlink_is_followed(tmp_path, there):
    target, link = tmp_path / "disk" / "file", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, lambda file: file.write(b"new"))
    assert link.is_symlink() and not target.is_symlink() and target.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["disk", "link"] and os.listdir(target.parent) == ["file"]


def test_abandoned_files_are_removed_and_others_are_not(path):
    ages = {".numbers.bin.0a.partial": 2 * ABANDONED, ".numbers.bin.0b.partial": ABANDONED / 2,
            ".other.bin.0a.partial": 2 * ABANDONED, "numbers.bin.0a.partial": 2 * ABANDONED}
    for name, age in ages.items():
        other = path.with_name(name)
        other.write_bytes(b"half")
        os.utime(other, (os.stat(path).st_mtime - age,) * 2)
    write_whole(path, lambda file: file.write(b"new"))
    assert sorted(os.listdir(path.parent)) == sorted({*ages, path.name} - {".numbers.bin.0a.partial"})


def test_the_last_of_two_writers_wins(path):
    """One begins first and ends last: what it wrote is not mixed with what the other did."""
    begun, ended = threading.Event(), threading.Event()

    def slowly(file):
        file.write(b"slow " * 1000)
        begun.set()
        assert ended.wait(10)
        file.write(b"slow " * 1000)

    thread = threading.Thread(target=write_whole, args=(path, slowly))
    thread.start()
    assert begun.wait(10)
    write_whole(path, lambda file: file.write(b"quick"))
    assert path.read_bytes() == b"quick"
    ended.set()
    thread.join(10)
    assert path.read_bytes() == b"slow " * 2000 and os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_others_may_read_it_as_the_umask_says(path):
    before = os.umask(0o027)
    try:
        write_whole(path, lambda file: None)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
