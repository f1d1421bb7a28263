"""Batch normalisation with the statistics of the whole batch, also where several processes share it."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import batch_norm


@runtime_checkable
class WholeBatch(Protocol):
    """The processes that share a batch: how many, and the differentiable mean over the rows of all of them."""

    @property
    def size(self) -> int: ...

    def mean(self, rows: Tensor) -> Tensor: ...


class _AcrossRanks(nn.modules.batchnorm._BatchNorm):
    """Ioffe & Szegedy, 2015, arXiv:1502.03167, algorithm 1, on torch's own module and with its parameters.

    Among several ``ranks``, each of which must hold as many rows, mean and variance in training are those of all
    rows, with one exchange a pass.  torch.nn.SyncBatchNorm does so on CUDA devices alone.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float
    ranks: WholeBatch | None = None
    """Set by the training; None: this process has the whole batch."""

    def forward(self, input: Float[Tensor, "n c *size"]) -> Float[Tensor, "n c *size"]:
        if self.ranks is None or self.ranks.size == 1 or not self.training:
            return super().forward(input)
        with torch.no_grad():
            mean, variance = _shared(*self._moments(input), self.running_mean, self.ranks)
            count = input[:, 0].numel() * self.ranks.size
            self.num_batches_tracked += 1
            about = self.running_mean.clone()  # the next call's moments are taken about another
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(1, count - 1)), self.momentum)
        moments = (mean, variance, about, self.ranks, self.eps)
        output: Tensor = _Normalised.apply(input, self.weight, self.bias, moments)  # type: ignore[no-untyped-call]
        return output

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance [c] over the rows of this rank."""
        if x.device.type != "cpu":
            return _plain_moments(x)
        scratch = self.running_mean.clone(), self.running_var.clone()  # their type is that of the answer
        mean, variance = torch.batch_norm_update_stats(x, *scratch, 0.0)  # many times faster on a processor
        return mean, variance


def _shared(mean: Tensor, variance: Tensor, about: Tensor, ranks: WholeBatch) -> tuple[Tensor, Tensor]:
    """Mean and variance [c] over the rows of all ranks, from those of this one's.

    Squares are taken about a point that all ranks know, so that a channel far from 0 loses no digits.
    """
    offset = mean - about
    offset, square = ranks.mean(torch.cat([offset, variance + offset.square()])[None]).chunk(2)
    return offset + about, square - offset.square()


def _plain_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    wide = x if x.dtype == torch.float64 else x.float()
    variance, mean = torch.var_mean(wide, dim=[0, *range(2, x.dim())], correction=0)
    return mean, variance


class _Normalised(Function):
    """(x, weight, bias) → weight (x − mean)/√(variance + eps) + bias, where the moments depend on x, too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, moments: tuple[Any, ...]) -> Tensor:
        mean, variance, ctx.about, ctx.ranks, ctx.eps = moments
        ctx.save_for_backward(x, weight, bias, mean, variance)
        return batch_norm(x, mean, variance, weight, bias, training=False, eps=ctx.eps)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        x, weight, bias, mean, variance = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_differentiable_slopes(ctx, slope, x, weight, bias), None
        by_x, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            slope, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )  # as if the moments were constant; then what their dependence on x takes away, a line a channel
        means = torch.cat([by_bias, by_weight])[None] / x[:, 0].numel()
        by_bias_mean, by_weight_mean = ctx.ranks.mean(means).chunk(2)
        inverse = (variance + ctx.eps).rsqrt()
        rise = weight * inverse.square() * by_weight_mean
        start = weight * inverse * by_bias_mean - rise * mean
        zero, one = torch.zeros_like(mean), torch.ones_like(mean)
        return by_x - batch_norm(x, zero, one, rise, start, eps=0.0), by_weight, by_bias, None


def _differentiable_slopes(ctx: Any, slope: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor | None]:
    """The same slopes with slopes of their own, for penalties on slopes."""
    shape = (1, -1, *[1] * (x.dim() - 2))
    mean, variance = _shared(*_plain_moments(x), ctx.about, ctx.ranks)
    scale = (weight * (variance + ctx.eps).rsqrt()).view(shape)
    output = ((x - mean.view(shape)) * scale + bias.view(shape)).to(slope.dtype)
    inputs = (x, weight, bias)
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    slopes = iter(torch.autograd.grad(output, wanted, slope, create_graph=True))
    return [next(slopes) if tensor.requires_grad else None for tensor in inputs]


class BatchNorm1d(_AcrossRanks, nn.BatchNorm1d):
    """``nn.BatchNorm1d`` for vectors [n, c] over the whole batch."""


class BatchNorm2d(_AcrossRanks, nn.BatchNorm2d):
    """``nn.BatchNorm2d`` for images [n, c, h, w] over the whole batch."""


__all__ = ["BatchNorm1d", "BatchNorm2d", "WholeBatch"]
