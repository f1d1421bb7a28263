"""The pictures of a report: samples beside reals, and what the figures point at."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from elegan.data import Data
from elegan.evaluation.report import Album, ghosts_picture, pairs_picture
from elegan.pictures import contact_sheet, grid, scatter

SHOWN, COLUMNS = 60, 10
MOST_CLASSES, OF_EACH = 20, 8
STRIP, STRIP_SIDE, STRIP_CELL = 14, 240, 96
MOST_EXAMPLES, EXAMPLE_CELL = 12, 92


def pictures_of(
    report: Mapping[str, Any], data: Data, items: np.ndarray, labels: np.ndarray | None
) -> dict[str, Image.Image]:
    """By name, as :func:`elegan.evaluation.report.write_report` wants them; ``labels`` are those asked for."""
    test, test_labels = data.part("test")
    found = _sheets(data, items, labels, test, test_labels) | _strips(data, items, labels, test, test_labels)
    if data.is_image:
        train = data.part("train")[0]
        if pairs := report.get("memorisation", {}).get("pairs"):
            found["pairs"] = pairs_picture(items, train, pairs)
        if ghosts := report.get("support", {}).get("ghosts"):
            found["ghosts"] = ghosts_picture(items, train, ghosts)
    return found


def albums_of(report: Mapping[str, Any], data: Data) -> dict[str, Album]:
    """Real examples of the bins that are missing, scarce or overdone."""
    bins = report.get("bins", {})
    if not data.is_image or not bins:
        return {}
    train, examples = data.part("train")[0], {row["name"]: row["example"] for row in bins["table"]}
    return {
        state: [(name, grid(train[[examples[name]]], 1, cell=EXAMPLE_CELL)) for name in bins[state][:MOST_EXAMPLES]]
        for state in ("missing", "scarce", "overdone")
        if bins.get(state)
    }


def strip_of(items: np.ndarray, labels: np.ndarray | None, classes: int) -> Image.Image:
    """A row of items, classes in turn where there are any; dots for vectors."""
    if items.ndim != 4:
        return scatter(items[:, :2], side=STRIP_SIDE)
    return grid(items[_in_turn(labels, classes, len(items))], STRIP, cell=STRIP_CELL)


def _strips(
    data: Data, items: np.ndarray, labels: np.ndarray | None, test: np.ndarray, test_labels: np.ndarray | None
) -> dict[str, Image.Image]:
    if not data.is_image:
        centres = None if data.modes is None else data.modes.centres[:, :2]
        return {
            name: scatter(part[:, :2], centres, side=STRIP_SIDE)
            for name, part in (("strip", items), ("strip_real", test))
        }
    both = labels is not None and test_labels is not None
    kinds = (("strip", items, labels if both else None), ("strip_real", test, test_labels if both else None))
    return {name: strip_of(part, known, len(data.classes)) for name, part, known in kinds}


def _in_turn(labels: np.ndarray | None, classes: int, n: int) -> np.ndarray:
    """Indices of up to STRIP items: one of class 0, one of class 1, … and again."""
    if labels is None or not classes:
        return np.arange(min(STRIP, n))
    places = [np.flatnonzero(labels == c) for c in range(classes)]
    turns = [int(rows[turn]) for turn in range(STRIP) for rows in places if turn < len(rows)]
    return np.array(turns[:STRIP], np.int64)


def _sheets(
    data: Data, items: np.ndarray, labels: np.ndarray | None, test: np.ndarray, test_labels: np.ndarray | None
) -> dict[str, Image.Image]:
    """Samples beside real items, a row a class where there are classes."""
    if not data.is_image:
        centres = None if data.modes is None else data.modes.centres[:, :2]
        return {"samples": scatter(items[:, :2], centres), "real": scatter(test[:, :2], centres)}
    if labels is None or test_labels is None:
        return {"samples": grid(items[:SHOWN], COLUMNS), "real": grid(test[:SHOWN], COLUMNS)}
    classes = [c for c in range(len(data.classes)) if (test_labels == c).any() and (labels == c).any()][:MOST_CLASSES]
    names = [str(data.classes[c]) for c in classes]
    return {
        "samples": contact_sheet([items[labels == c][:OF_EACH] for c in classes], names),
        "real": contact_sheet([test[test_labels == c][:OF_EACH] for c in classes], names),
    }
