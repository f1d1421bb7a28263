"""What the machine can do at most: the fastest plain convolution and matrix product, in operations a second."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from elegan.training.engine import best_device

IMAGES, CHANNELS, PIXELS, KERNEL = 64, 128, 16, 3
SIDE = 1024
DTYPES = {"bf16": torch.bfloat16, "float32": torch.float32}
CEILINGS = tuple(f"{work} {number}" for work in ("convolution", "matrix product") for number in DTYPES)
"""What can be measured: "convolution bf16" …"""


def ceiling(name: str, seconds: float) -> float:
    """Operations a second of one of the CEILINGS, the best of its memory layouts, over about ``seconds`` each.

    The convolution is 3x3 from 128 to 128 channels on 64 maps of 16x16, forward and backward; bf16 in
    channels_last, float32 in either layout.  The matrices are 1024x1024.
    """
    work, _, number = name.rpartition(" ")
    tasks = _convolutions(DTYPES[number]) if work == "convolution" else _products(DTYPES[number])
    return max(operations / _seconds(task, seconds) for task, operations in tasks)


def _convolutions(dtype: torch.dtype) -> Iterator[tuple[Callable[[], object], float]]:
    layouts = [torch.channels_last] + [torch.contiguous_format] * (dtype == torch.float32)
    operations = 3 * 2.0 * IMAGES * PIXELS**2 * CHANNELS**2 * KERNEL**2  # forward, and by input and weights
    for layout in layouts:
        maps, kernel = _random(IMAGES, PIXELS, dtype, layout), _random(CHANNELS, KERNEL, dtype, layout)
        slope = torch.ones_like(maps)
        maps.requires_grad_()
        kernel.requires_grad_()
        yield partial(_there_and_back, maps, kernel, slope), operations


def _there_and_back(maps: Tensor, kernel: Tensor, slope: Tensor) -> object:
    return torch.autograd.grad(conv2d(maps, kernel, padding=KERNEL // 2), (maps, kernel), slope)


def _random(n: int, side: int, dtype: torch.dtype, layout: torch.memory_format) -> Tensor:
    return torch.randn(n, CHANNELS, side, side, device=best_device()).to(dtype=dtype, memory_format=layout)


def _products(dtype: torch.dtype) -> Iterator[tuple[Callable[[], object], float]]:
    square = torch.randn(SIDE, SIDE, device=best_device()).to(dtype)
    yield partial(torch.matmul, square, square), 2.0 * SIDE**3


def _seconds(task: Callable[[], object], at_least: float) -> float:
    """Wall time of one run, after two to warm up."""
    for _ in range(2):
        task()
    _wait()
    runs, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < at_least or not runs:
        task()
        _wait()
        runs += 1
    return elapsed / runs


def _wait() -> None:
    if best_device().type != "cpu":
        torch.accelerator.synchronize()
