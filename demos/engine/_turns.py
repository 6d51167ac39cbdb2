"""Steps of several libraries, each in a process of its own, timed in turns: what `speed` and `growth` share.

Each library has a process of its own, since the threads of two would get in each other's way, and as many
threads. They take turns, so that whatever else the machine does falls on all of them alike. What steps
there are to make is said by a function build(case, contender, device), which gives one, a function without
arguments; each process calls it for its own, so it must be one that a module has by name.
"""

import importlib.util
import multiprocessing
import signal
import time
from contextlib import ExitStack, contextmanager

import numpy as np

from demos.measures import allowed_threads
from tinyae.backend import device_module, keep_freed_memory

PAUSE = 0.2  # seconds before each turn: see compare


def library(contender):
    """The library that a contender is written in: tinyae, the step by hand and the floor are NumPy's."""
    return "PyTorch" if contender.startswith("PyTorch") else "NumPy"


def compare(libraries, case, names, rounds, turn):
    """The median seconds of a step of each contender; they take turns of so many steps that count.

    Before each turn there is a pause, and twice as many steps that do not count: the threads of a
    library go on spinning for a while after its last call and slow down whoever comes next, and
    the processor's caches and clock take a while to settle.
    """
    seconds = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            time.sleep(PAUSE)
            libraries[library(name)](case, name, 2 * turn)
            seconds[name] += libraries[library(name)](case, name, turn)
    return {name: float(np.median(s)) for name, s in seconds.items()}


# --- a process for each library ------------------------------------------------------------------

@contextmanager
def workers(build, device):
    """{library: its `worker`}: of NumPy and, where it is installed, of PyTorch."""
    names = ["NumPy", "PyTorch"] if importlib.util.find_spec("torch") else ["NumPy"]
    with ExitStack() as stack:
        yield {name: stack.enter_context(worker(name, build, device)) for name in names}


@contextmanager
def worker(name, build, device):
    """A function (case, contender, count): has the library's process make steps, and gives their seconds."""
    context = multiprocessing.get_context("spawn")  # a fork would share what this process has begun
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, name, build, device), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe

    def steps(case, contender, count):
        try:
            ours.send((case, contender, count))
            answer = ours.recv()
        except (EOFError, OSError):
            process.join()
            raise RuntimeError(f"the process of {name} ended with exit status {process.exitcode}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    try:
        yield steps
    finally:
        process.terminate()
        process.join()


def serve(pipe, name, build, device):
    """What such a process does until the pipe ends. An error is an answer, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    clock, present, steps = None, None, {}
    while True:
        try:
            case, contender, count = pipe.recv()
        except EOFError:
            return
        try:
            clock = clock or prepared(name, device)
            if case != present:
                present, steps = case, {}  # the memory of the one before is free again
            if contender not in steps:
                steps[contender] = build(case, contender, device)
            answer = clock(steps[contender], count)
        except Exception as error:
            answer = error
        pipe.send(answer)


def prepared(name, device):
    """Set the library up in this process; the clock for its steps, a function (step, count) → seconds."""
    keep_freed_memory()
    if name == "PyTorch":
        import torch

        if device == "gpu" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch is installed but sees no GPU: install its build for CUDA, or none")
        torch.set_num_threads(allowed_threads())
        torch.backends.cudnn.allow_tf32 = False  # all in float32, as CuPy computes
        if device == "gpu":
            return gpu_clock(lambda: torch.cuda.Event(enable_timing=True), lambda a, b: a.elapsed_time(b))
    elif device == "gpu":
        cuda = device_module("gpu").cuda
        return gpu_clock(cuda.Event, cuda.get_elapsed_time)
    return cpu_clock


def cpu_clock(step, count):
    """The seconds that each of so many steps takes."""
    stamps = [time.perf_counter()]
    for _ in range(count):
        step()
        stamps.append(time.perf_counter())
    return np.diff(stamps).tolist()


def gpu_clock(event, elapsed):
    """The same by the GPU's own clock: the host is not waited for but at the end.

    Events mark the default stream, on which CuPy and PyTorch both compute.
    """
    def clock(step, count):
        marks = [event() for _ in range(count + 1)]
        marks[0].record()
        for mark in marks[1:]:
            step()
            mark.record()
        marks[-1].synchronize()
        return [elapsed(a, b) / 1e3 for a, b in zip(marks, marks[1:])]

    return clock


def where(device):
    """The device in words."""
    if device == "gpu":
        return device_module("gpu").cuda.runtime.getDeviceProperties(0)["name"].decode()
    threads = allowed_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)}"
