"""A face is edited in latent space: encode it, sample z, change z, decode.

The lecture: a diagonal prior makes different dimensions of z encode interpretable factors, such as the
degree of smile and the pose of the head, and an image is edited by changing some of them. Here a
variational autoencoder is trained on 10,000 drawn faces. A direction in its latent space is how z changes
with one factor, by least squares on the training faces and all their factors. On people never seen, drawn
frowning, z is moved along it as far as makes training faces smile wider by two thirds of the smile's range,
and a network that reads factors from an image says what moved; its own error is stated beside it.

The claim holds in part: it takes a direction across many dimensions to mean a smile. The one dimension that
moves the smile farthest is measured too: three standard deviations along it move the smile less, and other
factors more in proportion.

The faces differ in little else: all are in the same place, before the same wall, in the same light. Where these
vary they take up all of the code, as squared error sees more in a shift of a pixel than in a smile. None has a
beard, which hides the mouth, and heads turn half as far as they can: between the codes of heads turned all the
way left and right, the middle of the straight line is often no face.
"""

import numpy as np

from demos import explore, figures, portraits, recipes
from demos.measures import ratio
from demos.portraits import PLAIN, column, farthest

LECTURES = "L5"
SMILE, POSE = column("smile"), column("pose")
MOVE = 2 / 3  # of a factor's range: from a sixth of it to five sixths
TURN = PLAIN["turn"]  # so much of the pose's range is used here, and counts as the whole
STEPS = np.linspace(0, MOVE, 5)  # of the grid, relative to a factor's range
SLIDERS = {"smile": 1, "pose": TURN, "glasses": 1, "hat": 1, "hair length": 1, "blond hair": 1, "skin": 1,
           "face width": 1}


def main(run):
    faces = portraits.passports(run, **PLAIN)
    model = recipes.passports_vae(run, faces)
    space = portraits.LatentSpace(run, model, recipes.face_reader(run))
    factors, codes = faces.train_factors, space.encode(faces.train)
    ways = portraits.slopes(codes, portraits.numbers(factors))
    frowning = codes[factors["smile"] < -1 / 3][:run.pick(200, 20)]
    turned = codes[factors["pose"] < -TURN / 3][:run.pick(200, 20)]
    smile = space.scaled(ways[SMILE], frowning, SMILE, MOVE)
    pose = TURN * space.scaled(ways[POSE], turned, POSE, TURN * MOVE)
    single = one_dimension(space, frowning, 3 * codes.std(axis=0))

    sad, left = strangers(run, smile=-MOVE), strangers(run, pose=-TURN * MOVE)
    steps = {"smile": (sad, MOVE * smile, SMILE), "pose": (left, MOVE * pose, POSE),
             "one dimension": (sad, single, SMILE)}
    moved = {name: portraits.moves(space.change(space.sample(x), step), meant, TURN)
             for name, (x, step, meant) in steps.items()}
    error = portraits.reading_error(space.read, faces.test, faces.test_factors)
    error["pose"] /= TURN
    run.note(moved=moved, reading_error=error)
    judge(run.claim, moved)
    draw_grid(run, space, smile, pose)
    draw_moves(run, moved, error)
    write_page(run, model, codes, ways, faces.test[:10])


def strangers(run, **fixed):
    """Faces of people never seen."""
    return portraits.passport(run.pick(500, 20), run.rng("strangers"), **PLAIN, **fixed)[0]


def one_dimension(space, z, reach):
    """The step of this reach along one dimension, to either side, that moves the smile of z farthest."""
    steps = np.concatenate([np.diag(reach), np.diag(-reach)])
    return steps[np.argmax([np.median(space.change(z, step)[:, SMILE]) for step in steps])]


def side_effect(moved, meant):
    """The largest move of another factor, relative to that of the one that was meant."""
    return ratio(moved[farthest(moved, meant)], moved[meant])


def judge(claim, moved):
    """moved: {"smile", "pose", "one dimension": {factor: median move, relative to its range}}."""
    smile, other = moved["smile"], farthest(moved["smile"], "smile")
    claim("editing", "to change z along a direction changes the smile of a face never seen",
          "median move of the smile, relative to its range (asked for: two thirds):", smile["smile"],
          at_least=0.55)
    claim("editing.others", "and little else",
          f"largest median move of another factor, relative to its range ({other}):", smile[other],
          at_most=1 / 6)
    claim("editing.pose", "along another direction its head turns",
          "median move of the pose, relative to its range (asked for: two thirds):",
          moved["pose"]["pose"], at_least=0.55)
    claim("editing.direction", "the one dimension of z that moves the smile farthest moves more else in proportion",
          "largest move of another factor over the smile's, along the direction, relative to that dimension:",
          ratio(side_effect(smile, "smile"), side_effect(moved["one dimension"], "smile")),
          at_least=0, at_most=0.5)


def draw_grid(run, space, smile, pose):
    """A frowning face, turned to one side, and beside it the same with every smile and pose."""
    face = strangers(run, smile=-MOVE, pose=-TURN * MOVE, hat=0, glasses=0)[:1]
    steps = np.stack([a * smile + b * pose for b in STEPS for a in STEPS])
    fig = figures.figure(7.4, 6.1, "A face that was never seen, edited: degree of smile by head pose")
    left, right = fig.subplots(1, 2, width_ratios=(1, 2.4))
    figures.show_images(left, face, 1, "the face x")
    figures.show_images(right, space.decode(space.sample(face) + steps), len(STEPS),
                        "z + a · smile + b · pose, decoded; z drawn from q(z | x)")
    places, names = 33 * np.arange(len(STEPS)) + 17, [f"{step:.2g}" for step in STEPS]
    right.set_xticks(places, names)
    right.set_yticks(places, names)
    right.set(xlabel="a: smile, relative to its range", ylabel="b: pose, relative to its range")
    run.save(fig, "grid.png", "a drawn face, and a grid of it decoded from z moved along two directions: "
             "the smile from left to right, the pose from top to bottom")


def draw_moves(run, moved, error):
    """How far each factor moved along the direction, and along one dimension alone."""
    direction, single = (side_effect(moved[way], "smile") for way in ("smile", "one dimension"))
    fig = figures.figure(9, 6, "Another factor moves at most "
                         f"{direction:.2f} times as far as the smile along a direction,\n"
                         f"{single:.2f} times along one dimension alone")
    axes = fig.subplots()
    names = sorted(portraits.VARIED, key=lambda name: (name == "smile", moved["one dimension"][name]))
    places = np.arange(len(names))
    for shift, way, label, colour in ((0.2, "smile", "z moved along a direction", 0),
                                      (-0.2, "one dimension", "along one dimension", 5)):
        axes.barh(places + shift, [moved[way][name] for name in names], 0.4, color=figures.COLOURS[colour],
                  label=label)
    axes.plot([error[name] for name in names], places, "|", color="black", markersize=11, markeredgewidth=2,
              label="median error of the reading itself")
    axes.axvline(1 / 6, color=figures.COLOURS[9], linestyle=":", label="a sixth of the range")
    axes.set_yticks(places, names)
    axes.set(xlabel="median move of the factor, relative to its range")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", framealpha=1)
    run.save(fig, "moves.png", "bars of how far each factor moved, along a direction and along one "
             "dimension alone, with marks for the error of the reading")


def write_page(run, model, codes, ways, start):
    """A slider for each of some factors, which reaches from either end of its range to the other."""
    explore.write(
        run.folder / "explore.html", model.decoder, encoder=model.encoder, logits=True, codes=codes,
        start=start, title="A face, and what may be changed about it",
        directions={name: (ways[column(name)], -reach, reach) for name, reach in SLIDERS.items()},
        lead=f"A variational autoencoder has learned {len(codes):,} drawn faces as {codes.shape[1]} numbers each. "
             "Move a slider, and the face smiles, turns, or puts on glasses.",
        caption="Each named slider adds a direction, found from the codes of faces whose factors are known. "
                "Watch what else changes: little should. The dimensions by themselves, further down, mean "
                "nothing so plain.")
    run.add_page("explore.html", "Move the smile, the pose and the glasses of a face")
