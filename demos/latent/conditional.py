"""Faces to order: a VAE that is told what a face wears leaves it out of z, and draws any z with what is asked for.

The lecture: a conditional variational autoencoder models p(x | z, y), and is asked for "a face with beard,
glasses, brown hair". Here y is that: three times yes or no, and one of four colours of hair. Encoder and
decoder are also given y, and z is left for the rest: whose face it is, its pose, its smile. Faces are drawn
from the prior for each of the 32 orders there are, and a network that reads factors from an image says what
is there; how often it is right is measured on held-out drawn faces.

One z under many y should be one person, dressed differently. So it is measured how much what makes a person
varies from order to order, relative to how much it varies from z to z; and, as the faces are drawn by code,
how near a stranger's face, encoded bare and decoded with everything on, comes to that stranger drawn so.

The expression is kept less surely than the person. The pose varies more from order to order, and the smile is
not in z at all: with the KL term at its full weight it does not pay to code what changes few pixels, and faces
are blurred. With a weight of 0.05 they are sharper, but z tells some of y again, draws from the prior are no
longer like codes of faces, and the hair often has another colour than was ordered.
"""

import itertools

import numpy as np

from demos import figures, portraits, recipes
from demos.measures import least, ratio, squared_error, worst
from demos.portraits import column
from tinyae import models, optim
from tinyae.data.faces import HAIR_COLOURS

LECTURES = "L5"
EPOCHS = {"all": 12, "quick": 2}
LATENT, HIDDEN = 16, (150, 120)
TURN = portraits.PLAIN["turn"]  # heads turn no farther, and new faces are clearer
WORN = ("beard", "glasses", "hat")
HAIR = tuple(f"{colour} hair" for colour in HAIR_COLOURS)
ASKED = [column(name) for name in (*WORN, *HAIR)]  # y, among the columns of `portraits.numbers`
PERSON, REST = ("hair length", "face width", "skin"), ("pose", "smile")  # what z is to say
ORDERS = (("brown hair",), ("beard", "glasses", "brown hair"), ("blond hair",), ("glasses", "blond hair"),
          ("hat", "red hair"), ("beard", "glasses", "hat", "black hair"))  # those that are drawn


def main(run):
    faces = portraits.passports(run, train=8_000, turn=TURN)
    y, y_new = (asked_of(factors) for factors in (faces.train_factors, faces.test_factors))
    model = trained(run, faces.vectors()[0], y)
    read = recipes.face_reader(run)
    reading = right(read(faces.test)[:, ASKED], y_new)

    orders, people = every_order(), run.pick(50, 4)
    z = run.rng("prior").standard_normal((people, LATENT), dtype=np.float32)
    seen = read(decoded(run, model, np.repeat(z, len(orders), axis=0), np.tile(orders, (people, 1))))
    there = right(seen[:, ASKED], np.tile(orders, (people, 1)))
    moved = moves(seen[:, [column(name) for name in (*PERSON, *REST)]].reshape(people, len(orders), -1))
    bare, dressed = (strangers(run, **dict.fromkeys(WORN, worn)) for worn in (0, 1))
    copies = {"dressed": redrawn(run, model, bare, asked_of(dressed[1])),
              "copied": redrawn(run, model, dressed, asked_of(dressed[1]))}
    error = {name: squared_error(made, dressed[0]) for name, made in copies.items()}
    error["another"] = squared_error(copies["dressed"], np.roll(dressed[0], 1, axis=0))

    run.note(reading=reading, there=there, moved=moved, squared_error=error)
    judge(run.claim, reading, there, moved, error)
    draw_orders(run, model, z[:10], there)
    draw_shares(run, reading, there, moved)
    draw_strangers(run, bare[0], copies["dressed"], dressed[0], ratio(error["dressed"], error["another"]))


def trained(run, x, y):
    """A conditional VAE of vectors x given y."""
    networks = models.dense_networks(x.shape[1:], HIDDEN, LATENT, run.rng("weights"), statistics=2,
                                     given=y.shape[1])
    model = models.ConditionalVariationalAutoencoder(*networks, LATENT)
    run.fit(model, (x, y), lr=optim.one_cycle(4e-3), batch_size=50, what="a conditional VAE of faces")
    return model


def asked_of(factors):
    """y of faces with these factors: what they wear, and the colour of their hair."""
    return portraits.numbers(factors)[:, ASKED]


def every_order():
    """All y there are: with or without beard, glasses and hat, and each colour of hair."""
    return np.array([[*worn, *hair] for worn in itertools.product((0, 1), repeat=len(WORN))
                     for hair in np.eye(len(HAIR))], np.float32)


def decoded(run, model, z, y):
    """The images that are the means of p(x | z, y)."""
    return run.apply(lambda z, y: model.given(y).decode(z).mean, z, y).reshape(-1, 32, 32, 3)


def strangers(run, **fixed):
    """Faces of people never seen, and their factors: the same people each time."""
    return portraits.passport(run.pick(500, 20), run.rng("strangers"), TURN, **fixed)


def redrawn(run, model, strangers, y):
    """Faces encoded with what they wear, and decoded with y."""
    images, factors = strangers
    x = images.reshape(len(images), -1)
    z = run.apply(lambda x, y: model.given(y).encode(x).mean, x, asked_of(factors))
    return decoded(run, model, z, y)


def right(read, asked):
    """{attribute: how often what is read is what was asked}; of the colours of hair the largest counts."""
    worn = (read[:, : len(WORN)] > 0.5) == (asked[:, : len(WORN)] > 0.5)
    hair = read[:, len(WORN) :].argmax(axis=1) == asked[:, len(WORN) :].argmax(axis=1)
    return dict(zip((*WORN, "hair colour"), [*worn.mean(axis=0).tolist(), float(hair.mean())]))


def moves(rest):
    """{factor: its standard deviation over orders, relative to that over z}; rest is (z, orders, factors)."""
    within, between = np.sqrt(rest.var(axis=1).mean(axis=0)), rest.mean(axis=1).std(axis=0)
    return {name: ratio(float(a), float(b)) for name, a, b in zip((*PERSON, *REST), within, between)}


def judge(claim, reading, there, moved, error):
    """How often each attribute is read rightly, and is there; what `moves` gives; squared errors."""
    claim("conditional", "p(x | z, y) generates what it is asked for",
          "share of faces in which an attribute is as asked, the least of four attributes:", least(there.values()),
          at_least=0.85)
    claim("conditional.read", "according to a network that can tell",
          "its accuracy on held-out drawn faces, the least of four attributes:",
          least(reading.values()), at_least=0.95)
    claim("conditional.person", "one z under many y is one person dressed differently",
          f"standard deviation over the orders, relative to that over z, the largest of {', '.join(PERSON)}:",
          worst(moved[name] for name in PERSON), at_most=1 / 3)
    claim("conditional.true", "a stranger who is encoded bare and decoded dressed is still that stranger",
          "squared error of dressed strangers, relative to that from another stranger dressed so:",
          ratio(error["dressed"], error["another"]), at_most=0.5)
    claim("conditional.dressed", "and is drawn nearly as well as from a code of that stranger dressed",
          "squared error of dressed strangers, relative to that of encoding them dressed:",
          ratio(error["dressed"], error["copied"]), at_most=1.5)


def draw_orders(run, model, z, there):
    """Some orders, each with the same z: a column is a person."""
    y = [[float(name in order) for name in (*WORN, *HAIR)] for order in ORDERS]
    made = decoded(run, model, np.tile(z, (len(y), 1)), np.repeat(np.float32(y), len(z), axis=0))
    fig = figures.figure(10, 5.6, "Faces to order: each attribute is as asked in at least "
                         f"{least(there.values()):.1%} of them.\nA column has one z, a row one y")
    axes = fig.subplots()
    figures.show_images(axes, made, len(z))
    axes.set_yticks(33 * np.arange(len(ORDERS)) + 16, [",\n".join(order) for order in ORDERS])
    axes.tick_params(length=0)
    run.save(fig, "orders.png", "six rows of faces with what was asked for beside the row; each column has "
             "one z")


def draw_shares(run, reading, there, moved):
    """How often each attribute is there, and how far the rest moves."""
    most = worst(moved[name] for name in PERSON)
    fig = figures.figure(10, 4, "From order to order the person varies at most "
                         f"{most:.2f} times as much\nas from z to z, the pose {moved['pose']:.2f} times")
    left, right = fig.subplots(1, 2)
    places = np.arange(len(there))
    for shift, shares, name, colour in ((-0.2, there, "as asked, in new faces", 0),
                                        (0.2, reading, "read rightly, in drawn faces", 5)):
        bars = left.barh(places + shift, list(shares.values()), 0.38, label=name,
                         color=figures.COLOURS[colour])
        left.bar_label(bars, [f"{share:.1%}" for share in shares.values()], padding=-44, color="white")
    left.set_yticks(places, there)
    left.set(xlabel="share of faces", xlim=(0, 1), ylim=(len(there) + 0.5, -0.6))
    left.legend(loc="lower left", frameon=False)
    colours = [figures.COLOURS[6 if name in PERSON else 9] for name in moved]
    right.barh(range(len(moved)), list(moved.values()), 0.6, color=colours)
    right.set_yticks(range(len(moved)), moved)
    right.set(xlabel="standard deviation over the orders / over z", ylim=(len(moved) - 0.4, -0.6))
    right.set_title("the person (red), and the expression (grey)", fontsize=11)
    left.set_title("what was asked for", fontsize=11)
    run.save(fig, "shares.png", "left, bars: how often what was asked for is there; right, bars: how far "
             "other factors move with what is asked for")


def draw_strangers(run, bare, dressed, truth, times):
    """People never seen, encoded bare, decoded with everything on, and as they would be drawn."""
    fig = figures.pictures("Ten strangers, encoded as they are and decoded with another y:\n"
                           f"{times:.2f} of the squared error from another stranger dressed so", {
        "held-out faces x": bare, "decoded from their z with beard, glasses and hat": dressed,
        "the same people drawn so, which the model has not seen": truth}, columns=10)
    run.save(fig, "strangers.png", "three rows: bare faces, the same dressed by the model, and so drawn")
