"""The invisible watermark: found by its key alone, as often as it should be and no oftener."""

import io
import os
import stat
import threading

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binom
from sklearn.datasets import load_sample_images

from elegan.errors import UserError
from elegan.provenance import watermark
from elegan.provenance.watermark import FOUND, SMALLEST, detect, detect_many, embed
from elegan.provenance.watermark.carrier import CARRIERS, FIXED, carriers, modes_of
from elegan.provenance.watermark.code import CODE_BITS, decode, encodings
from elegan.provenance.watermark.detect import chance, matches
from elegan.provenance.watermark.grid import SIDE, evened, from_square, luminance, to_square

KEY, OTHER = b"k" * 32, b"o" * 32
NUMBER = 0xBEEF
PLACES, SIGNS = [640, 727, 219], "+-++++++-------+"
"""The first direction and the first signs of 32 zero bytes."""


def photo(side=128, number=0, height=None):
    """A crop of a photo, uint8 [side, side, 3]."""
    generator = np.random.default_rng(number)
    source = load_sample_images().images[number % 2]
    size = int(generator.integers(min(max(side, 128), 300), 400))
    top, left = (int(generator.integers(0, length - size + 1)) for length in source.shape[:2])
    piece = Image.fromarray(source[top : top + size, left : left + size])
    return np.array(piece.resize((side, height or side), Image.Resampling.LANCZOS))


def psnr(first, second):
    return 10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2))


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def smaller(pixels, factor):
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((round(image.width * factor), round(image.height * factor))))


def noisy(pixels, level, seed=0):
    return np.clip(np.rint(pixels + np.random.default_rng(seed).normal(0, level, pixels.shape)), 0, 255).astype(
        np.uint8
    )


@pytest.mark.parametrize("side", [64, 128, 256])
def test_a_mark_is_found_and_its_number_read(side):
    for number in range(4):
        mark = detect(embed(photo(side, number), KEY, NUMBER + number), [KEY])
        assert mark.p < 1e-9
        assert mark.payload == NUMBER + number
        assert mark.bits == FIXED


@pytest.mark.parametrize("number", [0, 2**16 - 1])
def test_the_least_and_the_greatest_number_come_back(number):
    assert detect(embed(photo(), KEY, number), [KEY]).payload == number


@pytest.mark.parametrize("number", [-1, 2**16])
def test_a_number_that_does_not_fit_is_refused(number):
    with pytest.raises(ValueError, match="16 bits"):
        embed(photo(), KEY, number)


@pytest.mark.parametrize("side", [128, 256])
def test_a_mark_outlives_what_happens_to_pictures_at_36_decibels(side):
    for number in range(6):
        plain = photo(side, number)
        marked = embed(plain, KEY, NUMBER)
        assert psnr(plain, marked) >= 36
        for attacked in (jpeg(marked, 50), smaller(marked, 0.75), noisy(marked, 8)):
            mark = detect(attacked, [KEY])
            assert mark.p < FOUND
            assert mark.payload in (NUMBER, None)


def test_mirrored_shifted_and_cropped_pictures_are_searched():
    marked = embed(photo(128, 1), KEY, NUMBER)
    edge = np.pad(marked, ((2, 0), (2, 0), (0, 0)), "edge")[:-2, :-2]
    for seen in (marked[:, ::-1], edge, marked[3:125, 4:126]):
        mark = detect(np.ascontiguousarray(seen), [KEY])
        assert mark.p < FOUND
        assert mark.payload == NUMBER


def test_a_thorough_search_finds_smaller_crops():
    crop = np.ascontiguousarray(embed(photo(128, 1), KEY, NUMBER)[10:106, 20:116])
    usual, thorough = detect(crop, [KEY]), detect(crop, [KEY], thorough=True)
    assert usual.p > FOUND > thorough.p
    assert thorough.searched > usual.searched


def test_another_key_sees_nothing():
    marked = [embed(photo(128, number), KEY, NUMBER) for number in range(20)]
    found = [detect(pixels, [OTHER]) for pixels in marked]
    assert min(mark.p for mark in found) > 1e-3
    assert all(mark.payload is None for mark in found)


def test_of_several_keys_the_right_one_answers_and_all_are_paid_for():
    marked = embed(photo(), KEY, NUMBER)
    one, three = detect(marked, [KEY]), detect(marked, [OTHER, KEY, b"x" * 32])
    assert three.payload == NUMBER
    assert three.matches == one.matches
    assert three.p == pytest.approx(3 * one.p)


def test_without_keys_or_frames_nothing_is_found():
    assert detect(photo(), []).p == 1
    assert detect_many([], [KEY]).p == 1


@pytest.mark.parametrize("shape", [(63, 63), (63, 500), (500, 63), (8, 8)])
def test_small_pictures_are_left_alone(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.array_equal(embed(pixels, KEY, NUMBER), pixels)


@pytest.mark.parametrize("shape", [(SMALLEST, 2000), (2000, SMALLEST), (100, 333)])
def test_oblong_pictures_are_marked(shape):
    marked = embed(photo(shape[1], 1, height=shape[0]), KEY, NUMBER)
    assert marked.shape[:2] == shape
    assert detect(marked, [KEY]).payload == NUMBER


def test_grey_pictures_are_marked_and_opacity_is_untouched():
    colours = photo(128, 2)
    opacity = np.random.default_rng(0).integers(0, 256, (128, 128, 1), dtype=np.uint8)
    grey = colours[..., 1:2]
    for pixels in (grey, np.concatenate([grey, opacity], 2), np.concatenate([colours, opacity], 2)):
        before = pixels.copy()
        marked = embed(pixels, KEY, NUMBER)
        assert np.array_equal(pixels, before), "the picture that was given is left as it was"
        assert detect(marked, [KEY]).payload == NUMBER
        if pixels.shape[2] in (2, 4):
            assert np.array_equal(marked[..., -1], pixels[..., -1])


@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_one_colour_is_marked_faintly_and_says_nothing_unmarked(value):
    pixels = np.full((128, 128, 3), value, np.uint8)
    marked = embed(pixels, KEY, NUMBER)
    assert detect(marked, [KEY]).p < FOUND
    assert psnr(pixels, marked) > 40
    assert detect(pixels, [KEY]).p > 1e-3


@pytest.mark.parametrize(
    "wrong", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3)), np.zeros((64, 64, 5), np.uint8)]
)
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(ValueError, match="uint8"):
        embed(wrong, KEY, NUMBER)


def test_without_a_mark_the_matches_are_binomial_whatever_the_picture():
    generator = np.random.default_rng(1)
    pictures = [photo(64), photo(128, 3), np.full((64, 64, 3), 77, np.uint8), embed(photo(128, 5), KEY, NUMBER)]
    for pixels in pictures:
        modes = modes_of(evened(to_square(luminance(pixels)))[0])
        counts = np.array([matches(modes, generator.bytes(32)) for _ in range(1500)])
        for threshold in (96, 102, 110):
            low, high = binom.ppf([0.0005, 0.9995], len(counts), chance(threshold))
            assert low <= (counts >= threshold).sum() <= high


def test_after_the_search_small_p_are_no_more_frequent_than_they_say():
    generator = np.random.default_rng(2)
    found = np.array([detect(photo(64, number % 5), [generator.bytes(32)]).p for number in range(200)])
    for level in (0.1, 0.01):
        assert (found <= level).sum() <= binom.ppf(0.9995, len(found), level)


def test_chance_is_the_binomial_tail():
    for count in (0, 96, 130, FIXED):
        assert chance(count) == pytest.approx(binom.sf(count - 1, FIXED, 0.5))


def test_frames_that_say_too_little_alone_say_it_together():
    marked = embed(photo(128, 4), KEY, NUMBER)
    frames = [noisy(marked, 60, seed) for seed in range(12)]
    assert min(detect(frame, [KEY]).p for frame in frames) > detect_many(frames, [KEY]).p
    assert detect_many(frames, [KEY]).p < FOUND


def test_the_number_is_read_from_different_frames():
    frames = [embed(photo(128, number), KEY, NUMBER) for number in range(5)]
    assert detect_many(frames, [KEY]).payload == NUMBER


def test_the_key_decides_the_directions_and_they_are_orthonormal():
    own = carriers(KEY)
    squares = np.stack([own.spread(row).ravel() for row in np.eye(CARRIERS, dtype=np.float32)[:40]])
    assert np.allclose(squares @ squares.T, np.eye(40), atol=1e-4)
    assert np.allclose(own.project(modes_of(squares[:3].reshape(3, SIDE, SIDE))), np.eye(CARRIERS)[:3], atol=1e-4)
    assert not np.array_equal(own.places, carriers(OTHER).places)


def test_the_directions_are_the_same_on_every_machine():
    own = carriers(bytes(32))
    assert own.places[0].tolist() == PLACES
    assert "".join("+" if sign > 0 else "-" for sign in own.signs[:16]) == SIGNS


def test_a_square_and_back_is_the_picture_where_frequencies_suffice():
    image = luminance(photo(96, 1))
    assert np.allclose(from_square(to_square(image), 96, 96), image, atol=0.05)


def test_the_code_corrects_three_errors_in_each_word_and_its_check_denies_more():
    generator = np.random.default_rng(0)
    words = encodings(NUMBER, KEY)
    assert words.shape == (256, CODE_BITS)
    for word in words[::16]:
        spoilt = word.copy()
        for start in range(0, CODE_BITS, 24):
            spoilt[start + generator.choice(24, 3, replace=False)] *= -1
        assert decode(spoilt, KEY) == NUMBER
    noise = [decode(generator.normal(size=CODE_BITS).astype(np.float32), KEY) for _ in range(2000)]
    assert sum(number is not None for number in noise) <= 5


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / "home"))
    assert watermark.known_key() is None
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(watermark.key())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert made[0] == watermark.known_key()
    assert len(made[0]) == 32
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["watermark.key"]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "home" / "watermark.key").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_damaged_key_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path))
    (tmp_path / "watermark.key").write_bytes(b"short")
    with pytest.raises(UserError, match="5 bytes instead of 32"):
        watermark.key()
    assert (tmp_path / "watermark.key").read_bytes() == b"short"


def test_a_home_that_is_no_folder_is_said_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="key"):
        watermark.key()
