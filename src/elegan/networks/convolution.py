"""A convolution whose gradient has a cheap gradient of its own: what a penalty on slopes asks for.

PyTorch differentiates a convolution's gradient with transposed convolutions whose kernels are as large as the image,
group by group.  But the gradients of y = w ∗ x are bilinear in (∂y, w) and in (∂y, x), so theirs are the same three
operations again: the convolution, and its gradients by x and by w.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]
"""Stride, padding, groups."""


class Convolution(nn.Conv2d):
    """``nn.Conv2d`` with zero padding and no dilation; ``own_gradients`` False gives PyTorch's own gradients."""

    own_gradients = True

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d e f"]:
        return self.convolve(input, self.weight)

    def convolve(self, input: Float[Tensor, "n c h w"], weight: Tensor) -> Float[Tensor, "n d e f"]:
        """With a weight that was made from this layer's own."""
        if not (self.own_gradients and torch.is_grad_enabled()):
            return self._conv_forward(input, weight, self.bias)
        kind = input.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        geometry = (tuple(self.stride), tuple(int(side) for side in self.padding), self.groups)
        output: Tensor = _Convolution.apply(input.to(dtype), weight.to(dtype), bias, geometry)  # type: ignore[no-untyped-call]
        return output


class _Convolution(Function):
    """(x, w, b) → w ∗ x + b."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return _convolve(x, weight, bias, geometry)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        wanted = [_is_wanted(node) for node, _ in ctx.next_functions]
        wanted += [False] * (3 - len(wanted))  # without a bias there are two
        return *_Gradients.apply(slope, x, weight, ctx.geometry, wanted), None  # type: ignore[no-untyped-call]


class _Gradients(Function):
    """(∂y, x, w) → (∂x, ∂w, ∂b), where ∂x = wᵀ ∂y, ∂w = ∂y ⋆ x and ∂b = Σ ∂y."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: list[bool]) -> Any:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(slope, x, weight)
        ctx.geometry = geometry
        return tuple(_gradients(slope, x, weight, geometry, wanted))

    @staticmethod
    def backward(ctx: Any, by_x: Tensor | None, by_weight: Tensor | None, by_bias: Tensor | None) -> Any:
        slope, x, weight = ctx.saved_tensors
        to_slope, to_x, to_weight = (_is_wanted(node) for node, _ in ctx.next_functions)
        slopes: list[Tensor] = []
        new_x = new_weight = None
        if by_x is not None:
            slopes += [_convolve(by_x, weight, None, ctx.geometry)] if to_slope else []
            new_weight = _gradients(slope, by_x, weight, ctx.geometry, [False, to_weight, False])[1]
        if by_weight is not None:
            slopes += [_convolve(x, by_weight, None, ctx.geometry)] if to_slope else []
            new_x = _gradients(slope, x, by_weight, ctx.geometry, [to_x, False, False])[0]
        if by_bias is not None and to_slope:
            slopes.append(by_bias.view(1, -1, 1, 1).expand_as(slope))
        return sum(slopes[1:], slopes[0]) if slopes else None, new_x, new_weight, None, None


def _is_wanted(node: Any) -> bool:
    """Whether the backward pass under way goes on to this node: a slope by the input needs none by the weights."""
    if node is None:
        return False
    try:
        return bool(torch._C._will_engine_execute_node(node))
    except (AttributeError, RuntimeError):  # it doesn't answer for leaves that torch.autograd.grad asks for
        return True


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    stride, padding, groups = geometry
    return torch.ops.aten.convolution(x, weight, bias, stride, padding, (1, 1), False, (0, 0), groups)


def _gradients(slope: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: list[bool]) -> Any:
    """The gradients by x, weight and bias; None for those that aren't wanted."""
    if not any(wanted):
        return None, None, None
    stride, padding, groups = geometry
    bias = [weight.shape[0]]
    return torch.ops.aten.convolution_backward(
        slope, x, weight, bias, stride, padding, (1, 1), False, (0, 0), groups, wanted
    )


__all__ = ["Convolution"]
