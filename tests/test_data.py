"""Data of every kind a user may have arrive as equal 8-bit images, split fairly and streamed exactly."""

import csv
import gzip
import hashlib
import io
import json
import os
import struct
import tarfile
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from elegan.data import open_data
from elegan.data.found import is_hidden
from elegan.data.images import Unreadable, decode, measure
from elegan.data.sizes import default_shape, memory_bytes, parse_size, refuse_too_large
from elegan.data.split import make_split
from elegan.errors import UserError
from elegan.game import Ranks
from elegan.verbs.check_data import check_data, table


def pixels(n=24, height=8, width=8, channels=3, seed=0):
    shape = (n, height, width) if channels == 1 else (n, height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save_all(folder, images, ending="png", **options):
    """Write images as 000.png, 001.png …"""
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        picture.save(folder / f"{index:03d}.{ending}", **options)
    return folder


def encode(image, kind="PNG", **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def noted(data, words):
    return any(words in note for note in data.notes)


def rows(*values):
    """A picture with a row of each grey level."""
    return Image.fromarray(np.repeat(np.array(values, np.uint8)[:, None], 8, axis=1))


# Built-in data


def test_digits_at_8_are_the_originals():
    from sklearn.datasets import load_digits

    data = open_data("digits", size=8)
    assert data.items.shape == (1797, 8, 8, 1)
    assert np.array_equal(np.rint(data.items[..., 0] * (16 / 255)), load_digits().images)
    assert np.array_equal(data.labels, load_digits().target)
    assert data.classes == tuple("0123456789")
    assert "CC BY 4.0" in data.licence


def test_digits_are_shown_at_16_by_default_and_it_is_said():
    data = open_data("digits")
    assert data.spec.shapes == {"real": (1, 16, 16), "label": ()}
    assert data.spec.items == len(data.split.train)
    assert noted(data, "All 1,797 images had to be enlarged (bicubic)")
    original = Image.fromarray(open_data("digits", size=8).items[5, ..., 0])
    assert np.array_equal(data.items[5, ..., 0], np.asarray(original.resize((16, 16), Image.Resampling.BICUBIC)))


@pytest.mark.parametrize(
    ("name", "count", "radius", "sigma", "scale"),
    [("ring", 8, 1.0, 0.01, 0.5**0.5), ("grid", 25, None, 0.05, 8**0.5)],
)
def test_mixtures_have_the_modes_they_say(name, count, radius, sigma, scale):
    data = open_data(name, seed=3)
    centres = data.modes.centres
    assert centres.shape == (count, 2)
    assert data.modes.sigma == sigma
    gaps = np.linalg.norm(centres[:, None] - centres, axis=-1) + 9 * np.eye(count)
    if radius:
        assert np.allclose(np.linalg.norm(centres, axis=1), radius)
    else:
        assert np.allclose(gaps.min(axis=1), 2)
    distances = np.linalg.norm(data.items[:, None] - centres, axis=-1)
    nearest = distances.argmin(axis=1)
    assert np.bincount(nearest).min() > 0.9 * len(data) / count
    assert np.sqrt((distances.min(axis=1) ** 2).mean() / 2) == pytest.approx(sigma, rel=0.02)
    assert data.scale == pytest.approx(np.sqrt(scale**2 + sigma**2))
    assert data.labels is None
    assert data.spec.shapes == {"real": (2,)}
    assert float(data.tensor(np.arange(len(data))).square().mean().sqrt()) == pytest.approx(1, rel=0.02)


def test_mixtures_come_from_the_seed():
    assert open_data("ring", seed=1).fingerprint == open_data("ring", seed=1).fingerprint
    assert open_data("ring", seed=1).fingerprint != open_data("ring", seed=2).fingerprint


# To tensors and back


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_come_back_exactly(tmp_path, channels):
    path = tmp_path / "a.npz"
    values = np.arange(24 * 16 * 16 * channels).astype(np.uint8).reshape(24, 16, 16, channels)
    np.savez(path, images=values)
    data = open_data(str(path))
    tensor = data.tensor(np.arange(24))
    assert tensor.dtype == torch.float32
    assert tensor.shape == (24, channels, 16, 16)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert float(tensor.min()) == -1
    assert float(tensor.max()) == 1
    assert torch.equal(tensor[0, 0, 0, 1], torch.tensor(channels / 127.5 - 1))
    assert np.array_equal(data.to_items(tensor), values)


def test_samples_are_clipped_and_rounded_and_a_nan_is_refused():
    data = open_data("digits", size=8)
    samples = torch.tensor([-2.0, 2.0, 0.0, 0.003]).view(1, 1, 2, 2).requires_grad_()
    assert data.to_items(samples).ravel().tolist() == [0, 255, 128, 128]
    with pytest.raises(ValueError, match="NaN"):
        data.to_items(samples * float("nan"))


def test_vectors_come_back_in_the_units_of_the_data():
    data = open_data("grid")
    assert np.allclose(data.to_items(data.tensor([0, 5])), data.items[[0, 5]], atol=1e-6)


def test_the_data_are_not_changed_by_their_tensors():
    data = open_data("ring")
    before = data.items[:4].copy()
    data.tensor(torch.arange(4)).zero_()
    assert np.array_equal(data.items[:4], before)


def test_parts_pair_items_with_labels():
    data = open_data("digits", size=8)
    items, labels = data.part("test")
    assert np.array_equal(items, data.items[data.split.test])
    assert np.array_equal(labels, data.labels[data.split.test])
    assert open_data("ring").part("train")[1] is None
    with pytest.raises(ValueError, match="train, validation, test"):
        data.part("tets")


def test_a_record_of_the_data_is_plain_json():
    record = open_data("digits").describe()
    assert json.loads(json.dumps(record)) == record
    assert record["train"] + record["validation"] + record["test"] == record["items"]


# The fingerprint


def test_the_fingerprint_is_the_same_on_every_machine(tmp_path):
    images = (np.arange(20 * 64) % 251).astype(np.uint8).reshape(20, 8, 8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(20) % 2)
    known = hashlib.sha256(b"uint8 (20, 8, 8, 1) ['0', '1']")
    known.update(images.tobytes() + b"".join(struct.pack("<q", i % 2) for i in range(20)))
    assert open_data(str(tmp_path / "a.npz")).fingerprint == known.hexdigest()


def test_the_fingerprint_tells_items_labels_and_classes_apart(tmp_path):
    images, labels = pixels(), np.arange(24) % 2
    names = np.array(["a", "b"])[labels]
    variants = [(images, labels), (255 - images, labels), (images, 1 - labels), (images, names)]
    prints = set()
    for index, (x, y) in enumerate(variants):
        np.savez(tmp_path / f"{index}.npz", images=x, labels=y)
        prints.add(open_data(str(tmp_path / f"{index}.npz")).fingerprint)
    assert len(prints) == len(variants)


def test_a_folder_and_its_archives_have_one_fingerprint(tmp_path):
    folder = save_all(tmp_path / "set" / "cat", pixels()).parent
    save_all(folder / "dog", pixels(seed=1))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.rglob("*.png"), reverse=True):
            archive.write(file, file.relative_to(tmp_path))
    for name, mode in (("set.tar", "w"), ("set.tar.gz", "w:gz"), ("set.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(folder, "set")
    opened = [open_data(str(tmp_path / name)) for name in ("set", "set.zip", "set.tar", "set.tar.gz", "set.tgz")]
    assert len({data.fingerprint for data in opened}) == 1
    assert {data.classes for data in opened} == {("cat", "dog")}


# Memory


def test_images_may_fill_a_quarter_of_what_the_container_has(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr("elegan.data.sizes.LIMITS", (str(limit), str(tmp_path / "missing")))
    machine = memory_bytes()
    limit.write_text("max\n")
    assert memory_bytes() == machine
    limit.write_text("8000000\n")
    assert memory_bytes() == 8_000_000
    refuse_too_large((2000, 10, 100, 1))
    with pytest.raises(UserError, match=r"more than a quarter of the 0\.0 GB"):
        refuse_too_large((2001, 10, 100, 1))


# The split


@given(
    counts=st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(lambda counts: sum(counts) >= 20),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_a_split_is_disjoint_complete_and_fair_to_classes(counts, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    split = make_split(labels, seed)
    parts = (split.train, split.validation, split.test)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    assert all(len(part) for part in parts)
    for index, count in enumerate(counts):
        assert count < 3 or all((labels[part] == index).any() for part in parts)
    again = make_split(labels, seed)
    assert np.array_equal(split.test, again.test)
    if min(counts) >= 18:  # then a sixth of each class is enough, and no class is owed more
        assert len(split.test) == len(split.validation) == round(len(labels) / 6)


def test_a_split_holds_a_sixth_twice_and_never_more_than_5000():
    small, large = make_split(np.zeros(1200, np.int64), 0), make_split(np.zeros(60_000, np.int64), 0)
    assert [len(part) for part in (small.train, small.validation, small.test)] == [800, 200, 200]
    assert [len(part) for part in (large.train, large.validation, large.test)] == [50_000, 5_000, 5_000]


def test_another_seed_is_another_split():
    labels = np.zeros(100, np.int64)
    assert not np.array_equal(make_split(labels, 0).test, make_split(labels, 1).test)


def test_a_class_too_small_for_every_part_is_said_aloud(tmp_path):
    save_all(tmp_path / "rare", pixels(2))
    save_all(tmp_path / "common", pixels(30, seed=1))
    assert noted(open_data(str(tmp_path)), "fewer than 3 images: rare")


# The stream


def draw(stream, n, times):
    return [stream.draw(n) for _ in range(times)]


def test_an_epoch_shows_every_training_item_once():
    data = open_data("digits", size=8)
    stream = data.stream(seed=0)
    size = len(data.split.train)
    first, second = stream.draw(size), stream.draw(size)
    wanted = Counter(item.tobytes() for item in data.items[data.split.train])
    for epoch in (first, second):
        assert Counter(item.tobytes() for item in data.to_items(epoch["real"])) == wanted
    assert not torch.equal(first["real"], second["real"])


def test_labels_stay_with_their_items():
    data = open_data("digits", size=8)
    batch = data.stream("validation", seed=1).draw(50)
    by_item = {item.tobytes(): label for item, label in zip(data.items, data.labels, strict=True)}
    assert batch["label"].dtype == torch.int64
    assert [by_item[item.tobytes()] for item in data.to_items(batch["real"])] == batch["label"].tolist()


@given(n=st.integers(1, 70), before=st.integers(0, 6), seed=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_position_alone_resumes_exactly(small_data, n, before, seed):
    stream = small_data.stream(seed=seed)
    draw(stream, n, before)
    fresh = small_data.stream(seed=seed)
    fresh.position = stream.position
    for _ in range(3):
        assert torch.equal(stream.draw(n)["real"], fresh.draw(n)["real"])


@given(n=st.integers(1, 30), ranks=st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_ranks_together_see_what_one_alone_sees(small_data, n, ranks):
    alone = small_data.stream(seed=7)
    several = [small_data.stream(seed=7, ranks=Ranks(rank, ranks)) for rank in range(ranks)]
    for _ in range(4):
        whole = alone.draw(n * ranks)
        shares = [stream.draw(n) for stream in several]
        for name in ("real", "label"):
            assert torch.equal(whole[name], torch.cat([share[name] for share in shares]))
        assert {stream.position for stream in several} == {alone.position}


@pytest.fixture(scope="module")
def small_data(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "a.npz"
    np.savez(path, images=pixels(40), labels=np.arange(40) % 3)
    return open_data(str(path))


# Kinds of images


def test_grey_and_colour_keep_their_pixels(tmp_path):
    grey, colour = pixels(channels=1), pixels()
    assert np.array_equal(open_data(str(save_all(tmp_path / "grey", grey))).items[..., 0], grey)
    assert np.array_equal(open_data(str(save_all(tmp_path / "colour", colour))).items, colour)


def test_one_bit_is_black_and_white(tmp_path):
    bits = pixels(channels=1) > 127
    data = open_data(str(save_all(tmp_path, [Image.fromarray(bit) for bit in bits])))
    assert np.array_equal(data.items[..., 0], bits * 255)


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_sixteen_bits_are_scaled_by_their_whole_range(tmp_path, ending):
    levels = np.random.default_rng(0).integers(0, 65536, (20, 8, 8)).astype(np.uint16)
    levels[:, 0, :3] = 0, 257, 65535
    data = open_data(str(save_all(tmp_path, levels, ending)))
    assert np.array_equal(data.items[..., 0], np.rint(levels / 257))
    assert noted(data, "All 20 images had 16 bits a pixel")


def test_sixteen_bits_that_come_out_black_are_said_aloud(tmp_path):
    data = open_data(str(save_all(tmp_path, pixels(channels=1).astype(np.uint16))))
    assert data.items.max() == 1
    assert noted(data, "all but black")


def test_transparency_that_is_used_is_kept(tmp_path):
    images = pixels(channels=4)
    assert np.array_equal(open_data(str(save_all(tmp_path, images))).items, images)


def test_transparency_that_hides_nothing_is_dropped_aloud(tmp_path):
    images = pixels(channels=4)
    images[..., 3] = 255
    data = open_data(str(save_all(tmp_path, images)))
    assert np.array_equal(data.items, images[..., :3])
    assert noted(data, "All 24 images had an alpha channel that hides nothing")


def test_grey_with_alpha_stays_grey_when_opaque_and_becomes_rgba_when_not(tmp_path):
    grey = pixels(channels=1)
    opaque = [Image.merge("LA", (Image.fromarray(g), Image.new("L", (8, 8), 255))) for g in grey]
    clear = [Image.merge("LA", (Image.fromarray(g), Image.fromarray(g))) for g in grey]
    assert np.array_equal(open_data(str(save_all(tmp_path / "opaque", opaque))).items[..., 0], grey)
    kept = open_data(str(save_all(tmp_path / "clear", clear))).items
    assert kept.shape[-1] == 4
    assert all(np.array_equal(kept[..., channel], grey) for channel in range(4))


def test_a_palette_becomes_colours_and_its_transparent_entry_opacity(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(1, (0, 0, 8, 4))
    plain = open_data(str(save_all(tmp_path / "plain", [image] * 20, "gif")))
    clear = open_data(str(save_all(tmp_path / "clear", [image] * 20, "gif", transparency=0)))
    assert plain.items[0, 0, 0].tolist() == [0, 255, 0]
    assert plain.items[0, 7, 0].tolist() == [255, 0, 0]
    assert clear.items[0, 0, 0].tolist() == [0, 255, 0, 255]
    assert clear.items[0, 7, 0, 3] == 0


def test_cmyk_becomes_rgb(tmp_path):
    data = open_data(str(save_all(tmp_path, [Image.new("CMYK", (16, 16), (0, 255, 255, 0))] * 20, "jpg")))
    assert np.abs(data.items[0, 8, 8].astype(int) - [255, 0, 0]).max() < 30
    assert noted(data, "colours in another system")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_by_their_exif(kind, orientation):
    quarters = np.zeros((8, 16), np.uint8)
    quarters[:4, :8], quarters[4:, :8], quarters[4:, 8:] = 250, 160, 80
    stored = {
        1: quarters, 2: quarters[:, ::-1], 3: quarters[::-1, ::-1], 4: quarters[::-1], 5: quarters.T,
        6: np.rot90(quarters), 7: quarters[::-1, ::-1].T, 8: np.rot90(quarters, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.repeat(stored[..., None], 3, axis=2))
    content = encode(image, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    assert measure(content) == (8, 16)
    shown = decode(content, (8, 16)).pixels[..., 0].astype(int)
    assert np.abs(shown - quarters).max() <= (3 if kind == "JPEG" else 0)


def test_the_first_frame_of_an_animation_is_taken_aloud(tmp_path):
    frames = [Image.new("L", (8, 8), level) for level in (200, 100, 0)]
    tmp_path.joinpath("set").mkdir()
    for index in range(20):
        frames[0].save(tmp_path / "set" / f"{index}.gif", save_all=True, append_images=frames[1:])
    data = open_data(str(tmp_path / "set"))
    assert (data.items == 200).all()
    assert noted(data, "All 20 images had several frames or pages; the first was taken")


def test_grey_among_colour_is_widened_aloud(tmp_path):
    save_all(tmp_path / "a", pixels(10))
    save_all(tmp_path / "b", pixels(12, channels=1))
    save_all(tmp_path / "c", pixels(1, channels=4))
    data = open_data(str(tmp_path))
    assert data.items.shape == (23, 8, 8, 4)
    assert (data.items[:22, ..., 3] == 255).all()
    assert np.array_equal(data.items[10:22, ..., 2], pixels(12, channels=1))
    assert noted(data, "Of 23 images, 22 had fewer channels than the others")


# Sizes


@pytest.mark.parametrize(
    ("size", "shape"), [(None, None), (32, (32, 32)), ("32", (32, 32)), ("48x64", (48, 64)), ((8, 9), (8, 9))]
)
def test_sizes_are_read_as_height_by_width(size, shape):
    assert parse_size(size) == shape


@pytest.mark.parametrize(
    ("shapes", "side"),
    [([(30, 40), (50, 31), (90, 90)], 28), ([(300, 400), (200, 150)], 64), ([(9, 9), (8, 9)], 8)],
)
def test_different_sizes_become_the_median_side_in_fours_and_at_most_64(shapes, side):
    shape, note = default_shape(shapes)
    assert shape == (side, side)
    assert "different sizes" in note


def test_images_of_one_size_keep_it(tmp_path):
    data = open_data(str(save_all(tmp_path, pixels(20, 10, 18))))
    assert data.spec.real == (3, 10, 18)
    assert data.notes == ()


def test_another_aspect_is_cut_at_the_centre(tmp_path):
    image = np.zeros((8, 16), np.uint8)
    image[:, 4:12] = pixels(1, channels=1)[0]
    data = open_data(str(save_all(tmp_path, [image] * 20)), size=8)
    assert np.array_equal(data.items[0, ..., 0], image[:, 4:12])
    assert noted(data, "All 20 images had another aspect; the middle was kept")


def test_reduction_is_antialiased_and_counted(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    save_all(tmp_path, [stripes] * 19 + [stripes[:8, :8]])
    data = open_data(str(tmp_path), size=8)
    assert np.abs(data.items[:19].astype(int) - 127).max() <= 8
    assert np.array_equal(data.items[19, ..., 0], stripes[:8, :8])
    assert noted(data, "Of 20 images, 19 had to be reduced")


def test_arrays_are_resized_as_files_are(tmp_path):
    images = pixels(20, 20, 30)
    np.savez(tmp_path / "a.npz", images=images)
    folder = save_all(tmp_path / "set", images)
    assert np.array_equal(
        open_data(str(tmp_path / "a.npz"), size="8x12").items, open_data(str(folder), size="8x12").items
    )


# Folders and archives


def test_sub_folders_are_classes_in_the_order_of_numbers(tmp_path):
    for name in ("10", "9", "2"):
        save_all(tmp_path / name, pixels(8, seed=int(name)))
    data = open_data(str(tmp_path))
    assert data.classes == ("2", "9", "10")
    assert np.bincount(data.labels).tolist() == [8, 8, 8]
    assert np.array_equal(data.items[data.labels == 1], pixels(8, seed=9))


def test_litter_is_ignored_and_other_files_are_named(tmp_path):
    save_all(tmp_path, pixels())
    for name in (".DS_Store", "Thumbs.db", "__MACOSX/._000.png", ".hidden/a.png", "readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no image")
    data = open_data(str(tmp_path))
    assert len(data) == 24
    assert data.labels is None
    assert data.notes == ("Left alone, for they are no images that can be read: readme.txt.",)


@pytest.mark.parametrize("name", [".a/b.png", "a/.b.png", "__MACOSX/a.png", "x/Thumbs.db", "a/desktop.ini"])
def test_names_of_litter(name):
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["a/b.png", "a.b/c.png", "../a.png", "MACOSX/a.png", "thumbs.db.png"])
def test_names_that_only_look_like_litter(name):
    assert not is_hidden(name)


def test_images_beside_sub_folders_have_no_classes(tmp_path):
    save_all(tmp_path, pixels())
    save_all(tmp_path / "more", pixels(seed=1))
    data = open_data(str(tmp_path))
    assert data.labels is None
    assert noted(data, "not taken as classes")


def test_a_lone_sub_folder_is_no_class(tmp_path):
    save_all(tmp_path / "images" / "all", pixels())
    data = open_data(str(tmp_path))
    assert data.labels is None
    assert noted(data, "images/all")


def test_train_and_test_folders_stay_what_they_are(tmp_path):
    for seed, (part, name, n) in enumerate(
        [("train", "a", 20), ("train", "b", 20), ("test", "a", 3), ("test", "b", 4)]
    ):
        save_all(tmp_path / part / name, pixels(n, seed=seed))
    data = open_data(str(tmp_path))
    assert data.classes == ("a", "b")
    assert len(data.split.test) == 7
    assert np.array_equal(data.part("test")[0], np.concatenate([pixels(3, seed=2), pixels(4, seed=3)]))
    assert len(data.split.validation) == round(40 / 6)


def write_table(path, lines, columns=("file", "label")):
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([columns, *lines])


def test_a_table_gives_the_labels(tmp_path):
    save_all(tmp_path / "images", pixels())
    write_table(tmp_path / "labels.csv", [(f"./images/{i:03d}.png", "고양이" if i % 3 else "dog") for i in range(22)])
    data = open_data(str(tmp_path))
    assert data.classes == ("dog", "고양이")
    assert data.labels.tolist() == [int(i % 3 > 0) for i in range(22)]
    assert noted(data, "doesn't name 2 images, which were left out: images/022.png, images/023.png")


def test_a_table_in_an_archive_counts_from_its_own_folder(tmp_path):
    lines = "".join(f"{i}.png,{i % 2}\n" for i in range(20))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/labels.csv", "file,label\n" + lines)
        for i, image in enumerate(pixels(20)):
            archive.writestr(f"set/{i}.png", encode(Image.fromarray(image)))
    assert open_data(str(tmp_path / "a.zip")).classes == ("0", "1")


def test_one_label_for_all_is_none(tmp_path):
    np.savez(tmp_path / "a.npz", images=pixels(), labels=np.full(24, 3))
    data = open_data(str(tmp_path / "a.npz"))
    assert data.labels is None
    assert data.classes == ()
    assert noted(data, "the label 3, which tells none apart")


def test_names_that_leave_an_archive_are_left_out_and_nothing_is_written(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    content = encode(Image.fromarray(pixels(1)[0]))
    with zipfile.ZipFile(inside / "a.zip", "w") as archive:
        for name in (
            "../evil.png",
            "/evil.png",
            "a/../../evil.png",
            "C:/evil.png",
            *(f"{i}.png" for i in range(20)),
        ):
            archive.writestr(name, content)
    with tarfile.open(inside / "a.tar", "w") as archive:
        for name in ("../evil.png", *(f"{i}.png" for i in range(20))):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    for name in ("a.zip", "a.tar"):
        data = open_data(str(inside / name))
        assert len(data) == 20
        assert noted(data, "point outside of the archive: ../evil.png")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "a.zip", "inside"]


def test_exact_copies_are_said_aloud(tmp_path):
    images = pixels()
    images[5] = images[7] = images[0]
    assert noted(open_data(str(save_all(tmp_path, images))), "2 repeat another exactly")


# Arrays


@pytest.mark.parametrize(
    ("convert", "words"),
    [
        (lambda v: v / np.float32(255), "[0, 1]"),
        (lambda v: v / 127.5 - 1, "[-1, 1]"),
        (lambda v: v.astype(np.float16), "[0, 255]"),
        (lambda v: v.astype(np.int64), "[0, 255]"),
        (lambda v: v.astype(np.uint16) * 257, "16-bit"),
    ],
    ids=["unit", "symmetric", "float16", "int64", "uint16"],
)
def test_numbers_of_other_types_become_the_same_pixels(tmp_path, convert, words):
    values = pixels()
    values[0, 0, 0, :2] = 0, 255
    np.savez(tmp_path / "a.npz", images=convert(values))
    data = open_data(str(tmp_path / "a.npz"))
    assert np.array_equal(data.items, values)
    assert noted(data, words)


def test_truth_values_become_black_and_white(tmp_path):
    np.save(tmp_path / "a.npy", pixels(channels=1) > 99)
    assert np.array_equal(open_data(str(tmp_path / "a.npy")).items[..., 0], (pixels(channels=1) > 99) * 255)


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
def test_arrays_are_found_by_their_names(tmp_path, names):
    np.savez(tmp_path / "a.npz", **{names[0]: pixels(), names[1]: np.arange(24)[:, None] % 2})
    data = open_data(str(tmp_path / "a.npz"))
    assert np.array_equal(data.items, pixels())
    assert data.labels.tolist() == [i % 2 for i in range(24)]


def test_a_single_unnamed_array_is_the_images(tmp_path):
    np.savez(tmp_path / "a.npz", pixels(channels=1))
    assert open_data(str(tmp_path / "a.npz")).spec.shapes == {"real": (1, 8, 8)}


@pytest.mark.parametrize("style", ["{}_images {}_labels", "x_{} y_{}"])
def test_arrays_that_come_in_parts_keep_them(tmp_path, style):
    images, labels = style.split()
    arrays = {}
    for part, n in (("train", 30), ("val", 4), ("test", 6)):
        arrays |= {images.format(part): pixels(n), labels.format(part): np.arange(n) % 2}
    np.savez(tmp_path / "a.npz", **arrays)
    data = open_data(str(tmp_path / "a.npz"))
    assert [len(data.part(part)[0]) for part in ("train", "validation", "test")] == [30, 4, 6]


def test_labels_are_numbered_in_order_with_their_names_kept(tmp_path):
    np.savez(tmp_path / "a.npz", images=pixels(), labels=np.array([7.0, 3.0, 100.0] * 8))
    data = open_data(str(tmp_path / "a.npz"))
    assert data.classes == ("3", "7", "100")
    assert data.labels[:3].tolist() == [1, 0, 2]


# idx


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def write_idx(folder, part, n, zipped, seed=0):
    for kind, array in (
        ("images-idx3", pixels(n, channels=1, seed=seed)),
        ("labels-idx1", np.arange(n) % 10),
    ):
        content = idx(array)
        path = folder / f"{part}-{kind}-ubyte{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content) if zipped else content)
    return folder / f"{part}-images-idx3-ubyte{'.gz' if zipped else ''}"


@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_file_finds_the_labels_beside_it(tmp_path, zipped):
    data = open_data(str(write_idx(tmp_path, "train", 40, zipped)))
    assert np.array_equal(data.items[..., 0], pixels(40, channels=1))
    assert data.labels.tolist() == [i % 10 for i in range(40)]


def test_a_folder_of_idx_files_keeps_its_test_part(tmp_path):
    write_idx(tmp_path, "train", 60, zipped=True)
    write_idx(tmp_path, "t10k", 10, zipped=False, seed=1)
    data = open_data(str(tmp_path))
    assert np.array_equal(data.part("test")[0][..., 0], pixels(10, channels=1, seed=1))
    assert len(data.split.train) + len(data.split.validation) == 60
    assert noted(data, "10 test images")


def test_an_idx_file_without_labels_is_unlabelled(tmp_path):
    path = write_idx(tmp_path, "train", 40, zipped=False)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    assert open_data(str(path)).labels is None


def test_a_lone_idx_file_streams_without_a_warning(tmp_path):
    path = write_idx(tmp_path, "train", 40, zipped=False)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    data = open_data(str(path))
    assert data.items.flags.writeable
    assert data.stream(seed=0).draw(8)["real"].shape == (8, 1, 8, 8)


# The hub


def test_hub_data_find_their_images_and_classes(tmp_path):
    pytest.importorskip("datasets")
    for seed, (part, name) in enumerate((part, name) for part in ("train", "test") for name in ("cat", "dog")):
        save_all(tmp_path / part / name, pixels(15, seed=seed))
    whole = open_data(f"hf:{tmp_path}")
    assert whole.classes == ("cat", "dog")
    assert len(whole.split.test) == 30
    assert np.array_equal(whole.items[whole.labels == 0][:15], pixels(15))
    assert len(open_data(f"hf:{tmp_path}:train")) == 30
    with pytest.raises(UserError, match="check the name, the split and the network"):
        open_data(f"hf:{tmp_path}:nothing")


# Bad files that are skipped, and the check


def half_bad(folder):
    save_all(folder, pixels(22, 32, 32))
    whole = (folder / "000.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.png").write_bytes(b"")
    return str(folder)


def test_bad_files_are_skipped_aloud_when_asked(tmp_path):
    data = open_data(half_bad(tmp_path), skip_bad=True)
    assert np.array_equal(data.items, pixels(22, 32, 32))
    assert noted(data, "3 images can't be used, left out: cut.png (cut short")


def test_labels_stay_right_when_bad_files_are_skipped(tmp_path):
    save_all(tmp_path / "a", pixels(12))
    save_all(tmp_path / "b", pixels(12, seed=1))
    (tmp_path / "a" / "003.png").write_bytes(b"broken")
    data = open_data(str(tmp_path), skip_bad=True)
    assert np.array_equal(data.items[data.labels == 1], pixels(12, seed=1))
    assert np.bincount(data.labels).tolist() == [11, 12]


def test_a_missing_file_of_a_table_can_be_skipped(tmp_path):
    save_all(tmp_path, pixels())
    write_table(tmp_path / "labels.csv", [(f"{i:03d}.png", i % 2) for i in range(25)])
    data = open_data(str(tmp_path), skip_bad=True)
    assert len(data) == 24
    assert noted(data, "024.png (named in labels.csv but missing)")


def test_too_many_pixels_are_refused(monkeypatch):
    content = encode(Image.new("L", (40, 40)))
    for limit in (1000, 100):  # Pillow warns above its limit and raises above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(Unreadable, match="too many pixels"):
            decode(content, (8, 8))


def test_the_check_reports_every_problem_in_one_pass(tmp_path):
    report = check_data(half_bad(tmp_path))
    assert not report["ok"]
    assert len(report["problems"]) == 3
    assert [problem.split()[0] for problem in report["problems"]] == ["cut.png", "empty.png", "text.jpg"]
    assert report["items"] == 22
    assert json.loads(json.dumps(report)) == report
    assert check_data(str(tmp_path), skip_bad=True)["ok"]


def test_the_check_reports_bad_files_and_too_few_together(tmp_path):
    save_all(tmp_path, pixels(3))
    (tmp_path / "bad.png").write_bytes(b"broken")
    problems = check_data(str(tmp_path))["problems"]
    assert len(problems) == 2
    assert "at least 20" in problems[0]
    assert "bad.png" in problems[1]


def test_the_check_reports_what_is_not_there():
    report = check_data("no-such-folder")
    assert not report["ok"]
    assert "neither" in report["problems"][0]


@pytest.mark.parametrize("source", ["classes", "flat", "ring"])
def test_the_check_draws_a_sheet(tmp_path, source):
    if source == "classes":
        save_all(tmp_path / source / "a", pixels(12, 200, 150))
        save_all(tmp_path / source / "b", pixels(12, 200, 150))
    if source == "flat":
        save_all(tmp_path / source, pixels())
    sheet = tmp_path / "sheet.png"
    report = check_data(source if source == "ring" else str(tmp_path / source), sheet=str(sheet))
    assert report["sheet"] == str(sheet)
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
        assert 100 < picture.width < 2000
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_a_sheet_needs_a_place_to_go(tmp_path):
    for sheet in (tmp_path / "no" / "a.png", tmp_path / "a.jpg"):
        with pytest.raises(UserError, match="can't be written"):
            check_data("digits", sheet=str(sheet))


def test_the_table_says_what_the_report_says(tmp_path):
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table(check_data("digits")))
    console.print(table(check_data(half_bad(tmp_path))))
    text = console.export_text()
    for words in ("1,797 of 16x16x1", "ready to train on", "text.jpg (not an image", "not ready"):
        assert words in text


def test_pillow_is_left_as_it_was(tmp_path):
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    open_data(half_bad(tmp_path), skip_bad=True)
    after = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    assert after == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_among_the_images_is_left_alone(tmp_path):
    for index in range(24):
        Image.new("L", (8, 8), index).save(tmp_path / f"{index}.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert len(open_data(str(tmp_path))) == 24
