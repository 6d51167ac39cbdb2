"""What a network has learned from other images of the same digits helps where there are few examples.

The lectures: given two similar tasks, of which the second has few labelled examples, features of the first
are worth keeping. A network learns the first task from thousands of images. The second has new inputs (digits
that lean to the right instead of to the left; with MNIST, handwritten digits instead of digits drawn by code),
or new labels (the digits 5 to 9 instead of 0 to 4). It is learned

    from scratch    by a network with random weights
    frozen          by a new last layer on the first network's layers, which stay as they are
    fine-tuned      by that network with a new last layer, all of it

over the number of examples and several draws of them, each in the same number of steps.

It holds in part. New inputs gain much, new labels hardly anything, which is drawn and noted, but not claimed:
what tells the first five digits apart is not what tells the others apart, and frozen layers have lost it.
(`one_shot` shows new labels that gain, where the first task has two hundred kinds instead of five.)
"""

import numpy as np

from demos import figures
from demos.measures import first_of_each
from tinyae import data, models, nn, ops, optim

LECTURES = "L1 L4 L5"
DATA = ("strokes", "mnist")
EPOCHS = {"all": 5, "quick": 1}
COUNTS = (1, 2, 5, 10, 50)  # examples of each digit in the second task
FEW = COUNTS.index(5)
DRAWS, STEPS, BATCH = 4, 150, 32
TO_THE_LEFT, TO_THE_RIGHT = (-0.3, 0.0), (0.3, 0.7)  # slants, in radians
WAYS = ("from scratch", "frozen", "fine-tuned")


def main(run):
    digits = run.images(train=20_000)
    tasks = {"new inputs": new_inputs(run, digits), "new labels": new_labels(digits)}
    found = {name: {way: [] for way in WAYS} for name in tasks}
    for name, (first, second, held_out) in tasks.items():
        teacher = classifier(run.rng("weights"))
        run.fit(teacher, first, lr=optim.one_cycle(3e-3), batch_size=50, what=f"{name}: the first task")
        for count in COUNTS:
            for way in WAYS:
                found[name][way].append([
                    second_task(run, way, teacher, few(second, count, run.rng(f"draw {i}")), held_out)
                    for i in range(run.pick(DRAWS, 1))])
    run.note(examples=COUNTS, accuracy=found)
    judge(run.claim, {name: {way: np.mean(values, axis=1) for way, values in ways.items()}
                      for name, ways in found.items()})
    draw(run, found, tasks)


def new_labels(digits):
    """The first task, the second, and the second's held-out examples: (images, labels) each."""
    low, high = digits.train_labels < 5, digits.train_labels >= 5
    unseen = digits.test_labels >= 5
    return ((digits.train[low], digits.train_labels[low]), (digits.train[high], digits.train_labels[high]),
            (digits.test[unseen], digits.test_labels[unseen]))


def new_inputs(run, digits):
    """The same where the first task shows other images: they lean otherwise, or for MNIST are drawn."""
    size, other = len(digits.train) // 2, run.rng("other images")
    if run.data == "mnist":
        images, factors = data.strokes(size, other)
        return ((images, factors["digit"]), (digits.train, digits.train_labels),
                (digits.test, digits.test_labels))
    (first, left), (second, right), (last, held_out) = (
        data.strokes(n, other, slant=other.uniform(*slants, n)) for n, slants in (
            (size, TO_THE_LEFT), (size, TO_THE_RIGHT), (len(digits.test), TO_THE_RIGHT)))
    return (first, left["digit"]), (second, right["digit"]), (last, held_out["digit"])


def classifier(rng):
    """Two hidden layers, the features, and on these a last layer for the ten digits, which starts at zero."""
    features = nn.Sequential(nn.Flatten(), nn.Dense(28**2, 256, rng=rng), ops.relu, nn.Dropout(0.5),
                             nn.Dense(256, 128, rng=rng), ops.relu, nn.Dropout(0.5))
    last = nn.Dense(128, 10, rng=rng)
    last.weight.data[...] = 0
    return models.Predictor(nn.Sequential(features, last))


def few(task, count, rng):
    """So many examples of each digit of the task."""
    images, labels = task
    chosen = first_of_each(labels, rng.permutation(len(labels)), count)
    return images[chosen], labels[chosen]


def second_task(run, way, teacher, examples, held_out):
    """The accuracy in the second task of a network that has learned from the examples in that way."""
    model = classifier(run.rng("new weights"))
    features, last = model.network
    if way != "from scratch":
        features.load_state_dict(teacher.network[0].state_dict())
    model.to(run.device)
    trained, rate = (last, 0.03) if way == "frozen" else (model, 0.003)  # one layer alone can go faster
    drawn = run.rng("batches").integers(len(examples[1]), size=run.pick(STEPS, 3) * BATCH)  # with replacement
    run.fit(model, tuple(part[drawn] for part in examples), epochs=1, batch_size=BATCH,
            optimizer=optim.Adam(trained.parameters(), optim.one_cycle(rate)),
            what=f"{way}, {len(examples[1])} examples")
    return float((run.apply(model.network, held_out[0]).argmax(axis=1) == held_out[1]).mean())


def judge(claim, accuracy):
    """accuracy: {task: {way: one for each of COUNTS}}."""
    inputs = accuracy["new inputs"]
    claim("transfer", "features of one kind of images help with another kind that has few examples",
          "gain in accuracy of fine-tuning over training from scratch, five examples of each digit:",
          inputs["fine-tuned"][FEW] - inputs["from scratch"][FEW], at_least=0.05)
    claim("transfer.frozen", "even as they are, with a new last layer",
          "gain in accuracy of frozen layers over training from scratch, one example of each digit:",
          inputs["frozen"][0] - inputs["from scratch"][0], at_least=0.05)


def draw(run, found, tasks):
    """For each task, images of both, and the accuracy over the number of examples."""
    gain = {name: np.mean(ways["fine-tuned"][FEW]) - np.mean(ways["from scratch"][FEW])
            for name, ways in found.items()}
    gain = {name: figures.number(round(100 * more), "+d") for name, more in gain.items()}
    fig = figures.figure(12, 7.5, "What a first task is worth to a second with five examples of each digit: "
                         f"{gain['new inputs']} points of accuracy\nwhere the images are new, "
                         f"{gain['new labels']} where the labels are")
    rows = fig.subplots(2, 2, height_ratios=(1, 2))
    for (pictures, axes), (name, (first, second, _)) in zip(rows.T, tasks.items()):
        shown = np.concatenate([few(task, 1, run.rng("shown"))[0][-5:] for task in (first, second)])
        figures.show_images(pictures, shown, 5, f"{name}: above, the first task; below, the second")
        figures.curves(axes, COUNTS, {way: np.mean(values, axis=1) for way, values in found[name].items()},
                       colours=(5, 1, 0), label=False)
        for values, colour in zip(found[name].values(), (5, 1, 0)):
            axes.errorbar(COUNTS, np.mean(values, axis=1), np.std(values, axis=1) / len(values[0]) ** 0.5,
                          fmt="none", capsize=3, color=figures.COLOURS[colour])
        axes.set(xscale="log", xticks=COUNTS, xticklabels=COUNTS, ylim=(0.3, 1),
                 ylabel="accuracy in the second task", xlabel="examples of each digit in the second task")
        axes.minorticks_off()
        axes.legend(frameon=False, loc="lower right")
    run.save(fig, "transfer.png", "accuracy over the number of examples, where images are new and where "
             "labels are: of networks from scratch, frozen and fine-tuned")
