"""Every mistake a user can make with data is answered by one sentence that says the way out."""

import gzip
import io
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from elegan.cli import main
from elegan.data import open_data
from elegan.errors import UserError
from elegan.verbs.check_data import check_data

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)


def folder(path, n=24):
    for index, image in enumerate(IMAGES[:n]):
        Image.fromarray(image).save(path / f"{index:02d}.png")
    return path


def arrays(path, **named):
    np.savez(path / "a.npz", **named)
    return path / "a.npz"


def text(path, name, content):
    (path / name).write_text(content)
    return path


def content(path, name, value):
    (path / name).write_bytes(value)
    return path / name


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def archive(path, members, name="a.zip"):
    with zipfile.ZipFile(path / name, "w") as file:
        for member, value in members.items():
            file.writestr(member, value)
    return path / name


def encrypted(path):
    """A zip whose members say that they are encrypted."""
    made = archive(path, {f"{index}.png": png(Image.fromarray(image)) for index, image in enumerate(IMAGES)})
    value = bytearray(made.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = value.find(signature)
        while start >= 0:
            value[start + offset] |= 1
            start = value.find(signature, start + 4)
    made.write_bytes(value)
    return made


def tar_with_a_damaged_header(path):
    with tarfile.open(path / "a.tar", "w") as file:
        file.add(folder(path), "set")
        middle = file.getmembers()[22].offset
    value = bytearray((path / "a.tar").read_bytes())
    value[middle + 150] ^= 1
    return content(path, "b.tar.gz", gzip.compress(bytes(value)))


def cut_tar(path):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as file:
        file.add(folder(path), "set")
    return content(path, "a.tar.gz", whole.getvalue()[:-2000])


def damaged(path, how):
    folder(path)
    whole = png(Image.fromarray(IMAGES[0]))
    if how == "cut":
        content(path, "bad.png", whole[: len(whole) // 2])
    elif how == "jpeg":
        file = io.BytesIO()
        Image.fromarray(np.tile(IMAGES[0], (8, 8, 1))).save(file, "JPEG")
        content(path, "bad.jpg", file.getvalue()[: len(file.getvalue()) // 2])
    elif how == "float":
        Image.fromarray(np.ones((16, 16), np.float32)).save(path / "bad.tiff")
    elif how == "deep":
        Image.fromarray(np.full((16, 16), 70_000, np.int32)).save(path / "bad.tiff")
    elif how == "empty":
        content(path, "bad.png", b"")
    return path


def bomb(path):
    """A picture whose header announces more pixels than is safe."""
    value = bytearray(png(Image.new("L", (16, 16))))
    value[16:24] = (60_000).to_bytes(4, "big") * 2
    value[29:33] = zlib.crc32(value[12:29]).to_bytes(4, "big")
    content(folder(path), "bomb.png", bytes(value))
    return path


def idx(path, magic=0x0803, n=24, cut=0, extra=b"", labels=None, zipped=False):
    value = magic.to_bytes(4, "big") + np.array([n, 16, 16], ">u4").tobytes() + IMAGES[:, :, :, 0].tobytes()
    value = value[: len(value) - cut] + extra
    if labels is not None:
        head = (0x0801).to_bytes(4, "big") + np.array([labels], ">u4").tobytes()
        content(path, "train-labels-idx1-ubyte", head + bytes(labels))
    return content(path, "train-images-idx3-ubyte" + ".gz" * zipped, gzip.compress(value) if zipped else value)


def nan():
    values = IMAGES / np.float32(255)
    values[3, 2, 1] = np.nan
    return values


def table(path, lines):
    return text(folder(path), "labels.csv", lines)


LINES = "".join(f"{index:02d}.png,{index % 2}\n" for index in range(24))

BAD = {
    "nothing": (lambda p: "", ["neither built-in data", "digits, digits-styles, avatars, ring, grid"]),
    "missing path": (lambda p: p / "nowhere", ["nowhere", "nor a file or folder that exists"]),
    "empty folder": (lambda p: p, ["is empty", "png, jpg"]),
    "folder of hidden files": (lambda p: text(p, ".a.png", "x"), ["is empty"]),
    "folder without images": (lambda p: text(p, "a.txt", "x"), ["holds no images", "1 other file (a.txt)"]),
    "folder around an array": (lambda p: arrays(p, images=IMAGES).parent, ["give its file a.npz itself"]),
    "one image": (lambda p: folder(p, 1) / "00.png", ["single image", "give a folder"]),
    "folder of one image": (lambda p: folder(p, 1), ["1 usable image", "at least 20"]),
    "19 images": (lambda p: folder(p, 19), ["19 usable images", "at least 20"]),
    "unknown type": (lambda p: content(p, "a.pdf", b"%PDF"), ["a.pdf", "no known type", ".npz"]),
    "no type": (lambda p: content(p, "a", b"x"), ["no known type"]),
    "PNG cut short": (lambda p: damaged(p, "cut"), ["1 of 25 images", "bad.png (cut short", "--skip-bad"]),
    "JPEG cut short": (
        lambda p: damaged(p, "jpeg"),
        ["1 of 25 images", "bad.jpg (cut short", "skip_bad=True"],
    ),
    "empty file": (lambda p: damaged(p, "empty"), ["bad.png (empty)"]),
    "text named .png": (lambda p: text(folder(p), "bad.png", "hello"), ["bad.png (not an image"]),
    "floating-point TIFF": (lambda p: damaged(p, "float"), ["bad.tiff (floating-point", "8 or 16 bits"]),
    "32-bit TIFF": (lambda p: damaged(p, "deep"), ["bad.tiff (32-bit"]),
    "decompression bomb": (bomb, ["bomb.png (too many pixels)"]),
    "nothing readable": (lambda p: text(p, "a.png", "x"), ["None of the 1 images", "save them again"]),
    "table without columns": (lambda p: table(p, "name,class\na,b\n"), ["name, class", '"file" and "label"']),
    "table naming missing files": (
        lambda p: table(p, f"file,label\nno.png,1\n{LINES}"),
        ["no.png (named in labels.csv"],
    ),
    "table of files that are elsewhere": (
        lambda p: table(p, "file,label\n../a.png,1\n../b.png,2\n"),
        ["Nothing that is named in", "../a.png"],
    ),
    "table with an open quote": (
        lambda p: table(p, 'file,label\n"00.png,1\n01.png,0\n'),
        ["a quote that isn't closed"],
    ),
    "table with a surplus cell": (
        lambda p: table(p, f"file,label\n00.png,a\n01.png,b,c\n{LINES}"),
        ["line 3 has more than the 2 cells of the first", "quotes around"],
    ),
    "table with a zero byte": (lambda p: table(p, f"file,label\n00.png,a\0b\n{LINES}"), ["UTF-8"]),
    "empty table": (lambda p: table(p, ""), ["names no files", "file,label"]),
    "table without a label": (lambda p: table(p, "file,label\n00.png,\n01.png,\n"), ["no label to any file", "leave"]),
    "table with two labels": (lambda p: table(p, f"file,label\n{LINES}00.png,9\n"), ["00.png two labels"]),
    "table that is no text": (lambda p: content(folder(p), "labels.csv", b"\xff\xfe\0").parent, ["UTF-8"]),
    "zip that is none": (lambda p: content(p, "a.zip", b"PK nothing"), ["a.zip", "damaged, cut short"]),
    "zip without images": (lambda p: archive(p, {"a.txt": "x"}), ["holds no images", "a.txt"]),
    "empty zip": (lambda p: archive(p, {}), ["is empty"]),
    "zip of names outside": (lambda p: archive(p, {"../a.png": png(Image.new("L", (8, 8)))}), ["is empty"]),
    "encrypted zip": (encrypted, ["None of the 24 images"]),
    "tar cut short": (cut_tar, ["a.tar.gz", "damaged, cut short"]),
    "tar with a damaged header": (tar_with_a_damaged_header, ["b.tar.gz", "damaged, cut short"]),
    "npz that is none": (lambda p: content(p, "a.npz", b"nothing"), ["no NumPy file", "numpy.savez"]),
    "npz cut short": (
        lambda p: content(p, "b.npz", arrays(p, images=IMAGES).read_bytes()[:900]),
        ["cut short"],
    ),
    "npy cut short": (lambda p: content(p, "b.npy", npy(IMAGES)[:900]), ["cut short"]),
    "npz of other names": (
        lambda p: arrays(p, a=IMAGES, b=IMAGES),
        ["the arrays a, b", '"images" [N, H, W, C]'],
    ),
    "npz of nothing": (lambda p: arrays(p), ["the arrays (none)"]),
    "Python objects": (
        lambda p: arrays(p, images=np.array([None, "x"], object)),
        ["Python objects", "save plain"],
    ),
    "flat images": (lambda p: arrays(p, images=IMAGES.reshape(24, -1)), ["(24, 768)", "[N, H, W]"]),
    "two channels": (lambda p: arrays(p, images=IMAGES[..., :2]), ["(24, 16, 16, 2)", "1, 3 or 4 channels"]),
    "channels first": (
        lambda p: arrays(p, images=IMAGES.transpose(0, 3, 1, 2)),
        ["channels first", "transpose"],
    ),
    "no images": (lambda p: arrays(p, images=IMAGES[:0]), ["(0, 16, 16, 3)"]),
    "a scalar": (lambda p: arrays(p, images=np.float32(1)), ["the shape ()"]),
    "NaN": (lambda p: arrays(p, images=nan()), ["NaN or infinite"]),
    "infinity": (lambda p: arrays(p, images=np.full((24, 8, 8), np.inf)), ["NaN or infinite"]),
    "out of range": (lambda p: arrays(p, images=IMAGES * 3.0), ["scale them to [0, 255], [0, 1] or [-1, 1]"]),
    "negative integers": (
        lambda p: arrays(p, images=IMAGES.astype(np.int16) - 9),
        ["from -9 to", "[0, 255]"],
    ),
    "complex numbers": (lambda p: arrays(p, images=IMAGES * 1j), ["complex128", "uint8 or float"]),
    "strings": (lambda p: arrays(p, images=IMAGES.astype(str)), ["<U3", "uint8 or float"]),
    "labels of other length": (
        lambda p: arrays(p, images=IMAGES, labels=np.arange(23)),
        ["(23,) for 24 images"],
    ),
    "labels of other rank": (
        lambda p: arrays(p, images=IMAGES, labels=np.eye(24)),
        ["(24, 24) for 24 images"],
    ),
    "labels that are fractions": (
        lambda p: arrays(p, images=IMAGES, labels=np.arange(24) / 2),
        ["float64", "whole numbers or names"],
    ),
    "parts of other shapes": (
        lambda p: arrays(p, x_train=IMAGES, x_test=IMAGES[:, :8]),
        ["(24, 16, 16, 3), (24, 8, 16, 3)", "one shape"],
    ),
    "small images": (
        lambda p: arrays(p, images=IMAGES[:, :4, :4]),
        ["4x4 pixels", "8 or more", "give a size"],
    ),
    "idx with wrong magic": (lambda p: idx(p, magic=0x0D03), ["0x00000d03", "0x00000803"]),
    "idx cut short": (lambda p: idx(p, cut=5), ["cut short", "24 items announced"]),
    "idx cut in its header": (lambda p: idx(p, cut=24 * 256 + 2), ["cut short within its header"]),
    "idx too long": (lambda p: idx(p, extra=b"x"), ["longer than its header says"]),
    "idx of nothing": (lambda p: idx(p, n=0), ["empty shape"]),
    "idx announcing far too much": (lambda p: idx(p, n=2**32 - 1), ["GB of memory"]),
    "idx.gz cut short": (
        lambda p: content(p, "images.idx.gz", idx(p, zipped=True).read_bytes()[:999]),
        ["cut short"],
    ),
    "idx.gz that is none": (
        lambda p: content(p, "images-idx3-ubyte.gz", b"nothing"),
        ["damaged or cut short"],
    ),
    "idx labels of other length": (lambda p: idx(p, labels=23), ["23 labels for 24 images"]),
    "several idx files": (
        lambda p: content(p, "more-images-idx3-ubyte", idx(p).read_bytes()).parent,
        ["2 idx files"],
    ),
}


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def assert_one_sentence(message):
    assert message.endswith(".")
    assert "\n" not in message
    assert ". " not in message
    assert message[:1] != " "


@pytest.mark.parametrize(("make", "words"), BAD.values(), ids=BAD)
def test_bad_data_are_refused_in_one_sentence(tmp_path, capsys, make, words):
    path = str(make(tmp_path))
    with pytest.raises(UserError) as refusal:
        open_data(path)
    message = str(refusal.value)
    assert_one_sentence(message.replace(str(tmp_path), "PATH"))
    for word in words:
        assert word in message
    report = check_data(path)
    assert not report["ok"]
    assert report["problems"]
    out = tmp_path / "never-written"
    for command in (["train", "r3gan", "--data", path, "--out", str(out)], ["data", "check", path]):
        capsys.readouterr()
        assert main(command) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("big", ["'big'", "64"]),
        ("64x", ["height x width"]),
        ("64x64x3", ["height x width"]),
        ("-8", ["height x width"]),
        (7, ["too small", "8 pixels"]),
        ("8x4", ["too small"]),
        (0, ["too small"]),
        (True, ["can't be read"]),
        (1_000_000, ["GB of memory", "smaller size"]),
    ],
)
def test_bad_sizes_are_refused_in_one_sentence(tmp_path, size, words):
    for source in (folder(tmp_path), "digits"):
        with pytest.raises(UserError) as refusal:
            open_data(str(source), size=size)
        assert_one_sentence(str(refusal.value))
        for word in words:
            assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("typo", "meant"), [("digit", "digits"), ("rnig", "ring"), ("gird", "grid"), ("Digits", "digits")]
)
def test_a_typo_gets_the_nearest_name(typo, meant):
    with pytest.raises(UserError, match=rf'exists\. Did you mean "{meant}"\?$'):
        open_data(typo)


def test_points_have_no_size():
    with pytest.raises(UserError, match=r"ring is made of points, which have no size; leave the size out\.$"):
        open_data("ring", size=8)


def test_a_negative_seed_is_refused():
    with pytest.raises(UserError, match=r"The seed is -1; it must be 0 or more\.$"):
        open_data("digits", seed=-1)


def test_only_the_first_five_bad_files_are_named(tmp_path):
    folder(tmp_path)
    for index in range(8):
        text(tmp_path, f"bad{index}.png", "x")
    with pytest.raises(UserError, match=r"8 of 32 images.*bad4\.png \([^)]*\) and 3 more; repair"):
        open_data(str(tmp_path))


def test_too_few_are_left_when_the_bad_are_skipped(tmp_path):
    text(folder(tmp_path, 19), "bad.png", "x")
    with pytest.raises(UserError, match="19 usable images"):
        open_data(str(tmp_path), skip_bad=True)


def test_names_with_line_breaks_stay_within_the_sentence(tmp_path):
    text(folder(tmp_path), "a\nb.png", "x")
    with pytest.raises(UserError) as refusal:
        open_data(str(tmp_path))
    assert "a?b.png" in str(refusal.value)
    assert_one_sentence(str(refusal.value))


def test_hub_data_name_the_package_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it weren't installed
    with pytest.raises(UserError) as refusal:
        open_data("hf:mnist")
    assert_one_sentence(str(refusal.value))
    assert "pip install 'elegan[data]'" in str(refusal.value)


def test_hub_data_without_a_network_say_so(monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"can't be loaded .*; check the name, the split and the network\.$"):
        open_data("hf:somebody/surely-no-such-set")
