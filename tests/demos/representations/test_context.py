"""The demo of a word of two senses: its windows and measures, a quick run, and claims that can fail."""

import numpy as np
import pytest

from demos.representations import context


def test_quick_run(run_quick):
    metrics, names = run_quick(context)
    assert names == {"mixture.png", "senses.png", "metrics.json"}
    assert [c["id"] for c in metrics["claims"]] == ["context", "context.bare", "context.mixture"]


def test_windows():
    number = {word: i for i, word in enumerate("abcdefg")}
    sentence, none = list("abcdefg"), 7
    places = [(sentence, 0), (sentence, 5), (["c"], 0)]
    assert context.windows(places, number).tolist() == [
        [none] * 4 + [1, 2, 3, 4], [1, 2, 3, 4, 6, none, none, none], [none] * 8]
    sets = context.sets(context.windows(places, number), 7)
    assert sets.tolist() == [[0, 1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 0, 1], [0] * 7]


def test_new_sentences_share_no_template(a_run):
    (known, told), (asked, sense) = (context.occurrences(a_run(context), template) for template in (0, 1))
    for places, senses in ((known, told), (asked, sense)):
        assert set(senses) == {0, 1} and np.bincount(senses).min() >= context.KNOWN
        assert [sentence[i] for sentence, i in places] == [
            f"halwa/{list(context.SENSES)[kind]}" for kind in senses]
    def beside(places):
        return {tuple(sentence[max(0, i - 1) : i] + sentence[i + 1 : i + 2]) for sentence, i in places}

    assert not beside(known) & beside(asked)


def test_kinds_have_one_sense():
    kinds = context.kinds_of_words()
    assert kinds["dessert"] == ["cake"] and tuple(kinds["order"]) == context.ORDERS
    assert len(kinds["thing"]) == 4 and len(kinds["person"]) == len(kinds["animal"]) == len(kinds["place"]) == 12


def test_share_right():
    told, sense = np.array([0, 1]), np.array([0, 0, 1, 1])
    known = np.array([[1.0, 0], [0, 1]])
    asked = np.array([[2.0, 1], [1, 2], [0, 1], [1, 1]])  # right, wrong, right, a tie
    assert context.share_right(known, told, asked, sense) == pytest.approx(2.5 / 4)
    assert context.share_right(np.ones((2, 2)), told, np.ones((4, 2)), sense) == 0.5


COSINES = {"dessert": 0.7, "order": 0.6, "thing": 0.4, "person": 0.1}


@pytest.mark.parametrize("cosines, bare, made, missed", [
    ({}, 0.75, 0.95, set()),
    ({}, 0.7, 0.8, {"context"}),
    ({}, 0.93, 0.95, {"context.bare"}),
    ({"order": 0.3}, 0.75, 0.95, {"context.mixture"}),
    ({"person": 0.65}, 0.75, 0.95, {"context.mixture"}),
    ({"person": float("nan")}, 0.75, 0.95, {"context.mixture"}),
])
def test_each_claim_can_fail(judged, cosines, bare, made, missed):
    right = {"its static vector": 0.5, "the set of its neighbours": bare, "a vector made with them": made}
    held = judged(context.judge, COSINES | cosines, right)
    assert {id for id, ok in held.items() if not ok} == missed
