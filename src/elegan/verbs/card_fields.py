"""The fields at the head of a model card, as the hub reads them (huggingface.co/docs/hub/model-cards)."""

from collections.abc import Mapping
from typing import Any

from elegan.data.hub import PREFIX
from elegan.data.hub_stream import PREFIX as STREAM_PREFIX
from elegan.data.licence import spdx
from elegan.evaluation.labels import label
from elegan.evaluation.wording import shown
from elegan.models import find

Facts = Mapping[str, Any]
"""What run.json, generator.json and report.json hold."""
INDEXED = {"kernel_distance": "kid", "frechet_distance": "fd", "coverage": "coverage", "precision": "precision"}
"""The measures that the model index names, and their types there."""
LICENSE = "LICENSE"
"""The file beside an exported card that says which terms hold."""


def fields(name: str, record: Facts, report: Facts, *, exported: bool) -> dict[str, object]:
    """Licence, task, tags, hub data and figures of a run; ``exported`` cards have a file LICENSE beside them."""
    licence, task = str(record["data"]["licence"]), _task(record)
    known = spdx(licence)
    people = ["depicts-people"] if shows_people(record) else []
    return {
        "license": "other" if known is None else known.lower(),
        "license_name": licence if known is None else None,
        "license_link": LICENSE if known is None and exported else None,
        "library_name": "elegan",
        "pipeline_tag": task,
        "tags": list(dict.fromkeys(["gan", str(record["model"]), "ai-generated", *people])),
        "datasets": _hub_data(record),
        "model-index": _index(name, record, report, task or "other"),
    }


def _task(record: Facts) -> str | None:
    """The hub's name for what the run does; None where it has none, as for points."""
    game = find(str(record["model"]))
    if len(record["data"]["shape"]) < 3:
        return None
    if game.translations:
        return "image-to-image"
    return "image-classification" if game.classifies else "unconditional-image-generation"


def _hub_data(record: Facts) -> list[str]:
    asked = str(record.get("asked", {}).get("data", ""))
    prefix = next((prefix for prefix in (PREFIX, STREAM_PREFIX) if asked.startswith(prefix)), None)
    return [] if prefix is None else [asked.removeprefix(prefix).partition(":")[0]]


def _index(name: str, record: Facts, report: Facts, task: str) -> list[object]:
    """The referee's figures as the hub's model index; empty where nothing could be measured."""
    metrics = [_metric(kind, label(measure, 0), measure, figure_of(report, "fidelity", measure))
               for measure, kind in INDEXED.items()]  # fmt: skip
    metrics.append(_metric("accuracy", "accuracy", "accuracy", figure_of(report, "classifier", "accuracy")))
    found = [metric for metric in metrics if metric]
    known_as = str(record["data"]["name"])
    where = {"type": (*_hub_data(record), known_as)[0], "name": known_as}
    return [{"name": name, "results": [{"task": {"type": task}, "dataset": where, "metrics": found}]}] if found else []


def _metric(kind: str, said: str, measure: str, figure: Facts) -> dict[str, object] | None:
    value = figure.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    null = f"real against real {with_interval(figure, 'null', measure)}"
    facts = [f"n = {figure.get('n')}", *([null] if figure.get("null") not in (None, "NaN") else [])]
    facts += [f"features {figure['features']}"] if figure.get("features") else []
    return {"type": kind, "value": float(f"{value:.6g}"), "name": f"{said} ({'; '.join(facts)})"}


def figure_of(report: Facts, section: str, measure: str) -> Facts:
    """A figure of a report with its null and n; empty where there is none."""
    found = report.get(section)
    figure = found.get(measure) if isinstance(found, Mapping) else None
    return figure if isinstance(figure, Mapping) else {}


def with_interval(figure: Facts, key: str, measure: str) -> str:
    """ "0.97 [0.93, 0.99]"; a dash for what there isn't."""
    value, ends = figure.get(key), figure.get("interval" if key == "value" else "null_interval")
    if value in (None, "NaN"):
        return "–"
    if not isinstance(ends, list) or "NaN" in ends:
        return shown(value, measure)
    return f"{shown(value, measure)} [{', '.join(shown(end, measure).removesuffix(' %') for end in ends)}]"


def shows_people(record: Facts) -> bool:
    """Whether whoever trained it said that its data show people."""
    return bool(record.get("asked", {}).get("depicts_people"))


__all__ = ["INDEXED", "LICENSE", "Facts", "fields", "figure_of", "shows_people", "with_interval"]
