"""The result for people: a table, and under it what one must know to read it."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from elegan.verbs.benchmarking.figures import Figure

COLUMNS = ("images/s", "plain", "ratio", "TFLOP/s", "ceiling", "MB", "step 1", "picture")


def table(result: dict[str, Any]) -> RenderableType:
    """The figures as medians, some over their least and most, and the circumstances as sentences."""
    sheet = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    sheet.add_column("model", style="bold")
    for name in COLUMNS:
        sheet.add_column(name, justify="right", no_wrap=True)
    for model in result["models"]:
        sheet.add_row(model["name"] + ("*" if model["one_pass"] else ""), *_cells(model))
    return Group(sheet, "", *_notes(result))


def _cells(model: dict[str, Any]) -> Iterator[str]:
    plain = model["plain"] or {}
    yield _spread(model["images_per_second"])
    yield _spread(plain.get("images_per_second"))
    yield _spread(model["ratio"])
    yield _middle(model["speed"])
    yield _middle(model["share_of_ceiling"], " %")
    yield _middle(model["peak_memory"])
    yield _middle(model["first_step"], " s")
    yield _middle(model["first_picture"], " s")


def _spread(found: Figure | None) -> str:
    """The median, and on a line under it the least and the most of several rounds."""
    ends = f"\n[dim]{_short(found['min'])}–{_short(found['max'])}[/]" if found and found["rounds"] > 1 else ""
    return _middle(found) + ends


def _middle(found: Figure | None, unit: str = "") -> str:
    return "–" if found is None else _short(found["value"]) + unit


def _notes(result: dict[str, Any]) -> Iterator[str]:
    machine, load, first = result["machine"], result["load"], result["models"][0]
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    rounds = first["images_per_second"]["rounds"]
    yield (
        f"Medians (least–most) of {rounds} round{'s' * (rounds != 1)}; whole steps of {first['batch']} images of "
        f"{first['size']} pixels a side, {first['channels']} channel{'s' * (first['channels'] != 1)}; {threads} on "
        f"{machine['cores']} cores; torch {result['torch']}."
    )
    used = dict.fromkeys(model["ceiling"] for model in result["models"])
    tops = ", ".join(f"{name} {_middle(result['ceilings'][name])}" for name in used)
    yield f"ceiling: the share of what the machine does at most, in TFLOP/s: {tops}."
    yield "MB: the most memory of the training process.  step 1, picture: seconds from Enter until they are there."
    if any(model["plain"] for model in result["models"]):
        yield "plain: the same networks and losses by the usual PyTorch step, by turns with elegan's, and the ratio."
    if any(model["one_pass"] for model in result["models"]):
        yield "*: elegan judges real and generated images in one pass, the plain step one after the other."
    if load["quiet"] is None:
        yield "Whether the machine was quiet can't be seen on this system."
    elif not load["quiet"]:
        yield (
            f"The machine was not quiet: other programs kept {load['others_busy_before']} cores busy before and "
            f"{load['others_busy_during']} while it was measured.  Measure again when it is."
        )


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
