"""Which numbers the networks are computed in: bf16 where the processor has units for it, float32 elsewhere.

Logits, losses, penalties and the optimiser stay in float32 everywhere.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import nn

BF16_FLAGS = ("amx_bf16", "avx512_bf16")
PrecisionName = Literal["auto", "bf16", "float32"]


@cache
def cpu_bf16_units() -> tuple[str, ...]:
    """The processor's bf16 units by their Linux flag names; empty where there are none or none can be seen."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return tuple(flag for flag in BF16_FLAGS if flag in flags)


def best_device() -> torch.device:
    """A CUDA device where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Precision:
    """Where and in what the networks run."""

    device: torch.device
    bf16: bool
    channels_last: bool

    @property
    def name(self) -> str:
        return "bf16" if self.bf16 else "float32"

    def autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def place(self, module: nn.Module) -> nn.Module:
        """Move a module to the device, in the memory layout that its convolutions want."""
        module = module.to(self.device)
        return module.to(memory_format=torch.channels_last) if self.channels_last else module  # type: ignore[call-overload]


def choose(name: PrecisionName = "auto", *, gains: bool = True, device: torch.device | None = None) -> Precision:
    """The precision for networks that gain from bf16 and channels_last, or that don't."""
    device = device or best_device()
    if device.type == "cpu":
        able = bool(cpu_bf16_units())
    else:
        able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    bf16 = name == "bf16" or (name == "auto" and able and gains)
    return Precision(device, bf16, channels_last=gains and device.type in ("cpu", "cuda"))
