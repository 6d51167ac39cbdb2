"""The gradient check, checked: right rules pass, wrong ones are blamed, and none for a kink."""

import numpy as np
import pytest

from tinyae import GradientError, NotDifferentiable, Tensor, gradcheck, no_grad, ops, primitive

pytestmark = pytest.mark.filterwarnings("error")

A = np.array([[0.5, -1.0], [2.0, 0.25]])
B = np.array([[1.5, 0.75], [-0.5, 1.0]])
ROW = np.array([0.5, -1.0, 2.0])


def with_rules(body, *rules):
    """A primitive of that body with the rules, right or wrong."""
    operation = primitive(body)
    operation.defvjp(*rules)
    return operation


def square(*rules):
    return with_rules(lambda x: x * x, *rules)


def product(*rules):
    return with_rules(lambda a, b: a * b, *rules)


def matrix_product(*rules):
    return with_rules(lambda a, b: a @ b, *rules)


# Right rules.

RIGHT = {  # f, its inputs
    "one input": (lambda x: x**3, [ROW]),
    "an array, not a list": (lambda x: x**3, ROW),
    "a Tensor, not a list": (lambda x: x**3, Tensor(ROW)),
    "several inputs": (lambda a, b: ops.tanh(a @ b), [A, B]),
    "several outputs": (lambda x: [ops.exp(x), x[0] * x[1], ops.sum(x)], [ROW]),
    "a tuple of outputs": (lambda a, b: (a * b, a + b), [A, B]),
    "an empty input": (lambda x: x * 2, [np.ones((0, 3))]),
    "an empty output": (lambda x: x[:0] * 2, [ROW]),
    "a scalar": (lambda x: x * x, [np.array(2.0)]),
    "a constant": (lambda x: Tensor(ROW), [ROW]),
    "an input without effect": (lambda a, b: a * a, [A, B]),
    "integers": (lambda x: x * x, [np.array([1, 2])]),
    "a list of numbers": (lambda x: x * x, [[0.5, 1.5]]),
    "large numbers": (lambda x: x * x, [1e6 * ROW]),
    "small numbers": (lambda x: ops.exp(x), [1e-6 * ROW]),
    "columns first": (lambda x: ops.tanh(x), [np.asfortranarray(np.arange(6.0).reshape(2, 3))]),
    "a right rule of one's own": (square(lambda g, y, x: 2 * g * x), [ROW]),
}


@pytest.mark.parametrize("f, inputs", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_right_rules_pass_and_the_worst_error_is_small(f, inputs, order):
    worst = gradcheck(f, inputs, order=order)
    assert type(worst) is float and 0 <= worst < 1e-5


def test_the_worst_error_is_that_of_all_orders_and_inputs():
    """A rule that is off by a relative 1e-6 is let through, and is what comes back."""
    off = square(lambda g, y, x: (2 + 2e-6) * g * x)
    assert 3e-7 < gradcheck(off, [ROW], order=1) < 3e-6
    assert gradcheck(lambda a, b: off(a) + b, [ROW, ROW], order=1) > 1e-7


def test_float32_inputs_are_checked_in_float64():
    seen = []
    gradcheck(lambda x: seen.append(x.dtype) or ops.exp(x), [ROW.astype(np.float32)])
    assert set(seen) == {np.dtype(np.float64)}


def test_the_callers_arrays_are_left_as_they_were():
    x, before = ROW.copy(), ROW.copy()
    tensor = Tensor(x, requires_grad=True)
    gradcheck(lambda a, b: a * b, [x, tensor])
    with pytest.raises(GradientError):
        gradcheck(square(lambda g, y, x: g), [x])
    np.testing.assert_array_equal(x, before)
    assert tensor.grad is None


def test_the_answer_is_the_same_every_time():
    assert gradcheck(ops.tanh, [A]) == gradcheck(ops.tanh, [A])


# Wrong rules: each is caught, at the order and for the input where it is wrong.

WRONG = {  # f, inputs, and what is to be blamed: order, input, how many entries, got / expected
    "a factor 2": (square(lambda g, y, x: g * x), [ROW], 1, 0, 3, 0.5),
    "the sign": (square(lambda g, y, x: -2 * g * x), [ROW], 1, 0, 3, -1),
    "one g too many": (square(lambda g, y, x: 2 * g * g * x), [np.array(3.0)], 1, 0, 1, None),
    "g forgotten": (square(lambda g, y, x: 2 * x), [ROW], 1, 0, 3, None),
    "a missing transpose": (
        matrix_product(lambda g, y, a, b: g @ b, lambda g, y, a, b: a.T @ g),
        [A, B], 1, 0, 4, None),
    "a missing transpose, second input": (
        matrix_product(lambda g, y, a, b: g @ b.T, lambda g, y, a, b: a @ g),
        [A, B], 1, 1, 4, None),
    "the factors swapped": (
        matrix_product(lambda g, y, a, b: g @ b.T, lambda g, y, a, b: g @ a.T),
        [A, B], 1, 1, 4, None),
    "the second input only": (
        product(lambda g, y, a, b: g * b, lambda g, y, a, b: g * b), [A, B], 1, 1, 4, None),
    "a forgotten term": (
        with_rules(lambda x: x * x + x, lambda g, y, x: 2 * g * x), [ROW], 1, 0, 3, None),
    "a zero": (square(lambda g, y, x: 0 * g), [ROW], 1, 0, 3, 0),
    "one entry only": (
        square(lambda g, y, x: 2 * g * x * np.array([1, 1, 1.01])), [ROW], 1, 0, 1, 1.01),
    "one entry by 1e-4": (
        square(lambda g, y, x: 2 * g * x * np.array([1, 1.0001, 1])), [ROW], 1, 0, 1, 1.0001),
    "a NaN": (
        square(lambda g, y, x: 2 * g * x * np.array([1, np.nan, 1])), [ROW], 1, 0, 1, np.nan),
    "a detach, so wrong only when differentiated again": (
        square(lambda g, y, x: 2 * g * x.detach()), [ROW], 2, 0, 3, 0),
    "raw arrays": (square(lambda g, y, x: Tensor(2 * g.data * x.data)), [ROW], 2, 0, 3, 0),
    "no_grad within a rule": (
        with_rules(lambda x: x**3, lambda g, y, x: 3 * g * detached_square(x)), [ROW], 2, 0, 3, 0),
    "g detached": (square(lambda g, y, x: 2 * g.detach() * x), [ROW], 2, 1, 3, 0),
}


def detached_square(x):
    with no_grad():
        return x * x


@pytest.mark.parametrize("f, inputs, order, blamed, count, ratio", WRONG.values(), ids=WRONG)
def test_wrong_rules_are_blamed(f, inputs, order, blamed, count, ratio):
    with pytest.raises(GradientError) as caught:
        gradcheck(f, inputs, order=2)
    error, text = caught.value, str(caught.value)
    assert type(error) is GradientError
    assert (error.order, error.input) == (order, blamed)
    assert error.expected.shape == error.got.shape == error.wrong.shape
    assert error.wrong.dtype == bool and error.wrong.sum() == count
    if ratio is not None:
        np.testing.assert_allclose((error.got / error.expected)[error.wrong], ratio, rtol=1e-4)
    assert f"{count} of {error.wrong.size} entries" in text
    if blamed < len(inputs):
        assert f"input {blamed}" in text and error.got.shape == np.shape(inputs[blamed])
    else:  # second order has the gradients of the outputs as further inputs
        assert f"the gradient of output {blamed - len(inputs)}" in text
    if order == 2:
        assert "order 2" in text
        gradcheck(f, inputs, order=1)  # which cannot see it


def test_the_report_names_the_worst_entries_first():
    factors = np.array([[1, 1.5, 1], [1, 1, 3]])
    bad = square(lambda g, y, x: 2 * g * x * factors)
    x = np.full((2, 3), 2.0)
    with pytest.raises(GradientError) as caught:
        gradcheck(bad, [x], order=1)
    error, lines = caught.value, str(caught.value).splitlines()
    np.testing.assert_array_equal(error.wrong, factors != 1)
    assert "input 0, shape (2, 3), is wrong in 2 of 6 entries" in lines[0]
    assert lines[1].split() == ["entry", "expected", "got", "got", "/", "expected"]
    rows = [line.split() for line in lines if line.lstrip().startswith("[")]
    assert [" ".join(row[:2]) for row in rows] == ["[1, 2]", "[0, 1]"]
    assert [float(row[4]) for row in rows] == [3, 1.5]
    for row, at in zip(rows, [(1, 2), (0, 1)]):
        assert float(row[2]) == pytest.approx(error.expected[at], rel=1e-5)
        assert float(row[3]) == pytest.approx(error.got[at], rel=1e-5)


def test_the_report_of_a_scalar_function_shows_its_own_derivative():
    """Not one times a random weight: d(x²)/dx = 6 at 3, and the rule gives 3."""
    with pytest.raises(GradientError, match=r"shape \(\).*\n.*\n +\[\] +6 +3 +0\.5") as caught:
        gradcheck(square(lambda g, y, x: g * x), [np.array(3.0)])
    assert caught.value.got == pytest.approx(3) and caught.value.expected == pytest.approx(6)


def test_a_derivative_of_zero_is_no_division_by_zero():
    with pytest.raises(GradientError, match="1 of 1 entries"):
        gradcheck(square(lambda g, y, x: g + 2 * g * x), [np.zeros(1)])


def test_the_report_is_short():
    with pytest.raises(GradientError, match="100 of 100") as caught:
        gradcheck(square(lambda g, y, x: g * x), [np.arange(1.0, 101.0)])
    assert len(str(caught.value).splitlines()) < 10


# Kinks and jumps: the point is at fault, not the rule.

KINKS = {  # f, a point within a step of a kink, and the entries that are
    "relu": (ops.relu, [1e-7, 1.0], [True, False]),
    "relu at 0": (ops.relu, [0.0, 1.0], [True, False]),
    "abs": (ops.abs, [1.0, -3e-7], [False, True]),
    "abs at 0": (ops.abs, [1.0, 0.0], [False, True]),
    "max of a near tie": (ops.max, [1.0, 1.0 + 2e-7, 0.5], [True, True, False]),
    "max of a tie": (ops.max, [1.0, 1.0, 0.5], [True, True, False]),
    "maximum": (lambda x: ops.maximum(x, 1), [1.0, 3.0], [True, False]),
    "clip": (lambda x: ops.clip(x, 0, 1), [0.5, 1 - 1e-7], [False, True]),
    "a step": (lambda x: (x > 0) * 1.0 + x * x, [1e-7, 1.0], [True, False]),
    "a step at its place": (lambda x: (x > 0) * 1.0, [0.0, 1.0], [True, False]),
    "sign at 0": (ops.sign, [0.0, 1.0], [True, False]),
    "floor-like getitem": (lambda x: Tensor([1.0, 5.0])[(x.data > 1) * 1], [1 + 1e-8], [True]),
    "a kink in the gradient": (lambda x: x * ops.abs(x), [1e-7, 1.0], [True, False]),
}


@pytest.mark.parametrize("f, x, kinks", KINKS.values(), ids=KINKS)
def test_kinks_are_not_blamed_on_the_rule(f, x, kinks):
    with pytest.raises(NotDifferentiable, match="not differentiable.*input 0") as caught:
        gradcheck(f, [np.array(x)])
    assert caught.value.wrong.tolist() == kinks
    assert caught.value.order in (1, 2) and caught.value.input == 0


def test_a_point_at_the_edge_of_the_domain_is_not_blamed_on_the_rule():
    with np.errstate(all="ignore"), pytest.raises(NotDifferentiable):
        gradcheck(ops.sqrt, [np.array([0.0, 1.0])], order=1)


def test_a_step_farther_from_the_kink_passes():
    gradcheck(ops.relu, [np.array([1e-5, -1e-5])])


def test_a_wrong_rule_is_blamed_although_there_is_a_kink():
    factors = np.array([1, 1, 2])
    bad = with_rules(lambda x: np.maximum(x, 0), lambda g, y, x: g * (y > 0) * factors)
    with pytest.raises(GradientError, match=r"1 of 3 entries[^$]*1 more lie at a kink") as caught:
        gradcheck(bad, [np.array([1e-7, 1.0, 2.0])])
    assert type(caught.value) is GradientError
    assert caught.value.wrong.tolist() == [False, False, True]


def test_a_wrong_rule_is_blamed_at_the_kink_too():
    """No slope of relu is -1, wherever the point lies."""
    bad = with_rules(lambda x: np.maximum(x, 0), lambda g, y, x: -g * (y > 0))
    with pytest.raises(GradientError) as caught:
        gradcheck(bad, [np.array([1e-7])])
    assert type(caught.value) is GradientError


# Questions that have no answer.


def noisy(x, rng=np.random.default_rng(0)):
    return x * rng.standard_normal(x.shape)


UNANSWERABLE = {  # f, inputs, order, what the ValueError says
    "a random generator": (noisy, [ROW], 2, "different values.*randomness"),
    "NaN": (lambda x: ops.log(x), [np.array([-1.0])], 2, "NaN or infinite"),
    "infinity": (lambda x: ops.log(x), [np.array([0.0, 1.0])], 2, "NaN or infinite"),
    "overflow": (lambda x: ops.exp(x), [np.array([1000.0])], 2, "NaN or infinite"),
    "NaN in one of two outputs": (
        lambda x: [x, ops.sqrt(x)], [np.array([1.0, -1.0])], 2, "NaN or infinite"),
    "no inputs": (lambda: Tensor([1.0]), [], 2, "input.*0"),
    "order 0": (ops.exp, [ROW], 0, "order.*0"),
}


@pytest.mark.parametrize("f, inputs, order, text", UNANSWERABLE.values(), ids=UNANSWERABLE)
def test_unanswerable(f, inputs, order, text):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=text):
        gradcheck(f, inputs, order=order)


@pytest.mark.parametrize("result", [1.0, None, [], ROW, [1.0]], ids=repr)
def test_f_must_give_tensors(result):
    with pytest.raises(TypeError, match="f must give a Tensor"):
        gradcheck(lambda x: result, [ROW])


def test_a_gradient_error_is_an_assertion_error():
    """So that a test that calls gradcheck fails, and does not break."""
    assert issubclass(GradientError, AssertionError)
    assert issubclass(NotDifferentiable, GradientError)


def test_a_higher_order_sees_what_a_lower_one_cannot():
    """The rule, its rule and that one's are right; only the fourth derivative is wrong."""
    slope = square(lambda g, y, x: 2 * g * x.detach())  # right to first order only
    curve = with_rules(lambda x: x**4 / 12, lambda g, y, x: g * cube(x))
    cube = with_rules(lambda x: x**3 / 3, lambda g, y, x: g * slope(x))
    gradcheck(curve, [ROW], order=2)
    gradcheck(curve, [ROW], order=3)
    with pytest.raises(GradientError) as caught:
        gradcheck(curve, [ROW], order=4)
    assert caught.value.order == 4


def test_a_detached_factor_of_an_antisymmetric_rule_is_found():
    """The weights of the second order must not be those of the first, which are inputs there."""
    @primitive
    def cross(a, b):
        return np.cross(a, b)

    cross.defvjp(lambda g, y, a, b: cross(b, g), lambda g, y, a, b: cross(g, a))
    rng = np.random.default_rng(0)
    point = [rng.standard_normal(3), rng.standard_normal(3)]
    gradcheck(cross, point)
    cross.defvjp(lambda g, y, a, b: cross(b.detach(), g), lambda g, y, a, b: cross(g, a))
    with pytest.raises(GradientError) as caught:
        gradcheck(cross, point)
    assert caught.value.order == 2


@pytest.mark.parametrize("order", [1, 2])
def test_a_body_that_changes_its_input_is_found(order):
    def double(x):
        x *= 2
        return x + 0

    with pytest.raises(ValueError, match="f changes input 0 in place.*return a new one"):
        gradcheck(with_rules(double, lambda g, y, x: 2 * g), [ROW.copy()], order=order)
