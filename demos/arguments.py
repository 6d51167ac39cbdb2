"""The words of a command line: kinds of numbers, and what a mistyped word may have meant."""

import argparse
import difflib
import math
import shlex


class Parser(argparse.ArgumentParser):
    """argparse's, which says of an option that it does not know which ones are near it; none can be shortened."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def parse_args(self, args=None, namespace=None):
        namespace, strange = self.parse_known_args(args, namespace)
        if strange:
            names = {name.lstrip("-"): name for action in self._actions for name in action.option_strings}
            word = strange[0].partition("=")[0]
            advice = near(word.lstrip("-"), names, f"{self.prog} --help lists the options",
                          alike=0.6 if word.startswith("-") else 0.8)  # a word that is no option may just be too much
            self.error(f"unrecognized arguments: {shlex.join(strange)}; {advice}")
        return namespace


def near(word, known, otherwise, alike=0.6):
    """What to say of a word that is not among {word: how it is written}: those near it, or otherwise this."""
    found = difflib.get_close_matches(word.lower(), known, cutoff=alike)
    return f"near it: {', '.join(known[name] for name in found)}" if found else otherwise


def whole(least, most=math.inf):
    """An argparse type: a whole number, neither below `least` nor above `most`."""
    def convert(text):
        try:
            number = int(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            bound = f"from {least} to {most}" if most < math.inf else f"of at least {least}"
            raise argparse.ArgumentTypeError(f"must be a whole number {bound}, not {text!r}")
        return number
    return convert


def real(least=0.0, above=None, below=math.inf):
    """An argparse type: a number above `above` if that is given, else not below `least`; below `below`."""
    def convert(text):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (number > above if above is not None else number >= least) or not number < below:
            bound = f"above {above:g}" if above is not None else f"not below {least:g}"
            bound += f" and below {below:g}" if below < math.inf else ""
            raise argparse.ArgumentTypeError(f"must be a finite number {bound}, not {text!r}")
        return number
    return convert
