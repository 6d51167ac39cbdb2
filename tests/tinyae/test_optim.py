"""SGD and Adam against loops written out, and what they refuse."""

import math
import pickle

import numpy as np
import pytest

from tinyae import Tensor, grad, ops, optim
from tinyae.optim import BLOCK

SHAPES = [(3, 4), (5,), ()]


def parameters(shapes=SHAPES, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [Tensor(np.asarray(rng.standard_normal(s), dtype), requires_grad=True) for s in shapes]


def sgd(p, gs, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    v = 0.0
    for g in gs:
        p = p - lr * weight_decay * p
        v = momentum * v + g
        p = p - lr * (g + momentum * v if nesterov else v)
    return p


def adam(p, gs, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    m = v = 0.0
    for t, g in enumerate(gs, 1):
        p = p - lr * weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
    return p


METHODS = {
    "sgd": (optim.SGD, sgd, {"lr": 0.1}),
    "momentum": (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd, decay": (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2}),
    "adam": (optim.Adam, adam, {}),
    "adam, other betas": (optim.Adam, adam, {"lr": 0.1, "betas": (0.5, 0.7), "eps": 0.1}),
    "adam, no averages": (optim.Adam, adam, {"lr": 0.1, "betas": (0.0, 0.0)}),
    "adam, decay": (optim.Adam, adam, {"lr": 0.1, "weight_decay": 0.3}),
}
each = pytest.mark.parametrize("method, loop, options", METHODS.values(), ids=METHODS)


def train(optimizer, ps, gradients):
    for row in gradients:
        optimizer.zero_grad()
        for p, g in zip(ps, row):
            p.grad = None if g is None else Tensor(np.asarray(g, p.dtype))
        optimizer.step()


def gradients(shapes=SHAPES, steps=20, seed=1):
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(s) * 3 for s in shapes] for _ in range(steps)]


def clipped(row, limit):
    norm = math.sqrt(sum((g**2).sum() for g in row))
    return [g * min(1, limit / norm) for g in row]


@each
@pytest.mark.parametrize("clip_norm", [None, 5.0])
@pytest.mark.parametrize("shapes", [SHAPES, [(BLOCK // 7, 15), (3,)]], ids=["small", "over blocks"])
def test_against_the_loop(method, loop, options, clip_norm, shapes):
    ps, steps = parameters(shapes), 20 if shapes is SHAPES else 3
    starts, rows = [p.data.copy() for p in ps], gradients(shapes, steps)
    rows[1] = [1e-3 * g for g in rows[1]]  # small enough not to be clipped
    train(method(ps, clip_norm=clip_norm, **options), ps, rows)
    rows = [clipped(row, clip_norm) for row in rows] if clip_norm else rows
    for i, (p, start) in enumerate(zip(ps, starts)):
        expected = loop(start, [row[i] for row in rows], **options)
        assert np.allclose(p.data, expected, rtol=1e-12, atol=1e-13)


@each
def test_float32(method, loop, options):
    ps = parameters(dtype=np.float32)
    starts, rows = [p.data.astype(np.float64) for p in ps], gradients()
    train(method(ps, **options), ps, rows)
    for i, (p, start) in enumerate(zip(ps, starts)):
        assert p.dtype == np.float32
        expected = loop(start, [row[i] for row in rows], **options)
        assert np.allclose(p.data, expected, rtol=1e-4, atol=1e-4)


@each
def test_no_gradient_counts_as_zero(method, loop, options):
    ps, same = parameters(), parameters()
    rows = gradients()
    for row in rows[::2]:
        row[0] = None
    train(method(ps, **options), ps, rows)
    train(method(same, **options), same, [[0 * p.data if g is None else g for p, g in zip(same, row)]
                                          for row in rows])
    assert all(np.array_equal(p.data, q.data) for p, q in zip(ps, same))


def test_gradients_come_from_backward():
    p, = parameters([(3,)])
    optimizer = optim.SGD([p], lr=0.5)
    start = p.data.copy()
    for factor in (1, 2):  # twice: zero_grad forgets the first
        optimizer.zero_grad()
        assert p.grad is None
        (ops.sum(p * p) * factor).backward()
        optimizer.step()
    assert np.allclose(p.data, start * (1 - 1) * (1 - 2))
    assert not p.data.any()


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.05, 0.9), lambda p: optim.Adam(p, 0.1),
                                  lambda p: optim.SGD(p, 0.05, 0.9, nesterov=True, clip_norm=1.0)])
def test_converges_on_a_quadratic(make):
    p, q = parameters([(2,), (2,)])
    target, scale = np.array([3.0, -2.0]), np.array([1.0, 10.0])
    optimizer = make([p, q])
    for _ in range(500):
        optimizer.zero_grad()
        error = p + q * 0.5 - target
        ops.sum(scale * error * error + q * q).backward()
        optimizer.step()
    assert np.abs(p.data - target).max() < 1e-3 and np.abs(q.data).max() < 1e-3


# --- state ---------------------------------------------------------------------------------------

@each
def test_state_continues_bit_for_bit(method, loop, options):
    rows = gradients()
    ps = parameters(dtype=np.float32)
    optimizer = method(ps, **options)
    train(optimizer, ps, rows[:7])
    state = optimizer.state_dict()
    kept, values = {k: v.copy() for k, v in state.items()}, [p.data.copy() for p in ps]
    train(optimizer, ps, rows[7:])
    assert all(np.array_equal(state[k], kept[k]) for k in kept)  # a copy, not a view
    others = [Tensor(v, requires_grad=True) for v in values]
    second = method(others, **options)
    second.load_state_dict(state)
    train(second, others, rows[7:])
    assert all(np.array_equal(p.data, q.data) for p, q in zip(ps, others))
    assert all(np.array_equal(v, second.state_dict()[k]) for k, v in optimizer.state_dict().items())


@pytest.mark.parametrize("change", [
    lambda s: {**s, "moment": s["moment"][:1]},
    lambda s: {**s, "moment": s["moment"][:, :-1]},
    lambda s: {**s, "more": np.zeros(1)},
    lambda s: {"steps": s["steps"]},
    lambda s: {"moment": s["moment"]},
    lambda s: {},
], ids=["fewer moments", "fewer parameters", "more", "no moment", "no steps", "nothing"])
def test_foreign_state(change):
    ps = parameters()
    optimizer = optim.Adam(ps)
    train(optimizer, ps, gradients(steps=2))
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match="the state does not fit the optimiser: (moment|more|steps) is"):
        optimizer.load_state_dict(change({"steps": np.array(9), "moment": before["moment"] + 1}))
    assert all(np.array_equal(v, before[k]) for k, v in optimizer.state_dict().items())


# --- what is refused -----------------------------------------------------------------------------

def result():
    return parameters([(2,)])[0] * 2


@pytest.mark.parametrize("make, message", [
    (lambda p: optim.SGD([], 0.1), "at least one parameter"),
    (lambda p: optim.SGD([p, p], 0.1), "given twice"),
    (lambda p: optim.SGD([p, p.data], 0.1), "parameter 1 must be a Tensor made with requires_grad"),
    (lambda p: optim.SGD([p.detach()], 0.1), "parameter 0 must be"),
    (lambda p: optim.SGD([result()], 0.1), "parameter 0 must be"),
    (lambda p: optim.Adam([p, *parameters(dtype=np.float32)]), "float32 on the cpu, float64 on the cpu"),
    (lambda p: optim.SGD([p], -0.1), "lr must be"),
    (lambda p: optim.SGD([p], math.nan), "lr must be"),
    (lambda p: optim.SGD([p], math.inf), "lr must be"),
    (lambda p: optim.SGD([p], None), "lr must be"),
    (lambda p: optim.SGD([p], 0.1, weight_decay=-1), "weight_decay must be"),
    (lambda p: optim.Adam([p], clip_norm=math.nan), "clip_norm must be"),
    (lambda p: optim.SGD([p], 0.1, momentum=1), "momentum must be"),
    (lambda p: optim.SGD([p], 0.1, momentum=-0.1), "momentum must be"),
    (lambda p: optim.SGD([p], 0.1, momentum=math.nan), "momentum must be"),
    (lambda p: optim.SGD([p], 0.1, nesterov=True), "nesterov needs a momentum"),
    (lambda p: optim.Adam([p], betas=(1.0, 0.9)), "betas must be"),
    (lambda p: optim.Adam([p], betas=(0.9, -0.1)), "betas must be"),
    (lambda p: optim.Adam([p], eps=0), "eps above 0"),
    (lambda p: optim.Adam([p], eps=math.nan), "eps above 0"),
])
def test_bad_arguments(make, message):
    p, = parameters([(2,)])
    array = p.data
    with pytest.raises(ValueError, match=message):
        make(p)
    assert p.data is array


@each
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_nonfinite_gradient_changes_nothing(method, loop, options, bad, clip_norm):
    ps = parameters(dtype=np.float32)
    optimizer = method(ps, clip_norm=clip_norm, **options)
    train(optimizer, ps, gradients(steps=2))
    before, values = optimizer.state_dict(), [p.data.copy() for p in ps]
    row = gradients(steps=1)[0]
    row[1][3] = bad
    with pytest.raises(FloatingPointError, match="gradient is NaN or infinite"):
        train(optimizer, ps, [row])
    assert all(np.array_equal(p.data, v) for p, v in zip(ps, values))
    assert all(np.array_equal(v, before[k]) for k, v in optimizer.state_dict().items())


@pytest.mark.parametrize("clip_norm, expected", [(None, -1e30), (1.0, -1 / math.sqrt(2))])
def test_a_norm_beyond_float32_is_not_nan(clip_norm, expected):
    p = Tensor(np.zeros(2, np.float32), requires_grad=True)
    train(optim.SGD([p], 1.0, clip_norm=clip_norm), [p], [[np.full(2, 1e30)]])
    assert np.allclose(p.data, expected, rtol=1e-6)


def test_replaced_array():
    ps = parameters()
    optimizer = optim.Adam(ps)
    ps[1].data = ps[1].data.copy()
    with pytest.raises(RuntimeError, match=r"shape \(5,\) has been given a new array"):
        optimizer.step()
    ps[0].data[...] = 0  # in place is allowed
    assert not optimizer.flat[:12].any()


# --- the gradients given -------------------------------------------------------------------------

@each
def test_a_step_takes_the_gradients(method, loop, options):
    """And leaves them, and `grad`, as they are."""
    given, left = parameters(dtype=np.float32), parameters(dtype=np.float32)
    one, other = method(given, **options), method(left, **options)
    rows = gradients(steps=4)
    train(other, left, rows)
    for row in rows:
        grads = [Tensor(g.astype(np.float32)) for g in row]
        one.step(grads)
        assert all(np.array_equal(g.data, r.astype(np.float32)) for g, r in zip(grads, row))
    assert all(p.data.tobytes() == q.data.tobytes() for p, q in zip(given, left))
    assert all(p.grad is None for p in given)


@pytest.mark.parametrize("make, error, message", [
    (lambda ps: None, ValueError,
     r"no parameter has a gradient: call loss\.backward\(\) before the step, or give"),
    (lambda ps: ps[:2], ValueError, "step: expected a gradient for each of 3 parameters, got 2"),
    (lambda ps: [], ValueError, "each of 3 parameters, got 0"),
    (lambda ps: [ps[1], ps[0], ps[2]], ValueError, r"gradient 0 has shape \(5,\), its parameter \(3, 4\)"),
    (lambda ps: ps[0], TypeError, "a list of gradients, .* got Tensor"),
    (lambda ps: False, TypeError, "a list of gradients, .* got bool"),
    (lambda ps: [p.data for p in ps], TypeError, "a list of gradients, .* got one that holds ndarray"),
    (lambda ps: [None] * 3, TypeError, "got one that holds NoneType"),
])
def test_gradients_that_do_not_fit(make, error, message):
    ps = parameters()
    optimizer, before = optim.Adam(ps), [p.data.copy() for p in ps]
    with pytest.raises(error, match=message):
        optimizer.step(make(ps))
    assert optimizer.steps == 0 and all(np.array_equal(p.data, b) for p, b in zip(ps, before))


# --- large numbers -------------------------------------------------------------------------------

def test_adam_forgets_a_large_gradient():
    """It keeps the average of g² itself, which 2e19 does not overflow, and goes on."""
    p = Tensor(np.zeros(2, np.float32), requires_grad=True)
    adam = optim.Adam([p], 0.1, betas=(0.9, 0.9))
    for size in (2e19, *[1.0] * 1000):
        adam.step([Tensor(np.array([size, 1], np.float32))])
    assert adam.is_finite()
    before = p.data.copy()
    for _ in range(10):
        adam.step([Tensor(np.ones(2, np.float32))])
    assert np.allclose(before - p.data, 1.0, rtol=1e-2)  # ten steps of 0.1, as of any other weight


def test_the_averages_are_the_true_ones():
    ps, rows = parameters(), gradients(steps=9)
    adam = optim.Adam(ps, betas=(0.8, 0.95))
    train(adam, ps, rows)
    m = v = 0
    for row in rows:
        g = np.concatenate([np.ravel(x) for x in row])
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
    assert np.allclose(adam.state_dict()["moment"], [m, v], rtol=1e-12)


TOO_LARGE = {
    "adam": (lambda ps: optim.Adam(ps), 1e21),
    "momentum": (lambda ps: optim.SGD(ps, 0.0, 0.9), 3e38),
    "a parameter": (lambda ps: optim.SGD(ps, 1e10), 3e30),
}


@pytest.mark.parametrize("make, size", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_step_that_would_overflow_changes_nothing(make, size):
    ps = parameters(dtype=np.float32)
    optimizer = make(ps)
    grads = [Tensor(np.ones(s, np.float32)) for s in SHAPES]
    optimizer.step([g * 1e-12 for g in grads])
    grads[1] = grads[1] * size
    if optimizer.moments == 1 and optimizer.momentum:
        optimizer.step(grads)  # as large as float32 goes, and not yet too large
    before, values = optimizer.state_dict(), [p.data.copy() for p in ps]
    message = r"parameter 1, of shape \(5,\), is too large for \w+ in float32; no parameter was changed"
    with pytest.raises(optim.NotFinite, match=message) as caught:
        optimizer.step(grads)
    assert caught.value.index == 1 and not caught.value.gradient
    assert all(np.array_equal(p.data, v) for p, v in zip(ps, values))
    assert all(np.array_equal(v, before[k]) for k, v in optimizer.state_dict().items())


def test_half_precision_is_refused():
    with pytest.raises(ValueError, match="parameter 0 is of float16.*: keep parameters in float32"):
        optim.SGD(parameters(dtype=np.float16), 0.1)


@each
def test_snapshot(method, loop, options):
    ps = parameters()
    optimizer = method(ps, **options)
    train(optimizer, ps, gradients(steps=2))
    before, values, restore = optimizer.state_dict(), [p.data.copy() for p in ps], optimizer.snapshot()
    train(optimizer, ps, gradients(steps=3))
    restore()
    assert all(np.array_equal(p.data, v) for p, v in zip(ps, values))
    assert all(np.array_equal(v, before[k]) for k, v in optimizer.state_dict().items())


@pytest.mark.parametrize("where", ["flat", "moment"])
def test_is_finite(where):
    adam = optim.Adam(parameters())
    assert adam.is_finite()
    getattr(adam, where)[..., 5] = np.inf
    assert not adam.is_finite()


# --- schedules -----------------------------------------------------------------------------------

@each
def test_the_schedule_is_asked_at_every_step(method, loop, options):
    ps, rows = parameters(), gradients(steps=4)
    start = ps[0].data.copy()
    scheduled = method(ps, **{**options, "lr": lambda t: 0.1 * (1 - t)})
    asked = []
    for i, row in enumerate(rows):
        scheduled.progress = i / 4
        asked.append(scheduled.rate)
        train(scheduled, ps, [row])
    assert asked == pytest.approx([0.1, 0.075, 0.05, 0.025])
    by_hand, = parameters([SHAPES[0]])
    optimizer = method([by_hand], **{**options, "lr": 0.0})
    for rate, row in zip(asked, rows):
        optimizer.lr = rate
        train(optimizer, [by_hand], [row[:1]])
    assert np.array_equal(by_hand.data, ps[0].data) and not np.array_equal(start, ps[0].data)


def test_falling():
    schedule = optim.falling(3.0, 2.0, 1.0, parts=4)
    assert [schedule(i / 8) for i in range(8)] == [3.0] * 4 + [2.0] * 2 + [1.0] * 2
    assert {optim.falling(0.5)(t) for t in (0, 0.3, 0.999)} == {0.5}
    for n in range(1, 200):  # a third begins where a third begins, whatever the rounding
        schedule = optim.falling(2, 1)
        assert [schedule(i / (3 * n)) for i in range(3 * n)] == [2] * 2 * n + [1] * n


def test_one_cycle():
    schedule = optim.one_cycle(0.5, warmup=0.25, start=0.2)
    assert [schedule(t) for t in (0, 0.125, 0.25, 0.625)] == pytest.approx([0.1, 0.3, 0.5, 0.25])
    assert 0 <= schedule(1 - 1e-9) < 1e-9
    assert optim.one_cycle(0.5, warmup=0)(0) == 0.5


@pytest.mark.parametrize("make, message", [
    (lambda: optim.falling(), "falling: expected 1 to 3 rates.* got 0"),
    (lambda: optim.falling(4, 3, 2, 1), "falling: expected 1 to 3 rates.* got 4"),
    (lambda: optim.one_cycle(1, warmup=1), "one_cycle: warmup must be in"),
    (lambda: optim.one_cycle(1, start=-0.1), "one_cycle: warmup must be in .* -0.1"),
    (lambda: optim.SGD(parameters(), lambda t: math.nan), "not nan, which the schedule gave at t = 0"),
    (lambda: optim.SGD(parameters(), lambda t: None), "not None, which the schedule gave at t = 0"),
    (lambda: optim.SGD(parameters(), "0.1"), "not '0.1'"),
])
def test_bad_schedules(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_schedule_that_goes_wrong_later():
    ps = parameters()
    optimizer = optim.SGD(ps, lambda t: 0.5 - t)
    optimizer.progress = 0.75
    with pytest.raises(ValueError, match="SGD: lr must be .*, not -0.25, which the schedule gave at t = 0.75"):
        optimizer.step(ps)
    assert optimizer.steps == 0


def test_gradient_of_the_engine_stays_usable():
    p, = parameters([(3,)])
    optim.SGD([p], 0.1)
    assert np.allclose(grad(ops.sum(p * p), p).data, 2 * p.data)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, 0.1), lambda p: optim.Adam(p)])
def test_a_gradient_after_the_step_of_a_loss_from_before_it_is_an_error(make):
    w = Tensor(np.ones(3), requires_grad=True)
    optimizer, loss = make([w]), (w**3).sum()
    optimizer.step(grad(loss, [w]))
    with pytest.raises(RuntimeError, match="power was computed with a Tensor of shape .* changed in place"):
        grad(loss, [w])


def test_not_finite_can_be_sent_to_another_process():
    error = pickle.loads(pickle.dumps(optim.NotFinite("too large", 3, True)))
    assert (str(error), error.index, error.gradient) == ("too large", 3, True)
