"""Everything that a command writes says what it is: all commands are run, and all their files are looked at."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import elegan
from elegan.cli import main
from elegan.cli.overview import COMMANDS
from elegan.pictures import stamped
from elegan.provenance import COMPOSITE, TRAINED, read_label
from elegan.provenance.evidence import examine
from elegan.provenance.marking import VISIBLE
from elegan.verbs.check_data import check_data

SMALL = ["--images", "128", "--no-referee", "--seed", "0"]
NETWORKS = {
    "stylegan": ["--width", "16", "--narrow", "16", "--style", "16", "--mapping", "1"],
    "pix2pix": ["--pair", "edges", "--width", "16"],
    "sgan": ["--labelled", "100", "--width", "16", "--narrow", "16", "--depicts-people"],
}  # fmt: skip
WRITES_NOTHING = {"verify", "forget", "models", "doctor"}
WRITES = {
    "train", "sample", "classify", "edit", "apply", "export", "evaluate", "detect train", "detect apply", "data check",
}  # fmt: skip
OF_THE_USERS = {"benchmark"}
"""What they write shows figures of speed."""
REPORTS = {"report.html", "report.json", "report-n100.html", "report-n100.json"}
RECORDS = {
    "run.json": "what made a run", "log.jsonl": "a line a tick", "generator.json": "shapes of the weights beside it",
    "last.json": "a checkpoint's index", "best.json": "a checkpoint's index", "previous.json": "a checkpoint's index",
    "directions.safetensors": "normals of planes", "recognisers.safetensors": "they make nothing",
    "channels.safetensors": "shares of parts",
    "detector.json": "figures", "detector.safetensors": "it makes nothing",
    ".lock": "empty", "LICENSE": "a pointer to the data's licence",
}  # fmt: skip
"""Files that hold nothing generated, and why."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind of model, by its name, trained where China's field is asked for, and a photo."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELEGAN_PROFILE", "cn")
        for model, options in NETWORKS.items():
            words = ["train", model, "--data", "digits", "--size", "8", *SMALL, *options, "--out", str(folder / model)]
            assert main(words) == 0
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    return folder


def test_every_command_is_either_covered_here_or_writes_nothing():
    assert set(COMMANDS) == WRITES | WRITES_NOTHING | OF_THE_USERS


def test_all_that_training_writes_says_what_it_is(runs):
    for model in NETWORKS:
        looked_at = said_by_all(runs / model)
        assert {"contact.png", "training.gif", "generator.safetensors", "README.md"} <= looked_at


@pytest.mark.parametrize("words", [
    ["sample", "stylegan", "--out", "OUT/a.png", "--n", "4"],
    ["sample", "stylegan", "--out", "OUT/a.npz", "--n", "4"],
    ["sample", "stylegan", "--out", "OUT/many", "--n", "4"],
    ["sample", "stylegan", "--out", "OUT/many.zip", "--n", "4"],
    ["sample", "pix2pix", "--out", "OUT/a.png", "--n", "4"],
    ["apply", "pix2pix", "photo.png", "--out", "OUT/translated"],
    ["classify", "sgan", "photo.png", "--out", "OUT/a.csv"],
    ["edit", "stylegan", "mix", "--rows", "1", "--columns", "2", "--out", "OUT/a.png"],
    ["edit", "stylegan", "arithmetic", "--plus", "1", "--minus", "2", "--plus", "3", "--out", "OUT/a.png"],
    ["edit", "stylegan", "directions", "--seeds", "1", "--count", "1", "--out", "OUT/a.png"],
    ["edit", "stylegan", "truncate", "--seeds", "1", "--out", "OUT/a.png"],
    ["edit", "stylegan", "walk", "--seeds", "1,2", "--frames", "2", "--out", "OUT/a.gif"],
    ["edit", "stylegan", "walk", "--seeds", "1,2", "--frames", "2", "--out", "OUT/a.mp4"],
    ["edit", "stylegan", "project", "photo.png", "--steps", "2", "--starts", "1", "--out", "OUT/a.png"],
    ["edit", "sgan", "change", "--part", "3", "--seeds", "1", "--steps", "2", "--out", "OUT/a.png"],
    ["export", "stylegan", "--format", "hub", "--out", "OUT/hub"],
    ["evaluate", "stylegan", "--n", "100"],
    ["detect", "train", "stylegan", "--n", "100", "--out", "OUT/detector"],
], ids=lambda words: " ".join(words[:3]))  # fmt: skip
def test_all_that_a_command_writes_says_what_it_is(runs, tmp_path, monkeypatch, words):
    if words[-1].endswith(".mp4"):
        pytest.importorskip("av")
    monkeypatch.chdir(runs)
    assert main([word.replace("OUT", str(tmp_path)) for word in words]) == 0
    written = tmp_path if words[0] != "evaluate" else runs / words[1]
    assert said_by_all(written) or words[:2] == ["detect", "train"]


def test_the_scores_of_a_detector_say_what_they_are(runs, tmp_path):
    detector, photo, table = (str(path) for path in (tmp_path / "detector", runs / "photo.png", tmp_path / "a.csv"))
    assert main(["detect", "train", str(runs / "stylegan"), "--n", "100", "--out", detector]) == 0
    assert main(["detect", "apply", detector, photo, "--out", table]) == 0
    assert "a.csv" in said_by_all(tmp_path)


def test_an_onnx_file_says_what_it_is(runs, tmp_path, monkeypatch):
    from jaxtyping import config

    monkeypatch.setattr(config, "jaxtyping_disable", True)
    assert main(["export", str(runs / "stylegan"), "--out", str(tmp_path / "a.onnx")]) == 0
    assert read_label(tmp_path / "a.onnx").generator.endswith("stylegan")
    assert said_by_all(tmp_path) == {"a.onnx"}


def test_all_that_python_saves_says_what_it_is(runs, tmp_path):
    (picture,) = elegan.load(runs / "stylegan").sample(1, seed=3).images()
    picture.save(tmp_path / "a.png")
    with (tmp_path / "b.webp").open("wb") as file:
        picture.save(file, "WEBP")
    assert said_by_all(tmp_path) == {"a.png", "b.webp"}


@pytest.mark.parametrize("name", ["many", "many.zip", "many.npz"])
def test_a_sheet_of_generated_data_says_what_it_shows(runs, tmp_path, name):
    assert main(["sample", str(runs / "stylegan"), "--out", str(tmp_path / name), "--n", "20"]) == 0
    sheet = tmp_path / "sheet" / "sheet.png"
    assert checked(tmp_path / name, sheet)["provenance"]["missing"] == []
    assert said_by_all(sheet.parent) == {"sheet.png"}
    assert read_label(sheet).digital_source_type == TRAINED
    assert read_label(sheet).weights_sha256 == elegan.load(runs / "stylegan").weights_sha256


def test_a_sheet_of_generated_and_other_images_says_that_it_is_composite(runs, tmp_path):
    own, sheet = tmp_path / "own", tmp_path / "sheet.png"
    own.mkdir()
    for seed in range(19):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)).save(own / f"{seed}.png")
    elegan.load(runs / "stylegan").sample(1).images()[0].save(own / "generated.png")
    (own / "bad.png").write_bytes(b"broken")
    assert "provenance" in checked(own, sheet, skip_bad=True)
    assert read_label(sheet).digital_source_type == COMPOSITE
    assert examine(sheet).conclusion == "SIGNED_TRUSTED"


def test_a_sheet_of_the_users_own_data_claims_nothing(tmp_path):
    own, sheet = tmp_path / "own", tmp_path / "sheet.png"
    own.mkdir()
    for seed in range(20):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)).save(own / f"{seed}.png")
    assert "provenance" not in checked(own, sheet)
    assert examine(sheet).conclusion == "NO_EVIDENCE"


def test_a_run_on_pictures_of_people_says_it_in_all_that_it_draws(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("ELEGAN_PROFILE", "cn")
    out = runs / "sgan"
    elegan.load(out).sample(1).images()[0].save(tmp_path / "a.png")
    stills = [tmp_path / "a.png", out / "contact.png", *(out / "samples").glob("*.png")]
    for file in stills:
        with Image.open(file) as picture:
            assert np.array_equal(picture, stamped(picture, VISIBLE)), f"{file} isn't visibly labelled"
    with Image.open(out / "training.gif") as film:
        for frame in ImageSequence.Iterator(film):
            picture = np.asarray(frame.convert("L"))
            bottom = np.flatnonzero(picture[:, :4].max(1) < 40)  # the label's dark ground, above the caption's paper
            assert len(bottom) > picture.shape[0] / 20
    for file in [*stills, out / "training.gif"]:
        assert b"TC260:AIGC" in file.read_bytes()


def checked(data, sheet, **options):
    sheet.parent.mkdir(exist_ok=True)
    report = check_data(str(data), sheet=str(sheet), **options)
    assert report["sheet"] == str(sheet)
    return report


def said_by_all(folder: Path) -> set[str]:
    """The names of the files that say of themselves that they are generated; fails where one says nothing, or says it
    unsigned."""
    looked_at = set()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.name in RECORDS or file.suffix == ".c2pa" or file.parent.name == "checkpoints":
            continue
        found = examine(file)
        claims = file.name == "README.md" and "generated" in file.read_text(encoding="utf-8")
        unsigned = found.conclusion == "LABEL" and may_be_unsigned(file)
        assert claims or unsigned or found.conclusion == "SIGNED_TRUSTED", f"{file} says {found.conclusion}"
        looked_at.add(file.name)
    return looked_at


def may_be_unsigned(file: Path) -> bool:
    """Reports hold figures and small pictures; a run's weights are signed once they leave it."""
    return file.name in REPORTS or (file.name == "generator.safetensors" and (file.parent / "checkpoints").is_dir())
