"""How a training is computed: where, in which numbers, by which means.  What is computed doesn't depend on it.

By default everything is used that the machine has been found to gain from; each means can be switched off.
Logits, losses, penalties and the optimiser stay in float32 everywhere.
"""

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

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

    @property
    def precision(self) -> str:
        return "bf16" if self.bf16 else "float32"

    def describe(self) -> dict[str, Any]:
        """Plain values for a run's record."""
        return {**asdict(self), "device": str(self.device)}

    def autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def place(self, module: nn.Module) -> nn.Module:
        """Move a module to the device, in the memory layout that its convolutions want."""
        for part in module.modules():
            if hasattr(part, "own_gradients"):
                setattr(part, "own_gradients", self.own_gradients)  # noqa: B010
        module = module.to(self.device)
        return module.to(memory_format=torch.channels_last) if self.channels_last else module  # type: ignore[call-overload]


def choose(name: PrecisionName = "auto", *, gains: bool = True, device: torch.device | None = None) -> Engine:
    """The engine for networks that gain from bf16 and channels_last, or that don't."""
    device = device or best_device()
    if device.type == "cpu":
        able = bool(cpu_bf16_units())
    else:
        able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    bf16 = name == "bf16" or (name == "auto" and able and gains)
    fused = device.type in ("cpu", "cuda")
    return Engine(device, bf16, channels_last=gains and fused, fused=fused)


def plain(engine: Engine) -> Engine:
    """The same place without any of the means: PyTorch as it comes, for comparison."""
    return replace(engine, bf16=False, channels_last=False, fused=False, freeze=False, own_gradients=False)
