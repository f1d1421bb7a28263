"""Data for translators: a folder of two sides, pictures of two halves, or images with their own edges."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from elegan.data.assemble import assemble, refuse_bad
from elegan.data.dataset import PARTS, Data
from elegan.data.decoding import measured
from elegan.data.found import EncodedFile, Found, plural, some
from elegan.data.items import Items
from elegan.data.layout import SIDE
from elegan.data.prepare import prepare, sample_rows
from elegan.data.sizes import Shape
from elegan.data.sources import EdgeSources, Sources, StoredSources
from elegan.errors import UserError, nearest

EDGES, HALVES = "edges", ("left-to-right", "right-to-left")
PAIRS = (EDGES, *HALVES)
"""What ``pair`` may be."""
MEASURED = 4_096


def check_pair(pair: str | None) -> None:
    """Raise UserError for what is no way to make pairs."""
    if pair is not None and pair not in PAIRS:
        raise UserError(f'--pair is "{pair}"; it must be one of {", ".join(PAIRS)}.{nearest(str(pair), PAIRS)}')


def whole_shape(found: Found, shape: Shape | None) -> Shape | None:
    """The size of a picture of which each half is to have this ``shape``; None leaves pictures as they are.

    Raises UserError where they have different sizes and none was asked for.
    """
    if shape is not None:
        return shape[0], 2 * shape[1]
    if not isinstance(found.images, np.ndarray):
        rows = sample_rows(len(found.images), MEASURED)
        if len({measured(found.images[int(row)]) for row in rows} - {None}) > 1:
            raise UserError(f"The pictures in {found.source} have different sizes; give the --size of a half.")
    return None


def with_pairs(data: Data, pair: str | None) -> Data:
    """The data with sources as ``pair`` says."""
    if pair is None:
        return data
    if not data.is_image:
        raise UserError(f"--pair makes pairs of images, and {data.name} holds points; leave it out.")
    if data.sources is not None:
        raise UserError(f"{data.name} has sources of its own; leave --pair out.")
    if pair == EDGES:
        return with_sources(data, EdgeSources(data.items.shape[1:]))
    return _halved(data, pair)


def with_sources(data: Data, sources: Sources) -> Data:
    """The data with these sources, known by a fingerprint of both."""
    both = hashlib.sha256(f"{data.fingerprint} {sources.how} {sources.fingerprint}".encode()).hexdigest()
    return replace(data, sources=sources, fingerprint=both)


class Columns:
    """Some columns of other items: uint8 [N, H, stop - start, C]."""

    def __init__(self, items: Items, start: int, stop: int) -> None:
        self._items, self._columns = items, slice(start, stop)
        self.shape = (*items.shape[:2], stop - start, *items.shape[3:])
        self.dtype = items.dtype

    @property
    def replaced(self) -> dict[int, object]:
        """The images that others stood in for."""
        return getattr(self._items, "replaced", {})

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        return np.ascontiguousarray(self._items[rows][:, :, self._columns])


def _halved(data: Data, pair: str) -> Data:
    if data.endless is not None:
        raise UserError(f"--pair {pair} can't cut what is streamed; copy the data (hf:NAME), or take --pair edges.")
    width = data.items.shape[2]
    if width % 2 or width < 16:
        raise UserError(f"--pair {pair} halves pictures, and these are {width} pixels wide; give the --size of a half.")
    left, right = Columns(data.items, 0, width // 2), Columns(data.items, width // 2, width)
    source, real = (left, right) if pair == HALVES[0] else (right, left)
    stored = StoredSources(source, "", f"{pair} in each picture", in_memory=data.tier == "memory")
    return with_sources(replace(data, items=real), stored)


def open_sides(found: Found, shape: Shape | None, seed: int, *, skip_bad: bool = False, keep: bool = True) -> Data:
    """The data of a folder that holds trainA and trainB: those in B, with those in A as sources.

    They are pairs where both sides hold the same names.  Adds what can't be used to ``found.bad``.
    """
    a, b = _side(found, "A"), _side(found, "B")
    names = set(_keys(a)) ^ set(_keys(b))
    paired = not names
    prepared = prepare(b, shape, skip_bad=skip_bad, keep=keep)
    height, width = prepared.items.shape[1:3]
    of_sources = prepare(a, (height, width), skip_bad=skip_bad, keep=keep)
    found.bad += [*a.bad, *b.bad]
    if not skip_bad:
        refuse_bad(found)
    if found.bad and paired:
        if "files" in (prepared.tier, of_sources.tier):
            raise UserError(f"{found.source} holds pairs that can't be read, {found.bad[0]}; repair or remove them.")
        return _without_bad_pairs(found, shape, seed, keep)
    data, sources = assemble(b, prepared, seed), assemble(a, of_sources, seed)
    parts = None if paired else {part: sources.indices(part) for part in PARTS}
    how = "trainA, of the same names" if paired else "trainA, unpaired"
    stored = StoredSources(of_sources.items, sources.fingerprint, how, parts, of_sources.tier == "memory")
    notes = (*data.notes, *sources.notes, _said(len(sources), len(data), sorted(names)))
    return with_sources(replace(data, notes=tuple(dict.fromkeys(notes))), stored)


def _said(sources: int, items: int, alone: Sequence[tuple[str, str]]) -> str:
    counts = f"A holds {plural(sources, 'image')} and B {plural(items, 'image')}"
    if not alone:
        return f"{counts}, paired by name."
    names = f"{plural(len(alone), 'name')} {'is' if len(alone) == 1 else 'are'} on one side alone"
    return f"{counts}, unpaired: {names}, {some(name for _, name in alone)}."


def _side(found: Found, side: str) -> Found:
    """The images of one side, in the order of their names, so that namesakes have the same place."""
    assert found.parts is not None
    rows = np.flatnonzero(found.sides == side)
    files, parts = [_files(found)[int(row)] for row in rows], found.parts[rows]
    order = sorted(range(len(rows)), key=lambda place: _key(files[place], str(parts[place])))
    return Found(
        found.name, f"{found.source} ({side})", [files[place] for place in order], parts=parts[order],
        licence=found.licence, restriction=found.restriction,
    )  # fmt: skip


def _keys(found: Found) -> list[tuple[str, str]]:
    assert found.parts is not None
    return [_key(file, str(part)) for file, part in zip(_files(found), found.parts, strict=True)]


def _key(file: EncodedFile, part: str) -> tuple[str, str]:
    """An image's part, and its name below the folder of its side without the ending."""
    path = PurePosixPath(file.name)
    place = next(index for index, name in enumerate(path.parts) if SIDE.fullmatch(name))
    return part, "/".join([*path.parts[place + 1 : -1], path.stem])


def _files(found: Found) -> Sequence[EncodedFile]:
    assert not isinstance(found.images, np.ndarray)
    return found.images


def _without_bad_pairs(found: Found, shape: Shape | None, seed: int, keep: bool) -> Data:
    """The same without pairs of which one image can't be used; they stay in ``found.bad``."""
    assert found.parts is not None
    assert found.sides is not None
    bad, keys = {image.name for image in found.bad}, _keys(found)
    lost = {key for file, key in zip(_files(found), keys, strict=True) if file.name in bad}
    kept = [place for place, key in enumerate(keys) if key not in lost]
    files = [_files(found)[place] for place in kept]
    rest = replace(found, images=files, parts=found.parts[kept], sides=found.sides[kept], bad=[])
    return open_sides(rest, shape, seed, keep=keep)


__all__ = ["PAIRS", "check_pair", "open_sides", "whole_shape", "with_pairs", "with_sources"]
