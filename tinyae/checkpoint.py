"""Checkpoints: named arrays and a few settings in one .npz file, written whole or not at all.

The file is a zip archive of uncompressed .npy files, as np.savez makes it: "header", a text in JSON,

    {"format": "tinyae 2", "meta": ..., "digest": the SHA-256 of the meta and of all arrays}

and "arrays/NAME" for each array. What has been damaged, or put together from several files, does not
have that digest. Nothing in a file is executed, and nothing is unpacked.
"""

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .files import write_whole

__all__ = ["load", "save"]

FORMAT = "tinyae 2"
_ARRAYS, _NPY = "arrays/", ".npy"


def save(path, arrays, meta=None):
    """Write the arrays, a dict of NumPy arrays, and meta, anything that JSON can hold, to path.

    At every moment path holds either the old checkpoint or the new one, whole (see `write_whole`).
    """
    if not isinstance(arrays, Mapping):
        raise TypeError("checkpoint.save: arrays must be a dict of arrays by name, such as model.state_dict(), not "
                        f"{type(arrays).__name__}")
    arrays, meta = {name: np.asarray(array) for name, array in arrays.items()}, as_saved(meta)
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"{name} is an array of Python objects, which a checkpoint does not hold")
    header = {"format": FORMAT, "meta": meta, "digest": _digest(arrays, meta)}
    entries = {"header": np.array(json.dumps(header)), **{_ARRAYS + name: a for name, a in arrays.items()}}
    write_whole(path, lambda file: np.savez(file, **entries))


def load(path, check=None):
    """The arrays and meta of a checkpoint.

    check   a function that is told {name: (dtype, shape)} and meta before any array is read, and raises
            ValueError if they are not what is needed

    Raises FileNotFoundError where there is none, and ValueError that names the file, and the entry in it,
    where it is truncated, damaged, not what `check` needs, or something else than a checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    broken = f"{path} is not a whole tinyae checkpoint"
    with open(path, "rb") as file:
        with naming(broken):
            archive = zipfile.ZipFile(file)
            names = _names(archive, os.fstat(file.fileno()).st_size)
            meta, digest = _header(archive)
            kinds = {name: _kind(archive, name) for name in names}
        with naming(path):
            if check is not None:
                check(kinds, meta)
        with naming(broken):
            arrays = {name: _read(archive, _ARRAYS + name) for name in names}
            if _digest(arrays, meta) != digest:
                raise ValueError("its parts do not belong together: their digest is not that in the header")
    return arrays, meta


@contextmanager
def naming(what):
    """A context whose failures, whatever a foreign file leads to, are a ValueError that says of what."""
    try:
        yield
    except Exception as error:
        why = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{what}: {why}") from error


def _names(archive, size):
    """The arrays' names, from the archive's directory, of which not more is asked than the file can hold."""
    entries, names = archive.infolist(), set()
    for entry in entries:
        if entry.filename in names:
            raise ValueError(f"it holds the entry {entry.filename} twice")
        names.add(entry.filename)
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"its entry {entry.filename} is compressed, to unpack to {entry.file_size} "
                             "bytes")
        if entry.filename != "header" + _NPY and not (
                entry.filename.startswith(_ARRAYS) and entry.filename.endswith(_NPY)):
            raise ValueError(f"its entry {entry.filename} is neither the header nor an array")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("its entries overlap")
    return [entry.filename.removeprefix(_ARRAYS).removesuffix(_NPY) for entry in entries
            if entry.filename.startswith(_ARRAYS)]


def _header(archive):
    """The meta and the digest."""
    header = json.loads(str(_read(archive, "header")))
    if header["format"] != FORMAT:
        raise ValueError(f"expected the format {FORMAT!r}, found {header['format']!r}")
    return header["meta"], header["digest"]


def _kind(archive, name):
    """The dtype and the shape of an array, read from the first bytes of its entry."""
    entry = archive.getinfo(_ARRAYS + name + _NPY)
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"the array {name} is in version {version} of NumPy's format")
        shape, _, dtype = readers[version](file)
        if dtype.hasobject or file.tell() + math.prod(shape) * dtype.itemsize != entry.file_size:
            raise ValueError(f"the array {name} says that it is {dtype} of shape {shape}, but has "
                             f"{entry.file_size - file.tell()} bytes")
    return dtype, shape


def _read(archive, name):
    with naming(f"its entry {name} cannot be read"), archive.open(name + _NPY) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _digest(arrays, meta):
    """The SHA-256 of the meta and of every array's name, dtype, shape and bytes."""
    digest = hashlib.sha256(json.dumps(meta).encode())
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def as_saved(meta):
    """What `load` gives for this meta: tuples and arrays as lists, keys as text."""
    return json.loads(json.dumps(meta, default=lambda array: array.tolist()))
