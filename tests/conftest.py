"""One BLAS thread: the arrays of the tests are small, and threads that wait for each other only cost time."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
