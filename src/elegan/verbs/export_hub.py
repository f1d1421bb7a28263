"""`elegan export --format hub`: a run as a folder that can be uploaded to a hub of models as it is."""

import html
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from elegan.data.found import printable
from elegan.data.licence import is_unknown, spdx
from elegan.errors import UserError
from elegan.files import FULL, write_atomically
from elegan.json_values import as_json
from elegan.provenance import TRAINED_DATA, Sealed, seal
from elegan.verbs.card import card
from elegan.verbs.card_fields import LICENSE
from elegan.verbs.run import Run, load_run, write_json
from elegan.verbs.unfinished import unfinished

WEIGHTS = "generator.safetensors"
APACHE = "https://www.apache.org/licenses/LICENSE-2.0"
TERMS = """\
The weights in this folder, {weights}, were trained on these data:

  name     {name}
  source   {source}
  licence  {licence}
{more}
No other licence comes with the weights.  What the licence of the data asks for, naming their authors say, is asked of
whoever uses or passes on the weights, too, as far as it reaches them.

elegan, the program that made and loads them, is licensed under Apache-2.0: {apache}
"""


def export_hub(run: str | PathLike[str], out: Path, *, declared: bool = False) -> dict[str, Any]:
    """Write the folder ``out``: model card, weights and their credentials, how to rebuild the networks around them, how
    the run was made and judged, its samples, and a file LICENSE.

    The folder appears whole or not at all, and ``elegan.load`` opens it.  Paths of this machine are reduced to the
    data's name.  ``declared`` is the exporter's word for having the right to publish what was trained on data of
    unknown licence, or whose terms forbid derivatives; it is written into the card.

    Raises UserError for a run that isn't one, isn't finished or diverged, without ``declared`` for such data, and where
    the folder is there already or can't be written; a full disk stays an OSError.
    """
    trained = load_run(run)
    _refuse_folder(out)
    _refuse_run(trained)
    if (why := against_publishing(trained.record)) and not declared:
        raise UserError(
            f"{trained.path} isn't exported, for {why}: publishing what was trained on them may not be yours to do; if "
            "you have the right, say so with --i-have-rights."
        )
    with _whole(out) as partial:
        sealed = _write(trained, partial, declared)
        load_run(partial).game  # noqa: B018  what can't be loaded isn't published
        files = sorted(entry.name for entry in partial.iterdir())
    return {
        "out": str(out), "format": "hub", "files": files, "licence": trained.record["data"]["licence"],
        "declared_rights": declared, "weights_sha256": trained.weights_sha256, "provenance": sealed.facts(),
    }  # fmt: skip


def against_publishing(record: Mapping[str, Any]) -> str | None:
    """What in the data's terms stands against publishing what was trained on them; None where nothing is known to."""
    data = record["data"]
    if data.get("restriction"):
        return f"the terms of its data forbid derivatives ({data['restriction']})"
    licence = printable(str(data["licence"]))
    return f'the licence of its data is "{licence}"' if is_unknown(licence) else None


def _refuse_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"--out is {out}, a file; for --format hub it must name a new folder.")
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out} isn't empty; give a new folder to --out.")


def _refuse_run(run: Run) -> None:
    """Raise UserError for a run that isn't finished, has no report or draws no finite numbers."""
    run.weights  # noqa: B018  a run without weights is said in its own words
    if unfinished(run) is not None:
        raise UserError(f"{run.path} isn't finished; the same train command again finishes it.")
    if not run.report:
        raise UserError(f"{run.path} has no report.json that can be read; elegan evaluate {run.path} writes it.")
    if not all(bool(tensor.isfinite().all()) for tensor in run.game.state_dict().values()):
        raise UserError(f"{run.path} diverged: its weights hold numbers that are not finite; train a new run.")


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes ``out`` in the end, and is gone if anything fails."""
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if out.is_dir():
            out.rmdir()  # it is empty, and not every system renames onto a folder
        partial.rename(out)
    except OSError as error:
        if error.errno in FULL:
            error.filename = str(out)
            raise
        raise UserError(f"{out} can't be written: {(error.strerror or str(error)).lower()}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(run: Run, folder: Path, declared: bool) -> Sealed:
    """All files but none of the paths of this machine; what the weights' file has of credentials."""
    record, report = (_public(content, run.record) for content in (run.record, run.report))
    record |= {"declared_rights": True} if declared else {}
    terms = {name: record["data"][name] for name in ("licence", "restriction") if name in record["data"]}
    label = replace(run.label_for(None), digital_source_type=TRAINED_DATA).for_one_file()
    sealed = seal(folder / WEIGHTS, run.weights, label, layers=())
    write_json(folder / "run.json", record)
    write_json(folder / "generator.json", {**run.described, **terms})
    write_json(folder / "report.json", report)
    page, root, name = _read(run, "report.html").decode(), *_here(run.record)
    write_atomically(folder / "report.html", page.replace(html.escape(root), html.escape(name)).encode())
    write_atomically(folder / "contact.png", _read(run, "contact.png"))
    write_atomically(folder / LICENSE, _terms(record, declared).encode())
    text = card(run.path.resolve().name, record, run.described, report, exported=True, declared=declared)
    write_atomically(folder / "README.md", text.encode())
    return sealed


def _read(run: Run, name: str) -> bytes:
    """A file of the run; raises UserError where it is missing."""
    try:
        return (run.path / name).read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{run.path} has no {name}; elegan evaluate and the train command write all files.") from error


def _public(content: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """The same without the folders in which this machine keeps the data."""
    root, name = (json.dumps(text, ensure_ascii=False)[1:-1] for text in _here(record))
    plain = json.dumps(as_json(content), ensure_ascii=False, allow_nan=False)
    found: dict[str, Any] = json.loads(plain.replace(root, name))
    return found


def _here(record: Mapping[str, Any]) -> tuple[str, str]:
    """The path of the data on this machine, and what is said in its place; the same twice for what has no path."""
    asked = str(record["asked"].get("data", record["data"]["name"]))
    return (asked, Path(asked).name) if Path(asked).is_absolute() and Path(asked).name else (asked, asked)


def _terms(record: Mapping[str, Any], declared: bool) -> str:
    """The file LICENSE: which terms hold, and where they can be read."""
    data = {key: printable(" ".join(str(value).split())) for key, value in record["data"].items()}
    known = spdx(data["licence"])
    more = [f"  text     https://spdx.org/licenses/{known}.html"] if known else []
    more += [f"  note     their terms forbid derivatives: {data['restriction']}"] if "restriction" in data else []
    more += ["", "The exporter declared to have the right to publish these weights; nobody checked that."] * declared
    return TERMS.format(
        weights=WEIGHTS, name=data["name"], source=data.get("source", "unknown"), licence=data["licence"],
        more="".join(f"{line}\n" for line in more), apache=APACHE,
    )  # fmt: skip


__all__ = ["against_publishing", "export_hub"]
