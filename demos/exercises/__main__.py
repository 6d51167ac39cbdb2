"""The command: python -m demos.exercises [number] [--dir DIR] [--start [DIR]] [--hint]."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from . import __doc__ as about
from .catalogue import EXERCISES, ROOT, Verdict, places

SECONDS = 5  # that one exercise may take
MEGABYTES = 1024
FOLDER = Path("exercises")


def judge(jobs, seconds=SECONDS, megabytes=MEGABYTES):
    """The verdicts on [(exercise, path)], and what the learners' code printed."""
    verdicts, printed = {}, ""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
           "PYTHONIOENCODING": "utf-8"}
    env.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    with tempfile.TemporaryDirectory() as folder:
        results, output = Path(folder, "results"), Path(folder, "output")
        results.touch()
        while len(verdicts) < len(jobs):
            todo = [(place, exercise.number, str(path)) for place, (exercise, path) in enumerate(jobs)
                    if place not in verdicts]
            begun = len(results.read_text(encoding="utf-8").splitlines())
            with open(output, "wb") as out:
                process = subprocess.Popen(
                    [sys.executable, "-u", "-m", "demos.exercises.worker",
                     str(results), str(seconds), str(megabytes)],
                    stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, env=env)
                process.stdin.write(json.dumps(todo).encode())
                process.stdin.close()
                _wait(process, results, seconds)
            printed += output.read_text(encoding="utf-8", errors="replace")
            lines = results.read_text(encoding="utf-8").splitlines()
            if len(lines) == begun:
                raise RuntimeError(f"the checker's own process could not start:\n{printed}")
            answers = [answer for answer in map(json.loads, lines) if answer]
            verdicts = {place: Verdict(*verdict) for place, verdict in answers}
            if lines[-1] == "null":  # the first of them ended the process
                verdicts[todo[0][0]] = verdict = _died(process, seconds)
                with open(results, "a", encoding="utf-8") as file:
                    file.write(json.dumps([todo[0][0], verdict]) + "\n")
    return [verdicts[place] for place in range(len(jobs))], printed


def _wait(process, results, seconds):
    """Wait for the process as long as it goes on giving results; else kill it."""
    size, since = 0, time.monotonic()
    while True:
        try:
            return process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            pass
        except BaseException:  # Ctrl-C: the process goes too
            process.kill()
            raise
        if results.stat().st_size != size:
            size, since = results.stat().st_size, time.monotonic()
        if time.monotonic() - since > seconds + 10:  # it could not even stop itself
            process.kill()


def _died(process, seconds):
    if process.returncode == -9:
        return Verdict("failing", "Stopped", "Stopped: your code was still running after "
                       f"{seconds:g} seconds, or was killed for the memory that it took.")
    return Verdict("failing", "The process ended",
                   f"The process ended: your code left Python with the status {process.returncode}.")


def is_untouched(exercise, path):
    return path.read_text(encoding="utf-8", errors="replace") == exercise.blank


def start(folder):
    """Copy the blank exercises to the folder, but none over a file that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = 0
    for exercise in EXERCISES:
        try:
            with open(folder / exercise.filename, "x", encoding="utf-8") as file:
                file.write(exercise.blank)
        except FileExistsError:
            kept += 1
    print(f"{len(EXERCISES) - kept} exercises copied to {folder}")
    if kept:
        print(f"{kept} were there already, and are as they were")
    print(f"\nOpen {folder / EXERCISES[0].filename}, read it, write the rule, and then\n\n"
          f"    {command(1, folder)}")
    return 0


def command(number, folder, *more):
    """What to type to check an exercise."""
    where = [] if folder == FOLDER else ["--dir", str(folder)]
    return " ".join(["python -m demos.exercises", *([str(number)] if number else []), *where, *more])


def starting(folder):
    """What to type to copy the blanks."""
    return f"python -m demos.exercises --start {'' if folder == FOLDER else folder}".rstrip()


def show_list(folder):
    """Every exercise with its status, and what comes next."""
    files = {exercise: folder / exercise.filename for exercise in EXERCISES}
    begun = [(e, path) for e, path in files.items() if path.exists() and not is_untouched(e, path)]
    verdicts = dict(zip([e for e, _ in begun], judge(begun)[0]))
    print(f"The exercises, in {folder}:\n")
    for exercise, path in files.items():
        verdict = verdicts.get(exercise)
        status = verdict.status if verdict else "untouched" if path.exists() else "no file"
        reason = f" ({verdict.mistake})" if verdict and verdict.mistake else ""
        print(f"{exercise.number:4}  {status:10}  {exercise.title}{reason}")
    left = [e for e in EXERCISES if verdicts.get(e) is None or verdicts[e].status != "done"]
    print(f"\n{len(EXERCISES) - len(left)} of {len(EXERCISES)} done.", end=" ")
    if not any(path.exists() for path in files.values()):
        print(f"To begin: {starting(folder)}")
    elif left:
        print(f"Next: {files[left[0]]}, and then\n\n    {command(left[0].number, folder)}")
    else:
        print("That was all of it.")
    return 0


def show_one(exercise, folder):
    """Check one exercise and report; the exit status."""
    path = folder / exercise.filename
    head = f"{exercise.number}. {exercise.title}"
    if is_untouched(exercise, path):
        print(f"{head}: not written yet\n\nOpen {path}, read it, and write the rule in place of the "
              "line with NotImplementedError.")
        return 1
    (verdict,), printed = judge([(exercise, path)])
    if printed.strip():
        lines = printed.splitlines()
        print("Your code printed:", *(f"    {line[:100]}" for line in lines[:20]), sep="\n")
        print(f"    ... and {len(lines) - 20} more lines\n" if len(lines) > 20 else "")
    if verdict.status == "done":
        print(f"{head}: done")
        for name, file, line in places(exercise):
            print(f"    in tinyae: {name:20} {file}, line {line}")
        later = EXERCISES[exercise.number:]
        print(f"\nNext: {folder / later[0].filename}" if later else "\nThat was the last one.")
        return 0
    print(f"{head}: failing\n\n{wrapped(verdict.report)}\n\n"
          f"A hint: {command(exercise.number, folder, '--hint')}")
    return 1


def wrapped(text):
    """The text in lines of 100 characters; what is indented stays as it is."""
    lines = text.splitlines()
    return "\n".join(line if line.startswith(" ") else textwrap.fill(line, 100) for line in lines)


def show_hint(exercise, count, folder):
    """The first hint, or both."""
    for hint in exercise.hints[:count]:
        print(wrapped(f"Hint for exercise {exercise.number}: {hint}"))
    if count == 1:
        print(f"\nA second one: {command(exercise.number, folder, '--hint --hint')}")
    return 0


def check_blanks():
    """Whether every blank is there, runs, and says that it is not written yet."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for exercise in EXERCISES:
            path = Path(folder, exercise.filename)
            path.write_text(exercise.blank, encoding="utf-8")
            jobs.append((exercise, path))
        broken = [(e, v) for (e, _), v in zip(jobs, judge(jobs)[0]) if v.mistake != "not written yet"]
    for exercise, verdict in broken:
        print(f"{exercise.filename}: {verdict.report}")
    print(f"{len(EXERCISES) - len(broken)} of {len(EXERCISES)} blank exercises are in order")
    return int(bool(broken))


def main(argv=None):
    p = argparse.ArgumentParser(prog="python -m demos.exercises", description=about.splitlines()[0])
    p.add_argument("number", type=int, nargs="?", help="the exercise to check (default: list all)")
    p.add_argument("--dir", type=Path, default=FOLDER,
                   help="the folder with your files (default: exercises)")
    p.add_argument("--start", type=Path, nargs="?", const=FOLDER, metavar="DIR",
                   help="copy the blank exercises to DIR (default: exercises), over no file of yours")
    p.add_argument("--hint", action="count", default=0, help="a hint; twice for a second one")
    p.add_argument("--quick", action="store_true", help="only see that the blank exercises are in order")
    p.add_argument("--out", type=Path, help="as in the other demos; nothing is written there")
    args = p.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    if args.quick:
        return check_blanks()
    if args.start:
        return start(args.start)
    if args.number is None:
        if args.hint:
            p.error("--hint needs the number of an exercise")
        return show_list(args.dir)
    if not 1 <= args.number <= len(EXERCISES):
        p.error(f"there is no exercise {args.number}; they are numbered from 1 to {len(EXERCISES)}")
    exercise = EXERCISES[args.number - 1]
    if args.hint:
        return show_hint(exercise, args.hint, args.dir)
    if not (args.dir / exercise.filename).exists():
        p.error(f"there is no file {args.dir / exercise.filename}; to put a blank one there: "
                f"{starting(args.dir)}")
    return show_one(exercise, args.dir)


if __name__ == "__main__":
    sys.exit(main())
