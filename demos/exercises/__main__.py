"""The command: python -m demos exercises [number] [--dir DIR] [--start [DIR]] [--hint]."""

import sys
import tempfile
import textwrap
from pathlib import Path

from demos.arguments import Parser, whole

from . import __doc__ as about
from .catalogue import EXERCISES, places
from .judge import judge

FOLDER = Path("exercises")


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
    return " ".join(["python -m demos exercises", *([str(number)] if number else []), *where, *more])


def starting(folder):
    """What to type to copy the blanks."""
    return f"python -m demos exercises --start {'' if folder == FOLDER else folder}".rstrip()


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
    p = Parser(prog="python -m demos exercises", description=about.splitlines()[0])
    p.add_argument("number", type=whole(1, len(EXERCISES)), nargs="?", help="the exercise to check (default: list all)")
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
    exercise = EXERCISES[args.number - 1]
    if args.hint:
        return show_hint(exercise, args.hint, args.dir)
    if not (args.dir / exercise.filename).exists():
        p.error(f"there is no file {args.dir / exercise.filename}; to put a blank one there: "
                f"{starting(args.dir)}")
    return show_one(exercise, args.dir)


if __name__ == "__main__":
    sys.exit(main())
