"""`elegan models`: the street's table of contents."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from elegan.models import MODELS

if TYPE_CHECKING:
    from rich.table import Table


def list_models() -> list[dict[str, Any]]:
    """Every model: name, title, paper, year, arXiv number and state.  Torch isn't imported."""
    entries = [{"name": name, **asdict(entry)} for name, entry in MODELS.items()]
    return [{key: value for key, value in entry.items() if key != "where"} for entry in entries]


def table(models: list[dict[str, Any]]) -> "Table":
    """The list as a table for the terminal."""
    from rich.table import Table

    sheet = Table("model", "what it is", "paper", "state", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    sheet.columns[0].style = "bold"
    for model in models:
        authors = model["paper"].split(",")[0]
        paper = f"{authors}, {model['year']}\narXiv:{model['arxiv']}"
        sheet.add_row(model["name"], model["title"], paper, model["state"])
    return sheet
