"""`elegan verify`: what files say of their own making."""

from collections import Counter
from collections.abc import Sequence
from os import PathLike, fspath
from os.path import commonpath
from pathlib import Path
from typing import Any

from rich.table import Table

from elegan.errors import UserError
from elegan.provenance import Label
from elegan.provenance.claim import Claim
from elegan.provenance.evidence import HINT, STATUS, Evidence, examine, kind_of
from elegan.provenance.identity import is_certificate
from elegan.provenance.marking import DIGITS
from elegan.provenance.registry import Match
from elegan.provenance.seal import SIDECAR
from elegan.provenance.watermark import FOUND, Mark

GRAVEST = ("TAMPERED", "CONFLICT", "NO_EVIDENCE", "LABEL", "REGISTRY", "WATERMARK", "SIGNED_UNKNOWN", "SIGNED_TRUSTED")
"""Of several files the first of these that occurs is the conclusion."""
Input = str | PathLike[str]


def verify(files: Input | Sequence[Input], *, trust: Input | Sequence[Input] = ()) -> dict[str, Any]:
    """Look at files, and at all in folders, for signatures, labels, this user's watermark, and the registry's entries.

    Nothing leaves the machine.  ``trust`` names root certificates (.pem) of others to trust.  Returns
    ``{"conclusion", "status", "files": [...]}``: the gravest conclusion, its exit status, and of each file
    all layers; a file that can't be read has an "error" instead, and makes the status 2.  Raises UserError where
    nothing is named, a name isn't there, or a certificate is none.
    """
    anchors = [_certificate(path) for path in _paths(trust)]
    found = [_looked_at(path, anchors) for path in _files(_paths(files))]
    codes = {str(one["conclusion"]) for one in found if "conclusion" in one}
    conclusion = next((code for code in GRAVEST if code in codes), None)
    failed = any("error" in one for one in found)
    return {
        "conclusion": conclusion,
        "status": 2 if failed or conclusion is None else STATUS[conclusion],
        "files": found,
    }


def _paths(names: Input | Sequence[Input]) -> list[Path]:
    listed = [names] if isinstance(names, str | PathLike) else list(names)
    return [Path(fspath(name)).expanduser() for name in listed]


def _files(paths: Sequence[Path]) -> list[Path]:
    """The files that were named and those in folders; what lies beside a file to sign it speaks with the file."""
    if not paths:
        raise UserError("No file is named; elegan verify FILE... takes files, and folders of them.")
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} doesn't exist; name files, or folders of them.")
        inside = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        if path.is_dir():
            inside = [file for file in inside if file.suffix != SIDECAR and not file.name.startswith(".")]
        if not inside:
            raise UserError(f"{path} holds no files; name files, or folders of them.")
        found += inside
    return list(dict.fromkeys(found))


def _certificate(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f'--trust "{path}" can\'t be read: {(error.strerror or str(error)).lower()}.') from error
    if not is_certificate(content):
        raise UserError(f'--trust "{path}" is no certificate; give the signer\'s root as a .pem file.')
    return content


def _looked_at(path: Path, anchors: Sequence[bytes]) -> dict[str, Any]:
    try:
        return facts(examine(path, anchors))
    except UserError as error:
        return {"file": str(path), "error": str(error)}


def facts(found: Evidence) -> dict[str, Any]:
    """One file's evidence for programs."""
    return {
        "file": str(found.path),
        "sha256": found.sha256,
        "conclusion": found.conclusion,
        "sentence": found.sentence(),
        "credentials": found.claim and _of_claim(found.claim, found.signed_in),
        "label": found.label and _of_label(found.label),
        "watermark": found.mark and _of_mark(found.mark, found.marked),
        "registry": found.match and _of_match(found.match),
        "conflicts": list(found.conflicts),
        "notes": list(found.notes),
    }


def _of_claim(claim: Claim, where: str) -> dict[str, Any]:
    return {
        "state": claim.state, "in": where, "signer": claim.signer, "says": kind_of(claim.digital_source_type),
        "generator": claim.claim_generator, "model": claim.model, "run": claim.run,
        "weights_sha256": claim.weights_sha256, "seed": claim.seed, "created": claim.created,
        "identifier": claim.identifier, "parents": [parent.title for parent in claim.parents],
        "problems": list(claim.problems),
    }  # fmt: skip


def _of_label(label: Label) -> dict[str, Any]:
    return {
        "says": kind_of(label.digital_source_type), "generator": label.generator, "run": label.run,
        "weights_sha256": label.weights_sha256, "seed": label.seed, "created": label.created,
        "identifier": label.identifier,
    }  # fmt: skip


def _of_mark(mark: Mark, found: bool) -> dict[str, Any]:
    return {
        "found": found, "p": mark.p, "matches": mark.matches, "bits": mark.bits, "searched": mark.searched,
        "weights": None if mark.payload is None else f"{mark.payload:0{DIGITS}x}",
    }  # fmt: skip


def _of_match(match: Match) -> dict[str, Any]:
    entry = match.entry
    return {
        "kind": match.kind, "run": entry.run, "model": entry.model, "seed": entry.seed, "index": entry.index,
        "weights_sha256": entry.weights_sha256, "time": entry.time, "distance": match.distance,
        "false_matches": match.false_matches,
    }  # fmt: skip


def table(done: dict[str, Any]) -> Table:
    """A row a file, the files' names from the folder on that they share."""
    names = [Path(one["file"]) for one in done["files"]]
    shared = Path(commonpath([name.parent for name in names]))
    shown = Table(box=None, pad_edge=False, caption=_summary(done), caption_justify="left")
    for heading in ("file", "signed", "watermark", "registry", "conclusion"):
        shown.add_column(heading, overflow="fold")
    for name, one in zip(names, done["files"], strict=True):
        cells = ["", "", "", one["error"]] if "error" in one else [*_cells(one), one["conclusion"]]
        shown.add_row(str(name.relative_to(shared)), *cells)
    return shown


def _summary(done: dict[str, Any]) -> str:
    """How many files have which conclusion, and what chance alone does to many files."""
    counts = Counter(one.get("conclusion", "can't be read") for one in done["files"])
    told = ", ".join(f"{count:,} {code}" for code, count in counts.most_common())
    searched = sum(one.get("watermark") is not None for one in done["files"])
    if searched < 2:
        return f"{told}."
    return f"{told}.  Of {searched:,} files without a watermark {searched * FOUND:.1g} would seem to have one."


def _cells(one: dict[str, Any]) -> list[str]:
    claim, mark, match = (one[name] for name in ("credentials", "watermark", "registry"))
    said = "–"
    if mark:
        p = f"p = {mark['p']:.1g}"
        said = p if mark["p"] < FOUND else f"{p}, inconclusive" if mark["p"] < HINT else "none"
    return [
        {"trusted": "trusted", "valid": "unknown signer", "invalid": "broken"}[claim["state"]] if claim else "–",
        said,
        match["kind"] if match else "–",
    ]


__all__ = ["facts", "table", "verify"]
