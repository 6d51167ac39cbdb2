"""The engine: Tensor, primitive, grad, backward, no_grad, and the choice of NumPy or CuPy."""

import copy
import gc
import inspect
import math
import operator
import pickle
import pydoc
import sys
import threading
import types
import weakref

import numpy as np
import pytest

import tinyae
from tinyae import Tensor, changed, grad, gradcheck, nn, no_grad, ops, primitive
from tinyae.autodiff import PRIMITIVES
from tinyae.forensics import first_nonfinite
from tinyae.backend import array_module, device_module, device_of, keep_freed_memory, to_device


def leaf(*values, dtype=np.float64):
    """A Tensor that requires a gradient: leaf(1, 2) is a vector, leaf(1)[0] its first element."""
    return Tensor(np.array(values, dtype=dtype), requires_grad=True)


def scalar(value):
    return Tensor(np.array(value, dtype=np.float64), requires_grad=True)


# Gradients that can be worked out by hand.

BY_HAND = {  # f, the point, the gradient
    "x": (lambda x: x, [2.0], [1.0]),
    "x squared": (lambda x: x * x, [3.0], [6.0]),
    "the fan-out adds up": (lambda x: x + x * x + 3 * x, [2.0], [1 + 4 + 3]),
    "a diamond": (lambda x: (lambda y: y * y + y)(2 * x), [3.0], [2 * 2 * 6 + 2]),
    "a subtraction from itself": (lambda x: x - x, [3.0], [0.0]),
    "the chain rule": (lambda x: ops.exp(-(x**2)), [1.0], [-2 * np.exp(-1)]),
    "a quotient": (lambda x: 1 / (1 + x), [1.0], [-0.25]),
    "a dot product with itself": (lambda x: x @ x, [1.0, 2.0], [2.0, 4.0]),
    "some entries only": (lambda x: x[0] * x[2], [2.0, 3.0, 5.0], [5.0, 0.0, 2.0]),
    "a norm": (lambda x: ops.sqrt(ops.sum(x * x)), [3.0, 4.0], [0.6, 0.8]),
}


@pytest.mark.parametrize("f, x, expected", BY_HAND.values(), ids=BY_HAND)
def test_gradients_by_hand(f, x, expected):
    x = leaf(*x)
    np.testing.assert_allclose(grad(f(x), x).data, expected, rtol=1e-15)


def test_grad_gives_a_tensor_for_a_tensor_and_a_list_for_a_list():
    x, y = scalar(2), scalar(3)
    assert type(grad(x * y, x)) is Tensor
    gx, gy = grad(x * y, [x, y])
    assert (gx.item(), gy.item()) == (3, 2)
    assert [g.item() for g in grad(x * y, (y, x, y))] == [2, 3, 2]
    assert grad(x * y, []) == []


def test_grad_with_respect_to_results():
    x = scalar(3)
    y = x * x
    z = y * y
    assert [g.item() for g in grad(z, [x, y, z])] == [108, 18, 1]


def test_an_input_that_output_does_not_depend_on_has_gradient_zero():
    x, other = scalar(3), Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    g = grad(x * x, [other, x])[0]
    assert g.shape == (2, 3) and g.dtype == np.float32 and not g.data.any()


def test_grad_output_weighs_the_outputs():
    x = leaf(1, 2, 3)
    np.testing.assert_array_equal(grad(x * x, x, Tensor(np.array([1.0, 0, -1]))).data, [2, 0, -6])
    np.testing.assert_array_equal(grad(x * x, x, np.array([1.0, 0, -1])).data, [2, 0, -6])


def test_an_output_of_one_element_needs_no_grad_output():
    x = leaf(3)
    assert grad((x * x).reshape(1, 1, 1), x).data == [6]


def test_gradient_of_grad_output():
    """d(J v)/dx is linear in v, so its derivative with respect to v is the Jacobian."""
    x, v = leaf(2, 3), leaf(1, 1)
    g = grad(x * x, x, v, create_graph=True)
    np.testing.assert_array_equal(grad(g, v, np.ones(2)).data, [4, 6])


# backward accumulates, grad does not.


def test_backward_accumulates_in_leaves_and_only_there():
    x, constant = scalar(3), Tensor(np.array(2.0))
    y = x * constant
    for n in 1, 2, 3:
        (y * y).backward()
        assert x.grad.item() == n * 24
    assert y.grad is None and constant.grad is None
    x.grad = None
    y.backward()
    assert x.grad.item() == 2


def test_backward_with_grad_output():
    x = leaf(1, 2)
    (x * x).backward(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad.data, [2, 40])


def test_grad_touches_no_grad_attribute():
    x, w = scalar(3), scalar(4)
    y = x * w
    w.grad = before = Tensor([1.0])
    grad(y * y, [w, y])
    assert w.grad is before and x.grad is None and y.grad is None


def test_gradients_of_a_first_order_record_nothing():
    x = scalar(3)
    g = grad(x * x, x)
    (x * x).backward()
    assert not g.requires_grad and g.node is None
    assert not x.grad.requires_grad and x.grad.node is None


# Higher derivatives.

DERIVATIVES = {  # f, the point, f', f'', f'''
    "x^4": (lambda x: x**4, 2.0, [32, 48, 48]),
    "x^4 by products": (lambda x: x * x * (x * x), 2.0, [32, 48, 48]),
    "exp": (ops.exp, 1.0, [np.e] * 3),
    "log": (ops.log, 2.0, [1 / 2, -1 / 4, 2 / 8]),
    "1/x": (lambda x: 1 / x, 2.0, [-1 / 4, 2 / 8, -6 / 16]),
    "tanh": (ops.tanh, 0.5, (lambda t: [1 - t**2, -2 * t * (1 - t**2),
                                        -2 * (1 - t**2) * (1 - 3 * t**2)])(np.tanh(0.5))),
    "linear": (lambda x: 3 * x, 2.0, [3, 0, 0]),
}


@pytest.mark.filterwarnings("ignore:grad. the output has no history")
@pytest.mark.parametrize("f, x, derivatives", DERIVATIVES.values(), ids=DERIVATIVES)
def test_first_second_and_third_derivatives(f, x, derivatives):
    x = scalar(x)
    y = f(x)
    for expected in derivatives:
        y = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected, rel=1e-12)


def test_hessian_vector_product():
    """f = x0² x1 has the Hessian [[2 x1, 2 x0], [2 x0, 0]]."""
    x = leaf(2, 3)
    g = grad(x[0] ** 2 * x[1], x, create_graph=True)
    np.testing.assert_array_equal(grad(g, x, np.array([1.0, 10.0])).data, [46, 4])


# What grad and Tensor refuse.

X = leaf(1, 2, 3)
REFUSED = {  # what is done, the exception, what its text must hold
    "no Tensor": (lambda: grad(ops.sum(X), [X, np.ones(3)]), ValueError, "input 1.*ndarray"),
    "a constant": (lambda: grad(ops.sum(X), Tensor([1.0])), ValueError, "input 0.*requires"),
    "vector output": (lambda: grad(X * X, X), ValueError, r"\(3,\).*grad_output"),
    "vector backward": (lambda: (X * X).backward(), ValueError, r"\(3,\).*grad_output"),
    "grad_output": (lambda: grad(X, X, np.ones((3, 1))), ValueError, r"of the output, \(3,\), not \(3, 1\)"),
    "empty output": (lambda: grad(X[:0], X), ValueError, r"\(0,\).*grad_output"),
    "output no Tensor": (lambda: grad(3.0, X), (TypeError, ValueError), "output.*float"),
    "integer leaf": (lambda: Tensor([1, 2], requires_grad=True), TypeError, "int64"),
    "boolean leaf": (lambda: Tensor(True, requires_grad=True), TypeError, "bool"),
    "complex": (lambda: Tensor(np.array([1j])), TypeError, "complex128"),
    "complex number": (lambda: X * 1j, TypeError, "complex"),
    "object": (lambda: Tensor([None]), TypeError, "object"),
    "string": (lambda: Tensor("three"), TypeError, "dtype"),
    "ragged": (lambda: Tensor([[1.0], [1.0, 2.0]]), ValueError, "inhomogeneous"),
    "None operand": (lambda: X + None, TypeError, "object"),
    "asarray": (lambda: np.asarray(X), TypeError, r"\.numpy\(\)"),
    "list of Tensors": (lambda: np.array([X, X]), TypeError, r"\.numpy\(\)"),
    "truth of many": (lambda: bool(X > 1), ValueError, "ambiguous"),
    "item of many": (lambda: X.item(), ValueError, "size 1"),
    "number of many": (lambda: float(X), ValueError, r"shape \(3,\).*size 1, not 3"),
    "function of math": (lambda: math.exp(X), ValueError, "ops.exp and not math.exp"),
    "format of many": (lambda: f"{X:.2f}", ValueError, r"shape \(3,\)"),
    "NumPy's ufunc": (lambda: np.tanh(X), TypeError, "np.tanh does not take a Tensor.*use ops.tanh"),
    "NumPy's reduction": (lambda: np.sum(X), TypeError, "np.sum.*use ops.sum"),
    "NumPy's function of a list": (lambda: np.concatenate([X, X]), TypeError, "use ops.concatenate"),
    "NumPy's function that we lack": (lambda: np.cumsum(X), TypeError, "there is no ops.cumsum"),
    "NumPy's ufunc that we lack": (lambda: np.arctan(X), TypeError, "no ops.arctan"),
    "NumPy's reduction by a ufunc": (lambda: np.add.reduce(X), TypeError, "np.add"),
    "an array += a Tensor": (lambda: operator.iadd(np.ones(3), X), TypeError, r"a = a \+ x"),
    "len of a scalar": (lambda: len(Tensor(1.0)), TypeError, "unsized"),
    "iteration over a scalar": (lambda: list(Tensor(1.0)), TypeError, "unsized|0-d"),
}


@pytest.mark.parametrize("do, exception, text", REFUSED.values(), ids=REFUSED)
def test_refused(do, exception, text):
    with pytest.raises(exception, match=text):
        do()


# Recording: no_grad and detach.


def records():
    return (scalar(2) * 3).requires_grad


def test_no_grad_nests_and_is_restored():
    assert records()
    with no_grad():
        assert not records()
        with no_grad():
            assert not records()
        assert not records()
    assert records()


def test_recording_is_restored_after_an_exception():
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0
    assert records()

    @primitive
    def fails_backward(x):
        return x + 0

    fails_backward.defvjp(lambda g, y, x: 1 / 0)
    x = scalar(2)
    with pytest.raises(ZeroDivisionError):
        grad(fails_backward(x), x)
    assert records()


def test_no_grad_is_for_one_thread():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(records()))
        thread.start()
        thread.join()
        assert not records()
    assert seen == [True]


def test_create_graph_records_inside_no_grad():
    x = scalar(2)
    y = x**3
    with no_grad():
        g = grad(y, x, create_graph=True)
    assert grad(g, x).item() == 12


def test_detach_is_a_constant_of_the_same_array():
    x = scalar(3)
    y = x * x
    assert y.detach().data is y.data and not y.detach().requires_grad
    assert grad(y.detach() * x, x).item() == 9


# Nothing is computed that nobody asks for.


@pytest.fixture
def product():
    """a b as a primitive that notes in `product.calls` which of its rules ran."""
    @primitive
    def product(a, b):
        return a * b

    product.calls = []
    product.defvjp(lambda g, y, a, b: product.calls.append("a") or g * b,
                   lambda g, y, a, b: product.calls.append("b") or g * a)
    return product


def test_the_rule_of_a_constant_is_not_run(product):
    w = leaf(1, 2)
    for constant in Tensor([3.0, 4.0]), np.array([3.0, 4.0]), 5.0, w.detach():
        grad(ops.sum(product(constant, w)), w)
        ops.sum(product(w, constant)).backward()
    assert product.calls == ["b", "a"] * 4


def test_only_rules_on_the_way_to_the_inputs_run(product):
    w, other = scalar(2), scalar(3)
    behind = product(other, other)
    loss = product(behind, w)
    grad(loss, [w])
    assert product.calls == ["b"]
    product.calls.clear()
    grad(loss, behind)  # what lies behind an input is not asked for either
    assert product.calls == ["a"]
    product.calls.clear()
    grad(loss, [scalar(1)])
    assert product.calls == []


def test_a_rule_runs_once_for_a_result_that_is_used_often(product):
    x = scalar(2)
    y = product(x, 3.0)
    grad(y + y * y + y, x)
    assert product.calls == ["a"]


def test_a_result_of_constants_keeps_no_history():
    y = Tensor([1.0]) * 2 + np.ones(1)
    assert y.node is None and not y.requires_grad


# Memory.


def test_a_graph_of_100_000_operations():
    x = scalar(1)
    y = x
    for _ in range(100_000):
        y = y + 0.5
    middle = weakref.ref(y.node.inputs[0])
    assert grad(y, x).item() == 1
    g = grad(y, x, create_graph=True)
    assert g.item() == 1
    y.backward()
    del y, g
    assert middle() is None


def twice_differentiated(x):
    y = ops.tanh(x) * x
    return y, grad(grad(y, x, create_graph=True), x, create_graph=True)


def test_gradients_are_freed_on_the_way():
    """A rule finds no gradient alive but its own and the last: not all of them until the end."""
    passed, alive = [], []

    @primitive
    def step(x):
        return x + 1

    def rule(g, y, x):
        alive.append(sum(r() is not None for r in passed))
        passed.append(weakref.ref(g))
        return g * 1

    step.defvjp(rule)
    y = x = scalar(0)
    for _ in range(10):
        y = step(y)
    grad(y, x)
    assert len(alive) == 10 and max(alive) <= 1


LIFE = {  # what is computed from x; the first of its results is watched
    "forward": lambda x: (ops.exp(x), ops.exp(x) * x),
    "chain": lambda x: (lambda y: (y, ops.log(y) * y))(ops.exp(x)),
    "grad": lambda x: (lambda y: (y, grad(y * y, x)))(ops.exp(x)),
    "backward": lambda x: (lambda y: (y, (y * y).backward()))(ops.exp(x)),
    "create_graph": twice_differentiated,
    "variadic": lambda x: (lambda y: (y, grad(ops.concatenate([y[None], y[None]])[0], x)))(x * x),
}


@pytest.mark.parametrize("compute", LIFE.values(), ids=LIFE)
def test_the_graph_is_freed_with_the_result(compute):
    """By reference counts alone: the collector of cycles is off."""
    x = scalar(2)
    gc.collect()
    gc.disable()
    try:
        results = compute(x)
        watched = weakref.ref(results[0])
        assert watched() is not None
        del results
        assert watched() is None
    finally:
        gc.enable()


def test_a_training_loop_leaves_no_cycles():
    x = leaf(1, 2)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            x.grad = None
            ops.sum(grad(ops.sum(ops.tanh(x) ** 2), x, create_graph=True) ** 2).backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


# Primitives of the user's own.


def test_tanh_and_matmul_as_a_user_would_write_them():
    @primitive
    def tanh(x):
        return array_module(x).tanh(x)

    tanh.defvjp(lambda g, y, x: g * (1 - y * y))

    @primitive
    def matmul(a, b):
        return a @ b

    matmul.defvjp(
        lambda g, y, a, b: g @ b.T,
        lambda g, y, a, b: a.T @ g,
    )
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
    gradcheck(lambda a, b: tanh(matmul(a, b)), [a, b])
    np.testing.assert_array_equal(tanh(matmul(Tensor(a), Tensor(b))).data, np.tanh(a @ b))


@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 1), (1, 1), ()])
def test_broadcasting_is_undone_for_any_primitive(product, shape):
    a = Tensor(np.ones(shape), requires_grad=True)
    g = grad(ops.sum(product(a, np.arange(6.0).reshape(2, 3))), a)
    assert g.shape == shape
    assert g.data.sum() == 15


def test_a_rule_of_a_wrong_shape_is_named():
    @primitive
    def bad(a, b):
        return a @ b

    bad.defvjp(lambda g, y, a, b: a, lambda g, y, a, b: g @ a)  # the second should be a.T @ g
    a, b = Tensor(np.ones((4, 4))), Tensor(np.ones((4, 2)), requires_grad=True)
    with pytest.raises(ValueError):  # NumPy's own, from inside the rule
        grad(ops.sum(bad(a, b)), b)
    bad.defvjp(lambda g, y, a, b: a, lambda g, y, a, b: a)
    with pytest.raises(ValueError, match=r"bad for input 1 gave shape \(4, 4\).*\(4, 2\)"):
        grad(ops.sum(bad(a, b)), b)


def test_a_rule_may_give_a_number_or_an_array():
    @primitive
    def ceil(x):
        return np.ceil(x)

    x = scalar(1.5)
    for zero in 0, 0.0, np.float64(0), np.zeros(()):
        ceil.defvjp(lambda g, y, x, zero=zero: zero)
        assert grad(ceil(x), x).item() == 0


def test_the_gradient_has_its_inputs_precision_whatever_the_rule_gives():
    @primitive
    def double(x):
        return 2 * x

    double.defvjp(lambda g, y, x: Tensor(np.full(x.shape, 2.0)))
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    assert grad(ops.sum(double(x)), x).dtype == np.float32


def test_a_primitive_without_rules_says_so():
    @primitive
    def unruly(x):
        return x

    with pytest.raises(TypeError, match="unruly.*defvjp"):
        unruly(Tensor([1.0]))


def test_a_primitive_keeps_its_name_and_docstring_and_is_registered():
    @primitive
    def documented(x):
        """What it does."""
        return x

    assert (documented.__name__, documented.__doc__) == ("documented", "What it does.")
    assert PRIMITIVES["documented"] is documented


def test_a_variadic_primitive_has_one_rule_that_is_told_the_input():
    @primitive
    def weighted_sum(*xs, weights):
        return sum(w * x for w, x in zip(weights, xs))

    weighted_sum.defvjp(lambda i, g, y, *xs, weights: g * weights[i])
    xs = [scalar(1), 2.0, scalar(3)]
    y = weighted_sum(*xs, weights=(10, 20, 30))
    assert y.item() == 140
    assert [g.item() for g in grad(y, [xs[0], xs[2]])] == [10, 30]


@pytest.fixture
def scaled():
    """A primitive with two inputs and two parameters, one of which has a default."""
    @primitive
    def scaled(a, b, factor, shift=0.0):
        return factor * a * b + shift

    scaled.defvjp(lambda g, y, a, b, factor, shift: g * factor * b,
                  lambda g, y, a, b, factor, shift: g * factor * a)
    return scaled


CALLS = {  # the ways to call scaled(a=2, b=3, factor=5) and its shift
    "all by position": (lambda f, a, b: f(a, b, 5, 1), 31),
    "defaults": (lambda f, a, b: f(a, b, 5), 30),
    "parameters by name": (lambda f, a, b: f(a, b, factor=5, shift=1), 31),
    "mixed": (lambda f, a, b: f(a, b, 5, shift=1), 31),
    "inputs by name": (lambda f, a, b: f(b=b, a=a, factor=5), 30),
    "an input by name": (lambda f, a, b: f(a, factor=5, b=b), 30),
}


@pytest.mark.parametrize("call, expected", CALLS.values(), ids=CALLS)
def test_arguments_bind_as_in_python(scaled, call, expected):
    a, b = scalar(2), scalar(3)
    y = call(scaled, a, b)
    assert y.item() == expected
    assert [g.item() for g in grad(y, [a, b])] == [15, 10]


MISCALLS = {  # a call that Python would refuse, and the name that the error must hold
    "no input": (lambda: ops.exp(), "'x'"),
    "a missing input": (lambda: ops.add(X), "'b'"),
    "a missing parameter": (lambda: ops.reshape(X), "'shape'"),
    "an unknown parameter": (lambda: ops.sum(X, axes=0), "'axes'"),
    "an unknown parameter, elementwise": (lambda: ops.exp(X, out=3), "'out'"),
    "too many": (lambda: ops.exp(X, X, X), "too many"),
    "twice": (lambda: ops.sum(X, 0, axis=0), "multiple values.*'axis'"),
    "twice, an input": (lambda: ops.add(X, X, a=X), "multiple values.*'a'"),
    "keyword only": (lambda: ops.sum(X, 0, True), "too many"),
    "matmul without b": (lambda: ops.matmul(a=X), "'b'"),
    "matmul with c": (lambda: ops.matmul(a=X, b=X, c=X), "'c'"),
}


@pytest.mark.parametrize("call, name", MISCALLS.values(), ids=MISCALLS)
def test_calls_that_python_would_refuse(call, name):
    with pytest.raises(TypeError, match=name):
        call()


def test_operations_take_their_arguments_by_name():
    x = leaf(1, 2)
    assert ops.sum(x=x, axis=0).item() == 3
    assert ops.matmul(a=x, b=x).item() == 5
    assert grad(ops.subtract(b=x[0], a=1), x).data.tolist() == [-1, 0]


# Tensors, numbers and arrays.


@pytest.mark.parametrize("data, dtype", [
    ([1.0, 2.0], np.float32), (1.5, np.float32), ([[0.5], [1]], np.float32),
    ([1, 2], np.int64), (True, bool),
    (np.float64(1.5), np.float64), (np.ones(2), np.float64), (np.ones(2, np.float16), np.float16),
    (np.arange(3, dtype=np.uint8), np.uint8), (Tensor(np.ones(2)), np.float64), ([], np.float32),
])
def test_precision_of_a_new_tensor(data, dtype):
    assert Tensor(data).dtype == dtype


def test_a_tensor_holds_the_array_itself():
    a = np.ones(2)
    assert Tensor(a).data is a and Tensor(Tensor(a)).data is a and Tensor(a).numpy() is a


OTHERS = [2, 2.0, True, np.float64(2), np.int64(2), np.float32([2, 2])]


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "**"])
def test_operators_with_numbers_and_arrays_keep_float32(symbol, other):
    x = Tensor([3.0, 4.0], requires_grad=True)
    for expression in f"x {symbol} other", f"other {symbol} x":
        y = eval(expression)
        assert type(y) is Tensor and y.dtype == np.float32 and y.requires_grad
        plain = {"x": x.data.astype(float), "other": np.asarray(other, dtype=float)}
        np.testing.assert_allclose(y.data, eval(expression, plain), rtol=1e-6)


def test_arrays_leave_operators_to_tensors():
    a, x = np.ones((2, 2)), Tensor(np.ones((2, 2)))
    for y in a + x, a - x, a * x, a / x, a**x, a @ x, a > x, a == x:
        assert type(y) is Tensor and y.shape == (2, 2)


def test_two_precisions_meet_as_in_numpy_and_each_gradient_keeps_its_own():
    a, b = leaf(1, 2, dtype=np.float32), leaf(3, 4)
    y = a * b
    assert y.dtype == np.float64
    assert [g.dtype for g in grad(ops.sum(y), [a, b])] == [np.float32, np.float64]


def test_augmented_assignment_makes_a_new_tensor():
    x = before = scalar(3) * 1
    x += 1
    x *= 4
    x -= 2
    x /= 2
    assert x.item() == 7 and before.item() == 3
    assert grad(x, before).item() == 2


def test_a_parameter_is_not_lost_to_augmented_assignment():
    w = scalar(3)
    for change in (w.__iadd__, w.__isub__, w.__imul__, w.__itruediv__):
        with pytest.raises(TypeError, match="= would make a new Tensor of one that requires a gradient"):
            change(1)


def test_tensors_hash_by_identity_and_compare_by_element():
    a, b = Tensor([1.0, 2.0]), Tensor([1.0, 3.0])
    assert len({a, b, a}) == 2
    np.testing.assert_array_equal((a == b).data, [True, False])
    np.testing.assert_array_equal((a != b).data, [False, True])
    assert bool(Tensor([1.0]) == Tensor([1.0])) and not bool(Tensor(0.0))


def test_comparison_with_none_does_not_fail_obscurely():
    x = Tensor([1.0])
    assert (x == None) is False and (x != None) is True  # noqa: E711


def test_len_and_iteration():
    x = leaf(1, 2, 3)
    assert len(x) == 3
    a, b, c = x
    assert grad(a * b + c, x).data.tolist() == [2, 1, 1]
    assert [row.shape for row in Tensor(np.ones((2, 3)))] == [(3,), (3,)]


def test_attributes_and_repr():
    x = Tensor(np.float32([[1, 2, 3]]), requires_grad=True)
    assert (x.shape, x.dtype, x.ndim, x.size, x.device) == ((1, 3), np.float32, 2, 3, "cpu")
    assert repr(x) == "Tensor([[1., 2., 3.]], float32, requires_grad=True)"
    assert repr(Tensor([1])) == "Tensor([1], int64)"


def test_first_nonfinite_is_where_it_began():
    x, bad = leaf(1, 0), leaf(1, np.nan)
    with np.errstate(divide="ignore"):
        log = ops.log(2 * x)
    assert first_nonfinite(ops.sum(log * 3)) is log
    assert first_nonfinite(bad * x) is bad
    assert first_nonfinite(x) is first_nonfinite(ops.exp(x)) is None


# NumPy or CuPy. CuPy itself is not needed here: a made-up package stands in for it.


class FakeArray:
    """As much of an array of another package as the engine looks at."""

    __module__ = "fakepu.core"
    __array_ufunc__ = None
    shape, ndim, size, dtype = (2,), 1, 2, np.dtype(np.float32)

    def get(self):
        return np.array([1, 2], dtype=np.float32)

    def __add__(self, other):
        raise TypeError("Unsupported type")

    __radd__ = __add__


@pytest.fixture
def fakepu(monkeypatch):
    module = types.ModuleType("fakepu")
    monkeypatch.setitem(sys.modules, "fakepu", module)
    return module


def test_array_module_is_the_package_of_the_array(fakepu):
    assert array_module(np.ones(2)) is array_module(1.0) is array_module(np.float32(1)) is np
    assert array_module(FakeArray()) is array_module(2, np.ones(2), FakeArray()) is fakepu
    assert (device_of(np.ones(2)), device_of(FakeArray())) == ("cpu", "gpu")


def test_arrays_move_only_when_asked(fakepu):
    a, b = np.ones(2), FakeArray()
    assert to_device(a, "cpu") is a and to_device(b, "gpu") is b
    assert to_device(b, "cpu").tolist() == Tensor(b).numpy().tolist() == [1, 2]


@pytest.mark.parametrize("a, b, places", [
    (np.ones(2), FakeArray(), "cpu, gpu"), (FakeArray(), np.ones(2), "gpu, cpu"),
])
def test_mixing_devices_is_an_error_that_says_so(fakepu, a, b, places):
    with pytest.raises(TypeError, match=f"add.*different devices.*{places}"):
        Tensor(a) + Tensor(b)


def test_another_type_error_is_not_blamed_on_devices(fakepu):
    with pytest.raises(TypeError, match="^Unsupported type$"):
        Tensor(FakeArray()) + Tensor(FakeArray())


def test_device_module(monkeypatch):
    assert device_module("cpu") is np
    with pytest.raises(ValueError, match="tpu"):
        device_module("tpu")
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if not installed
    with pytest.raises(RuntimeError, match="CuPy.*not installed.*pip install"):
        device_module("gpu")


def test_device_module_of_a_broken_cupy(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('libnvrtc.so is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(RuntimeError, match="installed but cannot be imported.*libnvrtc"):
        device_module("gpu")


@pytest.fixture
def cupy(monkeypatch):
    """A CuPy that finds as many GPUs as `cupy.gpus`, or no driver where that is None."""
    class CUDARuntimeError(RuntimeError):
        pass

    def get_device_count():
        if module.gpus is None:
            raise CUDARuntimeError("insufficient driver")
        return module.gpus

    module = types.ModuleType("cupy")
    module.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceCount=get_device_count, CUDARuntimeError=CUDARuntimeError),
        nvrtc=types.SimpleNamespace(getVersion=lambda: (13, 0)))
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.mark.parametrize("gpus, reason", [(0, "no GPU"), (None, "GPU.*insufficient driver")])
def test_device_module_without_a_gpu_says_what_is_missing(cupy, gpus, reason):
    cupy.gpus = gpus
    for use in lambda: device_module("gpu"), lambda: to_device(np.ones(2), "gpu"):
        with pytest.raises(RuntimeError, match=f"CuPy is installed.*{reason}"):
            use()


def test_device_module_without_the_libraries_of_cuda(cupy):
    def get_version():
        raise RuntimeError("libnvrtc.so.13 is missing\nand more")

    cupy.gpus, cupy.cuda.nvrtc.getVersion = 1, get_version
    with pytest.raises(RuntimeError, match=r"finds a GPU but not .* pip install .* \(libnvrtc.so.13 is missing\)$"):
        device_module("gpu")


def test_device_module_with_a_gpu_is_cupy(cupy):
    cupy.gpus = 1
    assert device_module("gpu") is cupy


def test_keep_freed_memory_may_be_called_twice():
    first, second = keep_freed_memory(), keep_freed_memory()
    assert type(first) is bool and first == second


def test_keep_freed_memory_does_nothing_elsewhere(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


# --- mistakes that would otherwise be silent -------------------------------------------------------

def test_an_input_without_a_rule_is_refused():
    @primitive
    def two(a, b):
        return a * b

    two.defvjp(lambda g, y, a, b: g * b)
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match="two: an argument that requires a gradient has no rule"):
        two(x, x)


def test_a_rule_that_returns_nothing_is_named():
    @primitive
    def nothing(a):
        return a * 1

    nothing.defvjp(lambda g, y, a: None)
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="the rule of nothing for input 0 returned None"):
        grad(nothing(x), x)


def test_a_forgotten_create_graph_warns():
    x = Tensor([2.0], requires_grad=True)
    g = grad(x**3, x)
    with pytest.warns(UserWarning, match="create_graph=True"):
        assert grad(g, x).data == 0


WRONG_RULES = {  # the body, its rules, what the error must say
    "too few arguments": (lambda a, b: a * b, [lambda g, y, a: g, lambda g, y, a, b: g],
                          r"rule 0 must take \(g, y, a, b\), not \(g, y, a\)"),
    "without y": (lambda a: a * 2, [lambda g, a: 2 * g], r"rule 0 must take \(g, y, a\), not \(g, a\)"),
    "without a parameter": (lambda a, axis=0: a, [lambda g, y, a: g], r"must take \(g, y, a, axis\)"),
    "without the number": (lambda *xs, axis: xs[0], [lambda g, y, *xs: g],
                           r"must take \(i, g, y, \*xs, axis\)"),
    "too many rules": (lambda a: a * 2, [lambda g, y, a: g] * 2, "takes 1 arguments.*given 2 rules"),
}


@pytest.mark.parametrize("body, rules, text", WRONG_RULES.values(), ids=WRONG_RULES)
def test_a_rule_with_other_arguments_is_refused_at_once(body, rules, text):
    body.__name__ = "mine"
    with pytest.raises(TypeError, match=f"mine.*{text}"):
        primitive(body).defvjp(*rules)


def test_a_body_that_returns_nothing_is_named():
    @primitive
    def forgets(x):
        x * 2

    forgets.defvjp(lambda g, y, x: 2 * g)
    with pytest.raises(TypeError, match="forgets: the body returned None; it must return an array"):
        forgets(Tensor([1.0]))


# None in place of a rule.


def gate():
    """a b as a primitive whose second input has no gradient."""
    @primitive
    def gate(a, b):
        return a * b

    gate.defvjp(lambda g, y, a, b: g * b, None)
    return gate


def test_an_input_without_a_gradient_gets_none_and_is_not_walked_into():
    x, w = scalar(2), scalar(3)
    behind = ops.exp(w)
    y = gate()(x, behind)
    assert grad(y, x).item() == behind.item()
    assert grad(y, w).item() == grad(y, behind).item() == 0
    assert not any(isinstance(i, Tensor) and i.node for i in y.node.inputs)
    g = grad(y * y, x, create_graph=True)  # = 2 x b²
    assert grad(g, [x, w])[0].item() == pytest.approx(2 * behind.item() ** 2) and grad(g, w).item() == 0


def test_an_input_may_be_both():
    x = scalar(3)
    assert grad(gate()(x, x), x).item() == 3


def test_a_result_of_inputs_without_gradients_keeps_no_history():
    x = scalar(3)
    with pytest.warns(UserWarning, match="no history"):
        y = gate()(2.0, x)
        assert y.node is None and not y.requires_grad and grad(y, x).item() == 0
    for constant in x > 2, ops.sign(x), ops.argmax(x):
        assert constant.node is None and not constant.requires_grad


def test_a_condition_gets_no_gradient():
    x = leaf(-1, 2)
    assert grad(ops.sum(ops.where(x, x, 3 * x)), x).tolist() == [1, 1]


# What was changed in place.


def test_a_change_between_forward_and_backward_is_refused():
    w, x = leaf(1, 2), leaf(3, 4)
    loss, other = ops.sum(w**3), ops.sum(x * x)
    w.data -= 1
    changed(w)
    for backward in lambda: grad(loss, w), loss.backward:
        with pytest.raises(RuntimeError, match=r"power was computed with .* shape \(2,\).*changed in place"):
            backward()
    assert w.grad is None
    assert grad(other, x).tolist() == [6, 8]  # another graph
    assert grad(ops.sum(w**3), w).tolist() == [0, 3]  # and one made afterwards


def test_a_change_matters_only_to_the_rules_that_are_needed():
    w, x = leaf(1, 2), leaf(3, 4)
    y = ops.exp(w)
    loss = ops.sum(y * x)
    changed(w)
    assert grad(loss, y).tolist() == [3, 4]
    with pytest.raises(RuntimeError, match="exp"):
        grad(loss, [y, w])


def test_a_changed_constant_and_a_changed_result_are_seen():
    x, c = leaf(1, 2), Tensor(np.ones(2))
    y = x * c
    loss = ops.sum(ops.exp(y))
    changed(c)
    with pytest.raises(RuntimeError, match="multiply"):
        grad(loss, x)
    loss = ops.sum(ops.exp(x))
    changed(loss.node.inputs[0])
    with pytest.raises(RuntimeError, match="sum"):
        grad(loss, x)


def test_a_change_between_two_orders_is_refused():
    x = leaf(2)
    g = grad(ops.sum(x**3), x, create_graph=True)
    changed(x)
    with pytest.raises(RuntimeError, match="changed in place"):
        grad(g, x)


def test_loading_a_state_is_a_change():
    layer = nn.Dense(2, 1, rng=np.random.default_rng(0))
    state, loss = layer.state_dict(), ops.sum(layer(Tensor(np.ones((3, 2), np.float32))) ** 2)
    layer.load_state_dict(state)
    with pytest.raises(RuntimeError, match="changed in place"):
        grad(loss, layer.parameters())


def test_the_array_of_a_result_is_read_only_and_that_of_a_leaf_is_not():
    x = leaf(1, 2)
    y = x * x
    with pytest.raises(ValueError, match="read-only"):
        y.numpy()[0] = 5
    assert grad(ops.sum(y * y), x).tolist() == [4, 32]
    y.detach().numpy()[0] = 5  # whoever takes it out of its history means it
    x.numpy()[0] = 7
    assert x.data[0] == 7


def test_threads_may_add_to_one_gradient():
    x = leaf(1, 2)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        def work():
            for _ in range(300):
                ops.sum(x * 2).backward()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert x.grad.tolist() == [2400, 2400]


# Operations as objects, and what people type.


def test_an_operation_can_be_pickled_copied_and_asked_for_help():
    assert pickle.loads(pickle.dumps(ops.tanh)) is ops.tanh
    assert copy.deepcopy({"activation": ops.relu})["activation"] is ops.relu
    assert str(inspect.signature(ops.sum)) == "(x, axis=None, *, keepdims=False)"
    assert repr(ops.sum) == "<operation sum(x, axis=None, *, keepdims=False)>"
    assert "Hyperbolic tangent" in pydoc.plain(pydoc.render_doc(ops.tanh))
    listed = pydoc.plain(pydoc.render_doc(ops))
    assert "tanh(x)\n        Hyperbolic tangent" in listed and "array_module" not in listed


def test_the_public_names_of_ops():
    assert sorted(dir(ops)) == sorted(ops.__all__) and len(set(ops.__all__)) == len(ops.__all__)
    assert all(callable(getattr(ops, name)) and getattr(ops, name).__doc__ for name in ops.__all__)


def test_an_operation_is_a_method_where_a_class_has_it():
    class Layer:
        activation = ops.negative

    assert Layer.activation is ops.negative

    class Number(Tensor):
        negated = ops.negative

    assert Number([2.0]).negated().item() == -2


METHODS = {  # a method, and NumPy's way to the same
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "flatten": np.ravel, "argmax": np.argmax,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0), "sum": np.sum,
    "mean": np.mean, "var": np.var, "max": np.max, "min": np.min, "tolist": np.ndarray.tolist, "__len__": len,
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    x = np.array([[0.5, 2.0], [3.0, 0.25]])
    y = getattr(Tensor(x), name)()
    np.testing.assert_allclose(y.data if isinstance(y, Tensor) else y, METHODS[name](x), rtol=1e-15)


def test_a_tensor_of_one_element_is_a_number():
    x = Tensor(np.array([[2.5]]))
    assert (int(x), float(x), x.item()) == (2, 2.5, 2.5)
    assert (f"{x:.3f}", f"{x}") == ("2.500", "Tensor([[2.5]], float64)")
    assert math.sqrt(Tensor(4.0)) == 2


def test_masks():
    x = leaf(-2, 0, 1, 3)
    inside, even = (x > -1) & (x < 2), np.array([True, True, False, False])
    assert inside.tolist() == [False, True, True, False] and (~inside).tolist() == [True, False, False, True]
    assert (inside | even).tolist() == [True, True, True, False] == (even | inside).tolist()
    assert (even & inside).tolist() == [False, True, False, False] and (inside & True).dtype == bool
    assert not inside.requires_grad and x[inside].tolist() == [0, 1]
    with pytest.raises(TypeError):
        x & x


def test_the_version():
    assert tinyae.__version__.count(".") == 2
