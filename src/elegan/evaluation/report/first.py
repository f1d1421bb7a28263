"""The first screen: is it good, why, what do the samples look like, and what to try next."""

import re
from collections.abc import Iterator, Mapping, Sequence

from elegan.evaluation.report.gauges import gauge
from elegan.evaluation.report.markup import Report, html, is_figure, names_of, rows_of, section_of
from elegan.evaluation.report.sheets import Pictures, inlined
from elegan.evaluation.wording import HEADINGS, OPENINGS, opening_of

KINDS = {"INDISTINGUISHABLE": "good", "PLATEAU": "open", "NOT_YET": "open", "BUDGET": "open", "CANNOT_TELL": "open"}
COMPANIONS = (("fidelity", "kernel_distance"), ("fidelity", "coverage"), ("memorisation", "both"))
"""What stands beside the deciding figures until there are three."""
GAUGES = 3
LANGUAGES = ("en", "ko")
STRIPS = (("strip", "samples"), ("strip_real", "real"))


def first_screen(report: Report, pictures: Pictures) -> Iterator[str]:
    code = str(report.get("verdict", "CANNOT_TELL"))
    findings = rows_of(report, "findings")
    opening = opening_of(code, findings)
    kind = "open" if opening == "DISTINGUISHABLE" else KINDS.get(code, "ill")
    yield f'<section class="verdict {kind}"><p class="eyebrow">{html(subject(report))}</p>'
    deciding = [finding for finding in findings if finding.get("code") == code]
    names = list(dict.fromkeys(name for finding in deciding for name in names_of(finding, "names")))
    heading = HEADINGS.get(opening, code) + (f": {few(names)}" if names else "")
    yield f'<h1>{html(heading)} <code class="code">{html(code)}</code></h1>'
    yield "".join(
        f'<p class="lead" lang="{language}">{html(_lead(report, opening, language))}</p>' for language in LANGUAGES
    )
    early = section_of(report, "unfinished")
    yield "".join(
        f'<p class="lead" lang="{name}"><b>{html(early[name])}</b></p>' for name in LANGUAGES if name in early
    )
    yield f'<div class="gauges">{"".join(_gauges(report, code, findings))}</div>'
    yield f'<div class="strips">{"".join(_strip(label, name, pictures) for name, label in STRIPS)}</div>'
    yield "</section>"
    yield from _next(deciding)
    yield from _also([finding for finding in findings if finding.get("code") != code])


def _lead(report: Report, opening: str, language: str) -> str:
    """What the verdict means; its figures are the gauges.  The whole sentence where there is nothing to gauge."""
    if opening == "CANNOT_TELL" or opening not in OPENINGS:
        return str(section_of(report, "sentence").get(language, ""))
    n = section_of(report, "sizes").get("samples", "these")
    return f"{OPENINGS[opening][LANGUAGES.index(language)].format(n=n)}."


def subject(report: Report) -> str:
    """What was judged: a run's model and data, or somebody's samples."""
    run, judged = section_of(report, "run"), section_of(report, "judged")
    name = run.get("model") or judged.get("name")
    data = section_of(run or judged, "data")
    on = data.get("name") or data.get("source") or (run or judged).get("data")
    what = (" beside " if judged else " on ").join(str(part) for part in (name, on) if part)
    samples = section_of(report, "sizes").get("samples")
    return " · ".join(part for part in (what, f"{samples:,} samples" if isinstance(samples, int) else "") if part)


def _gauges(report: Report, code: str, findings: list[Report]) -> Iterator[str]:
    """The deciding figures, then companions."""
    shown: dict[str, str] = {}
    for finding in findings:
        measure, names = str(finding.get("measure", "")), names_of(finding, "names")
        deciding = finding.get("code") == code and finding.get("figure") is not None and measure != "n"
        if deciding and len(shown) < GAUGES and measure not in shown:
            section = str(finding.get("section", ""))
            where = "second features" if section == "fidelity_second" else section.partition("/")[2]
            name = few(names) or where
            figure = {**finding, "value": finding["figure"]}
            shown[measure] = gauge(measure, figure, name=name, kind="" if code == "INDISTINGUISHABLE" else "ill")
    for section, measure in COMPANIONS:
        companion = section_of(report, section).get(measure)
        if len(shown) < GAUGES and measure not in shown and isinstance(companion, Mapping) and is_figure(companion):
            shown[measure] = gauge(measure, companion)
    yield from shown.values()


def few(names: Sequence[str]) -> str:
    """The first three."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _strip(label: str, name: str, pictures: Pictures) -> str:
    if name not in pictures:
        return ""
    picture = pictures[name]
    shape = "" if picture.width > 2 * picture.height else " square"
    return f'<div class="strip{shape}"><span>{label}</span>{inlined(picture, f"some {label}")}</div>'


def _next(findings: list[Report]) -> Iterator[str]:
    """What to try: the steps of the verdict, each once, in both languages."""
    lists = []
    for steps, whole, language in (("steps", "advice", "en"), ("steps_ko", "advice_ko", "ko")):
        said = [step for finding in findings for step in names_of(finding, steps) or [str(finding.get(whole, ""))]]
        items = "".join(f"<li>{_with_options(step)}</li>" for step in dict.fromkeys(said) if step)
        lists.append(f'<ol lang="{language}">{items}</ol>' if items else "")
    if lists[0]:
        yield f'<section class="next"><h2>What to try next</h2><div class="two">{"".join(lists)}</div></section>'


def _with_options(step: str) -> str:
    """A step whose options of the command line are set as such."""
    return re.sub(r"--[a-z][a-z-]*", r'<code class="option">\g<0></code>', html(step))


def _also(findings: list[Report]) -> Iterator[str]:
    """Findings beside the verdict: what each means, of what, and the first thing to try."""
    lines = []
    for code in dict.fromkeys(str(finding.get("code")) for finding in findings):
        of_code = [finding for finding in findings if finding.get("code") == code]
        names = [name for finding in of_code for name in names_of(finding, "names")]
        opening, steps = OPENINGS.get(opening_of(code, of_code), ("",))[0], names_of(of_code[0], "steps")
        said = [opening + (f": {few(names)}" if names else ""), *steps[:1]]
        text = " ".join(f"{_with_options(part.rstrip('.'))}." for part in said if part)
        lines.append(f"<li><code>{html(code)}</code> {text}</li>")
    if lines:
        yield f'<section class="also"><h2>Also found</h2><ul>{"".join(lines)}</ul></section>'
