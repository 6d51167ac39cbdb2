"""Layers: initial scales, names, state, values, gradients, and what a wrong use says."""

import numpy as np
import pytest

from tinyae import Tensor, checkpoint, grad, gradcheck, models, nn, ops, optim


def dense(n_in=3, n_out=4, seed=0, **options):
    return nn.Dense(n_in, n_out, rng=np.random.default_rng(seed), **options)


class Tied(nn.Module):
    """Nested modules in a list, a tuple and an attribute, one layer twice, and two bare Tensors."""

    def __init__(self):
        self.first = dense()
        self.stages = [dense(4, 3, 1), (self.first, nn.Sequential(ops.tanh, dense(seed=2)))]
        self.scale = Tensor(np.ones(2, np.float32), requires_grad=True)
        self.again = self.scale
        self.count = Tensor(np.zeros((), np.float32))  # not trained, but part of the state
        self.note = "no parameter"


NAMES = ["first.weight", "first.bias", "stages.0.weight", "stages.0.bias",
         "stages.1.1.layers.1.weight", "stages.1.1.layers.1.bias", "scale", "count"]


# --- initialisation ------------------------------------------------------------------------------

@pytest.mark.parametrize("init, variance", [("he", 2 / 300), ("glorot", 2 / (300 + 500))])
def test_initial_scale(init, variance):
    layer = dense(300, 500, init=init)
    w = layer.weight.data
    # The standard error of a variance over n draws is at most sqrt(2/n) of it: here 0.4 %.
    assert w.var(dtype=np.float64) == pytest.approx(variance, rel=0.02)
    assert abs(w.mean(dtype=np.float64)) < 5 * np.sqrt(variance / w.size)
    assert w.dtype == layer.bias.dtype == np.float32
    assert layer.weight.requires_grad and layer.bias.requires_grad
    assert not layer.bias.data.any()
    if init == "glorot":
        bound = np.sqrt(3 * variance)
        assert 0.999 * bound < np.abs(w).max() <= bound * (1 + 1e-6)
    else:
        assert (np.abs(w) > 2 * np.sqrt(variance)).mean() == pytest.approx(0.0455, abs=0.003)


def test_a_seed_gives_the_same_bits():
    one, same, other = dense(), dense(), dense(seed=1)
    assert np.array_equal(one.weight.data, same.weight.data)
    assert not np.array_equal(one.weight.data, other.weight.data)


def test_unknown_initialisation():
    with pytest.raises(ValueError, match=r"init must be one of \['glorot', 'he'\], not 'xavier'"):
        dense(init="xavier")


@pytest.mark.parametrize("make", [
    lambda rng: nn.Dense(3, 4, rng=rng), lambda rng: nn.Conv2d(1, 2, 3, rng=rng, init="glorot"),
    lambda rng: nn.mlp(3, 4, rng=rng)])
@pytest.mark.parametrize("rng", [0, None, np.random])
def test_an_rng_that_is_none(make, rng):
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator, such as"):
        make(rng)


# --- names and state -----------------------------------------------------------------------------

def test_names():
    model = Tied()
    assert [name for name, _ in model.named_tensors()] == NAMES
    assert [name for name, _ in model.named_parameters()] == NAMES[:-1]
    assert [id(p) for p in model.parameters()] == [id(p) for _, p in model.named_parameters()]
    assert list(model.state_dict()) == NAMES
    assert nn.Flatten().parameters() == []


def test_state_dict_copies_and_round_trip():
    model, other = Tied(), Tied()
    state = model.state_dict()
    for p in model.parameters():
        p.data[...] = 7
    assert not (state["first.weight"] == 7).any()
    for array in state.values():
        array[...] = np.random.default_rng(3).standard_normal(array.shape)
    other.load_state_dict(state)
    assert all(np.array_equal(t.data, state[name]) for name, t in other.named_tensors())
    state["scale"][...] = 9  # and the model keeps no reference to what it was given
    assert not (other.scale.data == 9).any()


def test_load_state_dict_in_place():
    model = dense()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    model.load_state_dict({"weight": np.full((3, 4), 2, np.float32), "bias": np.full(4, 3, np.float32)})
    assert np.array_equal(np.sort(optimizer.flat), [2] * 12 + [3] * 4)
    ops.sum(model.weight).backward()
    optimizer.step()  # a replaced array would raise
    assert (model.weight.data == 1).all() and (model.bias.data == 3).all()


def test_every_misfit_is_listed_and_nothing_changes():
    model = Tied()
    before = model.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    del state["first.bias"]
    state["decoder.weight"] = np.zeros(1, np.float32)
    state["scale"] = np.zeros(3, np.float32)
    state["count"] = np.zeros(())
    with pytest.raises(ValueError) as caught:
        model.load_state_dict(state)
    for part in ("does not fit the model", "first.bias is missing", "decoder.weight is not in the model",
                 "scale is float32 of shape (3,), the model's is float32 of shape (2,)",
                 "count is float64 of shape (), the model's is float32 of shape ()"):
        assert part in str(caught.value)
    assert all(np.array_equal(t.data, before[name]) for name, t in model.named_tensors())


def test_what_is_no_state(tmp_path):
    model = dense()
    with pytest.raises(TypeError, match=r"arrays must be a dict .* such as model\.state_dict\(\), not Dense"):
        checkpoint.save(tmp_path / "c", model)
    checkpoint.save(tmp_path / "c", model.state_dict())
    with pytest.raises(TypeError, match=r"arrays, meta = checkpoint\.load\(path\), got tuple"):
        model.load_state_dict(checkpoint.load(tmp_path / "c"))
    with pytest.raises(TypeError, match="load_state_dict: expected a dict of arrays by name"):
        optim.Adam(model.parameters()).load_state_dict(None)


# --- layers --------------------------------------------------------------------------------------

def test_values():
    x = np.random.default_rng(4).standard_normal((5, 3)).astype(np.float32)
    layer = dense()
    layer.bias.data[...] = [1, 2, 3, 4]
    y = layer(Tensor(x))
    assert y.dtype == np.float32
    assert np.allclose(y.data, x @ layer.weight.data + [1, 2, 3, 4], atol=1e-6)
    images = Tensor(np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1))
    flat = nn.Flatten()(images)
    assert np.array_equal(flat.data, images.data.reshape(2, 12))
    assert np.array_equal(nn.Reshape((3, 4, 1))(flat).data, images.data)
    assert nn.Flatten()(Tensor(np.zeros((0, 3, 4), np.float32))).shape == (0, 12)
    assert nn.Flatten()(Tensor(np.zeros(5, np.float32))).shape == (5, 1)


def small_network():
    return nn.Sequential(nn.Flatten(), dense(4, 3), ops.tanh, dense(3, 4, 1, init="glorot"),
                         nn.Reshape((2, 2)), ops.softplus)


def test_gradient_check():
    model = small_network()
    layers = [layer for layer in model.layers if isinstance(layer, nn.Dense)]

    def f(x, *values):
        for layer, weight, bias in zip(layers, values[::2], values[1::2]):
            layer.weight, layer.bias = weight, bias  # the layers see the tensors that are checked
        return model(x)

    rng = np.random.default_rng(5)
    values = [rng.standard_normal(p.shape) for p in model.parameters()]
    assert gradcheck(f, [rng.standard_normal((2, 2, 2)), *values], order=2) < 1e-5


@pytest.mark.parametrize("call, words", [
    (lambda: dense()(Tensor(np.zeros((2, 4), np.float32))), ["Dense", "(N, 3)", "(2, 4)"]),
    (lambda: dense()(Tensor(np.zeros(3, np.float32))), ["Dense", "(N, 3)", "(3,)"]),
    (lambda: nn.Reshape((2, 5))(Tensor(np.zeros((4, 12), np.float32))),
     ["Reshape", "(12,)", "(2, 5)"]),
])
def test_errors_name_shapes(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


def test_sequential():
    x = Tensor(np.array([[-1.0, 2.0]], np.float32))
    assert np.array_equal(nn.Sequential(ops.relu, lambda t: t * 2)(x).data, [[0, 4]])
    assert nn.Sequential()(x) is x
    layer = dense()
    net = nn.Sequential(ops.tanh, layer, ops.relu)
    assert len(net) == 3 and net[1] is layer and net[-1] is ops.relu
    assert list(net) == [ops.tanh, layer, ops.relu]
    assert net[:2].layers == (ops.tanh, layer) and isinstance(net[:2], nn.Sequential)
    assert [name for name, _ in net.named_parameters()] == ["layers.1.weight", "layers.1.bias"]
    with pytest.raises(IndexError):
        net[3]
    with pytest.raises(TypeError, match="must be callable, not int"):
        nn.Sequential(ops.relu, 3)


def test_repr():
    model = nn.Sequential(nn.Flatten(), dense(), ops.relu, nn.Reshape((2, 2)))
    assert repr(model) == "Sequential(Flatten(), Dense(3, 4), relu, Reshape((2, 2)))"
    whole = models.Autoencoder(dense(3, 2), dense(2, 3))
    assert repr(whole) == "Autoencoder(encoder=Dense(3, 2), decoder=Dense(2, 3))"


# --- chains of dense layers ----------------------------------------------------------------------

def generator():
    return np.random.default_rng(6)


def test_mlp():
    assert repr(nn.mlp(4, 3, rng=generator())) == "Sequential(Dense(4, 3))"
    assert repr(nn.mlp((5, 4, 1), 6, 7, 2, rng=generator(), activation=ops.tanh)) == (
        "Sequential(Flatten(), Dense(20, 6), tanh, Dense(6, 7), tanh, Dense(7, 2))")
    decoder = nn.mlp(2, 6, (5, 4, 1), rng=generator(), output=ops.sigmoid)
    assert repr(decoder) == "Sequential(Dense(2, 6), relu, Dense(6, 20), sigmoid, Reshape((5, 4, 1)))"
    images = decoder(nn.mlp((5, 4, 1), 6, 2, rng=generator())(Tensor(np.ones((3, 5, 4, 1), np.float32))))
    assert images.shape == (3, 5, 4, 1) and images.dtype == np.float32
    assert 0 < images.data.min() < images.data.max() < 1


def test_mlp_is_its_layers():
    made, x = nn.mlp(3, 5, 4, 2, rng=generator(), output=ops.softplus), np.ones((2, 3), np.float32)
    g = generator()
    one, two = (nn.Dense(a, b, rng=g, init="he") for a, b in ((3, 5), (5, 4)))
    last = nn.Dense(4, 2, rng=g, init="glorot")
    by_hand = nn.Sequential(one, ops.relu, two, ops.relu, last, ops.softplus)
    assert np.array_equal(made(Tensor(x)).data, by_hand(Tensor(x)).data)


@pytest.mark.parametrize("activation, init", [(ops.relu, "he"), (ops.leaky_relu, "he"), (ops.tanh, "glorot"),
                                              (ops.sigmoid, "glorot"), (lambda x: x, "glorot")])
def test_mlp_begins_as_the_activation_asks(activation, init):
    hidden, last = (f for f in nn.mlp(7, 9, 5, rng=generator(), activation=activation).layers
                    if isinstance(f, nn.Dense))
    g = generator()
    assert np.array_equal(hidden.weight.data, nn.Dense(7, 9, rng=g, init=init).weight.data)
    assert np.array_equal(last.weight.data, nn.Dense(9, 5, rng=g, init="glorot").weight.data)


@pytest.mark.parametrize("widths, says", [
    ((), r"at least two widths, from input to output, got \(\)"), ((3,), r"at least two widths.*got \(3,\)"),
    ((3, (2, 2), 4), r"as the first or the last, not \(3, \(2, 2\), 4\)"),
    (([4, 4], 3), r"widths must be numbers, but for tuples.*not \(\[4, 4\], 3\)"),
])
def test_mlp_of_other_widths(widths, says):
    with pytest.raises(ValueError, match=f"mlp: .*{says}"):
        nn.mlp(*widths, rng=generator())


# --- devices -------------------------------------------------------------------------------------

def test_to_cpu_changes_nothing():
    model = Tied()
    arrays = [id(t.data) for _, t in model.named_tensors()]
    assert model.to("cpu") is model
    assert [id(t.data) for _, t in model.named_tensors()] == arrays
    with pytest.raises(ValueError, match="'tpu'"):
        model.to("tpu")


def test_to_gpu_without_one():
    try:
        import cupy
        if cupy.cuda.runtime.getDeviceCount():
            pytest.skip("there is a GPU")
    except Exception:
        pass  # no CuPy, or no driver
    with pytest.raises(RuntimeError, match="CuPy"):
        dense().to("gpu")


# --- embedding -----------------------------------------------------------------------------------

def embedding(rows=5, width=3):
    return nn.Embedding(rows, width, rng=np.random.default_rng(0))


@pytest.mark.parametrize("indices", [3, [0, 4], [[1, 1, 2], [3, 0, 1]], np.zeros((0, 2), np.int64),
                                     np.array([1, 2], np.uint8), Tensor(np.array([1, 2]))], ids=repr)
def test_embedding_looks_rows_up(indices):
    layer = embedding()
    places = np.asarray(Tensor(indices).data)
    y = layer(indices)
    assert y.shape == (*places.shape, 3) and y.dtype == np.float32
    assert np.array_equal(y.data, layer.weight.data[places])


def test_embedding_is_a_dense_layer_on_one_hot_vectors():
    layer, words = embedding(), np.array([[0, 4, 4], [1, 4, 0]])
    direction = np.random.default_rng(1).standard_normal((2, 3, 3)).astype(np.float32)
    one_hot = Tensor(np.eye(5, dtype=np.float32)[words])
    looked_up, multiplied = (grad(ops.sum(y * direction), layer.weight).data
                             for y in (layer(words), one_hot @ layer.weight))
    assert np.allclose(looked_up, multiplied, atol=1e-6)
    assert not looked_up[2:4].any()  # what was not used has no gradient


def test_gradient_of_an_embedding():
    layer, words = embedding(), np.array([[0, 4, 4], [1, 4, 0]])

    def f(weight):
        layer.weight = weight
        return ops.tanh(layer(words))

    gradcheck(f, [np.random.default_rng(2).standard_normal((5, 3))], order=2)


def test_initial_length_of_a_row():
    weight = embedding(1000, 40).weight
    assert (weight.data**2).sum(axis=1).mean() == pytest.approx(1, rel=0.03)
    assert weight.requires_grad and weight.dtype == np.float32
    assert [name for name, _ in embedding().named_parameters()] == ["weight"]
    assert repr(embedding()) == "Embedding(5, 3)"


@pytest.mark.parametrize("call, message", [
    (lambda: embedding()([0.0, 1.0]), "indices must be integers, not float32"),
    (lambda: embedding()([True]), "indices must be integers, not bool"),
    (lambda: embedding()([0, 5]), r"indices must lie in \[0, 5\), not between 0 and 5"),
    (lambda: embedding()([[3, -1]]), r"indices must lie in \[0, 5\), not between -1 and 3"),
    (lambda: embedding(rows=0), "rows must be at least 1, not 0"),
    (lambda: embedding(width=0), "width must be at least 1, not 0"),
])
def test_embedding_refuses(call, message):
    with pytest.raises(ValueError, match=f"Embedding: {message}"):
        call()


def test_modules_are_found_once():
    model = Tied()
    assert [type(m).__name__ for m in model.modules()] == ["Tied", "Dense", "Dense", "Sequential", "Dense"]
