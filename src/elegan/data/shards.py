"""Shards: uncompressed tar files of samples that share a key, ``000017.jpg`` beside ``000017.cls``, as webdataset
writes them.  Images are read where they lie, so that all of them can be shuffled and none need be decoded first."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from elegan.data.found import BadFile, EncodedFile, Found, JoinedFiles, Stamp, plural, printable, some
from elegan.data.layout import PART_FOLDERS
from elegan.data.shard_index import CLASS, JSON, TEXT, Index, indexed
from elegan.data.tar_index import DamagedTar, read_at
from elegan.errors import UserError
from elegan.progress import reported

ENDING = ".tar"
WILD = re.compile(r"[*?\[{]")
BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST_SHARDS = 100_000


def is_pattern(data: str) -> bool:
    """Whether a name stands for many shards, as ``train-{000..099}.tar`` and ``*.tar`` do."""
    return data.endswith(ENDING) and bool(WILD.search(data))


def expand(pattern: str) -> list[Path]:
    """The shards that a pattern of braces, ``*``, ``?`` and ``[]`` stands for, in the order of their names.

    Raises UserError when there are none, or when one that braces name is missing.
    """
    names = [Path(name) for name in _braces(str(Path(pattern).expanduser()))]
    paths = [path for name in names for path in _matching(name)]
    missing = [path for path in paths if not path.is_file()]
    if missing or not paths:
        which = f"{some(missing, 3)} is not there" if missing else "no file matches it"
        raise UserError(f"The shards {printable(pattern)} can't be found: {which}; check the pattern.")
    return list(dict.fromkeys(paths))


def _matching(name: Path) -> list[Path]:
    if not re.search(r"[*?\[]", str(name)):
        return [name]
    root = Path(name.anchor)
    return sorted(root.glob(str(name.relative_to(root))))


def _braces(pattern: str) -> Iterator[str]:
    """Every name that {000..099} and {a,b} stand for, as a shell spells them out."""
    fixed = BRACES.split(pattern)
    choices = [_choices(text) for text in fixed[1::2]]
    if prod(len(choice) for choice in choices) > MOST_SHARDS:
        raise UserError(
            f"The pattern {printable(pattern)} stands for more than {MOST_SHARDS:,} shards; check its braces."
        )
    for chosen in product(*choices):
        yield "".join(text + choice for text, choice in zip(fixed[::2], (*chosen, ""), strict=True))


def _choices(text: str) -> list[str]:
    if not (match := RANGE.fullmatch(text)):
        return text.split(",")
    width = len(match[1]) if match[1].startswith("0") else 0
    numbers = range(int(match[1]), int(match[2]) + 1)[: MOST_SHARDS + 1]  # a typo may announce billions
    return [f"{number:0{width}d}" for number in numbers]


class ShardFiles(JoinedFiles):
    """The images of all shards, a few numbers for each; the file is made when it is asked for."""

    def __init__(self, shards: Sequence[Index]) -> None:
        super().__init__(map(len, shards), lambda number, row: _file(shards[number], row))


def _file(shard: Index, row: int) -> EncodedFile:
    offset, size = int(shard.offsets[row]), int(shard.sizes[row])

    def read() -> bytes:
        return read_at(shard.path, shard.stamp, offset, size)

    def stamp() -> Stamp:
        return size, shard.stamp[1]

    return EncodedFile(f"{shard.path.name}/{shard.names[row].decode('utf-8', 'replace')}", read, stamp)


def open_shards(paths: Sequence[Path], name: str, source: str) -> Found | None:
    """The images of some shards with their labels; None where no archive holds a sample in webdataset's manner.

    A shard that is damaged or cut short is a bad file.
    """
    shards, bad = [], []
    for path in reported(paths, len(paths), "Indexing shards:"):
        try:
            shards.append(indexed(path))
        except DamagedTar:
            bad.append(BadFile(str(path), "a shard that is damaged, cut short or compressed"))
    if not shards and bad:
        raise UserError(f"The shards {some(bad)} can't be used; copy or download them again, as plain .tar files.")
    if not any(len(shard) for shard in shards):
        return None
    found = Found(name, source, ShardFiles(shards), bad=bad)
    _note_left_out(found, shards)
    _add_labels(found, shards)
    _add_parts(found, shards)
    return found


def _note_left_out(found: Found, shards: Sequence[Index]) -> None:
    found.notes.append(f"{plural(len(shards), 'shard')} with {plural(len(found.images), 'image')}.")
    without, more = (sum(getattr(shard, name) for shard in shards) for name in ("without_image", "more_images"))
    if without:
        found.notes.append(f"Left out, for they hold no image: {plural(without, 'sample')}.")
    if more:
        found.notes.append(f"The first image was taken of {plural(more, 'sample')} that hold several.")


def _add_labels(found: Found, shards: Sequence[Index]) -> None:
    """Labels where every sample has one of a kind: .cls before .json before .txt; captions are no labels."""
    total = len(found.images)
    for kind, ending in ((CLASS, ".cls"), (JSON, '.json with "label"'), (TEXT, ".txt")):
        labels = [label for shard in shards for label in shard.labels(kind)]
        if not labels:
            continue
        if len(labels) < total:
            found.notes.append(f"Only {len(labels):,} of {total:,} samples have a {ending}, so these are no labels.")
        elif kind == TEXT and len(set(labels)) > total / 2:
            found.notes.append("The .txt of most samples differ, so they were taken for captions, not for classes.")
        else:
            found.labels = np.array([label.decode("utf-8", "replace") for label in labels])
            return


def _add_parts(found: Found, shards: Sequence[Index]) -> None:
    """Train, validation and test where the shards' names or folders begin so, ``val-0001.tar`` say."""
    parts = [_part(shard.path) for shard in shards]
    if "train" in parts and len(set(parts)) > 1 and "" not in parts:
        found.parts = np.repeat(parts, [len(shard) for shard in shards])
        counts = Counter(parts)
        kept = ", ".join(f"{part} {plural(count, 'shard')}" for part, count in counts.items())
        found.notes.append(f"The parts were kept as the shards' names say: {kept}.")


def _part(path: Path) -> str:
    words = (re.split(r"[^a-z]", path.name.lower())[0], path.parent.name.lower())
    return next((PART_FOLDERS[word] for word in words if word in PART_FOLDERS), "")
