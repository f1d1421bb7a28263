"""The evaluation written down: report.json for programs, and report.html, which opens offline, for people."""

from elegan.evaluation.report.comparison import counted, write_comparison
from elegan.evaluation.report.measures import name_of
from elegan.evaluation.report.sheets import Album, Pictures, ghosts_picture, pairs_picture
from elegan.evaluation.report.writing import write_report

__all__ = [
    "Album", "Pictures", "counted", "ghosts_picture", "name_of", "pairs_picture", "write_comparison", "write_report",
]  # fmt: skip
