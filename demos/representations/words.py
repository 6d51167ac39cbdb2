"""One-hot words are all equally far apart; learned vectors carry similarity and analogy.

The lectures: "woman" - "man" ≈ "queen" - "king". A grammar writes some 100,000 words from a table of facts
about people, animals, places and food; a sentence says one fact about one noun. Skip-gram with negative
sampling (Mikolov et al. 2013) learns a vector of each word from the words that stand near it,

    -ln σ(u_c · v_w) - Σ_k ln σ(-u_k · v_w)                 c a neighbour of w, k five words drawn at random

and never sees the table. The table then says what there was to learn: how similar two nouns are, by the facts
that they share, and which analogies hold: where the facts of a, less those of b, plus those of c are the facts
of another noun d. The answer is the word nearest to a - b + c, by the cosine, among all words but these three,
as usual. How often it is right with these three allowed, too, is noted.
"""

import numpy as np

from demos import figures
from demos.measures import pca, unit
from demos.representations import _corpus
from tinyae import Tensor, nn, ops, optim

LECTURES = "L1 L4 L5"
EPOCHS = {"all": 6, "quick": 1}
WIDTH = 20
WINDOW = 4  # words to either side that count as near
NEGATIVES = 5
POWER = 0.75  # of a word's frequency, to which it is drawn in proportion (Mikolov et al. 2013)
KINDS = ("person", "animal", "place", "food")
TITLES = {"one-hot": "one-hot", "learned": "learned from the text", "table": "by the facts in the table"}
PAIRS = {  # drawn, with the number of a colour
    "male to female": ("king/queen man/woman father/mother prince/princess", 0),
    "grown to young": ("king/prince woman/girl dog/puppy cat/kitten sheep/lamb", 6),
    "country to capital": ("france/paris spain/madrid italy/rome egypt/cairo japan/tokyo india/delhi", 3)}


def main(run):
    text = _corpus.sentences(run.pick(20_000, 1_000), run.rng("text"))
    number = _corpus.vocabulary(text)
    pairs = _corpus.neighbours(text, number, WINDOW)
    model = SkipGram(np.bincount(pairs[:, 0]), WIDTH, run.rng("weights"))
    run.fit(model, pairs, lr=optim.one_cycle(0.01), batch_size=500)

    facts = _corpus.facts()
    nouns, table = np.array([number[noun] for noun in facts]), fact_matrix(facts)
    questions = nouns[analogies(table)]
    vectors = {"one-hot": np.eye(len(number)), "learned": unit(model.words.weight.numpy())}
    cosines = {name: v[nouns] @ v[nouns].T for name, v in vectors.items()}
    cosines["table"] = unit(table) @ unit(table).T
    numbers = {"spread": {name: spread(cosines[name]) for name in vectors},
               "similarity": correlation(cosines["learned"], cosines["table"]),
               "right": {name: share_right(v, questions) for name, v in vectors.items()}}
    run.note(**numbers, words=len(number), analogies=len(questions), chance=1 / (len(number) - 3),
             right_with_all_words=share_right(vectors["learned"], questions, among_all=True))
    judge(run.claim, numbers["similarity"], numbers["right"])
    draw_cosines(run, facts, cosines, numbers["similarity"])
    draw_arrows(run, facts, vectors["learned"][nouns], numbers["right"]["learned"], len(questions))


class SkipGram(nn.Module):
    """Two vectors for each word: v for where it stands in the middle, u for where it is a neighbour."""

    def __init__(self, counts, width, rng):
        self.words, self.neighbours = (nn.Embedding(len(counts), width, rng=rng) for _ in range(2))
        # Lots, of which each word has as many as its share of the draws: a random lot is a word at that rate.
        shares = counts**POWER / (counts**POWER).sum()
        self.lots = Tensor(np.repeat(np.arange(len(counts)), np.ceil(10_000 * shares).astype(int)))

    def loss(self, pairs, rng):
        """Of pairs (N, 2), of a word and a neighbour: the neighbour is told from words drawn at random."""
        drawn = self.lots[rng.integers(0, self.lots.size, size=(pairs.shape[0], NEGATIVES))]
        word = self.words(pairs[:, :1])  # (N, 1, width), against one neighbour or several
        near = ops.sum(word * self.neighbours(pairs[:, 1:]), axis=2)
        far = ops.sum(word * self.neighbours(drawn), axis=2)
        terms = {"neighbours": ops.sum(ops.softplus(-near)) / pairs.shape[0],
                 "others": ops.sum(ops.softplus(far)) / pairs.shape[0]}
        return terms["neighbours"] + terms["others"], terms


def fact_matrix(facts):
    """A row for each noun, with a 1 for each fact that holds of it."""
    every = sorted({fact for known in facts.values() for fact in known})
    return np.array([[fact in known for fact in every] for known in facts.values()], int)


def analogies(table):
    """The rows (a, b, c, d) for which a - b + c = d, four different ones; a and c exchanged are the same."""
    row = {tuple(facts): i for i, facts in enumerate(table)}
    n = len(table)
    asked = ((a, b, c, row.get(tuple(table[a] - table[b] + table[c])))
             for a in range(n) for c in range(a) for b in range(n))
    return np.array([four for four in asked if four[3] is not None and len(set(four)) == 4])


def others(cosines):
    """The entries of a square matrix that are not on its diagonal."""
    return cosines[~np.eye(len(cosines), dtype=bool)]


def spread(cosines):
    """The largest distance between two vectors of length 1 over the smallest, by their cosines."""
    distances = np.sqrt(2 - 2 * others(cosines))
    return float(distances.max() / distances.min())


def correlation(a, b):
    """Between the similarities of two different words in a and in b."""
    return float(np.corrcoef(others(a), others(b))[0, 1])


def share_right(vectors, questions, among_all=False):
    """How often d is nearest to a - b + c, by the cosine; of n words that tie, each counts one nth."""
    a, b, c, d = questions.T
    cosines = unit(vectors[a] - vectors[b] + vectors[c]) @ vectors.T
    rows = np.arange(len(questions))
    if not among_all:
        cosines[rows[:, None], questions[:, :3]] = -np.inf
    best = cosines >= cosines.max(axis=1, keepdims=True) - 1e-9
    return float((best[rows, d] / best.sum(axis=1)).mean())


def judge(claim, similarity, right):
    claim("local-vs-distributed", "one-hot words are all equally far apart; learned vectors carry similarity",
          "correlation of the learned vectors' cosines with those of the nouns' facts:", similarity, at_least=0.6)
    claim("local-vs-distributed.analogy", "and analogy",
          "share of all analogies in the table whose d is nearest to a - b + c, of all words but these three:",
          right["learned"], at_least=0.5)


def draw_cosines(run, facts, cosines, similarity):
    """The cosines of all pairs of nouns, kind by kind."""
    fig = figures.figure(12, 4.6, "How alike words are by one-hot vectors, by learned ones, and by the facts\n"
                         f"(correlation of the learned ones with the facts: {figures.number(similarity, '.2f')})")
    ends = np.cumsum([sum(kind in known for known in facts.values()) for kind in KINDS])
    panels = fig.subplots(1, 3)
    for axes, (name, values) in zip(panels, cosines.items()):
        figures.show_signed(axes, values, 1, TITLES[name])
        axes.set_xticks((np.append(0, ends[:-1]) + ends - 1) / 2, [f"{kind}s" for kind in KINDS])
        axes.tick_params(length=0)
        for end in ends[:-1]:
            axes.axhline(end - 0.5, color="black", linewidth=0.6)
            axes.axvline(end - 0.5, color="black", linewidth=0.6)
    fig.colorbar(panels[0].images[0], ax=panels, label="cosine of two nouns", shrink=0.8)
    run.save(fig, "similarity.png", "three square maps of cosines between nouns, in the order of persons, "
             "animals, places and foods: one-hot, learned, and from the table of facts")


def draw_arrows(run, facts, vectors, right, questions):
    """Pairs of nouns that differ in one fact: across, their mean difference; upwards, what else sets them apart."""
    fig = figures.figure(13, 5.2, "king − man + woman ≈ queen, if the same difference is the same arrow\n"
                         f"({right:.0%} of {questions} analogies end at the right word)")
    row = {noun: i for i, noun in enumerate(facts)}
    for axes, (title, (words, colour)) in zip(fig.subplots(1, 3), PAIRS.items()):
        names = [pair.split("/") for pair in words.split()]
        pairs = np.array([[vectors[row[word]] for word in pair] for pair in names])
        across = unit((pairs[:, 1] - pairs[:, 0]).mean(axis=0, keepdims=True))[0]
        middles = pairs.mean(axis=1)
        _, upwards = pca(middles - np.outer(middles @ across, across), 1)
        points = pairs @ np.column_stack([across, upwards])
        figures.arrows(axes, points[:, 0], points[:, 1] - points[:, 0], colour=figures.COLOURS[colour], width=0.008)
        axes.set_title(f"from {title}", fontsize=11)
        left, right_end = points[..., 0].min(), points[..., 0].max()
        axes.update_datalim(points.reshape(-1, 2))
        axes.set(xticks=[], yticks=[], aspect="auto", xlabel="their mean difference", ymargin=0.1,
                 xlim=(1.1 * left - 0.1 * right_end, 1.8 * right_end - 0.8 * left))  # with room for the names
        figures.name_ends(axes, [(*end, " → ".join(pair), figures.COLOURS[colour])
                                 for end, pair in zip(points[:, 1], names)])
    run.save(fig, "arrows.png", "three planes with arrows: from king to queen as from man to woman, from "
             "king to prince as from dog to puppy, from each country to its capital")
