"""Layers with an equalised learning rate, and the two other parts that ProGAN brought: pixelwise feature normalisation
and minibatch standard deviation (Karras et al., 2018, arXiv:1710.10196, sections 3 and 4)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, linear

from elegan.networks.convolution import Convolution

SQRT2 = math.sqrt(2)


class EqualisedLinear(nn.Linear):
    """x [..., i] → [..., o] with weights from N(0, 1) that are scaled in use, w·gain/√i (section 4.1).

    Adam moves each weight by its learning rate whatever the gradient's size; so scaled, all layers move alike
    relative to what they need.  ``lr_multiplier`` m makes this layer move m times as fast and start the same (Karras
    et al., 2019, arXiv:1812.04948, appendix C).  ``wide`` computes in the weights' own precision under autocast.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        gain: float = SQRT2,
        bias: bool = True,
        bias_init: float = 0.0,
        lr_multiplier: float = 1.0,
        wide: bool = False,
    ) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.scale, self.lr_multiplier, self.wide = gain * lr_multiplier / math.sqrt(inputs), lr_multiplier, wide
        nn.init.normal_(self.weight, 0.0, 1 / lr_multiplier)
        if self.bias is not None:
            nn.init.constant_(self.bias, bias_init / lr_multiplier)

    def forward(self, input: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        if not self.wide:
            return linear(input, self.weight * self.scale, bias)
        with torch.autocast(input.device.type, enabled=False):
            return linear(input.to(self.weight.dtype), self.weight * self.scale, bias)


class EqualisedConv2d(Convolution):
    """Images keep their size: kernel x kernel (odd) weights from N(0, 1), in use w·gain/√(i·kernel²)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = SQRT2, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.scale = gain / math.sqrt(inputs * kernel**2)
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        return self.convolve(input, self.weight * self.scale)

    def power(self) -> Float[Tensor, "o i"]:
        """The sum of the squared weights that an output meets, for each input channel."""
        return (self.weight * self.scale).square().sum((2, 3))


class EqualisedUp2d(nn.ConvTranspose2d):
    """Twice as many pixels a side, by a transposed 4x4 convolution, of whose weights an output meets 2x2 a channel."""

    def __init__(self, inputs: int, outputs: int, gain: float = SQRT2) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1, bias=False)
        self.scale = gain / math.sqrt(inputs * 4)
        nn.init.normal_(self.weight)

    def forward(  # type: ignore[override]
        self, input: Float[Tensor, "n i h w"]
    ) -> Float[Tensor, "n o 2*h 2*w"]:
        return conv_transpose2d(input, self.weight * self.scale, stride=2, padding=1)

    def power(self) -> Float[Tensor, "o i"]:
        """As in :class:`EqualisedConv2d`, on the mean over the four places that an output can have."""
        return (self.weight * self.scale).square().sum((2, 3)).T / 4


def pixel_norm(x: Float[Tensor, "n c *size"]) -> Float[Tensor, "n c *size"]:
    """x/√(mean over channels of x² + 1e-8): a root mean square of 1 at every pixel (section 4.2)."""
    y = x.movedim(1, -1)  # channels last in memory too, or gradients change their layout, which takes long
    mean_square = y.float().square().mean(-1, keepdim=True)
    return (y * (mean_square + 1e-8).rsqrt().to(y.dtype)).movedim(-1, 1)


def minibatch_deviation(x: Float[Tensor, "n c h w"], group: int = 4, parts: int = 1) -> Float[Tensor, "n d h w"]:
    """x with one more channel: how much the items of a group differ, one number a group (section 3).

    The standard deviation over the ``group`` items for each feature and place, averaged over all of them.  Groups are
    neighbouring rows, so that ranks which share a batch, each with whole groups, see the same groups as one; where n
    is no multiple of ``group``, the last group is filled up with the first rows.  ``parts`` says of how many equal
    batches x is made, real and generated ones say: no group crosses from one to the next.
    """
    y = x.movedim(1, -1)
    numbers = torch.cat([_deviation(part, min(group, len(part))) for part in y.chunk(parts)]).to(y.dtype)
    return torch.cat([y, numbers.view(-1, 1, 1, 1).expand(*y.shape[:-1], 1)], -1).movedim(-1, 1)


def _deviation(x: Tensor, group: int) -> Tensor:
    """One number for each row, the same in a group."""
    count, groups = len(x), -(-len(x) // group)
    if count != groups * group:
        x = x[torch.arange(groups * group, device=x.device) % count]
    items = x.float().unflatten(0, (groups, group))
    variance = (items - items.mean(1, keepdim=True)).square().mean(1)
    deviation = (variance + 1e-8).sqrt().flatten(1).mean(1)
    return deviation.repeat_interleave(group)[:count]


__all__ = ["EqualisedConv2d", "EqualisedLinear", "EqualisedUp2d", "minibatch_deviation", "pixel_norm"]
