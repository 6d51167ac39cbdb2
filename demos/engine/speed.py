"""How long a training step takes: tinyae, PyTorch, NumPy by hand and the floor, in turns.

The floor is what no NumPy program can avoid: the step's matrix products and one pass of Adam. The VAE's
step is there by hand as well (`_by_hand.py`): what a program without an engine can do. PyTorch
is compared where it is installed (pip install torch); nothing else in tinyae uses it. Each library has
a process of its own, since the threads of two would get in each other's way, and as many threads. They
take turns, so that whatever else the machine does falls on all of them alike; what counts is the
ratio of the medians. With --profile only tinyae's steps are timed, and a table tells where the time goes.
"""

import importlib.util
import multiprocessing
import re
import signal
import time
from contextlib import ExitStack, contextmanager

import numpy as np

from demos import figures
from demos.arguments import whole
from demos.engine import _profile
from demos.engine._contenders import BATCH, BY_HAND, CASES, CLOSED, FLOOR, library
from demos.measures import allowed_threads
from tinyae.backend import device_module, keep_freed_memory

LECTURES = ""
TIMED = True


def options(p):
    p.add_argument("--rounds", type=whole(1), default=20, help="turns of each contender, or steps of a profile (default: 20)")
    p.add_argument("--profile", action="store_true",
                   help="where the time of tinyae's steps goes, by operation, in place of the comparison")


def main(run):
    if run.options.profile:
        run.note(profile=profiles(run))
        return
    libraries = ["NumPy", "PyTorch"] if importlib.util.find_spec("torch") else ["NumPy"]
    if "PyTorch" not in libraries:
        run.say("PyTorch is not installed here: only tinyae, the step by hand and the floor are measured")
    place, rounds = where(run.device), run.pick(run.options.rounds, 1)
    medians = {}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker(name, run.device)) for name in libraries}
        for case, (turn, contenders) in CASES.items():
            names = [name for name in contenders if library(name) in libraries
                     and not (name in (BY_HAND, FLOOR) and run.device == "gpu")]
            medians[case] = compare(workers, case, names, rounds, run.pick(turn, 1))
            run.say(told(case, medians[case], place))
    run.note(place=place, rounds=rounds, medians_in_seconds=medians,
             ratios={case: ratios(seconds) for case, seconds in medians.items()})
    draw(run, medians, place)


def profiles(run):
    """{model: {operation: (calls, seconds)}} of tinyae's steps, which are told at once."""
    if run.device == "gpu":
        raise RuntimeError("--profile reads the host's clock, which does not wait for a GPU; "
                           "use --device cpu for it")
    keep_freed_memory()
    batch, found = np.random.default_rng(0).random((BATCH, 784), np.float32), {}
    for case, (_, contenders) in CASES.items():
        found[case], whole = _profile.profile(contenders["tinyae"](batch, "cpu"),
                                              run.pick(run.options.rounds, 1))
        run.say(_profile.told(case, found[case], whole))
    return found


def compare(workers, case, names, rounds, turn):
    """The median seconds of a step of each contender; they take turns of so many steps that count.

    Before each turn there is a pause, and twice as many steps that do not count: the threads of a
    library go on spinning for a while after its last call and slow down whoever comes next, and
    the processor's caches and clock take a while to settle.
    """
    seconds = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            time.sleep(0.2)
            workers[library(name)](case, name, 2 * turn)
            seconds[name] += workers[library(name)](case, name, turn)
    return {name: float(np.median(s)) for name, s in seconds.items()}


def ratios(medians):
    """tinyae's time in terms of the others', of which PyTorch's fastest counts.

    A closed form takes fewer products: it is compared with the general method of tinyae alone.
    """
    fastest = min((s for name, s in medians.items() if library(name) == "PyTorch"), default=None)
    others = {"PyTorch's": fastest, "the step by hand's": medians.get(BY_HAND),
              "the floor's": medians.get(FLOOR)}
    of = {"tinyae": {name: medians["tinyae"] / s for name, s in others.items() if s}}
    if CLOSED in medians:
        of[CLOSED] = {"tinyae's": medians[CLOSED] / medians["tinyae"]}
    return of


# --- a process for each library ------------------------------------------------------------------

@contextmanager
def worker(name, device):
    """A function (case, contender, count): has the library's process make steps, and gives their seconds."""
    context = multiprocessing.get_context("spawn")  # a fork would share what this process has begun
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, name, device), daemon=True)
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


def serve(pipe, name, device):
    """What such a process does until the pipe ends. An error is an answer, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    clock, present, steps = None, None, {}
    batch = np.random.default_rng(0).random((BATCH, 784), np.float32)
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
                steps[contender] = CASES[case].contenders[contender](batch, device)
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


# --- telling -------------------------------------------------------------------------------------

def told(case, medians, place):
    """The medians of a model and how tinyae's relates to the others', in lines of text."""
    lines = [f"\nOne training step of the {case}, batch {BATCH}, {place}, median:"]
    lines += [f"  {name:34}{seconds * 1e3:8.2f} ms" for name, seconds in medians.items()]
    lines += [f"  {name} takes " + ", ".join(f"{r:.2f} of {other} time" for other, r in of.items())
              for name, of in ratios(medians).items() if of]
    if medians["tinyae"] < medians.get(FLOOR, 0):
        lines.append("  The floor cannot be slower than the step: the machine was busy, do not trust these.")
    return "\n".join(lines)


def draw(run, results, place):
    """A panel of bars for each model."""
    fig = figures.figure(9, 0.9 + 1.8 * len(results), f"Time of a training step, batch {BATCH} ({place})")
    shades = {"tinyae": figures.COLOURS[0], "PyTorch": figures.COLOURS[6], "by": figures.COLOURS[2],
              "floor": figures.COLOURS[9]}
    for axes, (case, medians) in zip(np.ravel(fig.subplots(len(results), 1)), results.items()):
        names, values = list(medians), [s * 1e3 for s in medians.values()]
        bars = axes.barh(names, values, color=[shades[re.split("[ ,:]", name)[0]] for name in names])
        axes.bar_label(bars, fmt="%.1f ms", padding=4)
        axes.invert_yaxis()
        axes.set(xlim=(0, max(values) * 1.2), xlabel="milliseconds")
        axes.spines[["top", "right"]].set_visible(False)
        of = ratios(medians)["tinyae"].get("PyTorch's")
        axes.set_title(f"{case}: tinyae takes {of:.2f} of PyTorch's time" if of else case, fontsize=11)
    run.save(fig, "speed.png", "bars for the milliseconds of a training step: for each of four models those "
             "of tinyae, PyTorch and the floor, and for the first a step by hand")
