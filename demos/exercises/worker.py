"""The process in which learners' code runs: python -m demos.exercises.worker RESULTS SECONDS MEGABYTES.

On standard input it is told [[place, number of the exercise, path], ...]. It appends lines of JSON to
RESULTS: null when it is ready, then [place, verdict] for each of them. Code that runs longer than
SECONDS is told where it was, and the process ends; who started it starts another for the rest. What
the code prints goes to standard output.
"""

import json
import linecache
import os
import sys
import threading
from pathlib import Path

from .catalogue import EXERCISES, Verdict
from .checker import check
from .tasks import BY_NAME

try:
    import resource
except ImportError:  # Windows: the limit on time has to do
    resource = None

OUTPUT = 1 << 20  # bytes that a file may grow to, so that nobody's prints fill the disk


def limit_memory(megabytes):
    """Refuse memory beyond so much, and files beyond OUTPUT, where the system can."""
    if resource is None:
        return
    for kind, size in ((resource.RLIMIT_AS, megabytes << 20), (resource.RLIMIT_FSIZE, OUTPUT)):
        try:
            resource.setrlimit(kind, (size, resource.getrlimit(kind)[1]))
        except (ValueError, OSError):  # the system or an administrator says otherwise
            pass


def main(results, seconds, megabytes):
    jobs = json.load(sys.stdin)
    with open(results, "a", encoding="utf-8") as file:

        def answer(place, verdict):
            file.write(json.dumps([place, verdict]) + "\n")
            file.flush()

        file.write("null\n")
        file.flush()
        limit_memory(int(megabytes))
        for place, number, path in jobs:
            exercise = EXERCISES[number - 1]

            def stop():
                answer(place, endless(exercise, path, float(seconds)))
                os._exit(0)

            watchdog = threading.Timer(float(seconds), stop)
            watchdog.daemon = True
            watchdog.start()
            try:
                verdict = check(exercise, Path(path))
            except Exception as error:  # not the learner's fault
                verdict = Verdict("failing", None, f"The checker itself failed, not you: {error!r}")
            watchdog.cancel()
            answer(place, verdict)


def endless(exercise, path, seconds):
    """The verdict on code that has not ended, with the line that it is at."""
    frame, where = sys._current_frames()[threading.main_thread().ident], ""
    hints = {task.function: task.slow for task in BY_NAME[exercise.name]}
    hint = next(iter(hints.values()))
    while frame:
        name = frame.f_code.co_name
        if frame.f_code.co_filename == path:
            hint = hints.get(name, hint)
            if not where:
                line = linecache.getline(path, frame.f_lineno).strip()
                where = f"\n    line {frame.f_lineno}, in {name}:  {line}"
        frame = frame.f_back
    return Verdict("failing", "Stopped",
                   f"Stopped: your code was still running after {seconds:g} seconds. {hint}{where}")


if __name__ == "__main__":
    main(*sys.argv[1:])
