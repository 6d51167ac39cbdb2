"""What figures share: where things are drawn, and that nothing lies upon another."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from demos import figures

ROOT = Path(__file__).parents[2]


def test_matplotlib_is_imported_when_a_figure_is_drawn():
    code = ("import sys, demos.run, demos.figures, demos.measures, tinyae.training; "
            "print({'matplotlib', 'cupy'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr


# --- pictures ------------------------------------------------------------------------------------

def test_a_number_has_the_minus_of_the_ticks():
    assert figures.number(-0.512, ".2f") == "−0.51" and figures.number(3, "+d") == "+3"


def test_a_mosaic_has_each_image_in_its_place():
    images = np.arange(3 * 2 * 2.0).reshape(3, 2, 2)
    sheet = figures.mosaic(images, columns=2, line=-1)
    assert sheet.shape == (7, 7)
    assert np.array_equal(sheet[1:3, 1:3], images[0]) and np.array_equal(sheet[4:6, 1:3], images[2])
    assert np.array_equal(sheet[1:3, 4:6], images[1]) and (sheet[4:, 4:] == -1).all()
    assert (sheet[[0, 3, 6]] == -1).all() and (sheet[:, [0, 3, 6]] == -1).all()


def test_a_mosaic_of_vectors_and_of_colours():
    vectors = np.random.default_rng(0).random((4, 9))
    assert np.array_equal(figures.mosaic(vectors, 2), figures.mosaic(vectors.reshape(4, 3, 3, 1), 2))
    colours = np.random.default_rng(0).random((2, 3, 4, 3))
    sheet = figures.mosaic(colours, 2)
    assert sheet.shape == (5, 11, 3) and np.array_equal(sheet[1:4, 6:10], colours[1])


def shown(axes):
    """The array of the one image in the axes."""
    image, = axes.get_images()
    return np.asarray(image.get_array())


def test_pictures_are_rows_with_titles():
    rng = np.random.default_rng(0)
    rows = {"the first": rng.random((20, 16)), "the second": rng.random((5, 4, 4, 1)) * 3 - 1}
    fig = figures.pictures("A point", rows, columns=12)
    assert fig.get_suptitle() == "A point"
    assert [axes.get_title() for axes in fig.axes] == ["the first", "the second"]
    assert [shown(axes).shape for axes in fig.axes] == [(6, 61), (6, 61)]
    assert np.array_equal(shown(fig.axes[0]), figures.mosaic(rows["the first"][:12], 12))
    assert np.array_equal(shown(fig.axes[1])[1:5, 1:5], rows["the second"][0, ..., 0].clip(0, 1))
    assert (shown(fig.axes[1])[:, 26:] == 0.5).all()  # a row with fewer is not filled up
    assert fig.axes[0].get_images()[0].get_clim() == (0, 1)  # black and white are the same in all rows


def test_signed_images_are_white_at_zero():
    axes = figures.figure(2, 2, "").subplots()
    figures.show_signed_images(axes, np.array([[-1.0, 0, 0, 2]]), 1, bound=3)
    image, = axes.get_images()
    assert image.get_clim() == (-3, 3) and np.array_equal(shown(axes)[1:3, 1:3], [[-1, 0], [0, 2]])
    assert np.allclose(image.to_rgba(np.zeros((1, 1)))[0, 0], 0.96, atol=0.05)


# --- curves --------------------------------------------------------------------------------------

def ends(axes):
    """The texts in the axes by name: their extents on the drawn figure."""
    axes.figure.draw_without_rendering()
    return {text.get_text(): text.get_window_extent() for text in axes.texts}


def test_curves_are_named_at_their_ends():
    axes = figures.figure(5, 4, "").subplots()
    x = np.arange(6)
    series = {"rising": x, "falling": [5, 4, 3, 2], "level": np.full(6, 2.5)}
    figures.curves(axes, x, series, dashed={"level"})
    assert [line.get_label() for line in axes.lines] == list(series)
    assert [len(line.get_xdata()) for line in axes.lines] == [6, 4, 6]  # one may end before the others
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-", "--"]
    assert len({line.get_color() for line in axes.lines}) == 3
    assert len({line.get_marker() for line in axes.lines}) == 3
    extents = ends(axes)
    for line in axes.lines:
        place = axes.transData.transform((line.get_xdata()[-1], line.get_ydata()[-1]))
        box = extents[line.get_label()]
        assert 0 < box.x0 - place[0] < 20 and abs((box.y0 + box.y1) / 2 - place[1]) < 5
    colours = {text.get_text(): text.get_color() for text in axes.texts}
    assert colours == {line.get_label(): line.get_color() for line in axes.lines}


def test_curves_without_names_at_their_ends():
    axes = figures.figure(5, 4, "").subplots()
    figures.curves(axes, [0, 1], {"one": [0, 1]}, label=False, marker=None)
    assert not axes.texts and axes.lines[0].get_marker() in (None, "None")


@pytest.mark.parametrize("heights", [[1, 1, 1, 1], [0, 0.01, 0.02, 5], [3, 2.99, 0, 0.02]])
def test_names_at_one_height_are_moved_apart(heights):
    axes = figures.figure(5, 4, "").subplots()
    figures.curves(axes, [0, 1], {f"curve {i}": [i, height] for i, height in enumerate(heights)})
    boxes = sorted(ends(axes).values(), key=lambda box: box.y0)
    assert all(above.y0 >= below.y1 - 1 for below, above in zip(boxes, boxes[1:]))
    order = [text for text, _ in sorted(ends(axes).items(), key=lambda item: item[1].y0)]
    assert [heights[int(text[-1])] for text in order] == sorted(heights)  # the order of the curves


@pytest.mark.parametrize("held_out", [False, True])
def test_loss_curves(held_out):
    history = [{"epoch": e, "train": {"loss": 9 - e}} | ({"held_out": {"loss": 8 - e}} if held_out else {})
               for e in (1, 2, 3)]
    axes = figures.figure(5, 4, "").subplots()
    figures.loss_curves(axes, history)
    assert [list(line.get_ydata()) for line in axes.lines] == [[8, 7, 6]] + [[7, 6, 5]] * held_out
    assert "nats" in axes.get_ylabel() and len(axes.get_legend().get_texts()) == 1 + held_out


# --- codes and fields ----------------------------------------------------------------------------

def test_codes_are_named_where_they_are_densest():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 4, 7], 50)
    codes = rng.standard_normal((150, 2)) + np.array([[0, 0], [9, 0], [0, 9]]).repeat(50, axis=0)
    axes = figures.figure(5, 5, "").subplots()
    figures.scatter_codes(axes, codes, labels, "where", symbol="h")
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("h₁", "h₂", "where")
    assert [len(dots.get_offsets()) for dots in axes.collections] == [50, 50, 50]
    for text in axes.texts:
        cloud = codes[labels == int(text.get_text())]
        assert np.linalg.norm(text.get_position() - np.median(cloud, axis=0)) < 0.7
    two = np.concatenate([codes[:50], codes[:30] / 5 + [20, 0]])  # not between two clouds of one kind
    assert np.linalg.norm(figures.densest(two) - [20, 0]) < 0.5
    assert np.array_equal(figures.densest(two[:1]), two[0])


def test_names_of_clouds_on_one_place_are_pushed_apart():
    places = np.array([[0.0, 0], [0.01, 0], [0, 0.01], [5, 5]])
    pushed = figures._apart(places, 1)
    gaps = np.linalg.norm(pushed[:, None] - pushed, axis=-1) + 9 * np.eye(4)
    assert gaps.min() > 0.9 and np.array_equal(pushed[3], [5, 5])
    assert np.array_equal(places[1], [0.01, 0])  # those given stay as they are


def test_an_arrow_is_as_long_as_its_step():
    fig = figures.figure(5, 5, "")
    axes = fig.subplots()
    points, steps = np.array([[0.0, 0], [1, 2]]), np.array([[0.5, 0], [-0.25, 1]])
    figures.arrows(axes, points, steps, label="a step")
    field, = axes.collections
    assert np.array_equal(field.get_offsets(), points) and field.get_label() == "a step"
    assert (field.angles, field.scale_units, field.scale) == ("xy", "xy", 1)
    assert np.array_equal(np.c_[field.U, field.V], steps) and axes.get_aspect() == 1
