"""Is the machine quiet?  How many cores other programs keep busy, before and while something is measured."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

STAT = Path("/proc/stat")
LOOK = 0.5
"""Seconds that the look before takes."""
QUIET = 0.15
"""The share of the measuring threads that others may take away."""
T = TypeVar("T")


class Neighbours:
    """What other programs do; None where the system doesn't say (it is Linux that does)."""

    def __init__(self, threads: int) -> None:
        self.threads, self.cores = threads, os.cpu_count() or 1
        self.averages = [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None
        self._busy, self._wall = 0.0, 0.0
        self.watch(lambda: time.sleep(LOOK), lambda _: 0.0)
        self.before = self._cores()
        self._busy, self._wall = 0.0, 0.0

    def watch(self, work: Callable[[], T], own: Callable[[T], float]) -> T:
        """Do the work and note what was busy beside it; ``own`` says its own processor seconds."""
        busy, start = busy_seconds(), time.perf_counter()
        done = work()
        after = busy_seconds()
        self._wall += time.perf_counter() - start
        if busy is not None and after is not None:
            self._busy += after - busy - own(done)
        return done

    def describe(self) -> dict[str, Any]:
        """Load averages and busy cores before, busy cores while measuring, and whether that was quiet."""
        during = self._cores()
        seen = [cores for cores in (self.before, during) if cores is not None]
        spare = self.cores - self.threads
        quiet = max(seen) - spare <= QUIET * self.threads if seen else None
        return {
            "load_averages_before": self.averages, "others_busy_before": self.before, "others_busy_during": during,
            "unit": "cores", "quiet": quiet,
        }  # fmt: skip

    def _cores(self) -> float | None:
        return round(max(0.0, self._busy / self._wall), 2) if STAT.exists() and self._wall else None


def busy_seconds() -> float | None:
    """Processor seconds that all cores together have worked since the machine started."""
    if not STAT.exists():
        return None
    user, nice, system, _idle, _waiting, *interrupts = map(int, STAT.read_text().split("\n", 1)[0].split()[1:9])
    ticks: int = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + sum(interrupts)) / ticks
