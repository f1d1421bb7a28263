"""From equal images to a data set: classes numbered, parts split, and what was found told in notes."""

from hashlib import blake2b

import numpy as np

from elegan.data.dataset import MOST_IN_PART, PARTS, Data, Split
from elegan.data.fingerprint import READ, fingerprint_of_files
from elegan.data.found import Found, plural, printable, some
from elegan.data.items import LazyItems
from elegan.data.labelled import UNLABELLED
from elegan.data.prepare import Prepared
from elegan.data.split import make_split, scarce
from elegan.errors import UserError

FEWEST = 20


def assemble(found: Found, prepared: Prepared, seed: int) -> Data:
    """Number the labels, split, and say what the user should know.  Raises UserError for fewer than 20 images."""
    items, kept, copies = prepared.items, prepared.kept, prepared.copies
    if len(items) < FEWEST:
        raise UserError(
            f"{found.source} has {plural(len(items), 'usable image')}, and at least {FEWEST} are needed to "
            "train on some and judge by others; add more."
        )
    notes = list(found.notes)
    labels, classes = _number(found, kept, notes)
    numbers = np.zeros(len(items), np.int64) if labels is None else labels - min(0, int(labels.min()))
    few = [] if labels is None else scarce(labels[labels != UNLABELLED], classes)
    if few:
        notes.append(f"Not in every part of the split, for they have fewer than 3 images: {some(few)}.")
    if isinstance(items, np.ndarray) and copies is None:
        copies = len(items) - len({blake2b(item.tobytes(), digest_size=16).digest() for item in items})
    if copies:
        notes.append(f"Of {len(items):,} images, {copies:,} repeat another exactly, maybe in another part.")
    split = make_split(numbers, seed, None if found.parts is None else found.parts[kept])
    if isinstance(items, LazyItems):
        items.groups = _groups(split, numbers)
    known_by = ""
    if prepared.tier != "memory" and not isinstance(found.images, np.ndarray):
        known_by = fingerprint_of_files(found.images, kept, items.shape, labels, classes)
        notes += _notes_of_large(split)
    return Data(
        found.name, items, labels, classes, split, found.licence, found.source, tuple(notes),
        fingerprint=known_by, tier=prepared.tier,
        attributes=None if found.attributes is None else found.attributes.rows(kept), restriction=found.restriction,
    )  # fmt: skip


def refuse_bad(found: Found) -> None:
    """Raise UserError where some images can't be used."""
    if not found.bad:
        return
    count = len(found.images) + sum(bad.reason.startswith("named in") for bad in found.bad)
    raise UserError(
        f"{len(found.bad):,} of {plural(count, 'image')} can't be used: {some(found.bad)}; repair or remove "
        "them, or leave them out with --skip-bad (skip_bad=True in Python)."
    )


def _groups(split: Split, numbers: np.ndarray) -> np.ndarray:
    """A number for every part and class: images that may stand in for each other."""
    groups = numbers * len(PARTS)
    for number, part in enumerate(PARTS):
        groups[getattr(split, part)] += number
    return groups


def _notes_of_large(split: Split) -> list[str]:
    notes = [f"The fingerprint is of all names and lengths and of {READ} whole files, for there are too many to read."]
    if len(split.train) > MOST_IN_PART:
        notes.append(f"What is compared with the training images sees {MOST_IN_PART:,} of {len(split.train):,}.")
    return notes


def _number(found: Found, kept: np.ndarray, notes: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels as int64 numbers and the classes' names, in the order of numbers where the names are numbers."""
    if found.labels is None:
        return None, ()
    values = found.labels[kept]
    if found.classes is not None:
        return values.astype(np.int64), found.classes
    different, which = np.unique(values, return_inverse=True)
    names = [str(int(v)) if values.dtype.kind in "fiub" else str(v) for v in different]
    order = sorted(filter(None, names), key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    if len(order) == 1:
        same, some = int((values == different[names.index(order[0])]).sum()), "" in names
        whose = f"All labels, those of {same:,} of {len(values):,} images, are" if some else "All images have the label"
        notes.append(f"{whose} {printable(order[0])}, which tells none apart, so they count as unlabelled.")
        return None, ()
    number = {"": UNLABELLED} | {name: index for index, name in enumerate(order)}
    labels = np.array([number[name] for name in names], np.int64)[which]
    if empty := int((labels == UNLABELLED).sum()):
        notes.append(f"Of {len(labels):,} images, {empty:,} have no label.")
    return labels, tuple(order)
