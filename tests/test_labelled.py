"""Pictures that elegan generated stay labelled, whatever Pillow makes of them and however they are saved."""

import copy
import io
import logging
import pickle

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from elegan.errors import UserError
from elegan.provenance import Label, LabelledImage, labelled, read_label
from elegan.provenance.evidence import examine

LABEL = Label("elegan 0.1.0 r3gan", "3c5a" * 16, 7, "faces")
DERIVED = {
    "copy": lambda picture: picture.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda picture: pickle.loads(pickle.dumps(picture)),
    "grey": lambda picture: picture.convert("L"),
    "same mode": lambda picture: picture.convert("RGB"),
    "palette": lambda picture: picture.convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB"),
    "quantize": lambda picture: picture.quantize(16),
    "another system of colours": lambda picture: picture.convert("LAB").convert("RGB"),
    "crop": lambda picture: picture.crop((1, 1, 6, 6)),
    "resize": lambda picture: picture.resize((16, 16)),
    "reduce": lambda picture: picture.reduce(2),
    "rotate by 90": lambda picture: picture.rotate(90),
    "rotate by 30": lambda picture: picture.rotate(30, Image.Resampling.BILINEAR, expand=True),
    "transparent, rotated": lambda picture: picture.convert("RGBA").rotate(30, Image.Resampling.BILINEAR),
    "transpose": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "point": lambda picture: picture.point(lambda value: 255 - value),
    "channel": lambda picture: picture.getchannel("R"),
    "split": lambda picture: picture.split()[1],
    "split and merge": lambda picture: Image.merge("RGB", picture.split()),
    "blur": lambda picture: picture.filter(ImageFilter.GaussianBlur(1)),
    "fit": lambda picture: ImageOps.fit(picture, (5, 5)),
    "mirror": ImageOps.mirror,
}


@pytest.fixture
def picture():
    return one(0)


def one(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return LabelledImage.of(Image.fromarray(pixels), LABEL)


def said_in(content, name, folder):
    (folder / name).write_bytes(content)
    return read_label(folder / name)


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_what_is_derived_is_saved_with_the_label(tmp_path, picture, derive):
    derive(picture).save(tmp_path / "a.png")
    label = read_label(tmp_path / "a.png")
    assert (label.generator, label.weights_sha256, label.seed) == (LABEL.generator, LABEL.weights_sha256, LABEL.seed)
    assert examine(tmp_path / "a.png").conclusion == "SIGNED_TRUSTED"


def test_the_plain_picture_that_it_was_made_of_stays_plain(picture):
    plain = Image.new("RGB", (8, 8))
    LabelledImage.of(plain, LABEL)
    assert type(plain) is Image.Image
    assert type(plain.resize((4, 4))) is Image.Image


@pytest.mark.parametrize(
    ("name", "format"), [("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.gif", "GIF"), ("a.png", "PNG")]
)
def test_a_binary_file_has_the_format_of_its_name(tmp_path, picture, name, format):
    with (tmp_path / name).open("wb") as file:
        picture.save(file)
    with Image.open(tmp_path / name) as found:
        assert found.format == format
    assert examine(tmp_path / name).conclusion == "SIGNED_TRUSTED"


def test_a_format_that_is_given_is_that_of_a_binary_file(tmp_path, picture):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    assert said_in(buffer.getvalue(), "a.jpg", tmp_path).seed == 7
    with pytest.raises(UserError, match='give format="PNG"'):
        picture.save(io.BytesIO())


def test_a_path_and_a_format_must_agree(tmp_path, picture):
    picture.save(tmp_path / "a.jpg", "jpeg")
    with pytest.raises(UserError, match="rename it"):
        picture.save(tmp_path / "a.jpg", "PNG")


def test_several_pictures_make_an_animation(tmp_path, picture):
    picture.save(tmp_path / "a.gif", save_all=True, append_images=[one(1), one(2)], duration=70, loop=0)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 3
        assert film.info["duration"] == 70
        assert film.info["loop"] == 0
    assert examine(tmp_path / "a.gif").conclusion == "SIGNED_TRUSTED"
    buffer = io.BytesIO()
    picture.save(buffer, "GIF", append_images=(one(seed) for seed in (1, 2)))
    with Image.open(buffer) as film:
        assert film.n_frames == 3
    assert said_in(buffer.getvalue(), "b.gif", tmp_path).generator == LABEL.generator


def test_what_pillow_is_asked_for_is_done_or_refused_but_never_lost(tmp_path, picture):
    refused = {"a.jpg": {"quality": 40}, "a.webp": {"quality": 80}, "a.png": {"pnginfo": None, "dpi": (72, 72)}}
    refused |= {"b.gif": {"append_images": [one(1)], "duration": [10, 20]}, "c.gif": {"duration": 10}}
    for name, params in refused.items():
        with pytest.raises(UserError, match=next(iter(key for key in ("quality", "dpi", "duration") if key in params))):
            picture.save(tmp_path / name, **params)
    with pytest.raises(UserError, match=r"animated as \.gif, not as \.webp"):
        picture.save(tmp_path / "a.webp", save_all=True, append_images=[one(1)])
    assert not list(tmp_path.iterdir())


def test_it_is_shown_in_notebooks_and_viewers(tmp_path, picture):
    assert said_in(picture._repr_png_(), "a.png", tmp_path).seed == 7
    shown = picture._dump(str(tmp_path / "b"), "PNG", compress_level=1, save_all=True)  # what Pillow's viewers do
    assert read_label(shown).seed == 7


def test_the_logger_says_once_what_is_missing(tmp_path, monkeypatch, picture, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / "file" / "home"))
    labelled._warn.cache_clear()
    with caplog.at_level(logging.WARNING, "elegan"):
        picture.save(tmp_path / "a.png")
        picture.save(io.BytesIO(), "PNG")
    (record,) = [record for record in caplog.records if record.module == "labelled"]
    assert "It isn't signed" in record.getMessage()
    assert "It isn't in the registry" in record.getMessage()
    assert read_label(tmp_path / "a.png").seed == 7


def test_the_logger_is_silent_when_nothing_is_missing(tmp_path, picture, caplog):
    labelled._warn.cache_clear()
    with caplog.at_level(logging.WARNING, "elegan"):
        picture.save(tmp_path / "a.png")
    assert not [record for record in caplog.records if record.module == "labelled"]
