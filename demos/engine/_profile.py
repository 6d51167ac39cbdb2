"""Where the time of a training step goes: each operation, its rule, the optimiser, and Python itself.

An operation's body computes on arrays: what it takes is NumPy's time. A rule is made of operations again,
so what their bodies take while it runs is the rule's. The rest of a step, once the optimiser's update is
taken off, is Python's own: the graph, the calls, the checks.
"""

import functools
import time
from collections import Counter
from contextlib import contextmanager

from tinyae.autodiff import PRIMITIVES
from tinyae.optim import Optimizer

UPDATE, PYTHON = "update by the optimiser", "Python's own"


class Clock:
    """Seconds and calls by name; what is timed inside of something else is not counted there."""

    def __init__(self):
        self.seconds, self.calls = Counter(), Counter()
        self.running, self.rules = [], []  # names, the innermost last
        self.since = None

    def timed(self, name, f):
        """f, whose time counts under its name or, while a rule runs, under that rule's."""
        @functools.wraps(f)
        def call(*args, **params):
            self._turn(self.rules[-1] if self.rules else name)
            try:
                return f(*args, **params)
            finally:
                self._turn(None)
        return call

    def within(self, name, rule):
        """The rule, in which the outermost name counts: a rule of a rule belongs to the first."""
        @functools.wraps(rule)
        def call(*args, **params):
            self.rules.append(self.rules[-1] if self.rules else name)
            self.calls[self.rules[-1]] += len(self.rules) == 1
            try:
                return rule(*args, **params)
            finally:
                self.rules.pop()
        return call

    def _turn(self, name):
        """From now on count for that name, or, where it is None, for the one before."""
        now = time.perf_counter()
        if self.running:
            self.seconds[self.running[-1]] += now - self.since
        if name is None:
            self.running.pop()
        else:
            self.calls[name] += not self.running and not self.rules
            self.running.append(name)
        self.since = now


@contextmanager
def clocked():
    """A Clock that sees the body and the rules of every operation, and every optimiser's update."""
    clock, update = Clock(), Optimizer.step
    before = {op: (op.body, op.rules) for op in PRIMITIVES.values()}
    try:
        for op, (body, rules) in before.items():
            op.body = clock.timed(op.__name__, body)
            op.rules = tuple(rule and clock.within(f"rule of {op.__name__}", rule) for rule in rules)
        Optimizer.step = clock.timed(UPDATE, update)
        yield clock
    finally:
        Optimizer.step = update
        for op, (body, rules) in before.items():
            op.body, op.rules = body, rules


def profile(step, count):
    """{name: (calls, seconds)} of one step, the mean of so many, the largest first; and its whole time."""
    step()
    with clocked() as clock:
        started = time.perf_counter()
        for _ in range(count):
            step()
        whole = time.perf_counter() - started
    parts = {name: (clock.calls[name] / count, seconds / count) for name, seconds in clock.seconds.items()}
    parts[PYTHON] = (0, whole / count - sum(seconds for _, seconds in parts.values()))
    return dict(sorted(parts.items(), key=lambda part: -part[1][1])), whole / count


def told(case, parts, whole):
    """The profile in lines of text."""
    lines = [f"\nOne training step of the {case}: {whole * 1e3:.2f} ms, of which"]
    for name, (calls, seconds) in parts.items():
        times = f"{calls:4.0f} ×" if calls else ""
        lines.append(f"  {name:34}{times:>8}{seconds * 1e3:9.3f} ms{seconds / whole:7.1%}")
    return "\n".join(lines)
