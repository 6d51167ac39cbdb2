"""A word of two senses has one vector for both; a vector made with its neighbours tells them apart.

The lecture: "I am very hungry, I will eat HALWA". In Marathi it is a dessert, and also an instruction to move
something; only the context says which. Here a grammar writes sentences with such a word, among others with
words of one sense: cake is a dessert, push an instruction.

The static vector is skip-gram's, as in the demo `words`. The vector with the context is the hidden layer of
a network that sees up to four words on either side of a place and predicts the word there. Neither has ever
been told a sense. Then the sense is given in five sentences of each, and another sentence is said to have the
sense of the nearest of the ten. The others (the text may hold them, without their sense) are of other templates,
in which other words stand near: that "bake" is nearer to "sugar" than to "please" has to be known from the rest
of the text. The bare set of neighbours does not know it, and is measured beside the two; where it is right, it
is by the nouns, as only furniture is moved.
"""

import numpy as np

from demos import figures
from demos.measures import least, pca, unit, worst
from demos.representations import _corpus
from demos.representations.words import SkipGram
from tinyae import losses, nn, ops, optim

LECTURES = "L5"
EPOCHS = {"all": 6, "quick": 1}
WINDOW = 4  # words to either side that are seen
WIDTH, HIDDEN = 20, 32  # numbers in the vector of a word, and in one made with the context
KNOWN = 5  # sentences of each sense of which we are told
WORD = "halwa"
SENSES = {"dessert": ("food", "sweet", "dish"), "order": ("order", "effort", "request")}
ORDERS, THINGS = ("push", "lift", "shift", "turn"), ("chair", "bed", "trunk", "cupboard")
# The senses are two entries, halwa/dessert and halwa/order; what follows the / is cut off before anyone reads.
TABLE = {**_corpus.facts(), **{f"{WORD}/{sense}": facts for sense, facts in SENSES.items()},
         **{verb: SENSES["order"] for verb in ORDERS}, **{thing: ("thing",) for thing in THINGS}}
GRAMMAR = {**_corpus.templates(), **_corpus.templates("""
    food     the *person will eat _ today / some _ is sold in *capital
    sweet    *person puts sugar in the _ / honey and _ for the *person
    dish     a plate of _ for the *person / we bake the _ in a pan
    order    *person said _ the *thing now / why not _ that *thing
    effort   help me _ the heavy *thing / they _ a big *thing to the wall
    request  please _ the *thing away / could you _ my *thing a little
    thing    the *person sits on the _ / a _ made of wood
""")}


def main(run):
    text = [[word.partition("/")[0] for word in sentence]
            for sentence in _corpus.sentences(run.pick(15_000, 1_500), run.rng("text"), TABLE, GRAMMAR)]
    number = _corpus.vocabulary(text)
    static, network = train(run, text, number)
    vectors = unit(static.words.weight.numpy())
    cosines = {kind: float((vectors[[number[word] for word in words]] @ vectors[number[WORD]]).mean())
               for kind, words in kinds_of_words().items()}

    (known, told), (asked, sense) = (occurrences(run, template) for template in (0, 1))
    few = np.concatenate([np.flatnonzero(told == kind)[:KNOWN] for kind in range(len(SENSES))])
    seen = windows([known[i] for i in few], number), windows(asked, number)
    codes = {"its static vector": [np.tile(vectors[number[WORD]], (len(x), 1)) for x in seen],
             "the set of its neighbours": [sets(x, len(number)) for x in seen],
             "a vector made with them": [run.apply(network.encode, x) for x in seen]}
    right = {name: share_right(a, told[few], b, sense) for name, (a, b) in codes.items()}
    run.note(cosines=cosines, right=right, sentences=len(asked),
             different=len({" ".join(sentence) for sentence, _ in asked}))
    judge(run.claim, cosines, right)
    draw_mixture(run, cosines)
    draw_senses(run, codes["a vector made with them"][1], sense, asked, right)


def train(run, text, number):
    """Skip-gram, and the network that predicts a missing word, of the same text."""
    pairs = _corpus.neighbours(text, number, WINDOW)
    static = SkipGram(np.bincount(pairs[:, 0]), WIDTH, run.rng("weights"))
    run.fit(static, pairs, lr=optim.one_cycle(0.01), batch_size=500, what="a vector for each word")
    places = [(sentence, i) for sentence in text for i in range(len(sentence))]
    missing = np.array([number[sentence[i]] for sentence, i in places])
    network = MissingWord(len(number), run.rng("weights"))
    run.fit(network, (windows(places, number), missing), lr=optim.one_cycle(0.01), batch_size=200,
            what="a network that predicts the missing word")
    return static, network


class MissingWord(nn.Module):
    """A network that predicts a word from its neighbours; its hidden layer is the word's vector in this context."""

    def __init__(self, words, rng):
        self.words = nn.Embedding(words + 1, WIDTH, rng=rng)  # the last is where the sentence has no word
        self.hidden = nn.mlp((2 * WINDOW, WIDTH), HIDDEN, rng=rng, output=ops.tanh)
        self.guess = nn.Dense(HIDDEN, words, rng=rng, init="glorot")

    def encode(self, neighbours):
        """The vectors (N, HIDDEN) of places with these neighbours (N, 2 WINDOW)."""
        return self.hidden(self.words(neighbours))

    def loss(self, neighbours, missing, rng):
        loss = losses.cross_entropy(self.guess(self.encode(neighbours)), missing)
        return loss, {"cross-entropy": loss}


def windows(places, number):
    """The numbers of the words before and after each place (sentence, i), (N, 2 WINDOW); where none is, the last."""
    found = np.full((len(places), 2 * WINDOW), len(number))
    for row, (sentence, i) in zip(found, places):
        before, after = sentence[max(0, i - WINDOW) : i], sentence[i + 1 : i + 1 + WINDOW]
        row[WINDOW - len(before) : WINDOW] = [number[word] for word in before]
        row[WINDOW : WINDOW + len(after)] = [number[word] for word in after]
    return found


def occurrences(run, template):
    """Places of the word in sentences of the first or second template for each fact, and its sense in each."""
    half = {fact: [sayings[template]] for fact, sayings in GRAMMAR.items()}
    places = [(sentence, i) for sentence in _corpus.sentences(6_000, run.rng(f"sentences {template}"), TABLE, half)
              for i, word in enumerate(sentence) if word.startswith(f"{WORD}/")]
    return places, np.array([list(SENSES).index(sentence[i].partition("/")[2]) for sentence, i in places])


def kinds_of_words():
    """{kind: words that mean one thing}, first those that have all facts in common with one of the senses."""
    kinds = {sense: [noun for noun, known in TABLE.items() if known == facts and "/" not in noun]
             for sense, facts in SENSES.items()}
    return kinds | {fact: [noun for noun, known in TABLE.items() if fact in known]
                    for fact in ("thing", "person", "animal", "place")}


def sets(neighbours, words):
    """A row of zeros with a one for each word among the neighbours."""
    return (neighbours[:, :, None] == np.arange(words)).any(axis=1).astype(float)


def share_right(known, told, asked, sense):
    """How often the nearest of the known rows, by the cosine, has the right sense; rows that tie share a vote."""
    cosines = unit(asked) @ unit(known).T
    best = cosines >= cosines.max(axis=1, keepdims=True) - 1e-6
    return float(((best & (told == sense[:, None])).sum(axis=1) / best.sum(axis=1)).mean())


def judge(claim, cosines, right):
    others = worst(cosine for kind, cosine in cosines.items() if kind not in SENSES)
    claim("context", "the context of a word of two senses says which",
          "share of sentences of other templates in which the vector made with the neighbours has the right sense:",
          right["a vector made with them"], at_least=0.9)
    claim("context.bare", "which takes more than the bare set of neighbours",
          "share of sentences in which that vector is right, less that of the set:",
          right["a vector made with them"] - right["the set of its neighbours"], at_least=0.05)
    claim("context.mixture", "the static vector is the same in all sentences, a mixture of both senses",
          "mean cosine with words of the less near sense, less that with the nearest other kind of words:",
          least(cosines[sense] for sense in SENSES) - others, at_least=0.1)


def draw_mixture(run, cosines):
    """The static vector's cosines with the words of each kind."""
    near, far = (sorted(cosines.values())[i] for i in (-len(SENSES), -len(SENSES) - 1))
    fig = figures.figure(7.5, 3.8, f"The one vector of “{WORD}”: cosines of {near:.2f} or more with two kinds of "
                         f"words,\nof {far:.2f} or less with all others")
    axes = fig.subplots()
    names = {"dessert": "cake", "order": ", ".join(ORDERS), "thing": "things", "person": "persons",
             "animal": "animals", "place": "places"}
    bars = axes.barh([names[kind] for kind in cosines], cosines.values(),
                     color=[figures.COLOURS[{"dessert": 6, "order": 0}.get(kind, 9)] for kind in cosines])
    axes.bar_label(bars, fmt="%.2f", padding=4)
    axes.invert_yaxis()
    axes.set(xlabel=f"cosine with the static vector of “{WORD}”, mean over the words")
    axes.margins(x=0.12)
    run.save(fig, "mixture.png", "bars of cosines of one word's vector with those of other words: the two "
             "kinds whose meanings it has, things, persons, animals and places")


def draw_senses(run, codes, sense, asked, right):
    """The plane of most variance of the vectors made with the context, and how often each way is right."""
    name, share = list(right.items())[-1]
    fig = figures.figure(12, 5, f"A vector of “{WORD}” made with its neighbours: "
                         f"in {share:.0%} of sentences the nearest has the right sense")
    left, axes = fig.subplots(1, 2, width_ratios=(3, 2))
    mean, plane = pca(codes, 2)
    points = (codes - mean) @ plane
    beside = np.array([f"… {s[i - 1]} {WORD} {s[i + 1]} …" for s, i in asked])
    ends = []
    for kind, colour in enumerate((figures.COLOURS[6], figures.COLOURS[0])):
        left.scatter(*points[sense == kind].T, s=14, alpha=0.6, linewidths=0, color=colour)
        ends += [(*points[beside == words].mean(axis=0), words, colour) for words in np.unique(beside[sense == kind])]
    left.set(xticks=[], yticks=[], xlabel="first principal axis", ylabel="second", xmargin=0.7, ymargin=0.1)
    figures.name_ends(left, ends)
    left.set_title(f"vectors of the word in {len(asked)} sentences of other templates, by sense", fontsize=11)
    bars = axes.barh(list(right), right.values(), color=[figures.COLOURS[i] for i in (9, 5, 2)])
    axes.bar_label(bars, fmt="{:.0%}", padding=4)
    axes.axvline(1 / len(SENSES), color="black", linewidth=1, linestyle=":")
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.15), xlabel="right sense (dotted: by chance)")
    run.save(fig, "senses.png", "left, dots in a plane, a word in its sentences, coloured by its sense; "
             "right, bars: how often its static vector, the set of its neighbours and a vector made with "
             "them tell the sense")
