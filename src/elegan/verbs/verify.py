"""`elegan verify`: what files say of their own making."""

from collections import Counter
from collections.abc import Callable, Sequence
from os import PathLike, fspath
from os.path import commonpath
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from elegan.errors import UserError
from elegan.provenance import Label
from elegan.provenance.claim import Claim, KnownParent
from elegan.provenance.evidence import HINT, STATUS, Evidence, examine, kind_of
from elegan.provenance.identity import is_certificate
from elegan.provenance.marking import DIGITS
from elegan.provenance.registry import Match
from elegan.provenance.seal import SIDECAR
from elegan.provenance.watermark import FOUND, Mark
from elegan.provenance.write import CONTENTS

GRAVEST = ("TAMPERED", "CONFLICT", "NO_EVIDENCE", "LABEL", "REGISTRY", "WATERMARK", "SIGNED_UNKNOWN", "SIGNED_TRUSTED")
"""Of several files the first of these that occurs is the conclusion."""
SPEAKING = {
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".mp4", ".wav", ".npz", ".npy", ".zip", ".onnx",
}  # fmt: skip

Input = str | PathLike[str]
Progress = Callable[[int, int], None]


def verify(
    files: Input | Sequence[Input], *, trust: Input | Sequence[Input] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Look at files, and at all in folders, for signatures, labels, this user's watermark, and the registry's entries.

    Nothing leaves the machine.  ``trust`` names root certificates (.pem) of others to trust; ``progress(done, of)`` is
    called before each file.  Of folders those files are looked at that hold media, arrays or models, that are signed,
    and that a signed list names.  Returns ``{"conclusion", "status", "files": [...], "passed_over"}``: the gravest
    conclusion, its exit status, of each file all layers, and the number of other files; a file that can't be read has
    an "error" instead, and makes the status 2.  Raises UserError where nothing is named, a name isn't there, or a
    certificate is none.
    """
    anchors = [_certificate(path) for path in _paths(trust)]
    paths, passed_over = _files(_paths(files))
    found = []
    for index, path in enumerate(paths):
        if progress:
            progress(index, len(paths))
        found.append(_looked_at(path, anchors))
    codes = {str(one["conclusion"]) for one in found if "conclusion" in one}
    conclusion = next((code for code in GRAVEST if code in codes), None)
    failed = any("error" in one for one in found)
    return {
        "conclusion": conclusion,
        "status": 2 if failed or conclusion is None else STATUS[conclusion],
        "files": found,
        "passed_over": passed_over,
    }


def _paths(names: Input | Sequence[Input]) -> list[Path]:
    listed = [names] if isinstance(names, str | PathLike) else list(names)
    return [Path(fspath(name)).expanduser() for name in listed]


def _files(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """The files that were named and those in folders that can say something, and the number of the others."""
    if not paths:
        raise UserError("No file is named; elegan verify FILE... takes files, and folders of them.")
    found, others = list[Path](), 0
    for path in paths:
        if not path.exists():
            raise UserError(f"{path} doesn't exist; name files, or folders of them.")
        inside = [file for file in sorted(path.rglob("*")) if file.is_file()] if path.is_dir() else [path]
        speaking = [file for file in inside if not path.is_dir() or _speaks(file)]
        if not speaking:
            raise UserError(f"{path} holds no pictures, films, arrays or models; name files, or folders of them.")
        others += len(inside) - len(speaking)
        found += speaking
    return list(dict.fromkeys(found)), others


def _speaks(file: Path) -> bool:
    """Whether a file in a folder can be expected to say how it was made."""
    return file.suffix.lower() in SPEAKING or file.name == CONTENTS or file.with_name(file.name + SIDECAR).exists()


def _certificate(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f'--trust "{path}" can\'t be read: {(error.strerror or str(error)).lower()}.') from error
    if not is_certificate(content):
        raise UserError(f'--trust "{path}" is no issuer\'s certificate; give a .pem file of those alone.')
    return content


def _looked_at(path: Path, anchors: Sequence[bytes]) -> dict[str, Any]:
    try:
        return facts(examine(path, anchors))
    except UserError as error:
        return {"file": str(path), "error": str(error)}


def shown(text: str) -> str:
    """A stranger's text in one line, without what would move a terminal's cursor or turn its writing round."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def facts(found: Evidence) -> dict[str, Any]:
    """One file's evidence for programs."""
    return {
        "file": str(found.path),
        "sha256": found.sha256,
        "conclusion": found.conclusion,
        "sentence": shown(found.sentence()),
        "credentials": found.claim and _of_claim(found.claim, found.signed_in),
        "label": found.label and _of_label(found.label),
        "watermark": found.mark and _of_mark(found.mark, found.marked),
        "registry": found.match and _of_match(found.match),
        "conflicts": [shown(sentence) for sentence in found.conflicts],
        "notes": {layer: shown(sentence) for layer, sentence in found.notes.items()},
    }


def _of_claim(claim: Claim, where: str) -> dict[str, Any]:
    return {
        "state": claim.state, "in": where, "signer": shown(claim.signer), "fingerprint": claim.fingerprint,
        "says": shown(kind_of(claim.digital_source_type)), "generator": shown(claim.claim_generator),
        "model": shown(claim.model), "run": shown(claim.run), "weights_sha256": claim.weights_sha256,
        "seed": claim.seed, "created": shown(claim.created), "identifier": shown(claim.identifier),
        "parents": [_of_parent(parent) for parent in claim.parents], "problems": list(map(shown, claim.problems)),
    }  # fmt: skip


def _of_parent(parent: KnownParent) -> dict[str, Any]:
    return {
        "title": shown(parent.title), "sha256": parent.sha256, "signer": shown(parent.signer),
        "says": shown(kind_of(parent.digital_source_type)) if parent.signer else "",
        "problems": list(map(shown, parent.problems)),
    }  # fmt: skip


def _of_label(label: Label) -> dict[str, Any]:
    return {
        "says": shown(kind_of(label.digital_source_type)), "generator": shown(label.generator),
        "run": shown(label.run), "weights_sha256": label.weights_sha256 and shown(label.weights_sha256),
        "seed": label.seed, "created": shown(label.created), "identifier": shown(label.identifier),
    }  # fmt: skip


def _of_mark(mark: Mark, found: bool) -> dict[str, Any]:
    return {
        "found": found, "p": mark.p, "matches": mark.matches, "bits": mark.bits, "searched": mark.searched,
        "weights": None if mark.payload is None else f"{mark.payload:0{DIGITS}x}",
    }  # fmt: skip


def _of_match(match: Match) -> dict[str, Any]:
    entry = match.entry
    return {
        "kind": match.kind, "run": shown(entry.run), "model": shown(entry.model), "seed": entry.seed,
        "index": entry.index, "weights_sha256": entry.weights_sha256, "time": entry.time, "distance": match.distance,
        "false_matches": match.false_matches,
    }  # fmt: skip


def table(done: dict[str, Any]) -> Table:
    """A row a file, the files' names from the folder on that they share."""
    names = [Path(one["file"]) for one in done["files"]]
    shared = Path(commonpath([name.parent for name in names]))
    rows = Table(box=None, pad_edge=False, caption=_summary(done), caption_justify="left")
    for heading in ("file", "signed", "watermark", "registry", "conclusion"):
        rows.add_column(heading, overflow="fold")
    for name, one in zip(names, done["files"], strict=True):
        cells = ["", "", "", one["error"]] if "error" in one else [*_cells(one), one["conclusion"]]
        rows.add_row(*map(Text, [shown(str(name.relative_to(shared))), *cells]))
    return rows


def _summary(done: dict[str, Any]) -> str:
    """How many files have which conclusion, and what chance alone does to many files."""
    counts = Counter(one.get("conclusion", "can't be read") for one in done["files"])
    told = ", ".join(f"{count:,} {code}" for code, count in counts.most_common())
    told += f"; {done['passed_over']:,} other files passed over" if done["passed_over"] else ""
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
