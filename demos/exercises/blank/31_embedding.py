"""31. The gradient of an embedding, and of a bag of words.

    embedding   y[n, t] = table[words[n, t]]                table (V, E), words (N, T) of row numbers
    bag         y[n] = 1/T Σ_t table[words[n, t]]           the context of word2vec's CBOW (Mikolov 2013)

An embedding is a dense layer on one-hot vectors, without the multiplications: the row of a word is
looked up. Exercise 21 has its adjoint for a list of indices; here they have two axes, and a word may
turn up many times, within a sentence and in several.

Derive both gradients in the table; g has the shape of y, (N, T, E) and (N, E).
"""

import numpy as np


def embedding_vjp(g, y, table, words):
    raise NotImplementedError  # return dL/dtable


def bag_vjp(g, y, table, words):
    raise NotImplementedError  # return dL/dtable
