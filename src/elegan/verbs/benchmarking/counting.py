"""Operations of a step, counted as they are dispatched, by PyTorch's formulas and a better one for convolutions."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def convolution_backward(
    slope: Tensor, x: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, wanted: Sequence[bool], **_: Any,
) -> int:  # fmt: skip
    """Operations of ``aten.convolution_backward``: each gradient that is wanted costs as much as the convolution.

    The gradient by the bias counts as nothing.  PyTorch's own formula counts the gradient by the weights of
    grouped convolutions as many times too often as there are groups.
    """
    places = prod((x if transposed else slope).shape[2:])
    return sum(map(bool, wanted[:2])) * 2 * len(x) * places * weight.numel()


class Counter(TorchDispatchMode):
    """Counts what is dispatched while it is entered.

    PyTorch's FlopCounterMode does it with hooks on modules, which refuse the slopes that a penalty asks
    ``torch.autograd.grad`` for; the formulas are the same.
    """

    formulas = {**flop_registry, torch.ops.aten.convolution_backward: convolution_backward}

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts = {"convolution": 0, "matrix product": 0}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = func.overloadpacket
        if operation in self.formulas:
            kind = "convolution" if "conv" in str(operation) else "matrix product"
            self.counts[kind] += self.formulas[operation](*args, **(kwargs or {}), out_val=result)
        return result


def count(work: Callable[[], object]) -> dict[str, int]:
    """Floating-point operations of what ``work`` does, a multiplication and an addition being two.

    {"convolution": …, "matrix product": …}; everything else (normalisation, activations, resampling,
    optimisers) counts as nothing.  Backward passes of any order are counted where they run.
    """
    counter = Counter()
    with counter:
        work()
    return counter.counts
