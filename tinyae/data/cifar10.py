"""CIFAR-10: colour photographs of ten kinds of things, read strictly from its binary version.

A file is 10,000 records of 3,073 bytes: the label, 0 to 9, and then an image of 32 × 32 pixels, first
all of red, then green, then blue, each row by row. The format: https://www.cs.toronto.edu/~kriz/cifar.html
(The version for Python is pickled, and to unpickle a file is to run it; this one is plain bytes.)
"""

import gzip
import hashlib
import io
import tarfile

import numpy as np

from .files import GZIP_ERRORS, Source, locate, read_at_most

FILES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"  # in the archive
OTHERS = ("batches.meta.txt", "readme.html")  # in the archive too, and not needed
KINDS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORDS = 10_000  # in a file
RECORD = 1 + 3 * 32 * 32  # bytes: a label and an image
MOST_UNPACKED = 6 * RECORDS * RECORD + (1 << 20)  # bytes, of the archive: the six files, and some


def sha256(values):
    return hashlib.sha256(values).hexdigest()


CIFAR10 = Source(
    "CIFAR-10", "cifar10", digest=sha256, largest=170_052_171,
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    digests={ARCHIVE: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"})


def load_cifar10(split, root=None):
    """Load CIFAR-10: 50,000 images to train on, 10,000 to test with.

    `split` is "train" or "test". Its .bin files (five, or one), or else the archive that
    its authors publish, are looked for in `root` if it is given and nowhere else; otherwise in
    `$TINYAE_DATA/cifar10` and in the user's cache folder, to which the archive (162 MB) is downloaded
    if need be. The archive is read in memory; nothing is unpacked to disk.

    Returns `(images, labels)`: images (N, 32, 32, 3), float32 in [0, 1], N = 50,000 (614 MB) or 10,000;
    labels (N,), int64, whose names are `tinyae.data.cifar10.KINDS`.

    Raises ValueError, naming the file, for one that is truncated, too long, damaged or has other
    labels, for an archive of other contents, and for an unknown split; FileNotFoundError where `root`
    lacks files; OSError where the archive could not be downloaded.

    Source: Krizhevsky, Learning multiple layers of features from tiny images (2009).
    """
    if split not in FILES:
        raise ValueError(f"CIFAR-10: split must be 'train' or 'test', not {split!r}")
    names = FILES[split]
    paths = locate(CIFAR10, [names, (ARCHIVE,)], root)
    batches = read_archive(paths[0], names) if paths[0].name == ARCHIVE else map(read_file, paths)
    images = np.empty((len(names) * RECORDS, 32, 32, 3), np.float32)
    labels = np.empty(len(images), np.int64)
    for i, records in enumerate(batches):  # file by file: the bytes of all would take a quarter more memory
        block = slice(i * RECORDS, (i + 1) * RECORDS)
        labels[block] = records[:, 0]
        planes = records[:, 1:].reshape(-1, 3, 32, 32)
        np.divide(planes.transpose(0, 2, 3, 1), np.float32(255), out=images[block])
    return images, labels


def read_file(path):
    """The records (10000, 3073) of a .bin file."""
    with open(path, "rb") as file:
        return as_records(path, file.read(RECORDS * RECORD + 1))


def as_records(name, values):
    """A .bin file's bytes as an array of records, once it is sure that they are that."""
    size = RECORDS * RECORD
    if len(values) != size:
        came = "more" if len(values) > size else len(values)
        raise ValueError(f"{name}: expected {size} bytes, {RECORDS} records of {RECORD}, got {came}")
    records = np.frombuffer(values, np.uint8).reshape(RECORDS, RECORD)
    if records[:, 0].max() > 9:
        raise ValueError(f"{name}: expected labels from 0 to 9, got {records[:, 0].max()}")
    return records


def read_archive(path, names):
    """The records of each of these files in an archive, in this order, read in memory."""
    try:
        with gzip.open(path) as file:
            tar = bytes(read_at_most(file, MOST_UNPACKED + 1))
        if len(tar) > MOST_UNPACKED:
            raise ValueError(f"expected at most {MOST_UNPACKED} bytes unpacked, got more")
        places = members(tar)
        return [as_records(name, tar[places[f"{FOLDER}/{name}"]]) for name in names]
    except (tarfile.TarError, *GZIP_ERRORS) as error:
        raise ValueError(f"{path}: damaged archive: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def members(tar):
    """Where in the bytes of a tar archive each member is, once it is sure that all are the expected ones."""
    expected = {FOLDER} | {f"{FOLDER}/{name}" for name in (*FILES["train"], *FILES["test"], *OTHERS)}
    places, end = {}, 0
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        for member in archive:
            right_type = member.isdir() if member.name == FOLDER else member.isreg()
            if member.name not in expected or member.name in places or not right_type:
                raise ValueError(f"expected each file of CIFAR-10 once in {FOLDER} and nothing else, "
                                 f"got {member.name!r}")
            places[member.name] = slice(member.offset_data, member.offset_data + member.size)
            end = archive.offset  # where the next header is
    missing = expected - places.keys() - {FOLDER}
    if missing:
        raise ValueError(f"expected a member {min(missing)}, which is not there")
    if tar[end:].strip(b"\0"):
        raise ValueError("expected nothing but zeros after the last member, got more")
    return places
