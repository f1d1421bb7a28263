"""What is known of every item beyond its class: named parts, each with named values."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Attributes:
    """A table of parts: ``table[i, p]`` is the number, in ``values[p]``, of what part ``names[p]`` of item i is."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    """The names of each part's values."""
    table: np.ndarray
    """int64 [N, parts]."""

    def rows(self, kept: np.ndarray) -> "Attributes":
        """Those of some of the items."""
        return Attributes(self.names, self.values, self.table[kept])

    def column(self, name: str) -> np.ndarray:
        """One part of every item, int64 [N].  Raises KeyError for a part that there isn't."""
        if name not in self.names:
            raise KeyError(name)
        column: np.ndarray = self.table[:, self.names.index(name)]
        return column

    def describe(self) -> dict[str, list[str]]:
        """The name of each part and those of its values."""
        return {name: list(values) for name, values in zip(self.names, self.values, strict=True)}
