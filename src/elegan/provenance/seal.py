"""The last steps of every file that elegan makes: its signature, its place on the disk, its line in the registry."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elegan.errors import UserError
from elegan.files import FULL, write_atomically
from elegan.provenance import credentials, registry
from elegan.provenance.label import Label
from elegan.provenance.manifest import Parent
from elegan.provenance.registry import Made

Picture = NDArray[np.uint8]
SIDECAR = ".c2pa"
"""Beside a file NAME that can't hold its own credentials lies NAME.c2pa."""
LABEL, CREDENTIALS, WATERMARK, REGISTRY = "label", "credentials", "watermark", "registry"


@dataclass(frozen=True)
class Sealed:
    """What a file says of its making, and what it can't say and why."""

    layers: tuple[str, ...] = ()
    """Of "label", "credentials", "watermark", "registry"."""
    missing: tuple[str, ...] = ()
    """A sentence for each layer that should be there and isn't."""

    def facts(self) -> dict[str, list[str]]:
        """For a command's JSON."""
        return {"layers": list(self.layers), "missing": list(self.missing)}


def together(sealed: Iterable[Sealed]) -> Sealed:
    """What all of some files have, and what any of them lacks; nothing of no files."""
    found = list(sealed)
    layers = [layer for layer in (found[0].layers if found else ()) if all(layer in one.layers for one in found)]
    return Sealed(tuple(layers), tuple(dict.fromkeys(sentence for one in found for sentence in one.missing)))


def seal(
    path: Path,
    content: bytes,
    label: Label,
    pictures: Sequence[tuple[Picture, int | None]] = (),
    *,
    parents: Sequence[Parent] = (),
    layers: Sequence[str] = (LABEL,),
) -> Sealed:
    """Sign a file's content, write it, and remember the pictures [H, W, C] in it with their numbers among the samples.

    ``layers`` are those that the content has already.  What can't be signed or remembered is written all the same, and
    the result says why.  Raises UserError where nothing can be written; a full disk stays an OSError.
    """
    content, beside, missing = signed(path.name, content, label, parents)
    _write(path, content, beside)
    found = [*layers, *([] if missing else [CREDENTIALS])]
    if pictures:
        kept = registry.remember([Made(label, content, pixels, index) for pixels, index in pictures])
        found += [REGISTRY] if kept else []
        missing += () if kept else ("It isn't in the registry, which can't be written.",)
    return Sealed(tuple(found), missing)


def signed(
    name: str, content: bytes, label: Label, parents: Sequence[Parent] = ()
) -> tuple[bytes, bytes | None, tuple[str, ...]]:
    """A file's content with its credentials in it, or with those that are to lie beside it, or why it has none."""
    mime = credentials.mime_of(name)
    try:
        if mime in credentials.EMBEDS:
            return credentials.sign(content, mime, label, parents), None, ()
        if mime in credentials.ARCHIVES:
            return credentials.sign_archive(content, label), None, ()
        return content, credentials.sidecar(content, label, parents), ()
    except (UserError, OSError) as error:
        return content, None, (f"It isn't signed: {str(error).rstrip('.')}.",)


def _write(path: Path, content: bytes, beside: bytes | None) -> None:
    """Write atomically, making folders on the way; old credentials never lie beside new content."""
    sidecar = path.with_name(path.name + SIDECAR)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sidecar.unlink(missing_ok=True)
        write_atomically(path, content)
        if beside is not None:
            write_atomically(sidecar, beside)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise UserError(f'"{path}" can\'t be written: {(error.strerror or str(error)).lower()}.') from error
