"""The illustrated page OUT/index.html: what each demo says, draws and measured, chapter by chapter.

It is made anew whenever a demo has ended, from what lies in OUT. It needs no network and no script.
"""

import os
import re
import struct
from datetime import datetime
from html import escape
from urllib.parse import quote

from demos.catalogue import CHAPTERS, catalogue
from demos.results import VERDICTS, asked, duration, number, plural, read, summary, write_text

TITLE = "What the lectures claim, measured"
LECTURES = {
    "L1": "Autoencoders and Representation Learning",
    "L2": "Autoencoders and Deep Representation Learning",
    "L3": "Notes on Deep Learning, chapter 14",
    "L4": "Deep representations and deep generative models",
    "L5": "Representation learning, convolutional and variational autoencoders",
}
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # a PNG file begins with this, its width and its height
DENSITY = 1.5  # a figure's pixels for each of the page's: its words are then as large as those around it


def write(out):
    """Write OUT/index.html from every OUT/NAME/metrics.json; its path.

    A file that is not as a demo writes it is left out, and named at the end of the page.
    """
    demos, times, broken, known = [], [], [], list(catalogue())
    for path in sorted(out.glob("*/metrics.json")):
        try:
            demos.append(read(path))
            times.append(path.stat().st_mtime)
        except (OSError, ValueError) as error:
            broken.append(str(error).replace(f"{out}{os.sep}", ""))
    demos.sort(key=lambda m: known.index(m["demo"]) if m["demo"] in known else len(known))
    parts = [(chapter, [m for m in demos if m["chapter"] == chapter]) for chapter in CHAPTERS]
    parts = [(chapter, found) for chapter, found in parts if found]
    missing = [name for name in known if name not in {m["demo"] for m in demos}]
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "index.html", f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<h1>{TITLE}</h1>
{headline(demos, times)}
{contents(parts)}
</header>
<main>
{"".join(section(out, *part) for part in parts)}</main>
<footer>
{foot(missing, broken)}
</footer>
</body>
</html>
""")
    return out / "index.html"


def headline(demos, times):
    """How many claims held, in how many demos, when and on what data; and which did not hold."""
    if not demos:
        return "<p>No demo has ended here yet.</p>"
    claims = [(m["demo"], claim) for m in demos for claim in m["claims"]]
    first, last = map(datetime.fromtimestamp, (min(times), max(times)))
    days = dict.fromkeys(f"{day.day} {day:%B %Y}" for day in (first, last))
    data = dict.fromkeys(m["data"] for m in demos if m["data"])
    text = (f"<p><strong>{summary([claim for _, claim in claims])}</strong> in {plural(len(demos), 'demo')}, "
            f"run on {' to '.join(days)}{' on ' if data else ''}{escape(' and '.join(data))}, "
            f"in {duration(sum(m['seconds'] for m in demos))}.</p>")
    failed = [f'<a href="#{name}">{escape(claim["id"])}</a>'
              for name, claim in claims if claim["held"] is False]
    return text + (f"\n<p>{mark(False)}: {', '.join(failed)}.</p>" if failed else "")


def contents(parts):
    """The chapters and their demos, with how many claims of each held."""
    lines = ['<nav aria-label="Contents">']
    for chapter, demos in parts:
        lines += ["<section>", f'<a href="#chapter-{chapter}">{CHAPTERS[chapter]}</a>', "<ul>"]
        lines += [f'<li><a href="#{m["demo"]}">{m["demo"]}</a> {tally(m["claims"])}</li>' for m in demos]
        lines += ["</ul>", "</section>"]
    return "\n".join([*lines, "</nav>"])


def tally(claims):
    """How many of these claims held: ✓ 3 of 3, ✗ 2 of 3, or ○ 0 of 3 where they were not judged."""
    verdicts = [claim["held"] for claim in claims]
    if not verdicts:
        return ""
    worst = False if False in verdicts else None if None in verdicts else True
    return f'<span class="tally">{VERDICTS[worst][0]} {verdicts.count(True)} of {len(verdicts)}</span>'


def section(out, chapter, demos):
    """A chapter."""
    return (f'<section id="chapter-{chapter}">\n<h2>{CHAPTERS[chapter]}</h2>\n'
            + "".join(article(out, metrics) for metrics in demos) + "</section>\n")


def article(out, m):
    """A demo: its sentence, figures, claims, numbers, and the command that makes it."""
    folder = out / m["demo"]
    lectures = m["lectures"].split()
    facts = [f"{'Lectures' if len(lectures) > 1 else 'Lecture'} {', '.join(lectures)}" if lectures else None,
             duration(m["seconds"]), m["data"], plural(m["epochs"], "epoch") if m["epochs"] else None,
             m["device"], f"seed {m['seed']}" if m["seed"] is not None else None]
    parts = [f'<article id="{m["demo"]}">', "<header>",
             f'<p class="name"><a href="#{m["demo"]}">{m["demo"]}</a></p>',
             f"<h3>{escape(m['title'])}</h3>",
             f'<p class="facts">{escape(" · ".join(filter(None, facts)))}</p>',
             "</header>", *(figure(folder, f) for f in m["figures"])]
    if m["claims"]:
        parts += ['<ul class="claims">', *map(row, m["claims"]), "</ul>"]
    if m["measured"]:
        parts += ["<details>", "<summary>More numbers</summary>",
                  "<dl>", *(pair(*item) for item in m["measured"].items()), "</dl>",
                  f'<p>All of them: <a href="{m["demo"]}/metrics.json">metrics.json</a></p>', "</details>"]
    parts += [f'<p>To play with: <a href="{address(folder, p)}">{escape(p["title"])}</a></p>'
              for p in m["pages"] if (folder / p["file"]).is_file()]
    return "\n".join([*parts, f"<pre><code>{escape(m['command'])}</code></pre>", "</article>\n"])


def figure(folder, f):
    """A figure, which has its title in it; it leads to the picture itself."""
    try:
        with open(folder / f["file"], "rb") as file:
            head = file.read(24)
        if len(head) < 24 or not head.startswith(PNG):
            raise ValueError("not a PNG file")
    except (OSError, ValueError):
        return f"<p>(The figure {escape(f['file'])} is missing: {escape(f['title'])})</p>"
    width, height = (round(pixels / DENSITY) for pixels in struct.unpack(">II", head[16:]))
    source = address(folder, f)
    return (f'<figure>\n<a href="{source}"><img src="{source}" alt="{escape(f["alt"])}" width="{width}" '
            f'height="{height}" loading="lazy"></a>\n</figure>')


def row(claim):
    """A claim: its verdict, what is claimed and measured, the number and what was asked of it."""
    return (f'<li>{mark(claim["held"])}\n'
            f'<div class="says">{escape(claim["says"])} <code>{escape(claim["id"])}</code>\n'
            f'<p>{escape(claim["measured"].rstrip(":"))}</p></div>\n'
            f'<div class="value">{typeset(number(claim["value"]))}\n'
            f'<p>asked: {typeset(asked(claim))}</p></div></li>')


def typeset(text):
    """Numbers as they are printed: a minus for a hyphen, 10 to a power for an e."""
    return re.sub(r"e\+?(−?)0*(\d+)", r" × 10<sup>\1\2</sup>", text.replace("-", "−"))


def mark(held):
    """A verdict: a sign and a word, with a class for the style."""
    sign, word = VERDICTS[held]
    return f'<span class="{word.replace(" ", "-")}"><span aria-hidden="true">{sign}</span> {word}</span>'


def pair(key, value):
    """One of the other numbers that a demo wrote down; a long list of them stays in the file."""
    text = short(value)
    length = len(re.sub("<[^>]*>", "", text))  # without the tags
    return f"<dt>{escape(key.replace('_', ' '))}</dt> <dd>{text if length <= 120 else '…'}</dd>"


def short(value):
    """A number to three digits, lists and tables of numbers without JSON's signs, and text as it is."""
    if isinstance(value, dict):
        return "; ".join(f"{escape(key.replace('_', ' '))}: {inner(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(inner, value))
    return escape(str(value)) if isinstance(value, (str, bool)) else typeset(number(value))


def inner(value):
    """What is in a list or a table: lists and tables in brackets."""
    return f"({short(value)})" if isinstance(value, (dict, list)) else short(value)


def address(folder, part):
    """The relative address of a file beside a demo's metrics.json."""
    return escape(quote(f"{folder.name}/{part['file']}"))


def foot(missing, broken):
    """The names of the lectures; and what is not on the page, and why."""
    lines = [f"<p>{'; '.join(f'{short}: {name}' for short, name in LECTURES.items())}.</p>"]
    if missing:
        lines += [f"<p>No results here from: {', '.join(missing)}.</p>"]
    if broken:
        lines += ["<p>Left out:</p>", "<ul>", *(f"<li>{escape(error)}</li>" for error in broken), "</ul>"]
    return "\n".join(lines)


STYLE = """\
:root { color-scheme: light; --soft: #595959; --line: #d8d8d8; }
* { box-sizing: border-box; }
body { max-width: 67rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; background: #fff; color: #1b1b1b;
  font: 1.0625rem/1.55 "Palatino Linotype", Palatino, "URW Palladio L", "Book Antiqua", Georgia, serif;
  overflow-wrap: break-word; }
h1, h2, h3 { font-weight: normal; line-height: 1.25; text-wrap: balance; }
h1 { font-size: 2.3rem; margin: 1rem 0 .75rem; }
h2 { font-size: 1.6rem; font-style: italic; margin: 4rem 0 0; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.35rem; margin: 0; max-width: 44rem; }
p { margin: .5rem 0; }
a { color: inherit; text-decoration-color: #aaa; text-underline-offset: .2em; }
a:hover, a:focus-visible { text-decoration-color: currentColor; }
:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
code { font: .82em ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
nav { columns: 15rem; column-gap: 2.5rem; margin: 2rem 0; }
nav section { break-inside: avoid; margin-bottom: 1.1rem; }
nav ul { list-style: none; margin: .1rem 0 0; padding: 0; font-size: .95rem; }
nav li { display: flex; gap: .5rem; justify-content: space-between; align-items: baseline; }
nav a, .name a { display: inline-block; min-width: 1.5rem; line-height: 1.5rem; }
nav li a { flex: 1; }
nav a:focus-visible { outline-offset: 0; }
p a { padding: .3rem 0; }
.tally, .name, .facts, .says p, .value p, .held, .did-not-hold, .not-judged, details, footer {
  font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  font-size: .8125rem; color: var(--soft); }
.tally, .value, dd { font-variant-numeric: lining-nums tabular-nums; }
article { margin: 2.5rem 0 3.5rem; }
.name { margin: 0; }
.name a { text-decoration: none; }
figure { margin: 1.5rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
.claims { list-style: none; margin: 1.25rem 0; padding: 0; border-bottom: 1px solid var(--line); }
.claims li { display: grid; grid-template-columns: 7rem 1fr 11rem; column-gap: 1.25rem; align-items: baseline;
  padding: .6rem 0; border-top: 1px solid var(--line); }
.claims p { margin: .1rem 0 0; }
.says code { color: var(--soft); }
sup { line-height: 0; font-size: .75em; }
.value { text-align: right; }
.held { color: #00598c; }
.did-not-hold { color: #a33a00; font-weight: bold; }
pre { margin: 1rem 0; padding: .5rem .8rem; background: #f4f4f4; white-space: pre-wrap; user-select: all; }
details { margin: 1rem 0; }
summary { padding: .2rem 0; cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
footer { margin-top: 4rem; padding-top: .75rem; border-top: 1px solid var(--line); }
@media (max-width: 40rem) {
  body { padding-top: .75rem; font-size: 1rem; }
  h1 { font-size: 1.8rem; }
  nav li a { line-height: 2rem; }
  .claims li { grid-template-columns: 1fr auto; }
  .says { grid-row: 2; grid-column: 1 / 3; }
  .value p { display: inline; }
  figure a { display: block; margin: 0 -1.25rem; }
  dl { display: block; }
  dd { margin: 0 0 .4rem 1rem; }
}
@media print {
  @page { margin: 18mm 15mm; }
  html { font-size: 12px; }
  body { max-width: none; padding: 0; }
  h2, article header { break-after: avoid; }
  article header, figure, .claims li, pre { break-inside: avoid; }
  figure img { max-height: 20cm; width: auto; }
  a { text-decoration: none; }
  details:not([open]) { display: none; }
}
"""
