"""`python -m demos` lists the demos, `python -m demos NAME` runs one, `python -m demos all` every one."""

import argparse
import json
import os
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from demos import page
from demos.arguments import Parser, near, whole
from demos.catalogue import CHAPTERS, catalogue
from demos.results import duration, measurement, read, summary, verdict, write_text

STOPPED, CLOSED = 130, 141  # the exit status after Ctrl-C and after a closed pipe, as shells have it
USAGE = """\
python -m demos NAME            runs one; its figures, numbers and claims go to out/NAME/
python -m demos NAME --help     its options; with --quick it takes seconds and judges nothing
python -m demos all [CHAPTER]   runs all of them or a chapter; ends with the illustrated page, out/index.html
python -m demos steps           the engine, built in small steps
python -m demos exercises       gradient-check exercises
python -m demos gallery         GALLERY.md, from the results of all"""


def main(argv=None):
    """Run the command line; the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    p = Parser(prog="python -m demos", description=__doc__, epilog=USAGE,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("name", metavar="NAME", nargs="?", help="a demo, or: all, steps, exercises, gallery")
    p.add_argument("--names", action="store_true", help="list the names of the demos, nothing else")
    if len(words) > 1 and words[0].startswith("-") and words[0] not in ("-h", "--help"):
        p.error(f"what to run comes first, then its options; not: {shlex.join(words)}")
    args, rest = p.parse_args(words[:1]), words[1:]  # the rest is for the demo
    commands = {"all": run_all, "steps": show_steps, "exercises": run_exercises,
                "gallery": make_gallery}
    demos = catalogue()
    if args.name in commands:
        return commands[args.name](rest)
    if args.name in demos:
        from demos import run  # here, not above: it loads NumPy and the engine, which a list does without

        return run.start(args.name, rest)
    if args.name is not None:
        p.error(unknown(args.name, [*demos, *commands]))
    print("\n".join(demos) if args.names else listing(demos.values()))
    return 0


def unknown(name, known):
    """What to say of a name that no demo has."""
    if name in CHAPTERS:
        return f"{name} is a chapter, run by: python -m demos all {name}"
    return f"there is no demo {name!r}; {near(name, {word: word for word in known}, 'python -m demos lists them')}"


def listing(demos):
    """The names and sentences of the demos, chapter by chapter, and how to run them."""
    lines, chapter = [], None
    for demo in demos:
        if demo.chapter != chapter:
            chapter = demo.chapter
            lines += ["", f"{CHAPTERS[chapter]} ({chapter})"]
        lines += [f"  {demo.name:20} {demo.title}"]
    return "\n".join([*lines, "", USAGE]).lstrip()


def show_steps(words):
    """`python -m demos steps`: the files in which the engine is built, in order; with a number, run that one."""
    from demos.steps import STEPS

    p = Parser(prog="python -m demos steps", description=show_steps.__doc__)
    p.add_argument("number", type=whole(1, len(STEPS)), nargs="?", help="the step to run")
    number = p.parse_args(words).number
    if number:
        runpy.run_path(str(STEPS[number - 1][0]), run_name="__main__")
        return 0
    for path, title in STEPS:
        print(f"python {os.path.relpath(path):40} {title}")
    print("\nEach runs by itself; read it from top to bottom first. The tenth is tinyae.")
    return 0


def run_exercises(words):
    """`python -m demos exercises`: they have a command line of their own."""
    from demos.exercises.__main__ import main as command

    return command(words)


def make_gallery(words):
    """`python -m demos gallery`: write demos/GALLERY.md and its pictures from the results of a full run."""
    from demos import gallery

    p = Parser(prog="python -m demos gallery", description=make_gallery.__doc__)
    p.add_argument("--out", type=Path, default=Path("out"), help="folder of the results (default: out)")
    try:
        print(f"wrote {gallery.write(p.parse_args(words).out)}")
    except (OSError, ValueError) as error:
        p.error(str(error))
    return 0


# --- python -m demos all -------------------------------------------------------------------------

def run_all(words):
    """Run every demo or those of a chapter, each in a process of its own, one after another or --jobs at a time.

    Prints one table of their claims, writes OUT/claims.json and the illustrated page OUT/index.html. The
    status is 1 if a claim did not hold or a demo failed. After Ctrl-C the table is of what there is.
    """
    from demos import run

    demos = list(catalogue().values())
    kinds = dict.fromkeys(kind for demo in demos for kind in demo.data)
    p = Parser(prog="python -m demos all", description=run_all.__doc__.splitlines()[0])
    p.add_argument("chapter", nargs="?", choices=dict.fromkeys(demo.chapter for demo in demos),
                   help="a chapter (default: all)")
    p.add_argument("--jobs", type=whole(1), default=1, metavar="N",
                   help="run N at a time, each on its share of the threads; those that measure times run alone, "
                        "last (default: 1)")
    p.add_argument("--data", choices=kinds, help="the images for the demos that offer them; the others have data of "
                   "their own, such as points, words or faces, and run on those (default: each on its first kind)")
    run.common_options(p)
    args = p.parse_args(words)
    out = args.out / "quick" if args.quick else args.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        p.error(f"no folder for the results: {error}")
    if args.fresh:  # once, not once for each demo: what one has trained the next ones find
        shutil.rmtree(out / "recipes", ignore_errors=True)
    chosen = [demo for demo in demos if args.chapter in (None, demo.chapter)]
    offering = sum(args.data in demo.data for demo in chosen)
    if args.data and offering < len(chosen):
        print(f"{offering} of {len(chosen)} demos run on {args.data}; the others do not offer it and run on their "
              "own data", flush=True)
    results = run_each(chosen, args, out)
    print("\n" + table(results, args.quick))
    repeated = repeats(results)
    if repeated:
        print(f"several claims have one name: {', '.join(repeated)}")
    record = {key: getattr(args, key) for key in ("data", "seed", "device", "quick")} | {"demos": results}
    write_text(out / "claims.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    print(f"\nwrote {out / 'claims.json'}\nwrote {page.write(out)}")
    parts = {"stopped": [r["demo"] for r in results if r["status"] == STOPPED],
             "not begun": [demo.name for demo in chosen if demo.name not in {r["demo"] for r in results}]}
    if any(parts.values()):
        print("; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names))
        if args.fresh:
            print("the same command without --fresh goes on with what is trained already")
        return STOPPED
    return int(bool(repeated) or any(r["status"] != 0 for r in results))


def run_each(demos, args, out):
    """The results of the demos in their order, up to where it was stopped."""
    results, beside = {}, [demo for demo in demos if not demo.timed] if args.jobs > 1 else []
    if beside:
        results = side_by_side(beside, args, out)
    for demo in demos:
        if len(results) < len(beside) or any(result["status"] == STOPPED for result in results.values()):
            break
        if demo.name not in results:
            print(f"\n== {demo.name}", flush=True)
            results[demo.name] = run_one(demo, args, out, call)
    return [results[demo.name] for demo in demos if demo.name in results]


def side_by_side(demos, args, out):
    """{name: result} of the demos, so many at a time; what each says is printed when it has ended."""
    from demos.measures import allowed_threads  # here, not above: it loads NumPy

    results, share = {}, str(max(1, allowed_threads() // args.jobs))
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": share, "OMP_NUM_THREADS": share}

    def task(demo):
        said = []
        result = run_one(demo, args, out, lambda command: overheard(command, environment, said))
        print(f"\n== {demo.name}", *said, sep="\n", flush=True)
        return result

    with ThreadPoolExecutor(args.jobs) as pool:
        tasks = [pool.submit(task, demo) for demo in demos]
        try:
            for done in as_completed(tasks):
                if done.result()["status"] == STOPPED:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:  # those that run have got it too: they save what they have, and end
            pool.shutdown(cancel_futures=True)
        except BaseException:  # nobody reads on, or an error: begin no other
            pool.shutdown(cancel_futures=True)
            raise
    for done in tasks:
        if not done.cancelled():
            results[done.result()["demo"]] = done.result()
    return results


def overheard(command, environment, said):
    """The exit status of a command that runs beside others; what it says is added to the list."""
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True, encoding="utf-8",
                           errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said.append(ended.stdout.strip())
    return STOPPED if ended.returncode == -signal.SIGINT else ended.returncode


def run_one(demo, args, out, call):
    """Run a demo; its name, exit status, seconds and claims. With a status of 0 or 1 it came to an end.

    call runs its command and gives the exit status.
    """
    metrics, started = out / demo.name / "metrics.json", time.monotonic()
    before = stamp(metrics)  # of an earlier run: it is kept where this one fails, and must not pass for this one's
    status = call([sys.executable, "-m", "demos", demo.name, *options(demo, args)])
    seconds = round(time.monotonic() - started, 1)
    result = {"demo": demo.name, "status": status, "seconds": seconds, "claims": []}
    try:
        if stamp(metrics) == before:
            raise FileNotFoundError(f"it wrote no {metrics}")
        result["claims"] = read(metrics)["claims"]
    except (OSError, ValueError) as error:
        if status in (0, 1):  # a traceback, too, ends with status 1
            result.update(status=2, error=str(error))
    return result


def stamp(file):
    """What changes whenever the file is replaced; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def call(command):
    """The exit status of a command. After Ctrl-C, which it gets too, it has the time to save what it has."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        return STOPPED


def options(demo, args):
    """The options for one demo: what `all` was given, --data only where the demo has that kind."""
    words = [f"--seed={args.seed}", f"--device={args.device}", f"--out={args.out}"]
    words += [f"--data={args.data}"] if args.data in demo.data else []
    return [*words, *(["--quick"] if args.quick else [])]


def repeats(results):
    """The names that more than one claim has."""
    ids = [claim["id"] for r in results for claim in r["claims"]]
    return sorted({id for id in ids if ids.count(id) > 1})


def table(results, quick):
    """Two lines for each claim: whether it held and what is claimed; what was measured and asked."""
    lines = ["All claims"]
    for r in results if not quick else [r for r in results if r["status"] not in (0, STOPPED)]:
        ended = {0: "", 1: "", STOPPED: ", stopped"}.get(r["status"], f", FAILED with status {r['status']}")
        lines += ["", f"{r['demo']} ({duration(r['seconds'])}{ended})"]
        lines += [f"  {r['error']}"] if "error" in r else []
        for claim in r["claims"] if not quick else ():  # numbers of a quick run would only mislead
            lines += [f"  {verdict(claim):20}{claim['id']:24}{claim['says']}",
                      f"{'':46}{measurement(claim)}"]
    lines += ["", summary([claim for r in results for claim in r["claims"]])]
    failed = [r["demo"] for r in results if r["status"] not in (0, 1, STOPPED)]
    return "\n".join([*lines, *([f"came to no end: {', '.join(failed)}"] if failed else [])])


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()  # here, and not at the very end, where nothing could be caught
        sys.exit(status)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except BrokenPipeError:  # whoever read what is said here has read enough, as `head` does
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(CLOSED)
