"""The model card, RUN/README.md: what the hub reads, and what a person should know before using the generator."""

import html
import json
import shlex
from collections.abc import Iterator

from elegan.evaluation.labels import label
from elegan.evaluation.wording import went_back
from elegan.models import MODELS, find
from elegan.verbs.card_fields import INDEXED, Facts, fields, figure_of, shows_people, with_interval
from elegan.verbs.front_matter import front_matter

FIGURES = (*(("fidelity", measure) for measure in (*INDEXED, "recall")), ("memorisation", "both"))
"""Those in the card's table."""
CARD = """\
# {name}

{english}

{korean}

![samples](contact.png)

## What it is

{what}

| | |
|---|---|
| model | `{model}`{preset}, elegan {version}: {title} |
| paper | {paper}, {year}, [arXiv:{arxiv}](https://arxiv.org/abs/{arxiv}) |
| weights | `generator.safetensors`, SHA-256 `{sha256}` |
| verdict | **{verdict}** |

## Use it

{use}

## Data

{data}

## Training

{training}

## Figures

{figures}

## Limits

- It can draw only what its {train:,} training images taught it, with their gaps and their bias.
- The figures are of features made for these data, by no pretrained network: they can be compared with the column beside
  them, and not with the FID of other data.  A verdict holds for as many samples as were judged.
- `report.html` shows how it was judged; `run.json` says everything that made it.

## What it is for, and what not

For learning how such networks work, for research, and for pictures that are shown as what they are.

Not for deceiving: no pictures of people doing what they didn't, no invented news, no false identities, no attacks on
systems that recognise or filter; nor as evidence of anything, nor for decisions about persons.  elegan's page on
acceptable use, `docs/acceptable-use.md`, says what and why.

## What it makes is labelled

{labelled}
"""

DRAW = """\
```
elegan sample {quoted} --out samples.png --n 64{label}
```

```python
import elegan
gan = elegan.load({literal})
gan.sample(16, seed=0{python_label})
```"""
TRANSLATE = """\
```
elegan apply {quoted} photo.jpg more-photos/ --out translated{directions}
```

```python
import elegan
elegan.apply({literal}, "photo.jpg", out="translated")
```"""
LABELLED = """\
Everything made with this generator is generated, and the files that elegan writes say so: in their metadata, in signed
Content Credentials where the provenance extra is installed, and from 64 pixels up in an invisible watermark.{visible}
`elegan verify FILE` reads them.  Labels can be lost, and other programs that draw with these weights write none:
whoever publishes what it makes has to say so, too, where the law or decency asks for it."""
VISIBLE = "\nSince its data show people, each picture also says it for people to read."
DECLARED = (
    "The exporter declared, by `--i-have-rights`, to have the right to publish what was trained on these data.  Nobody "
    "checked that."
)


def card(
    name: str, record: Facts, described: Facts, report: Facts, *, exported: bool = False, declared: bool = False
) -> str:
    """The card's text from run.json, generator.json and report.json.

    An ``exported`` card has a file LICENSE beside it; ``declared`` says that its exporter claims the right to publish.
    """
    entry, data = MODELS[str(record["model"])], record["data"]
    sides = find(str(record["model"])).translations
    how = "It turns images of one kind into images of another" if sides else "It draws from noise"
    body = CARD.format(
        name=prose(name),
        english=prose(report["sentence"]["en"]),
        korean=prose(report["sentence"].get("ko", "")),
        what=f"The generator of a generative adversarial network.  {how}: {_shape(data)}.",
        model=record["model"],
        preset=f" ({record['preset']})" if record["preset"] else "",
        version=record["elegan"],
        title=entry.title,
        paper=entry.paper,
        year=entry.year,
        arxiv=entry.arxiv,
        sha256=described.get("sha256", "unknown"),
        verdict=report["verdict"],
        use=_use(name, described, sides),
        data=_table(_data_rows(record)) + (f"\n\n{DECLARED}" if declared else ""),
        training=_training(record, described, report),
        figures=_figures(report),
        train=data["train"],
        labelled=LABELLED.format(visible=VISIBLE if shows_people(record) else ""),
    )
    return f"{front_matter(fields(name, record, report, exported=exported))}\n{body}"


def _use(name: str, described: Facts, sides: tuple[str, ...]) -> str:
    first = next(iter(described["classes"]), None)
    asks = described["conditional"] and first is not None
    return (TRANSLATE if sides else DRAW).format(
        quoted=shlex.quote(name),
        literal=repr(name),
        label=" --label all" if asks else "",
        python_label=f", label={first!r}" if asks else "",
        directions=f" --to {sides[-1]} --reconstruct" if len(sides) > 1 else "",
    )


def _data_rows(record: Facts) -> Iterator[tuple[str, str]]:
    data = record["data"]
    yield "name", data["name"]
    yield "source", data.get("source", "unknown")
    yield "licence", data["licence"]
    if data.get("restriction"):
        yield "derivatives", f"its terms forbid them: {data['restriction']}"
    counts = ", ".join(f"{data[part]:,} for {part}" for part in ("validation", "test") if part in data)
    yield "items", f"{data['train']:,} to train on" + (f"; {counts}" if counts else "")
    yield "shape", _shape(data)
    if data.get("classes"):
        yield "classes", ", ".join(map(str, data["classes"][:30])) + (" …" if len(data["classes"]) > 30 else "")
    yield "shows people", "yes" if shows_people(record) else "not said by whoever trained it, which doesn't mean no"
    if data.get("fingerprint"):
        yield "fingerprint", f"SHA-256 {data['fingerprint']}"


def _training(record: Facts, described: Facts, report: Facts) -> str:
    rows = [("trained", f"{described['images']:,} images shown, seed {record['seed']}, {record['precision']}")]
    rows += [("went back", sentence) for sentence in went_back(report.get("returns", []))]
    rows += [("computed on", _machine(record["machine"]))] if "machine" in record else []
    if "config" not in record:
        return _table(iter(rows))
    settings = json.dumps(record["config"], ensure_ascii=False, indent=1)
    return f"{_table(iter(rows))}\n\n<details><summary>Settings</summary>\n\n```json\n{settings}\n```\n\n</details>"


def _machine(machine: Facts) -> str:
    """Of the machine and the software what the record holds."""
    kinds = ("device", "processor", "cores", "processes", "threads", "system", "python", "torch")
    return ", ".join(f"{kind} {machine[kind]}" for kind in kinds if kind in machine)


def _figures(report: Facts) -> str:
    """A table of figures with 95 % intervals beside the same of real data, or a sentence where nothing was measured."""
    rows = [(label(measure, 0), measure, figure_of(report, section, measure)) for section, measure in FIGURES]
    rows.append(("accuracy of its classifier on test data", "accuracy", figure_of(report, "classifier", "accuracy")))
    lines = [
        f"| {name} | {with_interval(figure, 'value', measure)} | {with_interval(figure, 'null', measure)} "
        f"| {figure.get('n')} |"
        for name, measure, figure in rows if figure
    ]  # fmt: skip
    if not lines:
        return "Nothing could be measured."
    return "\n".join(["| figure | samples [95 %] | real against real [95 %] | n |", "|---|---|---|---|", *lines])


def _table(rows: Iterator[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {prose(value)} |" for name, value in rows)])


def prose(text: object) -> str:
    """A text of somebody's as one line that neither Markdown's tables nor HTML take for their own."""
    line = " ".join(str(text).encode("utf-8", "replace").decode().split())
    return html.escape(line, quote=False).replace("|", "\\|")


def _shape(data: Facts) -> str:
    return "x".join(map(str, data["shape"])) + (" pixels" if len(data["shape"]) == 3 else " numbers")


__all__ = ["card", "prose"]
