"""Predictive sparse decomposition: inference finds the minimum, and the encoder learns to predict it."""

import numpy as np
import pytest

from tinyae import Tensor, grad, gradcheck, models, nn, ops, optim, training

SIZE, ATOMS, LAMBDA = 6, 9, 0.2


def rng(seed=0):
    return np.random.default_rng(seed)


def model(dtype=np.float64, size=SIZE, atoms=ATOMS, sparsity=LAMBDA, seed=0, **options):
    g = rng(seed)
    encoder = nn.Sequential(nn.Dense(size, atoms, rng=g), ops.tanh, nn.Dense(atoms, atoms, rng=g))
    made = models.PredictiveSparseDecomposition(encoder, size, atoms, sparsity, rng=g, **options)
    for p in made.parameters():
        p.data = p.data.astype(dtype)
    return made


def examples(n=20, size=SIZE, seed=1):
    return rng(seed).standard_normal((n, size))


def test_shapes_and_names():
    psd, x = model(np.float32), Tensor(examples().astype(np.float32))
    assert psd.dictionary().shape == (ATOMS, SIZE)
    assert psd.encode(x).shape == psd.infer(x).shape == (20, ATOMS)
    assert psd.decode(psd.infer(x)).shape == (20, SIZE)
    assert "directions" in dict(psd.named_parameters()) and len(psd.parameters()) == 5
    loss, terms = psd.loss(x)
    assert list(terms) == ["reconstruction", "sparsity", "prediction"]
    assert loss.item() == pytest.approx(sum(t.item() for t in terms.values()), rel=1e-6)
    assert loss.dtype == psd.infer(x).dtype == psd.dictionary().dtype == np.float32
    assert not psd.infer(x).requires_grad
    images = ops.reshape(x, (20, 2, 3, 1))
    assert np.array_equal(psd.infer(images).data, psd.infer(x).data)
    assert psd.objective(images, psd.infer(x)).item() == psd.objective(x, psd.infer(x)).item()


def test_atoms_have_length_one():
    psd = model()
    assert np.allclose((psd.dictionary().data ** 2).sum(1), 1, rtol=1e-12)
    psd.directions.data *= 7
    assert np.allclose(psd.dictionary().data, model().dictionary().data, rtol=1e-12)
    along = grad(psd.loss(Tensor(examples()))[0], psd.directions).data * psd.directions.data
    assert np.abs(along.sum(1)).max() < 1e-10  # the length of a direction changes nothing


@pytest.mark.parametrize("sparsity", [0.05, 0.2, 1.0])
def test_the_code_satisfies_the_conditions_of_the_minimum(sparsity):
    psd, x = model(sparsity=sparsity), examples()
    h, d = psd.infer(Tensor(x), 5000).data, psd.dictionary().data
    pull = (x - h @ d) @ d.T  # minus the gradient of the smooth part
    active = h != 0
    assert 0 < active.mean() < 1
    assert np.allclose(pull[active], sparsity * np.sign(h[active]), atol=1e-8)
    assert (np.abs(pull[~active]) <= sparsity + 1e-8).all()


def test_the_bound_of_fista():
    psd, x = model(), Tensor(examples())
    best = psd.infer(x, 5000)
    minimum, d = psd.objective(x, best).item(), psd.dictionary().data
    scale = 2 * np.linalg.norm(d, 2) ** 2 * (best.data**2).sum() / len(x)
    for k in (1, 3, 10, 30, 100):
        gap = psd.objective(x, psd.infer(x, k)).item() - minimum
        assert -1e-12 <= gap <= scale / (k + 1) ** 2
    by_default = psd.infer(x)
    assert np.array_equal(by_default.data, psd.infer(x, 50).data)


def test_it_is_faster_than_plain_gradient_steps():
    psd, x = model(sparsity=0.01), examples()
    psd.directions.data += 2  # atoms that are much alike
    d = psd.dictionary().data
    length, h = 1 / np.linalg.norm(d, 2) ** 2, np.zeros((20, ATOMS))
    minimum = psd.objective(Tensor(x), psd.infer(Tensor(x), 20_000)).item()
    for _ in range(100):
        h = h + length * (x - h @ d) @ d.T
        h = np.sign(h) * np.maximum(np.abs(h) - length * 0.01, 0)
    fista, ista = (psd.objective(Tensor(x), c).item() for c in (psd.infer(Tensor(x), 100), Tensor(h)))
    assert fista - minimum < 0.1 * (ista - minimum)


def test_orthogonal_atoms_are_shrunk():
    psd, x = model(atoms=SIZE), examples()
    q = np.linalg.qr(rng(2).standard_normal((SIZE, SIZE)))[0]
    psd.directions.data = q * 3
    along = x @ q.T
    expected = np.sign(along) * np.maximum(np.abs(along) - LAMBDA, 0)
    assert np.allclose(psd.infer(Tensor(x)).data, expected, atol=1e-12)


def test_objective_by_hand():
    psd, x, h = model(), examples(), rng(3).standard_normal((20, ATOMS))
    error = x - h @ psd.dictionary().data
    expected = ((error**2).sum() / 2 + LAMBDA * np.abs(h).sum()) / 20
    assert psd.objective(Tensor(x), Tensor(h)).item() == pytest.approx(expected, rel=1e-12)


def test_each_term_trains_its_part():
    psd, x = model(), Tensor(examples())
    terms = psd.loss(x)[1]
    encoder = psd.encoder.parameters()
    assert all(not g.data.any() for g in grad(terms["reconstruction"], encoder))
    assert not grad(terms["prediction"], psd.directions).data.any()
    assert not terms["sparsity"].requires_grad
    assert all(g.data.any() for g in grad(terms["prediction"], encoder))
    # At the minimum over h the gradient in D is that of the objective itself (the envelope theorem).
    psd.steps = 5000
    at_minimum = grad(psd.loss(x)[0], psd.directions).data

    def minimum(directions):
        psd.directions.data = directions
        return psd.objective(x, psd.infer(x)).item()

    start = psd.directions.data.copy()
    for index in ((0, 0), (3, 2), (8, 5)):
        step = np.zeros_like(start)
        step[index] = 1e-5
        slope = (minimum(start + step) - minimum(start - step)) / 2e-5
        assert slope == pytest.approx(at_minimum[index], rel=1e-4, abs=1e-7)


def test_gradient_check():
    psd, x = model(), Tensor(examples(3))
    h = psd.infer(x)

    def objective(directions):
        psd.directions = directions
        return psd.objective(x, h)

    gradcheck(objective, [psd.directions.data], order=2)


def test_training_finds_a_dictionary_and_predicts_the_code():
    g = rng(4)
    truth = g.standard_normal((8, 8))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    codes = g.standard_normal((600, 8)) * 3 * (g.random((600, 8)) < 0.2)
    x = (codes @ truth).astype(np.float32)
    encoder = nn.Sequential(nn.Dense(8, 32, rng=g), ops.relu, nn.Dense(32, 8, rng=g))
    psd = models.PredictiveSparseDecomposition(encoder, 8, 8, 0.2, steps=20, rng=g)
    before = psd.objective(Tensor(x), psd.infer(Tensor(x), 500)).item()
    history = training.fit(psd, optim.Adam(psd.parameters(), 0.01), x, epochs=40, batch_size=50, rng=g)
    first, last = (history[i]["train"] for i in (0, -1))
    assert last["loss"] < 0.2 * first["loss"] and last["prediction"] < 0.1 * first["prediction"]
    closeness = np.abs(truth @ psd.dictionary().data.T).max(1)  # of each true atom to the nearest found
    assert closeness.min() > 0.97
    inferred, predicted, nothing = (psd.objective(Tensor(x), h).item() for h in (
        psd.infer(Tensor(x), 500), psd.encode(Tensor(x)), Tensor(np.zeros((600, 8), np.float32))))
    assert inferred < 0.5 * before
    assert predicted < 1.4 * inferred < 0.3 * nothing


@pytest.mark.parametrize("options", [{"sparsity": -1}, {"steps": 0}])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match="sparsity must be at least 0 and steps at least 1"):
        model(**options)


def test_an_encoder_of_another_width():
    psd = model()
    psd.encoder = nn.Dense(SIZE, 4, rng=rng())
    with pytest.raises(ValueError, match=r"the shapes must be equal, not \(20, 4\), \(20, 9\)"):
        psd.loss(Tensor(examples()))


def test_sparsity_grows_with_its_weight():
    x = Tensor(examples())
    active = [(model(sparsity=s).infer(x, 500).data != 0).mean() for s in (0.01, 0.3, 1.0)]
    assert active[0] > active[1] > active[2]
