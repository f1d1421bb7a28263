"""The evaluation written down: report.json for programs, and report.html, which opens offline, for people."""

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from elegan.errors import UserError
from elegan.evaluation.charts import Log, look_curves, loss_curves
from elegan.evaluation.page import page
from elegan.evaluation.wording import LABELS, short
from elegan.files import write_atomically
from elegan.json_values import as_json
from elegan.pictures import contact_sheet

Report = Mapping[str, object]
SECTIONS = ("fidelity", "modes", "memorisation", "classes", "health")
CAPTIONS = {
    "samples": "Samples of the generator.",
    "real": "Real test data, never seen in training.",
    "pairs": "The samples nearest to training data, each above its nearest training image.",
}
SHARES = {
    "precision", "recall", "coverage", "both", "pixels", "features", "agreement", "agreement_independent",
    "high_quality", "not_finite", "out_of_range", "repeated", "share",
}  # fmt: skip


def write_report(
    folder: Path, report: dict[str, object], log: Sequence[Mapping[str, object]], pictures: Mapping[str, Image.Image]
) -> None:
    """Write report.json and report.html into ``folder``, each whole or not at all.

    ``report`` is the judge's with the verdict's keys; where it has "run", the facts of run.json, they are
    shown too.  ``log`` holds a dict a tick: "images", "terms" and perhaps "look".  Of ``pictures`` "samples" and
    "real" stand side by side, others below under their names.
    Raises UserError when the folder can't be written.
    """
    content = json.dumps(as_json(report), indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    title, body = _title(report), "\n".join(_body(report, log, pictures))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "report.json", content)
        write_atomically(folder / "report.html", page(escape(title), body).encode())
    except OSError as error:
        raise UserError(f"The report can't be written into {folder}: {error.strerror or error}.") from error


def pairs_picture(
    samples: UInt8[np.ndarray, "n h w c"], train: UInt8[np.ndarray, "t h w c"], pairs: Sequence[Mapping[str, int]]
) -> Image.Image:
    """The closest pairs of a report's memorisation: samples in a row, their training images below."""
    rows = [samples[[pair["sample"] for pair in pairs]], train[[pair["train"] for pair in pairs]]]
    return contact_sheet(rows, ["sample", "training"])


def _title(report: Report) -> str:
    run = _section(report, "run")
    what = " on ".join(str(part) for part in (run.get("model"), _data_name(run)) if part)
    return f"{report.get('verdict', 'Report')} · {what}" if what else f"{report.get('verdict', 'Report')}"


def _data_name(run: Report) -> object:
    data = run.get("data")
    return data.get("name") or data.get("source") if isinstance(data, Mapping) else data


def _body(report: Report, log: Log, pictures: Mapping[str, Image.Image]) -> Iterator[str]:
    yield _verdict(report)
    yield from _pictures(pictures)
    yield from _charts(log)
    yield from _metrics(report)
    yield from _parts(report)
    yield from _pairs(report, pictures)
    yield from _facts(report)


def _verdict(report: Report) -> str:
    code = str(report.get("verdict", "CANNOT_TELL"))
    kind = {"INDISTINGUISHABLE": "good", "BUDGET": "open", "CANNOT_TELL": "open"}.get(code, "ill")
    said = _section(report, "sentence")
    findings = report.get("findings")
    listed = [entry for entry in findings if isinstance(entry, Mapping)] if isinstance(findings, list) else []
    advice = dict.fromkeys(f"<li>{_about(entry, code)}{_html(entry['advice'])}</li>" for entry in listed)
    return (
        f'<section class="verdict {kind}"><p class="faint">{_html(_title(report).partition(" · ")[2])}</p>'
        f"<h1>{_html(code)}</h1><p>{_html(said.get('en', ''))}</p>"
        f'<p lang="ko">{_html(said.get("ko", ""))}</p>'
        f'<ul class="findings">{"".join(advice)}</ul></section>'
    )


def _about(finding: Report, verdict: str) -> str:
    """The finding's code and names, where the heading doesn't say them."""
    names = finding.get("names")
    named = ", ".join(map(str, names)) if isinstance(names, list) else ""
    if finding["code"] == verdict and not named:
        return ""
    return f"<b>{_html(finding['code'])}</b>{': ' if named else ''}{_html(named)}. "


def _pictures(pictures: Mapping[str, Image.Image]) -> Iterator[str]:
    beside = [name for name in ("samples", "real") if name in pictures]
    if beside:
        yield "<h2>Samples beside real data</h2>"
        yield f'<div class="pair">{"".join(_picture(name, pictures[name]) for name in beside)}</div>'
    yield from (_picture(name, pictures[name]) for name in pictures if name not in (*beside, "pairs"))


def _picture(name: str, picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    data, caption = base64.b64encode(file.getvalue()).decode(), _html(CAPTIONS.get(name, name))
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{picture.width}" height="{picture.height}" '
        f'alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )


def _charts(log: Log) -> Iterator[str]:
    looks, losses = look_curves(log), loss_curves(log)
    if looks:
        yield "<h2>What the referee saw while training</h2>"
        yield (
            f"<figure>{looks}<figcaption>Against validation data, at every tick, with 95&nbsp;% intervals; the grey "
            "band is what real data give against real data.  KID falls towards the band, coverage rises to it."
            "</figcaption></figure>"
        )
    if losses:
        yield "<h2>Losses</h2>"
        yield (
            f"<figure>{losses}<figcaption>Means since the tick before, each term of each side.  A GAN's losses do "
            "not say how good its samples are.</figcaption></figure>"
        )


def _metrics(report: Report) -> Iterator[str]:
    rows = [row for section in SECTIONS for row in _metric_rows(_section(report, section), report)]
    if rows:
        yield "<h2>Figures</h2>"
        heads = ("measure", "value", "95 % interval", "real against real", "n", "features")
        yield _table(heads, rows, numbers=(1, 2, 3, 4))
        yield (
            '<p class="faint">Against test data, which nothing before this has seen.  "Real against real" is the '
            "same measure with validation data in the samples' place, and in brackets what random parts of real data "
            "give.  Numbers from different features are never comparable.</p>"
        )


def _metric_rows(section: Report, report: Report) -> Iterator[tuple[str, ...]]:
    for name, figure in section.items():
        if isinstance(figure, Mapping) and "value" in figure:
            percent = name in SHARES
            yield (
                _html(_label(name, report)), _shown(figure["value"], percent), _range(figure["interval"], percent),
                _null(figure, percent), _html(figure["n"]), f"<code>{_html(figure.get('features') or '–')}</code>",
            )  # fmt: skip


def _label(name: str, report: Report) -> str:
    if name == "frechet_distance":
        return f"FD-{_section(report, 'features').get('name', '')}"
    return LABELS[name][0] if name in LABELS else name


def _null(figure: Report, percent: bool) -> str:
    null = _shown(figure["null"], percent)
    band = figure.get("null_interval")
    return f"{null} {_range(band, percent)}" if isinstance(band, list) and "NaN" not in band else null


def _parts(report: Report) -> Iterator[str]:
    """The table of classes, and that of modes."""
    classes, modes = (_section(report, name).get("table") for name in ("classes", "modes"))
    if isinstance(classes, list) and classes:
        yield "<h2>Classes</h2>"
        heads = ("class", "asked for", "recognised", "share", "fair share", "agreement", "for reals", "spread")
        yield _table(heads, [_class_row(row) for row in classes], numbers=range(1, 8))
        yield (
            '<p class="faint">Spread is the mean distance between two samples of a class over that between two '
            "reals; 1 is expected.</p>"
        )
    if isinstance(modes, list) and modes:
        yield "<h2>Modes</h2>"
        rows = [
            (_html(row["name"]), _shown(row["share"]["value"], True), _range(row["share"]["interval"], True),
             _shown(row["share"]["null"], True)) for row in modes
        ]  # fmt: skip
        yield _table(("mode", "share within 3 sigma", "95 % interval", "of reals"), rows, numbers=range(1, 4))


def _class_row(row: Report) -> tuple[str, ...]:
    share, spread, agreement = (_section(row, name) for name in ("share", "spread", "agreement"))
    asked = row.get("requested")
    return (
        _html(row["name"]), "–" if asked is None else _html(asked), _html(row["recognised"]),
        f"{_shown(share['value'], True)} {_range(share['interval'], True)}", _shown(share["null"], True),
        f"{_shown(agreement['value'], True)} {_range(agreement['interval'], True)}" if agreement else "–",
        _shown(agreement["null"], True) if agreement else "–", _shown(spread["value"], False),
    )  # fmt: skip


def _pairs(report: Report, pictures: Mapping[str, Image.Image]) -> Iterator[str]:
    pairs = _section(report, "memorisation").get("pairs")
    if isinstance(pairs, list) and pairs:
        yield "<h2>Closest pairs</h2>"
        if "pairs" in pictures:
            yield _picture("pairs", pictures["pairs"])
        listed = ", ".join(f"{_html(pair['sample'])} → {_html(pair['train'])}" for pair in pairs)
        yield f'<p class="faint">Sample → training item, by number: {listed}.</p>'


def _facts(report: Report) -> Iterator[str]:
    facts = {name: report[name] for name in ("run", "features", "sizes") if name in report}
    rows = [(f"<code>{_html(name)}</code>", _html(value)) for name, value in _flat(facts)]
    if rows:
        yield "<h2>How it was made and judged</h2>"
        yield f"<details open><summary>{len(rows)} facts</summary>{_table(('fact', 'value'), rows)}</details>"


def _flat(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Nested facts as dotted names and plain values."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(entry, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        yield name, ", ".join(str(entry) for entry in value)
    else:
        yield name, value


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Cells are HTML already; the columns named in ``numbers`` are set to the right."""

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = (' class="number"' if index in numbers else "" for index in range(len(row)))
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{cells("th", heads)}</tr></thead><tbody>{body}</tbody></table></div>'


def _shown(value: object, percent: bool) -> str:
    if isinstance(value, int | float) and percent:
        return f"{100 * value:.3g}&nbsp;%"
    return "–" if value == "NaN" else _html(short(value)).replace("-", "−")


def _range(interval: object, percent: bool) -> str:
    if not isinstance(interval, list) or "NaN" in interval:
        return "–"
    low, high = (_shown(end, percent).removesuffix("&nbsp;%") for end in interval)
    return f"[{low}, {high}]"


def _section(report: Report, name: str) -> Report:
    section = report.get(name)
    return section if isinstance(section, Mapping) else {}


def _html(value: object) -> str:
    return escape(str(value))
