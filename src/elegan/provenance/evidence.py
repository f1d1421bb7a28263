"""What a file says of its own making, layer by layer, and what follows from all of it together.

Nothing here says "real": without evidence a file is only without evidence.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from elegan.errors import UserError
from elegan.provenance import credentials, registry, watermark
from elegan.provenance.claim import Claim
from elegan.provenance.frames import frames_of
from elegan.provenance.label import Label, is_generated
from elegan.provenance.read import read_label
from elegan.provenance.registry import Match
from elegan.provenance.seal import SIDECAR
from elegan.provenance.watermark import Mark
from elegan.provenance.write import CONTENTS

SHRUNK = watermark.SMALLEST // 2
"""Pixels of the shorter side: what was marked may have been made smaller since."""
HINT = 1e-3
"""A watermark's p below this is said; only below the watermark's own bound does it count as found."""
MOST_BYTES = 2**30
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
    notes: tuple[str, ...] = ()
    """What couldn't be looked at, and why."""
    conflicts: tuple[str, ...] = field(default=())

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
            return f"This user's watermark is in it (p = {self.mark.p:.1g}): it was made here."
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
    found = Evidence(path, hashlib.sha256(content).hexdigest())
    notes: list[str] = []
    try:
        claim, where = claim_of(path, content, found.sha256, anchors)
        found = replace(found, claim=claim, signed_in=where)
    except UserError as error:
        notes.append(f"Credentials weren't looked for: {error}")
    try:
        found = replace(found, label=read_label(path))
    except UserError as error:
        notes.append(f"No label can be read: {error}")
    try:
        frames = frames_of(path)
    except UserError as error:
        frames = []
        notes.append(f"The pictures in it can't be seen: {error}")
    try:
        found = replace(found, match=registry.find(content, frames[0] if len(frames) == 1 else None))
    except UserError as error:
        notes.append(f"The registry wasn't asked: {error}")
    if (key := _key(notes)) is not None and frames and min(frames[0].shape[:2]) >= SHRUNK:
        found = replace(found, mark=watermark.detect_many(frames, [key], thorough=len(frames) == 1))
    return replace(found, notes=tuple(notes), conflicts=tuple(_conflicts(found)))


def _key(notes: list[str]) -> bytes | None:
    try:
        return watermark.known_key()
    except UserError as error:
        notes.append(f"No watermark was looked for: {error}")
        return None


def claim_of(path: Path, content: bytes, sha256: str, anchors: Sequence[bytes]) -> tuple[Claim | None, str]:
    """The credentials in a file, or beside it, or those of the signed list of its folder; and where they were."""
    sidecar = path.with_name(path.name + SIDECAR)
    if sidecar.is_file():
        return credentials.read(content, None, _content(sidecar), anchors), sidecar.name
    claim = credentials.read(content, credentials.mime_of(path.name), None, anchors)
    return (claim, "the file") if claim else _listed(path, sha256, anchors)


def _listed(path: Path, sha256: str, anchors: Sequence[bytes]) -> tuple[Claim | None, str]:
    """The claim of a signed list that names this file, invalid where the list knows other bytes under this name."""
    listing = path.with_name(CONTENTS)
    sidecar = listing.with_name(CONTENTS + SIDECAR)
    if path == listing or not (listing.is_file() and sidecar.is_file()):
        return None, ""
    content = _content(listing)
    try:
        hashes = json.loads(content)["sha256"]
        known = hashes.get(path.name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, ""
    if known is None:
        return None, ""
    claim = credentials.read(content, None, _content(sidecar), anchors)
    if claim and known != sha256:
        claim = replace(claim, state="invalid", problems=(*claim.problems, "contents.hash.mismatch"))
    return claim, CONTENTS


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
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f'"{path}" is larger than {MOST_BYTES // 2**20:,} MB, more than verify reads.')
        return path.read_bytes()
    except OSError as error:
        raise UserError(f'"{path}" can\'t be read: {(error.strerror or str(error)).lower()}.') from error


__all__ = ["HINT", "STATUS", "Evidence", "examine", "kind_of"]
