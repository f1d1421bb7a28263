"""How a training may be told to compute.  This file needs no torch, so that a command line can read it fast."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "bf16", "float32"]


@dataclass(frozen=True)
class EngineOptions:
    """How to compute.  By default everything is used that the machine gains from, and run.json records it."""

    device: str = "auto"
    """Where: auto (CUDA where there is a device of it, else the processor), cpu, cuda, cuda:1 or mps."""
    precision: Precision = "auto"
    """The networks' numbers; auto: bf16 where there are units for it.  Losses are in float32 everywhere."""
    threads: int | None = None
    """Threads of the processor; when not given: as many as torch takes, less the cores that other work keeps busy."""
    channels_last: bool = True
    """Images in the memory layout N, H, W, C, where networks gain from it."""
    fused: bool = True
    """One kernel for all of Adam and one for all averages, where the device has them."""
    own_gradients: bool = True
    """Convolutions whose gradients have cheap gradients of their own."""
    freeze: bool = True
    """No gradients for the networks that a move doesn't train."""
    keep_pages: bool = True
    """On the command line: have glibc keep the memory of a step for the next one."""
