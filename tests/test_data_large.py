"""Data of any size: in memory, decoded in one file, or where they are, always the same images in the same order."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

import elegan
from elegan.data import open_data
from elegan.data.ahead import Ahead
from elegan.data.endless import Endless, Row
from elegan.data.found import EncodedFile
from elegan.data.items import LazyItems
from elegan.data.shards import expand
from elegan.data.stream import ItemStream
from elegan.errors import UserError
from elegan.evaluation.features import load_features
from elegan.game import Ranks
from elegan.verbs.check_data import check_data

COUNT = 200
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)
TOO_SMALL = 80_000
"""A memory of which a batch of 64 images fills less than a quarter, and all of them more."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setenv("ELEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tier(monkeypatch):
    """A function that leaves room for one tier alone."""

    def leave_room_for(name):
        monkeypatch.setattr("elegan.data.sizes.memory_bytes", lambda: 10**12 if name == "memory" else TOO_SMALL)
        monkeypatch.setattr("elegan.data.cache_folder.SHARE_OF_DISK", 0.9 if name == "disk" else 0.0)

    return leave_room_for


def png(image):
    content = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(content, "PNG")
    return content.getvalue()


def mixed():
    """Images of one, three and four channels; the last alone is transparent."""
    pictures = [Image.fromarray(image) for image in IMAGES]
    pictures[:40] = [picture.convert("L") for picture in pictures[:40]]
    pictures[-1].putalpha(Image.fromarray(IMAGES[0, :, :, 0]))
    return pictures


def folder(path, pictures=IMAGES):
    """Two classes of images in turn."""
    for index, picture in enumerate(pictures):
        (path / f"class{index % 2}").mkdir(parents=True, exist_ok=True)
        (path / f"class{index % 2}" / f"{index:04d}.png").write_bytes(png(picture))
    return path


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def shard(path, first, pictures, extra=lambda index: {"cls": str(index % 2)}):
    """A shard as webdataset's ShardWriter writes it: 000000.png, 000000.cls, 000001.png …"""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for index, picture in enumerate(pictures, first):
            for ending, text in {**extra(index)}.items():
                add(archive, f"{index:06d}.{ending}", text.encode())
            add(archive, f"{index:06d}.png", png(picture))
    return path


def shards(path, pictures=IMAGES, each=50, **options):
    for number, first in enumerate(range(0, len(pictures), each)):
        shard(path / f"train-{number:06d}.tar", first, pictures[first : first + each], **options)
    return path


def batches(data, n=24, times=20, position=0, **options):
    stream = data.stream(seed=3, **options)
    stream.position = position
    drawn = [stream.draw(n) for _ in range(times)]
    if isinstance(stream, Ahead):
        stream.close()
    return drawn


def same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert one["real"].stride() == other["real"].stride()


def noted(data, words):
    return any(words in note for note in data.notes)


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    assert ". " not in text
    assert text.endswith(".")
    return text


# The tiers


@pytest.mark.parametrize("source", [folder, shards], ids=["folder", "shards"])
def test_every_tier_gives_the_same_batches_bit_for_bit(tmp_path, tier, source):
    path = source(tmp_path / "data", mixed())
    drawn = {}
    for name in ("memory", "files", "disk"):
        tier(name)
        data = open_data(str(path))
        assert data.tier == name
        assert data.items.shape == (COUNT, 8, 8, 4)
        drawn[name] = batches(data)
        assert np.array_equal(data.part("test")[0], data.items[data.split.test])
    same(drawn["memory"], drawn["disk"])
    same(drawn["memory"], drawn["files"])


def test_the_notes_say_where_the_images_are(tmp_path, tier, cache):
    path = folder(tmp_path / "data")
    tier("disk")
    assert noted(open_data(str(path)), f"are kept in {cache}")
    tier("files")
    (written,) = (cache / "decoded").glob("*.pixels")
    written.unlink()
    data = open_data(str(path))
    assert noted(data, "each is read and decoded when it is drawn")
    assert isinstance(data.items, LazyItems)
    assert data.describe()["tier"] == "files"


def test_only_what_not_even_a_batch_of_fits_is_refused(tmp_path, tier, monkeypatch):
    path = folder(tmp_path / "data")
    tier("files")
    assert open_data(str(path)).tier == "files"
    monkeypatch.setattr("elegan.data.sizes.memory_bytes", lambda: 1000)
    with pytest.raises(UserError, match="64 x 8 x 8 x 3"):
        open_data(str(path))


def test_images_on_disk_have_the_fingerprint_of_images_in_files(tmp_path, tier):
    path = folder(tmp_path / "data")
    prints = {}
    for name in ("disk", "files"):
        tier(name)
        data = open_data(str(path))
        assert noted(data, "The fingerprint is of all names and lengths")
        prints[name] = data.fingerprint
    assert prints["disk"] == prints["files"]
    (path / "class0" / "0000.png").rename(path / "class1" / "0000.png")
    assert open_data(str(path)).fingerprint != prints["files"]


def test_a_part_never_brings_a_large_set_into_memory(tmp_path, tier, monkeypatch):
    monkeypatch.setattr("elegan.data.dataset.MOST_IN_PART", 30)
    path = folder(tmp_path / "data")
    tier("memory")
    assert len(open_data(str(path)).part("train")[0]) > 30
    for name in ("disk", "files"):
        tier(name)
        data = open_data(str(path))
        items, labels = data.part("train")
        assert len(items) == len(labels) == 30
        assert np.array_equal(items, data.part("train")[0])
        assert len(data.part("train", 10)[0]) == 10
        at = {item.tobytes(): label for item, label in zip(data.items[np.arange(COUNT)], data.labels, strict=True)}
        assert [at[item.tobytes()] for item in items] == labels.tolist()


# The cache of decoded images


def forbid_decoding(monkeypatch):
    def decoded(file, shape):
        raise AssertionError("decoded again")

    monkeypatch.setattr("elegan.data.cache.decoded", decoded)


def files_of(cache):
    return sorted(path.suffix for path in (cache / "decoded").iterdir())


def test_decoded_images_are_used_again(tmp_path, tier, cache, monkeypatch):
    path = folder(tmp_path / "data")
    tier("disk")
    first = batches(open_data(str(path)))
    assert files_of(cache) == [".json", ".lock", ".pixels"]
    forbid_decoding(monkeypatch)
    same(first, batches(open_data(str(path))))


@pytest.mark.parametrize("harm", ["cut", "changed", "record cut", "record gone"])
def test_a_damaged_cache_is_made_again(tmp_path, tier, cache, harm):
    path = folder(tmp_path / "data")
    tier("disk")
    first = batches(open_data(str(path)))
    (pixels,), (record,) = (cache / "decoded").glob("*.pixels"), (cache / "decoded").glob("*.json")
    whole = pixels.read_bytes()
    if harm == "cut":
        pixels.write_bytes(whole[:-100])
    elif harm == "changed":
        pixels.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    elif harm == "record cut":
        record.write_bytes(record.read_bytes()[:50])
    else:
        record.unlink()
    same(first, batches(open_data(str(path))))
    assert pixels.read_bytes() == whole


def test_a_changed_source_is_decoded_again_in_the_old_ones_place(tmp_path, tier, cache):
    path = folder(tmp_path / "data")
    tier("disk")
    before = open_data(str(path))
    file = path / "class0" / "0000.png"
    file.write_bytes(png(255 - IMAGES[0]))
    os.utime(file, ns=(1, 1))
    after = open_data(str(path))
    assert np.array_equal(after.items[[0]][0], 255 - IMAGES[0])
    assert np.array_equal(before.items[[0]][0], IMAGES[0])  # what is in use stays as it was
    assert files_of(cache) == [".json", ".lock", ".pixels"]


def test_decoded_images_cut_short_while_training_are_one_sentence(tmp_path, tier, cache):
    path = folder(tmp_path / "data")
    tier("disk")
    data = open_data(str(path))
    (pixels,) = (cache / "decoded").glob("*.pixels")
    os.truncate(pixels, 5000)
    with pytest.raises(UserError) as refusal:
        batches(data)
    assert "(cut short)" in one_sentence(refusal).replace(str(pixels), "")
    batches(open_data(str(path)))


def test_a_cache_of_another_size_is_another(tmp_path, tier, cache):
    path = folder(tmp_path / "data")
    tier("disk")
    assert open_data(str(path)).items.shape[1:] == (8, 8, 3)
    assert open_data(str(path), size="8x9").items.shape[1:] == (8, 9, 3)
    assert len(list((cache / "decoded").glob("*.pixels"))) == 2


def test_bad_files_are_remembered_with_the_decoded_images(tmp_path, tier, monkeypatch):
    path = folder(tmp_path / "data")
    (path / "class1" / "0001.png").write_bytes(b"broken")
    tier("disk")
    with pytest.raises(UserError, match=r"1 of 200 images .*class1/0001.png \(not an image"):
        open_data(str(path))
    forbid_decoding(monkeypatch)
    data = open_data(str(path), skip_bad=True)
    assert len(data) == COUNT - 1
    assert np.bincount(data.labels).tolist() == [100, 99]
    wanted = np.delete(np.concatenate([IMAGES[::2], IMAGES[1::2]]), 100, axis=0)
    assert np.array_equal(data.items[np.arange(COUNT - 1)], wanted)
    assert noted(data, "left out")


def test_all_images_are_never_in_memory_at_once(tmp_path, tier, monkeypatch):
    import tracemalloc

    path = folder(tmp_path / "data")
    tier("disk")
    monkeypatch.setattr("elegan.data.sizes.memory_bytes", lambda: 20_000_000)
    monkeypatch.setattr("elegan.data.cache.MOST_AT_ONCE", 16)
    monkeypatch.setattr("elegan.data.cache.BLOCK", 2**18)
    tracemalloc.start()
    data = open_data(str(path), size=128)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole = int(np.prod(data.items.shape))
    assert data.tier == "disk"
    assert peak < whole / 2


KILLED = """
import sys, time
import elegan.data.cache as cache
from elegan.data import open_data
import elegan.data.sizes as sizes
sizes.memory_bytes = lambda: {memory}
cache.MOST_AT_ONCE = 16
decode = cache.decoded
def slow(file, shape):
    if file.name.endswith("0150.png"):
        print("half", flush=True)
        time.sleep(60)
    return decode(file, shape)
cache.decoded = slow
open_data(sys.argv[1])
"""


def test_a_kill_while_decoding_leaves_nothing_half_written(tmp_path, tier, cache):
    path = folder(tmp_path / "data")
    command = [sys.executable, "-c", KILLED.format(memory=TOO_SMALL), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert files_of(cache) == [".lock", ".tmp"]
    tier("disk")
    assert open_data(str(path)).tier == "disk"
    assert files_of(cache) == [".json", ".lock", ".pixels"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, tier, cache, monkeypatch):
    path = folder(tmp_path / "data")
    tier("disk")

    def full(self, pictures):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("elegan.data.cache._Rows.append", full)
    with pytest.raises(UserError) as refusal:
        open_data(str(path))
    assert "No space left on device" in one_sentence(refusal)
    assert "ELEGAN_CACHE" in str(refusal.value)
    assert files_of(cache) == [".lock"]


def test_a_long_decoding_says_how_long_it_takes_on_a_terminal(tmp_path, tier, monkeypatch, capsys):
    path = folder(tmp_path / "data")
    tier("disk")
    monkeypatch.setattr("elegan.data.cache.MOST_AT_ONCE", 16)
    monkeypatch.setattr("elegan.progress.PATIENCE", 0)
    monkeypatch.setattr("elegan.progress.PAUSE", -1)
    open_data(str(path), size=9)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    open_data(str(path))
    assert "Decoding images: 16 of 200, " in capsys.readouterr().err


# Shards


def test_shards_hold_what_the_folder_holds(tmp_path):
    whole, plain = open_data(str(shards(tmp_path / "shards"))), open_data(str(folder(tmp_path / "folder")))
    assert np.array_equal(whole.items, IMAGES)
    assert whole.labels.tolist() == [index % 2 for index in range(COUNT)]
    assert whole.classes == ("0", "1")
    assert plain.classes == ("class0", "class1")
    assert noted(whole, "4 shards with 200 images")


@pytest.mark.parametrize("pattern", ["train-{000000..000003}.tar", "train-*.tar", "train-00000{0,1,2,3}.tar"])
def test_patterns_name_shards(tmp_path, pattern):
    path = shards(tmp_path / "shards")
    assert [file.name for file in expand(str(path / pattern))] == [f"train-{i:06d}.tar" for i in range(4)]
    assert np.array_equal(open_data(str(path / pattern)).items, IMAGES)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("train-{000002..000005}.tar", "train-000004.tar"),
        ("nothing-*.tar", "no file matches it"),
        ("train-{0..99999999999}.tar", "more than 100,000 shards"),
        ("train-{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}.tar", "more than 100,000 shards"),
    ],
)
def test_a_pattern_without_shards_is_one_sentence(tmp_path, pattern, words):
    with pytest.raises(UserError) as refusal:
        open_data(str(shards(tmp_path) / pattern))
    assert words in one_sentence(refusal).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("extra", "classes", "said"),
    [
        (lambda i: {"json": json.dumps({"label": ["cat", "dog"][i % 2], "width": 8})}, ("cat", "dog"), None),
        (lambda i: {"txt": f"{i % 3}\n"}, ("0", "1", "2"), None),
        (lambda i: {"cls": str(i % 2), "txt": f"a picture of {i}"}, ("0", "1"), None),
        (lambda i: {"txt": f"a picture of {i}"}, (), "captions"),
        (lambda i: {"cls": "1"} if i else {}, (), "Only 199 of 200 samples have a .cls"),
        (lambda i: {"json": "[1]"}, (), None),
        (lambda i: {}, (), None),
    ],
    ids=["json", "txt", "cls before txt", "captions", "one without", "json of something else", "none"],
)
def test_labels_of_shards(tmp_path, extra, classes, said):
    data = open_data(str(shards(tmp_path / "shards", extra=extra)))
    assert data.classes == classes
    assert (data.labels is None) == (not classes)
    assert said is None or noted(data, said)


def test_samples_are_grouped_as_webdataset_groups_them(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for index in range(30):
            add(archive, f"some/dir.x/{index:03d}.mask.png", png(255 - IMAGES[index]))
            add(archive, f"some/dir.x/{index:03d}.PNG", png(IMAGES[index]))
            add(archive, f"some/dir.x/{index:03d}.cls", str(index % 3).encode())
        add(archive, "some/dir.x/alone.cls", b"7")
        add(archive, "README.md", b"what this is")
    data = open_data(str(tmp_path / "a.tar"))
    assert np.array_equal(data.items, IMAGES[:30])
    assert data.labels.tolist() == [index % 3 for index in range(30)]
    assert noted(data, "The first image was taken of 30 samples")
    assert noted(data, "Left out, for they hold no image: 2 samples")


def test_shards_may_come_in_parts(tmp_path):
    shard(tmp_path / "train-0.tar", 0, IMAGES[:120])
    shard(tmp_path / "val-0.tar", 120, IMAGES[120:140])
    shard(tmp_path / "test-0.tar", 140, IMAGES[140:])
    data = open_data(str(tmp_path))
    assert np.array_equal(data.part("validation")[0], IMAGES[120:140])
    assert np.array_equal(data.part("test")[0], IMAGES[140:])
    assert len(data.split.train) == 120


def test_a_tar_of_a_folder_is_still_an_archive(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder(tmp_path / "set"), "set")
    assert open_data(str(tmp_path / "set.tar")).classes == ("class0", "class1")


@pytest.mark.parametrize("harm", ["cut in a member", "cut behind a member", "header", "compressed", "empty"])
def test_a_damaged_shard_is_one_sentence(tmp_path, harm):
    path = shards(tmp_path / "shards")
    victim = path / "train-000002.tar"
    whole = victim.read_bytes()
    with tarfile.open(victim) as archive:
        middle = archive.getmembers()[61]
    if harm == "compressed":
        import gzip

        damaged = gzip.compress(whole)
    else:
        damaged = {
            "cut in a member": whole[: middle.offset_data + 10],
            "cut behind a member": whole[: middle.offset],
            "header": whole[: middle.offset] + b"x" * 200 + whole[middle.offset + 200 :],
            "empty": b"",
        }[harm]
    victim.write_bytes(damaged)
    with pytest.raises(UserError) as refusal:
        open_data(str(path))
    assert "train-000002.tar (a shard that is damaged, cut short or compressed)" in one_sentence(refusal)
    data = open_data(str(path), skip_bad=True)
    assert len(data) == 150
    assert noted(data, "train-000002.tar")
    assert not check_data(str(path))["ok"]


def test_a_damaged_picture_in_a_shard_is_named(tmp_path, tier):
    path = shards(tmp_path / "shards")
    with tarfile.open(path / "train-000003.tar") as archive:
        at = archive.getmember("000160.png").offset_data
    content = bytearray((path / "train-000003.tar").read_bytes())
    content[at : at + 8] = bytes(8)
    (path / "train-000003.tar").write_bytes(content)
    for name in ("memory", "disk", "files"):
        tier(name)
        with pytest.raises(UserError, match=r"train-000003.tar/000160.png \(not an image"):
            open_data(str(path))


def test_an_index_is_kept_until_its_shard_changes(tmp_path, cache, monkeypatch):
    path = shards(tmp_path / "shards")
    first = open_data(str(path))
    read = []
    from elegan.data import shard_index

    members = shard_index.members
    monkeypatch.setattr(shard_index, "members", lambda path: (read.append(path.name), members(path))[1])
    assert open_data(str(path)).fingerprint == first.fingerprint
    assert read == []
    shard(path / "train-000001.tar", 50, IMAGES[50:80])
    (cache / "indices" / sorted(path.name for path in (cache / "indices").iterdir())[0]).write_bytes(b"scrap")
    assert len(open_data(str(path))) == 180
    assert "train-000001.tar" in read
    assert len(read) <= 2


def test_a_cache_folder_that_cannot_be_written_costs_time_alone(tmp_path, tier, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ELEGAN_CACHE", str(tmp_path / "file" / "cache"))
    tier("disk")
    data = open_data(str(shards(tmp_path / "shards")))
    assert data.tier == "files"
    assert np.array_equal(data.items[np.arange(COUNT)], IMAGES)


def test_ranks_read_only_what_they_need_and_see_together_what_one_sees(tmp_path, tier, monkeypatch):
    path = shards(tmp_path / "shards")
    tier("files")
    data = open_data(str(path))
    alone = batches(data, n=24, times=6)
    halves = []
    for rank in range(2):
        read = []
        from elegan.data import shards as module

        read_at = module.read_at
        monkeypatch.setattr(
            module, "read_at", lambda *place, read_at=read_at, read=read: (read.append(1), read_at(*place))[1]
        )
        stream = data.stream(seed=3, ranks=Ranks(rank, 2))
        halves.append([stream.draw(12) for _ in range(6)])
        stream.close()
        assert len(read) <= 12 * 7
    for whole, *parts in zip(alone, *halves, strict=True):
        assert torch.equal(whole["real"], torch.cat([part["real"] for part in parts]))
        assert torch.equal(whole["label"], torch.cat([part["label"] for part in parts]))


# Files that go away


def test_a_file_that_goes_away_while_training_is_named(tmp_path, tier):
    path = folder(tmp_path / "data")
    tier("files")
    data = open_data(str(path))
    (path / "class1" / "0017.png").unlink()
    with pytest.raises(UserError) as refusal:
        batches(data)
    assert "class1/0017.png (No such file or directory)" in one_sentence(refusal).replace(str(tmp_path), "")
    assert "--skip-bad" in str(refusal.value)


def test_others_of_the_class_and_part_stand_in_when_bad_files_are_skipped(tmp_path, tier):
    path = folder(tmp_path / "data")
    tier("files")
    data = open_data(str(path), skip_bad=True)
    gone = [row for row in data.split.train if data.labels[row] == 1][:5]
    names = [f"{2 * (row - 100) + 1:04d}.png" for row in gone]  # the second class's files come behind the first's
    for name in names:
        (path / "class1" / name).unlink()
    (path / "class1" / names[0]).write_bytes(b"broken")
    drawn = batches(data)
    at = {item.tobytes(): row for row, item in enumerate(np.concatenate([IMAGES[::2], IMAGES[1::2]]))}
    for batch in drawn:
        rows = [at[item.tobytes()] for item in data.to_items(batch["real"])]
        assert not set(rows) & set(gone)
        assert set(rows) <= set(data.split.train)
        assert data.labels[rows].tolist() == batch["label"].tolist()
    assert any("5 images can't be read, and others stood in" in note for note in data.describe()["notes"])
    (again,) = batches(data, times=1, position=24 * 7)
    same([again], [drawn[7]])


def test_a_shard_that_changes_while_training_is_named(tmp_path, tier):
    path = shards(tmp_path / "shards")
    tier("files")
    data = open_data(str(path))
    with (path / "train-000001.tar").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(UserError, match=r"train-000001.tar/0000\d\d.png \(the archive has changed since"):
        batches(data)


def test_training_on_shards_goes_on_exactly_after_a_file_came_back(tmp_path, tier, monkeypatch):
    path = shards(tmp_path / "shards")
    tier("files")
    from elegan.data import shards as module

    def train(out):
        return elegan.train(
            "dcgan", data=str(path / "train-{000000..000003}.tar"), out=tmp_path / out, images=128, size=8, batch=16,
            width=8, quiet=True,
        )  # fmt: skip

    whole = train("whole")
    assert whole.record["data"]["tier"] == "files"
    assert whole.open_data().fingerprint == whole.record["data"]["fingerprint"]
    assert json.loads((tmp_path / "whole" / "report.json").read_text())["verdict"]
    features = tmp_path / "whole" / "checkpoints" / "features.safetensors"
    monkeypatch.setattr("elegan.verbs.referee.learn_features", lambda *_: load_features(features))  # they take long
    read_at = module.read_at

    def gone_later(*place):
        if (tmp_path / "stopped" / "checkpoints" / "previous.json").exists():
            raise OSError(errno.EIO, "Input/output error")
        return read_at(*place)

    monkeypatch.setattr(module, "read_at", gone_later)
    with pytest.raises(UserError, match="Input/output error"):
        train("stopped")
    assert 0 < json.loads((tmp_path / "stopped" / "checkpoints" / "last.json").read_text())["images"] < 128
    monkeypatch.setattr(module, "read_at", read_at)
    train("stopped")
    one, other = ((tmp_path / out / "generator.safetensors").read_bytes() for out in ("whole", "stopped"))
    assert one == other


# Reading ahead


def item_stream(batch, seed=1, ranks=Ranks()):
    return ItemStream(batch, np.arange(100), seed=seed, ranks=ranks)


def as_batch(rows):
    return {"real": torch.from_numpy(rows.copy())}


def test_reading_ahead_changes_nothing():
    ahead, plain = Ahead(item_stream(as_batch)), item_stream(as_batch)
    for n in (8, 8, 8, 5, 8, 0, 8, 200):
        assert torch.equal(ahead.draw(n)["real"], plain.draw(n)["real"])
        assert ahead.position == plain.position
    ahead.position = plain.position = 24
    assert torch.equal(ahead.draw(8)["real"], plain.draw(8)["real"])
    ahead.close()


def test_the_next_batch_is_read_while_the_caller_works():
    asked = []
    ahead = Ahead(item_stream(lambda rows: (asked.append(threading.current_thread().name), as_batch(rows))[1]))
    ahead.draw(4)
    deadline = time.monotonic() + 10
    while len(asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(asked) == 2
    assert threading.current_thread().name not in asked
    assert ahead.position == 4
    ahead.close()


def test_an_error_while_reading_ahead_belongs_to_the_draw_that_wants_the_batch():
    fails = iter([False, True, False, False])

    def batch(rows):
        if next(fails):
            raise UserError("gone")
        return as_batch(rows)

    ahead, plain = Ahead(item_stream(batch)), item_stream(as_batch)
    ahead.draw(4)
    with pytest.raises(UserError, match="gone"):
        ahead.draw(4)
    plain.draw(4)
    assert ahead.position == plain.position
    assert torch.equal(ahead.draw(4)["real"], plain.draw(4)["real"])  # once the file is back
    ahead.close()


def test_no_thread_is_left_behind(tmp_path, tier):
    path = shards(tmp_path / "shards")
    tier("files")
    before = threading.active_count()
    data = open_data(str(path))
    stream = data.stream(seed=0)
    stream.draw(8)
    assert threading.active_count() > before
    del stream, data
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


# The check


@pytest.mark.parametrize("name", ["memory", "disk", "files"])
def test_the_check_says_where_training_would_keep_the_images_and_writes_none(tmp_path, tier, cache, name):
    from rich.console import Console

    from elegan.verbs.check_data import KEPT, table

    path = shards(tmp_path / "shards")
    tier(name)
    report = check_data(str(path), sheet=str(tmp_path / "sheet.png"))
    assert report["ok"]
    assert report["tier"] == name
    assert report["decoded_per_second"] > 0
    assert report["classes"] == {"0": 100, "1": 100}
    assert not (cache / "decoded").exists()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table(report))
    text = console.export_text()
    assert KEPT[name] in text
    assert "images a second" in text


# A stream without an end in sight


def rows_of_a_source(broken=(), breaks_off=()):
    """Rows of the images in turn, of two classes, some of them no images; the source may break off at a row, once."""
    breaks = set(breaks_off)

    def rows(start):
        for index in range(start, COUNT):
            if index in breaks:
                breaks.discard(index)
                raise OSError("no network")
            content = b"broken" if index in broken else png(IMAGES[index])
            yield Row(EncodedFile(f"row {index}", lambda content=content: content), index % 2)

    return rows


def endless(rows, **options):
    return Endless(rows, lambda: COUNT, (8, 8, 3), "a source", **options)


def drawn_rows(stream, n=10, times=40):
    at = {item.tobytes(): row for row, item in enumerate(IMAGES)}
    drawn = [stream.draw(n) for _ in range(times)]
    stream.close()
    values = torch.cat([batch["real"] for batch in drawn]).add(1).mul(127.5).round().to(torch.uint8)
    rows = [at[item.permute(1, 2, 0).numpy().tobytes()] for item in values]
    assert [row % 2 for row in rows] == torch.cat([batch["label"] for batch in drawn]).tolist()
    return rows


def test_bad_images_of_a_stream_are_named_or_replaced_by_others_of_their_class(monkeypatch):
    monkeypatch.setattr("elegan.data.endless.WINDOW", 32)
    source = endless(rows_of_a_source(broken=(5, 77)))
    with pytest.raises(UserError) as refusal:
        drawn_rows(source.stream(seed=0, ranks=Ranks()))
    assert "(not an image" in one_sentence(refusal)
    source = endless(rows_of_a_source(broken=(5, 77)), skip_bad=True)
    rows = drawn_rows(source.stream(seed=0, ranks=Ranks()))
    whole = drawn_rows(endless(rows_of_a_source()).stream(seed=0, ranks=Ranks()))
    assert [one for one, other in zip(whole, rows, strict=True) if one != other] == [
        row for row in whole if row in (5, 77)
    ]
    assert sorted(source.replaced) == ["row 5", "row 77"]


@pytest.mark.parametrize("at", [3, 32, 40, 199])
def test_a_stream_that_broke_off_goes_on_where_it_was(monkeypatch, at):
    monkeypatch.setattr("elegan.data.endless.WINDOW", 32)
    stream = endless(rows_of_a_source(breaks_off=(at,))).stream(seed=0, ranks=Ranks())
    plain = endless(rows_of_a_source()).stream(seed=0, ranks=Ranks())
    failures = 0
    for _ in range(25):
        try:
            batch = stream.draw(10)
        except OSError:
            failures += 1
            batch = stream.draw(10)
        assert torch.equal(batch["real"], plain.draw(10)["real"])
    assert failures == 1
    stream.close()
    plain.close()


# The hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Two parquet files of a hub set, as anybody may publish."""
    datasets = pytest.importorskip("datasets")
    import pyarrow
    from pyarrow import parquet

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub-cache")
    (tmp_path / "hub").mkdir()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    for number, rows in enumerate(np.array_split(np.arange(COUNT), 2)):
        images = [{"bytes": png(IMAGES[row]), "path": None} for row in rows]
        table = pyarrow.table({"image": images, "label": rows % 2}, schema=features.arrow_schema)
        parquet.write_table(table, tmp_path / "hub" / f"train-{number}.parquet")
    return tmp_path / "hub"


def test_hub_tables_stay_on_the_disk_when_memory_is_too_small(hub, tier):
    drawn = {}
    for name in ("memory", "files", "disk"):
        tier(name)
        data = open_data(f"hf:{hub}")
        assert data.tier == name
        assert data.classes == ("cat", "dog")
        drawn[name] = batches(data, times=8)
    same(drawn["memory"], drawn["disk"])
    same(drawn["memory"], drawn["files"])


@pytest.fixture
def streamed(hub, monkeypatch):
    """A stream of 140 training images in windows of 32, behind 60 that are held out."""
    for name, value in {
        "hub_stream.HELD": 30,
        "hub_stream.SEEN": 25,
        "hub_stream.FEWEST": 20,
        "endless.WINDOW": 32,
    }.items():
        monkeypatch.setattr(f"elegan.data.{name}", value)
    return lambda **options: open_data(f"hf-stream:{hub}", **options)


def rows_in(data, drawn):
    at = {item.tobytes(): row for row, item in enumerate(IMAGES)}
    return [at[item.tobytes()] for batch in drawn for item in data.to_items(batch["real"])]


def test_a_stream_shows_every_training_image_once_an_epoch(streamed):
    data = streamed()
    assert data.tier == "stream"
    assert data.spec.items == 0
    drawn = batches(data, n=10, times=42)
    rows = rows_in(data, drawn)
    for epoch in range(3):
        assert sorted(rows[140 * epoch : 140 * epoch + 140]) == list(range(60, 200))
    assert rows[:140] != rows[140:280] != rows[280:]
    assert [row % 2 for row in rows] == [label for batch in drawn for label in batch["label"].tolist()]


def test_a_stream_holds_out_what_it_never_trains_on(streamed):
    data = streamed()
    assert np.array_equal(data.part("validation")[0], IMAGES[:60:2])
    assert np.array_equal(data.part("test")[0], IMAGES[1:60:2])
    assert np.array_equal(data.part("train")[0], IMAGES[60:85])
    assert noted(data, "The first 60 images are held out")


@pytest.mark.parametrize("before", [1, 7, 14, 20, 43])
def test_a_stream_goes_on_exactly_from_its_place_alone(streamed, before):
    whole = batches(streamed(), n=10, times=46)
    same(whole[before : before + 3], batches(streamed(), n=10, times=3, position=10 * before))


def test_a_stream_that_ends_with_a_whole_window_goes_on(streamed, monkeypatch):
    monkeypatch.setattr("elegan.data.endless.WINDOW", 35)
    data = streamed()
    assert sorted(rows_in(data, batches(data, n=10, times=28))) == sorted([*range(60, 200)] * 2)
    same(batches(data, n=10, times=28)[20:22], batches(data, n=10, times=2, position=200))


def test_ranks_of_a_stream_see_together_what_one_sees(streamed):
    data = streamed()
    alone = batches(data, n=12, times=14)
    halves = [batches(data, n=6, times=14, ranks=Ranks(rank, 2)) for rank in range(2)]
    for whole, *parts in zip(alone, *halves, strict=True):
        assert torch.equal(whole["real"], torch.cat([part["real"] for part in parts]))


def test_a_small_set_is_not_streamed(hub):
    with pytest.raises(UserError) as refusal:
        open_data(f"hf-stream:{hub}")
    assert f"give hf:{hub}" in one_sentence(refusal)


def test_training_on_a_stream_is_judged_by_what_was_held_out(streamed, hub, tmp_path):
    run = elegan.train("dcgan", data=f"hf-stream:{hub}", out=tmp_path / "run", images=64, batch=16, width=8, quiet=True)
    assert run.record["data"]["tier"] == "stream"
    assert json.loads((tmp_path / "run" / "report.json").read_text())["verdict"]


def test_processes_that_train_together_share_the_memory_that_images_may_take(monkeypatch):
    from elegan.data import sizes

    monkeypatch.setattr(sizes, "memory_bytes", lambda: 4 * 1000)
    assert sizes.fits_into_memory((10, 10, 10, 1))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert not sizes.fits_into_memory((10, 10, 10, 1))
    assert sizes.fits_into_memory((5, 10, 10, 1))
