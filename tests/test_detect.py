"""The detector: it tells a bad generator's samples from reals, not file from file, and gives advice alone."""

import json

import numpy as np
import pytest
from PIL import Image

from elegan.cli import main
from elegan.data import open_data
from elegan.errors import UserError
from elegan.evaluation.detector import Road, as_jpeg, fit, load_detector, measure
from elegan.evaluation.detector.spectrum import log_spectrum
from elegan.pictures import to_image
from elegan.verbs.detect import apply_detector, as_csv, train_detector
from elegan.verbs.folder import Folder
from elegan.verbs.plan import make_plan
from elegan.verbs.run import write_json
from elegan.verbs.sample import sample


@pytest.fixture(scope="module")
def digits():
    return open_data("digits", size=8).items


def trained(path, images, **asked):
    """A run folder with what a detector reads of it."""
    plan = make_plan("gan", images=images, **{"data": "digits", "size": 8, **asked})
    training = plan.new_training(images)
    list(training.play(images))
    path.mkdir()
    write_json(path / "run.json", plan.record(plan.budget()))
    Folder(path).write_generator(plan, training)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two generators after a few seconds; none may write there but detectors."""
    folder = tmp_path_factory.mktemp("runs")
    for name, seed in (("bad", 0), ("other", 1)):
        trained(folder / name, 6_000, seed=seed)
    return folder


@pytest.fixture(scope="module")
def fitted(runs):
    return train_detector(runs / "bad", other=runs / "other")


def figures(report, samples="own", files="as made", by="both"):
    wanted = (samples, files, by)
    return next(row for row in report["results"] if (row["samples"], row["files"], row["by"]) == wanted)


def test_a_bad_generator_is_told_from_held_out_reals_with_an_interval(fitted):
    auc = figures(fitted)["auc"]
    low, high = auc["interval"]
    assert 0.8 < low < auc["value"] < high <= 1
    assert auc["n"] == 600
    assert figures(fitted)["caught"]["value"] > 0.2


def test_it_is_examined_on_another_models_samples_and_after_jpeg(fitted):
    assert {(row["samples"], row["files"]) for row in fitted["results"]} == {
        (samples, files) for samples in ("own", "other") for files in ("as made", "JPEG 75")
    }
    assert figures(fitted, files="JPEG 75")["auc"]["value"] > 0.75
    assert fitted["other"]["run"] == "other"


def test_reals_with_more_grey_levels_are_not_told_from_reals(digits):
    """The shortcut: 17 levels against 256."""
    noise = np.random.default_rng(0).integers(-7, 8, digits.shape)
    finer = np.clip(digits.astype(int) + noise, 0, 255).astype(np.uint8)
    assert len(np.unique(digits)) == 17
    assert len(np.unique(finer)) > 200
    detector = fit(digits[:600], finer[600:1200])
    scores = [detector.scores(items) for items in (digits[1200:], finer[1200:])]
    for part in ("spectrum", "network", "both"):
        auc = measure(scores[0][part], scores[1][part]).auc
        assert auc.value == 0.5, part
        assert auc.low < 0.5 < auc.high


def test_reals_are_not_told_from_other_reals(digits):
    shuffled = digits[np.random.default_rng(0).permutation(len(digits))]
    detector = fit(shuffled[:600], shuffled[600:1200])
    of_some, of_others = (detector.scores(part)["both"] for part in np.array_split(shuffled[1200:], 2))
    auc = measure(of_some, of_others).auc
    assert auc.low < 0.5 < auc.high


def test_every_pixel_goes_to_the_nearest_real_level():
    road = Road.of(np.array([0, 100, 255], np.uint8).reshape(1, 1, 3, 1))
    given = np.array([3, 49, 51, 177, 178], np.uint8).reshape(1, 1, 5, 1)
    assert road(given).ravel().tolist() == [0, 0, 100, 100, 255]


def test_jpeg_leaves_opacity_alone():
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 4), np.uint8)
    through = as_jpeg(images, 75)
    assert (through[..., 3] == images[..., 3]).all()
    assert (through[..., :3] != images[..., :3]).any()
    assert (as_jpeg(images[..., :1], seed=1) == as_jpeg(images[..., :1], seed=1)).all()


@pytest.mark.parametrize("shape", [(8, 8, 1), (20, 33, 3), (64, 64, 3)])
def test_a_checkerboard_of_upsampling_shows_in_the_spectrum(shape):
    random = np.random.default_rng(0)
    plain = random.integers(60, 180, (40, *shape), np.uint8)
    board = plain + 20 * (np.indices(shape[:2]).sum(0) % 2)[None, ..., None].astype(np.uint8)
    features = [log_spectrum(items) for items in (plain, board)]
    assert np.isfinite(features).all()
    gap = (features[1] - features[0]).mean(0)
    assert gap.max() > 5 * np.median(np.abs(gap))


def test_the_area_is_the_share_of_pairs_in_order_ties_half():
    of_reals, of_samples = np.array([0.0, 1, 1, 2]), np.array([1.0, 2, 3])
    pairs = [(s > r) + 0.5 * (s == r) for s in of_samples for r in of_reals]
    assert measure(of_reals, of_samples).auc.value == pytest.approx(np.mean(pairs))


def test_the_interval_of_the_area_holds_the_truth_as_often_as_it_says():
    random, truth = np.random.default_rng(0), 0.7602499  # P(a sample, at 1, exceeds a real, at 0), both of deviation 1
    curves = [measure(random.normal(0, 1, 60), random.normal(1, 1, 60)) for _ in range(300)]
    held = np.mean([curve.auc.low <= truth <= curve.auc.high for curve in curves])
    assert 0.92 <= held <= 0.985


def test_a_perfect_score_has_an_interval_too():
    curve = measure(np.arange(200.0), np.arange(200.0) + 1000)
    assert (curve.auc.value, curve.caught.value) == (1, 1)
    assert 0.97 < curve.auc.low < 1
    assert 0.97 < curve.caught.low < 1


def test_one_false_alarm_in_a_hundred_is_allowed_and_fewer_reals_say_nothing():
    of_reals = np.arange(200.0)
    assert measure(of_reals, np.array([197.5, 196.5])).caught.value == 0.5
    assert np.isnan(measure(of_reals[:99], of_reals).caught.value)


def test_a_saved_detector_scores_as_before(fitted, runs, digits):
    detector, described = load_detector(runs / "bad" / "detector")
    assert described["advice"] == fitted["advice"]
    again = train_detector(runs / "bad", other=runs / "other", out=runs / "again")
    assert again["results"] == fitted["results"]
    for part, scores in load_detector(runs / "again")[0].scores(digits[:50]).items():
        np.testing.assert_array_equal(scores, detector.scores(digits[:50])[part])


def test_it_leaves_two_files_and_a_picture(fitted, runs):
    folder = runs / "bad" / "detector"
    assert sorted(file.name for file in folder.iterdir()) == ["detector.json", "detector.safetensors", "roc.png"]
    with Image.open(folder / "roc.png") as picture:
        assert picture.width > 800
    assert json.loads((folder / "detector.json").read_text())["levels"] == 17


def test_files_get_scores_and_advice_never_a_verdict(fitted, runs, digits, tmp_path):
    sample(runs / "bad", out=tmp_path / "made", n=40, seed=9)
    (tmp_path / "reals").mkdir()
    for row, pixels in enumerate(digits[open_data("digits", size=8).split.test[:40]]):
        to_image(pixels).save(tmp_path / "reals" / f"{row:02}.png")
    made, reals = (apply_detector(runs / "bad", tmp_path / name) for name in ("made", "reals"))
    assert np.mean([row["score"] for row in made]) > np.mean([row["score"] for row in reals]) + 0.1
    assert all(0 <= row[name] <= 1 for row in made for name in ("score", "spectrum", "network", "reals_as_high"))
    for row in made + reals:
        assert row["looks"] == (
            "looks more like samples of bad" if row["score"] > 0.5 else "looks more like the real data"
        )
    highest = max(made, key=lambda row: row["score"])
    assert highest["reals_as_high"] == min(row["reals_as_high"] for row in made)
    assert "fake" not in as_csv(made + reals)


def complaint(capsys, *words):
    assert main(["detect", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err


def test_the_commands_print_a_table_and_scores(runs, tmp_path, capsys):
    assert main(["detect", "train", str(runs / "bad"), "--n", "300", "--out", str(tmp_path / "d")]) == 0
    out = capsys.readouterr().out
    assert "JPEG 75" in out
    assert "another model's samples wasn't measured" in out
    assert "Advice and no verdict" in out
    sample(runs / "bad", out=tmp_path / "made", n=3)
    assert main(["detect", "apply", str(tmp_path / "d"), str(tmp_path / "made")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "file,score,reals_as_high,looks"
    assert len(lines) == 5
    assert lines[4].startswith("Advice and no verdict")
    table = tmp_path / "scores.csv"
    assert main(["detect", "apply", str(tmp_path / "d"), str(tmp_path / "made"), "--out", str(table), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert table.read_text() == as_csv(found["images"])
    assert main(["detect", "train", str(runs / "bad"), "--n", "300", "--out", str(tmp_path / "d"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"]["reals"] == 300


def test_mistakes_are_one_sentence_that_helps(fitted, runs, tmp_path, capsys):
    (tmp_path / "file").touch()
    bad = runs / "bad"
    for words, sentence in (
        (["train", tmp_path], "has no run.json"),
        (["train", bad, "--other", bad], "was given twice"),
        (["train", bad, "--n", "5"], "n is 5; it must be a whole number of 20 or more"),
        (["train", bad, "--out", tmp_path / "file"], "--out names the folder to write the detector into"),
        (["apply", tmp_path, tmp_path], "holds no detector.json"),
        (["apply", bad, tmp_path / "nothing.png"], "doesn't exist"),
        (["apply", bad, tmp_path / "file"], "can't be read"),
        (["apply", bad], "No image was given"),
        (["apply", bad, tmp_path, "--out", tmp_path / "table.txt"], "must be a file that ends in .csv"),
    ):
        assert sentence in complaint(capsys, *words)


def test_another_size_of_images_and_vectors_are_refused(runs, tmp_path):
    with pytest.raises(UserError, match="make images of 8x8x1 and 10x10x1"):
        train_detector(runs / "bad", other=trained(tmp_path / "ten", 64, size=10))
    with pytest.raises(UserError, match="makes vectors"):
        train_detector(trained(tmp_path / "ring", 256, data="ring", size=None))


def test_a_damaged_detector_is_said(fitted, runs, tmp_path):
    source = runs / "bad" / "detector"
    for name in ("detector.json", "detector.safetensors"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "detector.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(UserError, match="damaged detector"):
        load_detector(tmp_path)
    (tmp_path / "detector.json").write_text("{}")
    with pytest.raises(UserError, match="damaged detector"):
        apply_detector(tmp_path, tmp_path)
