"""Pictures show the pixels they are given, enlarged and labelled."""

import numpy as np
import pytest
from PIL import Image

from elegan.pictures import animation, contact_sheet, grid, scatter, to_image

PIXELS = np.random.default_rng(0)


def images(n, side=8, channels=1):
    return PIXELS.integers(0, 256, (n, side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_an_image_keeps_its_pixels(channels, mode):
    pixels = images(1, 5, channels)[0]
    picture = to_image(pixels)
    assert picture.mode == mode
    assert np.array_equal(np.asarray(picture).reshape(pixels.shape), pixels)


@pytest.mark.parametrize(("shape", "kind"), [((4, 4, 2), np.uint8), ((4, 4), np.uint8), ((4, 4, 3), float)])
def test_what_is_no_picture_is_refused_with_its_shape(shape, kind):
    pixels = np.zeros(shape, kind)
    with pytest.raises(ValueError, match=r"uint8 \[height, width, 1, 3 or 4\]; this array is"):
        to_image(pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_grid_holds_every_image_in_reading_order(channels):
    pixels = images(7, 6, channels)
    sheet = np.asarray(grid(pixels, columns=3, gap=1, enlarge=None)).reshape(20, 20, channels)
    for index in range(7):
        top, left = 7 * (index // 3), 7 * (index % 3)
        assert np.array_equal(sheet[top : top + 6, left : left + 6], pixels[index])


def test_nearest_enlargement_repeats_pixels_exactly():
    pixels = images(1)
    sheet = np.asarray(grid(pixels, enlarge="nearest"))
    assert np.array_equal(sheet, pixels[0, ..., 0].repeat(8, 0).repeat(8, 1))


def test_smooth_enlargement_keeps_a_flat_image_flat_and_makes_small_cells_visible():
    sheet = grid(np.full((4, 8, 8, 3), 90, np.uint8), gap=0)
    assert sheet.size == (128, 128)
    assert np.asarray(sheet).min() == np.asarray(sheet).max() == 90


def test_large_images_are_not_enlarged():
    assert grid(images(1, 128)).size == (128, 128)


def test_the_default_grid_is_nearly_square():
    assert grid(images(10, 64), gap=0).size == (4 * 64, 3 * 64)


def test_a_contact_sheet_gives_its_labels_room_at_the_left():
    rows = [np.zeros((4, 8, 8, 1), np.uint8), np.zeros((2, 8, 8, 1), np.uint8)]
    plain, labelled = contact_sheet(rows), contact_sheet(rows, ["zero", "a longer name"])
    assert plain.height == labelled.height
    room = labelled.width - plain.width
    strip = np.asarray(labelled.convert("L"))[:, :room]
    halves = np.split(strip[: 2 * (len(strip) // 2)], 2)
    assert all((half < 128).any() for half in halves)
    assert (strip[:, :4] == 255).all()


def test_a_contact_sheet_needs_a_label_a_row():
    with pytest.raises(ValueError, match="2 rows and 1 labels"):
        contact_sheet([images(1), images(1)], ["one"])


def test_a_contact_sheet_shows_transparency_as_paper():
    clear = np.zeros((1, 8, 8, 4), np.uint8)
    assert np.asarray(contact_sheet([clear])).min() == 255


def test_an_animation_keeps_its_frames_above_their_captions():
    frames = [to_image(images(1, 16, 3)[0].repeat(8, 0).repeat(8, 1)), to_image(images(1, 64, 3)[0])]
    captioned = animation(frames, ["0 images shown", "12,800 images shown"])
    assert len({frame.size for frame in captioned}) == 1
    width, height = captioned[0].size
    left = (width - 128) // 2
    assert height > 128
    assert np.array_equal(np.asarray(captioned[0])[:128, left : left + 128], np.asarray(frames[0]))
    assert captioned[0].crop((0, 128, width, height)).getextrema() != ((255, 255),) * 3


def test_a_scatter_plot_puts_dots_where_the_vectors_are():
    right_top = np.tile([[0.5, 0.5]], (50, 1))
    plot = np.asarray(scatter(right_top, limits=(-1, 1), side=200).convert("L")).astype(int)
    assert plot[50, 150] < 200
    assert plot[150, 50] == plot[50, 50] == 255


def test_a_scatter_plot_counts_what_it_cannot_draw():
    seen = np.zeros((10, 2))
    lost = np.concatenate([seen, [[np.nan, 0]], [[50, 0]]])
    whole, short = scatter(seen, limits=(-1, 1)), scatter(lost, limits=(-1, 1))
    assert whole.size == short.size
    bottom = (150, 440, 330, 478)
    assert np.asarray(whole.crop(bottom)).min() == 255
    assert np.asarray(short.crop(bottom)).min() < 255


def test_a_scatter_plot_of_centres_alone_holds_all_of_them():
    centres = np.array([[0.0, 0.0], [10.0, 10.0]])
    plot = scatter(np.empty((0, 2)), centres)
    colours = {colour for _, colour in plot.getcolors(1 << 20)}
    assert isinstance(plot, Image.Image)
    assert any(red > 200 and blue < 100 for red, _, blue in colours)
