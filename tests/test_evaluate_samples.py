"""`elegan evaluate`: anybody's samples beside any data, and two runs side by side, through the real entry point."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

import elegan
from elegan.cli import main
from elegan.errors import UserError
from elegan.verbs import judge_run
from elegan.verbs.foreign import open_samples

TINY = ["--size", "8", "--width", "16", "--narrow", "16", "--batch", "32"]
N, JUDGED = 240, 200


@pytest.fixture(scope="module")
def data():
    return elegan.open_data("digits", size=8)


@pytest.fixture(scope="module")
def fresh(data):
    """Reals that were never trained on, as somebody's samples: images uint8 [N, 8, 8, 1] and labels [N]."""
    images, labels = data.part("test")
    return images[:N], labels[:N]


@pytest.fixture(scope="module")
def folder(fresh, tmp_path_factory):
    out = tmp_path_factory.mktemp("theirs") / "images"
    out.mkdir()
    for index, pixels in enumerate(fresh[0]):
        Image.fromarray(pixels[..., 0]).save(out / f"{index:05d}.png")
    return out


@pytest.fixture(scope="module")
def judged(folder):
    """The report of the folder, beside it; none may write into it."""
    assert main(["evaluate", "--samples", str(folder), "--data", "digits", "--size", "8"]) == 0
    return folder.with_name("images-report")


def report_in(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def complaint(capsys, *words):
    assert main(["evaluate", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err.strip()


def test_a_folder_of_images_is_judged_and_the_report_lies_beside_it(judged, folder, data):
    report = report_in(judged)
    assert report["sizes"]["samples"] == report["n"] == N
    assert report["judged"]["data"]["fingerprint"] == data.fingerprint
    assert {"fidelity", "memorisation", "bins", "support", "classes"} <= report.keys()
    assert report["findings"][0]["code"] == report["verdict"]
    assert report["findings"][0]["steps"]
    page = (judged / "report.html").read_text(encoding="utf-8")
    assert "images beside digits · 240 samples" in page
    assert len(list(folder.iterdir())) == N


def test_fresh_real_data_are_not_called_sick(judged):
    assert report_in(judged)["verdict"] == "INDISTINGUISHABLE"


def test_the_same_samples_in_any_container_are_the_same(data, folder, fresh, tmp_path):
    np.savez(tmp_path / "theirs.npz", images=fresh[0])
    np.save(tmp_path / "theirs.npy", fresh[0][..., 0])
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as file:
        for path in sorted(folder.iterdir()):
            file.write(path, path.name)
    for source in (folder, *sorted(tmp_path.iterdir()), fresh[0]):
        assert np.array_equal(open_samples(source, data, resize=False).items, fresh[0])


@pytest.fixture(scope="module")
def mislabelled(judged, fresh, tmp_path_factory):
    """A folder with the same samples' report, each label wrong, and the features of the first report."""
    place = tmp_path_factory.mktemp("labelled")
    shutil.copytree(judged, place / "out")
    np.savez(place / "labelled.npz", images=fresh[0], labels=(fresh[1] + 1) % 10)
    command = ["--samples", place / "labelled.npz", "--data", "digits", "--size", 8, "--out", place / "out", "--json"]
    assert main(["evaluate", *map(str, command)]) == 0
    return place / "out"


def test_features_are_kept_and_give_the_same_figures(judged, mislabelled):
    (kept,), (again,) = (list(place.glob("features-*")) for place in (judged, mislabelled))
    assert kept.name == again.name
    assert kept.stat().st_mtime_ns == again.stat().st_mtime_ns
    for section in ("features", "fidelity", "memorisation", "bins"):
        assert report_in(judged)[section] == report_in(mislabelled)[section]


def test_labels_of_the_samples_are_judged_as_asked_for(mislabelled):
    report = report_in(mislabelled)
    assert report["judged"]["labels"]
    assert report["classes"]["agreement"]["value"] < 0.2
    assert report["verdict"] == "LOW_QUALITY"


def test_points_are_judged_beside_the_modes_that_made_them(tmp_path):
    data = elegan.open_data("ring")
    near = np.linalg.norm(data.items[:, None] - data.modes.centres[None], axis=2).argmin(axis=1)
    np.savez(tmp_path / "points.npz", images=data.items[near != 3][:1500])
    report = elegan.evaluate(samples=tmp_path / "points.npz", data="ring", n=300)
    assert len(report["modes"]["missing"]) == 1
    assert "3 at (" in report["modes"]["missing"][0]
    assert (tmp_path / "points-report" / "report.html").exists()


@pytest.mark.parametrize(("words", "sentence"), [
    ([], "RUN is missing; give a run, two runs to compare, or --samples with --data."),
    (["--samples", "x"], "--samples was given without --data"),
    (["--data", "digits"], "--data was given without --samples"),
    (["run", "--samples", "x", "--data", "digits"], "A run and --samples or --data were given"),
    (["run", "--size", "8"], "--size and --skip-bad are for --samples"),
    (["run", "--out", "x"], "a run's report is written into the run"),
    (["run", "run"], "run doesn't exist"),
    (["--samples", "nosuch", "--data", "digits"], '"nosuch" is no file or folder that exists'),
    (["--samples", "{folder}", "--data", "nosuch"], '"nosuch" is neither built-in data'),
    (["--samples", "{folder}", "--data", "digits"], "The samples are 8x8 pixels and the data 16x16; give --size"),
    (["--samples", "{folder}", "--data", "digits", "--size", "8", "--n", "900"], "there are 240; ask for as many"),
    (["--samples", "{folder}", "--data", "digits", "--size", "8", "--n", "0"], "n is 0; it must be a whole number"),
    (["--samples", "{folder}", "--data", "digits", "--size", "8", "--out", "{folder}"], "holds the samples"),
    (["--samples", "{folder}/00000.png", "--data", "digits"], "The samples can't be opened: "),
    (["--samples", "{folder}", "--data", "ring"], "is no .npz or .npy file; samples of points are vectors"),
])  # fmt: skip
def test_what_cannot_be_judged_is_said_in_a_sentence(words, sentence, folder, capsys):
    before = sorted(folder.parent.iterdir())
    assert sentence in complaint(capsys, *(word.format(folder=folder) for word in words))
    assert sorted(folder.parent.iterdir()) == before


def test_empty_and_damaged_sources_are_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    damaged, broken, none = tmp_path / "damaged.npz", tmp_path / "broken", tmp_path / "none.npz"
    damaged.write_bytes(b"PK\x03\x04 no archive")
    np.savez(none, images=np.zeros((0, 8, 8, 1), np.uint8))
    broken.mkdir()
    Image.new("L", (8, 8)).save(broken / "whole.png")
    (broken / "cut.png").write_bytes((broken / "whole.png").read_bytes()[:40])
    beside = ["--data", "digits", "--size", "8", "--samples"]
    assert "is empty" in complaint(capsys, *beside, tmp_path / "empty")
    assert "damaged" in complaint(capsys, *beside, damaged)
    assert "none.npz" in complaint(capsys, *beside, none)
    assert "1 of 2 samples can't be read: cut.png" in complaint(capsys, *beside, broken)
    assert "damaged" in complaint(capsys, "--data", "ring", "--samples", damaged)


def test_samples_take_the_way_that_the_data_take(data):
    larger = elegan.open_data("digits", size=16)
    samples = open_samples(data.items, larger, resize=True, n=len(data))
    assert np.array_equal(samples.items, larger.items)


def test_some_of_many_samples_are_chosen_by_the_seed(data):
    chosen = [open_samples(data.items, data, resize=False, n=50, seed=seed).items for seed in (0, 0, 1)]
    assert chosen[0].shape == (50, 8, 8, 1)
    assert np.array_equal(chosen[0], chosen[1])
    assert not np.array_equal(chosen[0], chosen[2])


def test_grey_samples_fit_colour_data_and_the_other_way_round_only_without_colours(data, fresh):
    grey = fresh[0]
    colours = np.repeat(grey, 3, axis=3)
    assert np.array_equal(open_samples(colours, data, resize=False).items, grey)
    colours[0, 0, 0] = (1, 2, 3)
    with pytest.raises(UserError, match="have colours and the data are grey"):
        open_samples(colours, data, resize=False)


@pytest.mark.parametrize(("samples", "sentence"), [
    (np.zeros((5, 8), np.uint8), "has the shape"),
    (np.zeros((0, 8, 8, 1), np.uint8), "There are no samples in an array"),
    (np.full((5, 8, 8, 1), np.nan, np.float32), "NaN or infinite"),
    (17, "17 holds no samples"),
])  # fmt: skip
def test_arrays_that_hold_no_images_are_refused(samples, sentence, data):
    with pytest.raises(UserError, match=sentence):
        open_samples(samples, data, resize=False)


def test_an_array_needs_a_place_for_its_report(fresh):
    with pytest.raises(UserError, match="lies in no folder"):
        elegan.evaluate(samples=fresh[0], data="digits", size=8)


def test_labels_that_the_data_do_not_have_are_left_out_with_a_note(data, fresh, tmp_path):
    np.savez(tmp_path / "odd.npz", images=fresh[0], labels=np.arange(N))
    opened = open_samples(tmp_path / "odd.npz", data, resize=False)
    assert opened.labels is None
    assert "the data have no class" in opened.notes[-1]


@pytest.fixture(scope="module")
def quick():
    """Runs are judged by few samples, and their games aren't probed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge_run, "SAMPLES", JUDGED)
        patch.setattr(judge_run, "probe_run", lambda *_: {})
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory, quick):
    """Two runs on the same data, of which the second has seen ten times as much, and one that says it had others."""
    place = tmp_path_factory.mktemp("runs")
    for name, images in (("short", "320"), ("long", "4k")):
        words = ["train", "cgan", "--data", "digits", "--images", images, *TINY, "--no-referee"]
        assert main([*words, "--out", str(place / name)]) == 0
    shutil.copytree(place / "short", place / "other")
    record = json.loads((place / "other" / "run.json").read_text())
    record["data"] |= {"fingerprint": "0" * 64, "shape": [12, 12, 1]}
    (place / "other" / "run.json").write_text(json.dumps(record))
    return place


def test_two_runs_are_compared_and_the_nearer_is_named(runs, capsys):
    written = (runs / "long" / "report.json").stat().st_mtime_ns
    assert main(["evaluate", str(runs / "short"), str(runs / "long")]) == 0
    out = capsys.readouterr().out
    assert "A: short" in out
    assert "B is nearer to real data" in out
    place = runs / "short" / "comparison-with-long"
    comparison = json.loads((place / "comparison.json").read_text())
    (distance,) = [row for row in comparison["rows"] if row["measure"] == "kernel_distance"]
    assert distance["paired"]
    assert distance["better"] == comparison["better"] == "b"
    assert "B is better: long" in (place / "comparison.html").read_text()
    assert (runs / "long" / "report.json").stat().st_mtime_ns == written


def test_runs_that_share_no_data_are_not_compared(runs, capsys):
    said = complaint(capsys, runs / "short", runs / "other")
    assert "trained on other data" in said
    assert "(8x8x1)" in said
    assert "(12x12x1)" in said
    assert "was given twice" in complaint(capsys, runs / "short", runs / "short")


def test_a_run_that_is_judged_again_keeps_how_its_training_ended(runs, quick):
    before = report_in(runs / "short")
    after = elegan.evaluate(runs / "short", n=120, seed=1)
    assert after["ending"] == before["ending"]
    assert report_in(runs / "short")["n"] == 120
