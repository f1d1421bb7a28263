"""What a translator is shown of the data that it was trained on, and what it makes of images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from elegan.data import Data
from elegan.data.decoding import put
from elegan.data.images import Picture
from elegan.data.pixels import to_pixels, to_tensor
from elegan.errors import UserError
from elegan.game import Game

AT_ONCE = 2**18
"""So many pixels are translated at once, or one image."""


def with_fitting_sources(model: str, game: type[Game], data: Data, pair: str | None) -> Data:
    """The data as a game can take them: what draws from noise leaves the sources alone.

    Raises UserError where pairs were asked for and the game doesn't translate.
    """
    if game.translations or data.sources is None:
        return data
    if pair is not None:
        raise UserError(f"--pair {pair} is for what translates images; {model} doesn't: leave it out, or take pix2pix.")
    note = f"{model} doesn't translate, so of the two sides it learns B alone."
    return replace(data, sources=None, notes=(*data.notes, note))


def held_sources(data: Data, part: str, most: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
    """Up to so many source images uint8 [n, H, W, C] of "validation" or "test", the same for a seed; their labels."""
    images, labels = data.held_sources(part)
    rows = np.random.default_rng(seed).permutation(len(images))[:most]
    return images[rows], None if labels is None else labels[rows]


@torch.no_grad()
def translate(game: Game, images: np.ndarray, to: str) -> Tensor:
    """Images uint8 [n, H, W, C] of the other side as images [n, C, H, W] of side ``to``: on the processor, in float32.

    They may have any size that all share.
    """
    device = next(game.parameters()).device
    step = max(1, AT_ONCE // (images.shape[1] * images.shape[2]))
    parts = [images[start : start + step] for start in range(0, len(images), step)]
    return torch.cat([game.translate(to_tensor(part).to(device), to).float().cpu() for part in parts])


def before_and_after(game: Game, data: Data, columns: int, rows: int) -> tuple[int, np.ndarray]:
    """Held-out images above what the game makes of them, for each side that it makes: how many rows, and the images
    uint8 [n, H, W, C] of all rows."""
    pairs = max(1, rows // 2 // len(game.translations))
    found: list[np.ndarray] = []
    for to in game.translations:
        given = held_sources(data, "validation", columns * pairs)[0] if to == "B" else _reals(data, columns * pairs)
        made = to_pixels(translate(game, given, to).nan_to_num(-1.0, 1.0, -1.0))
        for start in range(0, len(given) // columns * columns or len(given), columns):
            found += [given[start : start + columns], made[start : start + columns]]
    return len(found), _alike(found)


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images uint8 [n, H, W, C] with more channels (grey in all colours, opaque) or fewer."""
    if images.shape[3] == channels:
        return images
    items = np.empty((*images.shape[:3], channels), np.uint8)
    for pixels, item in zip(images, items, strict=True):
        put(Picture(pixels), item)
    return items


def _reals(data: Data, most: int) -> np.ndarray:
    items = data.part("validation")[0]
    return items[np.random.default_rng(0).permutation(len(items))[:most]]


def _alike(parts: Sequence[np.ndarray]) -> np.ndarray:
    """One array, of the most channels that any has and the fewest columns."""
    channels, columns = max(part.shape[3] for part in parts), min(len(part) for part in parts)
    return np.concatenate([with_channels(part[:columns], channels) for part in parts])


__all__ = ["before_and_after", "held_sources", "translate", "with_channels", "with_fitting_sources"]
