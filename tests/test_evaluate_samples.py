"""`elegan evaluate`: anybody's samples beside any data, and two runs side by side, through the real entry point."""

import json
import shutil
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

import elegan
from elegan.cli import main
from elegan.errors import UserError
from elegan.evaluation import sections
from elegan.evaluation.comparison import PAIRED
from elegan.verbs import conduct, judge_run
from elegan.verbs.folder import Folder
from elegan.verbs.foreign import open_samples

TINY = ["--size", "8", "--width", "16", "--narrow", "16", "--batch", "32"]
N, JUDGED = 240, 200
SLOW = ("critics", "baseline", "copies", "beyond_the_data")


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


def report_in(folder, name="report"):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


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
    assert report["modes"]["missing"] == ["3 at (-0.707, 0.707)"]
    assert [row["name"] for row in report["modes"]["table"]][2:5:2] == ["2 at (0, 1)", "4 at (-1, 0)"]
    assert (tmp_path / "points-report" / "report.html").exists()


@pytest.mark.parametrize(("words", "sentence"), [
    ([], "RUN is missing; give a run, two runs to compare, or --samples with --data."),
    (["--samples", "x"], "--samples was given without --data"),
    (["--data", "digits"], "--data was given without --samples"),
    (["run", "--samples", "x", "--data", "digits"], "A run and --samples or --data were given"),
    (["run", "--size", "8"], "--size and --skip-bad are for --samples"),
    (["run", "--features", "x.pt"], "--features was given with a run, which is judged by features of its own"),
    (["--samples", "{folder}", "--data", "digits", "--size", "8", "--features", "x.pt"], "x.pt can't be read"),
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


class Pool(torch.nn.Module):
    """Stands for a pretrained network: so many numbers of an image, means of its pixels through fixed weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        weights = np.random.default_rng(0).normal(size=(3 * 64, width))
        self.weights = torch.nn.Parameter(torch.from_numpy(weights).float())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.weights


@pytest.mark.parametrize(
    ("stem", "width", "called"),
    [pytest.param("inception", 2048, "FID", marks=pytest.mark.long), ("mine", 16, "FD-mine-")],
)
def test_samples_are_judged_by_a_pretrained_network(stem, width, called, fresh, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Pool(width)), tmp_path / f"{stem}.pt")
    np.savez(tmp_path / "few.npz", images=fresh[0][:120])
    words = ["--samples", tmp_path / "few.npz", "--data", "digits", "--size", "8"]
    assert main(["evaluate", *map(str, words), "--features", str(tmp_path / f"{stem}.pt")]) == 0
    out = tmp_path / "few-report"
    report = report_in(out)
    assert report["features"]["name"].startswith(f"{stem}-")
    assert report["features"]["dimension"] == width
    assert report["fidelity"]["frechet_distance"]["features"] == report["features"]["name"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"</span>{called}" in page
    assert stem == "inception" or ">FID" not in page
    assert not list(out.glob("features-*"))


@pytest.mark.parametrize("value", [1e30, 1e300, np.inf, np.nan])
def test_vectors_too_large_to_be_measured_are_refused_in_a_sentence(value):
    points = np.random.default_rng(0).normal(size=(50, 2))
    points[3, 0] = value
    with pytest.raises(UserError, match="hold NaN, infinite values or values beyond 1e\\+15; leave those out"):
        open_samples(points, elegan.open_data("ring"), resize=False)


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
    assert "There are no images in" in complaint(capsys, *beside, none)
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


EIGHT, NINE = Image.new("L", (8, 8)), Image.new("L", (9, 9))


@pytest.mark.parametrize(("samples", "sentence"), [
    (np.zeros((5, 8), np.uint8), "The samples in an array have the shape"),
    (np.zeros((5, 3, 8, 8), np.uint8), "it must be .N, H, W., or .N, H, W, C."),
    (np.zeros((0, 8, 8, 1), np.uint8), "There are no samples in an array; give at least one"),
    (np.zeros(0), "There are no samples in an array; give at least one"),
    ([], "There are no samples in a list; give at least one"),
    (torch.zeros(0, 1, 8, 8), "There are no samples in a tensor; give at least one"),
    (np.full((5, 8, 8, 1), np.nan, np.float32), "NaN or infinite values; leave those out"),
    (torch.full((5, 1, 8, 8), torch.nan), "NaN or infinite values; leave those out"),
    (torch.linspace(-3, 3, 320).reshape(5, 1, 8, 8), "go from -3 to 3; scale them to .-1, 1."),
    ([np.zeros((8, 8)), np.zeros((9, 9))], "different shapes"),
    ([np.zeros((8, 8)), EIGHT], "holds Image and ndarray; give PIL images, arrays or tensors, all of one kind"),
    ([EIGHT, NINE], "The samples are 8x8 to 9x9 pixels and the data 8x8; give --size"),
    ([[1, 2], [3, 4]], "The list of samples holds list"),
    (17, "Samples of the type int can't be judged"),
    ({"images": 1}, "Samples of the type dict can't be judged"),
])  # fmt: skip
def test_what_holds_no_images_is_refused_in_a_sentence(samples, sentence, data):
    with pytest.raises(UserError, match=sentence) as mistake:
        open_samples(samples, data, resize=False)
    assert len(str(mistake.value).splitlines()) == 1
    assert "train" not in str(mistake.value)


def in_memory(images):
    """The same samples as a program may hold them."""
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    signed = tensor.float() / 127.5 - 1
    return {
        "arrays": list(images), "grey arrays": list(images[..., 0]), "uint8 tensor": tensor, "tensors": list(tensor),
        "float tensor": signed, "tensor with gradient": signed.clone().requires_grad_(), "tuple": tuple(signed),
        "doubles": signed.double(), "channels last": torch.from_numpy(images), "overshooting": signed * (1 + 1e-3),
        "pictures": [Image.fromarray(pixels[..., 0]) for pixels in images],
    }  # fmt: skip


def test_samples_in_memory_are_what_they_are_in_a_folder(fresh, data):
    for name, samples in in_memory(fresh[0]).items():
        assert np.array_equal(open_samples(samples, data, resize=False).items, fresh[0]), name


def test_pictures_of_several_sizes_are_brought_to_one_when_a_size_is_asked_for(data):
    assert open_samples([EIGHT, NINE], data, resize=True).items.shape == (2, 8, 8, 1)


def test_vectors_may_be_a_list_or_a_tensor():
    ring = elegan.open_data("ring")
    for samples in ([np.zeros(2)] * 5, torch.zeros(5, 2), np.zeros((5, 2))):
        assert open_samples(samples, ring, resize=False).items.shape == (5, 2)
    with pytest.raises(UserError, match="are pictures; ring needs vectors"):
        open_samples([EIGHT], ring, resize=False)
    with pytest.raises(UserError, match="There are no samples in an array"):
        open_samples(np.zeros(0), ring, resize=False)


@pytest.mark.parametrize(("kind", "said"), [(np.asarray, "An array"), (torch.tensor, "A tensor"), (list, "A list")])
def test_what_is_in_memory_needs_a_place_for_its_report(fresh, kind, said):
    with pytest.raises(UserError, match=f"{said} of samples lies in no folder"):
        elegan.evaluate(samples=kind(fresh[0]), data="digits", size=8)


def test_what_was_done_to_the_samples_is_said_on_the_terminal(judged, fresh, tmp_path, capsys):
    larger = np.kron(fresh[0][..., 0], np.ones((1, 2, 2), np.uint8))
    shutil.copytree(judged, tmp_path / "out")
    (tmp_path / "theirs").mkdir()
    for index, pixels in enumerate(larger):
        Image.fromarray(pixels).save(tmp_path / "theirs" / f"{index:03d}.png")
    (tmp_path / "theirs" / "000.png").write_bytes(b"scrap")
    words = ["--samples", tmp_path / "theirs", "--data", "digits", "--size", 8, "--skip-bad", "--n", 120]
    assert main(["evaluate", *map(str, words), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "Note: Of 240 samples 120 random ones are judged." in out
    assert "had to be reduced in size" in out
    assert ("can't be read and are left out: 000.png" in out) == (report_in(tmp_path / "out")["n"] == 119)


def test_the_usage_says_that_runs_may_be_left_out(capsys):
    assert main(["evaluate", "--help"]) == 0
    usage = capsys.readouterr().out
    assert "[OPTIONS] [RUN] [RUN_B]" in usage
    assert "leave the usual report alone" in " ".join(usage.split())


def test_labels_that_the_data_do_not_have_are_left_out_with_a_note(data, fresh, tmp_path):
    np.savez(tmp_path / "odd.npz", images=fresh[0], labels=np.arange(N))
    opened = open_samples(tmp_path / "odd.npz", data, resize=False)
    assert opened.labels is None
    assert "the data have no class" in opened.notes[-1]


@pytest.fixture(scope="module")
def quick():
    """Runs are judged by few samples and few measures, and their games aren't probed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge_run, "SAMPLES", JUDGED)
        probes = (judge_run, "probe_run"), (conduct, "probe_training")
        for place, name in (*probes, *((sections, slow) for slow in SLOW)):
            patch.setattr(place, name, lambda *_: {})
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
    assert "sliced Wasserstein" in out
    assert "kernel distance" not in out
    assert "B (long) is better, nearer to real data: A's KID less B's is " in out
    assert "intervals without 0 speak for B in KID, " in out
    place = runs / "short" / "comparison-with-long"
    comparison = json.loads((place / "comparison.json").read_text())
    (distance,) = [row for row in comparison["rows"] if row["measure"] == "kernel_distance"]
    assert distance["better"] == comparison["better"] == "b"
    paired = [row for row in comparison["rows"] if row["paired"]]
    assert {row["measure"] for row in paired} >= {"kernel_distance", "frechet_distance", "precision", "coverage"}
    for row in paired:  # of the very samples and reals that the columns are of
        assert row["difference"]["n"] == row["a"]["n"] == row["b"]["n"]
        assert row["difference"]["value"] == pytest.approx(row["a"]["value"] - row["b"]["value"], abs=1e-9)
    assert "B is better: long" in (place / "comparison.html").read_text()
    assert (runs / "long" / "report.json").stat().st_mtime_ns == written


def test_figures_over_other_features_are_said_to_be(runs, tmp_path, capsys):
    elsewhere = shutil.copytree(runs / "long", tmp_path / "elsewhere")
    report = report_in(elsewhere)
    here = report["features"]["name"]
    report["features"]["name"] = "features-64-00000000"
    (elsewhere / "report.json").write_text(json.dumps(report))
    assert main(["evaluate", str(runs / "long"), str(elsewhere), "--out", str(tmp_path / "both")]) == 0
    assert f"Note: B: Its figures are over features-64-00000000, A's over {here};" in capsys.readouterr().out
    assert "features-64-00000000" in (tmp_path / "both" / "comparison.html").read_text()
    rows = json.loads((tmp_path / "both" / "comparison.json").read_text())["rows"]
    compared = {row["measure"]: row["difference"]["value"] != "NaN" for row in rows if row["of"] != "pixels"}
    assert {measure for measure, is_compared in compared.items() if is_compared} <= set(PAIRED)
    assert compared["kernel_distance"]
    assert not all(compared.values())
    assert all(row["better"] is None for row in rows if row["difference"]["value"] == "NaN")


def test_runs_that_share_no_data_are_not_compared(runs, capsys):
    said = complaint(capsys, runs / "short", runs / "other")
    assert "trained on other data" in said
    assert "(8x8x1)" in said
    assert "(12x12x1)" in said
    assert "was given twice" in complaint(capsys, runs / "short", runs / "short")


def test_fewer_samples_leave_the_usual_report_and_the_card_alone(runs, quick):
    run = runs / "short"
    before = {name: (run / name).read_bytes() for name in ("report.json", "report.html", "README.md")}
    assert elegan.load(run).evaluate(n=120).report["n"] == 120
    assert {name: (run / name).read_bytes() for name in before} == before
    beside = report_in(run, "report-n120")
    assert beside["n"] == beside["sizes"]["samples"] == 120
    assert beside["ending"] == report_in(run)["ending"] == "budget"
    assert (run / "report-n120.html").exists()
    assert elegan.load(run).report["n"] == JUDGED


def test_a_run_that_is_judged_again_keeps_how_its_training_ended(runs, quick):
    before = report_in(runs / "short")
    after = elegan.evaluate(runs / "short", seed=1)
    assert after["ending"] == before["ending"]
    assert report_in(runs / "short")["seed"] == 1


@pytest.fixture
def halfway(runs, tmp_path):
    """A run that was interrupted, went on and was killed: weights of 320 images, and a log to 640."""
    run = shutil.copytree(runs / "short", tmp_path / "halfway")
    for name in ("README.md", "report.json", "report.html"):
        (run / name).unlink()
    record = json.loads((run / "run.json").read_text())
    record["budget"]["images"] = 6400
    (run / "run.json").write_text(json.dumps(record))
    line = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert line["images"] == json.loads((run / "generator.json").read_text())["images"] == 320
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps({**line, "images": 640, "terms": {"discriminator/pair": "NaN"}}) + "\n")
    return run


def test_a_run_that_was_interrupted_is_judged_by_its_weights_and_says_so(halfway, quick, capsys):
    assert main(["evaluate", str(halfway)]) == 0
    out = capsys.readouterr().out
    assert "Note: Training was interrupted: judged are the weights that were saved at 320 of 6,400 images" in out
    report = report_in(halfway)
    assert report["ending"] == report["unfinished"]["state"] == "interrupted"
    assert report["alarms"] == []  # the log's last line is of images that the weights haven't seen
    assert "budget ended" not in report["sentence"]["en"]
    assert not (halfway / "README.md").exists()  # which would say that the run is finished
    assert "Training was interrupted" in (halfway / "report.html").read_text()


def test_a_run_that_is_still_being_trained_says_so(halfway, quick, capsys):
    with Folder(halfway).locked():
        assert main(["evaluate", str(halfway)]) == 0
        assert "Note: The run is still being trained: judged are the weights" in capsys.readouterr().out
        assert report_in(halfway)["ending"] == "training"
        for name in ("generator.json", "generator.safetensors"):
            (halfway / name).unlink()
        assert "still being trained and has no weights to judge yet" in complaint(capsys, halfway)
    assert "the same train command again finishes the run" in complaint(capsys, halfway)


def test_a_run_that_went_back_leaves_its_trace_in_report_page_and_card(runs, quick, tmp_path):
    run = shutil.copytree(runs / "short", tmp_path / "back")
    Folder(run).append_return(640, 320, "collapsed", {"lr": 2.5e-4, "gamma": 2.0})
    report = elegan.evaluate(run)
    (entry,) = report["returns"]
    assert (entry["images"], entry["to"], entry["why"]) == (640, 320, "collapsed")
    said = "At 640 images training collapsed and went back to 320, and on from there with lr 0.00025, gamma 2."
    assert said in (run / "report.html").read_text()
    assert said in (run / "README.md").read_text()
    steps = [step for finding in report["findings"] for step in finding["steps"]]
    assert any("--lr 0.00025 --gamma 2" in step for step in steps)
