"""How time and memory of training grow with the batch, the width, the depth and the number of examples.

A step of backpropagation multiplies every weight with the batch three times, once forward and twice back
(Deep Learning, section 6.5): its arithmetic is 6 · batch · weights, and beyond the sizes where Python and
Adam count, that is what its time should follow. Measured is the step of a plain autoencoder of images of 784
pixels with Bernoulli likelihood, as `training.fit` makes it: 2 hidden layers of 256 units on either side of a
code of 20, and 128 examples; of these sizes one changes at a time. Depth is the hidden layers on either side.
PyTorch's step stands beside it where it is installed (pip install torch); they take turns, as in `speed`.

Memory is the most that NumPy's arrays take at any moment of a step, by Python's tracemalloc, which counts to
the byte. A step must hold four numbers for each parameter (itself, its gradient and Adam's two averages) and
for each example of the batch its input and the output of every layer, which the way back needs. The engine
holds more: both x W + b and what the activation makes of it, and at the end some arrays as large as the batch
in which the loss is computed. What PyTorch takes on a CPU nobody counts so exactly; it is not compared.

Examples may be more than fit into memory: of a file mapped into it (np.memmap) `fit` reads only the batches.
What it holds for each example is its place in the epoch's order, 8 bytes. What the operating system keeps of
such a file is its cache, which it gives up when memory is asked for.
"""

import math
import tempfile
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np

from demos import figures
from demos.engine._sizes import Sizes, built
from demos.engine._turns import compare, library, where, workers
from demos.measures import seconds_in_turns, worst
from tinyae import distributions, models

LECTURES = ""
TIMED = True
CONTENDERS = ("tinyae", "PyTorch eager")
SERIES = {"batch": (32, 128, 512, 1024, 2048, 4096), "width": (64, 128, 256, 512, 1024, 2048),
          "depth": (1, 2, 4, 8, 16)}
POWERS = {"batch": 1, "width": 2, "depth": 1}  # of the arithmetic where that size alone is large
EXAMPLES, NUMBERS = (10_000, 100_000, 1_000_000), 64  # in a file, and the numbers of each: 256 bytes
SEEN = 100_000  # examples at least in a turn: a file of fewer has more epochs
ROUNDS = 3  # turns of each library, and of each file
PIECE = 10_000  # examples that are written to the file at once


def main(run):
    series = {axis: [Sizes(**{axis: n}) for n in run.pick(values, (values[0], getattr(Sizes(), axis)))]
              for axis, values in SERIES.items()}
    seconds = time_steps(run, dict.fromkeys(sizes for line in series.values() for sizes in line))
    peaks = {sizes: peak_bytes(lambda: built(sizes, "tinyae", "cpu")()) for sizes in seconds}
    files = trained_on_files(run, run.pick(EXAMPLES, (500, 1_000)))
    run.note(place=where(run.device), files=[{"examples": n, **found} for n, found in files.items()],
             steps=[{**sizes._asdict(), "seconds": times, "peak_bytes": peaks[sizes], "must_hold_bytes": sizes.held}
                    for sizes, times in seconds.items()])
    run.say(told(seconds, peaks, files))
    judge(run.claim, {sizes: times["tinyae"] for sizes, times in seconds.items()}, series, peaks, files)
    draw_time(run, seconds, series, files)
    draw_memory(run, peaks, series, files)


# --- a step --------------------------------------------------------------------------------------

def time_steps(run, all_sizes):
    """{sizes: {contender: median seconds of a step}}; a turn is as many steps as take some 50 ms.

    All sizes have their turns before the next round begins: what the machine does meanwhile falls on all alike.
    """
    rounds = {sizes: [] for sizes in all_sizes}
    with workers(built, run.device) as libraries:
        names = [name for name in CONTENDERS if library(name) in libraries]
        if len(names) < len(CONTENDERS):
            run.say("PyTorch is not installed here: only tinyae is measured")
        for _ in range(run.pick(ROUNDS, 1)):
            for sizes, found in rounds.items():
                turn = run.pick(math.ceil(2.5e9 / sizes.arithmetic), 1)
                found.append(compare(libraries, sizes, names, rounds=1, turn=turn))
    return {sizes: {name: float(np.median([times[name] for times in found])) for name in names}
            for sizes, found in rounds.items()}


def peak_bytes(f):
    """The most bytes that what f makes takes at any moment."""
    tracemalloc.start()
    try:
        f()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- many examples -------------------------------------------------------------------------------

def trained_on_files(run, counts):
    """{n: the seconds for an example in training on a file of n, and the most bytes that it takes}."""
    with tempfile.TemporaryDirectory() as folder:
        files = {n: written(Path(folder) / str(n), n, run.rng("examples")) for n in counts}
        epochs = {n: run.pick(max(1, SEEN // n), 1) for n in counts}
        seconds = seconds_in_turns({n: partial(train, run, files[n], epochs[n]) for n in counts}, run.pick(ROUNDS, 1))
        return {n: {"seconds_per_example": seconds[n] / (epochs[n] * n), "file_bytes": examples.nbytes,
                    "peak_bytes": peak_bytes(partial(train, run, examples, 1))} for n, examples in files.items()}


def written(path, n, rng):
    """n examples in a file, mapped into memory."""
    with open(path, "wb") as file:
        for start in range(0, n, PIECE):
            rng.random((min(PIECE, n - start), NUMBERS), np.float32).tofile(file)
    return np.memmap(path, np.float32, "r", shape=(n, NUMBERS))


def train(run, examples, epochs):
    """Train a new, small autoencoder."""
    networks = models.dense_networks((NUMBERS,), 128, 8, run.rng("weights"))
    model = models.Autoencoder(*networks, distributions.Bernoulli)
    run.fit(model, examples, epochs=epochs, batch_size=1000, silent=True)


# --- what comes of it ----------------------------------------------------------------------------

def exponent(seconds, sizes, axis):
    """The k of seconds ∝ sizeᵏ from the last but two of the sizes to the last: noise says little there."""
    small, large = sizes[-3:][0], sizes[-1]
    return math.log(seconds[large] / seconds[small]) / math.log(getattr(large, axis) / getattr(small, axis))


def judge(claim, seconds, series, peaks, files):
    """seconds are tinyae's for each Sizes."""
    small, large = series["batch"][0], series["batch"][:3][-1]
    claim("growth.batch", "a larger batch costs less for each example",
          f"time per example at a batch of {large.batch}, relative to that at {small.batch}:",
          seconds[large] / large.batch / (seconds[small] / small.batch), at_most=0.75)
    claim("growth.linear", "time grows no faster than batch, depth and the square of the width",
          "largest exponent at the upper end of batch and depth, and half of that of width:",
          worst(exponent(seconds, line, axis) / POWERS[axis] for axis, line in series.items()), at_most=1.3)
    claim("growth.memory", "a step holds about twice what it must: parameters, averages, each layer's output",
          "largest peak of a step, relative to what it must hold:",
          worst(peak / sizes.held for sizes, peak in peaks.items()), at_most=2.25)
    few, many = min(files), max(files)
    claim("growth.examples", "an example costs as much however many there are",
          f"time per example of {many:,} in a file, relative to that of {few:,}:",
          files[many]["seconds_per_example"] / files[few]["seconds_per_example"], at_most=1.5)
    claim("growth.memmap", "of a file mapped into memory, fit reads only the batches",
          f"peak memory of training on {many:,} examples, relative to the file's size:",
          files[many]["peak_bytes"] / files[many]["file_bytes"], at_most=0.1)


def told(seconds, peaks, files):
    """The measurements, in lines of text."""
    return "\n".join([
        *("batch {:4}, width {:4}, depth {:2}: ".format(*sizes)
          + "".join(f"{name} {s * 1e3:.2f} ms, " for name, s in times.items())
          + f"{peaks[sizes] / 1e6:.1f} MB, {peaks[sizes] / sizes.held:.2f} of what it must hold"
          for sizes, times in seconds.items()),
        *(f"{n:9,} examples, {found['file_bytes'] / 1e6:.1f} MB: {found['seconds_per_example'] * 1e6:.2f} µs each, "
          f"{found['peak_bytes'] / 1e6:.1f} MB" for n, found in files.items())])


# --- figures -------------------------------------------------------------------------------------

LABELS = {"batch": "examples in the batch", "width": "units of a hidden layer", "depth": "hidden layers on either side"}


def dashed(axes, x, y, label, style="--"):
    axes.plot(x, y, style, color=figures.COLOURS[9], label=label)


def panels(title, series, unit, lines, guide, guided):
    """A figure with {name: {sizes: value}} and a guide over each series; its fourth axes are for the files."""
    from matplotlib.ticker import LogLocator

    fig = figures.figure(10, 7.6, title)
    axes = np.ravel(fig.subplots(2, 2))
    for panel, (axis, line) in zip(axes, series.items()):
        x = [getattr(sizes, axis) for sizes in line]
        panel.set(xscale="log", yscale="log", xlabel=LABELS[axis], ylabel=f"{unit} in a step")
        panel.set_xticks(x, [f"{n:,}" for n in x])
        panel.minorticks_off()
        panel.yaxis.set(major_locator=LogLocator(10, (1, 2, 5)), major_formatter="{x:g}")
        panel.set_title(", ".join(f"{k} {n}" for k, n in Sizes()._asdict().items() if k != axis), fontsize=11)
        dashed(panel, x, [guide(sizes, line[-1]) for sizes in line], guided)
        figures.curves(panel, x, {name: [y[sizes] for sizes in line] for name, y in lines.items()}, label=False)
    axes[3].set(xscale="log", yscale="log", xlabel="examples in a file")
    axes[3].minorticks_off()
    axes[3].set_title("an epoch of fit on the file, mapped into memory", fontsize=11)
    axes[0].legend(frameon=False)
    return fig, axes[3]


def draw_time(run, seconds, series, files):
    lines = {name: {sizes: 1e3 * times[name] for sizes, times in seconds.items()} for name in seconds[Sizes()]}
    ours, (small, *_, large) = lines["tinyae"], series["batch"]
    title = (f"{large.batch // small.batch} times the batch takes {ours[large] / ours[small]:.0f} times as long"
             f" ({where(run.device)})")
    if len(lines) > 1:
        ratios = [ours[sizes] / theirs for sizes, theirs in lines[CONTENDERS[1]].items()]
        title += f";\ntinyae takes {min(ratios):.2f} to {max(ratios):.2f} times PyTorch's time"
    fig, last = panels(title, series, "milliseconds", lines,
                       lambda sizes, end: ours[end] * sizes.arithmetic / end.arithmetic, "as the arithmetic grows")
    each = [1e6 * found["seconds_per_example"] for found in files.values()]
    figures.curves(last, list(files), {"tinyae": each}, label=False)
    last.set(ylabel="microseconds for an example", ylim=(each[-1] / 10, each[-1] * 10))
    run.save(fig, "time.png", "four panels on logarithmic axes: the time of a training step over batch, width and "
             "depth, with a line for its arithmetic; and the time for an example over the number of examples")


def draw_memory(run, peaks, series, files):
    most, n = worst(peak / sizes.held for sizes, peak in peaks.items()), list(files)
    peak, size = ([found[key] / 1e6 for found in files.values()] for key in ("peak_bytes", "file_bytes"))
    fig, last = panels(f"A step holds at most {most:.1f} times what it must; training on a file of {size[-1]:.0f} MB "
                       f"takes {peak[-1]:.0f} MB", series, "megabytes",
                       {"tinyae, at the peak": {sizes: peak / 1e6 for sizes, peak in peaks.items()}},
                       lambda sizes, end: sizes.held / 1e6, "what a step must hold")
    dashed(last, n, size, "the file", ":")
    dashed(last, n, [8e-6 * count for count in n], "the order of its examples")
    figures.curves(last, n, {"tinyae, at the peak": peak}, label=False)
    last.set(ylabel="megabytes")
    last.legend(frameon=False)
    run.save(fig, "memory.png", "four panels on logarithmic axes: the peak memory of a step over batch, width and "
             "depth, with a line for what it must hold; and over the number of examples, with one for their file")
