"""The demo of words: the grammar, the analogies of a table, what is measured, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.measures import unit
from demos.representations import _corpus, words
from tinyae import Tensor, grad

TABLE = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]])  # king, queen, man, woman


def test_quick_run(run_quick):
    metrics, names = run_quick(words)
    assert names == {"similarity.png", "arrows.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]][0] == "local-vs-distributed" and len(metrics["claims"]) == 2
    assert metrics["measured"]["spread"]["one-hot"] == pytest.approx(1, abs=1e-9)


# --- the language --------------------------------------------------------------------------------

def test_the_table_is_written_in_full():
    facts, templates = _corpus.facts(), _corpus.templates()
    assert len(facts) == len(set(facts.values())) == 45  # no two nouns have the same facts
    assert {fact for known in facts.values() for fact in known} == templates.keys()
    assert all(sentence.count("_") == 1 for said in templates.values() for sentence in said)
    assert sum(kind in known for known in facts.values() for kind in words.KINDS) == 45
    drawn = {noun for pairs, _ in words.PAIRS.values() for noun in pairs.replace("/", " ").split()}
    assert drawn <= facts.keys()


def test_sentences_say_the_facts():
    rng = np.random.default_rng(0)
    text = _corpus.sentences(300, rng)
    facts, templates = _corpus.facts(), _corpus.templates()
    for sentence in text:
        assert any([noun if word == "_" else word for word in said] == sentence
                   for noun in facts.keys() & set(sentence) for fact in facts[noun] for said in templates[fact])
    assert len({sentence[0] for sentence in _corpus.sentences(50, rng, {"x": ("f",)}, {"f": [["_"], ["a", "_"]]})}) == 2


def test_slots_hold_nouns_of_which_the_fact_holds():
    table = {"x": ("f",), "y": ("g",), "z": ("g",)}
    text = _corpus.sentences(100, np.random.default_rng(0), table, {"f": [["_", "of", "*g"]], "g": [["_"]]})
    assert {tuple(sentence) for sentence in text} == {("x", "of", "y"), ("x", "of", "z"), ("y",), ("z",)}


def test_neighbours_within_the_window():
    text = [["a", "b", "c", "d"], ["b", "a"]]
    number = _corpus.vocabulary(text)
    assert number == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert _corpus.neighbours(text, number, 1).tolist() == [
        [0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2], [1, 0], [0, 1]]
    assert len(_corpus.neighbours(text, number, 3)) == 4 * 3 + 2


# --- the model -----------------------------------------------------------------------------------

def test_words_are_drawn_by_the_power_of_their_frequency():
    model = words.SkipGram(np.array([160_000, 10_000, 0, 10_000]), 2, np.random.default_rng(0))
    shares = np.bincount(model.lots.data, minlength=4) / model.lots.size
    assert shares == pytest.approx([0.8, 0.1, 0, 0.1], abs=1e-3)  # 16^¾ = 8


def test_loss_is_that_of_the_formula():
    model = words.SkipGram(np.ones(6), 3, np.random.default_rng(0))
    pairs = np.array([[0, 1], [4, 2], [4, 5]])
    loss, terms = model.loss(Tensor(pairs), np.random.default_rng(1))
    drawn = model.lots.data[np.random.default_rng(1).integers(0, model.lots.size, size=(3, words.NEGATIVES))]
    v, u = model.words.weight.data, model.neighbours.weight.data
    near = np.log1p(np.exp(-(v[pairs[:, 0]] * u[pairs[:, 1]]).sum(1)))
    far = np.log1p(np.exp((v[pairs[:, 0]][:, None] * u[drawn]).sum(2))).sum(1)
    assert loss.item() == pytest.approx((near + far).mean(), rel=1e-5)
    assert loss.item() == pytest.approx(sum(term.item() for term in terms.values()), rel=1e-6)
    used = grad(loss, model.words.weight).data.any(axis=1)
    assert used.tolist() == [True, False, False, False, True, False]


# --- what is measured ----------------------------------------------------------------------------

def test_analogies_of_a_table():
    found = words.analogies(TABLE)
    assert all((TABLE[a] - TABLE[b] + TABLE[c] == TABLE[d]).all() for a, b, c, d in found)
    assert sorted(d for *_, d in found) == [0, 1, 2, 3]  # each of the four words is asked for once


def test_facts_as_vectors_are_all_right_and_one_hot_ones_tie():
    questions = words.analogies(TABLE)
    assert words.share_right(unit(TABLE.astype(float)), questions) == 1
    assert words.share_right(np.eye(10), questions) == pytest.approx(1 / 7)
    assert words.share_right(np.eye(10), questions, among_all=True) == 0  # a and c are nearest


def test_spread_and_correlation():
    assert words.spread(np.eye(5)) == 1
    angles = np.array([0, np.pi / 2, np.pi])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)])
    assert words.spread(vectors @ vectors.T) == pytest.approx(np.sqrt(2))
    a = np.random.default_rng(0).random((4, 4))
    assert words.correlation(a, 3 * a + np.eye(4)) == pytest.approx(1)  # the diagonal does not count


@pytest.mark.parametrize("change, missed", [
    ({}, set()),
    ({"similarity": 0.3}, {"local-vs-distributed"}),
    ({"similarity": float("nan")}, {"local-vs-distributed"}),
    ({"right": {"one-hot": 0.01, "learned": 0.2}}, {"local-vs-distributed.analogy"}),
])
def test_each_claim_can_fail(judged, change, missed):
    right = {"similarity": 0.8, "right": {"one-hot": 0.01, "learned": 0.9}}
    assert {id for id, held in judged(words.judge, **(right | change)).items() if not held} == missed
