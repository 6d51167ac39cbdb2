"""A network that has few labels of its task learns it better together with related tasks, not with any task.

The lectures: multi-task learning improves generalisation by what related tasks say of the domain (Caruana
1998); layers are shared hard, one for all tasks, or soft, by a penalty between the weights of two networks
(Ruder 2017). Here a few digits are labelled, and for thousands it is known what they have in common: whether
they are digits with a loop (0, 6, 8 or 9), and whether they are odd. Compared are, for the digits' task,

    apart       the digits' task alone
    hard        one trunk of layers for all tasks, with a last layer for each:  L_digit + L_others
    soft        a trunk for the digits, another for the others:  L_digit + L_others + λ ‖θ - θ'‖²
    unrelated   hard sharing with other tasks: the slant and the thickness of as many digits

over the number of labelled digits and several draws of them. Loop and odd follow from the digit, so their
answers ask for features that the digits' task needs, too. Slant and thickness say nothing of the digit.
"""

import numpy as np

from demos import figures
from demos.measures import first_of_each
from tinyae import data, distributions, losses, nn, ops, optim

LECTURES = "L4 L5"
EPOCHS = {"all": 3, "quick": 1}
COUNTS = (1, 2, 5, 10, 50)  # labelled examples of each digit
FEW = COUNTS.index(2)  # where the claims are made
DRAWS, BATCH = 5, 32
LOOPS = (0, 6, 8, 9)
SOFT = 0.1  # λ


def main(run):
    images, factors = data.strokes(run.pick(4000, 600), run.rng("images"))
    test, truth = data.strokes(run.pick(2000, 200), run.rng("test"))
    related, unrelated = loop_and_odd(factors["digit"]), slant_and_thickness(factors)

    def accuracy(way, count, draw):
        """In the digits' task, after so many labelled examples of each digit."""
        few = first_of_each(factors["digit"], run.rng(f"labels {draw}").permutation(len(images)), count)
        examples, rng = (run.tensor(images[few]), run.tensor(factors["digit"][few])), run.rng("weights")
        model = {"apart": lambda: Apart(examples, rng),
                 "hard": lambda: Together(examples, distributions.Bernoulli, rng),
                 "soft": lambda: Together(examples, distributions.Bernoulli, rng, soft=SOFT),
                 "unrelated": lambda: Together(examples, distributions.SquaredError, rng)}[way]()
        run.fit(model, (images, unrelated if way == "unrelated" else related), lr=optim.one_cycle(3e-3),
                batch_size=80, what=f"{way}, {count} of each digit")
        return float((run.apply(model, test).argmax(axis=1) == truth["digit"]).mean())

    found = {way: [[accuracy(way, count, draw) for draw in range(run.pick(DRAWS, 1))] for count in COUNTS]
             for way in ("apart", "hard", "soft", "unrelated")}
    run.note(labels=COUNTS, accuracy=found)
    judge(run.claim, {way: np.mean(values, axis=1) for way, values in found.items()})
    draw(run, found)


def loop_and_odd(digit):
    """Whether the digits have a loop, and whether they are odd: (N, 2) of zeros and ones."""
    return np.stack([np.isin(digit, LOOPS), digit % 2], axis=1).astype(np.float32)


def slant_and_thickness(factors):
    """The two factors (N, 2), each with mean 0 and variance 1."""
    both = np.stack([factors["slant"], factors["thickness"]], axis=1)
    return (both - both.mean(axis=0)) / both.std(axis=0)


def trunk(rng):
    """The layers that tasks may share."""
    return nn.mlp(28**2, 256, 128, rng=rng, output=ops.relu)


class Apart(nn.Module):
    """A trunk and a last layer for the digits, and the few labelled examples that they learn from."""

    def __init__(self, examples, rng):
        self.images, self.labels = examples
        self.trunk, self.last = trunk(rng), nn.Dense(128, 10, rng=rng, init="glorot")

    def __call__(self, x):
        return self.last(self.trunk(nn.Flatten()(x)))

    def loss(self, x, known, rng):
        """-ln p(digit) of some labelled examples; the batch is for the other tasks."""
        some = rng.integers(0, len(self.labels), BATCH)
        loss = losses.cross_entropy(self(self.images[some]), self.labels[some])
        return loss, {"digit": loss}


class Together(Apart):
    """The same with two other tasks, whose likelihood says what their answers are.

    soft is the weight of the distance between two trunks; without it there is one for all tasks.
    """

    def __init__(self, examples, likelihood, rng, soft=None):
        super().__init__(examples, rng)
        self.likelihood, self.soft = likelihood, soft
        self.others_trunk = self.trunk if soft is None else trunk(rng)
        if soft is not None:
            self.others_trunk.load_state_dict(self.trunk.state_dict())
        self.others_last = nn.Dense(128, 2, rng=rng, init="glorot")

    def loss(self, x, known, rng):
        """L_digit + L_others, and the distance between the trunks if there are two."""
        loss, terms = super().loss(x, known, rng)
        answers = self.others_last(self.others_trunk(nn.Flatten()(x)))
        terms["others"] = self.likelihood(answers).nll(known)
        if self.soft is not None:
            pairs = zip(self.trunk.parameters(), self.others_trunk.parameters())
            terms["distance"] = self.soft * sum(ops.sum((a - b) ** 2) for a, b in pairs)
        return sum(terms.values()), terms


def judge(claim, accuracy):
    """accuracy: {way: one for each of COUNTS}."""
    gain = {way: accuracy[way][FEW] - accuracy["apart"][FEW] for way in ("hard", "soft", "unrelated")}
    measured = "gain in accuracy over the digits' task alone, with two labels of each digit:"
    claim("multitask", "a task with few labels is learned better with related tasks on shared layers",
          measured, gain["hard"], at_least=0.05)
    claim("multitask.soft", "and with a penalty between the weights of two networks", measured, gain["soft"],
          at_least=0.03)
    claim("multitask.unrelated", "with tasks that are not related it is not learned better", measured,
          gain["unrelated"], at_most=0.03)


def draw(run, found):
    """The accuracy over the number of labels, by what is learned together, with its standard error."""
    means = {way: np.mean(values, axis=1) for way, values in found.items()}
    right = {way: f"{accuracy[FEW]:.0%}" for way, accuracy in means.items()}
    fig = figures.figure(9, 5.2, f"Accuracy with two labels of each digit: {right['apart']} alone, {right['hard']} "
                         f"with related tasks,\n{right['unrelated']} with tasks that ask for something else")
    axes = fig.subplots()
    names = {"apart": "alone", "hard": "with loop and odd, hard", "soft": "with loop and odd, soft",
             "unrelated": "with slant and thickness, hard"}
    colours = (9, 0, 1, 5)
    figures.curves(axes, COUNTS, {name: means[way] for way, name in names.items()}, colours=colours,
                   label=False)
    for way, colour in zip(names, colours):
        axes.errorbar(COUNTS, means[way], np.std(found[way], axis=1) / len(found[way][0]) ** 0.5, fmt="none",
                      capsize=3, color=figures.COLOURS[colour])
    axes.set(xscale="log", xticks=COUNTS, xticklabels=COUNTS, xlabel="labelled examples of each digit",
             ylabel="accuracy on held-out digits")
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right")
    run.save(fig, "multitask.png", "accuracy over the number of labels: of the task alone, with related "
             "tasks, and with tasks that ask for something else")
