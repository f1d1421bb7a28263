"""`elegan doctor`: what this machine can do for training, and what is missing."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from rich.table import Table

EXTRAS = {
    "datasets": ("'elegan[data]'", "data sets from the Hugging Face hub"),
}
"""Module → what pip installs for it, and what it is for."""
SECONDS = 0.25
"""How long each speed is measured."""


def doctor() -> dict[str, Any]:
    """Versions, processor, memory, precision, graphics, disk, extras, and speeds measured in 1 or 2 s."""
    import torch

    from elegan import __version__
    from elegan.data.sizes import memory_bytes
    from elegan.training.engine import choose, cpu_bf16_units

    engine, memory = choose(), memory_bytes()
    return {
        "elegan": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": _cores(),
        "threads": torch.get_num_threads(),
        "memory_gib": None if memory is None else round(memory / 2**30, 1),
        "bf16_units": list(cpu_bf16_units()),
        "trains_on": engine.device.type,
        "trains_in": engine.precision,
        "graphics": _graphics(),
        "free_disk_gib": round(shutil.disk_usage(Path.cwd()).free / 2**30, 1),
        "extras": {name: _version(name) for name in EXTRAS},
        "gflops": {
            f"{work} {kind}": _speed(task, amount, engine.device)
            for kind in ("float32", "bfloat16")
            for work, (task, amount) in _work(engine.device, getattr(torch, kind)).items()
        },
    }


def table(found: dict[str, Any]) -> "Table":
    """What was found, for the terminal."""
    from rich.table import Table

    units = ", ".join(found["bf16_units"]) or "none that can be seen"
    sheet = Table.grid(padding=(0, 2))
    threads = "1 thread" if found["threads"] == 1 else f"{found['threads']} threads"
    rows = {
        "elegan": f"{found['elegan']}, torch {found['torch']}, Python {found['python']}, {found['system']}",
        "processor": f"{found['cores']} cores, {threads}, bf16 units: {units}",
        "memory": "unknown" if found["memory_gib"] is None else f"{found['memory_gib']} GiB",
        "graphics": found["graphics"] or "none",
        "free disk": f"{found['free_disk_gib']} GiB in this folder",
        "training": f"on {found['trains_on']}, in {found['trains_in']}",
        **{name: f"{speed:,.0f} GFLOP/s" for name, speed in found["gflops"].items()},
    }
    for name, fact in rows.items():
        sheet.add_row(f"[bold]{name}[/]", fact)
    for name, version in found["extras"].items():
        package, purpose = EXTRAS[name]
        sheet.add_row(name, version or f"[dim]for {purpose}: pip install {package}[/]")
    return sheet


def _cores() -> int | None:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _graphics() -> str | None:
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        number = torch.cuda.device_count()
        return f"{number} x {torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    return "Apple MPS" if torch.backends.mps.is_available() else None


def _version(module: str) -> str | None:
    """The installed version of an extra; None when it is missing.  It isn't imported."""
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return importlib.metadata.version(EXTRAS[module][0])
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _work(device: "torch.device", kind: "torch.dtype") -> dict[str, tuple[Callable[[], object], float]]:
    """A matrix product and a convolution of usual sizes, with their numbers of operations."""
    import torch

    side, n, channels, pixels = 1024, 16, 64, 32
    square = torch.ones(side, side, device=device, dtype=kind)
    maps = torch.ones(n, channels, pixels, pixels, device=device, dtype=kind)
    kernel = torch.ones(channels, channels, 3, 3, device=device, dtype=kind)
    maps, kernel = (tensor.to(memory_format=torch.channels_last) for tensor in (maps, kernel))
    return {
        "matrix product": (lambda: square @ square, 2.0 * side**3),
        "convolution": (
            lambda: torch.nn.functional.conv2d(maps, kernel, padding=1),
            2.0 * n * pixels**2 * channels**2 * 9,
        ),
    }


def _speed(task: Callable[[], object], operations: float, device: "torch.device") -> float:
    """GFLOP/s over SECONDS, after one run to warm up."""
    task()
    _wait_for(device)
    runs, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < SECONDS or not runs:
        task()
        _wait_for(device)
        runs += 1
    return round(runs * operations / seconds / 1e9, 1)


def _wait_for(device: "torch.device") -> None:
    import torch

    if device.type != "cpu":
        torch.accelerator.synchronize()
