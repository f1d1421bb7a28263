"""Small layers: initialisation, heads in float32, labels as vectors."""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear

M = TypeVar("M", bound=nn.Module)

LEAK = 0.2
LEAKY_GAIN = math.sqrt(2 / (1 + LEAK**2))


def scaled_normal_(layer: M, gain: float = 1.0) -> M:
    """Weights from N(0, gain²/fan-in), biases 0 (He et al., 2015, arXiv:1502.01852); returns the layer."""
    weight, bias = layer.get_parameter("weight"), getattr(layer, "bias", None)
    fan_in = weight[0].numel()
    with torch.no_grad():
        weight.normal_(0, gain / math.sqrt(fan_in)) if gain else weight.zero_()
        if bias is not None:
            bias.zero_()
    return layer


class WideLinear(nn.Linear):
    """A linear layer that computes in its own precision under autocast: for logits."""

    def forward(self, input: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        with torch.autocast(input.device.type, enabled=False):
            return linear(input.to(self.weight.dtype), self.weight, self.bias)


def wide_linear(inputs: int, outputs: int) -> WideLinear:
    """Logits with a variance of about 1."""
    return scaled_normal_(WideLinear(inputs, outputs))


class LabelVector(nn.Module):
    """A learned vector for each class, scaled to a root mean square of 1; nothing [n, 0] without classes."""

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.size = size if classes else 0
        self.table = nn.Embedding(classes, size) if classes else None

    def forward(self, label: Int[Tensor, " n"]) -> Float[Tensor, "n size"]:
        if self.table is None:
            return torch.zeros(len(label), 0, device=label.device)
        vector = self.table(label)
        return vector * (vector.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class ClassLogit(nn.Module):
    """Features → a logit: one output a class, and the label picks its own.

    It equals projection conditioning (Miyato & Koyama, 2018, arXiv:1802.05637, eq. 3) with the common
    term folded into each class's weights.  Without classes there is one output.  ``layer`` makes the outputs' layer.
    """

    def __init__(self, features: int, classes: int, layer: Callable[[int, int], nn.Module] = wide_linear) -> None:
        super().__init__()
        self.classes = classes
        self.outputs = layer(features, max(1, classes))

    def forward(self, features: Float[Tensor, "n f"], label: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        outputs = self.outputs(features)
        return outputs.gather(1, label[:, None])[:, 0] if self.classes else outputs[:, 0]
