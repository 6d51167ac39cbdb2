"""Checkpoints: named arrays and a few settings in one .npz file, written whole or not at all."""

import json
import os
from pathlib import Path

import numpy as np

FORMAT = "tinyae 1"


def save(path, arrays, meta=None):
    """Write the arrays, a dict of NumPy arrays, and meta, anything that JSON can hold, to path.

    The file is written under another name, forced to the disk and then moved into place, so that
    at every moment path holds either the old checkpoint or the new one, whole.
    """
    path = Path(path)
    header = np.array(_as_json({"format": FORMAT, "meta": meta}))
    for name, array in arrays.items():
        if getattr(array, "dtype", None) == object:
            raise TypeError(f"{name} is an array of Python objects, which a checkpoint does not hold")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, header=header, **{f"arrays/{name}": array for name, array in arrays.items()})
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # KeyboardInterrupt too
        temporary.unlink(missing_ok=True)
        raise


def load(path):
    """The arrays and meta of a checkpoint.

    Raises FileNotFoundError where there is none, and ValueError that names the file where it is
    truncated, damaged, or something else than a checkpoint. Nothing in the file is executed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}")
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            # With ".npy" a name is looked up as it is: one that ends so is not mistaken for another's file.
            arrays = {name.removeprefix("arrays/"): file[name + ".npy"]
                      for name in file.files if name != "header"}
        found, meta = header["format"], header["meta"]
    except PermissionError:
        raise
    except Exception as error:  # there is no telling what NumPy makes of a foreign file
        raise ValueError(f"{path} is not a whole tinyae checkpoint "
                         f"({type(error).__name__}: {error})") from error
    if found != FORMAT:
        raise ValueError(f"{path}: expected the format {FORMAT!r}, found {found!r}")
    return arrays, meta


def as_saved(meta):
    """What `load` gives for this meta: tuples and arrays as lists, keys as text."""
    return json.loads(_as_json(meta))


def _as_json(meta):
    return json.dumps(meta, default=lambda array: array.tolist())
