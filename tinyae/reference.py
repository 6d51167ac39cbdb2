"""`python -m tinyae.reference` writes REFERENCE.md: every public name with what it means in a line, by topic.

The topics are the public modules, the names what their `__all__` holds, the meanings the first lines of
the docstrings. A class is followed by its methods and properties that have a docstring of their own.
"""

import inspect
import sys
from pathlib import Path

import tinyae

PATH = Path(__file__).with_name("REFERENCE.md")
TOPICS = ("autodiff", "ops", "gradcheck", "jacobian", "nn", "distributions", "losses", "penalties",
          "corruption", "models", "optim", "training", "checkpoint", "data", "backend")
INTRODUCTION = """\
# Every public name of tinyae

Written by `python -m tinyae.reference` from the docstrings; `help(name)` says the rest. What is printed
**bold** is in the package itself too: `tinyae.Tensor`.
"""


def reference():
    """The text of REFERENCE.md."""
    parts = [INTRODUCTION]
    for topic in TOPICS:
        module = sys.modules[f"tinyae.{topic}"]
        parts.append(f"\n## tinyae.{topic}\n\n{summary(module)}\n\n")
        parts.extend(entry(module, name) for name in module.__all__)
    return "".join(parts)


def entry(module, name):
    """The lines of a name: how it is called, and what it means; of a class, its methods too."""
    value = getattr(module, name)
    if not callable(value):
        return f"- `{name} = {value!r}`\n"
    own = next((own for own in tinyae.__all__ if getattr(tinyae, own) is value), None)
    mark, alias = ("**", "") if own == name else ("", f", **`tinyae.{own}`**" if own else "")
    lines = f"- {mark}`{name}{signature(value)}`{mark}{alias}: {summary(value)}\n"
    for member, function in vars(value).items() if inspect.isclass(value) else ():
        named = callable(function) or isinstance(function, property)  # a value has the docstring of its type
        if named and not member.startswith("_") and inspect.getdoc(function):
            arguments = signature(function) if callable(function) else ""  # a property has none
            lines += f"  - `.{member}{arguments}`: {summary(function)}\n"
    return lines


class Name(str):
    """A text that stands for itself."""

    __repr__ = str.__str__


def signature(value):
    """The arguments of a call, without `self` and annotations; functions and classes stand by their names."""
    parts = []
    for p in inspect.signature(value).parameters.values():
        named = p.default is not p.empty and hasattr(p.default, "__name__")
        parts.append(p.replace(annotation=p.empty, default=Name(p.default.__name__) if named else p.default))
    return str(inspect.Signature(p for p in parts if p.name != "self"))


def summary(value):
    """The first line of the docstring."""
    return inspect.getdoc(value).partition("\n")[0].rstrip(":")


if __name__ == "__main__":
    PATH.write_text(reference(), encoding="utf-8")
    print(f"{PATH}: written")
