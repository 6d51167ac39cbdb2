"""Faces can be added and subtracted in latent space: "with glasses" - "without" + another face.

The lecture: vectors in latent space can be added and subtracted. The mean code of training faces that wear
glasses, less that of faces that wear none, is added to the codes of bare-eyed faces never seen; the same
with smiles and with hats. A network that reads factors from an image says what is there then and what else
moved. Beside it is the same arithmetic on pixels, where the means are blurred images. Both begin with the
same decoded faces, and what they change in the image is compared with the true change: that where the same
person is drawn anew, with glasses. On pixels, too, the reader finds glasses; but they are the same ghost on
all faces, however wide a face is and wherever it looks.

The faces are those of `editing`: all in the same place and light, without beards, and turned at most half as
far as can be.
"""

import numpy as np

from demos import figures, portraits, recipes
from demos.measures import least, ratio, squared_error, worst
from demos.portraits import PLAIN, column, farthest

LECTURES = "L4"
# From a face without to one with. Smiles beyond ½ on either side, of which ¾ is the middle, count.
OPERATIONS = {"glasses": (0, 1), "smile": (-0.75, 0.75), "hat": (0, 1)}


def main(run):
    faces = portraits.passports(run, **PLAIN)
    space = portraits.LatentSpace(run, recipes.passports_vae(run, faces), recipes.face_reader(run))
    codes = space.encode(faces.train)
    results = {name: added(run, space, faces, codes, name) for name in OPERATIONS}
    numbers = {name: result["numbers"] for name, result in results.items()}
    run.note(operations=numbers,
             reading_error=portraits.reading_error(space.read, faces.test, faces.test_factors))
    judge(run.claim, numbers)
    draw_equation(run, results["glasses"])
    draw_faces(run, results)


def added(run, space, faces, codes, name):
    """An operation on faces never seen, on their codes and on their pixels, with its pictures and numbers."""
    x, drawn = (portraits.passport(run.pick(500, 20), run.rng("strangers"), **PLAIN, **{name: value})[0]
                for value in OPERATIONS[name])
    having, without = with_and_without(faces.train_factors[name])
    means = {where: [examples[having].mean(axis=0), examples[without].mean(axis=0)]
             for where, examples in (("codes", codes), ("pixels", faces.train))}
    step = {where: both[0] - both[1] for where, both in means.items()}
    z = space.encode(x)
    before = space.decode(z)
    after = {"codes": space.decode(z + step["codes"]), "pixels": np.clip(before + step["pixels"], 0, 1)}
    found = {where: measured(space, name, before, images, drawn - x) for where, images in after.items()}
    found["drawn anew"] = measured(space, name, x, drawn, drawn - x)
    means["codes"] = space.decode(np.stack(means["codes"]))
    return {"before": before, "drawn": drawn, **after, "means": means, "numbers": found}


def with_and_without(values):
    """Which faces have it and which have not: yes or no, or a smile beyond ½ to either side."""
    return values > 0.5, values < (-0.5 if values.dtype.kind == "f" else 0.5)


def measured(space, name, before, after, change):
    """What moved, how often it is there, and the share of the true change in the image that is missed."""
    read = space.read(after)
    return {"there": (read[:, column(name)] > 0.5).mean(),
            "moved": portraits.moves(read - space.read(before), column(name), PLAIN["turn"]),
            "missed": ratio(squared_error(after - before, change), squared_error(0, change))}


def judge(claim, numbers):
    """numbers: {operation: {"codes", "pixels": what `measured` gives}}."""
    claim("arithmetic", "what is added to the code of a face appears on it",
          "share of faces that have it then, the least of glasses, smile and hat:",
          least(found["codes"]["there"] for found in numbers.values()), at_least=0.85)
    claim("arithmetic.others", "and the rest of the face stays",
          "largest median move of another factor, relative to its range:",
          worst(found["codes"]["moved"][farthest(found["codes"]["moved"], name)]
                for name, found in numbers.items()), at_most=1 / 6)
    claim("arithmetic.pixels", "adding pixels misses more of the true change in the image",
          "share of the change that is missed with codes, relative to pixels, the largest of the three:",
          worst(ratio(found["codes"]["missed"], found["pixels"]["missed"]) for found in numbers.values()),
          at_most=0.9)


def draw_equation(run, result):
    """With glasses - without + a face = that face with glasses, on codes and on pixels."""
    fig = figures.figure(9, 5.2, "With glasses − without + another face: added as codes, and as pixels")
    for row, where in zip(fig.subplots(2, 4), ("codes", "pixels")):
        images = [*result["means"][where], result["before"][0], result[where][0]]
        names = ("mean with glasses", "− mean without", "+ a new face", "= added up")
        for axes, image, name in zip(row, images, names):
            figures.show_images(axes, image[None], 1, name)
        row[0].set_ylabel(f"as {where}", fontsize=12)
    run.save(fig, "equation.png", "the mean of faces with glasses, minus that of faces without, plus a "
             "face, and what they add up to: above as codes, below as pixels")


def draw_faces(run, results):
    """Five faces never seen for each operation: before, after both ways, and drawn anew."""
    missed = {where: np.mean([result["numbers"][where]["missed"] for result in results.values()])
              for where in ("codes", "pixels")}
    fig = figures.figure(11, 4.9, "Of the true change in the image, codes added up miss "
                         f"{missed['codes']:.0%}, pixels {missed['pixels']:.0%}")
    rows = {"before": "without", "codes": "added as codes:", "pixels": "added as pixels:",
            "drawn": "drawn anew:"}
    table = fig.subplots(len(rows), len(results))
    for place, (name, result) in enumerate(results.items()):
        for axes, (key, title) in zip(table[:, place], rows.items()):
            figures.show_images(axes, result[key][:5], 5, f"{title} {name}")
    run.save(fig, "faces.png", "five faces each without glasses, smile and hat, and what becomes of them "
             "when these are added as codes and as pixels")
