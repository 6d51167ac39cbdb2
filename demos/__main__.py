"""List the demos: `python -m demos`, or only their names: `python -m demos --names`."""

import importlib
import pkgutil
import sys

import demos


def catalogue():
    """(name, module) of every demo, which is a module with a TOPIC, in the order of their topics."""
    modules = [(m.name, importlib.import_module(f"demos.{m.name}"))
               for m in pkgutil.iter_modules(demos.__path__) if not m.name.startswith("_")]
    return sorted((pair for pair in modules if hasattr(pair[1], "TOPIC")), key=lambda pair: pair[1].TOPIC)


def main():
    if sys.argv[1:] == ["--names"]:
        print(*(name for name, _ in catalogue()), sep="\n")
        return
    topic = None
    for name, module in catalogue():
        if module.TOPIC != topic:
            topic = module.TOPIC
            print(f"\n{topic}")
        print(f"  python -m demos.{name:18} {module.__doc__.splitlines()[0]}")
    print("\nEach takes --help, --quick (seconds, judges nothing) and --out FOLDER (default: out).")


if __name__ == "__main__":
    main()
