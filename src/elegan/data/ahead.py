"""The next batch, prepared by a thread while the step runs."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from torch import Tensor

from elegan.game import Ranks


class Placed(Protocol):
    """A stream whose batches depend on their place alone."""

    ranks: Ranks
    position: int

    def at(self, position: int, n: int) -> Mapping[str, Tensor]:
        """The n items of this rank from the whole batch that begins at ``position``."""
        ...


class Ahead:
    """A stream that guesses the next draw, of as many items as the last one, and reads it early.

    Guesses change nothing: ``position`` counts what was handed over, a wrong guess is thrown away, and what a
    thread raised is raised by the draw that wanted its batch.  The one thread ends when the stream is dropped.
    """

    def __init__(self, stream: Placed) -> None:
        self.position, self.ranks = stream.position, stream.ranks
        self._stream = stream
        self._pool = ThreadPoolExecutor(1, "elegan-ahead")
        self._guess: tuple[int, int] | None = None
        self._future: Future[Mapping[str, Tensor]] | None = None

    def draw(self, n: int) -> Mapping[str, Tensor]:
        """The next n items of this rank; ``position`` moves on by the whole batch of n · ranks items."""
        if self._future is None or self._guess != (self.position, n):
            self._prepare(self.position, n)  # behind a wrong guess in the same thread: two never share the stream
        future, self._future = self._future, None  # one that failed is not asked again
        batch = future.result()  # type: ignore[union-attr]
        self.position += n * self.ranks.size
        self._prepare(self.position, n)
        return batch

    def _prepare(self, position: int, n: int) -> None:
        if self._future is not None:
            self._future.cancel()
        self._guess = position, n
        self._future = self._pool.submit(self._stream.at, position, n)

    def at(self, position: int, n: int) -> Mapping[str, Tensor]:
        """The n items of this rank from the whole batch that begins at ``position``."""
        return self._pool.submit(self._stream.at, position, n).result()

    def close(self) -> None:
        """Wait for the thread and end it; there is nothing to draw any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
