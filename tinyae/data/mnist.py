"""MNIST and data sets in its file format (IDX), such as Fashion-MNIST, read strictly.

An IDX file is a header and then the values, as bytes, the last index running fastest. The header
is two zero bytes, a type code (0x08: unsigned byte), the number of dimensions, and each dimension's
size as a big-endian 32-bit integer. The format: http://yann.lecun.com/exdb/mnist/
"""

import gzip
import hashlib
import io
import itertools
import math

import numpy as np

from .files import GZIP_ERRORS, Source, locate, read_at_most

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
LARGEST = 64 << 20  # bytes of a file, gzipped or not: the largest has 47 MB
GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 4


def unpacked_sha256(packed):
    """The SHA-256 of what is in a gzipped file: mirrors do not compress alike."""
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        return hashlib.sha256(read_at_most(file, LARGEST)).hexdigest()


def packed_md5(packed):
    """The MD5 of a file as it is: of Fashion-MNIST no other digest is published."""
    return hashlib.md5(packed, usedforsecurity=False).hexdigest()


MNIST = Source(
    "MNIST", "mnist", digest=unpacked_sha256, largest=LARGEST,
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/",
             "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    digests={
        "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    })
FASHION = Source(
    "Fashion-MNIST", "fashion", digest=packed_md5, largest=LARGEST,
    mirrors=("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
             "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
    digests={  # as its authors publish them
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    })


def load_mnist(split, root=None):
    """Load MNIST: handwritten digits.

    `split` is "train" or "test". The split's two files, gzipped or not, are looked for together, in
    `root` if it is given and nowhere else; otherwise in `$TINYAE_DATA/mnist` and in the user's cache
    folder, to which they are downloaded if need be.

    Returns `(images, labels)`: images (N, 28, 28, 1), float32 in [0, 1]; labels (N,), int64.

    Raises ValueError for an unknown split, for files that are malformed or do not fit together, and
    for a changed file in the cache; FileNotFoundError where `root` lacks a file; OSError where no
    mirror could deliver one.

    Source: LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document
    recognition (1998).
    """
    return load_pair(MNIST, split, root)


def load_fashion_mnist(split, root=None):
    """Load Fashion-MNIST: articles of clothing of ten kinds, in images like MNIST's.

    Everything is as for `load_mnist`, with the folder `$TINYAE_DATA/fashion`.

    Source: Xiao, Rasul & Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms (2017).
    """
    return load_pair(FASHION, split, root)


def load_pair(source, split, root):
    """The images and labels of a split, from wherever its files are."""
    if split not in FILES:
        raise ValueError(f"{source.name}: split must be 'train' or 'test', not {split!r}")
    alternatives = list(itertools.product(*((name, f"{name}.gz") for name in FILES[split])))
    return read_pair(*locate(source, alternatives, root))


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
        except GZIP_ERRORS as error:
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
