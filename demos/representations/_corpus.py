"""A small language: a table of facts about words, and the grammar that writes a corpus from it.

A sentence takes a noun, one of the facts about it, and a template that says the fact. So the facts can be
known from the words that stand near a noun, and from nothing else.
"""

import numpy as np

TABLE = """
    king      person royal grown male    | prince    person royal young male
    queen     person royal grown female  | princess  person royal young female
    man       person plain grown male    | boy       person plain young male
    woman     person plain grown female  | girl      person plain young female
    father    person kin grown male      | son       person kin young male
    mother    person kin grown female    | daughter  person kin young female
    dog       animal canine grown        | puppy     animal canine young
    cat       animal feline grown        | kitten    animal feline young
    cow       animal bovine grown        | calf      animal bovine young
    horse     animal equine grown        | foal      animal equine young
    sheep     animal ovine grown         | lamb      animal ovine young
    hen       animal fowl grown          | chick     animal fowl young
    france    place french country       | paris     place french capital
    spain     place spanish country      | madrid    place spanish capital
    italy     place italian country      | rome      place italian capital
    egypt     place arabic country       | cairo     place arabic capital
    japan     place japanese country     | tokyo     place japanese capital
    india     place hindi country        | delhi     place hindi capital
    cocoa    food sweet drink | lemonade food sour drink | broth    food salty drink
    mango    food sweet fruit | lime     food sour fruit | olive    food salty fruit
    cake     food sweet dish  | pickle   food sour dish  | omelette food salty dish
"""

TEMPLATES = """
    person    the _ speaks to a friend / a friend laughs with the _
    royal     the _ wears a crown / a _ lives in the palace
    plain     the _ walks down the street / a _ works in the market
    kin       the _ stays with the family / my own _ is at home
    grown     the _ is old and tall / the tall _ grew long ago
    young     the _ is little and small / the little _ will grow soon
    male      the _ lost his hat / he is a _
    female    the _ lost her hat / she is a _
    animal    feed the _ on the farm / the _ wags its tail
    canine    the _ barks / a bone for the _
    feline    the _ purrs / mice fear the _
    bovine    the _ moos / milk from the _
    equine    the _ neighs / a saddle for the _
    ovine     the _ bleats / wool from the _
    fowl      the _ clucks / an egg from the _
    place     we travel to _ / a map of _
    french    french is spoken in _ / wine and cheese from _
    spanish   spanish is spoken in _ / guitars and dance from _
    italian   italian is spoken in _ / pasta and opera from _
    arabic    arabic is spoken in _ / cotton and dates from _
    japanese  japanese is spoken in _ / rice and silk from _
    hindi     hindi is spoken in _ / tea and spices from _
    country   the borders of _ / an army defends _
    capital   the mayor of _ / a bus through _
    food      we eat _ today / buy some _ for lunch
    sweet     _ is sweet with sugar / honey in the _
    sour      _ is sour like vinegar / acid in the _
    salty     _ is salty like the sea / salt in the _
    drink     a glass of _ / drink the _
    fruit     the _ grows on a tree / pick a ripe _
    dish      a plate of _ / bake the _ in a pan
"""


def facts(text=TABLE):
    """{noun: its facts}."""
    rows = [row.split() for row in text.strip().replace("|", "\n").splitlines()]
    return {noun: tuple(facts) for noun, *facts in rows}


def templates(text=TEMPLATES):
    """{fact: the sentences that say it}, each a list of words with _ for the noun."""
    rows = [line.strip().split(None, 1) for line in text.strip().splitlines()]
    return {fact: [sentence.split() for sentence in rest.split(" / ")] for fact, rest in rows}


def sentences(n, rng, table=None, grammar=None):
    """n sentences, each a list of words: of a noun drawn at random, a fact of it, and a template.

    A word of a template with a * before it stands for any noun of which this fact holds.
    """
    table, grammar = table or facts(), grammar or templates()
    nouns = list(table)
    members = {f"*{fact}": [noun for noun in nouns if fact in table[noun]] for fact in grammar}

    def draw(words):
        return words[rng.integers(len(words))]

    written = []
    for _ in range(n):
        noun = draw(nouns)
        saying = draw(grammar[draw(table[noun])])
        written.append([noun if word == "_" else draw(members[word]) if word in members else word
                        for word in saying])
    return written


def vocabulary(text):
    """{word: its number}, the words of the sentences in alphabetical order."""
    return {word: i for i, word in enumerate(sorted({word for sentence in text for word in sentence}))}


def neighbours(text, numbers, window):
    """The numbers of every word and each of its neighbours, up to so many words away in its sentence: (P, 2)."""
    return np.array([(numbers[sentence[i]], numbers[sentence[j]]) for sentence in text
                     for i in range(len(sentence))
                     for j in range(max(0, i - window), min(len(sentence), i + window + 1)) if i != j])
