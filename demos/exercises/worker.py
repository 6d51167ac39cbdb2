"""The process in which learners' code runs: python -m demos.exercises.worker.

On standard input it is told [notes, key, seconds, megabytes, [[place, number of the exercise, path], ...]].
It appends lines of JSON to the file `notes`: [key, null, null] when it is ready, then [key, place, verdict]
for each of them. Code that runs longer than so many seconds is told where it was, and the process ends;
who started it starts another for the rest. What the code prints goes to standard output.
"""

import json
import linecache
import os
import sys
import threading
from pathlib import Path

from .catalogue import EXERCISES, Verdict
from .checker import check, message
from .tasks import BY_NAME

try:
    import resource
except ImportError:  # Windows: the limit on time has to do
    resource = None

BROKEN_OFF = "The check broke off"
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


def main():
    notes, key, seconds, megabytes, jobs = json.load(sys.stdin)
    process = os.getpid()
    with open(notes, "a", encoding="utf-8") as file:

        def note(place, verdict):
            file.write(f"\n{json.dumps([key, place, verdict])}\n")  # whatever is before it in the file
            file.flush()

        note(None, None)
        limit_memory(megabytes)
        for place, number, path in jobs:
            exercise = EXERCISES[number - 1]

            def stop():
                note(place, endless(exercise, path, seconds))
                os._exit(0)

            watchdog = threading.Timer(seconds, stop)
            watchdog.daemon = True
            watchdog.start()
            verdict = judged(exercise, Path(path))
            if os.getpid() != process:  # a copy of this process that the learner's code made
                os._exit(0)
            watchdog.cancel()
            note(place, verdict)
            if verdict.mistake == BROKEN_OFF:  # the next file is not to suffer from it
                break
    os._exit(0)  # whatever threads the learners' code has left


def judged(exercise, path):
    """The verdict, also where the code broke what the checker itself needs."""
    try:
        return check(exercise, path)
    except BaseException as error:
        return Verdict("failing", BROKEN_OFF,
                       f"{BROKEN_OFF}: your code gave back, or changed, something on which Python itself "
                       f"stumbled.\n    {type(error).__name__}: {message(error)[:200]}")


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
    main()
