"""How long a training step takes: tinyae, PyTorch, NumPy by hand and the floor, in turns.

The floor is what no NumPy program can avoid: the step's matrix products and one pass of Adam. The VAE's
step is there by hand as well (`_by_hand.py`): what a program without an engine can do. PyTorch is
compared where it is installed (pip install torch). Each library has a process of its own, and they take
turns (`_turns.py`); what counts is the ratio of the medians. With --profile only tinyae's steps are timed,
and a table shows where the time goes.
"""

import re

import numpy as np

from demos import figures
from demos.arguments import whole
from demos.engine import _profile
from demos.engine._contenders import BATCH, BY_HAND, CASES, CLOSED, FLOOR, built
from demos.engine._turns import compare, library, where, workers
from tinyae.backend import keep_freed_memory

LECTURES = ""
TIMED = True


def options(p):
    p.add_argument("--rounds", type=whole(1), default=20,
                   help="turns of each contender, or steps of a profile (default: 20)")
    p.add_argument("--profile", action="store_true",
                   help="where the time of tinyae's steps goes, by operation, in place of the comparison")


def main(run):
    if run.options.profile:
        run.note(profile=profiles(run))
        return
    place, rounds = where(run.device), run.pick(run.options.rounds, 1)
    medians = {}
    with workers(built, run.device) as libraries:
        if "PyTorch" not in libraries:
            run.say("PyTorch is not installed here: only tinyae, the step by hand and the floor are measured")
        for case, (turn, contenders) in CASES.items():
            names = [name for name in contenders if library(name) in libraries
                     and not (name in (BY_HAND, FLOOR) and run.device == "gpu")]
            medians[case] = compare(libraries, case, names, rounds, run.pick(turn, 1))
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


# --- telling -------------------------------------------------------------------------------------

def told(case, medians, place):
    """The medians of a model and how tinyae's relates to the others', in lines of text."""
    lines = [f"\nOne training step of the {case}, batch {BATCH}, {place}, median:"]
    lines += [f"  {name:34}{seconds * 1e3:8.2f} ms" for name, seconds in medians.items()]
    lines += [f"  {name} takes " + ", ".join(f"{r:.2f} times {other} time" for other, r in of.items())
              for name, of in ratios(medians).items() if of]
    if medians["tinyae"] < medians.get(FLOOR, 0):
        lines.append("  The floor cannot be slower than the step: the machine was busy, do not trust these.")
    return "\n".join(lines)


def draw(run, results, place):
    """A panel of bars for each model."""
    times = [of["PyTorch's"] for of in (ratios(medians)["tinyae"] for medians in results.values()) if "PyTorch's" in of]
    point = (f"A training step of tinyae takes {min(times):.2f} to {max(times):.2f} times PyTorch's time"
             if times else "How long a training step of tinyae takes")
    fig = figures.figure(9, 1.1 + 1.8 * len(results), f"{point}\n(batch {BATCH}, {place}, medians)")
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
        axes.set_title(f"{case}: {of:.2f} times PyTorch's time" if of else case, fontsize=11)
    run.save(fig, "speed.png", "bars of the milliseconds of a training step, for each of four models: by "
             "tinyae, by what it is compared with, and the floor")
