"""Copies that are mirrored or moved by a pixel or two: the nearest training item among all views of an image."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Shaped

from elegan.evaluation.features import as_pixels
from elegan.evaluation.gaussian import principal_components
from elegan.evaluation.memorisation import Nearest, Nearness, Space, calibrated, nearest, nearness, rounding_of

Items = Shaped[np.ndarray, "_ ..."]
CHUNK = 256
COMPONENTS, FITTED = 32, 1000
"""Training items are searched by their principal components; what is found is measured in pixels."""
CANDIDATES = 3


@dataclass(frozen=True)
class View:
    """Mirrored or not, then read from ``down`` and ``right`` pixels further."""

    mirrored: bool
    down: int
    right: int


@dataclass(frozen=True)
class Match:
    """The nearest training items, and the items themselves as they were seen then: mirrored and moved."""

    nearest: Nearest
    aligned: Items


def nearness_in_views(
    items: tuple[Items, Items, Items, Items], embedded_train: Float[np.ndarray, "t d"],
    embed: Callable[[np.ndarray], np.ndarray],
) -> tuple[Nearness, Nearness]:  # fmt: skip
    """:func:`elegan.evaluation.memorisation.nearness` in pixels and in features, mirrored and moved copies counted.

    ``items`` are samples, training, validation and test items, images uint8 [n, H, W, C]; vectors have one view.
    In pixels an item is as near as the nearest of its views; in features that view is embedded.  Samples,
    validation and test items are searched alike, so that the null pays for every view that is tried.
    """
    samples, train, validation, test = items
    if train.ndim == 2:
        pixels = Space(*(as_pixels(part) for part in items))
        return nearness(pixels), nearness(Space(embed(samples), embedded_train, embed(validation), embed(test)))
    search = _Search(train)
    matches = [search(part) for part in (samples, validation, test)]
    in_pixels = calibrated(*(match.nearest for match in matches), rounding=rounding_of(as_pixels(validation)))
    rows = [embed(match.aligned) for match in matches]
    in_features = calibrated(*(nearest(part, embedded_train) for part in rows), rounding=rounding_of(rows[1]))
    return in_pixels, in_features


class _Search:
    """Finds the nearest training image of any view of an image, comparing the part that all views show."""

    def __init__(self, train: Shaped[np.ndarray, "t h w c"]) -> None:
        side = min(train.shape[1:3])
        self.reach = 2 if side >= 24 else 1
        moves = range(-self.reach, self.reach + 1)
        self.views = [View(*view) for view in product((False, True), moves, moves)]
        self.train = train
        few = as_pixels(self._window(train[:: -(-len(train) // FITTED)], View(False, 0, 0)))
        self.centre = few.mean(axis=0)
        self.axes = principal_components(few - self.centre, COMPONENTS)[1].astype(np.float32).T
        middle = (self._window(train[i : i + CHUNK], View(False, 0, 0)) for i in range(0, len(train), CHUNK))
        self.projected = np.concatenate([self._project(part) for part in middle])
        self.squares = np.einsum("td,td->t", self.projected, self.projected)

    def __call__(self, items: Items) -> Match:
        found = [self._chunk(items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
        distance, index, view = (np.concatenate(column) for column in zip(*found, strict=True))
        aligned = np.stack([self._aligned(item, self.views[v]) for item, v in zip(items, view, strict=True)])
        return Match(Nearest(distance, index), aligned)

    def _chunk(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distance, training index and view of the nearest, measured in pixels for a few candidates each."""
        candidates = self._candidates(items)
        theirs = [as_pixels(self._window(self.train[c], View(False, 0, 0))) for c in candidates]
        squares = np.empty((len(self.views), len(candidates), len(items)))
        for v, view in enumerate(self.views):
            ours = as_pixels(self._window(items, view))
            squares[v] = [np.square(ours - rows).sum(axis=1, dtype=np.float64) for rows in theirs]
        flat = squares.reshape(-1, len(items))
        best, all_items = flat.argmin(axis=0), np.arange(len(items))
        view_index, candidate = np.divmod(best, len(candidates))
        return np.sqrt(flat[best, all_items]), candidates[candidate, all_items], view_index

    def _candidates(self, items: np.ndarray) -> np.ndarray:
        """The training images nearest in their components to a view, of the best CANDIDATES views, [CANDIDATES, n]."""
        found = np.empty((len(self.views), len(items)), np.int64)
        scores = np.empty((len(self.views), len(items)), np.float32)
        for v, view in enumerate(self.views):
            rows = self._project(as_pixels(self._window(items, view)))
            across = self.squares - 2 * rows @ self.projected.T
            found[v] = across.argmin(axis=1)
            scores[v] = across[np.arange(len(items)), found[v]] + np.einsum("nd,nd->n", rows, rows)
        order = scores.argsort(axis=0, kind="stable")[:CANDIDATES]
        return np.take_along_axis(found, order, axis=0)

    def _project(self, rows: np.ndarray) -> np.ndarray:
        rows = as_pixels(rows) if rows.ndim == 4 else rows
        return np.asarray((rows - self.centre) @ self.axes)

    def _window(self, items: np.ndarray, view: View) -> np.ndarray:
        """The inner part, moved: as high and wide for every view."""
        items = items[:, :, ::-1] if view.mirrored else items
        top, left = self.reach + view.down, self.reach + view.right
        height, width = (side - 2 * self.reach for side in items.shape[1:3])
        return items[:, top : top + height, left : left + width]

    def _aligned(self, item: np.ndarray, view: View) -> np.ndarray:
        """The whole image as this view sees it, its edge repeated."""
        item = item[:, ::-1] if view.mirrored else item
        rows, columns = (
            np.clip(np.arange(side) + move, 0, side - 1)
            for side, move in zip(item.shape[:2], (view.down, view.right), strict=True)
        )
        return item[rows][:, columns]
