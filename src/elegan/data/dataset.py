"""A data set as the rest of elegan sees it: items, labels, a split, and the way to tensors and back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from elegan.data.ahead import Ahead
from elegan.data.attributes import Attributes
from elegan.data.endless import Endless
from elegan.data.fingerprint import fingerprint
from elegan.data.found import plural, some
from elegan.data.items import Items, rows_of
from elegan.data.labelled import UNLABELLED, LabelledBeside
from elegan.data.pixels import to_pixels, to_tensor
from elegan.data.sources import Sources
from elegan.data.sources import Stream as WithSources
from elegan.data.stream import ItemStream
from elegan.game import Ranks, Spec

Stream = ItemStream | LabelledBeside | Ahead | WithSources
Part = Literal["train", "validation", "test"]
PARTS: tuple[str, ...] = get_args(Part)
MOST_IN_PART, MOST_BYTES_IN_PART = 20_000, 2**31
"""So many images at most are brought into memory of a part whose images are not there."""
MEASURED = 2_000
KEPT_BYTES = 2**28
"""A validation part up to this size is decoded once and stays, for it is looked at again and again."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which items train, which are looked at while training, and which are opened once: int64 indices."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class Modes:
    """The truth about a mixture of Gaussians, in the units of the items: centres [K, 2] and one sigma."""

    centres: np.ndarray
    sigma: float


@dataclass(frozen=True, eq=False)
class Data:
    """Images as uint8 [N, H, W, C], or vectors as float32 [N, D], with everything known about them."""

    name: str
    items: Items
    labels: np.ndarray | None
    """int64 [N], -1 for an item that has none; or None."""
    classes: tuple[str, ...]
    split: Split
    licence: str
    source: str
    notes: tuple[str, ...] = ()
    """What was found and done that the user should know, a sentence each."""
    scale: float = 1.0
    """Vectors are stored raw; games see them divided by this.  1 for images."""
    modes: Modes | None = None
    fingerprint: str = ""
    """SHA-256 of the items, labels and classes; computed when not given.  Of images that are not in memory: of their
    files, as the notes say."""
    tier: str = "memory"
    """Where the images are: "memory", "disk" (decoded, in one file), "files" (decoded when drawn), or "stream"."""
    endless: Endless | None = None
    """Where the training images come from when the items are but the first of them."""
    attributes: Attributes | None = None
    """Named parts of every item, where they are known."""
    sources: Sources | None = None
    """The images that a translator starts from."""
    restriction: str = ""
    """What in the data's terms forbids derivatives, 'LICENSE says "NoDerivatives"'; empty where nothing was found."""
    _kept: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.fingerprint and isinstance(self.items, np.ndarray):
            object.__setattr__(self, "fingerprint", fingerprint(self.items, self.labels, self.classes))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def is_image(self) -> bool:
        return len(self.items.shape) == 4

    @cached_property
    def known(self) -> np.ndarray:
        """The training items that have a label, int64 indices."""
        train = self.split.train
        return train[:0] if self.labels is None else train[self.labels[train] != UNLABELLED]

    @property
    def partly_labelled(self) -> bool:
        """Whether only some of the training items have a label."""
        return 0 < len(self.known) < len(self.split.train)

    @property
    def spec(self) -> Spec:
        """The shapes of a batch's named tensors for one item: "real", "label" where there are labels, and "labelled"
        where only some have one."""
        if self.is_image:
            height, width, channels = self.items.shape[1:]
            shapes: dict[str, tuple[int, ...]] = {"real": (channels, height, width)}
        else:
            shapes = {"real": tuple(self.items.shape[1:])}
        if self.labels is not None:
            shapes["label"] = ()
        if self.partly_labelled:
            shapes["labelled"] = shapes["real"]
        if self.sources is not None:
            height, width, channels = self.sources.shape
            shapes["source"] = (channels, height, width)
        items, paired = 0 if self.endless else len(self.split.train), self.sources is not None and self.sources.paired
        return Spec(shapes, self.classes, items, self.variance, paired)

    @cached_property
    def variance(self) -> float:
        """The mean squared distance of a training item from the mean one, as games see them; of about 2,000 items."""
        train = self.split.train
        items = self.tensor(train[:: max(1, len(train) // MEASURED)]).flatten(1).double()
        return round(float((items - items.mean(0)).square().sum(1).mean()), 4)

    def describe(self) -> dict[str, object]:
        """What a record of a run says of its data: plain values, ready for JSON."""
        return {
            "name": self.name,
            "source": self.source,
            "licence": self.licence,
            **({} if not self.restriction else {"restriction": self.restriction}),
            "fingerprint": self.fingerprint,
            "items": len(self),
            "shape": list(self.items.shape[1:]),
            "classes": list(self.classes),
            "scale": self.scale,
            **{part: len(self.indices(part)) for part in PARTS},
            "tier": self.tier,
            **({} if self.attributes is None else {"attributes": self.attributes.describe()}),
            **({} if self.sources is None else {"sources": self.sources.how}),
            "notes": [*self.notes, *self._forbidden(), *self.remarks()],
        }

    def _forbidden(self) -> list[str]:
        return [f"The data's terms forbid derivatives: {self.restriction}."] if self.restriction else []

    def remarks(self) -> list[str]:
        """What was found only while the images were drawn, a sentence each."""
        where = self.items if self.endless is None else self.endless
        replaced = sorted(map(str, getattr(where, "replaced", {}).values()))
        if not replaced:
            return []
        names = some(replaced)
        return [f"{plural(len(replaced), 'image')} can't be read, and others stood in for them: {names}."]

    def tensor(self, indices: np.ndarray | Sequence[int] | Tensor) -> Tensor:
        """The items as games see them, float32.

        Images are v / 127.5 - 1, [n, C, H, W] in [-1, 1] and channels_last memory; vectors [n, D] are
        divided by ``scale``.
        """
        items = self.items[rows_of(indices)]
        return to_tensor(items) if self.is_image else torch.from_numpy(items / np.float32(self.scale))

    def to_items(self, samples: Tensor) -> np.ndarray:
        """The way back from ``tensor``: clipped and rounded uint8 [n, H, W, C], or vectors times ``scale``.

        Fakes take this road too before any metric.  Raises ValueError for images that hold a NaN, which has
        no 8-bit value; in vectors it stays one.
        """
        if self.is_image:
            return to_pixels(samples)
        return (samples.detach().to("cpu", torch.float32) * self.scale).numpy()

    def indices(self, part: str) -> np.ndarray:
        """The int64 indices of "train", "validation" or "test"."""
        if part not in PARTS:
            raise ValueError(f'"{part}" is no part of a split; the parts are {", ".join(PARTS)}.')
        rows: np.ndarray = getattr(self.split, part)
        return rows

    def part(self, name: str, most: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """The items of "train", "validation" or "test", in memory, and their labels where all of them have one.

        Of more than ``most`` items a sample is taken, the same each time.  Without it there are all where the
        images are in memory; elsewhere at most 20,000, and no more than 2 GiB of them.
        """
        rows = self._some_of(name, most)
        items = self._kept.get(name) if most is None else None
        if items is None:
            items = self.items[rows]
        if self.tier == "files" and name == "validation" and most is None and items.nbytes <= KEPT_BYTES:
            self._kept[name] = items
        labels = None if self.labels is None else self.labels[rows]
        return items, None if labels is None or UNLABELLED in labels else labels

    def held_sources(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The source images uint8 [n, H, W, C] of "validation" or "test", in memory, and their labels.

        Where they are paired, each belongs to the item at the same place of :meth:`part`.  Raises ValueError for data
        without sources.
        """
        if self.sources is None:
            raise ValueError(f"{self.name} has no source images.")
        rows = self._some_of(name, None)
        images, labels = self.sources.held(name, rows, self.items[rows])
        if self.sources.paired and self.labels is not None:
            labels = self.labels[rows]
        return images, None if labels is None or UNLABELLED in labels else labels

    def _some_of(self, name: str, most: int | None) -> np.ndarray:
        rows = self.indices(name)
        if most is None:
            one = int(np.prod(self.items.shape[1:])) * self.items.dtype.itemsize
            most = (
                len(rows) if self.tier in ("memory", "stream") else max(1, min(MOST_IN_PART, MOST_BYTES_IN_PART // one))
            )
        if most >= len(rows):
            return rows
        generator = np.random.default_rng(np.random.SeedSequence([PARTS.index(name), most]))
        return np.sort(generator.choice(rows, most, replace=False))

    def batch(self, indices: np.ndarray) -> dict[str, Tensor]:
        """The named tensors of these items: "real", and "label" int64 [n] where there are labels."""
        tensors = {"real": self.tensor(indices)}
        if self.labels is not None:
            tensors["label"] = torch.from_numpy(self.labels[rows_of(indices)])
        return tensors

    def stream(self, part: str = "train", *, seed: int, ranks: Ranks | None = None) -> Stream:
        """An endless shuffled source of one part's items whose place is one number.

        Where only some of the training items have labels, as many of these are drawn beside all of them.  Images that
        are not in memory are read ahead by a thread.  Where there are sources, training has them beside the items, and
        so have the other parts where they are paired.
        """
        stream = self._items_of(part, seed=seed, ranks=ranks or Ranks())
        if self.sources is None or not (part == "train" or self.sources.paired):
            return stream
        return self.sources.beside(stream, self.indices(part), seed=seed, ranks=ranks or Ranks())

    def _items_of(self, part: str, *, seed: int, ranks: Ranks) -> ItemStream | LabelledBeside | Ahead:
        if self.endless and part == "train":
            return self.endless.stream(seed=seed, ranks=ranks)
        stream: ItemStream | LabelledBeside
        stream = ItemStream(self.batch, self.indices(part), seed=seed, ranks=ranks)
        if part == "train" and self.partly_labelled:
            stream = LabelledBeside(stream, ItemStream(self.batch, self.known, seed=seed, ranks=ranks))
        return stream if self.tier == "memory" else Ahead(stream)
