"""An endless shuffled source of items whose place is one number."""

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from elegan.game import Ranks


class ItemStream:
    """Sampling without replacement, epoch after epoch.

    The i-th item of all depends on (seed, i) alone: epoch e is a permutation seeded by [seed, e].  So
    ``position`` is all that a checkpoint needs, and ranks that take their slices of the whole batch see
    together what one rank alone would see.
    """

    def __init__(
        self,
        batch: Callable[[np.ndarray], Mapping[str, Tensor]],
        indices: np.ndarray,
        *,
        seed: int,
        ranks: Ranks,
    ) -> None:
        if not len(indices):
            raise ValueError("A stream needs at least one item to draw from.")
        self.position, self.ranks = 0, ranks
        self._batch, self._indices, self._seed = batch, indices, seed
        self._epoch, self._order = -1, indices

    def draw(self, n: int) -> Mapping[str, Tensor]:
        """The next n items of this rank; ``position`` moves on by the whole batch of n · ranks items."""
        batch = self.at(self.position, n)
        self.position += n * self.ranks.size
        return batch

    def at(self, position: int, n: int) -> Mapping[str, Tensor]:
        """The n items of this rank from the whole batch that begins at ``position``, which stays as it is."""
        start = position + self.ranks.rank * n
        return self._batch(self._between(start, start + n))

    def _between(self, start: int, stop: int) -> np.ndarray:
        """The items at the places start … stop - 1, over as many epochs as they span."""
        size, pieces = len(self._indices), []
        while start < stop:
            epoch, offset = divmod(start, size)
            pieces.append(self._shuffled(epoch)[offset : offset + stop - start])
            start += len(pieces[-1])
        return np.concatenate(pieces) if pieces else self._indices[:0]

    def _shuffled(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            generator = np.random.default_rng(np.random.SeedSequence([self._seed, epoch]))
            self._epoch, self._order = epoch, generator.permutation(self._indices)
        return self._order
