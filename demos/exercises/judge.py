"""Run learners' files in a process of their own, with limits, and collect the verdicts.

The process, with whatever it starts, is a session of its own. It is ended as one: when it is done, when
it takes too long, and when all of it together takes too much memory.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .catalogue import ROOT, Verdict

SECONDS = 5  # that one exercise may take
MEGABYTES = 1024  # of memory, each process, and all of them together

SPOILT = Verdict("failing", "A file of the checker's is damaged",
                 "A file of the checker's is damaged: your code wrote into a file that it did not open.")


def judge(jobs, seconds=SECONDS, megabytes=MEGABYTES):
    """The verdicts on [(exercise, path)], and what the learners' code printed."""
    verdicts, printed = {}, ""
    with tempfile.TemporaryDirectory() as folder:
        while len(verdicts) < len(jobs):
            todo = [(place, exercise.number, str(path)) for place, (exercise, path) in enumerate(jobs)
                    if place not in verdicts]
            found, said = _run(todo, Path(folder), seconds, megabytes)
            verdicts.update(found)
            printed += said
    return [verdicts[place] for place in range(len(jobs))], printed


def _run(todo, folder, seconds, megabytes):
    """{place: verdict} on the first job at least, from one process, and what it printed."""
    notes, output = folder / "notes", folder / "output"
    notes.write_text("")
    key = secrets.token_hex(8)  # marks the lines that are the checker's
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
           "PYTHONIOENCODING": "utf-8"}
    env.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    with open(output, "wb") as out:
        process = subprocess.Popen([sys.executable, "-u", "-m", "demos.exercises.worker"], env=env,
                                   stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            process.stdin.write(json.dumps([str(notes), key, seconds, megabytes, todo]).encode())
            process.stdin.close()
            why = _wait(process, notes, seconds, megabytes)
        finally:  # also at Ctrl-C
            _end(process)
    printed = output.read_text(encoding="utf-8", errors="replace")
    begun, verdicts = _read(notes, key, [place for place, *_ in todo])
    if not begun:
        raise RuntimeError(f"the checker's own process could not start:\n{printed}")
    verdicts.setdefault(todo[0][0], why or _died(process))
    return verdicts, printed


def _read(notes, key, places):
    """Whether the process was ready, and its verdicts. Whoever was at work when a line came that is not the
    checker's has written it."""
    begun, spoilt, verdicts = False, False, {}
    for line in filter(None, notes.read_text(encoding="utf-8", errors="replace").split("\n")):
        try:
            mark, place, verdict = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            mark = None
        if mark != key:
            spoilt = True
        elif place is None:
            begun = True
        else:
            verdicts[place] = SPOILT if spoilt else Verdict(*verdict)
            spoilt = False
    if spoilt:
        verdicts.update({place: SPOILT for place in places[len(verdicts):len(verdicts) + 1]})
    return begun, verdicts


def _wait(process, notes, seconds, megabytes):
    """Wait as long as the process goes on giving verdicts within its limits; the verdict if it does not."""
    size, since = 0, time.monotonic()
    while True:
        try:
            process.wait(timeout=0.1)
            return None
        except subprocess.TimeoutExpired:
            pass
        if notes.stat().st_size != size:
            size, since = notes.stat().st_size, time.monotonic()
        if time.monotonic() - since > seconds + 10:  # it could not even stop itself
            return Verdict("failing", "Stopped",
                           f"Stopped: your code was still running after {seconds:g} seconds.")
        sizes = _memory(process.pid)
        if sum(sizes.values()) > megabytes << 20:
            return Verdict("failing", "Too much memory",
                           f"Too much memory: the {len(sizes)} processes that your code is running in took more "
                           f"than {megabytes} MB together.")


def _memory(session):
    """{process: bytes} of a session, where the system tells."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == session:
            found[int(stat.parent.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return found


def _end(process):
    """End the process and all that it started."""
    if os.name == "posix":
        for pid in _memory(process.pid):  # also those that made groups of their own
            _kill(os.kill, pid)
        _kill(os.killpg, process.pid)
    else:
        process.kill()
    process.wait()


def _kill(kill, pid):
    try:
        kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it has ended; macOS says so in the second way
        pass


def _died(process):
    if process.returncode == -9:
        return Verdict("failing", "Stopped",
                       "Stopped: the system ended your code, which it does to what takes too much memory.")
    return Verdict("failing", "The process ended",
                   f"The process ended: your code left Python with the status {process.returncode}.")
