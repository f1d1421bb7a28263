"""The images that a translator starts from, beside those that it is to make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from elegan.data.ahead import Ahead
from elegan.data.edges import edges
from elegan.data.items import Items
from elegan.data.pixels import to_pixels, to_tensor
from elegan.data.stream import ItemStream
from elegan.game import Ranks

HELD = 1
"""The first number of the key by which a held-out image is drawn, the same each time; training has others."""
TRAINED = 2


class Stream(Protocol):
    """What a training draws from."""

    ranks: Ranks
    position: int

    def draw(self, n: int) -> Mapping[str, Tensor]:
        """The next n items of this rank; ``position`` moves on by the whole batch."""
        ...


class Sources(Protocol):
    """Where source images come from."""

    @property
    def paired(self) -> bool:
        """Whether each belongs to an item of the data."""
        ...

    @property
    def fingerprint(self) -> str:
        """What they are, to be told from others."""
        ...

    @property
    def how(self) -> str:
        """Where they come from, in a few words."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """[H, W, C]."""
        ...

    def held(self, part: str, rows: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The sources uint8 [n, H, W, C] of a part, where paired those of these ``items`` at these ``rows``, and the
        rows of their labels, None where they have none of their own."""
        ...

    def beside(self, stream: Stream, items: np.ndarray, *, seed: int, ranks: Ranks) -> Stream:
        """The stream of these items, all of one part, with "source" in its batches."""
        ...


@dataclass(frozen=True, eq=False)
class StoredSources:
    """Source images of their own: uint8 [M, H, W, C], which belong to the items row by row or to none of them."""

    items: Items
    fingerprint: str
    how: str
    parts: Mapping[str, np.ndarray] | None = None
    """Of what isn't paired: which of them belong to which part of a split."""
    in_memory: bool = True
    labels: np.ndarray | None = None
    """int64 [M] in the classes of the data, of what isn't paired; None where nobody knows them."""

    @property
    def paired(self) -> bool:
        return self.parts is None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.items.shape[1:]

    def held(self, part: str, rows: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if self.parts is None:
            return self.items[rows], None
        rows = self.parts[part][: max(1, len(rows))]
        return self.items[rows], None if self.labels is None else self.labels[rows]

    def beside(self, stream: Stream, items: np.ndarray, *, seed: int, ranks: Ranks) -> Stream:
        """Where they are paired, the same seed gives them the same order; else those of training have one of their
        own."""
        rows, seed = (items, seed) if self.parts is None else (self.parts["train"], seed + 1)
        sources = ItemStream(self._batch, rows, seed=seed, ranks=ranks)
        return Beside(stream, sources if self.in_memory else Ahead(sources))

    def _batch(self, rows: np.ndarray) -> dict[str, Tensor]:
        return {"source": to_tensor(self.items[rows])}


class Beside:
    """Two streams drawn together."""

    def __init__(self, stream: Stream, other: Stream) -> None:
        self.ranks, self._streams = stream.ranks, (stream, other)

    @property
    def position(self) -> int:
        return self._streams[0].position

    @position.setter
    def position(self, position: int) -> None:
        for stream in self._streams:
            stream.position = position

    def draw(self, n: int) -> dict[str, Tensor]:
        """The next n items of this rank of both."""
        return {name: tensor for stream in self._streams for name, tensor in stream.draw(n).items()}


class EdgeSources:
    """The items' own edges, drawn by another hand each time that an item is shown."""

    paired, how, fingerprint = True, "edges of each image", "edges-1"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape: tuple[int, ...] = (*shape[:2], 1)

    def held(self, part: str, rows: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        return edges(items, [(HELD, int(row)) for row in rows]), None

    def beside(self, stream: Stream, items: np.ndarray, *, seed: int, ranks: Ranks) -> Stream:
        return Drawn(stream, seed)


class Drawn:
    """A stream of images with a drawing of each, which depends on the image, the seed and its place alone."""

    def __init__(self, stream: Stream, seed: int) -> None:
        self.ranks, self._stream, self._seed = stream.ranks, stream, seed

    @property
    def position(self) -> int:
        return self._stream.position

    @position.setter
    def position(self, position: int) -> None:
        self._stream.position = position

    def draw(self, n: int) -> dict[str, Tensor]:
        """The next n items of this rank."""
        first = self.position + self.ranks.rank * n
        batch = self._stream.draw(n)
        keys = [(TRAINED, self._seed, place) for place in range(first, first + n)]
        return {**batch, "source": to_tensor(edges(to_pixels(batch["real"]), keys))}


__all__ = ["Beside", "Drawn", "EdgeSources", "Sources", "StoredSources", "Stream"]
