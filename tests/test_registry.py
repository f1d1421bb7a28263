"""The registry: what was made here is found again, strangers aren't, and it never stands in the way of a file."""

import io
import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import count as counting
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import elegan
from elegan.cli import main
from elegan.data import open_data
from elegan.errors import UserError
from elegan.pictures import to_image
from elegan.provenance import Label, likeness, registry, registry_file
from elegan.provenance.registry import Made, count, find, forget, remember

LABEL = Label("elegan 0.1.0 gan", "ab" * 32, 5, "digits", "2026-11-20T10:00:00+00:00")
SAMPLES = 20_000


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def digits():
    return open_data("digits", size=8).items


@pytest.fixture(scope="module")
def generated(digits):
    """Digits that nobody wrote: blends of three of a class out of every second one, with noise."""
    random, labels = np.random.default_rng(0), open_data("digits", size=8).labels[::2]
    order = 2 * np.argsort(labels, kind="stable")
    first, shares = random.integers(len(order) - 60, size=SAMPLES), random.dirichlet([2, 2, 2], SAMPLES)
    rows = order[first[:, None] + np.sort(random.integers(60, size=(SAMPLES, 3)))]
    blends = np.einsum("nkhwc,nk->nhwc", digits[rows].astype(np.float32), shares)
    return np.clip(blends + random.normal(0, 20, blends.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def full_home(tmp_path_factory, generated):
    """A registry of 20,000 generated digits; none may write into it."""
    path, before = tmp_path_factory.mktemp("registry"), os.environ["ELEGAN_HOME"]
    os.environ["ELEGAN_HOME"] = str(path)
    assert remember([Made(LABEL, b"%d" % index, pixels, index) for index, pixels in enumerate(generated)])
    os.environ["ELEGAN_HOME"] = before
    return path


def made(pixels, index=None, **changes):
    label = replace(LABEL, identifier="urn:uuid:1", **changes)
    return Made(label, png(pixels), pixels, index)


def png(pixels, **options):
    file = io.BytesIO()
    to_image(pixels).save(file, "PNG", **options)
    return file.getvalue()


def jpeg(pixels, quality=75):
    file = io.BytesIO()
    to_image(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(pixels.shape)


def noisy(pixels):
    noise = np.random.default_rng(int(pixels.sum())).normal(0, 8, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def there_and_back(pixels):
    height, width = pixels.shape[:2]
    larger = to_image(pixels).resize((4 * width, 4 * height))
    return np.asarray(larger.resize((width, height))).reshape(pixels.shape)


def test_a_file_is_known_by_its_bytes_and_a_picture_by_its_pixels(home, digits):
    picture = made(digits[3], 3)
    assert find(picture.content, digits[3]) is None
    assert remember([picture])
    match = find(picture.content, None)
    assert (match.kind, match.distance, match.false_matches) == ("file", 0, 0)
    entry = match.entry
    assert (entry.time, entry.run, entry.model, entry.seed, entry.index) == (LABEL.created, "digits", "gan", 5, 3)
    assert (entry.weights_sha256, entry.identifier, entry.width, entry.height) == ("ab" * 32, "urn:uuid:1", 8, 8)
    assert entry.kind == LABEL.digital_source_type
    assert entry.pixels_sha256 == registry.pixels_sha256(digits[3])
    saved_again = png(digits[3], compress_level=0)
    assert saved_again != picture.content
    assert find(saved_again, digits[3]).kind == "pixels"
    assert "another one" in find(saved_again, digits[3]).sentence()


@pytest.mark.parametrize("channels", [3, 4])
def test_grey_saved_in_colour_or_with_opacity_is_the_same_picture(home, digits, channels):
    remember([made(digits[0])])
    colours = np.repeat(digits[0], channels, axis=2)
    colours[..., 3:] = 255
    assert find(None, colours).kind == "pixels"
    colours[0, 0, -1] = 7
    assert getattr(find(None, colours), "kind", None) != "pixels"


def test_a_sheet_is_found_as_a_sheet_and_its_tiles_by_themselves(home, digits):
    sheet = np.concatenate(list(digits[:4]), axis=1)
    content = png(sheet)
    tiles = [Made(LABEL, content, pixels, index) for index, pixels in enumerate(digits[:4])]
    assert remember([*tiles, Made(LABEL, content, sheet)])
    assert find(content, None).entry.index is None
    assert find(None, digits[2]).entry.index == 2


@pytest.mark.parametrize("damage", [jpeg, noisy, there_and_back], ids=["jpeg", "noise", "resized"])
def test_a_damaged_digit_is_found_among_20_000(full_home, monkeypatch, generated, damage):
    monkeypatch.setenv("ELEGAN_HOME", str(full_home))
    rows = np.random.default_rng(1).choice(SAMPLES, 50, replace=False)
    matches = [find(None, damage(generated[row])) for row in rows]
    found = [match is not None and match.entry.index == row for match, row in zip(matches, rows, strict=True)]
    assert np.mean(found) >= 0.95
    assert {match.kind for match in matches if match} == {"likeness"}
    assert all(0 < match.distance <= likeness.LIMIT and match.false_matches == 1e-3 for match in matches if match)
    assert "no proof" in next(match for match in matches if match).sentence()


def test_real_digits_are_not_found_among_20_000_generated_ones(full_home, monkeypatch, digits):
    monkeypatch.setenv("ELEGAN_HOME", str(full_home))
    strangers = digits[1::8]
    assert [find(None, pixels) for pixels in strangers] == [None] * len(strangers)


def test_real_digits_are_not_found_among_other_real_ones(home, digits):
    remember([made(pixels) for pixels in digits[::2]])
    assert sum(find(None, pixels) is not None for pixels in digits[1::4]) <= 1


def test_larger_pictures_in_colour_survive_jpeg_and_another_size(home):
    coarse = np.random.default_rng(0).integers(0, 256, (40, 5, 4, 3), np.uint8)
    scenes = [np.asarray(to_image(pixels).resize((128, 96))) for pixels in coarse]
    assert remember([made(pixels, index, seed=9) for index, pixels in enumerate(scenes)])
    for index, pixels in enumerate(scenes):
        for damaged in (jpeg(pixels), np.asarray(to_image(pixels).resize((192, 144)))):
            assert find(None, damaged).entry.index == index


def test_the_same_sample_in_two_formats_is_no_rival_of_itself(home, digits):
    remember([made(digits[0], 0), made(jpeg(digits[0], 95), 0), made(digits[0], 0, run="again")])
    assert find(None, jpeg(digits[0])).entry.index == 0


def test_what_is_near_two_pictures_is_taken_for_neither(home, digits):
    remember([made(digits[0], 0), made(noisy(digits[0]), 1)])
    assert find(None, jpeg(digits[0])) is None


def test_a_picture_without_contrast_looks_like_nothing(home):
    flat = np.full((8, 8, 1), 90, np.uint8)
    remember([made(flat)])
    assert find(None, flat).kind == "pixels"
    assert find(None, flat + 1) is None


def test_what_another_process_removed_is_not_found_again(home, digits):
    remember([made(digits[0], 0), made(digits[1], 1)])
    assert find(None, jpeg(digits[0])).entry.index == 0
    with sqlite3.connect(registry_file.path()) as other:
        other.execute("DELETE FROM made WHERE number = 0")
    other.close()
    remember([made(digits[2], 2)])
    assert find(None, jpeg(digits[0])) is None
    assert find(None, jpeg(digits[1])).entry.index == 1
    assert find(None, jpeg(digits[2])).entry.index == 2


WRITE = """
import sys, numpy as np
from elegan.provenance import Label
from elegan.provenance.registry import Made, remember
pictures = np.random.default_rng(int(sys.argv[1])).integers(0, 256, (20, 8, 8, 1), np.uint8)
assert all(remember([Made(Label("elegan 0.1.0 gan"), p.tobytes(), p, i)]) for i, p in enumerate(pictures))
"""


def test_eight_threads_and_two_processes_lose_nothing(home, digits):
    others = [subprocess.Popen([sys.executable, "-c", WRITE, str(seed)]) for seed in (1, 2)]
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda index: remember([made(digits[index], index)]), range(160)))
    assert [other.wait(60) for other in others] == [0, 0]
    assert count() == 200
    assert find(None, digits[7]).kind == "pixels"


def test_a_registry_that_was_deleted_under_way_is_begun_again(home, digits):
    assert remember([made(digits[0])])
    for name in ("", "-wal", "-shm"):
        (home / f"registry.sqlite{name}").unlink(missing_ok=True)
    assert remember([made(digits[1])])
    assert count() == 1


def test_a_damaged_registry_is_said_once_and_stops_nothing(home, digits, caplog):
    home.mkdir()
    registry_file.path().write_bytes(b"no data base " * 1000)
    with caplog.at_level(logging.WARNING, "elegan"):
        assert [remember([made(digits[0])]) for _ in range(3)] == [False] * 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "registry.sqlite can't be written (file is not a database)" in caplog.text
    for attempt in (lambda: find(b"", None), count, lambda: forget(run="digits")):
        with pytest.raises(UserError, match="`elegan forget --all` begins a new one"):
            attempt()
    assert forget(everything=True) == 0
    assert remember([made(digits[0])])
    assert count() == 1


def test_a_locked_registry_stops_nothing(home, digits, monkeypatch, caplog):
    assert remember([made(digits[0])])
    monkeypatch.setattr(registry_file, "PATIENCE", 0.05)
    other = sqlite3.connect(registry_file.path(), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not remember([made(digits[1])])
    assert "database is locked" in caplog.text
    assert find(None, digits[0]).kind == "pixels"
    with pytest.raises(UserError, match="locked"):
        forget(everything=True)
    other.execute("ROLLBACK")
    other.close()
    assert remember([made(digits[1])])
    assert count() == 2


def test_a_place_that_takes_no_files_stops_nothing(tmp_path, digits, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / "file" / "home"))
    assert not remember([made(digits[0])])
    assert "not a directory" in caplog.text


def test_a_later_version_of_the_registry_is_left_alone(home, digits, caplog):
    home.mkdir()
    with sqlite3.connect(registry_file.path()) as later:
        later.execute("PRAGMA user_version = 99")
    later.close()
    assert not remember([made(digits[0])])
    assert "later version" in caplog.text
    with pytest.raises(UserError, match="later version"):
        count()


FULL = """
import resource, numpy as np
from elegan.provenance import Label
from elegan.provenance.registry import Made, count, remember
pictures = np.random.default_rng(0).integers(0, 256, (2000, 8, 8, 1), np.uint8)
entries = [Made(Label("elegan 0.1.0 gan"), picture.tobytes(), picture, 0) for picture in pictures]
assert remember(entries[:10])
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
assert not remember(entries)
assert count() == 10
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of this kind are POSIX's")
def test_a_full_disk_loses_nothing_that_was_there(home):
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "can't be found again" in done.stderr


READ_ONLY = """
import os, sys, numpy as np
from elegan.provenance import Label
from elegan.provenance.registry import Made, find, remember
if os.getuid() == 0:
    os.setuid(65534)
pixels = np.load(sys.argv[1])
assert not remember([Made(Label("elegan 0.1.0 gan"), b"more", pixels)])
assert find(None, pixels).kind == "pixels"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="rights of this kind are POSIX's")
def test_a_registry_that_may_only_be_read_is_still_asked(digits, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        shared = Path(folder)
        monkeypatch.setenv("ELEGAN_HOME", str(shared / "home"))
        assert remember([made(digits[0])])
        registry_file.compact()
        registry_file._held.release()
        np.save(shared / "pixels.npy", digits[0])
        for path, mode in ((shared, 0o755), (shared / "home" / "registry.sqlite", 0o444), (shared / "home", 0o555)):
            path.chmod(mode)
        words = [sys.executable, "-c", READ_ONLY, str(shared / "pixels.npy")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        (shared / "home").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "readonly" in done.stderr


def test_only_its_owner_reads_it_and_it_holds_no_place_or_person(home, digits):
    assert remember([made(digits[0])])
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    contents = b""
    for file in home.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        contents += file.read_bytes()
    assert b"digits" in contents
    assert str(home).encode() not in contents


def raw(home):
    return b"".join(file.read_bytes() for file in home.iterdir())


def test_what_is_forgotten_is_gone_from_the_disk(home, digits):
    remember([made(pixels, index, run="secret-run") for index, pixels in enumerate(digits[:300])])
    remember([made(digits[300], run="other-run")])
    assert b"secret-run" in raw(home)
    assert forget(run="secret-run") == 300
    assert b"secret-run" not in raw(home)
    assert registry._pixels_hash(digits[7]) not in raw(home)
    assert find(None, digits[300]).entry.run == "other-run"
    assert forget(everything=True) == 1
    assert b"other-run" not in raw(home)
    assert count() == 0


def test_what_was_made_before_a_day_is_forgotten(home, digits):
    for day, pixels in zip((18, 19, 20), digits, strict=False):
        remember([made(pixels, created=f"2026-11-{day}T12:00:00+00:00")])
    assert forget(before=date(2026, 11, 17)) == 0
    assert forget(before="2026-11-18T23:00:00+00:00") == 1
    assert forget(before="2026-11-20T12:00:00+00:00") == 1
    assert find(None, digits[2]).kind == "pixels"


def test_a_label_without_a_date_is_no_reason_to_lose_a_picture(home, digits):
    assert remember([made(digits[0], created="yesterday", seed=10**30)])
    assert find(None, digits[0]).entry.seed == 10**30


def complaint(capsys, *words):
    assert main(["forget", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err


def test_the_command_forgets_and_says_how_much(home, digits, capsys):
    run = counting()
    remember([made(pixels, run=f"run{next(run) % 2}") for pixels in digits[:5]])
    assert main(["forget", "--run", "runs/run0/"]) == 0
    assert capsys.readouterr().out == "3 entries were removed from the registry; 2 left.\n"
    assert main(["forget", "--before", "2026-11-19"]) == 0
    assert capsys.readouterr().out == "0 entries were removed from the registry; 2 left.\n"
    assert main(["forget", "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": 2, "left": 0}
    assert elegan.forget(everything=True) == {"removed": 0, "left": 0}


def test_the_command_wants_to_know_what_to_forget(home, capsys):
    sentence = "Give one of --all, --run NAME and --before DATE"
    assert sentence in complaint(capsys)
    assert sentence in complaint(capsys, "--all", "--run", "digits")
    assert '"yesterday" is no date; write it as in 2026-11-21' in complaint(capsys, "--before", "yesterday")
