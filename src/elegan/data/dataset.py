"""A data set as the rest of elegan sees it: items, labels, a split, and the way to tensors and back."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from elegan.data.stream import ItemStream
from elegan.game import Ranks, Spec

Part = Literal["train", "validation", "test"]
PARTS: tuple[str, ...] = get_args(Part)


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
    items: np.ndarray
    labels: np.ndarray | None
    """int64 [N], or None."""
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
    """SHA-256 of the items, labels and classes; computed when not given."""

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self.items, self.labels, self.classes))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def is_image(self) -> bool:
        return self.items.ndim == 4

    @property
    def spec(self) -> Spec:
        """The shapes of a batch's named tensors for one item: "real", and "label" where there are labels."""
        if self.is_image:
            height, width, channels = self.items.shape[1:]
            shapes: dict[str, tuple[int, ...]] = {"real": (channels, height, width)}
        else:
            shapes = {"real": tuple(self.items.shape[1:])}
        if self.labels is not None:
            shapes["label"] = ()
        return Spec(shapes, self.classes, items=len(self.split.train))

    def describe(self) -> dict[str, object]:
        """What a record of a run says of its data: plain values, ready for JSON."""
        return {
            "name": self.name,
            "source": self.source,
            "licence": self.licence,
            "fingerprint": self.fingerprint,
            "items": len(self),
            "shape": list(self.items.shape[1:]),
            "classes": list(self.classes),
            "scale": self.scale,
            **{part: len(self.indices(part)) for part in PARTS},
            "notes": list(self.notes),
        }

    def tensor(self, indices: np.ndarray | Sequence[int] | Tensor) -> Tensor:
        """The items as games see them, float32.

        Images are v / 127.5 - 1, [n, C, H, W] in [-1, 1] and channels_last memory; vectors [n, D] are
        divided by ``scale``.
        """
        rows = torch.as_tensor(indices, dtype=torch.int64)
        items = torch.from_numpy(self.items).index_select(0, rows)
        if self.is_image:
            return items.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)
        return items.div_(self.scale)

    def to_items(self, samples: Tensor) -> np.ndarray:
        """The way back from ``tensor``: clipped and rounded uint8 [n, H, W, C], or vectors times ``scale``.

        Fakes take this road too before any metric.  Raises ValueError for images that hold a NaN, which has
        no 8-bit value; in vectors it stays one.
        """
        values = samples.detach().to("cpu", torch.float32)
        if not self.is_image:
            return (values * self.scale).numpy()
        if bool(values.isnan().any()):
            raise ValueError("The samples hold NaN, which has no place among pixels.")
        levels = values.add(1.0).mul_(127.5).clamp_(0, 255).round_().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).contiguous().numpy()

    def indices(self, part: str) -> np.ndarray:
        """The int64 indices of "train", "validation" or "test"."""
        if part not in PARTS:
            raise ValueError(f'"{part}" is no part of a split; the parts are {", ".join(PARTS)}.')
        rows: np.ndarray = getattr(self.split, part)
        return rows

    def part(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The items and labels of "train", "validation" or "test"."""
        rows = self.indices(name)
        return self.items[rows], None if self.labels is None else self.labels[rows]

    def batch(self, indices: np.ndarray) -> dict[str, Tensor]:
        """The named tensors of these items: "real", and "label" int64 [n] where there are labels."""
        tensors = {"real": self.tensor(indices)}
        if self.labels is not None:
            tensors["label"] = torch.from_numpy(self.labels[indices])
        return tensors

    def stream(self, part: str = "train", *, seed: int, ranks: Ranks | None = None) -> ItemStream:
        """An endless shuffled source of one part's items whose place is one number."""
        return ItemStream(self.batch, self.indices(part), seed=seed, ranks=ranks or Ranks())


def fingerprint(items: np.ndarray, labels: np.ndarray | None, classes: Sequence[str]) -> str:
    """SHA-256 over what the items are and how they are labelled; the same on every machine."""
    digest = hashlib.sha256(f"{items.dtype.name} {items.shape} {list(classes)!r}".encode())
    digest.update(np.ascontiguousarray(items, items.dtype.newbyteorder("<")).data)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8").data)
    return digest.hexdigest()
