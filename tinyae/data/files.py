"""Data files: found on disk, or downloaded once into the user's cache folder, and checked.

What a data set says of itself is a `Source`; `locate` does the rest, the same for every set. Files
in a folder of the user's are used as they are. The cache is tinyae's own: what lies there is what
was downloaded, has the digest that the source promises, and is checked anew whenever its size or
its time is no longer what it was at the last check.
"""

import contextlib
import gzip
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ..files import write_whole

CHUNK = 1 << 20
SILENCE = 30  # seconds without an answer or a byte after which a server is given up
SLOWEST = 100_000  # bytes a second; whoever is slower on the whole is given up too
GZIP_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error)  # what a damaged gzip stream raises
CHECKED = ".checked.json"  # in the cache: the size and the time of every file when it was last checked


@dataclass(frozen=True)
class Source:
    """Where a data set is, and how its files are known to be the right ones."""

    name: str  # as it is written in messages
    folder: str  # of its files, in $TINYAE_DATA and in the cache
    mirrors: tuple[str, ...]  # addresses, each of a folder; a file's name is put behind
    digests: dict[str, str]  # of every file that can be downloaded
    digest: Callable[[bytes], str]  # of a file's bytes; may raise ValueError or one of GZIP_ERRORS
    largest: int  # bytes, of a file


def locate(source, alternatives, root=None):
    """The paths of a data set's files, one of the alternatives, which are tuples of file names.

    All files are in one folder: `root` if it is given, and nowhere else; otherwise the source's
    folder in `$TINYAE_DATA`, or the cache, for which the last alternative is downloaded.

    Raises FileNotFoundError where `root` lacks files; OSError where no mirror could deliver one;
    ValueError for a file in the cache that is not what was downloaded.
    """
    if root is not None:
        paths = find(alternatives, Path(root))
        if paths is None:
            raise FileNotFoundError(f"{source.name}: expected in {root} the files "
                                    f"{', or '.join(' and '.join(names) for names in alternatives)}; "
                                    "not all are there")
        return paths
    cache = cache_folder() / source.folder
    if not os.environ.get("TINYAE_DATA"):
        return [cached(source, name, cache) for name in alternatives[-1]]
    folder = Path(os.environ["TINYAE_DATA"], source.folder)
    return find(alternatives, folder) or [cached(source, name, cache, folder) for name in alternatives[-1]]


def find(alternatives, folder):
    """The paths of the first of the alternatives that a folder holds whole, or None."""
    for names in alternatives:
        paths = [folder / name for name in names]
        if all(path.is_file() for path in paths):
            return paths
    return None


def cache_folder():
    """Where downloads are kept."""
    if os.name == "nt":
        base, default = os.environ.get("LOCALAPPDATA"), Path("~", "AppData", "Local")
    else:
        base, default = os.environ.get("XDG_CACHE_HOME"), Path("~", ".cache")
    return Path(base or default.expanduser(), "tinyae")


def cached(source, name, cache, *others):
    """The path in the cache of a file that is known to be right, downloaded if it is not there yet.

    The other folders, where the file was looked for in vain, are named when it is downloaded.
    """
    path = cache / name
    if not path.is_file():
        places = " or ".join(map(str, (*others, cache)))
        print(f"tinyae: {source.name}: {name} is not in {places}: downloading it to {cache}", file=sys.stderr)
        values = download(source, name)
        write_whole(path, lambda file: file.write(values))
        seen = stamp(path)
    else:
        seen = stamp(path)  # before it is read: a change after that will be noticed
        if last_checks(cache).get(name) == seen:
            return path
        check_file(source, name, path)
    checks = json.dumps(last_checks(cache) | {name: seen}).encode()
    with contextlib.suppress(OSError):  # a cache that cannot be written is checked every time
        write_whole(cache / CHECKED, lambda file: file.write(checks))
    return path


def last_checks(folder):
    """The stamps of the files of a cache folder when they were checked; none if that is not known."""
    try:
        checks = json.loads((folder / CHECKED).read_bytes())
    except (OSError, ValueError):
        return {}
    return checks if isinstance(checks, dict) else {}


def stamp(path):
    """What changes when a file does: its size and its time, in nanoseconds."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def check_file(source, name, path):
    """Raise ValueError, naming the file, unless it is the one that the source promises."""
    try:
        with open(path, "rb") as file:
            check(source, name, bytes(read_at_most(file, source.largest + 1)))
    except (ValueError, *GZIP_ERRORS) as error:
        raise ValueError(f"{path} has changed since it was downloaded ({error}): remove it, and "
                         f"{source.name} is downloaded again") from error


def check(source, name, values):
    """Raise ValueError unless these bytes are the file of that name."""
    if len(values) > source.largest:
        raise ValueError(f"expected at most {source.largest} bytes, got more")
    found = source.digest(values)
    if found != source.digests[name]:
        raise ValueError(f"expected the digest {source.digests[name]}, got {found}")


def read_at_most(stream, limit):
    """The stream's next bytes, up to the limit, in memory that grows with what really comes."""
    values = bytearray()
    while chunk := stream.read(min(CHUNK, limit - len(values))):
        values += chunk
    return values


def download(source, name):
    """A file's bytes, from the first mirror that delivers the right ones."""
    failures = []
    for mirror in source.mirrors:
        try:
            values = fetch(mirror + name, source.largest)
            check(source, name, values)
            return values
        except (OSError, ValueError, http.client.HTTPException, *GZIP_ERRORS) as error:
            failures.append(f"  {mirror}{name}: {error or type(error).__name__}")
    raise OSError(f"{source.name}: no mirror delivered {name}:\n" + "\n".join(failures)
                  + f"\nWithout them: put the files of {source.name} into a folder named {source.folder} "
                  "and set the environment variable TINYAE_DATA to the folder that holds it.")


def fetch(address, largest):
    """The bytes at an address.

    Raises TimeoutError where the server is silent for SILENCE seconds or slower than SLOWEST on the whole,
    and ValueError for more than `largest` bytes and for another number of them than was promised.
    """
    deadline = time.monotonic() + SILENCE + largest / SLOWEST
    values = bytearray()
    try:
        response = urllib.request.urlopen(address, timeout=SILENCE)
    except urllib.error.HTTPError as error:  # an answer of its own, which holds the connection
        error.close()
        raise
    with response:
        if address.startswith("https:") and not response.url.startswith("https:"):
            raise ValueError(f"redirected to {response.url}, which is not https")
        promised = response.headers.get("Content-Length")
        while chunk := response.read1(CHUNK):  # read1: what there is, and no waiting for a whole chunk
            values += chunk
            if len(values) > largest:
                raise ValueError(f"expected at most {largest} bytes, got more")
            if time.monotonic() > deadline:
                raise TimeoutError("too slow")
    if promised is not None and len(values) != int(promised):
        raise ValueError(f"expected {promised} bytes, got {len(values)}: the connection was cut")
    return bytes(values)
