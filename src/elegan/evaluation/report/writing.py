"""The report's files, and the order of its sections."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from elegan.evaluation.report.balance import balance
from elegan.evaluation.report.belief import beliefs
from elegan.evaluation.report.charts import Log, look_curves, loss_curves
from elegan.evaluation.report.classifier import classifier
from elegan.evaluation.report.equilibrium import equilibrium
from elegan.evaluation.report.facts import facts
from elegan.evaluation.report.first import first_screen, subject
from elegan.evaluation.report.markup import Report, html, rows_of, section, section_of, table
from elegan.evaluation.report.measures import measures
from elegan.evaluation.report.page import write_pages
from elegan.evaluation.report.sheets import Album, Pictures, captioned
from elegan.evaluation.wording import short, went_back

BESIDE = {"samples": "Samples, taken at random.", "real": "Real test data, never seen in training."}
PLACED = {*BESIDE, "strip", "strip_real", "pairs", "ghosts"}
"""Pictures that have a place of their own; others follow the samples."""
HOW_LOOKS = (
    "Against validation data, at every tick, with 95&nbsp;% intervals; the grey band is what real data give against "
    "real data.  KID falls towards the band, coverage rises to it."
)
HOW_LOSSES = (
    "Means since the tick before, each term of each side.  A GAN’s losses don’t say how good its samples are: both "
    "players move, and a falling loss may mean no more than that the other side became worse."
)
HOW_ALARMS = (
    "Where training went back to its best moment, if it did, and what the ticks’ numbers alone showed, without "
    "features and samples.  One early sign is turmoil; signs that stay are a training in trouble."
)
ALARMS = {
    "NOT_FINITE": "not a finite number", "GRADIENT": "gradient far above its running median",
    "PENALTY_RATIO": "penalty at generated items far above that at real ones", "LOGIT_DRIFT": "logits far from 0",
    "ALIKE": "samples nearly alike",
}  # fmt: skip
HOW_GHOSTS = (
    "The samples that look most like a blend of two training images.  A blend is nobody’s data: it lies between two "
    "kinds of items, where there are none."
)
PARENTS = "Each sample stands between the two training images of which it seems made."
HOW_PAIRS = (
    "The samples nearest to training data, each above its nearest training image.  Likeness is no copy: the figures "
    "say how many are nearer than unseen real images are."
)


def write_report(
    folder: Path,
    report: Mapping[str, object],
    log: Log,
    pictures: Pictures,
    albums: Mapping[str, Album] | None = None,
    *,
    name: str = "report",
) -> None:
    """Write NAME.json and NAME.html into ``folder``, each whole or not at all.

    ``report`` is the judge's with the verdict's keys; where it has "run", the facts of run.json, or "judged",
    those of somebody's samples, they are shown too; so are "alarms", "returns" (the times that training went back) and
    "unfinished", a note on a run that is judged before its end.  ``log`` holds a dict a tick: "images", "terms" and
    perhaps "look".  Of ``pictures`` "samples" and "real" stand side by side and "strip" and "strip_real" on the first
    screen; ``albums`` may hold real examples of what is "missing", "scarce" or "overdone".
    Raises UserError when the folder can't be written.
    """
    title = " · ".join(part for part in (str(report.get("verdict", "Report")), subject(report)) if part)
    rest = list(_sections(report, log, pictures, albums or {}))
    write_pages(folder, name, report, title, [*first_screen(report, pictures), _contents(rest), *rest])


def _contents(body: Sequence[str]) -> str:
    """Links to the sections; empty where there are few."""
    found = re.findall(r'<section id="([^"]+)"><h2>(.*?)</h2>', "\n".join(body))
    links = " ".join(f'<a href="#{name}">{title}</a>' for name, title in found)
    return f"<nav>{links}</nav>" if len(found) > 2 else ""


def _sections(report: Report, log: Log, pictures: Pictures, albums: Mapping[str, Album]) -> Iterator[str]:
    yield from section("Samples beside real data", _beside(pictures))
    yield from classifier(report)
    yield from measures(report)
    yield from balance(report, albums)
    yield from section(
        "Ghosts: samples like blends of two",
        _one("ghosts", PARENTS, pictures),
        HOW_GHOSTS,
    )
    yield from section("Nearest training data", _pairs(report, pictures), HOW_PAIRS)
    yield from section("What the referee saw while training", [_drawn(look_curves(log))], HOW_LOOKS)
    yield from beliefs(log)
    yield from equilibrium(report)
    yield from section("Losses", [_drawn(loss_curves(log))], HOW_LOSSES)
    yield from section("Signs of trouble", [*_returns(report), *_alarms(report)], HOW_ALARMS)
    yield from facts(report)


def _beside(pictures: Pictures) -> Iterator[str]:
    there = [name for name in BESIDE if name in pictures]
    if there:
        yield f'<div class="two">{"".join(captioned(pictures[name], BESIDE[name]) for name in there)}</div>'
    yield from (captioned(pictures[name], name) for name in pictures if name not in PLACED)


def _one(name: str, caption: str, pictures: Pictures) -> Iterator[str]:
    if name in pictures:
        yield captioned(pictures[name], caption)


def _pairs(report: Report, pictures: Pictures) -> Iterator[str]:
    pairs = rows_of(section_of(report, "memorisation"), "pairs")
    if pairs:
        listed = ", ".join(f"{html(pair.get('sample'))} → {html(pair.get('train'))}" for pair in pairs)
        yield from _one("pairs", "Above the samples, below the nearest training images.", pictures)
        yield f'<p class="faint">Sample → training item, by number: {listed}.</p>'


def _returns(report: Report) -> Iterator[str]:
    lines = "".join(f"<li>{html(sentence)}</li>" for sentence in went_back(rows_of(report, "returns")))
    if lines:
        yield f'<ul class="findings">{lines}</ul>'


def _alarms(report: Report) -> Iterator[str]:
    rows = [
        (f"{alarm['images']:,}", html(ALARMS.get(str(alarm["code"]), alarm["code"])), html(alarm["name"]),
         html(short(alarm["value"])), html(short(alarm["limit"])))
        for alarm in rows_of(report, "alarms")
    ]  # fmt: skip
    if rows:
        yield table(("images shown", "sign", "of", "value", "limit"), rows, numbers=(0, 3, 4))


def _drawn(chart: str) -> str:
    return chart and f"<figure>{chart}</figure>"
