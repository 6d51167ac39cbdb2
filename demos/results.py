"""What a demo has written, OUT/NAME/metrics.json: how it is read and checked, and how it is said in words."""

import json
import math
from pathlib import Path

from demos.catalogue import CHAPTERS

NUMBER = (int, float)
NONE = type(None)  # what may be None may also be absent
FIELDS = {"demo": str, "chapter": str, "title": str, "lectures": str, "command": str, "seconds": NUMBER,
          "data": (str, NONE), "seed": (int, NONE), "device": (str, NONE), "epochs": (int, NONE),
          "figures": list, "pages": list, "measured": dict, "claims": list}
PARTS = {"figures": {"file": str, "title": str, "alt": str},
         "pages": {"file": str, "title": str},
         "claims": {"id": str, "says": str, "measured": str, "held": (bool, NONE), "value": (*NUMBER, NONE),
                    "at_least": (*NUMBER, NONE), "at_most": (*NUMBER, NONE)}}
VERDICTS = {True: ("✓", "held"), False: ("✗", "did not hold"), None: ("○", "not judged")}


def read(path):
    """The metrics in a metrics.json; a ValueError says what is not as a demo writes it."""
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    check(metrics, FIELDS, path)
    for kind, fields in PARTS.items():
        for part in metrics[kind]:
            check(part, fields, f"{path}, {kind}")
            if "file" in part and Path(part["file"]).name != part["file"]:
                raise ValueError(f"{path}, {kind}: {part['file']!r} is not the name of a file beside it")
    if metrics["demo"] != path.parent.name or not metrics["demo"].isidentifier():
        raise ValueError(f"{path} is not in the folder of its demo, {metrics['demo']!r}")
    if metrics["chapter"] not in CHAPTERS:
        raise ValueError(f"{path}: there is no chapter {metrics['chapter']!r}")
    if not 0 <= metrics["seconds"] < math.inf:
        raise ValueError(f"{path}: it took {metrics['seconds']} seconds")
    return metrics


def check(value, fields, where):
    """Raise a ValueError unless the value is a dict with these fields. What may be absent becomes None."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: {value!r:.60} is not an object")
    for key, kind in fields.items():
        if key not in value and not isinstance(None, kind):
            raise ValueError(f"{where}: no {key!r}")
        if not isinstance(value.setdefault(key), kind):
            raise ValueError(f"{where}: {key!r} is {value[key]!r:.60}")


def write_text(path, text):
    """Write a text file in one piece: who reads it sees the old one or the new one, never half of one."""
    from tinyae.files import write_whole  # here, not above: the list of demos does without NumPy

    write_whole(path, lambda file: file.write(text.encode(errors="backslashreplace")))


# --- in words ------------------------------------------------------------------------------------

def verdict(claim):
    """Whether a claim held: a sign and a word."""
    return " ".join(VERDICTS[claim["held"]])


def measurement(claim):
    """What was measured for a claim, the number and its bounds."""
    return f"{claim['measured'].rstrip(':')}: {number(claim['value'])} (asked: {asked(claim)})"


def asked(claim):
    """The bounds that the number of a claim must keep."""
    return " and ".join(f"{key.replace('_', ' ')} {number(claim[key])}"
                        for key in ("at_least", "at_most") if claim.get(key) is not None)


def number(value):
    """A number to three digits, or all digits of a whole one; None stands for one that is not finite."""
    if value is None or not math.isfinite(value):
        return "not a finite number"
    all_digits = abs(value) < 1e6 and (abs(value) >= 999.5 or value == int(value))
    return f"{value:.0f}" if all_digits else f"{value:.3g}"


def duration(seconds):
    """A time to read: 8 s, 3 min 20 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def summary(claims):
    """How many claims held of how many."""
    held, judged = sum(c["held"] is True for c in claims), sum(c["held"] is not None for c in claims)
    if not judged:
        return f"{plural(len(claims), 'claim')}, none judged"
    rest = f", {len(claims) - judged} not judged" if judged < len(claims) else ""
    return f"{held} of {plural(judged, 'claim')} held{rest}"


def plural(n, word):
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
