"""What a file says of its own making, layer by layer, and what follows from all of it together.

Nothing here says "real": without evidence a file is only without evidence.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from elegan.errors import UserError
from elegan.provenance import credentials, registry, watermark
from elegan.provenance.claim import Claim
from elegan.provenance.frames import MOST_BYTES, frames_of
from elegan.provenance.label import Label, is_generated
from elegan.provenance.read import read_label
from elegan.provenance.registry import Match
from elegan.provenance.seal import SIDECAR, Picture
from elegan.provenance.watermark import Mark
from elegan.provenance.write import CONTENTS

SHRUNK = watermark.SMALLEST // 2
"""Pixels of the shorter side: what was marked may have been made smaller since."""
HINT = 1e-3
"""A watermark's p below this is said; only below the watermark's own bound does it count as found."""
STATUS = {
    "SIGNED_TRUSTED": 0, "NO_EVIDENCE": 1, "SIGNED_UNKNOWN": 3, "WATERMARK": 4, "REGISTRY": 5, "LABEL": 6,
    "CONFLICT": 7, "TAMPERED": 8,
}  # fmt: skip
"""The conclusions, and the exit status that each has; 2 is for what can't be read."""


@dataclass(frozen=True)
class Evidence:
    """All that was found of one file."""

    path: Path
    sha256: str
    claim: Claim | None = None
    signed_in: str = ""
    """Where the credentials were: "the file", or the name of what lies beside it."""
    label: Label | None = None
    mark: Mark | None = None
    match: Match | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    """Layers that couldn't be looked at, and why."""
    conflicts: tuple[str, ...] = ()

    @property
    def conclusion(self) -> str:
        """The strongest layer's code, unless layers contradict each other or the file was changed."""
        if self.claim and self.claim.state == "invalid":
            return "TAMPERED"
        if self.conflicts:
            return "CONFLICT"
        if self.claim:
            return "SIGNED_TRUSTED" if self.claim.state == "trusted" else "SIGNED_UNKNOWN"
        if self.marked:
            return "WATERMARK"
        if self.match:
            return "REGISTRY"
        return "LABEL" if self.label and is_generated(self.label.digital_source_type) else "NO_EVIDENCE"

    @property
    def marked(self) -> bool:
        """Whether this user's watermark was found."""
        return self.mark is not None and self.mark.p < watermark.FOUND

    @property
    def made_here(self) -> bool:
        """Whether the watermark or the registry knows it for sure."""
        return self.marked or (self.match is not None and self.match.kind != "likeness")

    def sentence(self) -> str:
        """The conclusion for a person."""
        if self.conclusion == "TAMPERED":
            return "It isn't as it was signed."
        if self.conclusion == "CONFLICT":
            return f"Its layers contradict each other: {'; '.join(self.conflicts)}."
        if self.claim:
            says = kind_of(self.claim.digital_source_type)
            if self.claim.expired:
                return (
                    f"Signed, by a certificate that has run out since, so that nobody vouches for it any more: {says}."
                )
            if self.claim.state == "trusted":
                return f"Signed, and the signer is trusted here: {says}."
            return f"Signed by an unknown signer, who could be anyone, and who says: {says}."
        if self.conclusion == "WATERMARK" and self.mark:
            unsaid = "  Whether it is signed wasn't looked at." if "credentials" in self.notes else ""
            return f"This user's watermark is in it (p = {self.mark.p:.1g}): it was made here.{unsaid}"
        if self.match:
            return self.match.sentence()
        if self.conclusion == "LABEL":
            return "A label says that it was generated; it isn't signed, so anyone could have written it."
        return "No evidence of how it was made was found, which doesn't mean that it is real."


def examine(path: Path, anchors: Sequence[bytes] = ()) -> Evidence:
    """Look at every layer of a file.  ``anchors`` are root certificates (PEM) to trust beside this user's own.

    Raises UserError for a file that can't be read; a layer that can't be is a note.
    """
    content = _content(path)
    sha256, notes = hashlib.sha256(content).hexdigest(), dict[str, str]()
    claim, where = _look("credentials", notes, lambda: _claim(path, content, sha256, anchors)) or (None, "")
    label = _look("label", notes, lambda: read_label(path))
    frames = _look("pictures", notes, lambda: frames_of(path)) or []
    match = _look("registry", notes, lambda: _match(content, frames))
    mark = _look("watermark", notes, lambda: _mark(frames, notes))
    found = Evidence(path, sha256, claim, where, label, mark, match, notes)
    listed = sorted(_hashes(content)) if path.name == CONTENTS else []
    missing = [name for name in listed if not path.with_name(Path(name).name).exists()]
    gone = [f"{len(missing):,} files that it lists are missing, {missing[0]} first"] if missing else []
    return replace(found, conflicts=(*_conflicts(found), *gone))


Found = TypeVar("Found")


def _look(layer: str, notes: dict[str, str], at: Callable[[], Found]) -> Found | None:
    """What is found in a layer; None, and a note, where it can't be looked at."""
    try:
        return at()
    except UserError as error:
        notes[layer] = str(error)
        return None


def _match(content: bytes, frames: Sequence[Picture]) -> Match | None:
    """What the registry knows of the file, or else of the first of its pictures that it knows."""
    found = (registry.find(content if index == 0 else None, frame) for index, frame in enumerate([None, *frames]))
    return next(filter(None, found), None)


def _mark(frames: Sequence[Picture], notes: dict[str, str]) -> Mark | None:
    """This user's watermark in the pictures; None, and mostly a note, where there is nothing to look at."""
    if not frames:
        return None
    key = watermark.known_key()
    if key is None:
        notes["watermark"] = "There is no key here to look for one with."
        return None
    if min(frames[0].shape[:2]) < SHRUNK:
        notes["watermark"] = f"Pictures below {SHRUNK} pixels a side can't hold one."
        return None
    return watermark.detect_many(frames, [key], thorough=len(frames) == 1)


def _claim(path: Path, content: bytes, sha256: str, anchors: Sequence[bytes]) -> tuple[Claim | None, str]:
    """The credentials in a file, else beside it, and where they were; those of its folder's signed list where there
    are no others, and where the list knows better."""
    own, where = credentials.read(content, credentials.mime_of(path.name), None, anchors), "the file"
    sidecar = path.with_name(path.name + SIDECAR)
    if own is None and sidecar.is_file():
        own, where = credentials.read(content, None, _content(sidecar), anchors), sidecar.name
    listed = _in_list(path, sha256, anchors)
    return (listed, CONTENTS) if listed and (own is None or listed.state == "invalid") else (own, where)


def _in_list(path: Path, sha256: str, anchors: Sequence[bytes]) -> Claim | None:
    """The claim of a signed list that names this file, invalid where the list knows other bytes under this name."""
    listing = path.with_name(CONTENTS)
    if path == listing or not (listing.is_file() and listing.with_name(CONTENTS + SIDECAR).is_file()):
        return None
    hashes, claim = _listing(listing, listing.stat().st_mtime_ns, tuple(anchors))
    if claim is None or path.name not in hashes:
        return None
    if hashes[path.name] != sha256:
        return replace(claim, state="invalid", problems=(*claim.problems, "contents.hash.mismatch"))
    return claim


@lru_cache(maxsize=8)
def _listing(listing: Path, modified: int, anchors: tuple[bytes, ...]) -> tuple[dict[str, str], Claim | None]:
    """What a signed list says, and its claim; the time of its last change is there so that it is read once."""
    content = _content(listing)
    claim = credentials.read(content, None, _content(listing.with_name(CONTENTS + SIDECAR)), anchors)
    return _hashes(content), claim


def _hashes(content: bytes) -> dict[str, str]:
    """The SHA-256 of each file that a list names; none of what is no list."""
    try:
        hashes = json.loads(content)["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _conflicts(found: Evidence) -> Iterator[str]:
    """Sentences' halves about layers that can't all be true."""
    claim, label, match = found.claim, found.label, found.match
    if claim and claim.state != "invalid":
        generated = is_generated(claim.digital_source_type)
        if not generated and (found.made_here or (label and is_generated(label.digital_source_type))):
            yield f"the signature says {kind_of(claim.digital_source_type)}, and other layers that it was generated"
        elif claim.state == "valid" and found.made_here and not claim.parents:
            yield "an unknown signer claims it as their own, and it was made here"
        if generated and label and label.digital_source_type != claim.digital_source_type:
            yield f"signature and label differ: {kind_of(label.digital_source_type)}, says the label"
    if label and match and match.kind != "likeness":
        ours = match.entry.weights_sha256
        if label.weights_sha256 and ours and label.weights_sha256 != ours:
            yield "the label names other weights than the registry"
    if label and not is_generated(label.digital_source_type) and found.made_here and not claim:
        yield f"its label says {kind_of(label.digital_source_type)}, and it was made here"


def kind_of(uri: str) -> str:
    """A digital source type for a person: the last word of the URI."""
    return uri.rstrip("/").rpartition("/")[2] or "nothing of how it was made"


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise UserError(f'"{path}" is no ordinary file; name files, or folders of them.')
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f'"{path}" is larger than {MOST_BYTES // 2**20:,} MB, more than verify reads.')
        return content
    except OSError as error:
        raise UserError(f'"{path}" can\'t be read: {(error.strerror or str(error)).lower()}.') from error


__all__ = ["HINT", "STATUS", "Evidence", "examine", "kind_of"]
