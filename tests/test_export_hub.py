"""`elegan export --format hub`: a folder that can be uploaded as it is, and isn't written against the data's terms."""

import errno
import json
import shutil
import socket

import numpy as np
import pytest
import torch
from PIL import Image

import elegan
from elegan.cli import main
from elegan.errors import UserError
from elegan.provenance import credentials
from elegan.verbs import export_hub as verb

RIGHTS = "--i-have-rights"
TRAIN = ["--size", "8", "--images", "64", "--batch", "16", "--width", "16", "--depth", "1", "--no-referee"]
FILES = {
    "LICENSE", "README.md", "contact.png", "generator.json", "generator.safetensors", "generator.safetensors.c2pa",
    "report.html", "report.json", "run.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of images whose licence forbids derivatives."""
    folder = tmp_path_factory.mktemp("somebodys-home") / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(60):
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{number}.png")
    (folder / "LICENSE").write_text("Creative Commons Attribution-NoDerivatives 4.0 International")
    return folder


@pytest.fixture(scope="module")
def forbidden(photos, tmp_path_factory):
    """A finished run on those; none may write into it."""
    out = tmp_path_factory.mktemp("runs") / "shells"
    assert main(["train", "gan", "--data", str(photos), "--out", str(out), *TRAIN, "--depicts-people"]) == 0
    return out


def with_licence(run, path, licence):
    """A copy of the run whose data have another licence, and forbid nothing."""
    shutil.copytree(run, path)
    record = json.loads((path / "run.json").read_text())
    record["data"]["licence"] = licence
    del record["data"]["restriction"]
    (path / "run.json").write_text(json.dumps(record))
    return path


@pytest.fixture(scope="module")
def allowed(forbidden, tmp_path_factory):
    return with_licence(forbidden, tmp_path_factory.mktemp("allowed") / "shells", "CC BY 4.0")


@pytest.fixture(scope="module")
def exported(allowed, tmp_path_factory):
    """A folder for the hub; none may write into it."""
    out = tmp_path_factory.mktemp("hub") / "shells-on-a-beach"
    return out, elegan.export(allowed, out=out, format="hub")


def complaint(capsys, *words):
    """The one line on stderr of `elegan export --format hub` that must exit with 2."""
    assert main(["export", "--format", "hub", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err


def test_the_folder_holds_what_an_upload_needs(exported):
    out, done = exported
    assert {path.name for path in out.iterdir()} == set(done["files"]) == FILES
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert done["licence"] == "CC BY 4.0"
    assert done["declared_rights"] is False
    assert done["provenance"] == {"layers": ["credentials"], "missing": []}
    assert (out / "README.md").read_text().startswith('---\nlicense: "cc-by-4.0"\n')
    assert "https://spdx.org/licenses/CC-BY-4.0.html" in (out / "LICENSE").read_text()
    assert json.loads((out / "generator.json").read_text())["licence"] == "CC BY 4.0"


def test_the_weights_are_signed_and_the_same(exported, allowed):
    out, done = exported
    content = (out / "generator.safetensors").read_bytes()
    assert content == (allowed / "generator.safetensors").read_bytes()
    beside = (out / "generator.safetensors.c2pa").read_bytes()
    mime = credentials.mime_of("generator.safetensors")
    assert credentials.read(content, mime, beside).weights_sha256 == done["weights_sha256"]
    assert credentials.read(content + b" ", mime, beside).state == "invalid"


def test_the_folder_draws_what_the_run_draws(exported, allowed, tmp_path):
    out, _ = exported
    assert torch.equal(elegan.load(out).sample(4, seed=3), elegan.load(allowed).sample(4, seed=3))
    picture = tmp_path / "samples.png"
    assert main(["sample", str(out), "--out", str(picture), "--n", "4"]) == 0
    assert picture.stat().st_size


def test_nothing_of_this_machines_folders_is_in_it(exported, photos):
    out, _ = exported
    for path in out.iterdir():
        assert b"somebodys-home" not in path.read_bytes(), path.name
    assert json.loads((out / "run.json").read_text())["asked"]["data"] == "photos"
    assert "photos" in (out / "report.html").read_text()


def test_training_on_what_forbids_derivatives_is_never_silent(photos, capsys, tmp_path):
    assert main(["train", "gan", "--data", str(photos), "--out", str(tmp_path / "run"), *TRAIN, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith("elegan train: warning: the terms of photos forbid derivatives, which a generator may be: ")
    assert 'LICENSE says "NoDerivatives"; training goes on' in err
    assert "NoDerivatives" not in out
    elegan.train("gan", data=photos, size=8, batch=16, out=tmp_path / "run", dry_run=True, quiet=True)
    assert capsys.readouterr().err == err


def test_the_warning_is_kept_in_the_record_and_the_card(forbidden):
    data = json.loads((forbidden / "run.json").read_text())["data"]
    assert data["licence"] == "CC-BY-ND-4.0"
    assert data["restriction"] == 'LICENSE says "NoDerivatives"'
    assert any("forbid derivatives" in note for note in data["notes"])
    assert 'its terms forbid them: LICENSE says "NoDerivatives"' in (forbidden / "README.md").read_text()


def test_that_the_data_show_people_is_kept_and_part_of_the_command(forbidden, photos, capsys):
    assert json.loads((forbidden / "run.json").read_text())["asked"]["depicts_people"] is True
    assert "| shows people | yes |" in (forbidden / "README.md").read_text()
    assert main(["train", "gan", "--data", str(photos), "--out", str(forbidden), *TRAIN]) == 2
    assert "depicts_people was true" in capsys.readouterr().err


def test_data_that_say_nothing_are_recorded_as_before(tmp_path, capsys):
    assert main(["train", "gan", "--data", "digits", "--out", str(tmp_path / "run"), *TRAIN, "--dry-run"]) == 0
    assert capsys.readouterr().err == ""


def test_terms_that_forbid_derivatives_stop_the_export(forbidden, capsys, tmp_path):
    said = complaint(capsys, forbidden, "--out", tmp_path / "hub")
    assert 'the terms of its data forbid derivatives (LICENSE says "NoDerivatives")' in said
    assert said.endswith("if you have the right, say so with --i-have-rights.\n")
    assert not any(tmp_path.iterdir())


def test_an_unknown_licence_stops_the_export_until_somebody_answers_for_it(forbidden, capsys, tmp_path):
    run = with_licence(forbidden, tmp_path / "run", "unknown: yours to check")
    said = complaint(capsys, run, "--out", tmp_path / "hub")
    assert 'for the licence of its data is "unknown: yours to check"' in said
    assert not (tmp_path / "hub").exists()
    assert main(["export", str(run), "--format", "hub", "--out", str(tmp_path / "hub"), RIGHTS]) == 0
    assert "ready to be uploaded; README.md is the model card." in capsys.readouterr().out
    text = (tmp_path / "hub" / "README.md").read_text()
    assert 'license: "other"\nlicense_name: "unknown: yours to check"\nlicense_link: "LICENSE"\n' in text
    assert "The exporter declared, by `--i-have-rights`" in text
    assert "The exporter declared" in (tmp_path / "hub" / "LICENSE").read_text()
    assert json.loads((tmp_path / "hub" / "run.json").read_text())["declared_rights"] is True
    assert json.loads((tmp_path / "hub" / "generator.json").read_text())["licence"] == "unknown: yours to check"


def test_json_says_what_was_written(allowed, capsys, tmp_path):
    assert main(["export", str(allowed), "--format", "hub", "--out", str(tmp_path / "hub"), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert set(done["files"]) == FILES
    assert done["format"] == "hub"


def test_an_empty_folder_may_be_there_and_a_full_one_not(allowed, capsys, tmp_path):
    (tmp_path / "hub").mkdir()
    elegan.export(allowed, out=tmp_path / "hub", format="hub")
    before = {path.name: path.read_bytes() for path in (tmp_path / "hub").iterdir()}
    assert "isn't empty; give a new folder to --out." in complaint(capsys, allowed, "--out", tmp_path / "hub")
    assert {path.name: path.read_bytes() for path in (tmp_path / "hub").iterdir()} == before
    assert "a file; for --format hub it must name a new folder." in complaint(
        capsys, allowed, "--out", tmp_path / "hub" / "LICENSE"
    )


def test_a_side_is_no_part_of_a_folder(allowed, capsys, tmp_path):
    assert "leave it out" in complaint(capsys, allowed, "--out", tmp_path / "hub", "--to", "B")


@pytest.mark.parametrize("name", ["README.md", "contact.png", "report.json", "generator.safetensors"])
def test_a_run_that_isnt_whole_is_not_exported(allowed, capsys, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(allowed, run)
    (run / name).unlink()
    assert str(run) in complaint(capsys, run, "--out", tmp_path / "hub")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_what_fails_midway_leaves_nothing_behind(allowed, tmp_path, monkeypatch, number):
    def fail(path, content):
        raise OSError(number, "no")

    monkeypatch.setattr(verb, "write_atomically", fail)
    with pytest.raises(OSError if number == errno.ENOSPC else UserError):
        elegan.export(allowed, out=tmp_path / "hub", format="hub")
    assert not any(tmp_path.iterdir())


def test_an_export_that_cannot_be_loaded_is_not_published(allowed, tmp_path, monkeypatch):
    whole = verb.write_json

    def without_shapes(path, content):
        whole(path, {key: value for key, value in content.items() if key != "shapes"})

    monkeypatch.setattr(verb, "write_json", without_shapes)
    with pytest.raises(UserError, match="damaged"):
        elegan.export(allowed, out=tmp_path / "hub", format="hub")
    assert not any(tmp_path.iterdir())


def test_nothing_is_sent_anywhere(allowed, tmp_path, monkeypatch):
    def forbid(*args, **settings):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbid)
    monkeypatch.setattr(socket, "create_connection", forbid)
    elegan.export(allowed, out=tmp_path / "hub", format="hub")
