"""The written report: whole, offline, safe and the same when read back."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from elegan.errors import UserError
from elegan.evaluation.advice import ADVICE, ADVICE_KO, STEPS, advised, knows_by_heart
from elegan.evaluation.comparison import compare_reports, paired_differences
from elegan.evaluation.estimate import Estimate
from elegan.evaluation.labels import HIGHER, LABELS, LOWER, READING, label
from elegan.evaluation.report import ghosts_picture, pairs_picture, write_comparison, write_report
from elegan.evaluation.report.measures import name_of
from elegan.evaluation.verdict import ORDER
from elegan.evaluation.wording import HEADINGS, OPENINGS, opening_of, sentence, short, went_back
from elegan.verbs.card import card

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
        "A part of the data is missing: &lt;script", ">MISSING_MODE<", "빠져 있습니다", "What to try next",
        "<h2>Samples beside real data", "<h2>Figures", "<h2>Classes", "<h2>Nearest training data",
        "<h2>What the referee saw", "<h2>Losses", "<h2>How it was made",
    )]  # fmt: skip
    assert places == sorted(places)


def test_the_frechet_distance_is_named_after_its_features_and_never_fid(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "FD-features-64-1a2b3c4d" in text
    assert "FID" not in re.sub(r"base64,[^\"]*", "", text)


def test_every_term_is_drawn_and_norms_of_gradients_are_not(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert text.count("<text") > 2
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
    early = {"verdict": "DIVERGED", "sentence": {"en": "a", "ko": "b"}, "findings": []}
    text = page_of(tmp_path, early)
    assert ">DIVERGED</code>" in text
    assert "<h2>" not in text
    assert "<h2>Losses" in page_of(tmp_path, {"verdict": "BUDGET"}, log()[:1])


def test_nothing_half_written_is_left_and_a_bad_folder_is_refused(written):
    assert sorted(path.name for path in written.iterdir()) == ["report.html", "report.json"]
    with pytest.raises(UserError, match="can't be written into"):
        write_report(written / "report.json", report(), [], {})


def page_of(folder, content, lines=(), shown=None, albums=None):
    write_report(folder, content, lines, shown or {}, albums)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert Tags(text).open == []
    return text


def full_report():
    """Every section that a report can have."""
    share = figure(0.02)
    bins = [
        {"name": f"bin {i}", "share": share, "balance": word, "example": i}
        for i, word in enumerate(("fair", "missing", "scarce", "overdone"))
    ]
    probe = {**figure(0.9), "label": "What both could still gain", "reading": "A lower bound of the gap."}
    return report() | {
        "two_sample": {"features": {"accuracy": figure(0.7)}, "pixels": {"accuracy": figure(0.8)},
                       "evidence": figure(30.0)},
        "support": {"outside": figure(0.2), "ghosts": [{"sample": 0, "a": 1, "b": 2}]},
        "bins": {"total": 4, "table": bins, "missing": ["bin 1"], "scarce": ["bin 2"], "overdone": ["bin 3"]},
        "baseline": {"kernel_distance": figure(7.0)},
        "fidelity_second": {"kernel_distance": figure(0.05)},
        "equilibrium": {"duality_gap": probe},
    }  # fmt: skip


def believing(lines):
    counts = {"real": [0, 1, 9], "fake": [9, 1, 0], "validation": [1, 2, 7]}
    belief = {"edges": [0.0, 0.3, 0.6, 1.0], **counts, "accuracy": 0.9, "accuracy_train": 0.95}
    return [{**line, "look": {**line["look"], "belief": belief}} for line in lines]


def test_every_section_is_shown_and_says_how_to_read_it(tmp_path):
    samples = np.zeros((4, 8, 8, 1), np.uint8)
    shown = pictures() | {"ghosts": ghosts_picture(samples, samples, [{"sample": 0, "a": 1, "b": 2}])}
    albums = {"missing": [("bin 1", Image.new("L", (8, 8)))]}
    text = page_of(tmp_path, full_report(), believing(log()), shown, albums)
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles == [
        "What to try next", "Samples beside real data", "Figures", "Classes", "Bins of like items",
        "Ghosts: samples like blends of two", "Nearest training data", "What the referee saw while training",
        "What the discriminator believed", "The game’s equilibrium", "Losses", "How it was made and judged",
    ]  # fmt: skip
    assert text.count("<b>How to read</b>") == len(titles) - 3
    assert "Real examples of what is missing" in text
    assert "A lower bound of the gap." in text


def test_bars_are_marked_by_what_the_judge_calls_them(tmp_path):
    text = page_of(tmp_path, full_report())
    for name, state in (("bin 0", "fair"), ("bin 1", "missing"), ("bin 2", "scarce"), ("bin 3", "overdone")):
        assert f'<div class="bar {state}"><span class="name" title="{name}">' in text


def test_the_baseline_and_the_second_features_have_columns_where_they_are_known(tmp_path):
    text = page_of(tmp_path, full_report())
    assert '<th class="number">PCA + Gaussian</th>' in text
    assert '<th class="number">second features</th>' in text
    assert "PCA + Gaussian" not in page_of(tmp_path, report())


def test_the_first_screen_has_the_deciding_figures_as_gauges_and_fills_up_to_three(tmp_path):
    decided = report()
    decided["findings"] = [
        {"code": "MISSING_MODE", "measure": "share", "section": "classes", "names": ["8"], "figure": 0.0, "null": 0.1,
         "interval": [0.0, 0.01], "null_interval": [0.08, 0.12], "n": 500, "advice": "Wait."},
    ]  # fmt: skip
    text = page_of(tmp_path, decided, shown={"strip": Image.new("L", (96, 8)), "strip_real": Image.new("L", (96, 8))})
    first = text[: text.index("<h2>")]
    assert first.count('<div class="gauge') - first.count('<div class="gauges') == 3
    assert first.index("8: share of the samples") < first.index("Distance from real data")
    assert first.count('<div class="strip"') == 2


def test_beliefs_that_make_no_sense_are_left_out_and_many_are_thinned(tmp_path):
    lines = believing([log()[0]] * 40)
    text = page_of(tmp_path, report(), lines)
    assert text.count('aria-label="beliefs"') == 6
    lines[0]["look"]["belief"] = {"edges": [0, 1], "real": [3, 4], "fake": ["NaN"]}
    assert "believed" not in page_of(tmp_path, report(), lines[:1])


def test_somebody_s_samples_are_named_with_the_data_they_are_beside(tmp_path):
    content = report() | {"judged": {"name": "theirs", "data": {"name": "digits"}}}
    del content["run"]
    assert "theirs beside digits · 300 samples" in page_of(tmp_path, content)


@pytest.mark.parametrize("code", ORDER)
def test_every_verdict_has_words_a_heading_and_steps_in_both_languages(code):
    assert all(OPENINGS[code])
    assert HEADINGS[code]
    assert STEPS[code]
    assert all(english.endswith(".") and korean.endswith(".") for english, korean in STEPS[code])
    assert re.search("[가-힣]", ADVICE_KO[code])
    assert not re.search("[가-힣]", ADVICE[code])


def test_every_measure_has_a_name_in_both_languages_and_one_direction_at_most():
    assert all(english and korean for english, korean in LABELS.values())
    assert set(READING) <= set(LABELS)
    assert not LOWER & HIGHER
    assert set(LOWER | HIGHER) <= set(LABELS)
    assert label("some_new_probe") == "some new probe"


def test_shares_are_said_in_per_cent_and_a_critic_says_what_it_saw():
    finding = {
        "code": "PLATEAU", "measure": "accuracy", "section": "two_sample/pixels", "figure": 0.625, "null": 0.5,
        "interval": [0.6, 0.65], "null_interval": [0.45, 0.55], "names": [],
    }  # fmt: skip
    said = sentence("PLATEAU", [finding], 500)
    assert "accuracy of a fresh critic on pixels 62.5 % [60, 65], real against real 50 % [45, 55]" in said["en"]
    assert "새 판별기의 정확도(픽셀) 62.5 %" in said["ko"]


def test_large_numbers_are_said_in_powers_of_ten():
    assert [short(x) for x in (0.01234, 1234.5, 1.52e16, "NaN")] == ["0.0123", "1234", "1.5e16", "NaN"]


def test_samples_that_can_only_be_told_apart_are_not_called_bad():
    def found(measure, value=0.3):
        return {"code": "LOW_QUALITY", "measure": measure, "figure": value}

    assert opening_of("LOW_QUALITY", [found("kernel_distance"), found("total_variation")]) == "DISTINGUISHABLE"
    assert opening_of("LOW_QUALITY", [found("kernel_distance"), found("total_variation", 0.8)]) == "LOW_QUALITY"
    assert opening_of("LOW_QUALITY", [found("kernel_distance"), found("precision")]) == "LOW_QUALITY"
    assert opening_of("LOW_QUALITY", [found("agreement")]) == "WRONG_CLASS"
    assert opening_of("PLATEAU", [found("kernel_distance")]) == "PLATEAU"


@pytest.mark.parametrize(
    ("features", "called"),
    [
        ({"name": "inception-v3", "dimension": 2048}, "FID"),
        ({"name": "inception-v3", "dimension": 768}, "FD-inception-v3"),
        ({"name": "mine", "dimension": 2048}, "FD-mine"),
    ],
)
def test_only_the_distance_over_inceptions_pool_is_called_fid(features, called):
    assert name_of("frechet_distance", {"features": features}) == called


def test_the_first_step_puts_back_the_settings_that_may_have_caused_it():
    usual = {"lr": 0.0012, "r2": True, "latent": 64, "gamma": 1.0, "batch": 64}
    settings = {**usual, "lr": 0.0096, "r2": False, "new": 1}
    (finding,) = advised([{"code": "COLLAPSED"}], settings=settings, usual=usual)
    assert finding["steps"][0] == "Go back to the model's own settings: --lr 0.0012 (here 0.0096), --r2 (here off)."
    assert "--lr 0.0012(현재 0.0096)" in finding["steps_ko"][0]
    assert finding["steps"][1:] == [english for english, _ in STEPS["COLLAPSED"]]
    assert finding["advice"] == " ".join(finding["steps"])
    (untouched,) = advised([{"code": "COLLAPSED"}], settings=usual, usual=usual)
    assert untouched["steps"] == finding["steps"][1:]
    (fewer,) = advised([{"code": "COLLAPSED"}], settings={"lr": 0.0012}, usual={"lr": 0.0012})
    assert fewer["steps"] == ["Halve the learning rate (--lr)."]  # of what the model has no setting for nothing is said
    for depth, deeper in (("blocks", ", then deeper (--blocks)"), ("depth", ", then deeper (--depth)"), ("latent", "")):
        (small,) = advised([{"code": "PLATEAU"}], settings={"width": 8, depth: 1})
        assert small["steps"][0] == f"Make the networks larger: {'first ' * bool(deeper)}wider (--width){deeper}."
    (copies,) = advised([{"code": "OVERFIT"}], settings=settings, usual=usual)
    assert "lr" not in copies["steps"][0]


def test_what_to_try_follows_the_trend_where_training_only_ended_too_soon():
    first = {
        trend: advised([{"code": "BUDGET"}], settings={"lr": 1e-3, "width": 8}, trend=trend)[0]["steps"][0]
        for trend in ("improving", "level", "worse")
    }
    assert "budget" in first["improving"]
    assert "larger" in first["level"]
    assert "learning rate" in first["worse"]


@pytest.mark.parametrize("code", ORDER)
def test_advice_on_samples_of_an_unknown_generator_names_no_options(code):
    (finding,) = advised([{"code": code}])
    assert len(finding["steps"]) == len(finding["steps_ko"]) == len(STEPS[code])
    assert "--" not in finding["advice"] + finding["advice_ko"]
    assert re.search("[가-힣]", finding["advice_ko"])


WENT_BACK = [
    {"images": 12_800, "to": 6_400, "why": "collapsed", "config": {"lr": 2.5e-4, "gamma": 2.0}},
    {"images": 19_200, "to": 6_400, "why": "diverged", "config": {"lr": 1.25e-4, "gamma": 4.0}},
]


def test_a_training_that_went_back_is_told_on_the_page_and_in_both_languages(tmp_path):
    text = page_of(tmp_path, {**report(), "returns": WENT_BACK})
    assert text.index("Signs of trouble") < text.index(
        "At 12,800 images training collapsed and went back to 6,400, and on from there with lr 0.00025, gamma 2."
    )
    assert "At 19,200 images training diverged and went back to 6,400" in text
    assert "붕괴하여 6,400장으로 되돌아갔습니다" in went_back(WENT_BACK, 1)[0]
    assert "Signs of trouble" not in page_of(tmp_path, {**report(), "returns": []})


def test_a_training_that_went_back_is_advised_to_begin_as_it_ended():
    settings = {"lr": 5e-4, "gamma": 1.0}
    (finding,) = advised([{"code": "BUDGET"}], settings=settings, usual=settings, returns=WENT_BACK)
    assert finding["steps"][0].endswith("begin a new run with them: --lr 0.000125 --gamma 4.")
    assert "--lr 0.000125 --gamma 4" in finding["steps_ko"][0]
    (good,) = advised([{"code": "INDISTINGUISHABLE"}], settings=settings, usual=settings, returns=WENT_BACK)
    assert "--lr" not in good["advice"]


def test_the_model_card_says_that_training_went_back():
    record = {
        "model": "gan", "preset": None, "elegan": "1", "seed": 0, "precision": "float32",
        "data": {"name": "digits", "shape": [8, 8, 1], "train": 1197, "licence": "CC BY 4.0"},
    }  # fmt: skip
    described = {"classes": [], "conditional": False, "images": 25_600}
    text = card("run", record, described, {**report(), "returns": WENT_BACK})
    assert "| went back | At 12,800 images training collapsed and went back to 6,400" in text
    assert "went back" not in card("run", record, described, report())


def test_a_run_that_is_judged_before_its_end_says_so_on_the_first_screen(tmp_path):
    early = {
        "state": "training",
        "images": 640,
        "of": 6400,
        "en": "Still trained & judged.",
        "ko": "아직 학습 중입니다.",
    }
    text = page_of(tmp_path, {**report(), "unfinished": early})
    assert text.index("Still trained &amp; judged.") < text.index('<div class="gauges">')
    assert "학습 중" in text


def clouds(seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(shift, 1.0, (200, 4)) for shift in (0.0, 0.8, 0.0)]


def test_paired_differences_find_the_nearer_cloud_and_none_between_equals():
    near, far, reals = clouds()
    found = paired_differences(near, far, reals)
    assert found["kernel_distance"].high < 0
    assert found["coverage"].low > 0
    same = paired_differences(near, near, reals)
    assert all(estimate.value == estimate.low == estimate.high == 0 for estimate in same.values())


def judged(verdict, **values):
    return {"verdict": verdict, "fidelity": {name: figure(value) for name, value in values.items()}}


def test_a_comparison_names_the_better_side_of_each_figure_and_of_all():
    near, far, reals = clouds()
    a, b = judged("PLATEAU", kernel_distance=0.1, coverage=0.9), judged("BUDGET", kernel_distance=2.0, coverage=0.2)
    found = compare_reports(a, b, paired_differences(near, far, reals))
    assert [(row["measure"], row["better"], row["paired"]) for row in found["rows"]] == [
        ("kernel_distance", "a", True), ("coverage", "a", True),
    ]  # fmt: skip
    assert found["better"] == "a"
    unpaired = compare_reports(b, a, {})
    assert [row["better"] for row in unpaired["rows"]] == ["b", "b"]
    assert compare_reports(a, a, {})["better"] is None


def test_a_comparison_says_who_wins_on_what_or_that_it_is_noise():
    a, b = judged("PLATEAU", kernel_distance=0.1, recall=0.2), judged("BUDGET", kernel_distance=2.0, recall=0.9)
    wins = compare_reports(a, b, {}, ("first", "second"))["sentence"]
    assert wins["en"] == (
        "A (first) is better, nearer to real data: A's KID less B's is -1.9 [-2.04, -1.76]; intervals without 0 speak "
        "for A in KID and for B in recall."
    )
    assert "A (first)가 더 낫습니다." in wins["ko"]
    assert "B 우세: 재현율" in wins["ko"]
    same = compare_reports(a, a, {})["sentence"]
    assert same["en"].startswith("The difference is within the noise: A's KID less B's is 0 ")
    assert same["en"].endswith("no measure's interval leaves out 0.")
    assert "오차 범위" in same["ko"]


def test_a_copyist_is_never_the_better_one():
    near, far, reals = clouds()
    found = compare_reports(
        judged("OVERFIT", kernel_distance=0.0), judged("PLATEAU", kernel_distance=1.0),
        paired_differences(near, far, reals),
    )  # fmt: skip
    assert found["rows"][0]["better"] == "a"
    assert found["better"] == "b"
    assert found["sentence"]["en"].startswith("B is better: A is OVERFIT and B is PLATEAU")


def test_a_comparison_is_written_whole(tmp_path):
    a, b = judged("PLATEAU", kernel_distance=0.1), judged("BUDGET", kernel_distance=0.1)
    sides = {side: {"name": HOSTILE, "verdict": "BUDGET", "sentence": "So."} for side in "ab"}
    write_comparison(
        tmp_path, {**sides, "n": 100, **compare_reports(a, b, {})}, {"a": {"strip": Image.new("L", (9, 3))}}
    )
    text = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert Tags(text).open == []
    assert "<script" not in text
    assert "No difference that these samples can show" in text
    assert json.loads((tmp_path / "comparison.json").read_text())["rows"][0]["better"] is None


def test_signs_of_trouble_are_listed_with_the_images_shown(tmp_path):
    sign = {"images": 12_800, "code": "GRADIENT", "name": "discriminator/gradient", "value": 41.0, "limit": 20.0}
    write_report(tmp_path, {**report(), "alarms": [sign]}, [], {})
    page = (tmp_path / "report.html").read_text()
    assert "Signs of trouble" in page
    assert "12,800" in page
    write_report(tmp_path, {**report(), "alarms": []}, [], {})
    assert "Signs of trouble" not in (tmp_path / "report.html").read_text()


def test_a_discriminator_that_knows_its_items_by_heart_asks_for_more_data_first():
    signal = {"overfit_signal": {"value": 0.29, "interval": [0.24, 0.35]}}
    assert knows_by_heart(signal)
    assert not knows_by_heart({"overfit_signal": {"value": 0.05, "interval": [0.01, 0.09]}})
    assert not knows_by_heart({"overfit_signal": {"value": "NaN", "interval": ["NaN", "NaN"]}})
    assert not knows_by_heart({})
    settings = {"lr": 1e-3, "width": 8, "augment": None}
    (hungry,) = advised([{"code": "BUDGET"}], settings=settings, usual=settings, by_heart=True)
    assert hungry["steps"][0].startswith("Train on more data")
    assert hungry["steps"][1].startswith("Augment more strongly")
    assert len(hungry["steps"]) == len(set(hungry["steps"]))
    (departed,) = advised([{"code": "BUDGET"}], settings=settings | {"width": 4}, usual=settings, by_heart=True)
    assert departed["steps"][0].startswith("Go back to the model's own settings")
    (fine,) = advised([{"code": "INDISTINGUISHABLE"}], settings=settings, usual=settings, by_heart=True)
    assert "more data" not in fine["advice"]
