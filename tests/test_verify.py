"""`elegan verify` says what each layer says, and what follows; never "real", and never "trusted" of a stranger."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

import elegan
from elegan.cli import main
from elegan.errors import UserError
from elegan.provenance import (
    COMPOSITE,
    TRAINED,
    Label,
    credentials,
    identity,
    registry,
    watermark,
    write_archive,
    write_arrays,
    write_folder,
    write_image,
)
from elegan.provenance.manifest import Parent
from elegan.provenance.seal import SIDECAR

LABEL = Label("elegan 0.1.0 r3gan", "3c5a" * 16, 7, "faces")
CAMERA = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
PHOTO = load_sample_images().images[0]


def photo(side=128):
    return Image.fromarray(PHOTO[40 : 40 + side, 200 : 200 + side])


def tiny(seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8))


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """A user of this test's own."""
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / "home"))


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """Become another user, who has neither the keys nor the registry."""
    return lambda name="stranger": monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / name))


def verified(path):
    (one,) = elegan.verify(path)["files"]
    return one


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif"])
def test_what_was_written_here_is_signed_and_trusted_here(tmp_path, name):
    write_image(photo(), tmp_path / name, LABEL)
    found = verified(tmp_path / name)
    assert found["conclusion"] == "SIGNED_TRUSTED"
    assert found["credentials"]["weights_sha256"] == found["label"]["weights_sha256"] == LABEL.weights_sha256
    assert found["credentials"]["seed"] == found["registry"]["seed"] == 7
    assert found["credentials"]["identifier"].endswith(found["label"]["identifier"].removeprefix("urn:uuid:"))
    assert found["registry"]["kind"] == "file"
    assert not found["conflicts"]
    assert not found["notes"]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_the_watermark_is_found_and_names_the_weights(tmp_path, name):
    write_image(photo(), tmp_path / name, LABEL)
    mark = verified(tmp_path / name)["watermark"]
    assert mark["found"]
    assert mark["weights"] == LABEL.weights_sha256[: watermark.PAYLOAD_BITS // 4]


def test_another_user_sees_an_unknown_signer_and_no_watermark(tmp_path, stranger):
    write_image(photo(), tmp_path / "a.png", LABEL)
    stranger()
    found = verified(tmp_path / "a.png")
    assert found["conclusion"] == "SIGNED_UNKNOWN"
    assert "could be anyone" in found["sentence"]
    assert found["watermark"] is None
    assert found["registry"] is None


def test_a_root_certificate_makes_another_users_files_trusted(tmp_path, stranger):
    write_image(photo(), tmp_path / "a.png", LABEL)
    (tmp_path / "root.pem").write_bytes(identity.identity().root)
    stranger()
    assert elegan.verify(tmp_path / "a.png", trust=tmp_path / "root.pem")["conclusion"] == "SIGNED_TRUSTED"


def test_a_saved_copy_loses_its_credentials_and_keeps_the_other_layers(tmp_path):
    write_image(photo(), tmp_path / "a.png", LABEL)
    Image.open(tmp_path / "a.png").convert("RGB").save(tmp_path / "b.jpg", quality=80)
    found = verified(tmp_path / "b.jpg")
    assert found["conclusion"] == "WATERMARK"
    assert found["credentials"] is None
    assert found["label"] is None


def test_a_stripped_tiny_picture_is_found_in_the_registry(tmp_path):
    write_image(tiny(), tmp_path / "a.png", LABEL)
    Image.fromarray(np.asarray(Image.open(tmp_path / "a.png"))).save(tmp_path / "b.png")
    found = verified(tmp_path / "b.png")
    assert (found["conclusion"], found["registry"]["kind"], found["registry"]["seed"]) == ("REGISTRY", "pixels", 7)


def test_a_stripped_tiny_picture_is_not_found_once_it_is_forgotten(tmp_path):
    write_image(tiny(), tmp_path / "a.png", LABEL)
    Image.fromarray(np.asarray(Image.open(tmp_path / "a.png"))).save(tmp_path / "b.png")
    registry.forget(everything=True)
    assert verified(tmp_path / "b.png")["conclusion"] == "NO_EVIDENCE"


def test_an_unsigned_label_is_said_to_be_unsigned(tmp_path, monkeypatch):
    monkeypatch.setattr(credentials, "_library", missing)
    sealed = write_image(tiny(), tmp_path / "a.png", LABEL)
    assert sealed.layers == ("label", "registry")
    assert "isn't signed" in sealed.missing[0]
    assert "elegan[provenance]" in sealed.missing[0]
    monkeypatch.undo()
    monkeypatch.setenv("ELEGAN_HOME", str(tmp_path / "other"))
    found = verified(tmp_path / "a.png")
    assert found["conclusion"] == "LABEL"
    assert "anyone could have written it" in found["sentence"]


def missing():
    raise UserError("Content Credentials need the package c2pa-python; pip install 'elegan[provenance]'.")


def test_no_evidence_does_not_mean_real(tmp_path):
    photo().save(tmp_path / "photo.png")
    found = verified(tmp_path / "photo.png")
    assert found["conclusion"] == "NO_EVIDENCE"
    assert "doesn't mean that it is real" in found["sentence"]


def test_a_changed_file_is_tampered_with(tmp_path):
    write_image(photo(), tmp_path / "a.png", LABEL)
    content = bytearray((tmp_path / "a.png").read_bytes())
    place = content.index(b"CreatorTool") + 20
    content[place] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    assert verified(tmp_path / "a.png")["conclusion"] == "TAMPERED"


def test_a_stranger_who_strips_and_signs_again_is_in_conflict_with_the_watermark(tmp_path, stranger, monkeypatch):
    write_image(photo(), tmp_path / "a.png", LABEL)
    home = tmp_path / "home"
    pixels = Image.open(tmp_path / "a.png")
    stranger()
    for kind in (CAMERA, TRAINED):
        write_image(pixels, tmp_path / "b.png", replace(LABEL, generator="camera 1 x", digital_source_type=kind))
        stranger("home")
        found = verified(tmp_path / "b.png")
        assert found["conclusion"] == "CONFLICT"
        assert found["credentials"]["state"] == "valid"
        stranger()
    assert home.exists()


def test_labels_that_contradict_each_other_are_a_conflict(tmp_path, monkeypatch):
    """The signature says one kind of making, the label in the same file another."""
    content = tmp_path / "a.png"
    write_image(tiny(), content, LABEL)
    label = replace(LABEL, digital_source_type=COMPOSITE)
    monkeypatch.setattr(credentials, "definition", lambda said, parents=(): definition(label, parents))
    write_image(tiny(), content, LABEL)
    assert verified(content)["conclusion"] == "CONFLICT"


definition = credentials.definition


def test_arrays_and_other_files_are_signed_beside_themselves(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, np.zeros((3, 8, 8, 1), np.uint8), LABEL)
    assert path.with_name(path.name + SIDECAR).exists()
    assert verified(path)["conclusion"] == "SIGNED_TRUSTED"
    path.write_bytes(path.read_bytes() + b"\0")
    assert verified(path)["conclusion"] == "TAMPERED"


def test_a_folder_of_tiny_pictures_shares_one_signature(tmp_path):
    images = [(f"{index}.png", np.asarray(tiny(index))[..., None]) for index in range(5)]
    sealed = write_folder(tmp_path / "many", images, LABEL)
    assert set(sealed.layers) == {"label", "credentials", "registry"}
    done = elegan.verify(tmp_path / "many")
    assert len(done["files"]) == 6
    assert {one["conclusion"] for one in done["files"]} == {"SIGNED_TRUSTED"}
    assert done["files"][0]["credentials"]["in"] == "contents.json"
    tiny(9).save(tmp_path / "many" / "3.png")
    assert elegan.verify(tmp_path / "many")["conclusion"] == "TAMPERED"


def test_an_archive_has_one_signature_over_all_its_files(tmp_path):
    images = [(f"{index}.png", np.asarray(tiny(index))[..., None]) for index in range(5)]
    path = tmp_path / "many.zip"
    write_archive(path, images, LABEL, {"labels.csv": b"file,label"})
    assert verified(path)["conclusion"] == "SIGNED_TRUSTED"
    with zipfile.ZipFile(path) as archive:
        assert sorted(set(archive.namelist()))[:5] == [name for name, _ in images]
        archive.extract("3.png", tmp_path)
    assert verified(tmp_path / "3.png")["registry"]["kind"] == "pixels"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("another.png", b"x")
    assert verified(path)["conclusion"] == "TAMPERED"


def test_what_a_translation_was_made_from_is_named(tmp_path):
    photo().save(tmp_path / "in.png")
    parent = Parent((tmp_path / "in.png").read_bytes(), "image/png", "in.png")
    write_image(photo(), tmp_path / "out.png", replace(LABEL, digital_source_type=COMPOSITE), parents=[parent])
    found = verified(tmp_path / "out.png")
    assert found["conclusion"] == "SIGNED_TRUSTED"
    assert [parent["title"] for parent in found["credentials"]["parents"]] == ["in.png"]
    assert found["credentials"]["says"] == "compositeWithTrainedAlgorithmicMedia"


def test_the_command_says_each_layer_and_ends_with_the_status(tmp_path, capsys, stranger):
    write_image(photo(), tmp_path / "a.png", LABEL)
    assert main(["verify", str(tmp_path / "a.png")]) == 0
    said = capsys.readouterr().out
    assert "trusted, in the file" in said
    assert "SIGNED_TRUSTED" in said
    assert "seed 7" in said
    stranger()
    assert main(["verify", str(tmp_path / "a.png"), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["files"][0]["conclusion"] == "SIGNED_UNKNOWN"


def test_the_gravest_of_several_files_tells_the_status(tmp_path, capsys):
    write_image(photo(), tmp_path / "a.png", LABEL)
    photo().rotate(180).save(tmp_path / "b.png")
    (tmp_path / "[red].txt").write_text("no media")
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "a.png" in said
    assert "b.png" in said


@pytest.mark.parametrize(("words", "sentence"), [
    ([], "No file is named"), (["missing.png"], "missing.png doesn't exist"),
    (["here.txt", "--trust", "no.pem"], "--trust \"no.pem\" can't be read"),
    (["here.txt", "--trust", "here.txt"], "certificate"),
])  # fmt: skip
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").write_text("text")
    assert main(["verify", *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_damaged_picture_is_looked_at_as_far_as_it_goes(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 50)
    found = verified(tmp_path / "a.png")
    assert found["conclusion"] == "NO_EVIDENCE"
    assert found["notes"]


HOSTILE = {
    "a.npz": b"\x93NUMPY\x01\x00F\x00{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}" + b" " * 20 + b"\nabc",
    "deep.json": b"[" * 100_000, "deep.html": b'<meta name="provenance" content="' + b"[" * 100_000 + b'">',
    "a.gif": b"GIF89a" + b"\xff" * 40, "a.webp": b"RIFF\x10\x00\x00\x00WEBPVP8L", "a.mp4": b"\x00" * 64,
    "a.safetensors": b"\xff" * 64, "a.onnx": b"\xff" * 64, "a.zip": b"PK\x03\x04" + b"x" * 40, "empty.png": b"",
    "a.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strangers_file_never_stops_verify(tmp_path, name):
    (tmp_path / name).write_bytes(HOSTILE[name])
    assert verified(tmp_path / name)["conclusion"] in ("NO_EVIDENCE", "TAMPERED")


def test_names_are_not_markup_and_strangers_text_is_one_line(tmp_path, capsys):
    for name in ("[/].png", "[red]b.png"):
        write_image(tiny(), tmp_path / name, LABEL)
    assert main(["verify", str(tmp_path)]) == 0
    assert "[/].png" in capsys.readouterr().out
    forged = replace(LABEL, generator="x\nconclusion  SIGNED_TRUSTED: Signed\u202e", run="\x9b2J")
    write_image(tiny(), tmp_path / "c.png", forged)
    assert main(["verify", str(tmp_path / "c.png")]) == 0
    said = capsys.readouterr().out
    assert sum(line.startswith("conclusion") for line in said.splitlines()) == 1
    assert not {"\u202e", "\x9b"} & set(said)


def test_a_file_that_is_missing_from_a_signed_folder_is_noticed(tmp_path):
    images = [(f"{index}.png", np.asarray(tiny(index))[..., None]) for index in range(3)]
    write_folder(tmp_path / "many", images, LABEL)
    (tmp_path / "many" / "1.png").unlink()
    done = elegan.verify(tmp_path / "many")
    assert done["conclusion"] == "CONFLICT"
    assert "missing, 1.png first" in done["files"][-1]["sentence"]


def test_a_strangers_sidecar_does_not_hide_a_broken_signature(tmp_path, stranger):
    write_image(photo(), tmp_path / "a.jpg", LABEL)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    stranger()
    beside = credentials.sidecar((tmp_path / "a.jpg").read_bytes(), LABEL)
    (tmp_path / "a.jpg.c2pa").write_bytes(beside)
    stranger("home")
    assert verified(tmp_path / "a.jpg")["conclusion"] == "TAMPERED"


def test_each_picture_of_arrays_is_looked_up(tmp_path):
    pictures = np.stack([np.asarray(tiny(index))[..., None] for index in range(3)])
    write_arrays(tmp_path / "a.npz", pictures, LABEL)
    np.savez(tmp_path / "stripped.npz", images=pictures[1:])
    found = verified(tmp_path / "stripped.npz")
    assert (found["conclusion"], found["registry"]["kind"]) == ("REGISTRY", "pixels")


def test_what_is_no_ordinary_file_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.png")
    assert "no ordinary file" in elegan.verify(tmp_path / "pipe.png")["files"][0]["error"]


def test_a_layer_that_was_not_looked_at_says_so(tmp_path, capsys, monkeypatch):
    write_image(photo(), tmp_path / "a.png", LABEL)
    monkeypatch.setattr(credentials, "_library", missing)
    assert main(["verify", str(tmp_path / "a.png")]) == 4
    said = capsys.readouterr().out
    assert "credentials not looked for" in said
    assert "Whether it is signed wasn't looked at" in said


def test_the_help_of_a_group_lists_its_commands(capsys):
    assert main(["detect", "--help"]) == 0
    assert "detect train" in capsys.readouterr().out


def test_the_chinese_field_is_in_the_file_once(tmp_path):
    for name in ("a.png", "a.jpg", "a.webp", "a.gif"):
        write_image(tiny(), tmp_path / name, replace(LABEL, profile="cn"))
        content = (tmp_path / name).read_bytes()
        assert content.count(b"TC260:AIGC=") == 1
        assert b'"Label":"1"' in content
        assert b'"ContentProducer":"elegan-0.1.0-r3gan"' in content


def test_a_visible_label_is_in_the_picture(tmp_path):
    write_image(photo(), tmp_path / "plain.png", LABEL)
    write_image(photo(), tmp_path / "said.png", replace(LABEL, visible=True))
    plain, said = (np.asarray(Image.open(tmp_path / name), np.float32) for name in ("plain.png", "said.png"))
    changed = np.abs(plain - said).max(2) > 40
    assert changed[-20:, :60].mean() > 0.1
    assert changed[:90].mean() < 0.01


def test_the_network_is_never_asked(tmp_path, monkeypatch):
    import socket

    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    write_image(photo(), tmp_path / "a.png", LABEL)
    assert verified(tmp_path / "a.png")["conclusion"] == "SIGNED_TRUSTED"
    assert watermark.key()
