"""The written report: whole, offline, safe and the same when read back."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from elegan.errors import UserError
from elegan.evaluation.estimate import Estimate
from elegan.evaluation.report import pairs_picture, write_report

HOSTILE = '<script>alert("1")</script>'


def figure(value, **kwargs):
    return Estimate(value, value - 0.1, value + 0.1, 300, 0.01, -0.02, 0.03).figure(**kwargs)


def report():
    row = {
        "name": HOSTILE,
        "requested": 30,
        "recognised": 29,
        "share": figure(0.1),
        "agreement": figure(0.9),
        "spread": figure(1.0),
    }
    return {
        "verdict": "MISSING_MODE",
        "sentence": {"en": f"A part is missing: {HOSTILE}.", "ko": "빠져 있습니다."},
        "findings": [{"code": "MISSING_MODE", "names": [HOSTILE], "advice": "Train longer & more."}],
        "features": {"name": "features-64-1a2b3c4d", "accuracy": float("nan")},
        "sizes": {"samples": 300},
        "fidelity": {"kernel_distance": figure(0.03), "frechet_distance": figure(2.5), "coverage": figure(0.9)},
        "classes": {"table": [row], "agreement": figure(0.9)},
        "memorisation": {"both": figure(0.0), "pairs": [{"sample": 3, "train": 17}]},
        "run": {"model": "r3gan", "data": {"name": "digits"}, "config": {"lr": 2e-4, "betas": (0.0, 0.99)}},
    }  # fmt: skip


def log():
    look = {"kernel_distance": figure(0.3), "coverage": figure(0.5), "word": "first look"}
    lines = [
        {
            "images": 1000 * i,
            "terms": {"discriminator/pair": 1 / i, "discriminator/gradient": 777.0, "generator/pair": 2.0},
            "look": look,
        }
        for i in (1, 2, 3)
    ]
    lines.append({"images": 4000, "terms": {"discriminator/pair": "NaN"}, "look": {}})
    return lines


def pictures():
    samples = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype(np.uint8)
    pairs = pairs_picture(samples, samples, [{"sample": 0, "train": 2}, {"sample": 1, "train": 3}])
    return {"samples": Image.new("L", (32, 32)), "real": Image.new("RGB", (32, 32)), "pairs": pairs}


@pytest.fixture
def written(tmp_path):
    write_report(tmp_path, report(), log(), pictures())
    return tmp_path


class Tags(HTMLParser):
    """Every tag with its attributes, and whether each is closed."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_read_back_as_it_was_judged(written):
    back = json.loads((written / "report.json").read_text(encoding="utf-8"))
    expected = report()
    expected["features"]["accuracy"] = "NaN"
    expected["run"]["config"]["betas"] = [0.0, 0.99]
    assert back == expected


def test_the_page_needs_nothing_from_anywhere(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|//[a-z]+\.", text)
    tags = Tags(text).found
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,"))


def test_the_page_is_well_formed_and_its_references_lead_somewhere(written):
    parsed = Tags((written / "report.html").read_text(encoding="utf-8"))
    assert parsed.open == []
    names = [attributes["id"] for _, attributes in parsed.found if "id" in attributes]
    assert len(names) == len(set(names))
    for _, attributes in parsed.found:
        wanted = [attributes.get("href", "#")[1:], *re.findall(r"url\(#(\w+)\)", attributes.get("clip-path", ""))]
        assert set(filter(None, wanted)) <= set(names)


def test_a_hostile_class_name_is_text(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in text
    assert "Train longer &amp; more." in text


def test_the_verdict_comes_first_in_both_languages_and_the_rest_follows(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    places = [text.index(part) for part in (
        "<h1>MISSING_MODE</h1>", "A part is missing", "빠져 있습니다", "Samples beside real data", "the referee saw",
        "Losses", "Figures", "Classes", "Closest pairs", "How it was made",
    )]  # fmt: skip
    assert places == sorted(places)


def test_the_frechet_distance_is_named_after_its_features_and_never_fid(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "FD-features-64-1a2b3c4d" in text
    assert "FID" not in re.sub(r"base64,[^\"]*", "", text)


def test_every_term_is_drawn_and_norms_of_gradients_are_not(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "real against real" in text
    assert ">pair</text>" in text
    assert ">gradient</text>" not in text
    assert "currentColor" in text


def test_the_facts_of_the_run_are_listed_by_dotted_name(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "run.config.lr" in text
    assert "0.0, 0.99" in text


def test_the_same_report_is_written_the_same(tmp_path):
    for name in ("a", "b"):
        write_report(tmp_path / name, report(), log(), pictures())
    assert (tmp_path / "a" / "report.html").read_bytes() == (tmp_path / "b" / "report.html").read_bytes()


def test_an_early_report_with_next_to_nothing_in_it_is_written(tmp_path):
    write_report(tmp_path, {"verdict": "DIVERGED", "sentence": {"en": "a", "ko": "b"}, "findings": []}, [], {})
    assert "<h1>DIVERGED</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    write_report(tmp_path, {"verdict": "BUDGET"}, log()[:1], {})
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg") == 2


def test_nothing_half_written_is_left_and_a_bad_folder_is_refused(written):
    assert sorted(path.name for path in written.iterdir()) == ["report.html", "report.json"]
    with pytest.raises(UserError, match="can't be written into"):
        write_report(written / "report.json", report(), [], {})
