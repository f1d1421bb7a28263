"""How a training is computed: where, in which numbers, by which means.  What is computed doesn't depend on it.

By default everything is used that the machine has been found to gain from; each means can be switched off.
Logits, losses, penalties and the optimiser stay in float32 everywhere.  TF32 stays as torch has it: off in a matrix
product, on in a convolution of a CUDA device.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from elegan.training.options import EngineOptions, Precision

BF16_FLAGS = ("amx_bf16", "avx512_bf16")
DEVICES = re.compile(r"cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Engine:
    """The means of one training, each of which can be switched off."""

    device: torch.device
    bf16: bool
    """Networks under autocast to bfloat16."""
    channels_last: bool
    """Images and convolutions' weights in the memory layout N, H, W, C."""
    fused: bool = True
    """One kernel for all of Adam, one for all averages."""
    freeze: bool = True
    """No gradients for the networks that a move doesn't train."""
    own_gradients: bool = True
    """Convolutions whose gradients have cheap gradients (:mod:`elegan.networks.convolution`)."""
    threads: int | None = None
    """Threads of the processor; None leaves torch's own number."""

    @property
    def precision(self) -> str:
        return "bf16" if self.bf16 else "float32"

    def describe(self) -> dict[str, Any]:
        """Plain values for a run's record, named as the options are."""
        return {
            "device": str(self.device), "precision": self.precision, "threads": self.threads,
            "channels_last": self.channels_last, "fused": self.fused, "own_gradients": self.own_gradients,
            "freeze": self.freeze,
        }  # fmt: skip

    @classmethod
    def described(cls, record: Mapping[str, Any]) -> "Engine":
        """The engine that :meth:`describe` described; KeyError, TypeError or RuntimeError when it didn't."""
        means = {name: bool(record[name]) for name in ("channels_last", "fused", "own_gradients", "freeze")}
        threads = None if record["threads"] is None else max(1, int(record["threads"]))
        return cls(torch.device(record["device"]), record["precision"] == "bf16", threads=threads, **means)

    def autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @contextmanager
    def on_its_threads(self) -> Iterator[None]:
        """Have torch use this engine's number of threads; afterwards its own again."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def place(self, module: nn.Module) -> nn.Module:
        """Move a module to the device, in the memory layout that its convolutions want."""
        for part in module.modules():
            if hasattr(part, "own_gradients"):
                setattr(part, "own_gradients", self.own_gradients)  # noqa: B010
        module = module.to(self.device)
        return module.to(memory_format=torch.channels_last) if self.channels_last else module  # type: ignore[call-overload]


def choose(precision: Precision = "auto", *, gains: bool = True, **others: Any) -> Engine:
    """The engine for networks that gain from bf16 and channels_last, or that don't.

    ``others`` are further fields of EngineOptions.  Raises ValueError, one sentence, for what can't be.
    """
    options = EngineOptions(precision=precision, **others)
    if reason := refusal(options):
        raise ValueError(reason)
    device = best_device() if options.device == "auto" else torch.device(options.device)
    fused = device.type in ("cpu", "cuda")
    return Engine(
        device,
        bf16=precision == "bf16" or (precision == "auto" and gains and has_bf16_units(device) is True),
        channels_last=options.channels_last and gains and fused,
        fused=options.fused and fused,
        freeze=options.freeze,
        own_gradients=options.own_gradients,
        threads=options.threads,
    )


def plain(engine: Engine) -> Engine:
    """The same place without any of the means: PyTorch as it comes, for comparison."""
    return replace(engine, bf16=False, channels_last=False, fused=False, freeze=False, own_gradients=False)


def refusal(options: EngineOptions) -> str | None:
    """Why this machine can't compute so, in one sentence; None when it can."""
    for name, value in vars(options).items():
        if isinstance(getattr(EngineOptions, name), bool) and not isinstance(value, bool):
            return f"{name} is {value!r}; it must be True or False."
    threads = options.threads
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024):
        return f"threads is {threads!r}; it must be a whole number from 1 to 1024."
    if options.precision not in ("auto", "bf16", "float32"):
        return f"precision is {options.precision!r}; it must be one of auto, bf16, float32."
    if options.device == "auto":
        device = best_device()
    elif reason := missing_device(options.device):
        return reason
    else:
        device = torch.device(options.device)
    if options.precision == "bf16" and has_bf16_units(device) is False:
        return f"precision is bf16, and {device} has no bf16 units; leave it out or set it to float32."
    return None


def missing_device(name: object) -> str | None:
    """Why there is no such device here, in one sentence; None when there is."""
    if not isinstance(name, str) or not DEVICES.fullmatch(name):
        return f"device is {name!r}; it must be auto, cpu, cuda, mps, or cuda and a number as in cuda:1."
    if name == "mps" and not torch.backends.mps.is_available():
        return "device is mps, and torch finds no Apple graphics here; leave it out or set it to cpu."
    if name.startswith("cuda") and not torch.cuda.is_available():
        return f"device is {name}, and torch finds no CUDA device here; leave it out or set it to cpu."
    if name.startswith("cuda:") and int(name[5:]) >= torch.cuda.device_count():
        return f"device is {name}, and the last CUDA device here is cuda:{torch.cuda.device_count() - 1}; set that."
    return None


def best_device() -> torch.device:
    """A CUDA device where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16_units(device: torch.device) -> bool | None:
    """Whether the device multiplies bf16 matrices in units of its own; None where that can't be seen."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and cpu_flags():
        return bool(cpu_bf16_units())
    return None


def cpu_bf16_units() -> tuple[str, ...]:
    """The processor's bf16 units by their Linux flag names; empty where there are none or none can be seen."""
    return tuple(flag for flag in BF16_FLAGS if flag in cpu_flags())


@cache
def cpu_flags() -> frozenset[str]:
    """What an x86 processor says on Linux that it can do; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    return frozenset(next((line for line in text.splitlines() if line.startswith("flags")), "").split()[2:])
