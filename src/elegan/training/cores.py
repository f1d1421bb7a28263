"""How many cores there are for a training, and how many of them other processes keep busy.

Two threads that share their cores with other work are slower than one: at the end of each operation the fast thread
waits for the slow one.
"""

import math
import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
LIMITS = (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
"""Where Linux keeps a container's share of the processor: control groups version 2, and version 1."""
LOOK_SECONDS = 0.25


def bound_cores() -> int:
    """The cores that this process is bound to: all there are, unless somebody chose some."""
    return len(_bound())


def cores() -> int:
    """The cores that this process may use: those it is bound to, and no more than its container's share."""
    share = container_share()
    return bound_cores() if share is None else max(1, min(bound_cores(), math.ceil(share)))


def busy_cores(seconds: float = LOOK_SECONDS) -> float:
    """How many of the cores that this process is bound to were busy with other processes during so many seconds.

    0.0 where that can't be seen, which is everywhere but on Linux.
    """
    before = _ticks(), time.process_time(), time.perf_counter()
    if before[0] is None:
        return 0.0
    time.sleep(seconds)
    after = _ticks(), time.process_time(), time.perf_counter()
    if after[0] is None:
        return 0.0
    passed = after[2] - before[2]
    everyone = (after[0] - before[0]) / os.sysconf("SC_CLK_TCK")
    return min(max(0.0, everyone - (after[1] - before[1])) / passed, float(bound_cores()))


def free_threads(wanted: int, total: int, busy: float) -> int:
    """How many of the threads that are wanted have a core of their own; at least one.

    ``busy`` of ``total`` cores are at other work.
    """
    return max(1, min(wanted, total - whole(busy)))


def whole(busy: float) -> int:
    """Busy cores as a whole number: half a core counts as one."""
    return math.floor(busy + 0.5)


def container_share() -> float | None:
    """The cores' worth of time that a container grants; None where there is no limit or none can be seen."""
    for path in LIMITS:
        try:
            words = path.read_text(encoding="ascii").split()
            period = words[1] if len(words) > 1 else path.with_name("cpu.cfs_period_us").read_text(encoding="ascii")
            share = float(words[0]) / float(period)
        except (OSError, ValueError, IndexError, ZeroDivisionError):  # no such file, or "max": no limit
            continue
        if share > 0:  # version 1 writes -1 for no limit
            return share
    return None


def _bound() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _ticks() -> int | None:
    """The clock ticks that the cores we are bound to have been busy since the machine started, time that a host kept
    from them included; None where that can't be seen."""
    try:
        lines = [line.split() for line in STAT.read_text(encoding="ascii").splitlines()]
        ours = {f"cpu{number}" for number in _bound()}
        rows = [[int(field) for field in line[1:9]] for line in lines if line and line[0] in ours]
    except (OSError, ValueError):
        return None
    return sum(sum(row) - row[3] - row[4] for row in rows) if rows and min(map(len, rows)) > 4 else None
