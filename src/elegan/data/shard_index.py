"""The index of one shard: where each sample's image lies, and its labels; made once and kept in the cache folder."""

import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np

from elegan.data.cache_folder import cache_folder
from elegan.data.found import Stamp, is_hidden
from elegan.data.images import SUFFIXES
from elegan.data.tar_index import Member, members, read_at, stamp_of
from elegan.files import write_atomically

VERSION = 1
KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
"""A key is a member's name up to the first dot of its last part; the rest says what the member is."""
CLASS, JSON, TEXT = "cls", "json", "txt"
KINDS = (CLASS, JSON, TEXT)
LONGEST_FILE, LONGEST_LABEL = 2**20, 120
"""Longer files are not looked at, and longer texts are no labels: in bytes."""
ARRAYS = ("names", "offsets", "sizes", *KINDS)


@dataclass(frozen=True, eq=False)
class Index:
    """The images of one shard in its order."""

    path: Path
    stamp: Stamp
    names: np.ndarray
    """UTF-8 bytes [N]."""
    offsets: np.ndarray
    sizes: np.ndarray
    """int64 [N], in bytes."""
    texts: dict[str, np.ndarray]
    """Kind → UTF-8 bytes [N], empty where a sample has none."""
    without_image: int
    more_images: int

    def __len__(self) -> int:
        return len(self.names)

    def labels(self, kind: str) -> list[bytes]:
        """The labels of one kind that are there."""
        return [text for text in self.texts[kind].tolist() if text]


def indexed(path: Path) -> Index:
    """The index of a shard, read from the cache folder or made and kept there.

    Raises DamagedTar for a shard that is damaged, cut short or compressed, and OSError when it can't be read.
    """
    path = path.resolve()
    stamp = stamp_of(path)
    place = cache_folder() / "indices" / f"{blake2b(str(path).encode(), digest_size=16).hexdigest()}.npz"
    if kept := _load(place, path, stamp):
        return kept
    made = _make(path, stamp)
    _save(place, made)
    return made


def _make(path: Path, stamp: Stamp) -> Index:
    rows: list[tuple[str, int, int, dict[str, str]]] = []
    without = more = 0
    for _, members_of_one in groupby(_visible(members(path)), key=lambda pair: pair[0]):
        sample = [(ending.lower(), member) for _, ending, member in members_of_one]
        images = sorted((pair for pair in sample if _is_image(pair[0])), key=lambda pair: pair[0].count("."))
        without += not images
        more += len(images) > 1
        if images:
            image = images[0][1]
            rows.append((image.name, image.offset, image.size, _texts(path, stamp, sample)))
    texts = {kind: np.array([row[3].get(kind, "").encode() for row in rows], np.bytes_) for kind in KINDS}
    return Index(
        path, stamp, np.array([row[0].encode("utf-8", "replace") for row in rows], np.bytes_),
        np.array([row[1] for row in rows], np.int64), np.array([row[2] for row in rows], np.int64),
        texts, without, more,
    )  # fmt: skip


def _visible(found: Iterable[Member]) -> Iterable[tuple[str, str, Member]]:
    """(key, what it is, member) of all members but an operating system's litter."""
    for member in found:
        match = KEY.fullmatch(member.name)
        if match and not is_hidden(member.name):
            yield match[1], match[2], member


def _is_image(ending: str) -> bool:
    return PurePosixPath(f"a.{ending}").suffix in SUFFIXES


def _texts(path: Path, stamp: Stamp, sample: Sequence[tuple[str, Member]]) -> dict[str, str]:
    texts = {}
    for ending, member in sample:
        if ending in KINDS and member.size <= LONGEST_FILE:
            text = read_at(path, stamp, member.offset, member.size).decode("utf-8", "replace")
            texts[ending] = _label_in(text) if ending == JSON else text.strip()
    return {kind: text for kind, text in texts.items() if len(text.encode()) <= LONGEST_LABEL}


def _label_in(text: str) -> str:
    """The "label" of a JSON object, where it is a name or a number."""
    try:
        record = json.loads(text)
    except ValueError:
        return ""
    label = record.get("label") if isinstance(record, dict) else None
    return str(label).strip() if isinstance(label, str | int) and not isinstance(label, bool) else ""


def _load(place: Path, path: Path, stamp: Stamp) -> Index | None:
    """A kept index, unless it is of another time, another version, or damaged."""
    try:
        with np.load(place, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in ARRAYS}
            version, *counts = (int(number) for number in kept["numbers"])
    except Exception:  # a damaged file can make NumPy raise anything
        return None
    if version != VERSION or tuple(counts[:2]) != stamp or len({len(array) for array in arrays.values()}) != 1:
        return None
    texts = {kind: arrays[kind] for kind in KINDS}
    return Index(path, stamp, arrays["names"], arrays["offsets"], arrays["sizes"], texts, *counts[2:])


def _save(place: Path, index: Index) -> None:
    numbers = np.array([VERSION, *index.stamp, index.without_image, index.more_images], np.int64)
    content = io.BytesIO()
    texts = {kind: index.texts[kind] for kind in KINDS}
    np.savez(
        content, allow_pickle=False, names=index.names, offsets=index.offsets, sizes=index.sizes, numbers=numbers,
        **texts,
    )  # fmt: skip
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, content.getvalue())
    except OSError:  # the cache only saves time
        return
