"""The terms of data are found where people write them, and what forbids derivatives isn't missed."""

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from elegan.data import open_data
from elegan.data.found import UNKNOWN_LICENCE
from elegan.data.licence import identified, is_unknown, restriction, spdx


def picture(number):
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Thirty images that no terms lie with."""
    path = tmp_path / "set"
    path.mkdir()
    for number in range(30):
        (path / f"{number}.png").write_bytes(picture(number))
    return path


@pytest.mark.parametrize(("text", "identifier"), [
    ("CC BY 4.0 (UCI Machine Learning Repository)", "CC-BY-4.0"),
    ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
    ("Attribution-NonCommercial-NoDerivatives 4.0 International", "CC-BY-NC-ND-4.0"),
    ("see https://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
    ("CC0 1.0 Universal", "CC0-1.0"),
    ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
    ("MIT License\n\nCopyright (c)", "MIT"),
    ("mit", "MIT"),
    ("gpl-3.0", "GPL-3.0"),
    ("CC BY", None),
    ("MIT License for the code, CC BY 4.0 for the images", None),
    ("made from the seed; free of rights", None),
    (UNKNOWN_LICENCE, None),
])  # fmt: skip
def test_a_licence_has_one_identifier_or_none(text, identifier):
    assert spdx(text) == identifier


def test_several_licences_are_all_named():
    assert identified("MIT License for the code, CC BY 4.0 for the images") == "CC-BY-4.0 and MIT"


@pytest.mark.parametrize("text", [
    "CC BY-ND 4.0", "cc-by-nc-nd-2.0", "Attribution-NoDerivs", "No Derivative Works", "no derivatives allowed",
    "https://creativecommons.org/licenses/by-nd/4.0/legalcode",
    "The pictures may not be used to\n train neural networks.", "must not be used for AI training",
    "These images are not to be used for machine learning training.", "You may not modify the photographs.",
    "You shall not create any derivative works.", "noai, noimageai", "tdm-reservation: 1", "No AI training.",
])  # fmt: skip
def test_what_forbids_derivatives_is_quoted(text):
    assert restriction("LICENSE", text).startswith('LICENSE says "')


@pytest.mark.parametrize("text", [
    "CC BY-SA 4.0", "MIT License", "You may not use this file except in compliance with the License.",
    "a program that contains no derivative of any portion of the Library", "You may not modify this licence.",
    "The contents of the NOTICE file do not modify the License.", "Do not use the test images for training.",
    "There is no AI here.", "The network is not trained yet.", "Please don't modify the folders.",
])  # fmt: skip
def test_what_forbids_nothing_is_left_alone(text):
    assert restriction("LICENSE", text) == ""


@pytest.mark.parametrize(("licence", "unknown"), [
    (UNKNOWN_LICENCE, True), ("unknown: read LICENSE", True), ("other", True), ("", True), ("MIT", False),
])  # fmt: skip
def test_whether_anybody_knows(licence, unknown):
    assert is_unknown(licence) is unknown


def test_without_terms_the_licence_stays_unknown(folder):
    data = open_data(str(folder))
    assert (data.licence, data.restriction) == (UNKNOWN_LICENCE, "")
    assert "restriction" not in data.describe()


@pytest.mark.parametrize(("name", "content", "licence"), [
    ("LICENSE", "MIT License", "MIT"),
    ("LICENCE.txt", "Creative Commons Attribution 4.0 International", "CC-BY-4.0"),
    ("COPYING", "GNU GENERAL PUBLIC LICENSE Version 3", "GPL-3.0"),
    ("LICENSE", "Ask my aunt.", "unknown: read LICENSE"),
    ("README.md", "---\nlicense: cc-by-4.0\n---\n# Shells", "CC-BY-4.0"),
    ("README.md", "---\nlicense: openrail\n---\n# Shells", "openrail"),
    ("README.md", "Shells from a beach.", UNKNOWN_LICENCE),
    ("metadata.json", json.dumps({"license": "https://creativecommons.org/licenses/by/4.0/"}), "CC-BY-4.0"),
    ("info.json", json.dumps({"licenses": [{"id": 1, "name": "Attribution 2.0"}]}), "CC-BY-2.0"),
])  # fmt: skip
def test_terms_in_a_folder_are_found(folder, name, content, licence):
    (folder / name).write_text(content)
    data = open_data(str(folder))
    assert data.licence == data.describe()["licence"] == licence
    assert data.restriction == ""


def test_terms_that_forbid_derivatives_are_in_the_record(folder):
    (folder / "LICENSE").write_text("Attribution-NoDerivatives 4.0 International")
    described = open_data(str(folder)).describe()
    assert described["licence"] == "CC-BY-ND-4.0"
    assert described["restriction"] == 'LICENSE says "NoDerivatives"'
    assert described["notes"][-1] == 'The data\'s terms forbid derivatives: LICENSE says "NoDerivatives".'


def test_a_readme_can_forbid_what_the_licence_allows(folder):
    (folder / "LICENSE").write_text("CC BY 4.0")
    (folder / "README").write_text("The images may not be used to train generators.")
    data = open_data(str(folder))
    assert data.licence == "CC-BY-4.0"
    assert data.restriction == 'README says "may not be used to train"'


def test_captions_are_no_terms_and_long_files_are_no_readmes(folder):
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "0.txt").write_text("a sign that says noai")
    (folder / "a" / "b" / "LICENSE").write_text("CC BY-ND 4.0")
    (folder / "dump.json").write_text(" " * 2**18 + "noai")
    assert open_data(str(folder)).restriction == ""


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_terms_in_an_archive_are_found(tmp_path, kind):
    path, files = tmp_path / f"a.{kind}", {f"set/{i}.png": picture(i) for i in range(24)}
    files["set/LICENSE.md"] = b"CC BY-NC-ND 4.0"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    data = open_data(str(path))
    assert (data.licence, data.restriction) == ("CC-BY-NC-ND-4.0", 'set/LICENSE.md says "CC BY-NC-ND 4.0"')


def test_terms_beside_a_file_are_found_but_not_those_of_a_program(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    np.savez(tmp_path / "shells.npz", images=images)
    (tmp_path / "LICENSE").write_text("CC BY-ND 4.0")
    data = open_data(str(tmp_path / "shells.npz"))
    assert (data.licence, data.restriction) == ("CC-BY-ND-4.0", 'LICENSE says "CC BY-ND 4.0"')
    (tmp_path / "pyproject.toml").touch()
    assert open_data(str(tmp_path / "shells.npz")).licence == UNKNOWN_LICENCE


def test_terms_above_a_folder_of_a_part_are_found(folder):
    part = folder.rename(folder.with_name("train"))
    (part.parent / "LICENSE").write_text("CC BY 4.0")
    assert open_data(str(part)).licence == "CC-BY-4.0"
    other = part.rename(part.with_name("shells"))
    assert open_data(str(other)).licence == UNKNOWN_LICENCE


def test_both_sides_of_a_translation_have_the_terms(folder):
    for side in ("trainA", "trainB"):
        (folder / side).mkdir()
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        path.rename(folder / ("trainA" if number == 0 else "trainB") / path.name)
    for number in range(100, 130):
        (folder / "trainA" / f"{number}.png").write_bytes(picture(number))
    (folder / "LICENSE").write_text("CC BY-ND 4.0")
    data = open_data(str(folder))
    assert data.sources is not None
    assert (data.licence, data.restriction) == ("CC-BY-ND-4.0", 'LICENSE says "CC BY-ND 4.0"')
