"""What ``size`` may be, and the size that images get when none is asked for."""

import os
import re
from collections.abc import Sequence
from math import prod
from pathlib import Path
from statistics import median

from elegan.errors import UserError

SMALLEST = 8
LARGEST_DEFAULT = 64
SLOW = 256
SHARE_OF_MEMORY = 4
"""Images may fill a quarter of memory: training and judging need the rest."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux keeps the memory limit of a container: control groups version 2, and version 1."""
Size = str | int | tuple[int, int] | None
Shape = tuple[int, int]
"""Height and width."""


def parse_size(size: Size) -> Shape | None:
    """(height, width) of "64", "48x64" (height x width), 64 or (48, 64); None stays None.

    Raises UserError for anything else and for sides below 8.
    """
    if size is None:
        return None
    sides = size
    if isinstance(size, str):
        match = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", size.strip().lower())
        sides = (int(match[1]), int(match[2] or match[1])) if match else ()  # type: ignore[assignment]
    elif isinstance(size, int) and not isinstance(size, bool):
        sides = (size, size)
    if not (isinstance(sides, tuple) and len(sides) == 2 and all(isinstance(side, int) for side in sides)):
        raise UserError(f"The size {size!r} can't be read; give a side like 64 or height x width like 48x64.")
    if min(sides) < SMALLEST:
        raise UserError(f"The size {size!r} is too small; both sides must be {SMALLEST} pixels or more.")
    return sides


def default_shape(shapes: Sequence[Shape]) -> tuple[Shape, str | None]:
    """The images' own shape when all agree; else a square from the median of their shorter sides, and why.

    Raises UserError when all agree on a shape below 8 pixels.
    """
    if len(set(shapes)) == 1:
        return own_shape(shapes[0])
    middle = int(median(min(shape) for shape in shapes))
    side = max(SMALLEST, min(LARGEST_DEFAULT, middle - middle % 4))
    smallest, largest = (f"{height}x{width}" for height, width in (min(shapes), max(shapes)))
    note = (
        f"The images have different sizes ({smallest} to {largest}), so all become {side}x{side}: the median "
        f"shorter side, rounded down to a multiple of 4, at least {SMALLEST} and at most {LARGEST_DEFAULT}."
    )
    return (side, side), note


def own_shape(shape: Shape) -> tuple[Shape, str | None]:
    """A shape that all images share, and a word of warning where it makes training slow."""
    height, width = shape
    if min(shape) < SMALLEST:
        raise UserError(
            f"The images are {height}x{width} pixels, and both sides must be {SMALLEST} or more; "
            f"give a size such as {LARGEST_DEFAULT // 4} to enlarge them."
        )
    if max(shape) <= SLOW:
        return shape, None
    return shape, f"The images keep their size of {height}x{width}; a size such as 64 trains much faster."


def refuse_too_large(shape: Sequence[int]) -> None:
    """Raise UserError when 8-bit images [N, H, W, C] would not fit into a quarter of the memory there is."""
    if fits_into_memory(shape):
        return
    sides = " x ".join(f"{side:,}" for side in shape)
    raise UserError(
        f"Images of shape {sides} need {prod(shape) / 1e9:,.1f} GB of memory, more than a quarter of the "
        f"{(memory_bytes() or 0) / 1e9:,.1f} GB that there are; give a smaller size or fewer images."
    )


def fits_into_memory(shape: Sequence[int]) -> bool:
    """Whether 8-bit images [N, H, W, C] need a quarter of memory at most; yes where nobody knows how much there is.

    Processes that train together here hold their images each, so each has its part of that quarter.
    """
    memory, processes = memory_bytes(), os.environ.get("LOCAL_WORLD_SIZE", "1")  # as torchrun sets it
    return memory is None or prod(shape) * int(processes) <= memory / SHARE_OF_MEMORY


def memory_bytes() -> int | None:
    """The machine's memory, or the container's limit where that is less; None where neither can be read."""
    try:
        amounts = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):  # no such question on this system
        amounts = []
    for limit in map(Path, LIMITS):
        text = limit.read_text(encoding="ascii").strip() if limit.is_file() else ""
        amounts += [int(text)] if text.isdigit() else []
    return min(amounts, default=None)
