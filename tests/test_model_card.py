"""The model card: the hub can read its head whatever a name holds, and a person finds what has to be known."""

import json
import re
from pathlib import Path

import pytest
from test_models import SMALL

from elegan.data import open_data
from elegan.models import MODELS, find
from elegan.verbs.card import card, prose
from elegan.verbs.front_matter import front_matter, scalar
from elegan.verbs.plan import make_plan

try:
    import yaml
except ImportError:
    yaml = None

DATA = {
    "pix2pix": {"data": "digits", "pair": "edges"},
    "cyclegan": {"data": "digits-styles"},
    "cut": {"data": "digits-styles"},
}
TASKS = {
    "sgan": "image-classification",
    "pix2pix": "image-to-image",
    "cyclegan": "image-to-image",
    "cut": "image-to-image",
}
NAMES = [
    "digits", 'a "quoted" name', "it's", "a: b", "- dash", "# hash", "yes", "null", "{a: b}", "[x]", "two\nlines",
    "tab\there", "back\\slash", "|", "> folded", "%", "@at", "&anchor", "고양이", "🐈", "line\u2028separator",
    "\x85next", "\ufeffmark", "null\x00", "--- dashes", "",
]  # fmt: skip
FIGURE = {
    "value": 0.5, "interval": [0.4, 0.6], "null": 0.01, "null_interval": [0.0, 0.02], "n": 300, "features": "some-64",
}  # fmt: skip
MEASURES = ("kernel_distance", "frechet_distance", "precision", "recall", "coverage")


def parsed(text):
    """What a reader of YAML finds at the head of a card: nested mappings and lists of JSON's scalars."""
    lines = text.split("---\n")[1].splitlines()
    value, rest = block(lines, 0)
    assert not rest
    return value


def block(lines, indent):
    """The value that lines of this indentation or more make, and the lines after it."""
    many = lines[0][indent:].startswith("- ")
    made = [] if many else {}
    while lines and re.match(f" {{{indent}}}[^ ]", lines[0]) and lines[0][indent:].startswith("- ") == many:
        line = lines[0][indent:]
        if many:
            if re.match(r'- ["\d-]', line):
                made.append(json.loads(line[2:]))
                lines = lines[1:]
            else:
                entry, lines = block([" " * (indent + 2) + line[2:], *lines[1:]], indent + 2)
                made.append(entry)
            continue
        key, _, rest = line.partition(":")
        if rest:
            made[key], lines = json.loads(rest), lines[1:]
        else:
            made[key], lines = block(lines[1:], indent + 2)
    return made, lines


def head(text):
    """The fields, as a full reader of YAML finds them where there is one, and as the small one here does."""
    found = parsed(text)
    if yaml is not None:
        assert yaml.safe_load(text.split("---\n")[1]) == found
    return found


def parts(model="gan", **settings):
    """run.json, generator.json and report.json of a run of this model that has just been judged."""
    asked = {"data": "digits", "size": 8, **DATA.get(model, {}), **SMALL[model], **settings}
    plan = make_plan(model, images=64, **asked)
    record = json.loads(json.dumps(plan.record(plan.budget())))
    described = {
        "classes": list(plan.data.spec.classes), "conditional": plan.conditional, "images": 64, "sha256": "ab" * 32,
    }  # fmt: skip
    report = {
        "verdict": "PLATEAU", "sentence": {"en": "It stopped.", "ko": "정체되었습니다."},
        "fidelity": {measure: dict(FIGURE) for measure in MEASURES}, "memorisation": {"both": dict(FIGURE)},
    }  # fmt: skip
    return record, described, report


@pytest.fixture(scope="module")
def gan():
    """None may change it."""
    return parts()


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_back_from_the_head(gan, name):
    record, described, report = gan
    record = {**record, "data": {**record["data"], "name": name, "licence": f"unknown {name}"}}
    found = head(card(name, record, described, report))
    assert found["model-index"][0]["name"] == name
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == name
    assert found["license_name"] == f"unknown {name}"


def test_half_a_character_of_a_file_name_is_replaced():
    assert json.loads(scalar("a\udcff")) == "a?"
    card_text = prose("a\udcff")
    assert card_text.encode() == b"a?"


@pytest.mark.parametrize("number", [0, -3, 0.5, 1e-05, -2.5e-7, 4.85e44, 1e300, 12345678.9])
def test_a_number_stays_a_number(number):
    text = front_matter({"value": number})
    assert head(text) == {"value": number}


def test_what_is_empty_is_left_out():
    assert head(front_matter({"a": None, "b": [], "c": "", "d": [{"e": 1, "f": ["x", "y"]}]})) == {
        "c": "", "d": [{"e": 1, "f": ["x", "y"]}],
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_card_that_the_hub_reads(model):
    text = card("run", *parts(model))
    found = head(text)
    assert found["library_name"] == "elegan"
    assert found["pipeline_tag"] == TASKS.get(model, "unconditional-image-generation")
    assert {"gan", model, "ai-generated"} == set(found["tags"])
    assert len(found["tags"]) == len(set(found["tags"]))
    assert ("elegan apply run" if find(model).translations else "elegan sample run") in text
    assert MODELS[model].arxiv in text
    assert "{" not in text.split("## Use it")[0].split("---\n")[2]


def test_points_have_no_task_of_the_hub():
    found = head(card("run", *parts("gan", data="ring", size=None)))
    assert "pipeline_tag" not in found
    assert found["model-index"][0]["results"][0]["task"] == {"type": "other"}


@pytest.mark.parametrize(("licence", "fields"), [
    ("CC BY 4.0 (UCI Machine Learning Repository)", {"license": "cc-by-4.0"}),
    ("mit", {"license": "mit"}),
    ("unknown: yours to check", {"license": "other", "license_name": "unknown: yours to check"}),
    ("free of rights", {"license": "other", "license_name": "free of rights"}),
])  # fmt: skip
def test_the_licence_of_the_data_is_carried_along(gan, licence, fields):
    record, described, report = gan
    record = {**record, "data": {**record["data"], "licence": licence}}
    text = card("run", record, described, report)
    assert {key: value for key, value in head(text).items() if key.startswith("license")} == fields
    assert f"| licence | {licence} |" in text
    link = head(card("run", record, described, report, exported=True)).get("license_link")
    assert link == ("LICENSE" if "license_name" in fields else None)


@pytest.mark.parametrize(("data", "expected"), [
    ("hf:ylecun/mnist:train", ["ylecun/mnist"]), ("hf-stream:a/b", ["a/b"]), ("/home/somebody/photos", None),
])  # fmt: skip
def test_only_data_of_the_hub_are_linked(gan, data, expected):
    record, described, report = gan
    record = {**record, "asked": {**record["asked"], "data": data}}
    found = head(card("run", record, described, report))
    assert found.get("datasets") == expected
    assert found["model-index"][0]["results"][0]["dataset"]["type"] == (expected or ["digits"])[0]


def test_the_referees_figures_are_indexed_with_n_and_null(gan):
    (result,) = head(card("run", *gan))["model-index"][0]["results"]
    assert [metric["type"] for metric in result["metrics"]] == ["kid", "fd", "coverage", "precision"]
    assert result["metrics"][0] == {
        "type": "kid", "value": 0.5,
        "name": "KID (n = 300; real against real 0.01 [0, 0.02]; features some-64)",
    }  # fmt: skip


def test_what_could_not_be_measured_is_not_indexed(gan):
    record, described, report = gan
    fidelity = {**report["fidelity"], "kernel_distance": {**FIGURE, "value": "NaN"}}
    text = card("run", record, described, {**report, "fidelity": fidelity})
    assert "kid" not in [one["type"] for one in head(text)["model-index"][0]["results"][0]["metrics"]]
    nothing = {name: value for name, value in report.items() if name not in ("fidelity", "memorisation")}
    text = card("run", record, described, nothing)
    assert "model-index" not in head(text)
    assert "Nothing could be measured." in text


def test_a_classifiers_accuracy_has_a_place(gan):
    record, described, report = gan
    accuracy = {**FIGURE, "value": 0.9, "null": "NaN", "null_interval": ["NaN", "NaN"], "features": None}
    text = card("run", record, described, {**report, "classifier": {"accuracy": accuracy}})
    metric = head(text)["model-index"][0]["results"][0]["metrics"][-1]
    assert metric == {"type": "accuracy", "value": 0.9, "name": "accuracy (n = 300)"}
    assert "| accuracy of its classifier on test data | 90 % [40, 60] | – | 300 |" in text


def test_a_person_finds_what_has_to_be_known(gan):
    record, described, report = gan
    text = card("run", record, described, report)
    assert "![samples](contact.png)" in text
    assert "It stopped.\n\n정체되었습니다." in text
    assert "**PLATEAU**" in text
    assert described["sha256"] in text
    assert open_data("digits", size=8).fingerprint in text
    assert "| KID | 0.5 [0.4, 0.6] | 0.01 [0, 0.02] | 300 |" in text
    assert json.dumps(record["config"], indent=1) in text
    assert f"torch {record['machine']['torch']}" in text
    assert "64 images shown, seed 0" in text
    assert "which doesn't mean no" in text
    page = re.search(r"`(docs/acceptable-use\.md)`", text)[1]
    assert (Path(__file__).parents[1] / page).is_file()


def test_people_in_the_data_are_said(gan):
    record, described, report = gan
    record = {**record, "asked": {**record["asked"], "depicts_people": True}}
    text = card("run", record, described, report)
    assert "| shows people | yes |" in text
    assert "for people to read" in text
    assert "depicts-people" in head(text)["tags"]
    assert "for people to read" not in card("run", *gan)


def test_what_forbids_derivatives_is_said(gan):
    record, described, report = gan
    record = {**record, "data": {**record["data"], "restriction": 'LICENSE says "NoDerivatives"'}}
    assert '| derivatives | its terms forbid them: LICENSE says "NoDerivatives" |' in card(
        "run", record, described, report
    )


def test_names_stay_within_their_place(gan):
    record, described, report = gan
    record = {**record, "data": {**record["data"], "source": "a | b\n\n# c <script>", "classes": ["x|y"]}}
    text = card("a\n# b", record, described, report)
    assert "| source | a \\| b # c &lt;script&gt; |" in text
    assert "| classes | x\\|y |" in text
    assert "\n# a # b\n" in text
