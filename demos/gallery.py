"""The gallery, GALLERY.md: every demo's best figure, its sentence, what was measured, and its command.

    python -m demos gallery        from the results of a full run, `python -m demos all`

It is made for a repository: the pictures are small enough to be kept in one, 700 pixels wide and with
few colours. `page` makes the page of a run, with everything on it.
"""

import io
from pathlib import Path

from demos.catalogue import CHAPTERS, catalogue
from demos.results import asked, number, read, write_text
from tinyae.files import write_whole

FOLDER = Path(__file__).parent
WIDTH, LARGEST = 700, 60_000  # pixels, bytes
HEAD = """\
# Gallery

What the demos draw, chapter by chapter, and the first thing that each of them claims, with the number that was
measured. A picture leads to the file that made it. All claims and all figures: `python -m demos all`."""
# The figure that shows a demo's point best, where it is not the first that it draws.
BEST = {"overcomplete": "denoising.png", "sparse_coding": "time.png", "vae": "latent.png", "words": "arrows.png",
        "contrastive": "accuracy.png"}


def write(out):
    """Write GALLERY.md and pictures/gallery/NAME.png beside this file from OUT/NAME/metrics.json; its path.

    Raises ValueError where a demo has no results of a full run on its own data there, or no figure.
    """
    demos = catalogue()
    results = {name: results_of(out, demo) for name, demo in demos.items()}
    lines, pictures = [HEAD], FOLDER / "pictures" / "gallery"
    pictures.mkdir(parents=True, exist_ok=True)
    for chapter, title in CHAPTERS.items():
        lines += ["", f"## {title}"]
        for name, metrics in results.items():
            if metrics["chapter"] == chapter:
                picture = best(metrics)
                small = reduced(out / name / picture["file"])
                write_whole(pictures / f"{name}.png", lambda file: file.write(small))
                lines += entry(metrics, picture, demos[name].title)
    for old in pictures.glob("*.png"):
        if old.stem not in results:
            old.unlink()
    write_text(FOLDER / "GALLERY.md", "\n".join(lines) + "\n")
    return FOLDER / "GALLERY.md"


def results_of(out, demo):
    """The metrics of a demo's full run."""
    try:
        metrics = read(out / demo.name / "metrics.json")
    except OSError as error:
        raise ValueError(f"no results of {demo.name} in {out} ({error.strerror}); python -m demos all --out {out} "
                         "makes those of every demo") from None
    if any(claim["held"] is None for claim in metrics["claims"]):
        raise ValueError(f"{demo.name} was run in {out} with --quick, which judges nothing")
    if metrics["data"] not in (None, *demo.data[:1]):
        raise ValueError(f"{demo.name} was run in {out} on {metrics['data']}: the gallery shows {demo.data[0]}")
    if not metrics["figures"]:
        raise ValueError(f"{demo.name} has drawn no figure in {out}: it was run with options of its own")
    return metrics


def best(metrics):
    """The figure that shows a demo's point best."""
    file = BEST.get(metrics["demo"], metrics["figures"][0]["file"])
    found = [figure for figure in metrics["figures"] if figure["file"] == file]
    if not found:
        raise ValueError(f"{metrics['demo']} has not drawn {file}, which is to stand in the gallery")
    return found[0]


def reduced(path):
    """The bytes of a picture, 700 pixels wide and with so many colours that they are at most 60,000."""
    from PIL import Image  # matplotlib brings it

    with Image.open(path) as picture:
        picture = picture.convert("RGB")
    picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    for colours in (128, 64, 32, 16, 8):
        buffer = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if len(buffer.getvalue()) <= LARGEST:
            return buffer.getvalue()
    raise ValueError(f"{path} is larger than {LARGEST} bytes even in {colours} colours")


def entry(metrics, picture, title):
    """The lines of a demo."""
    name, source = metrics["demo"], f"{metrics['chapter']}/{metrics['demo']}.py"
    lines = ["", f"### {name}", "", title, "",
             f"[![{picture['alt']}](pictures/gallery/{name}.png)]({source})", ""]
    if metrics["claims"]:
        claim = metrics["claims"][0]
        says = f"{sentence(claim['says'])}."
        lines += [f"{says} " * (says != title) + f"Measured: {claim['measured'].rstrip(':')}: {number(claim['value'])} "
                  f"(asked: {asked(claim)}{'' if claim['held'] else '; did not hold'}).", ""]
    return [*lines, f"`python -m demos {name}`"]


def sentence(words):
    """The words with a capital at their beginning, unless a formula stands there."""
    first = words.split()[0]
    formula = not first.replace("-", "").isalpha() or first == "ln" or (len(first) == 1 and first != "a")
    return words if formula else words[0].upper() + words[1:]
