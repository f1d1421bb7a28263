"""`elegan doctor`: what this machine can do for training, and what is missing."""

import importlib.metadata
import importlib.util
import platform
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from rich.table import Table

    from elegan.training.engine import Engine

EXTRAS = {
    "datasets": ("'elegan[data]'", "data sets from the Hugging Face hub"),
    "onnxruntime": ("'elegan[export]'", "generators that run without torch"),
    "av": ("'elegan[video]'", "latent walks as .mp4"),
}
"""Module → what pip installs for it, and what it is for."""
SECONDS = 0.25
"""How long each speed is measured."""


def doctor() -> dict[str, Any]:
    """Versions, processor, memory, graphics, disk, extras, the engine that training would choose and why, and speeds
    measured in 1 or 2 s."""
    import torch

    from elegan import __version__
    from elegan.data.sizes import memory_bytes
    from elegan.training.allocator import is_glibc
    from elegan.training.cores import bound_cores, busy_cores, cores
    from elegan.training.engine import cpu_bf16_units
    from elegan.verbs.engine import settle_engine

    (engine, settled, notes), memory = settle_engine({}, gains=True), memory_bytes()
    return {
        "elegan": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(),
        "cores_bound": bound_cores(),
        "cores_busy": round(busy_cores(), 2),
        "threads": torch.get_num_threads(),
        "memory_gib": None if memory is None else round(memory / 2**30, 1),
        "bf16_units": list(cpu_bf16_units()),
        "trains_on": engine.device.type,
        "trains_in": engine.precision,
        "engine": {**settled, "keep_pages": is_glibc()},
        "reasons": {**_reasons(engine), "threads": " ".join(notes) or _threads_are_free(engine)},
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
    from rich.markup import escape
    from rich.table import Table

    units = ", ".join(found["bf16_units"]) or "none that can be seen"
    sheet = Table.grid(padding=(0, 2))
    cores, threads = (f"{found[name]} {name[:-1] if found[name] == 1 else name}" for name in ("cores", "threads"))
    rows = {
        "elegan": f"{found['elegan']}, torch {found['torch']}, Python {found['python']}, {found['system']}",
        "processor": f"{cores}, {found['cores_busy']:.1f} busy with other work, {threads}, bf16 units: {units}",
        "memory": "unknown" if found["memory_gib"] is None else f"{found['memory_gib']} GiB",
        "graphics": found["graphics"] or "none",
        "free disk": f"{found['free_disk_gib']} GiB in this folder",
        "training": f"on {found['trains_on']}, in {found['trains_in']}, {_means(found['engine'])}",
        **{f"  {option}": reason for option, reason in found["reasons"].items()},
        **{name: f"{speed:,.0f} GFLOP/s" for name, speed in found["gflops"].items()},
    }
    for name, fact in rows.items():
        sheet.add_row(f"[bold]{name}[/]", fact)
    for name, version in found["extras"].items():
        package, purpose = EXTRAS[name]
        sheet.add_row(name, version or f"[dim]for {purpose}: pip install {escape(package)}[/]")
    return sheet


def _reasons(engine: "Engine") -> dict[str, str]:
    """Why training would choose what it would choose here, an option a sentence."""
    import torch

    from elegan.training.allocator import is_glibc
    from elegan.training.engine import has_bf16_units

    here = "The processor" if engine.device.type == "cpu" else str(engine.device)
    device = "CUDA is found." if engine.device.type == "cuda" else "No CUDA device is found."
    if torch.backends.mps.is_available():
        device += "  Apple MPS is, and isn't chosen by itself until elegan has been tried on it: --device mps."
    units = {
        True: f"{here} has bf16 units.",
        False: f"{here} has no bf16 units, without which bf16 is slower.",
        None: f"Whether {here[0].lower()}{here[1:]} has bf16 units can't be seen; --precision bf16 tries.",
    }[has_bf16_units(engine.device)]
    pages = "The C library is glibc, which" if is_glibc() else "The C library isn't glibc, which alone"
    return {
        "device": device,
        "precision": units,
        "keep_pages": f"{pages} can be told to keep the memory of a step for the next one.",
    }


def _threads_are_free(engine: "Engine") -> str:
    if engine.device.type != "cpu" or engine.threads == 1:
        return "As many as torch takes."
    return "As many as torch takes; each has a core that no other work keeps busy."


def _means(engine: dict[str, Any]) -> str:
    """The means that are on, and the threads."""
    on = [name for name, value in engine.items() if value is True]
    return f"threads {engine['threads']}, {', '.join(on)}"


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
        return importlib.metadata.version(module)
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
