"""The same code on a GPU: on a strict stand-in for CuPy everywhere, and on CuPy where there is a GPU."""

import inspect
import io
import itertools
import re
import sys
import types

import numpy as np
import pytest
import strict_cupy
import test_ops
import test_patches

import tinyae
from tinyae import (
    Tensor, corruption, data, distributions, grad, gradcheck, losses, models, nn, no_grad, ops, optim, penalties,
    progress, training,
)
from tinyae.backend import device_module, device_of, random_generator


@pytest.fixture
def stand_in(monkeypatch):
    """The stand-in in CuPy's place; the counter of what crosses between host and device."""
    return strict_cupy.install(monkeypatch)


@pytest.fixture(params=["stand-in", pytest.param("CuPy", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    """The array module of the GPU: the stand-in, or CuPy itself."""
    if request.param == "stand-in":
        strict_cupy.install(monkeypatch)
    try:
        return device_module("gpu")
    except RuntimeError as error:
        pytest.skip(str(error))


# --- the gradient-check tables -------------------------------------------------------------------

PATCHES = {name: [(lambda F, *xs, f=f: f(*xs), inputs) for f, inputs in cases]
           for name, cases in test_patches.CASES.items()}
each_operation = pytest.mark.parametrize("cases", [
    pytest.param(cases, id=name) for name, cases in (test_ops.CASES | PATCHES).items()
])


class OnDevice:
    """`tinyae.ops` for the table's functions, with constants made on the device."""

    def __init__(self, xp):
        self.constant = lambda c: xp.asarray(c) if isinstance(c, np.ndarray) else c
        self.Tensor = lambda x: Tensor(xp.asarray(x))

    def __getattr__(self, name):
        return getattr(ops, name)


def derivatives(F, f, arrays):
    """The outputs of f, their gradients, and the gradients of those."""
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    xp = types.SimpleNamespace(asarray=np.asarray) if device_of(arrays[0]) == "cpu" else device_module("gpu")

    def total(ys):
        weights = [Tensor(xp.asarray(test_ops.draw(y.shape, k)), requires_grad=True) for k, y in enumerate(ys)]
        return sum(ops.sum(v * y) for v, y in zip(weights, ys))

    ys = test_ops.as_list(f(F, *xs))
    first = grad(total(ys), xs, create_graph=True)
    return [*ys, *first, *grad(total(first), xs)]


@pytest.mark.filterwarnings("ignore:grad. the output has no history")  # the second derivative of a linear one
@each_operation
def test_values_and_gradients_are_those_of_numpy(gpu, cases):
    for f, inputs in cases:
        here = derivatives(ops, f, inputs)
        there = derivatives(OnDevice(gpu), f, [gpu.asarray(x) for x in inputs])
        assert [t.device for t in there] == ["gpu"] * len(here)
        for a, b in zip(here, there):
            np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-10, atol=1e-12)


@each_operation
def test_gradient_check_on_the_device(stand_in, cases):
    F = OnDevice(strict_cupy.cupy)
    for f, inputs in cases:
        gradcheck(lambda *xs: f(F, *xs), [F.Tensor(x) for x in inputs], order=2)


# --- models, training, checkpoints ---------------------------------------------------------------

IMAGES, _ = data.strokes(48, np.random.default_rng(0))
SHAPE = IMAGES.shape[1:]


def dense(**options):
    return models.Autoencoder(*models.dense_networks(SHAPE, 16, 4, np.random.default_rng(1)),
                              distributions.Bernoulli, **options)


def sigmoid(*penalties):
    rng = np.random.default_rng(1)
    encoder = nn.Sequential(nn.Flatten(), nn.Dense(784, 6, rng=rng, init="glorot"), ops.sigmoid)
    decoder = nn.Sequential(nn.Tied(encoder.layers[1]), nn.Reshape(SHAPE))
    return models.Autoencoder(encoder, decoder, penalties=penalties)


def with_layers():
    # No bias comes right before a BatchNorm, which would take it out again: of a gradient that is
    # zero but for rounding Adam makes steps of full length, and they differ between devices.
    rng = np.random.default_rng(1)
    encoder = nn.Sequential(nn.Conv2d(1, 2, 4, 4, rng=rng), ops.tanh, nn.BatchNorm(2), nn.Dropout(0.2),
                            lambda x: ops.max_pool2d(x, 3, 2), nn.Flatten(), nn.Dense(18, 5, rng=rng))
    decoder = nn.Sequential(nn.Dense(5, 98, rng=rng), nn.Reshape((7, 7, 2)), ops.softplus, nn.BatchNorm(2),
                            lambda x: ops.upsample_nearest2d(x, 2), nn.ConvTranspose2d(2, 1, 2, 2, rng=rng))
    return models.Autoencoder(encoder, decoder, distributions.Bernoulli)


def sparse_coding():
    rng = np.random.default_rng(1)
    encoder = nn.Sequential(nn.Flatten(), nn.Dense(784, 20, rng=rng))
    return models.PredictiveSparseDecomposition(encoder, 784, 20, 0.5, steps=5, rng=rng)


MODELS = {
    "dense VAE": lambda: models.dense_vae(SHAPE, 16, 2, np.random.default_rng(1)),
    "VAE, samples": lambda: models.dense_vae(SHAPE, 16, 2, np.random.default_rng(1), samples=3, beta=2),
    "convolutional VAE": lambda: models.conv_vae(SHAPE, (2, 3), 2, np.random.default_rng(1)),
    "gaussian noise": lambda: dense(corruption=corruption.gaussian(0.3)),
    "masking": lambda: dense(corruption=corruption.masking(0.3)),
    "squares": lambda: dense(corruption=corruption.masking_squares(6, 2)),
    "salt and pepper": lambda: dense(corruption=corruption.salt_and_pepper(0.3)),
    "l1 and l2": lambda: dense(penalties=[penalties.l1(0.1), penalties.l2(0.1)]),
    "sparsity": lambda: sigmoid(penalties.sparsity_kl(0.05, 1.0)),
    "exact Jacobian": lambda: sigmoid(penalties.jacobian(0.1)),
    "closed Jacobian": lambda: sigmoid(penalties.jacobian(0.1, "closed")),
    "estimated Jacobian": lambda: sigmoid(penalties.jacobian(0.1, "stochastic", probes=2)),
    "all layers": with_layers,
    "sparse coding": sparse_coding,
}
OPTIMIZERS = {
    "Adam": lambda ps: optim.Adam(ps, 1e-2),
    "Adam, decay": lambda ps: optim.Adam(ps, 1e-2, weight_decay=0.1, clip_norm=50.0),
    "SGD": lambda ps: optim.SGD(ps, 1e-4, momentum=0.9, nesterov=True, clip_norm=50.0),
}


def fit(model, device, optimizer=OPTIMIZERS["Adam"], epochs=2, **options):
    """Train the model on the device; the history, and the parameters at the end."""
    model.to(device)
    history = training.fit(model, optimizer(model.parameters()), IMAGES[:40], held_out=IMAGES[40:],
                           epochs=epochs, batch_size=16, rng=np.random.default_rng(2), stream=io.StringIO(),
                           **options)
    return [{k: r[k] for k in ("epoch", "train", "held_out")} for r in history], model.state_dict()


def assert_same(a, b, rtol=1e-4):
    """Two results of `fit`, which may differ in the order of sums."""
    for one, other in zip(a[0], b[0], strict=True):
        for part in "train", "held_out":
            assert one[part] == pytest.approx(other[part], rel=rtol)
    assert set(a[1]) == set(b[1])
    for name in a[1]:
        np.testing.assert_allclose(a[1][name], b[1][name], rtol=rtol, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_as_on_the_cpu(stand_in, name):
    assert_same(fit(MODELS[name](), "gpu"), fit(MODELS[name](), "cpu"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_steps_as_on_the_cpu(stand_in, name):
    assert_same(fit(dense(), "gpu", OPTIMIZERS[name]), fit(dense(), "cpu", OPTIMIZERS[name]))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype, gradient, rtol", [
    ("f8", "f8", 1e-12), ("f4", "f4", 1e-5), ("f4", "f8", 1e-5),  # a gradient set by hand may be more precise
])
def test_the_same_gradients_give_the_same_updates(gpu, name, dtype, gradient, rtol):
    """On CuPy, too, whose kernel for Adam is compiled from a text. The gradients are long enough to be clipped."""
    def parameters(device):
        rng = np.random.default_rng(3)
        ps = [Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True).to(device)
              for shape in ((70, 5), (4,), (0, 3), ())]
        optimizer = OPTIMIZERS[name](ps)
        for _ in range(3):
            for p in ps:
                p.grad = Tensor(10 * rng.standard_normal(p.shape).astype(gradient)).to(device)
            optimizer.step()
        return [p.numpy() for p in ps]

    for here, there in zip(parameters("cpu"), parameters("gpu")):
        assert there.dtype == here.dtype == dtype
        np.testing.assert_allclose(there, here, rtol=rtol, atol=rtol)


def test_parameters_may_be_empty(gpu):
    p = Tensor(gpu.zeros((0, 3)), requires_grad=True)
    optim.Adam([p]).step([p])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns(gpu, name):
    """With the device's own random numbers, which on CuPy are not NumPy's."""
    history, _ = fit(MODELS[name](), "gpu", epochs=6)
    assert history[-1]["train"]["loss"] < history[0]["train"]["loss"]


@pytest.mark.parametrize("first, second", [("gpu", "cpu"), ("cpu", "gpu"), ("gpu", "gpu")])
def test_a_run_goes_on_on_either_device(gpu, tmp_path, first, second):
    path = tmp_path / "run.npz"
    fit(dense(), first, epochs=1, checkpoint=path)
    resumed = fit(dense(), second, checkpoint=path, resume=True)
    assert_same(resumed, fit(dense(), "cpu"))


def test_a_model_moves_there_and_back(gpu):
    model = MODELS["convolutional VAE"]()
    before = model.state_dict()
    assert {p.device for p in model.to("gpu").parameters()} == {"gpu"}
    after = model.to("cpu").state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_what_a_model_gives_stays_on_the_device(gpu):
    model, x = MODELS["dense VAE"]().to("gpu"), Tensor(IMAGES).to("gpu")
    with no_grad():
        codes, copies = model.encode(x).mean, model.reconstruct(x)
        drawn = model.sample(3, random_generator(0, "gpu"))
    assert {t.device for t in (codes, copies, drawn, tinyae.jacobian(ops.tanh, codes))} == {"gpu"}
    assert copies.numpy().shape == IMAGES.shape and drawn.shape == (3, *SHAPE)


MEANS, SCALES, POINTS = (test_ops.draw((4, 3), i) for i in range(3))
LABELS = np.array([2, 0, 1, 1])
DISTRIBUTIONS = {
    "Bernoulli": (distributions.Bernoulli, (MEANS,), POINTS > 0),
    "Gaussian": (distributions.Gaussian, (MEANS, SCALES), POINTS),
    "Gaussian, one number": (lambda mean: distributions.Gaussian(mean, 0.5), (MEANS,), POINTS),
    "SquaredError": (distributions.SquaredError, (MEANS,), POINTS),
    "Laplace": (distributions.Laplace, (MEANS, SCALES), POINTS),
    "Laplace, one number": (lambda mean: distributions.Laplace(mean, 0.5), (MEANS,), POINTS),
    "Categorical": (distributions.Categorical, (MEANS,), LABELS),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_there(gpu, name):
    kind, parameters, x = DISTRIBUTIONS[name]

    def results(xp):
        p = kind(*(Tensor(xp.asarray(a)) for a in parameters))
        q = kind(*(Tensor(xp.asarray(0.5 * a)) for a in parameters))
        return [p.mean, p.nll(Tensor(xp.asarray(x))), p.log_prob(Tensor(xp.asarray(x))), p.kl(q)]

    for here, there in zip(results(np), results(gpu), strict=True):
        assert there.device == "gpu" and there.dtype == here.dtype
        np.testing.assert_allclose(there.numpy(), here.numpy(), rtol=1e-10)
    p = kind(*(Tensor(gpu.asarray(a)) for a in parameters))
    drawn = p.sample(random_generator(0, "gpu"))
    assert drawn.device == "gpu" and drawn.shape == x.shape and p.log_prob(drawn).device == "gpu"


def test_cross_entropy_there(gpu):
    there = losses.cross_entropy(Tensor(gpu.asarray(MEANS)), gpu.asarray(LABELS))
    assert there.device == "gpu"
    assert there.item() == pytest.approx(losses.cross_entropy(Tensor(MEANS), LABELS).item(), rel=1e-10)


def test_info_nce_there(gpu):
    there = losses.info_nce(Tensor(gpu.asarray(MEANS)), Tensor(gpu.asarray(POINTS)))
    assert there.device == "gpu"
    assert there.item() == pytest.approx(losses.info_nce(Tensor(MEANS), Tensor(POINTS)).item(), rel=1e-10)


def test_embedding_there(gpu):
    """Indices and rows stay there, and a word that is used twice receives both gradients."""
    layer = nn.Embedding(5, 3, rng=np.random.default_rng(0)).to("gpu")
    words = gpu.asarray(np.array([[2, 0], [2, 4]]))
    y = layer(words)
    weight = layer.weight.numpy()
    assert y.device == "gpu" and np.array_equal(y.numpy(), weight[[[2, 0], [2, 4]]])
    times_used = np.array([[1], [0], [2], [0], [1]])
    assert np.array_equal(grad(ops.sum(y), layer.weight).numpy(), np.repeat(times_used, 3, axis=1))
    with pytest.raises(ValueError, match="indices must be integers, not float64"):
        layer(gpu.asarray(np.ones(3)))


# --- what crosses between host and device --------------------------------------------------------

def transfers_of_an_epoch(counter, name, batch_size, **options):
    """How many arrays or numbers an epoch sends and fetches: the difference between two runs."""
    def run(epochs):
        model = MODELS[name]().to("gpu")
        adam = optim.Adam(model.parameters())
        counter.__init__()
        training.fit(model, adam, IMAGES[:40], epochs=epochs, batch_size=batch_size,
                     rng=np.random.default_rng(2), stream=io.StringIO(), **options)
        return np.array([counter.to_device, counter.to_host])

    return (run(3) - run(2)).tolist()


@pytest.mark.parametrize("batch_size", [20, 4])
@pytest.mark.parametrize("name", MODELS)
def test_an_epoch_transfers_its_order_and_its_report(stand_in, name, batch_size):
    """However many steps it has: the order of the examples goes there, the losses come back, and whether
    the parameters are finite; then the losses on the examples held out."""
    assert transfers_of_an_epoch(stand_in, name, batch_size) == [1, 2]
    assert transfers_of_an_epoch(stand_in, name, batch_size, held_out=IMAGES[40:]) == [1, 3]


def test_examples_that_do_not_fit_go_there_in_batches(stand_in, monkeypatch):
    monkeypatch.setattr(strict_cupy.Memory, "free", IMAGES[:40].nbytes)
    assert transfers_of_an_epoch(stand_in, "dense VAE", 4) == [10, 2]  # ten batches
    monkeypatch.setattr(strict_cupy.Memory, "free", 2 * IMAGES[:40].nbytes)
    assert transfers_of_an_epoch(stand_in, "dense VAE", 4) == [1, 2]


def test_what_the_pool_keeps_counts_as_free(stand_in, monkeypatch):
    monkeypatch.setattr(strict_cupy.Memory, "free", IMAGES[:40].nbytes)
    monkeypatch.setattr(strict_cupy.Pool, "kept", IMAGES[:40].nbytes)
    assert transfers_of_an_epoch(stand_in, "dense VAE", 4) == [1, 2]


def test_progress_on_a_terminal_looks_at_the_loss_now_and_then(stand_in, monkeypatch):
    class Terminal(io.StringIO):
        isatty = staticmethod(lambda: True)

    clock = itertools.count(0, 0.01)  # ten steps in a tenth of a second
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    model = dense().to("gpu")
    stand_in.__init__()
    training.fit(model, optim.Adam(model.parameters()), IMAGES[:40], epochs=1, batch_size=1,
                 rng=np.random.default_rng(2), stream=Terminal())
    assert stand_in.to_host == 2 + 4


def test_labels_take_the_way_of_the_examples(stand_in, monkeypatch):
    """The order is sent once for both; what does not fit goes there batch by batch."""
    seen = []

    class Model(nn.Module):
        def __init__(self):
            self.scale = Tensor(np.ones((), np.float32), requires_grad=True)

        def loss(self, x, labels, rng):
            seen.append((x.device, labels.device, labels.dtype))
            return self.scale * ops.sum(x), {}

    labels = np.arange(40)
    for free, expected in ((None, [1, 2]), (2 * labels.nbytes, [1 + 10, 2])):
        if free is not None:  # the labels fit, the images do not
            monkeypatch.setattr(strict_cupy.Memory, "free", free)
        counts = []
        for epochs in (2, 3):
            model = Model().to("gpu")
            stand_in.__init__()
            training.fit(model, optim.SGD(model.parameters(), 0.0), (IMAGES[:40], labels), epochs=epochs,
                         batch_size=4, rng=np.random.default_rng(2), stream=io.StringIO())
            counts.append(np.array([stand_in.to_device, stand_in.to_host]))
        assert (counts[1] - counts[0]).tolist() == expected
    assert set(seen) == {("gpu", "gpu", labels.dtype)}


class Duel(nn.Module):
    """Two players: a generator of images, and a discriminator."""

    def __init__(self):
        rng = np.random.default_rng(1)
        self.made = nn.Sequential(nn.Dense(3, 784, rng=rng), nn.Reshape(SHAPE), ops.sigmoid)
        self.told = nn.Sequential(nn.Flatten(), nn.Dense(784, 8, rng=rng), ops.tanh, nn.Dense(8, 1, rng=rng))

    def draw(self, x, rng):
        return self.made(Tensor(rng.standard_normal((len(x), 3), dtype=x.dtype)))

    def discriminator_loss(self, x, rng):
        fake = ops.mean(ops.softplus(self.told(self.draw(x, rng).detach())))
        return ops.mean(ops.softplus(-self.told(x))) + fake, {"fake": fake}

    def generator_loss(self, x, rng):
        return ops.mean(ops.softplus(-self.told(self.draw(x, rng)))), {}


def fit_duel(device, epochs=2, model=None, **options):
    model = (model or Duel()).to(device)
    players = {"discriminator": optim.Adam(model.told.parameters(), 1e-2),
               "generator": optim.Adam(model.made.parameters(), 1e-2)}
    history = training.fit(model, players, IMAGES[:40], held_out=IMAGES[40:], epochs=epochs, batch_size=16,
                           rng=np.random.default_rng(2), stream=io.StringIO(), **options)
    return history, model.state_dict()


def test_players_train_as_on_the_cpu(stand_in, tmp_path):
    there, here = fit_duel("gpu"), fit_duel("cpu")
    assert_same(there, here)
    fit_duel("gpu", epochs=1, checkpoint=tmp_path / "c")
    assert_same(fit_duel("cpu", checkpoint=tmp_path / "c", resume=True), here)


def test_an_epoch_of_players_transfers_no_more(stand_in):
    """Its order; the losses of all, whether each player's parameters are finite, and the held-out losses."""
    counts = []
    for epochs in (2, 3):
        stand_in.__init__()
        fit_duel("gpu", epochs)
        counts.append(np.array([stand_in.to_device, stand_in.to_host]))
    assert (counts[1] - counts[0]).tolist() == [1, 4]


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_the_step_of_the_player_is_found(stand_in):
    class Spoilt(Duel):
        def generator_loss(self, x, rng):
            loss, terms = super().generator_loss(x, rng)
            self.step = getattr(self, "step", 0) + 1
            return (loss + ops.sqrt(loss * 0) if self.step in (6, 9) else loss), terms

    with pytest.raises(FloatingPointError, match="the gradient of made.* in epoch 2, step 2; "):
        fit_duel("gpu", model=Spoilt())


@pytest.mark.filterwarnings("ignore:overflow")
def test_averages_that_overflow_are_found_at_the_end_of_the_epoch(stand_in):
    """A gradient too large for Adam leaves the parameters finite and an average infinite."""
    class Steep(nn.Module):
        def __init__(self):
            self.scale, self.step = Tensor(np.ones((), np.float32), requires_grad=True), 0

        def loss(self, x, rng):
            self.step += 1
            return self.scale * (1e25 if self.step in (2, 5) else 1.0), {}

    with pytest.raises(FloatingPointError, match="of scale became too large in epoch 1, step 2: .*Adam"):
        model = Steep().to("gpu")
        training.fit(model, optim.Adam(model.parameters()), IMAGES[:40], epochs=1, batch_size=16,
                     rng=np.random.default_rng(2), stream=io.StringIO())
    assert model.scale.item() == pytest.approx(1 - 1e-3)


# --- where something stops being finite ----------------------------------------------------------

class Poisoned(models.Autoencoder):
    """Its loss or its gradient stops being finite at a certain step, counted over the epochs."""

    def __init__(self, at, what):
        base = dense()
        super().__init__(base.encoder, base.decoder, base.likelihood)
        self.at, self.what, self.step = at, what, 0

    def loss(self, x, rng):
        loss, terms = super().loss(x, rng)
        self.step += self.training_rng is not None
        if self.training_rng is not None and self.step in self.at:
            loss = ops.log(loss * 0) if self.what == "loss" else loss + ops.sum(ops.sqrt(self.encode(x) * 0))
        return loss, terms


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("what, says", [("loss", "the loss became -inf in epoch 2, step 3; .*log"),
                                        ("gradient", "the gradient of .* in epoch 2, step 3; ")])
def test_the_step_is_found_and_the_parameters_before_it_kept(stand_in, what, says):
    """On the GPU the second epoch, of which nobody looked at the steps, is run again: steps 7 to 9."""
    on_cpu, on_gpu = Poisoned([6], what), Poisoned([6, 9], what)
    for model, device in ((on_cpu, "cpu"), (on_gpu, "gpu")):
        with pytest.raises(FloatingPointError, match=says):
            fit(model, device)
    for name, values in on_cpu.state_dict().items():
        np.testing.assert_allclose(on_gpu.state_dict()[name], values, rtol=1e-4, atol=1e-5)


class Picky(Poisoned):
    """As it is, but a batch whose loss would not be finite is an error of its own."""

    def loss(self, x, rng):
        loss, terms = super().loss(x, rng)
        if self.step == 6 and not np.isfinite(loss.item()):
            raise ValueError("no finite number")
        return loss, terms


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_later_step_may_break_on_what_an_earlier_one_left(stand_in):
    """Then the epoch is run again, too. To blame is its second step, the fifth and then the eighth."""
    with pytest.raises(FloatingPointError, match="the gradient of .* in epoch 2, step 2"):
        fit(Picky([5, 8], "gradient"), "gpu")


def test_an_error_that_has_nothing_to_do_with_it_is_left_alone(stand_in):
    model = Poisoned([], "loss")
    model.likelihood = lambda output: 1 / 0
    with pytest.raises(ZeroDivisionError):
        fit(model, "gpu")


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_parameter_may_be_a_term(stand_in, device):
    """It is reported as it was at each step, not as it is at the end."""
    class Model(nn.Module):
        def __init__(self):
            self.scale = Tensor(np.array(1.0, np.float32), requires_grad=True)

        def loss(self, x, rng):
            return ops.sum(x) * 0 + self.scale, {"scale": self.scale}

    history, _ = fit(Model(), device, lambda ps: optim.SGD(ps, 0.25), epochs=1)
    assert history[0]["train"]["scale"] == pytest.approx((16 * 1.0 + 16 * 0.75 + 8 * 0.5) / 40)


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_gradient_that_breaks_in_the_last_step(stand_in):
    """When every loss is still finite."""
    with pytest.raises(FloatingPointError, match="epoch 1, step 3"):
        fit(Poisoned([3, 6], "gradient"), "gpu", epochs=1)


def test_a_step_looks_at_the_gradients_unless_told_not_to(stand_in):
    p = Tensor(strict_cupy.cupy.ones(3), requires_grad=True)
    adam = optim.Adam([p])
    p.grad = Tensor(strict_cupy.cupy.ones(3) * float("nan"))
    with pytest.raises(FloatingPointError, match="no parameter was changed"):
        adam.step()
    assert stand_in.to_host > 0 and p.numpy().tolist() == [1, 1, 1]
    stand_in.__init__()
    adam.step(check=False)
    assert stand_in.to_host == 0


# --- the stand-in itself -------------------------------------------------------------------------

A = strict_cupy.wrap(np.arange(3.0))
REFUSED = {
    "conversion": lambda: np.asarray(A),
    "NumPy's function": lambda: np.exp(A),
    "NumPy's reduction": lambda: np.sum(A),
    "NumPy's array": lambda: A + np.ones(3),
    "NumPy's array, on the left": lambda: np.ones(3) + A,
    "NumPy's array without axes": lambda: A * np.array(2.0),
    "NumPy's array in a function": lambda: strict_cupy.cupy.exp(np.ones(3)),
    "NumPy's array in a list": lambda: strict_cupy.cupy.concatenate([A, np.ones(3)]),
    "a list": lambda: A + [1.0, 2.0, 3.0],
    "assignment": lambda: A.__setitem__(0, np.ones(1)),
    "in place": lambda: A.__iadd__(np.ones(3)),
    "a keyword": lambda: A.sum(where=A > 0),
    "a keyword of a function": lambda: strict_cupy.cupy.zeros_like(A, subok=True),
    "at": lambda: strict_cupy.cupy.maximum.at(A, [0], 1.0),
}


@pytest.mark.parametrize("do", REFUSED.values(), ids=REFUSED)
def test_the_stand_in_refuses(do):
    with pytest.raises((TypeError, NotImplementedError)):
        do()


@pytest.mark.parametrize("name", ["median", "tensordot", "float128"])
def test_the_stand_in_lacks(name):
    with pytest.raises(AttributeError):
        getattr(strict_cupy.cupy, name)
    with pytest.raises(AttributeError):
        A.tolist()


def test_the_stand_in_gives_arrays_without_axes_and_counts(stand_in):
    for y in (A.sum(), A[1], A.max(axis=0), (A + np.float64(1))[0], np.float32(2) * A[0], (A == 1).all()):
        assert isinstance(y, strict_cupy.ndarray) and y.shape == ()
    assert stand_in.to_host == 0
    assert float(A[1]) == A[1].item() == A.get()[1] == 1 and bool(A[1])
    assert stand_in.to_host == 4
    A[[0, 1]], A[np.array([True, False, True])], strict_cupy.cupy.asarray(np.ones(2))
    assert stand_in.to_device == 3


def test_the_stand_in_offers_nothing_that_cupy_does_not():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: nothing to compare the stand-in with")
    for name in strict_cupy.UFUNCS:
        assert isinstance(getattr(cupy, name), cupy.ufunc), name
    for path, names in strict_cupy.FUNCTIONS.items():
        function = cupy
        for part in path.split("."):
            function = getattr(function, part)
        parameters = list(inspect.signature(function).parameters)
        offered = {"object": "obj", "arrays": "tup"}
        assert {offered.get(name, name) for name in names} <= set(parameters), (path, parameters)
    operators = [f"__{prefix}{name.strip('_')}__" for name in strict_cupy.OPERATORS for prefix in ("", "r")]
    operators += [f"__i{name.strip('_')}__" for name in strict_cupy.IN_PLACE]
    others = [f"__{name}__" for name in strict_cupy.COMPARISONS + strict_cupy.UNARY]
    for name, names in strict_cupy.METHODS.items():
        signature, = re.findall(rf"{name}\((.*)\)", getattr(cupy.ndarray, name).__doc__.splitlines()[0])
        assert set(names) <= set(re.findall(r"(\w+)(?:=|,|$)", signature)), (name, signature)
    for name, names in strict_cupy.DRAWS.items():
        parameters = list(inspect.signature(getattr(cupy.random.Generator, name)).parameters)
        assert [p for p in parameters if p in names] == list(names), (name, parameters)
    for name in [*strict_cupy.METHODS, *strict_cupy.PROPERTIES, *operators, *others, "get", "item", "T"]:
        assert hasattr(cupy.ndarray, name), name
    assert issubclass(cupy.random.Philox4x3210, cupy.random.BitGenerator) and cupy.random.Generator
    assert cupy.ElementwiseKernel("T x", "T y", "y = x;", "copy").nargs == 2
    assert cupy.where and cupy.get_default_memory_pool().free_bytes
    assert cupy.cuda.Device.mem_info and cupy.cuda.runtime.getDeviceCount and cupy.cuda.nvrtc.getVersion
    assert cupy.ndarray.__module__.partition(".")[0] == "cupy"


# --- python -m tinyae ----------------------------------------------------------------------------

def test_the_report_of_the_devices(stand_in, monkeypatch, capsys):
    from tinyae import __main__ as program

    name = {"name": b"a card of the tests"}
    monkeypatch.setattr(strict_cupy.cupy.cuda.runtime, "getDeviceProperties", lambda i: name, raising=False)
    assert program.main() == 0
    first, cpu, gpu = capsys.readouterr().out.splitlines()
    assert first.startswith("Python ") and np.__version__ in first
    assert cpu.startswith("cpu: ") and "gradients right to" in cpu and "loss" in cpu
    assert gpu.startswith("gpu: a card of the tests, CuPy stand-in; gradients right to")


@pytest.mark.parametrize("words, status, said", [(["--help"], 0, "the devices, and a short check of each"),
                                                 (["--gpu"], 2, "unrecognized arguments: --gpu")])
def test_the_report_has_no_options(capsys, words, status, said):
    from tinyae import __main__ as program

    with pytest.raises(SystemExit) as stop:
        program.main(words)
    assert stop.value.code == status
    assert said in " ".join("".join(capsys.readouterr()).split())


def test_the_report_without_cupy(monkeypatch, capsys):
    from tinyae import __main__ as program

    monkeypatch.setitem(sys.modules, "cupy", None)
    assert program.main() == 0
    assert "gpu: the GPU needs CuPy, which is not installed: pip install" in capsys.readouterr().out


def test_the_report_of_a_device_that_fails(monkeypatch, capsys):
    from tinyae import __main__ as program

    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(program.optim.Adam, "_update", lambda *args: None)
    assert program.main() == 1
    assert "cpu: FAILED: ArithmeticError: training took the loss from" in capsys.readouterr().out


def test_the_report_of_a_device_that_cannot_even_be_described(stand_in, capsys):
    from tinyae import __main__ as program

    assert program.main() == 1  # the stand-in has no properties
    assert "gpu: FAILED: AttributeError: " in capsys.readouterr().out


def test_device_gives_the_module_of_its_arrays(gpu):
    assert tinyae.device("cpu") is np and tinyae.device("gpu") is gpu
