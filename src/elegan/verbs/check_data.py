"""`elegan data check`: what a data source holds, what training would make of it, and what is wrong."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from PIL.Image import Image
    from rich.table import Table

    from elegan.data import BadFile, Data
    from elegan.data.found import EncodedFile
    from elegan.provenance import Label

ROWS, COLUMNS = 12, 8
LARGEST_CELL = 128
KEPT = {
    "memory": "in memory",
    "disk": "decoded, in a file on the disk",
    "files": "where they are; decoded when they are drawn",
    "stream": "nowhere; the stream is read while training",
}
"""What each tier means, in the table's words."""
SHOWN = 10
"""So many problems are listed in the table; the JSON has them all."""


def check_data(
    path: str, *, size: str | int | None = None, skip_bad: bool = False, sheet: str | None = None
) -> dict[str, Any]:
    """Read everything once and report it: facts, notes, and every problem instead of the first alone.

    Of images too many for memory only a sample is decoded, and nothing is written; "tier" says where training
    would keep them, and "decoded_per_second" how many images a second this machine decodes.  "ok" says whether
    training would accept the data; "problems" why not, "skipped" which files ``skip_bad`` leaves out.  ``sheet``
    is a .png file for a picture of what training would see, labelled as generated where files that it shows say that
    they are.  Raises UserError for a sheet that can't be written, and with it for an $ELEGAN_PROFILE that there isn't.
    """
    from elegan.data import decoding_speed, read_data
    from elegan.errors import UserError
    from elegan.provenance import checked_profile

    target, profile = _sheet_path(sheet), checked_profile(None) if sheet else ""
    bad: list[BadFile] = []
    report: dict[str, Any] = {"path": path, "problems": [], "skipped": []}
    try:
        data = read_data(path, size=size, skipped=bad, keep=False)
        report |= _facts(data)
        report["decoded_per_second"] = decoding_speed(path, data)
        if target:
            label = sheet_label(_labels(path, data, {file.name for file in bad}), profile)
            report |= _write(picture_sheet(data), target, label)
    except UserError as error:
        report["problems"].append(str(error))
    report["skipped" if skip_bad else "problems"] += [str(file) for file in bad]
    return {"ok": not report["problems"], **report}


def _facts(data: "Data") -> dict[str, Any]:
    facts = data.describe()
    if data.labels is not None:
        members = [data.labels == index for index in range(len(data.classes))]
        facts["classes"] = {name: int(mask.sum()) for name, mask in zip(data.classes, members, strict=True)}
    return facts


def picture_sheet(data: "Data") -> "Image":
    """A row of items a class, a grid where there are no classes, or dots for points."""
    import numpy as np

    from elegan import pictures

    if not data.is_image:
        return pictures.scatter(
            data.items[np.arange(min(len(data), 5_000))], None if data.modes is None else data.modes.centres
        )
    rows = [np.stack([_small(item) for item in data.items[chosen]]) for chosen in _shown(data)]
    if data.labels is None:
        return pictures.grid(rows[0], COLUMNS)
    return pictures.contact_sheet(rows, [data.classes[index] for index in _classes(data)])


def _shown(data: "Data") -> "list[np.ndarray]":
    """Which images the sheet shows: int64 indices, a row a class, or all in one."""
    import numpy as np

    def spread(rows: "np.ndarray", most: int) -> "np.ndarray":
        return rows[np.linspace(0, len(rows) - 1, min(most, len(rows)), dtype=np.int64)]

    if data.labels is None:
        return [spread(np.arange(len(data)), COLUMNS * COLUMNS)]
    return [spread(np.flatnonzero(data.labels == index), COLUMNS) for index in _classes(data)]


def _classes(data: "Data") -> "np.ndarray":
    """The classes that the sheet has a row for."""
    import numpy as np

    assert data.labels is not None
    return np.unique(data.labels[data.labels >= 0])[:ROWS]


def sheet_label(said: "Sequence[Label | None]", profile: str) -> "Label | None":
    """What a sheet says that shows files which say this of themselves; None where none is said to be generated."""
    from elegan import __version__
    from elegan.provenance import COMPOSITE, TRAINED, Label
    from elegan.provenance.label import is_generated

    made = [label for label in said if label is not None and is_generated(label.digital_source_type)]
    if not made:
        return None
    alone = len(made) == len(said) and not any("/composite" in label.digital_source_type for label in made)
    weights = {label.weights_sha256 for label in made}
    return Label(
        f"elegan {__version__} data-check", weights.pop() if len(weights) == 1 else None, profile=profile,
        digital_source_type=TRAINED if alone else COMPOSITE,
    )  # fmt: skip


def _labels(path: str, data: "Data", bad: set[str]) -> "list[Label | None]":
    """What the files of the images on the sheet say of themselves; of data from elsewhere nothing is known."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import numpy as np

    from elegan.data.found import EncodedFile
    from elegan.data.opening import find

    place = Path(path).expanduser()
    if not data.is_image or not place.exists():
        return []
    found = find(path)
    if isinstance(found.images, np.ndarray):
        return [_label_of(EncodedFile(place.name, place.read_bytes), place.parent, place)]
    files = [file for file in found.images if data.tier != "memory" or file.name not in bad]
    rows = np.concatenate(_shown(data))
    if len(files) != len(data):  # the two sides of a translation aren't in the order of the files
        rows = np.linspace(0, len(files) - 1, len(rows), dtype=np.int64)
    with TemporaryDirectory() as folder:
        return [_label_of(files[row], place, Path(folder)) for row in rows]


def _label_of(file: "EncodedFile", source: "Path", spare: "Path") -> "Label | None":
    """What a file in a folder says, or one out of an archive, by a copy in the spare folder.

    None, too, where that can't be read: training doesn't need it.
    """
    from elegan.data.images import Unreadable
    from elegan.errors import UserError
    from elegan.provenance import read_label

    try:
        if (there := source / file.name).is_file():
            return read_label(there)
        copy = spare / f"copy.{file.name.rpartition('.')[2]}"
        copy.write_bytes(file.read())
        return read_label(copy)
    except (UserError, Unreadable, OSError):
        return None


def _small(item: Any) -> Any:
    """An item uint8 [H, W, C], reduced where a sheet of it would be huge."""
    import numpy as np

    from elegan.pictures import to_image

    image = to_image(item)
    image.thumbnail((LARGEST_CELL, LARGEST_CELL))
    return np.asarray(image).reshape(image.height, image.width, -1)


def _sheet_path(sheet: str | None) -> "Path | None":
    from pathlib import Path

    from elegan.errors import UserError

    if sheet is None:
        return None
    path = Path(sheet).expanduser()
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise UserError(f"The sheet can't be written to {sheet}; give a .png file in a folder that exists.")
    return path


def _write(picture: "Image", path: "Path", label: "Label | None") -> dict[str, Any]:
    """Write the sheet, labelled or, of the user's own pictures, plain; what to report of it."""
    from io import BytesIO

    from elegan.files import write_atomically
    from elegan.provenance import NO_SAMPLES, write_image

    if label is not None:
        sealed = write_image(picture, path, label, NO_SAMPLES)
        return {"sheet": str(path), "provenance": sealed.facts()}
    content = BytesIO()
    picture.save(content, "PNG")
    write_atomically(path, content.getvalue())
    return {"sheet": str(path)}


def table(report: dict[str, Any]) -> "Table":
    """The report for the terminal: facts first, then what is done, then what is wrong."""
    from rich.markup import escape
    from rich.table import Table

    sheet = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    sheet.add_column(style="bold")
    sheet.add_column(overflow="fold")
    for name, value in _lines(report):
        sheet.add_row(name, escape(value))
    return sheet


def _lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("data", report["path"])]
    if "items" in report:
        sides = "x".join(str(side) for side in report["shape"])
        parts = ", ".join(f"{part} {report[part]:,}" for part in ("train", "validation", "test"))
        lines += [("items", f"{report['items']:,} of {sides} ({parts})"), ("licence", report["licence"])]
        lines += [("fingerprint", report["fingerprint"][:16]), ("kept", KEPT[report["tier"]])]
    if report.get("decoded_per_second"):
        lines.append(("decoding", f"{report['decoded_per_second']:,.0f} images a second"))
    if report.get("classes"):
        counts = [f"{name} {count:,}" for name, count in report["classes"].items()]
        lines.append(("classes", _first(counts, ", ")))
    lines += [("note", note) for note in report.get("notes", ())]
    if report["skipped"]:
        lines.append(("left out", _first(report["skipped"], "\n")))
    if report["problems"]:
        lines.append(("problems", _first(report["problems"], "\n")))
    if "sheet" in report:
        lines.append(("sheet", report["sheet"]))
    return [*lines, ("verdict", "ready to train on" if report["ok"] else "not ready: see the problems")]


def _first(entries: list[str], separator: str) -> str:
    more = f"{separator}and {len(entries) - SHOWN:,} more" if len(entries) > SHOWN else ""
    return separator.join(entries[:SHOWN]) + more
