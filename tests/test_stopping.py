"""When training stops: what the referee sees, how the schedules wait for it, and going back after a collapse."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import elegan
from elegan.cli import main
from elegan.evaluation.stopping import LOOKS, Sight, Watch, Yardstick, decide
from elegan.training.checkpoint import load_checkpoint
from elegan.training.course import MIDDLE, Course
from elegan.verbs.folder import Folder

SETTINGS = {"size": 8, "width": 16, "batch": 32, "depth": 1}
WORDS = ["train", "gan", "--data", "digits", "--size", "8", "--width", "16", "--batch", "32", "--depth", "1"]


def sight(images, left, *, uncovered=None, spread=1.0):
    return Sight(images, left, 10 * left, left if uncovered is None else uncovered, left, 0.001, 0.01, spread)


def watch(*lefts, **others):
    return Watch([sight(100 * (index + 1), left, **others) for index, left in enumerate(lefts)])


def test_a_training_that_still_gains_has_not_settled():
    assert not watch(*np.geomspace(1, 0.1, 40)).has_settled()


def test_a_training_that_gains_no_more_has_settled_after_its_patience():
    falling = list(np.geomspace(1, 0.1, 20))
    assert not watch(*falling, *[0.1] * 3).has_settled()
    assert watch(*falling, *[0.1] * LOOKS).has_settled()


def test_noise_is_no_gain():
    random = np.random.default_rng(0)
    settled = [watch(1.0, *(0.1 + 0.03 * random.standard_normal(30)).clip(0)).has_settled() for _ in range(100)]
    assert np.mean(settled) > 0.6  # a chance gain only makes it wait longer


def test_more_covered_and_less_outside_is_a_gain_though_the_distances_stay():
    def look(index, outside):
        return Sight(100 * index, 0.1, 1.0, 1 - index / 40, outside, 0.001, 0.01)

    assert not Watch([look(index, 1 - index / 40) for index in range(1, 30)]).has_settled()
    assert Watch([look(index, 0.5) for index in range(1, 30)]).has_settled()  # one alone falls by chance


def test_patience_begins_only_when_the_schedules_wait():
    looks = watch(1.0, *[0.1] * (LOOKS + 10))
    assert looks.has_settled(since=1000)
    assert not looks.has_settled(since=2000)


def test_the_trend_follows_slow_gains_that_no_single_look_shows():
    random = np.random.default_rng(0)
    slow = np.linspace(0.5, 0.3, 30) + 0.01 * random.standard_normal(30)
    assert watch(1.0, *slow).trend == "improving"
    assert watch(1.0, *(0.4 + 0.01 * random.standard_normal(30))).trend == "level"
    assert watch(1.0, *np.geomspace(0.5, 0.1, 20), 0.2).trend == "worse"
    assert [watch(1.0).trend, watch(1.0, 0.5).trend, watch(0.5, 0.52).trend] == ["first", "improving", "level"]


def test_a_collapse_is_seen_at_the_second_look_and_one_bad_look_is_none():
    gained = list(np.geomspace(1, 0.05, 12))
    assert not watch(*gained, 0.6).has_collapsed
    assert watch(*gained, 0.6, 0.6).has_collapsed
    assert not watch(*gained, 0.6, 0.06).has_collapsed


def test_the_first_looks_are_in_turmoil_and_only_twice_the_first_distance_alarms_there():
    assert not watch(1.0, 1.6, 1.6, 0.8).has_collapsed
    assert not watch(1.0, 2.5).has_collapsed  # one bad look is none
    assert watch(1.0, 2.5, 2.5).has_collapsed


def test_what_was_seen_before_networks_had_grown_makes_no_collapse():
    looks = watch(*np.geomspace(1, 0.05, 12), 0.6, 0.6)
    grown = looks.sights[-2].images
    assert looks.since(0).has_collapsed
    assert not looks.since(grown).has_collapsed
    assert len(looks.since(grown).sights) == 2


def test_a_collapse_sends_back_twice_and_then_ends_but_never_among_the_first_looks():
    late, early = watch(*np.geomspace(1, 0.05, 12), 0.6, 0.6), watch(1.0, 2.5, 2.5)
    for looks, actions in ((late, ["go back", "go back", "stop"]), (early, ["go back", "go back", "go on"])):
        said = [decide(looks, broken=False, returns=times, patient_from=None) for times in range(3)]
        assert said == actions
    assert decide(early, broken=True, returns=2, patient_from=None) == "stop"
    assert decide(late, broken=False, returns=0, patient_from=None, comparable_from=None) == "go on"
    assert decide(Watch(), broken=True, returns=0, patient_from=None) == "stop"


def test_patience_begins_anew_where_training_went_back_to():
    level = watch(1.0, *[0.1] * (LOOKS + 10))
    assert decide(level, broken=False, returns=1, patient_from=0) == "cool"
    assert decide(level, broken=False, returns=1, patient_from=1500) == "go on"


def test_samples_that_are_all_alike_are_a_collapse():
    assert Watch([*watch(1.0, 0.5).sights, *watch(0.4, 0.4, spread=0.01).sights]).has_collapsed


def test_looks_without_numbers_are_a_collapse_and_never_the_best():
    nothing = Sight(900, *[float("nan")] * 7)
    looks = Watch([*watch(1.0, 0.5).sights, nothing, nothing])
    assert looks.has_collapsed
    assert looks.best == looks.sights[1]
    assert looks.last_is_worse


def test_the_yardstick_finds_like_samples_near_and_others_far():
    random = np.random.default_rng(0)
    reals, like, other = random.standard_normal((3, 400, 8))
    yardstick = Yardstick.of(reals, 400)
    near, far = yardstick.sight(1, like), yardstick.sight(2, 3 + 0.1 * other)
    assert near.distance < 2 * yardstick.distance
    assert abs(near.uncovered) < 0.05
    assert near.spread == pytest.approx(1, abs=0.1)
    assert far.distance > 10 * yardstick.distance
    assert far.uncovered > 0.9
    assert abs(near.outside) < 0.1
    assert far.outside > 0.9
    assert far.spread == pytest.approx(0.1, abs=0.02)


def test_the_schedules_of_a_budget_run_through():
    course = Course(1000)
    assert [course.fraction(images) for images in (0, 250, 1000, 2000)] == [0, 0.25, 1, 1]
    assert course.end == 1000


def test_the_schedules_without_a_budget_wait_in_the_middle_and_then_go_to_their_end():
    course = Course(1000, waits=True)
    assert [course.fraction(images) for images in (250, 500, 5000)] == [0.25, MIDDLE, MIDDLE]
    assert course.end is None
    cooled = course.cooled(4000, batch=64)
    assert cooled.fraction(4000) == MIDDLE
    assert cooled.fraction(cooled.end) == 1
    assert (cooled.end - 4000) % 64 == 0


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A run without a budget, which the referee ended."""
    out = tmp_path_factory.mktemp("runs") / "ended"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elegan.verbs.plan.DEFAULT_MINUTES", 0.03)
        patch.setattr("elegan.verbs.plan.PROBE_SECONDS", 0.2)
        return elegan.train("gan", data="digits", out=out, quiet=True, **SETTINGS)


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_without_a_budget_the_referee_ends_training(ended):
    assert ended.record["budget"]["waits"] is True
    assert ended.record["budget"]["minutes"] is None
    course = json.loads((ended.path / "checkpoints" / "last.json").read_text())["course"]
    assert course["cooled_at"]
    last = log(ended.path)[-1]
    assert last["images"] == last["total"] == course["cooled_at"] + course["rest"]
    assert len(log(ended.path)) >= LOOKS
    assert ended.verdict not in ("BUDGET", "DIVERGED")


def test_a_look_holds_what_the_rule_reads_and_what_the_discriminator_believes(ended):
    look = log(ended.path)[-1]["look"]
    assert {"distance", "frechet", "uncovered", "spread"} <= look["progress"].keys()
    assert sum(look["belief"]["fake"]) > 0
    assert 0 <= look["belief"]["accuracy"] <= 1


def test_a_killed_run_without_a_budget_goes_on_to_the_same_weights(ended, tmp_path):
    out = tmp_path / "killed"
    out.mkdir()
    shutil.copy(ended.path / "run.json", out)
    command = [sys.executable, "-m", "elegan", *WORDS, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list((out / "samples").glob("*.png"))) < LOOKS + 2:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    subprocess.run(command, check=True, capture_output=True)
    ours, theirs = ((folder / "generator.safetensors").read_bytes() for folder in (out, ended.path))
    assert ours == theirs
    assert [line["look"] for line in log(out)] == [line["look"] for line in log(ended.path)]


def test_a_run_that_the_referee_ends_needs_it(ended, tmp_path, capsys):
    copy = shutil.copytree(ended.path, tmp_path / "copy")
    (copy / "README.md").unlink()
    assert main([*WORDS, "--out", str(copy), "--no-referee"]) == 2
    assert "leave --no-referee out" in capsys.readouterr().err


def test_after_a_collapse_training_goes_back_to_its_best_and_on_more_steadily(tmp_path, monkeypatch, capsys):
    before = {"once": True}

    def collapsed_once(self):
        late = self.sights[-1].images > 1200 and before["once"]
        before["once"] = before["once"] and not late
        return late

    monkeypatch.setattr(Watch, "has_collapsed", property(collapsed_once))
    run = elegan.train("gan", data="digits", out=tmp_path / "back", images=2000, **SETTINGS)
    assert "The referee goes back to" in " ".join(capsys.readouterr().out.split())
    state = load_checkpoint(run.path / "checkpoints")[1]
    assert state["steadied"] == 1
    shown = [line["images"] for line in log(run.path) if "event" not in line]
    assert shown == sorted(set(shown))
    assert shown[-1] == state["images"] == 2016
    (event,) = Folder(run.path).returns()
    assert event["to"] <= 1200 < event["images"]
    assert event["why"] == "collapsed"
    assert event["config"] == {"lr": run.record["config"]["lr"] / 2, "gamma": 2 * run.record["config"]["gamma"]}


def test_a_training_that_collapses_again_and_again_is_given_up(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Watch, "has_collapsed", property(lambda self: self.sights[-1].images > 1200))
    run = elegan.train("gan", data="digits", out=tmp_path / "up", images=4000, **SETTINGS)
    assert "gives it up" in " ".join(capsys.readouterr().out.split())
    assert len(Folder(run.path).returns()) == 2
    report = json.loads((run.path / "report.json").read_text())
    assert report["ending"] == "interrupted"
    assert log(run.path)[-1]["images"] < 2000


def test_numbers_that_are_not_finite_send_training_back_and_end_it_only_when_they_come_again(tmp_path, monkeypatch):
    from elegan.training.loop import Tick

    monkeypatch.setattr(Tick, "not_finite", property(lambda self: ["a term"] if self.images > 1200 else []))
    run = elegan.train("gan", data="digits", out=tmp_path / "back", images=2000, quiet=True, **SETTINGS)
    assert load_checkpoint(run.path / "checkpoints")[1]["steadied"] == 2
    assert run.verdict == "DIVERGED"
