"""Everything that a command writes says what it is: all commands are run, and all their files are looked at."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import elegan
from elegan.cli import main
from elegan.cli.overview import COMMANDS
from elegan.provenance import read_label
from elegan.provenance.evidence import examine

SMALL = ["--images", "128", "--no-referee", "--seed", "0"]
NETWORKS = {
    "stylegan": ["--width", "16", "--narrow", "16", "--style", "16", "--mapping", "1"],
    "pix2pix": ["--pair", "edges", "--width", "16"], "sgan": ["--labelled", "100", "--width", "16", "--narrow", "16"],
}  # fmt: skip
WRITES_NOTHING = {"verify", "forget", "models", "doctor"}
WRITES = {
    "train", "sample", "classify", "edit", "apply", "export", "evaluate", "detect train", "detect apply",
}  # fmt: skip
OF_THE_USERS = {"data check", "benchmark"}
"""What they write shows the user's own data, or figures of speed."""
RECORDS = {
    "run.json": "what made a run", "log.jsonl": "a line a tick", "generator.json": "shapes of the weights beside it",
    "last.json": "a checkpoint's index", "best.json": "a checkpoint's index", "previous.json": "a checkpoint's index",
    "directions.npz": "normals of planes", "detector.json": "figures", "detector.safetensors": "it makes nothing",
    "roc.png": "a curve of figures", ".lock": "empty", "LICENSE": "a pointer to the data's licence",
}  # fmt: skip
"""Files that hold nothing generated, and why."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each kind of model, by its name, and a photo."""
    folder = tmp_path_factory.mktemp("runs")
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
    ["edit", "stylegan", "project", "photo.png", "--steps", "2", "--starts", "1", "--out", "OUT/a.png"],
    ["export", "stylegan", "--format", "hub", "--out", "OUT/hub"],
    ["evaluate", "stylegan", "--n", "100"],
    ["detect", "train", "stylegan", "--n", "100", "--out", "OUT/detector"],
], ids=lambda words: " ".join(words[:3]))  # fmt: skip
def test_all_that_a_command_writes_says_what_it_is(runs, tmp_path, monkeypatch, words):
    monkeypatch.chdir(runs)
    assert main([word.replace("OUT", str(tmp_path)) for word in words]) == 0
    written = tmp_path if words[0] != "evaluate" else runs / words[1]
    assert said_by_all(written) or words[:2] == ["detect", "train"]


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


def said_by_all(folder: Path) -> set[str]:
    """The names of the files that say of themselves that they are generated; fails where one says nothing."""
    looked_at = set()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.name in RECORDS or file.suffix == ".c2pa" or file.parent.name == "checkpoints":
            continue
        found = examine(file)
        claims = file.name == "README.md" and "generated" in file.read_text(encoding="utf-8")
        assert claims or found.conclusion in ("SIGNED_TRUSTED", "LABEL"), f"{file} says {found.conclusion}"
        looked_at.add(file.name)
    return looked_at
