"""MNIST and data sets in its file format (IDX): read strictly, found on disk or downloaded once.

An IDX file is a header and then the values, as bytes, the last index running fastest. The header
is two zero bytes, a type code (0x08: unsigned byte), the number of dimensions, and each dimension's
size as a big-endian 32-bit integer. The format: http://yann.lecun.com/exdb/mnist/
"""

import gzip
import hashlib
import http.client
import math
import os
import sys
import tempfile
import urllib.request
import zlib
from pathlib import Path

import numpy as np

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {  # of the decompressed files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 4
CHUNK = 1 << 20
TIMEOUT = 30  # seconds without an answer or a byte
MAX_DOWNLOAD = 64 << 20  # bytes, compressed or not: MNIST's largest file has 47 MB


def load_mnist(split, root=None):
    """Load MNIST, or another data set in files of the same names such as Fashion-MNIST.

    `split` is "train" or "test". The split's two files, gzipped or not, are looked for together,
    in `root` if it is given and nowhere else; otherwise in `$TINYAE_DATA/mnist`, in `$TINYAE_DATA`
    and in the user's cache folder. If they are in none of these, MNIST is downloaded to the cache.

    Returns `(images, labels)`: images (N, 28, 28, 1), float32 in [0, 1]; labels (N,), int64.

    Raises ValueError for an unknown split and for files that are malformed or do not fit together;
    FileNotFoundError where `root` lacks a file; OSError where no mirror could deliver one.

    Source: LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document
    recognition (1998).
    """
    if split not in FILES:
        raise ValueError(f"load_mnist: split must be 'train' or 'test', got {split!r}")
    names = FILES[split]
    if root is not None:
        paths = find(names, Path(root))
        if paths is None:
            raise FileNotFoundError(f"load_mnist: expected {' and '.join(names)}, each with or "
                                    f"without .gz, in {root}; not both are there")
    else:
        data, cache = os.environ.get("TINYAE_DATA"), cache_folder()
        folders = [Path(data, "mnist"), Path(data), cache] if data else [cache]
        paths = next(filter(None, (find(names, folder) for folder in folders)), None)
        if paths is None:
            looked = ", ".join(map(str, folders))
            print(f"tinyae: MNIST is not in {looked}: downloading it to {cache}", file=sys.stderr)
            paths = download(names, cache)
    return read_pair(*paths)


def read_pair(image_path, label_path):
    """The images and labels in two IDX files, once it is sure that they fit together."""
    images, labels = read_idx(image_path), read_idx(label_path)
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"{image_path}: expected images of shape (N, 28, 28), got {images.shape}")
    if labels.ndim != 1:
        raise ValueError(f"{label_path}: expected labels of shape (N,), got {labels.shape}")
    if len(images) != len(labels):
        raise ValueError(f"expected as many labels as images, got {len(images)} images in "
                         f"{image_path} and {len(labels)} labels in {label_path}")
    if labels.size and labels.max() > 9:
        raise ValueError(f"{label_path}: expected labels from 0 to 9, got {labels.max()}")
    pixels = images[..., None].astype(np.float32)
    pixels /= 255
    return pixels, labels.astype(np.int64)


def read_idx(path):
    """Read an IDX file of unsigned bytes, gzipped or not, as a uint8 array.

    Raises FileNotFoundError if there is no such file, and ValueError, naming the file, if it is not
    exactly what its header promises. Memory is used only for what the file really holds, however
    much it promises, and only up to the promise, however much it holds.
    """
    with open(path, "rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        try:
            return parse_idx(gzip.GzipFile(fileobj=file) if zipped else file)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: damaged gzip stream: {error}") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def parse_idx(stream):
    """The array in an IDX stream."""
    start = stream.read(4)
    if len(start) < 4:
        raise ValueError(f"expected an IDX header of 4 bytes, got {len(start)} bytes")
    if start[:2] != b"\0\0":
        raise ValueError(f"expected two zero bytes at the start, got {start[:2]!r}")
    code, dimensions = start[2:]
    if code != UNSIGNED_BYTE:
        raise ValueError(f"expected type code 0x08 (unsigned byte), got 0x{code:02x}")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise ValueError(f"expected 1 to {MAX_DIMENSIONS} dimensions, got {dimensions}")
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise ValueError(f"expected {4 * dimensions} bytes of dimensions, got {len(sizes)}")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    expected = math.prod(shape)
    values = read_at_most(stream, expected + 1)
    if len(values) != expected:
        came = f"{len(values)}" if len(values) < expected else "more"
        raise ValueError(f"expected {expected} bytes of values, for shape {shape}, got {came}")
    return np.frombuffer(values, np.uint8).reshape(shape)


def read_at_most(stream, limit):
    """The stream's next bytes, up to the limit, in memory that grows with what really comes."""
    values = bytearray()
    while chunk := stream.read(min(CHUNK, limit - len(values))):
        values += chunk
    return values


def cache_folder():
    """Where downloads are kept."""
    if os.name == "nt":
        base, default = os.environ.get("LOCALAPPDATA"), Path("~", "AppData", "Local")
    else:
        base, default = os.environ.get("XDG_CACHE_HOME"), Path("~", ".cache")
    return Path(base or default.expanduser(), "tinyae", "mnist")


def find(names, folder):
    """The paths of all these files in a folder, gzipped or not, or None if one is missing."""
    paths = [next(filter(Path.is_file, (folder / name, folder / f"{name}.gz")), None)
             for name in names]
    return None if None in paths else paths


def download(names, folder):
    """Fetch those files which the folder lacks, and return the paths of all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if find([name], folder) is None:
            write_whole(folder / name, fetch(name))
    return find(names, folder)


def fetch(name):
    """A file's decompressed bytes, from the first mirror that delivers the right ones."""
    failures = []
    for mirror in MIRRORS:
        address = f"{mirror}{name}.gz"
        try:
            return fetch_from(address, SHA256[name])
        except (OSError, ValueError, zlib.error, http.client.HTTPException) as error:
            failures.append(f"  {address}: {error or type(error).__name__}")
    raise OSError(f"load_mnist: no mirror delivered {name}:\n" + "\n".join(failures)
                  + "\nWithout them: put the four MNIST files, gzipped or not, into a folder named "
                  "mnist and set the environment variable TINYAE_DATA to the folder that holds it.")


def fetch_from(address, sha256):
    """The decompressed bytes at an address, which must have this SHA-256."""
    with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
        promised = response.headers.get("Content-Length")
        packed = read_at_most(response, MAX_DOWNLOAD + 1)
    if len(packed) > MAX_DOWNLOAD:
        raise ValueError(f"expected at most {MAX_DOWNLOAD} bytes, got more")
    if promised is not None and len(packed) != int(promised):
        raise ValueError(f"expected {promised} bytes, got {len(packed)}: the connection was cut")
    unzip = zlib.decompressobj(wbits=31)  # 31: a gzip header and checksum
    values = unzip.decompress(packed, MAX_DOWNLOAD)
    found = hashlib.sha256(values).hexdigest()
    if found != sha256:
        raise ValueError(f"expected contents with SHA-256 {sha256}, got {found}")
    return values


def write_whole(path, values):
    """Write a file so that at no time a part of it is under its name."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(values)
        os.replace(temporary, path)
    except BaseException:  # KeyboardInterrupt too
        os.unlink(temporary)
        raise
