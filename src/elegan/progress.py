"""How far a long piece of work has come, for a person at a terminal."""

import sys
import time
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds before anything is shown."""
PAUSE = 0.5
"""Seconds between two lines."""


def reported(
    things: Iterable[T], total: int, doing: str, weigh: Callable[[T], int] = lambda thing: 1
) -> Generator[T, None, None]:
    """Hand on the things; a terminal's standard error says how many of ``total`` are done and how long it takes.

    ``doing`` is what stands before the count, "Decoding images:" say.  Nothing is shown before three seconds
    have passed, nor where standard error is no terminal.  Closing it clears the line.
    """
    start = shown = time.monotonic()
    done, visible = 0, False
    try:
        for thing in things:
            yield thing
            done += weigh(thing)
            now = time.monotonic()
            if now - start > PATIENCE and now - shown > PAUSE and sys.stderr.isatty():
                left = _spoken((now - start) * (total - done) / max(done, 1))
                _write(f"{doing} {done:,} of {total:,}, {left} left")
                shown, visible = now, True
    finally:
        if visible:
            _write("")


def _write(line: str) -> None:
    print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
