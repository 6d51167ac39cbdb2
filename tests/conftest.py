"""What the tests share. One BLAS thread: for small arrays, threads that wait for each other cost time."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest  # noqa: E402

from tinyae.autodiff import PRIMITIVES  # noqa: E402


@pytest.fixture(autouse=True)
def registry():
    """Primitives that a test makes, even under a name of tinyae's, are gone after it."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)
