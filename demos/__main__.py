"""The demos: `python -m demos` lists them, `python -m demos all` runs every one."""

import argparse
import importlib
import json
import pkgutil
import shlex
import subprocess
import sys
import time

import demos
from demos.harness import common_options, measurement, verdict, write_json

TOPICS = ("Autoencoders", "Regularised autoencoders", "Convolutional", "Variational and generative",
          "The engine", "Exercises")


def catalogue():
    """(name, module) of every demo, which is a module with a TOPIC, in the order of their topics."""
    modules = [(m.name, importlib.import_module(f"demos.{m.name}"))
               for m in pkgutil.iter_modules(demos.__path__) if not m.name.startswith("_")]
    return sorted((pair for pair in modules if hasattr(pair[1], "TOPIC")),
                  key=lambda pair: TOPICS.index(pair[1].TOPIC))


def main(argv=None):
    p = argparse.ArgumentParser(prog="python -m demos", description=__doc__)
    p.add_argument("--names", action="store_true", help="list the names of the demos, nothing else")
    run = p.add_subparsers(dest="command").add_parser("all", help="run every demo and sum up all claims")
    common_options(run, images=True)
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in dict(catalogue()):
        p.error(f"one demo is run with: python -m demos.{shlex.join(words)}")
    args = p.parse_args(words)
    if args.command == "all":
        return run_all(args)
    if args.names:
        print(*(name for name, _ in catalogue()), sep="\n")
    else:
        show()
    return 0


def show():
    """List the demos by topic."""
    topic = None
    for name, module in catalogue():
        if module.TOPIC != topic:
            topic = module.TOPIC
            print(f"\n{topic}")
        print(f"  python -m demos.{name:20} {module.__doc__.splitlines()[0]}")
    print("\nEach takes --help, --quick (seconds, judges nothing) and --out FOLDER (default: out).\n"
          "python -m demos all runs every one and sums up what they claim.")


def run_all(args):
    """Run every demo in a process of its own, print one table of claims, and write OUT/claims.json.

    The exercises are left out: they are the learner's to run.
    --data goes to those that are about digits; the others are on data of their own. The status is 1
    if a claim did not hold or a demo came to no end. After Ctrl-C the table is of what there is.
    """
    results = []
    for name, module in catalogue():
        if module.TOPIC == "Exercises":
            continue
        print(f"\n== demos.{name}", flush=True)
        metrics, started = args.out / name / "metrics.json", time.monotonic()
        metrics.unlink(missing_ok=True)  # of an earlier run: it must not pass for this one's
        try:
            status = subprocess.call([sys.executable, "-m", f"demos.{name}", *options(args, module)])
        except KeyboardInterrupt:
            status = 130
        claims = json.loads(metrics.read_text(encoding="utf-8"))["claims"] if metrics.exists() else []
        results.append({"demo": name, "status": status, "seconds": round(time.monotonic() - started, 1),
                        "claims": claims})
        if status == 130:
            break
    show_table(results, args.quick)
    path = args.out / "claims.json"
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(path, {"data": args.data, "seed": args.seed, "device": args.device, "quick": args.quick,
                      "demos": results})
    print(f"\nwrote {path}")
    return 130 if results[-1]["status"] == 130 else int(any(r["status"] != 0 for r in results))


def options(args, module):
    """The command line for one demo."""
    words = [f"--seed={args.seed}", f"--device={args.device}", f"--out={args.out}"]
    if "mnist" in getattr(module, "EPOCHS", {}):
        words.append(f"--data={args.data}")
    return [*words, *(["--quick"] if args.quick else [])]


def show_table(results, quick):
    """Two lines for each claim: whether it held, what is claimed; what was measured, what was asked."""
    print("\n\nAll claims\n")
    for r in results:
        end = {0: "", 1: "", 130: ", stopped"}.get(r["status"], f", FAILED with status {r['status']}")
        print(f"demos.{r['demo']} ({r['seconds']:.0f} s{end})")
        for c in r["claims"] if not quick else ():  # numbers of a quick run would only mislead
            print(f"  {verdict(c):20}{c['id']:18}{c['says']}\n{'':40}{measurement(c)}")
    claims = [c for r in results for c in r["claims"]]
    held = sum(c["held"] is True for c in claims)
    print(f"\n{len(claims)} claims, none judged (quick)" if quick else f"\n{held} of {len(claims)} claims held")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
