"""Content Credentials: a signed claim in a file, or beside it, of what made it (C2PA, offline).

Contexts, signers, builders and readers of the library are made anew for each file.  That costs half a millisecond and
leaves nothing that threads could share, a fork could inherit or a renewed identity could miss.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from elegan.errors import UserError
from elegan.provenance import canonical, containers
from elegan.provenance.claim import Claim, KnownParent, claim, is_own, unreadable
from elegan.provenance.identity import identity, is_certificate, known_root
from elegan.provenance.label import Label
from elegan.provenance.manifest import Parent, covering, definition, ingredient

__all__ = [
    "EMBEDS", "Claim", "KnownParent", "Parent", "available", "mime_of", "read", "sidecar", "sign", "sign_archive",
]  # fmt: skip

EMBEDS = ("image/png", "image/jpeg", "image/webp", "image/gif", "video/mp4", "audio/wav")
"""What can hold its own credentials."""
MIMES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".mp4": "video/mp4", ".wav": "audio/wav", ".zip": "application/zip",
}  # fmt: skip
ANY = "application/octet-stream"
ARCHIVES = {"application/zip": "zip"}
"""The library knows archives by another name than everyone."""
SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
"""Nothing is ever asked of the network, not even by a file that names an address; no second picture in the file."""
MAX_CALLS = 3_000_000


class _Stream(io.BytesIO):
    """Content for the library, which must come to an end: files are easily made that are read a byte at a time."""

    calls = 0

    def readinto(self, buffer: Any, /) -> int:
        self._count()
        return super().readinto(buffer)

    def seek(self, place: int, whence: int = 0, /) -> int:
        self._count()
        return super().seek(place, whence)

    @property
    def spent(self) -> bool:
        return self.calls > MAX_CALLS

    def _count(self) -> None:
        self.calls += 1
        if self.spent:
            raise OSError("The file takes too many steps to read.")


def available() -> bool:
    """Whether files can be signed and read here: the packages c2pa-python and cryptography are installed."""
    try:
        _library()
    except UserError:
        return False
    return True


def mime_of(name: str) -> str | None:
    """The kind of file that a name's ending stands for, where such a file can hold its own credentials."""
    return next((mime for suffix, mime in MIMES.items() if name.lower().endswith(suffix)), None)


def sign(content: bytes, mime: str, label: Label, parents: Sequence[Parent] = ()) -> bytes:
    """The file with a signed manifest in it, some 5 kB more and what the parents' own credentials take.

    ``mime`` is one of EMBEDS.  Raises UserError for another, content that isn't of that kind, an identity that can't
    be used, and where the packages are missing.
    """
    if mime not in EMBEDS:
        raise UserError(f'A file of type "{mime}" can\'t hold its own credentials; sign {", ".join(EMBEDS)}.')
    signed, _ = _sign(content, mime, label, parents)
    return signed


def sign_archive(content: bytes, label: Label) -> bytes:
    """A .zip of many files, each stored and not compressed, with one signed manifest over all of them.

    No file can be changed, added, renamed or taken away without notice; a file taken out has no credentials.
    Raises UserError as ``sign`` does.
    """
    signed, _ = _sign(content, "application/zip", label)
    return signed


def sidecar(content: bytes, label: Label, parents: Sequence[Parent] = ()) -> bytes:
    """A signed manifest to lie beside a file that can't hold it (arrays, tables, text, weights): "name.ext.c2pa".

    It is of the content's hash, so that it speaks for these bytes alone.  Raises UserError for an empty file, and as
    ``sign`` does.
    """
    _, manifest = _sign(content, ANY, label, parents, embed=False)
    return manifest


def read(content: bytes, mime: str | None, sidecar: bytes | None = None, anchors: Sequence[bytes] = ()) -> Claim | None:
    """What the file's credentials claim, in it or in its sidecar; None where there are none.

    Trust is this user's own root's, where there is one, and that of the anchors (PEM).  Content may be anything at
    all: a manifest that can't be made out is an invalid claim.  An address where the credentials are said to lie is
    not looked up.  Raises UserError for anchors that are no issuers' certificates, an own root that can't be read, and
    where the packages are missing.

    Stricter than C2PA, in that a manifest of elegan's is invalid once any of its bytes, or of those that C2PA's hash
    passes over, was changed; and anyone's once its padding was.
    """
    kind = ANY if sidecar is not None else _kind(content) or mime or ""
    if sidecar is None and not containers.traces(content, kind):
        return None
    c2pa, stream = _library(), _Stream(content)
    try:
        with (
            c2pa.Context.from_dict(_settings(anchors)) as context,
            c2pa.Reader(ARCHIVES.get(kind, kind), stream, sidecar, context) as reader,
        ):
            return _strictly(json.loads(reader.json()), content, kind, sidecar)
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported) as error:
        displaced = sidecar is not None or stream.spent or containers.displaced(content, kind)
        return unreadable(str(error)) if displaced else None
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        return unreadable(str(error))


def _strictly(report: dict[str, Any], content: bytes, kind: str, sidecar: bytes | None) -> Claim:
    """The report's claim, invalid as well where a byte was changed that C2PA leaves open."""
    found, slot = claim(report), None if sidecar is not None else containers.slot(content, kind)
    store = slot.manifest if slot else sidecar or b""
    found = replace(found, fingerprint=canonical.fingerprint(store))
    if found.state == "invalid":
        return found
    problems = canonical.padding(store)
    if is_own(report):
        placed = slot is not None or sidecar is not None
        problems += canonical.changes(store, slot, content, kind) if placed else (canonical.PLACE,)
    return replace(found, state="invalid", problems=found.problems + problems) if problems else found


def _library() -> Any:
    """The module c2pa, with cryptography beside it.  Raises UserError where one can't be imported."""
    try:
        import_module("cryptography.x509")
        return import_module("c2pa")
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError(
            f'Content Credentials need more packages; install them with: pip install "elegan[provenance]" ({error}).'
        ) from error


def _settings(anchors: Sequence[bytes]) -> dict[str, Any]:
    for anchor in anchors:
        if not is_certificate(anchor):
            raise UserError("An anchor is no issuer's certificate; give those in PEM, as root.pem is.")
    roots = [root for root in (known_root(), *anchors) if root]
    trust = {"trust": {"trust_anchors": b"\n".join(roots).decode()}} if roots else {}
    return {**SETTINGS, **trust}


def _sign(
    content: bytes, mime: str, label: Label, parents: Sequence[Parent] = (), embed: bool = True
) -> tuple[bytes, bytes]:
    """The signed file, and its manifest."""
    c2pa, own = _library(), identity()
    if not content:
        raise UserError("An empty file can't be signed; there is nothing in it to speak for.")
    facts, rest = definition(label, parents), containers.unhashed(content, mime) if embed else None
    facts = facts if rest is None else covering(facts, rest)
    information = c2pa.C2paSignerInfo("es256", own.certificates, own.key, None)
    target = io.BytesIO()
    try:
        with (
            c2pa.Context.from_dict(_settings(())) as context,
            c2pa.Signer.from_info(information) as signer,
            c2pa.Builder(facts, context) as builder,
        ):
            for number, parent in enumerate(parents):
                _add(c2pa, builder, parent, ingredient(parent, number, len(parents)))
            if not embed:
                builder.set_no_embed()
            manifest = builder.sign(signer, ARCHIVES.get(mime, mime), _Stream(content), target)
    except c2pa.C2paError as error:
        raise UserError(f'The file can\'t be signed as "{mime}": {error}.') from error
    return target.getvalue(), manifest


def _add(c2pa: Any, builder: Any, parent: Parent, facts: dict[str, Any]) -> None:
    """Take a parent in, with its credentials; one that can't be made out is taken in by its hash alone."""
    try:
        builder.add_ingredient(facts, _kind(parent.content) or parent.mime, _Stream(parent.content))
    except c2pa.C2paError:
        builder.add_ingredient(facts, ANY, io.BytesIO(parent.content))


def _kind(content: bytes) -> str | None:
    """The type that the content's first bytes tell; names lie."""
    if content[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12])
    if content[4:8] == b"ftyp":
        return "video/mp4"
    starts = {
        b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif",
        b"PK": "application/zip",
    }  # fmt: skip
    return next((mime for start, mime in starts.items() if content.startswith(start)), None)
