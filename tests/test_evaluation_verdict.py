"""What the referee says of generators whose sickness is known."""

import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from elegan.errors import UserError
from elegan.evaluation.bins import balance, find_bins
from elegan.evaluation.features import Coordinates, train_features
from elegan.evaluation.fidelity import KernelSums, kernel_distance
from elegan.evaluation.judge import Real, Standard, judge, quick_look
from elegan.evaluation.modes import Mixture
from elegan.evaluation.support import SideBySide, learn_blends, parents
from elegan.evaluation.verdict import ORDER, decide


@pytest.fixture(scope="module")
def digits():
    """Real digits in three parts, fresh ones that stand for a perfect generator's, and features."""
    torch.set_num_threads(1)
    data = load_digits()
    images, labels = (data.images * 255 / 16).round().astype(np.uint8)[..., None], data.target.astype(np.int64)
    train, validation, test, fresh = np.split(np.random.default_rng(0).permutation(len(images)), [797, 1097, 1397])
    rows = (train, validation, test)
    real = Real(
        *(images[part] for part in rows),
        *(labels[part] for part in rows),
        classes=tuple(f"digit {c}" for c in range(10)),
    )
    return real, images[fresh], labels[fresh], train_features(real.train, real.train_labels)


def verdict_of(digits, samples, requested=None, ending=None, **kwargs):
    real, _, _, features = digits
    report = judge(samples, real, features=features, requested=requested, baseline=False, critics=False, **kwargs)
    json.dumps(report, allow_nan=False)
    return decide(report, ending=ending)


def codes(verdict):
    return [finding["code"] for finding in verdict["findings"]]


def test_fresh_real_data_are_indistinguishable_and_have_no_sickness(digits):
    _, fresh, labels, _ = digits
    verdict = verdict_of(digits, fresh, labels)
    assert verdict["verdict"] == "INDISTINGUISHABLE"
    assert set(codes(verdict)) == {"INDISTINGUISHABLE"}
    assert "as far as 400 samples can tell: KID" in verdict["sentence"]["en"]
    assert "표본 400개로 알 수 있는 한 실제 데이터와 구별되지 않습니다" in verdict["sentence"]["ko"]


def test_a_replay_of_the_training_data_is_overfit(digits):
    real, *_ = digits
    verdict = verdict_of(digits, real.train[:400])
    assert verdict["verdict"] == "OVERFIT"
    assert verdict["findings"][0]["figure"] == 1


def test_one_copy_in_twenty_is_overfit(digits):
    real, fresh, *_ = digits
    assert verdict_of(digits, np.concatenate([fresh[:380], real.train[:20]]))["verdict"] == "OVERFIT"


def test_reals_that_repeat_each_other_hide_no_replay_and_make_none(digits):
    real, fresh, _, features = digits
    validation, test = (np.concatenate([real.train[:30], part[30:]]) for part in (real.validation, real.test))
    repeating = Real(real.train, validation, test)  # a tenth of the reals repeat training items
    some = np.concatenate([real.train[50:90], fresh[40:]])
    reports = [
        judge(samples, repeating, features=features, baseline=False, critics=False)
        for samples in (real.train[:400], some)
    ]
    verdicts = [decide(report) for report in reports]
    assert verdicts[0]["verdict"] == "OVERFIT"
    assert "OVERFIT" not in codes(verdicts[1])


def test_one_image_repeated_is_collapsed(digits):
    _, fresh, *_ = digits
    assert verdict_of(digits, np.repeat(fresh[:1], 300, axis=0))["verdict"] == "COLLAPSED"


def test_one_image_of_each_class_repeated_is_collapsed_too(digits):
    _, fresh, labels, _ = digits
    ten = np.concatenate([np.repeat(fresh[labels == c][:1], 40, axis=0) for c in range(10)])
    assert verdict_of(digits, ten)["verdict"] == "COLLAPSED"


@pytest.mark.parametrize("removed", [1, 8])
def test_a_class_left_out_is_named(digits, removed):
    _, fresh, labels, _ = digits
    verdict = verdict_of(digits, fresh[labels != removed])
    assert verdict["verdict"] == "MISSING_MODE"
    assert verdict["findings"][0]["names"] == [f"digit {removed}"]
    assert f"digit {removed}: share" in verdict["sentence"]["en"]


def test_noise_is_of_low_quality_and_not_collapsed(digits):
    noise = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1)).astype(np.uint8)
    assert verdict_of(digits, noise)["verdict"] == "LOW_QUALITY"


def test_the_wrong_classes_are_of_low_quality_by_both_classifiers(digits):
    _, fresh, labels, _ = digits
    verdict = verdict_of(digits, fresh, np.random.default_rng(0).permutation(labels))
    assert verdict["verdict"] == "LOW_QUALITY"
    assert "not of the classes that were asked for" in verdict["sentence"]["en"]


def test_what_slightly_noisy_images_are_called_depends_on_how_training_ended(digits):
    real, fresh, labels, features = digits
    noise = np.random.default_rng(0).normal(0, 30, fresh.shape)
    noisy = np.clip(fresh + noise, 0, 255).astype(np.uint8)
    report = judge(noisy, real, features=features, requested=labels, baseline=False)
    improving, level = [{"trend": "improving"}], [{"trend": "level"}]
    said = {
        code: decide(report, looks=looks, ending=ending)
        for code, looks, ending in (
            ("LOW_QUALITY", (), None), ("PLATEAU", improving, "plateau"), ("BUDGET", level, "budget"),
            ("NOT_YET", improving, "budget"), ("NOT_YET ", level, "interrupted"),
        )
    }  # fmt: skip
    assert [verdict["verdict"] for verdict in said.values()] == [code.strip() for code in said]
    assert all("still distinguishable" in said[code]["sentence"]["en"] for code in ("PLATEAU", "BUDGET", "NOT_YET"))
    assert said["NOT_YET"]["findings"][0]["advice"].startswith("It was still improving")
    assert said["BUDGET"]["findings"][0]["advice"].startswith("It had stopped improving")


def test_twenty_samples_are_too_few_to_tell(digits):
    _, fresh, *_ = digits
    verdict = verdict_of(digits, fresh[:20])
    assert verdict["verdict"] == "CANNOT_TELL"
    assert "there are 20 samples" in verdict["sentence"]["en"]
    assert codes(verdict) == ["CANNOT_TELL"]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_samples_give_a_verdict_and_no_crash(digits, n):
    assert verdict_of(digits, digits[1][:n], digits[2][:n])["verdict"] == "CANNOT_TELL"


def test_a_sample_that_is_not_finite_is_divergence(digits):
    _, fresh, *_ = digits
    raw = (fresh.transpose(0, 3, 1, 2) / 127.5 - 1).astype(np.float32)
    raw[3, 0, 0, 0] = np.nan
    verdict = verdict_of(digits, fresh, raw=raw)
    assert verdict["verdict"] == "DIVERGED"
    assert verdict["findings"][0]["figure"] == pytest.approx(1 / 400)


def test_a_run_that_diverged_is_told_before_all_else(digits):
    real, fresh, _, features = digits
    verdict = decide(judge(fresh[:20], real, features=features), diverged=True)
    assert verdict["verdict"] == "DIVERGED"
    assert codes(verdict) == ["DIVERGED", "CANNOT_TELL"]
    assert verdict["sentence"]["en"] == "Diverged: training produced numbers that are not finite."


def test_collapse_is_told_before_a_missing_class(digits):
    _, fresh, *_ = digits
    found = codes(verdict_of(digits, np.repeat(fresh[:1], 300, axis=0)))
    assert "MISSING_MODE" in found
    assert found == sorted(found, key=ORDER.index)


def test_every_figure_has_its_interval_null_and_n(digits):
    real, fresh, labels, features = digits
    report = judge(fresh, real, features=features, requested=labels)

    def figures(value):
        if isinstance(value, dict):
            if "value" in value:
                yield value
            for entry in value.values():
                yield from figures(entry)
        elif isinstance(value, list):
            for entry in value:
                yield from figures(entry)

    found = list(figures(report))
    assert len(found) > 30
    for figure in found:
        assert set(figure) == {"value", "interval", "null", "null_interval", "n", "features"}
        assert isinstance(figure["null"], float)
    assert report["fidelity"]["kernel_distance"]["features"] == features.name


def test_without_labelled_features_a_second_classifier_recognises(digits):
    real, fresh, labels, _ = digits
    features = train_features(real.train[:300])
    report = judge(fresh, real, features=features, requested=labels, baseline=False, critics=False)
    assert report["classes"]["agreement"]["features"] == "svm-pixels"
    assert report["classes"]["agreement"]["value"] > 0.9


def test_samples_of_another_shape_or_with_too_few_labels_are_refused(digits):
    real, fresh, labels, features = digits
    with pytest.raises(UserError, match=r"shape \[16, 16, 1\] and the real data \[8, 8, 1\]"):
        judge(np.zeros((5, 16, 16, 1), np.uint8), real, features=features)
    with pytest.raises(UserError, match="3 labels were asked for and 400 samples given"):
        judge(fresh, real, features=features, requested=labels[:3])


def test_judging_twice_gives_the_same_report(digits):
    real, fresh, labels, features = digits
    few = fresh[:120], labels[:120]
    first, again = (judge(few[0], real, features=features, requested=few[1], seed=5) for _ in range(2))
    assert first == again


RING = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)


def ring(n, seed, modes=8, sigma=0.02):
    random = np.random.default_rng(seed)
    return (RING[random.integers(modes, size=n)] + random.normal(0, sigma, (n, 2))).astype(np.float32)


def verdict_of_ring(samples):
    real = Real(ring(1000, 0), ring(500, 1), ring(500, 2), mixture=Mixture(RING, 0.02))
    report = judge(samples, real, features=Coordinates(2, 0.7), baseline=False, critics=False)
    json.dumps(report, allow_nan=False)
    return report, decide(report)


def test_fresh_vectors_are_indistinguishable():
    report, verdict = verdict_of_ring(ring(1000, 3))
    assert verdict["verdict"] == "INDISTINGUISHABLE"
    assert report["modes"]["found"]["value"] == 8


def test_a_missing_mode_is_named_with_its_place():
    report, verdict = verdict_of_ring(ring(1000, 3, modes=7))
    assert verdict["verdict"] == "MISSING_MODE"
    assert verdict["findings"][0]["names"] == report["modes"]["missing"] == ["7 at (0.707, -0.707)"]


def test_a_mode_at_a_third_of_its_fair_share_is_scarce_and_not_missing():
    shares = np.array([138, 138, 138, 138, 137, 137, 137, 37])
    samples = np.repeat(RING, shares, axis=0) + np.random.default_rng(3).normal(0, 0.02, (1000, 2))
    _, verdict = verdict_of_ring(samples.astype(np.float32))
    assert verdict["verdict"] == "SCARCE_MODE"
    assert verdict["findings"][0]["names"] == ["7 at (0.707, -0.707)"]
    assert "MISSING_MODE" not in codes(verdict)


def test_vectors_spread_over_the_plane_are_of_low_quality():
    noise = np.random.default_rng(0).uniform(-1.5, 1.5, (1000, 2)).astype(np.float32)
    report, verdict = verdict_of_ring(noise)
    assert verdict["verdict"] == "LOW_QUALITY"
    assert report["modes"]["found"]["value"] == 0


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e30])
def test_vectors_that_are_not_finite_are_divergence(value):
    samples = ring(1000, 3)
    samples[0, 0] = value
    assert verdict_of_ring(samples)[1]["verdict"] == "DIVERGED"


@pytest.mark.parametrize("size", [1e6, 1e14])
def test_huge_vectors_are_of_low_quality_and_raise_no_warning(size):
    assert verdict_of_ring(size * ring(1000, 3))[1]["verdict"] == "LOW_QUALITY"


def test_coverage_tells_them_apart_where_it_is_surely_short_of_its_null():
    short, unsure, near = (
        figure(value, value - 0.02, high, 0.97, 0.94, 0.99) for value, high in ((0.9, 0.93), (0.9, 0.98), (0.93, 0.95))
    )
    assert told(fidelity_second={"coverage": short}) == ("LOW_QUALITY", [("fidelity_second", "coverage")])
    assert told(fidelity_second={"coverage": unsure})[0] == "INDISTINGUISHABLE"
    assert told(fidelity_second={"coverage": near})[0] == "INDISTINGUISHABLE"


def noisy(fresh, share):
    noise = np.random.default_rng(1).integers(0, 256, fresh.shape)
    return ((1 - share) * fresh + share * noise).astype(np.uint8)


def test_a_look_says_what_the_series_says_unless_one_look_says_more(digits):
    real, fresh, _, features = digits
    looks, standard = [], Standard.of(real.validation, features)
    for share, trend in ((0.9, "first"), (0.6, "improving"), (0.6, "level"), (0.9, "worse"), (0.0, "improving")):
        fakes = noisy(fresh, share)
        looks.append(quick_look(fakes, features.embed(fakes), standard, trend=trend))
    assert [look["trend"] for look in looks] == ["first", "improving", "level", "worse", "near"]
    assert "still improving" in looks[1]["word"]
    assert looks[0]["word"].startswith("KID ")
    assert looks[-1]["coverage"]["value"] > 0.9
    json.dumps(looks, allow_nan=False)


def test_a_look_at_vectors_counts_modes_and_one_at_few_items_says_so():
    plane = Coordinates(2, 0.7)
    standard = Standard.of(ring(500, 1), plane)
    fakes = ring(500, 3, modes=6)
    look = quick_look(fakes, plane.embed(fakes), standard, mixture=Mixture(RING, 0.02))
    assert look["modes"] == 6
    few = quick_look(ring(5, 3), plane.embed(ring(5, 3)), Standard.of(ring(5, 1), plane))
    assert few["word"] == "too few items to look at"
    broken = np.full((20, 2), np.nan, np.float32)
    assert quick_look(broken, plane.embed(broken), standard)["word"] == "samples that are not finite"


def test_sums_of_the_kernel_give_the_distance_of_any_part():
    random = np.random.default_rng(0)
    samples, reals = random.standard_normal((2, 60, 4))
    among = KernelSums.of(samples, reals)
    a, b = random.permutation(60)[:20], random.permutation(60)[:30]
    assert among.distance(a, b) == pytest.approx(kernel_distance(samples[a], reals[b]), rel=1e-12)


def test_parts_are_named_only_where_chance_could_not_have_done_it():
    fair = np.full(10, 50)
    assert balance(fair, fair, 500, 500) == ["fair"] * 10
    counts = np.array([0, 20, 40, 60, 110, 50, 50, 50, 60, 60])
    assert balance(counts, fair, 500, 500) == ["missing", "scarce", "fair", "fair", "overdone", *["fair"] * 5]
    assert balance(counts // 10, fair // 10, 50, 50) == ["fair"] * 10


def test_among_a_thousand_fair_reports_hardly_one_in_fifty_names_a_part():
    random = np.random.default_rng(0)
    draws = random.multinomial(500, np.full(20, 0.05), size=(1000, 2))
    wrong = [set(balance(ours, theirs, 500, 500)) != {"fair"} for ours, theirs in draws]
    assert np.mean(wrong) <= 0.02


def test_bins_of_few_or_equal_items_are_few():
    rows = np.repeat(np.arange(3.0)[:, None], 20, axis=0)
    bins = find_bins(rows, np.repeat([0, 1, 1], 20), ("a", "b"), fewest=500)
    assert sorted(name.partition("mostly ")[2] for name in bins.names) == ["a)", "b)", "b)"]
    assert bins.count(rows).tolist() == [20, 20, 20]
    assert len(find_bins(rows, fewest=60).names) == 2


def test_a_blend_is_told_from_noise_and_its_parents_are_found():
    random = np.random.default_rng(0)
    centres = 10 * random.normal(size=(12, 20))
    draw = lambda n: (centres[random.integers(12, size=n)] + random.normal(size=(n, 20))).astype(np.float32)  # noqa: E731
    train, fresh = draw(600), draw(200)
    machine = learn_blends(train, lambda rows: rows)
    blends = (0.5 * train[:100] + 0.5 * train[100:200]).astype(np.float32)
    noisy = (fresh + random.normal(size=fresh.shape)).astype(np.float32)
    limit = np.quantile(machine.decision_function(fresh), 0.99)
    assert (machine.decision_function(blends) > limit).mean() > 0.8
    assert (machine.decision_function(noisy) > limit).mean() < 0.1
    a, b, weight = parents(blends[7], train.astype(np.float64), train.astype(np.float64) @ train.T)
    assert {a, b} == {7, 107}
    assert weight == pytest.approx(0.5, abs=0.01)


def test_pixels_and_features_count_alike():
    pixels, features = (scale * np.random.default_rng(d).normal(size=(100, d)) for d, scale in ((7, 1), (3, 1000)))
    rows = SideBySide(pixels, features)(pixels, features)
    assert rows[:, :7].var(axis=0).sum() == pytest.approx(1)
    assert rows[:, 7:].var(axis=0).sum() == pytest.approx(1)


def report_of(**sections):
    """A report of 500 samples in which nothing is wrong, but for what is given."""
    fine = figure(0.9, 0.85, 0.95, 0.9, 0.85, 0.95)
    fidelity = dict.fromkeys(("precision", "recall", "density", "coverage"), fine)
    fidelity["kernel_distance"] = figure(0.0, -0.01, 0.01, 0.0, -0.01, 0.01)
    return {"sizes": {"samples": 500, "validation": 500, "test": 500}, "fidelity": fidelity, **sections}


def figure(value, low, high, null, null_low, null_high):
    return {
        "value": value, "interval": [low, high], "null": null, "null_interval": [null_low, null_high], "n": 500,
        "features": None,
    }  # fmt: skip


def told(**sections):
    verdict = decide(report_of(**sections))
    return verdict["verdict"], [(finding["section"], finding["measure"]) for finding in verdict["findings"]]


GUESSING = figure(0.5, 0.45, 0.55, 0.5, 0.46, 0.54)
CERTAIN = figure(0.99, 0.97, 1.0, 0.5, 0.46, 0.54)


def test_a_critic_that_tells_them_apart_on_pixels_alone_is_enough():
    critics = {
        "features": {"accuracy": GUESSING, "total_variation": figure(0.0, 0.0, 1.0, 0.0, 0.0, 0.0)},
        "pixels": {"accuracy": CERTAIN, "total_variation": figure(0.94, 0.94, 1.0, 0.0, 0.0, 0.0)},
    }
    code, measures = told(two_sample=critics)
    assert code == "LOW_QUALITY"
    assert measures == [("two_sample/pixels", "accuracy"), ("two_sample/pixels", "total_variation")]
    code, measures = told(two_sample=critics | {"pixels": critics["features"]})
    assert code == "INDISTINGUISHABLE"
    assert ("two_sample/pixels", "accuracy") in measures


def test_the_second_features_can_tell_them_apart_too():
    far = figure(0.3, 0.2, 0.4, 0.0, -0.01, 0.01)
    assert told(fidelity_second={"kernel_distance": far}) == ("LOW_QUALITY", [("fidelity_second", "kernel_distance")])


def test_odds_of_twenty_against_equality_are_proof():
    odds = {"evidence": figure(25.0, "NaN", "NaN", 1.0, 0.0, 20.0)}
    assert told(two_sample=odds) == ("LOW_QUALITY", [("two_sample", "evidence")])
    odds = {"evidence": figure(19.0, "NaN", "NaN", 1.0, 0.0, 20.0)}
    assert told(two_sample=odds)[0] == "INDISTINGUISHABLE"


def test_proof_that_half_of_the_samples_are_unlike_the_data_is_told_before_ghosts():
    pixels = {"accuracy": CERTAIN, "total_variation": figure(0.94, 0.94, 1.0, 0.0, 0.0, 0.0)}
    ghosts = {"blends": figure(0.3, 0.26, 0.34, 0.01, 0.0, 0.02)}
    assert told(support=ghosts)[0] == "OVER_GENERALISED"
    code, measures = told(support=ghosts, two_sample={"pixels": pixels})
    assert code == "LOW_QUALITY"
    assert ("support", "blends") in measures
    report = report_of(support=ghosts, two_sample={"pixels": pixels})
    assert decide(report, ending="budget")["verdict"] == "OVER_GENERALISED"


def test_empty_bins_count_where_nothing_else_says_what_is_there_and_samples_look_like_the_data():
    table = [{"name": "bin 3", "share": figure(0.0, 0.0, 0.01, 0.06, 0.04, 0.08), "balance": "missing"}]
    assert told(bins={"table": table})[0] == "MISSING_MODE"
    fair = [{"name": "8", "share": figure(0.1, 0.08, 0.12, 0.1, 0.08, 0.12), "balance": "fair"}]
    assert told(bins={"table": table}, classes={"table": fair})[0] == "INDISTINGUISHABLE"
    blurred = report_of(bins={"table": table})
    blurred["fidelity"] |= {"precision": figure(0.6, 0.55, 0.65, 0.9, 0.85, 0.95)}
    assert decide(blurred)["verdict"] == "INDISTINGUISHABLE"
