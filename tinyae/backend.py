"""NumPy or CuPy: which of the two an array belongs to, and the few things that differ between them.

The rest of tinyae is written once, against the functions that NumPy and CuPy share:

    xp = array_module(x)        # numpy or cupy
    y = xp.exp(x)               # runs where x lives

Arrays never move by themselves. `to_device` moves one, and only when it is asked to.
"""

import ctypes
import sys

import numpy as np

__all__ = ["DEVICES", "array_module", "device_module", "device_of", "keep_freed_memory", "place",
           "random_generator", "to_device"]

DEVICES = ("cpu", "gpu")
INSTALL = "pip install 'cupy-cuda13x[ctk]' (or cupy-cuda12x[ctk], to match the driver)"


def array_module(*arrays):
    """The module that the arrays belong to: cupy for CuPy arrays, numpy for NumPy arrays and numbers."""
    for x in arrays:
        if not isinstance(x, (np.ndarray, np.generic, float, int)):
            # The package that defines the array's type; cupy itself is never imported here.
            return sys.modules[type(x).__module__.partition(".")[0]]
    return np


def device_of(x):
    """'cpu' or 'gpu': where the array lives."""
    return "cpu" if array_module(x) is np else "gpu"


def device_module(device):
    """numpy for 'cpu', cupy for 'gpu'.

    Raises ValueError for another name, and RuntimeError that says what is missing where there is
    no CuPy, no GPU, or none of the libraries of CUDA that CuPy computes with.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {DEVICES}, not {device!r}")
    if device == "cpu":
        return np
    try:
        import cupy
    except ModuleNotFoundError as error:
        raise RuntimeError(f"the GPU needs CuPy, which is not installed: {INSTALL}") from error
    except ImportError as error:
        raise RuntimeError(f"CuPy is installed but cannot be imported ({error})") from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(f"CuPy is installed but finds no usable GPU ({error})") from error
    if count == 0:
        raise RuntimeError("CuPy is installed but finds no GPU on this machine")
    try:
        cupy.cuda.nvrtc.getVersion()
    except (ImportError, RuntimeError) as error:
        problem = str(error).strip().partition("\n")[0]
        raise RuntimeError("CuPy finds a GPU but not the libraries of CUDA: "
                           f"{INSTALL} ({problem})") from error
    return cupy


def to_device(x, device):
    """The array on 'cpu' or 'gpu': itself where it is there already, else a copy."""
    if device_of(x) == device:
        return x
    module = device_module(device)
    return x.get() if module is np else module.asarray(x)


def place(x, device):
    """The array on the device if it fits into half of the memory that is free there, else as it is."""
    if device == "gpu" and device_of(x) == "cpu":
        cupy = device_module("gpu")
        free, _ = cupy.cuda.Device().mem_info
        free += cupy.get_default_memory_pool().free_bytes()  # freed arrays, which CuPy keeps for new ones
        return to_device(x, "gpu") if x.nbytes <= free / 2 else x
    return x


def random_generator(seed, device="cpu"):
    """A random generator that draws arrays on the device; the same seed gives the same draws there."""
    random = device_module(device).random
    if device == "cpu":
        return random.default_rng(seed)
    # CuPy's default generator would first have to be moved ahead for each of its thousands of threads.
    # Philox only counts, so that one can be made for every epoch.
    return random.Generator(random.Philox4x3210(seed))


def check_rng(rng, name):
    """Raise TypeError, which names who asks, unless rng is a generator as NumPy has it."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{name}: rng must be a numpy.random.Generator, such as numpy.random.default_rng(0), "
                        f"not {rng!r} ({type(rng).__name__}): all that is random is drawn from it")


def keep_freed_memory():
    """Tell glibc to keep freed memory for the next allocation; elsewhere do nothing. Returns whether it did.

    A training step makes the same large temporaries over and over. By default glibc hands each one
    back to the operating system when it is freed, and the next step faults it in again, page by
    page, each page cleared by the kernel: in a NumPy training loop this is the largest single cost.
    CuPy's memory pool does on the GPU what this does on the CPU.

    The setting is for the whole process, so it is a function to call, not an effect of importing.
    `training.fit`, `data.faces` and the demos call it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # not glibc: musl has no mallopt
        return False
    m_trim_threshold, m_mmap_threshold = -1, -3  # the numbers of malloc.h
    # An array above the mmap threshold is mapped afresh; freed memory at the heap's top above the
    # trim threshold is returned. Both go out of the way; old glibc allows the first 32 MiB at most.
    kept = mallopt(m_mmap_threshold, 1 << 30) or mallopt(m_mmap_threshold, 32 << 20)
    return bool(kept and mallopt(m_trim_threshold, 1 << 30))
