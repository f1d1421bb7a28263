"""How far the schedules are: over a budget, or up to their middle and on from there when the referee says so."""

from dataclasses import dataclass, replace

MIDDLE = 0.5
"""Where the schedules of a training without a budget wait."""
REST = 0.2
"""Images of the second half of the schedules, as a share of those shown when it begins."""


@dataclass(frozen=True)
class Course:
    """The schedules as a function of the images shown.

    With a budget they go from 0 to 1 over ``total`` images.  One that ``waits`` goes to its middle as if ``total``
    were the budget and stays there; after :meth:`cooled` it goes from there to 1 over ``rest`` images.  So a training
    learns at full pace for as long as it gains by it, and then settles: a plateau at a high learning rate is no end.
    """

    total: int
    waits: bool = False
    cooled_at: int | None = None
    rest: int = 0

    def fraction(self, images: int) -> float:
        """The share of the schedules that is behind, in [0, 1]."""
        share = min(1.0, images / self.total) if self.total else 0.0
        if not self.waits:
            return share
        if self.cooled_at is None:
            return min(MIDDLE, share)
        start = min(MIDDLE, self.cooled_at / self.total)
        return min(1.0, start + (1 - start) * (images - self.cooled_at) / self.rest)

    @property
    def end(self) -> int | None:
        """Images shown at the end; None while only the referee knows."""
        if not self.waits:
            return self.total
        return None if self.cooled_at is None else self.cooled_at + self.rest

    def cooled(self, images: int, batch: int = 1) -> "Course":
        """The course whose second half begins now, at ``images`` shown, and takes whole batches."""
        return replace(self, cooled_at=images, rest=batch * max(1, round(REST * images / batch)))
