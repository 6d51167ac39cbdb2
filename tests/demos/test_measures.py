"""What the demos measure, against brute force and against cases of which the answer is known."""

import math

import numpy as np
import pytest

from demos import measures


# --- neighbours and PCA --------------------------------------------------------------------------

@pytest.mark.parametrize("k", [1, 4, 30])
def test_nearest_is_brute_force(k):
    rng = np.random.default_rng(0)
    queries, reference = rng.random((12, 3, 2)), rng.random((30, 3, 2))
    distances, numbers = measures.nearest(queries, reference, k)
    table = np.sqrt(((queries[:, None] - reference[None]) ** 2).sum((2, 3)))
    assert np.array_equal(numbers, table.argsort(1)[:, :k])
    assert np.allclose(distances, np.sort(table, 1)[:, :k], atol=1e-7)
    again, itself = measures.nearest(reference, reference, 1)
    assert np.array_equal(itself[:, 0], np.arange(30)) and np.abs(again).max() < 1e-6


def test_vote_is_brute_force():
    rng = np.random.default_rng(1)
    queries, reference, labels = rng.random((40, 2)), rng.random((200, 2)), rng.integers(0, 10, 200)
    labels[reference[:, 0] < 0.5] = 7
    winners, shares = measures.vote(queries, reference, labels)
    table = ((queries[:, None] - reference[None]) ** 2).sum(2)
    for i, row in enumerate(table):
        counts = np.bincount(labels[row.argsort()[:10]], minlength=10)
        assert winners[i] == counts.argmax() and shares[i] == counts.max() / 10
    assert {1.0} < set(shares)


def test_unit_rows():
    x = np.random.default_rng(2).standard_normal((5, 3))
    rows = measures.unit(x)
    assert np.allclose((rows**2).sum(axis=1), 1) and np.allclose(rows * np.linalg.norm(x, axis=1)[:, None], x)


def test_lean_is_the_slant_of_a_line():
    rows, columns = np.indices((14, 14))
    for slope in (-0.5, 0, 0.3):
        line = np.exp(-((columns - 6.5 + slope * (rows - 6.5)) ** 2)).astype(np.float32)
        assert measures.lean(line[None, :, :, None]) == pytest.approx([slope], abs=0.02)


def test_principal_axes():
    rng = np.random.default_rng(3)
    frame, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    x = rng.standard_normal((5000, 4)) * [5, 3, 1, 0.2] @ frame.T + 7
    mean, axes = measures.pca(x, 2)
    assert np.allclose(mean, x.mean(axis=0)) and axes.shape == (4, 2)
    assert np.allclose(axes.T @ axes, np.eye(2))
    assert np.allclose(np.abs((axes * frame[:, :2]).sum(axis=0)), 1, atol=1e-2)
    assert np.var((x - mean) @ axes, axis=0) == pytest.approx([25, 9], rel=0.1)


def test_copies_by_pca():
    rng = np.random.default_rng(2)
    flat = rng.standard_normal((50, 2)) @ rng.standard_normal((2, 6)) + 3  # a plane, off the origin
    train, x = flat[:40].reshape(40, 2, 3), flat[40:].reshape(10, 2, 3)
    assert np.allclose(measures.pca_copies(train, x, 2), x)
    assert measures.squared_error(measures.pca_copies(train, x, 1), x) > 0.1
    assert np.allclose(measures.pca_copies(train, x, 0), train.mean(axis=0))


# --- errors --------------------------------------------------------------------------------------

def test_ratio():
    assert measures.ratio(3, 4) == 0.75 and math.isnan(measures.ratio(3, 0))


def test_squared_error_is_summed_over_an_example():
    target = np.zeros((2, 2, 3))
    prediction = target.copy()
    prediction[0, 0] = 2
    assert measures.squared_error(prediction, target) == 6  # three entries of 4, of two examples


def test_relative_error_is_that_of_the_mean_at_worst():
    x = np.random.default_rng(0).standard_normal((50, 4))
    mean = x.mean(axis=0)
    assert measures.relative_error(x, x, mean) == 0
    assert measures.relative_error(np.broadcast_to(mean, x.shape), x, mean) == pytest.approx(1)
    assert measures.relative_error((x + mean) / 2, x, mean) == pytest.approx(0.25)


def test_r_squared():
    truth = np.random.default_rng(0).standard_normal((100, 2)) * [1, 3] + 5
    assert measures.r_squared(truth, truth) == 1
    assert measures.r_squared(np.broadcast_to(truth.mean(axis=0), truth.shape), truth) == pytest.approx(0)
    assert measures.r_squared((truth + truth.mean(axis=0)) / 2, truth) == pytest.approx(0.75)
    assert measures.r_squared(2 * truth.mean(axis=0) - truth, truth) == pytest.approx(-3)


# --- what can be read from codes -----------------------------------------------------------------

def coded(n=200):
    """Codes of very different scales, and a linear function of them."""
    codes = np.random.default_rng(0).standard_normal((n, 3)) * [1e-3, 1, 1e3] + [0, 5, -200]
    return codes, codes @ [2000.0, 1, 3e-3] + 4


def test_regression_finds_a_linear_function():
    codes, target = coded()
    found = measures.regression(codes[:150], target[:150], codes[150:], ridge=1e-9)
    assert np.allclose(found, target[150:])
    two = measures.regression(codes[:150], np.c_[target, -target][:150], codes[150:], ridge=1e-9)
    assert np.allclose(two, np.c_[found, -found])


def test_regression_by_ridge_does_not_care_about_scales():
    codes, target = coded()
    one, other = (measures.regression(c[:150], target[:150], c[150:], ridge=0.1)
                  for c in (codes, codes * [1e3, 1, 1e-3]))
    assert np.allclose(one, other)


def test_regression_on_a_code_that_never_changes():
    codes, target = coded()
    found = measures.regression(np.zeros((200, 2)), target, np.zeros((3, 2)))
    assert np.allclose(found, target.mean(), rtol=2e-3)


def test_linear_accuracy():
    rng = np.random.default_rng(0)
    labels, new_labels = rng.integers(0, 3, 300), rng.integers(0, 3, 200)
    codes, new = (5 * np.eye(3)[which] + 0.3 * rng.standard_normal((len(which), 3))
                  for which in (labels, new_labels))
    names = np.array([2, 5, 9])  # whatever the labels are called
    assert measures.linear_accuracy(codes, names[labels], new, names[new_labels]) == 1
    assert measures.linear_accuracy(codes, names[labels], new, names[(new_labels + 1) % 3]) == 0
    blind = rng.standard_normal((300, 3)), rng.standard_normal((200, 3))
    assert 0.2 < measures.linear_accuracy(blind[0], labels, blind[1], new_labels) < 0.5


def test_linear_accuracy_sees_no_circle():
    """What no line separates stays hidden: a ring around its middle."""
    rng = np.random.default_rng(0)
    angle, ring = rng.uniform(0, 2 * np.pi, 1000), np.repeat([0.2, 3.0], 500)
    codes, labels = np.c_[ring * np.cos(angle), ring * np.sin(angle)], ring > 1
    assert measures.linear_accuracy(codes[::2], labels[::2], codes[1::2], labels[1::2]) < 0.65


def test_area_under_roc_is_the_share_of_pairs():
    rng = np.random.default_rng(0)
    outliers, others = rng.integers(3, 9, 40) / 2, rng.integers(0, 7, 70) / 2  # with many ties
    pairs = (outliers[:, None] > others) + 0.5 * (outliers[:, None] == others)
    assert measures.area_under_roc(outliers, others) == pytest.approx(pairs.mean())
    assert measures.area_under_roc(np.ones(4), np.zeros(5)) == 1
    assert measures.area_under_roc(np.zeros(4), np.ones(5)) == 0
    assert measures.area_under_roc(np.ones(4), np.ones(5)) == 0.5
    assert math.isnan(measures.area_under_roc(np.array([1.0, math.nan]), np.zeros(5)))


# --- time ----------------------------------------------------------------------------------------

def test_seconds_in_turns(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(measures.time, "perf_counter", lambda: clock[0])

    def way(name, seconds):
        def act():
            calls.append(name)
            clock[0] += seconds[calls.count(name) - 1]
        return act

    ways = {"a": way("a", [90, 1, 5, 2]), "b": way("b", [0, 10, 30, 20])}
    assert measures.seconds_in_turns(ways, rounds=3) == {"a": 2, "b": 20}  # the first round does not count
    assert calls == 4 * ["a", "b"]


# --- information ---------------------------------------------------------------------------------

def test_bins_have_equally_many_values_and_equal_values_share_one():
    x = np.stack([np.random.default_rng(0).permutation(200) ** 3, np.arange(200) % 2], axis=1)
    found = measures.binned(x, 10)
    assert np.array_equal(np.bincount(found[:, 0]), np.full(10, 20))
    assert (np.diff(found[np.argsort(x[:, 0]), 0]) >= 0).all()
    kinds = np.unique(found[:, 1])
    assert len(kinds) == 2 and np.array_equal(found[:, 1] == kinds[1], x[:, 1] == 1)


def test_mutual_information_of_known_cases():
    a = np.repeat([3, 7, 8, 20], 25)
    assert measures.mutual_information(a, a) == pytest.approx(np.log(4))
    assert measures.mutual_information(a, -a) == pytest.approx(np.log(4))  # names do not matter
    assert measures.mutual_information(a, a > 7) == pytest.approx(np.log(2))
    assert measures.mutual_information(a, np.tile(np.arange(25), 4)) == pytest.approx(0, abs=1e-12)
    assert measures.mutual_information(np.zeros(100, int), a) == 0
    flips = np.r_[np.zeros(90, int), np.ones(10, int)]  # a channel that is wrong once in ten times
    sent = np.tile([0, 1], 50)
    lost = -0.1 * np.log(0.1) - 0.9 * np.log(0.9)
    assert measures.mutual_information(sent, sent ^ flips) == pytest.approx(np.log(2) - lost)


def test_gap_of_known_codes():
    rng = np.random.default_rng(0)
    v = rng.random((4000, 2))
    noise = rng.standard_normal((4000, 1))
    each = measures.information_table(np.c_[noise, -v[:, 1] ** 3, v[:, 0]], v)
    assert each.shape == (2, 3) and each[0, 2] == each[1, 1] == pytest.approx(1)
    assert np.delete(each, [2, 4]).max() < 0.05
    assert measures.mutual_information_gap(each) > 0.95
    twice = measures.information_table(np.c_[v, v + 0], v)
    assert measures.mutual_information_gap(twice) == 0  # two dimensions tell the same
    gaussian = rng.standard_normal((4000, 2))
    mixed = gaussian @ np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    assert measures.mutual_information_gap(measures.information_table(mixed, gaussian)) < 0.05


def test_sparsity_of_known_codes():
    assert measures.hoyer(np.array([[0, -3.0, 0, 0]])) == pytest.approx(1)
    assert measures.hoyer(np.array([[2, 2, -2, 2.0]])) == pytest.approx(0)
    assert measures.hoyer(np.array([[3.0, 4, 0, 0]])) == pytest.approx((2 - 7 / 5) / (2 - 1))
    codes = np.random.default_rng(0).standard_normal((50, 9)).astype(np.float32)
    each = [measures.hoyer(code[None]) for code in codes]
    assert measures.hoyer(codes) == pytest.approx(np.mean(each)) == pytest.approx(measures.hoyer(1000 * codes))


def test_sparsity_of_codes_that_say_nothing():
    assert measures.hoyer(np.array([[0, 0, 0], [0, 1.0, 0]])) == pytest.approx(0.5)  # none is as good as even
    assert math.isnan(measures.hoyer(np.array([[1.0, math.nan], [1, 0]])))


def test_the_first_of_each_kind():
    labels, order = np.tile([5, 7, 9], 4), np.arange(12)[::-1]
    assert measures.first_of_each(labels, order, 2).tolist() == [9, 6, 10, 7, 11, 8]


@pytest.mark.parametrize("degrees", [0, 1e-6, 0.5, 30, 89, 90])
def test_angle_between_planes_of_known_angle(degrees):
    rng = np.random.default_rng(0)
    turned = math.radians(degrees)
    a = np.eye(5)[:, :2]
    b = np.stack((np.eye(5)[0], [0, math.cos(turned), 0, math.sin(turned), 0]), axis=1)
    frame, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    for mix in (np.eye(2), rng.standard_normal((2, 2))):  # whatever the bases of the planes
        assert abs(measures.angle_between(frame @ a, frame @ b @ mix) - degrees) < 1e-9
        assert abs(measures.angle_between(frame @ b @ mix, frame @ a) - degrees) < 1e-9


def test_angle_between_lines_has_no_sign_and_no_length():
    assert abs(measures.angle_between([[1.0], [0.0]], [[-3.0], [3.0]]) - 45) < 1e-9


def test_the_classifier_is_ridge_regression():
    rng = np.random.default_rng(0)
    codes, labels, new = rng.standard_normal((20, 5)), np.arange(20) % 10, rng.standard_normal((50, 5))
    a = codes - codes.mean(axis=0)
    ridge = 0.1 * (a**2).sum() / 20
    weight = np.linalg.solve(a.T @ a + ridge * np.eye(5), a.T @ np.eye(10)[labels])
    expected = ((new - codes.mean(axis=0)) @ weight).argmax(axis=1)
    assert (measures.classified(codes, labels, new) == expected).all()


def test_the_classifier_does_not_see_the_scale():
    rng = np.random.default_rng(0)
    codes, labels, new = rng.standard_normal((20, 5)), np.arange(20) % 10, rng.standard_normal((50, 5))
    scaled = measures.classified(9 * codes, labels, 9 * new)
    assert (measures.classified(codes, labels, new) == scaled).all()
