"""The tasks of exercises 26 to 32: estimators and losses of models with latent, rival and paired parts."""

import numpy as np

from .task import logsumexp, normal, positive, rule, sigmoid, softmax, softplus, value


def _coins(*shape, seed=5):
    return (np.random.default_rng([seed, *shape]).random(shape) < 0.5).astype(float)


def score(logits, b):
    return b - sigmoid(logits)


def score_function_gradient(logits, b, f, baseline):
    return np.mean((f - baseline)[:, None] * score(logits, b), axis=0)


DRAWS = [(normal(3), _coins(5, 3)), (normal(2), _coins(4, 2)), (normal(4), _coins(7, 4))]
SCORE_FUNCTION = [
    value("score", score, "the score", DRAWS, {
        "The logits for the probabilities: p is sigmoid(logits).": lambda l, b: (b - l,),
        "The slope of the sigmoid is a factor too many: it cancels, as in exercise 8.":
            lambda l, b: ((b - sigmoid(l)) * sigmoid(l) * sigmoid(-l),),
        "The derivative in p, not in the logits: one factor of the chain rule is missing.":
            lambda l, b: (b / sigmoid(l) - (1 - b) / sigmoid(-l),),
        "ln p itself: it has to be differentiated.":
            lambda l, b: (b * l - softplus(l),),
        "The second term is missing: where b is 0, ln(1 - p) depends on the logits too.":
            lambda l, b: (b * sigmoid(-l),),
        "b is missing: where b is 1, the score is positive.":
            lambda l, b: (-sigmoid(l) * np.ones_like(b),),
        "The derivative of p: the score is that of ln p.":
            lambda l, b: ((2 * b - 1) * sigmoid(l) * sigmoid(-l),),
        "Summed over the dimensions: each logit has a score of its own.":
            lambda l, b: (score(l, b).sum(axis=1),),
        "The mean over the draws: each draw has a score of its own.":
            lambda l, b: (score(l, b).mean(axis=0),),
    }),
    value("score_function_gradient", score_function_gradient, "the gradient", [
        (logits, b, normal(len(b), seed=1), c) for (logits, b), c in zip(DRAWS, (0.4, -0.7, 1.5))], {
        "The baseline is missing: it is taken from every f.":
            lambda l, b, f, c: (np.mean(f[:, None] * score(l, b), axis=0),),
        "The baseline is added: it has to be taken away.":
            lambda l, b, f, c: (np.mean((f + c)[:, None] * score(l, b), axis=0),),
        "f is missing: each score is weighted with what its draw was worth.":
            lambda l, b, f, c: (np.mean(score(l, b), axis=0),),
        "The baseline after the mean: it stands with f, inside, and is multiplied by the score.":
            lambda l, b, f, c: (np.mean(f[:, None] * score(l, b), axis=0) - c,),
        "A product of means for the mean of products: each f goes with its own draw's score.":
            lambda l, b, f, c: (np.mean(f - c) * np.mean(score(l, b), axis=0),),
        "The mean of f for the baseline: take the number that is given.":
            lambda l, b, f, c: (np.mean((f - f.mean())[:, None] * score(l, b), axis=0),),
        "Not averaged: the estimate is the mean over the draws.":
            lambda l, b, f, c: ((f - c)[:, None] * score(l, b),),
        "b for its score: it is ∂ ln p(b) / ∂logits that is weighted.":
            lambda l, b, f, c: (np.mean((f - c)[:, None] * b, axis=0),),
        "Mean over everything: every logit has a gradient of its own, a mean over axis 0.":
            lambda l, b, f, c: (np.mean((f - c)[:, None] * score(l, b)),),
    }),
]


def nll(x, logits):
    return np.sum(softplus(logits) - x * logits) / np.prod(logits.shape[:2])


def kl(mean, log_var, prior_mean, prior_log_var):
    return np.sum(0.5 * (prior_log_var - log_var - 1 + (np.exp(log_var) + (mean - prior_mean) ** 2)
                         / np.exp(prior_log_var))) / len(mean)


def _kl(terms):
    """Of the terms, in m, s², m₀ and s₀², one for each dimension."""
    return lambda m, lv, m0, lv0: (np.sum(terms(m, np.exp(lv), m0, np.exp(lv0))) / len(m),)


FAR = np.array([[[1000.0, -1000.0, 0.5], [-800.0, 800.0, -3.0]]])
ELBO = [
    value("nll", nll, "the value", [(positive(5, 3), normal(2, 5, 3)), (positive(4, 2), normal(3, 4, 2)),
                                    (positive(2, 3), FAR)], {
        "The first draw alone: the expectation is a mean over all S draws.": (
            lambda x, l: (nll(x, l[:1]),),
            lambda x, l: (nll(x, l[-1:]),)),
        "Wrong sign of the second term: x · logits is taken away.":
            lambda x, l: (nll(-x, l),),
        "x is missing: the second term is x · logits.":
            lambda x, l: (nll(np.ones_like(x), l),),
        "The second term is missing: softplus(logits) is ln(1 + e^logits) alone.":
            lambda x, l: (nll(np.zeros_like(x), l),),
        "The squared error: p(x | z) is a Bernoulli here.": (
            lambda x, l: (0.5 * np.sum((x - sigmoid(l)) ** 2) / np.prod(l.shape[:2]),),
            lambda x, l: (np.sum((x - sigmoid(l)) ** 2) / np.prod(l.shape[:2]),)),
        "Not summed: the loss is one number.":
            lambda x, l: ((softplus(l) - x * l).sum(axis=-1),),
        "The loss of the mean logits: average the losses of the draws, not their logits.":
            lambda x, l: (nll(x, l.mean(axis=0, keepdims=True)),),
        "Half of the Bernoulli: -x ln p is its first term, and -(1 - x) ln(1 - p) is there too.":
            lambda x, l: (np.sum(x * softplus(-l)) / np.prod(l.shape[:2]),),
    }),
    value("kl", kl, "the value", [
        tuple(normal(*shape, seed=k) for k in range(4)) for shape in ((5, 3), (4, 2))], {
        "KL(p ‖ q) for KL(q ‖ p): the expectation is q's, and the division is by p's variance.":
            lambda m, lv, m0, lv0: (kl(m0, lv0, m, lv),),
        "The KL to N(0, 1): this prior has a mean and a variance of its own.":
            lambda m, lv, m0, lv0: (kl(m, lv, 0 * m, 0 * m),),
        "The prior's mean is forgotten: it is m - m₀ that is squared.":
            lambda m, lv, m0, lv0: (kl(m, lv, 0 * m, lv0),),
        "The prior's variance is forgotten: it divides, and its logarithm is added.":
            lambda m, lv, m0, lv0: (kl(m, lv, m0, 0 * m),),
        "The -1 is missing: without it KL(p ‖ p) would not be 0.":
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + (v + (m - m0) ** 2) / v0)),
        "The logarithms' signs exchanged: it is ln s₀² - ln s².":
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v / v0) + (v + (m - m0) ** 2) / v0 - 1)),
        "A parenthesis is missing: s₀² divides both s² and (m - m₀)².": (
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + v + (m - m0) ** 2 / v0 - 1)),
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + v / v0 + (m - m0) ** 2 - 1))),
        "A product for a quotient: s₀² divides.":
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + (v + (m - m0) ** 2) * v0 - 1)),
        "The square is missing: it is (m - m₀)².":
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + (v + (m - m0)) / v0 - 1)),
        "σ where σ² is meant: exp(½ log_var) is σ; exp(log_var) is σ².":
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + (v**0.5 + (m - m0) ** 2) / v0**0.5 - 1)),
        "log_var where s² is meant: exp(log_var) is s².":
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + (np.log(v) + (m - m0) ** 2) / np.log(v0) - 1)),
        "The logarithms are missing: ln s₀² - ln s² is a term.":
            _kl(lambda m, v, m0, v0: 0.5 * ((v + (m - m0) ** 2) / v0 - 1)),
        "The mean's term is missing: it is (m - m₀)² / s₀².":
            _kl(lambda m, v, m0, v0: 0.5 * (np.log(v0 / v) + v / v0 - 1)),
    }),
]


def discriminator_loss(real, fake):
    return np.mean(softplus(-real)) + np.mean(softplus(fake))


def generator_loss(fake):
    return np.mean(softplus(-fake))


SURE = np.array([1000.0, -1000.0, 2.0])
GAN_LOSSES = [
    value("discriminator_loss", discriminator_loss, "the value", [
        (normal(5), normal(4)), (normal(3), normal(6)), (SURE, -SURE[:2])], {
        "Real and fake exchanged: the discriminator is to say 1 to what is real.":
            lambda real, fake: (discriminator_loss(fake, real),),
        "One mean over both: each of the two has a mean of its own.":
            lambda real, fake: (np.mean(softplus(np.concatenate([-real, fake]))),),
        "The fakes as if real: for them it is ln(1 - D), which is -softplus(fake).":
            lambda real, fake: (generator_loss(real) + generator_loss(fake),),
        "The real ones as if fake: for them it is ln D, which is -softplus(-real).":
            lambda real, fake: (np.mean(softplus(real)) + np.mean(softplus(fake)),),
        "The fakes are missing: there are two terms.":
            lambda real, fake: (generator_loss(real),),
        "The real ones are missing: there are two terms.":
            lambda real, fake: (np.mean(softplus(fake)),),
        "A difference for a sum: both terms are to become small.": (
            lambda real, fake: (np.mean(softplus(-real)) - np.mean(softplus(fake)),),
            lambda real, fake: (np.mean(softplus(fake)) - np.mean(softplus(-real)),)),
        "Wasserstein's critic: there the logits themselves are averaged. Here it is ln D.":
            lambda real, fake: (np.mean(fake) - np.mean(real),),
        "Least squares: that is another GAN's loss. Here it is ln D.":
            lambda real, fake: (np.mean((real - 1) ** 2) + np.mean(fake**2),),
        "D for ln D: the logarithm is missing.":
            lambda real, fake: (-np.mean(sigmoid(real)) - np.mean(1 - sigmoid(fake)),),
    }),
    value("generator_loss", generator_loss, "the value", [(normal(5),), (normal(3),), (SURE,)], {
        "The loss that saturates: ln(1 - D(fake)) is flat where D has seen through the fake.":
            lambda fake: (-np.mean(softplus(fake)),),
        "The discriminator's term: the generator wants D to say 1 to its fakes.":
            lambda fake: (np.mean(softplus(fake)),),
        "D for ln D: the logarithm is missing.": (
            lambda fake: (-np.mean(sigmoid(fake)),),
            lambda fake: (np.mean(1 - sigmoid(fake)),)),
        "Wasserstein's generator: there the logits themselves are averaged. Here it is ln D.":
            lambda fake: (-np.mean(fake),),
        "Not averaged: the loss is one number, the mean over the fakes.":
            lambda fake: (softplus(-fake),),
    }),
    rule(generator_loss, 1, [(normal(5),), (normal(3),), (SURE,)], {
        "Wrong sign inside: the slope is -sigmoid(-fake), which is D - 1.": (
            lambda g, y, fake: (-g * sigmoid(fake) / len(fake),),
            lambda g, y, fake: (g * sigmoid(fake) / len(fake),)),
        "The slope of the sigmoid is a factor too many: with the logarithm it cancels.": (
            lambda g, y, fake: (g * (sigmoid(fake) - 1) * sigmoid(fake) * sigmoid(-fake) / len(fake),),
            lambda g, y, fake: (-g * sigmoid(fake) * sigmoid(-fake) / len(fake),)),
        "The derivative in D, not in the logits: one factor of the chain rule is missing.":
            lambda g, y, fake: (-g / sigmoid(fake) / len(fake),),
        "Softplus for its slope: the derivative of softplus is the sigmoid.": (
            lambda g, y, fake: (-g * softplus(-fake) / len(fake),),
            lambda g, y, fake: (g * softplus(-fake) / len(fake),)),
    }),
]


def contrastive_divergence(v, w, b, c, u_h, u_v, drawn=(False, False), v_drawn=True, h_drawn=True,
                           c_used=1, b_used=1, again=False):
    """One step; the keywords make its typical mistakes."""
    data = sigmoid(v @ w + c_used * c)
    h = (u_h < data).astype(float) if h_drawn else data
    model_v = sigmoid(h @ w.T + b_used * b)
    if v_drawn:
        model_v = (u_v < model_v).astype(float)
    model = sigmoid(model_v @ w + c_used * c)
    if drawn[0]:
        data = h
    if drawn[1]:
        model = (u_h < model).astype(float)
    if again:
        model = h
    return (v.T @ data - model_v.T @ model) / len(v), (v - model_v).mean(axis=0), (data - model).mean(axis=0)


def _cd(**mistake):
    return lambda *case: contrastive_divergence(*case, **mistake)


def _cd_sums(reduce):
    """(dW, db, dc) of the sums over the examples of data and of model."""
    def made(v, w, b, c, u_h, u_v):
        data = sigmoid(v @ w + c)
        model_v = (u_v < sigmoid((u_h < data) @ w.T + b)).astype(float)
        model = sigmoid(model_v @ w + c)
        n = len(v)
        return (reduce(v.T @ data, model_v.T @ model) / n, reduce(v.sum(axis=0), model_v.sum(axis=0)) / n,
                reduce(data.sum(axis=0), model.sum(axis=0)) / n)
    return made


def _flipped(h=1, v=1):
    """Of draws that are 1 where the uniform number is above the probability."""
    def made(data_v, w, b, c, u_h, u_v):
        data = sigmoid(data_v @ w + c)
        model_v = (v * u_v < v * sigmoid((h * u_h < h * data) @ w.T + b)).astype(float)
        model = sigmoid(model_v @ w + c)
        return ((data_v.T @ data - model_v.T @ model) / len(data_v), (data_v - model_v).mean(axis=0),
                (data - model).mean(axis=0))
    return made


def _rbm(n, d, h):
    rng = np.random.default_rng([9, n, d, h])
    return (_coins(n, d), 2 * normal(d, h), normal(d, seed=1), normal(h, seed=2), rng.random((n, h)),
            rng.random((n, d)))


CONTRASTIVE_DIVERGENCE = [value(
    "contrastive_divergence", lambda v, w, b, c, u_h, u_v: contrastive_divergence(v, w, b, c, u_h, u_v),
    ("the gradient in W", "the gradient in b", "the gradient in c"),
    [_rbm(8, 4, 3), _rbm(6, 3, 5), _rbm(11, 5, 5)], {
        "Model minus data: this goes down; the gradient of ln p(v) is data minus model.":
            lambda *case: tuple(-x for x in contrastive_divergence(*case)),
        "The data's term alone: the model's average is to be taken away.": _cd_sums(lambda data, model: data),
        "The model's term alone: it is taken from the data's average.": (
            _cd_sums(lambda data, model: model), _cd_sums(lambda data, model: -model)),
        "A sum for a difference: the model's average is taken away.":
            _cd_sums(lambda data, model: data + model),
        "The draw where the probability is meant: in both averages h stands for p(h | v).": (
            _cd(drawn=(True, True)), _cd(drawn=(True, False)), _cd(drawn=(False, True))),
        "The visible units are not drawn: v' is 1 where u_v is below p(v | h), else 0.": _cd(v_drawn=False),
        "The hidden units are not drawn: v' is made from a draw h, not from p(h | v).": _cd(h_drawn=False),
        "Nothing is drawn: a draw is 1 where the uniform number is below the probability.":
            _cd(h_drawn=False, v_drawn=False),
        "The bias c is forgotten: p(h | v) is sigmoid(v W + c).": _cd(c_used=0),
        "The bias b is forgotten: p(v | h) is sigmoid(W h + b).": _cd(b_used=0),
        "The wrong side: a draw is 1 where the uniform number is below the probability.": (
            _flipped(h=-1, v=-1), _flipped(h=-1), _flipped(v=-1)),
        "The first h again: the model's average has p(h | v'), of the v' that was drawn.": _cd(again=True),
        "The transpose of W's gradient: W is (D, H), v first.":
            lambda *case: (contrastive_divergence(*case)[0].T, None, None),
    })]


def similarities(a, b, temperature):
    a, b = (x / np.sqrt((x * x).sum(axis=1, keepdims=True)) for x in (a, b))
    return a @ b.T / temperature


def info_nce(s):
    return np.mean(logsumexp(s) - np.diagonal(s))


SHARP = np.array([[1000.0, 999.0, -1000.0], [1000.0, 1000.5, 1001.0], [-3.0, 0.0, 2.0]])
CHOICES = [(normal(4, 4),), (normal(3, 3),), (SHARP,)]
INFO_NCE = [
    value("similarities", similarities, "s", [
        (normal(4, 3), normal(4, 3, seed=1), 0.5), (normal(3, 3), normal(3, 3, seed=1), 0.1),
        (normal(5, 2), normal(5, 2, seed=1), 0.07)], {
        "Not divided by the lengths: the cosine is of codes of length 1.":
            lambda a, b, t: (a @ b.T / t,),
        "b is not divided by its lengths: the cosine is of two codes of length 1.":
            lambda a, b, t: (a @ b.T / np.linalg.norm(a, axis=1)[:, None] / t,),
        "a is not divided by its lengths: the cosine is of two codes of length 1.":
            lambda a, b, t: (a @ b.T / np.linalg.norm(b, axis=1) / t,),
        "The temperature is missing: it divides.": lambda a, b, t: (similarities(a, b, 1),),
        "The temperature multiplied: it divides.": lambda a, b, t: (similarities(a, b, 1 / t),),
        "The square of the length: a code is divided by its length, with the root.":
            lambda a, b, t: (a @ b.T / (a * a).sum(axis=1)[:, None] / (b * b).sum(axis=1) / t,),
        "Lengths along the wrong axis: the length of a code is over its dimensions, axis 1.":
            lambda a, b, t: ((a / np.linalg.norm(a, axis=0)) @ (b / np.linalg.norm(b, axis=0)).T / t,),
        "One length for all: every code has a length of its own.":
            lambda a, b, t: (a @ b.T / np.linalg.norm(a) / np.linalg.norm(b) / t,),
        "Rows and columns exchanged: row n belongs to a_n.": lambda a, b, t: (similarities(b, a, t),),
        "The codes of a alone: each a_n meets every b_m.": lambda a, b, t: (similarities(a, a, t),),
        "The pairs alone: each a_n meets every b_m, also the others'.":
            lambda a, b, t: (np.diagonal(similarities(a, b, t)),),
        "The sum of the numbers for the length: the length is the root of the sum of the squares.":
            lambda a, b, t: (a @ b.T / np.abs(a).sum(axis=1)[:, None] / np.abs(b).sum(axis=1) / t,),
    }),
    value("info_nce", info_nce, "the value", CHOICES, {
        "Softmax along the wrong axis: row n is the choice of a_n, axis 1.": lambda s: (info_nce(s.T),),
        "Both directions: here only a chooses among b.": lambda s: (0.5 * (info_nce(s) + info_nce(s.T)),),
        "Softmax over everything: each row is normalised by itself.":
            lambda s: (logsumexp(s.ravel()) - np.mean(np.diagonal(s)),),
        "The diagonal is missing: -ln softmax is logsumexp minus the right entry.":
            lambda s: (np.mean(logsumexp(s)),),
        "The mean of all entries for the right ones: the right ones are on the diagonal.":
            lambda s: (np.mean(logsumexp(s)) - np.mean(s),),
        "The probability for its logarithm: it is -ln softmax.":
            lambda s: (-np.mean(np.diagonal(softmax(s))),),
        "The right one left out: the sum under the fraction is over all b, b_n too.":
            lambda s: (np.mean([logsumexp(np.delete(row, n)) - row[n] for n, row in enumerate(s)]),),
        "Not averaged: the loss is one number.": lambda s: (logsumexp(s) - np.diagonal(s),),
    }),
    rule(info_nce, 1, CHOICES, {
        "The diagonal is missing: the right entry is taken away, and has the slope -1.":
            lambda g, y, s: (g * softmax(s) / len(s),),
        "Softmax along the wrong axis: row n is the choice of a_n, axis 1.":
            lambda g, y, s: (g * (softmax(s, 0) - np.eye(len(s))) / len(s),),
        "1 from every entry: it is taken from the diagonal alone.":
            lambda g, y, s: (g * (softmax(s) - 1) / len(s),),
        "The diagonal alone: the other entries of the row push away.":
            lambda g, y, s: (g * (softmax(s) - 1) * np.eye(len(s)) / len(s),),
        "The softmax is missing: it is softmax(s), not s, from which the diagonal is taken.":
            lambda g, y, s: (g * (s - np.eye(len(s))) / len(s),),
        "The slope of softmax is a factor too many: with the logarithm it cancels.":
            lambda g, y, s: (g * (softmax(s) - np.eye(len(s))) * softmax(s) * (1 - softmax(s)) / len(s),),
        "Softmax over everything: each row is normalised by itself.":
            lambda g, y, s: (g * (softmax(s.ravel()).reshape(s.shape) - np.eye(len(s))) / len(s),),
        "Plus for minus: the right entry is taken away.":
            lambda g, y, s: (g * (softmax(s) + np.eye(len(s))) / len(s),),
    }),
]


def embedding(table, words):
    return table[words]


def bag(table, words):
    return table[words].mean(axis=1)


def _put(table, words, rows, put=np.add.at):
    out = np.zeros_like(table)
    put(out, words, rows)
    return out


def _set(out, words, rows):
    out[words] = rows


def _spread(g, words):
    return np.broadcast_to(g[:, None], (*words.shape, g.shape[-1])) / words.shape[1]


def _uses(table, words):
    return np.maximum(np.bincount(words.ravel(), minlength=len(table)), 1)[:, None]


SENTENCES = [(normal(5, 3), np.array([[0, 2], [2, 4], [2, 2], [0, 1]])),
             (normal(4, 2), np.array([[3, 3, 1], [1, 3, 0]])),
             (normal(7, 2), np.array([[6, 5, 5, 1], [1, 1, 1, 1], [0, 6, 2, 5]]))]
OVERWRITTEN = "Overwritten where it should accumulate: a word that turns up twice receives both shares."
EMBEDDING = [
    rule(embedding, 1, SENTENCES, {
        OVERWRITTEN: lambda g, y, table, words: (_put(table, words, g, _set),),
        "Mean for sum: the shares of a word that turns up several times add up.":
            lambda g, y, table, words: (_put(table, words, g) / _uses(table, words),),
        "The first sentence alone: every sentence has shares of its own.":
            lambda g, y, table, words: (_put(table, words[:1], g[:1]),),
        "The first word of each sentence alone: every word has a share.":
            lambda g, y, table, words: (_put(table, words[:, 0], g[:, 0]),),
        "A factor too many: looking up has the slope 1, whatever the table holds.": (
            lambda g, y, table, words: (_put(table, words, g) * table,),
            lambda g, y, table, words: (_put(table, words, g * y),)),
        "Not put back: g has a row for every word of the text, and the table one for every word there is.":
            lambda g, y, table, words: (g,),
        "Divided by the length of the sentence: there is no mean in a look-up.":
            lambda g, y, table, words: (_put(table, words, g) / words.shape[1],),
        "Summed over the text first: each share goes to its own word.":
            lambda g, y, table, words: (_put(table, words, np.broadcast_to(g.sum(axis=(0, 1)), g.shape)),),
    }),
    rule(bag, 1, SENTENCES, {
        OVERWRITTEN: lambda g, y, table, words: (_put(table, words, _spread(g, words), _set),),
        "The mean is forgotten: each of the T words has a T-th of the sentence's gradient.":
            lambda g, y, table, words: (_put(table, words, _spread(g, words)) * words.shape[1],),
        "Divided by the sentences: the mean is over the T words of a sentence.":
            lambda g, y, table, words: (
                _put(table, words, _spread(g, words)) * words.shape[1] / len(words),),
        "Divided by how often the word turns up: each time it has a T-th of that sentence's gradient.":
            lambda g, y, table, words: (
                _put(table, words, _spread(g, words)) * words.shape[1] / _uses(table, words),),
        "The first word of each sentence alone: every word has a share.":
            lambda g, y, table, words: (_put(table, words[:, 0], g / words.shape[1]),),
        "A factor too many: looking up has the slope 1, whatever the table holds.":
            lambda g, y, table, words: (_put(table, words, _spread(g, words)) * table,),
    }),
]


def _log_normal(z, mean, log_var):
    return -0.5 * np.sum(np.log(2 * np.pi) + log_var + (z - mean) ** 2 / np.exp(log_var), axis=-1)


def log_weights(log_likelihood, z, mean, log_var):
    return log_likelihood + _log_normal(z, 0, 0 * z) - _log_normal(z, mean[:, None], log_var[:, None])


def bound(log_w):
    return np.mean(logsumexp(log_w)) - np.log(log_w.shape[1])


LIGHT = np.array([[-1000.0, -1001.0, -2000.0, -1000.5], [-2200.0, -2100.0, -2100.0, -2099.0]])
WEIGHTS = [(normal(5, 3),), (normal(4, 2),), (LIGHT,)]
IMPORTANCE_BOUND = [
    value("log_weights", log_weights, "ln w", [
        (normal(n, k), normal(n, k, d, seed=1), normal(n, d, seed=2), normal(n, d, seed=3))
        for n, k, d in ((5, 2, 3), (3, 4, 2))], {
        "The prior is missing: ln p(z) is a term.":
            lambda l, z, m, lv: (l - _log_normal(z, m[:, None], lv[:, None]),),
        "q is missing: ln q(z | x) is taken away.": lambda l, z, m, lv: (l + _log_normal(z, 0, 0 * z),),
        "The likelihood is missing: ln p(x | z) is a term.":
            lambda l, z, m, lv: (log_weights(0 * l, z, m, lv),),
        "Plus for minus: q divides, so that ln q is taken away.":
            lambda l, z, m, lv: (l + _log_normal(z, 0, 0 * z) + _log_normal(z, m[:, None], lv[:, None]),),
        "Prior and q exchanged: p(z) stands above, q(z | x) below.":
            lambda l, z, m, lv: (l - _log_normal(z, 0, 0 * z) + _log_normal(z, m[:, None], lv[:, None]),),
        "The log_var's term is missing: ln s² is part of ln q.":
            lambda l, z, m, lv: (log_weights(l, z, m, lv) - 0.5 * lv.sum(axis=1)[:, None],),
        "ln 2π in one of the two only: it cancels.": (
            lambda l, z, m, lv: (log_weights(l, z, m, lv) + 0.5 * z.shape[2] * np.log(2 * np.pi),),
            lambda l, z, m, lv: (log_weights(l, z, m, lv) - 0.5 * z.shape[2] * np.log(2 * np.pi),)),
        "The KL for the difference: ln p(z) - ln q(z | x) is of this z, not of all.":
            lambda l, z, m, lv: (l - 0.5 * np.sum(np.exp(lv) + m**2 - 1 - lv, axis=1)[:, None],),
        "log_var where s² is meant: exp(log_var) is s².":
            lambda l, z, m, lv: (l + _log_normal(z, 0, 0 * z) + 0.5 * np.sum(
                np.log(2 * np.pi) + lv[:, None] + (z - m[:, None]) ** 2 / lv[:, None], axis=-1),),
        "σ where σ² is meant: exp(½ log_var) is σ; exp(log_var) is σ².":
            lambda l, z, m, lv: (l + _log_normal(z, 0, 0 * z) + 0.5 * np.sum(
                np.log(2 * np.pi) + lv[:, None] + (z - m[:, None]) ** 2 / np.exp(0.5 * lv[:, None]),
                axis=-1),),
        "Mean for sum: ln p of a vector is the sum over its dimensions.":
            lambda l, z, m, lv: (l + (log_weights(0 * l, z, m, lv)) / z.shape[2],),
    }),
    value("bound", bound, "the value", WEIGHTS, {
        "The ELBO: this is the mean of the logarithms, not the logarithm of the mean.":
            lambda w: (np.mean(w),),
        "1/K is missing: it is the logarithm of a mean, not of a sum.": lambda w: (np.mean(logsumexp(w)),),
        "One logarithm for all: each example has a mean of its own weights.":
            lambda w: (logsumexp(w.ravel()) - np.log(w.size),),
        "Over the wrong axis: the mean inside is over the draws, axis 1.": lambda w: (bound(w.T),),
        "The largest weight for the mean.": lambda w: (np.mean(w.max(axis=1)),),
        "N for K: the mean inside is over the K draws.":
            lambda w: (np.mean(logsumexp(w)) - np.log(len(w)),),
        "Not averaged: the bound is one number.": lambda w: (logsumexp(w) - np.log(w.shape[1]),),
        "1/K in the wrong place: it is inside the logarithm.":
            lambda w: (np.mean(logsumexp(w) / w.shape[1]),),
    }),
    rule(bound, 1, WEIGHTS, {
        "All draws alike: that is the ELBO's gradient. Here the larger weights have the larger say.":
            lambda g, y, w: (g * np.ones_like(w) / w.size,),
        "Over the wrong axis: the weights of an example's draws add up to 1, along axis 1.":
            lambda g, y, w: (g * softmax(w, 0) / len(w),),
        "Softmax over everything: each example's weights add up to 1 by themselves.":
            lambda g, y, w: (g * softmax(w.ravel()).reshape(w.shape),),
        "Not normalised: the weights have to be divided by their sum.":
            lambda g, y, w: (g * np.exp(w) / len(w),),
        "1/K too many: ln(1/K) is a constant, and has no slope.":
            lambda g, y, w: (g * softmax(w) / w.size,),
        "The largest weight alone: every draw has a share, as large as its weight.":
            lambda g, y, w: (g * (w == w.max(axis=1, keepdims=True)) / len(w),),
    }),
]
