"""What a person sees while it is measured, on stderr: the part at hand and about how long the rest will take."""

import time
from typing import Self

from rich.console import Console


class Parts:
    """Counts expected seconds: what is left is scaled by how the parts so far have kept to theirs.

    On a terminal one line changes in place; elsewhere there is a line a part; nothing when ``quiet``.
    """

    def __init__(self, expected: float, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False, markup=False)
        self.expected, self.done, self.at_hand, self.start = expected, 0.0, 0.0, time.perf_counter()
        self._status = self.console.status("") if self.console.is_terminal else None

    def begin(self, name: str, seconds: float) -> None:
        """A part begins that is expected to take so many seconds; the one before it is over."""
        self.done, self.at_hand = self.done + self.at_hand, seconds
        line = f"{name}, about {clock(self.left())} left"
        if self._status:
            self._status.update(line)
        else:
            self.console.print(line, soft_wrap=True)

    def learn(self, seconds: float) -> None:
        """The parts to come will take so many seconds more than was expected."""
        self.expected += seconds

    def left(self) -> float:
        """About how many seconds are left."""
        pace = (time.perf_counter() - self.start) / self.done if self.done else 1.0
        return max(0.0, self.expected - self.done) * pace

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()


def clock(seconds: float) -> str:
    """Minutes and seconds: 1:05."""
    return "{}:{:02d}".format(*divmod(round(seconds), 60))
