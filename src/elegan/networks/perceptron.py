"""Multilayer perceptrons, and fixed Fourier features for the fine detail of low-dimensional data."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from elegan.networks.layers import ClassLogit, LabelVector, WideLinear, scaled_normal_


class FourierFeatures(nn.Module):
    """x [n, d] → [n, d + 2·count]: x itself beside sines and cosines of fixed random projections of it.

    Directions are isotropic, frequencies log-uniform in [lowest, highest], and a frequency w is weighted
    by (lowest/w)^½ so that slow ones lead (Tancik et al., 2020, arXiv:2006.10739).
    """

    directions: Tensor
    weights: Tensor

    def __init__(self, size: int, count: int, lowest: float, highest: float) -> None:
        super().__init__()
        direction = nn.functional.normalize(torch.randn(count, size), dim=1)
        frequency = torch.exp(torch.empty(count, 1).uniform_(math.log(lowest), math.log(highest)))
        self.register_buffer("directions", direction * frequency)
        self.register_buffer("weights", (lowest / frequency[:, 0]).sqrt())
        self.size = size + 2 * count

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n f"]:
        angle = x @ self.directions.T
        return torch.cat([x, angle.sin() * self.weights, angle.cos() * self.weights], 1)


def perceptron(
    sizes: Sequence[int], activation: Callable[[], nn.Module], norm: Callable[[int], nn.Module] | None = None
) -> nn.Sequential:
    """Linear layers of the given sizes, input to output, with an activation (and a norm before it) between them.

    Hidden weights are scaled for ReLU-like activations, the output's for variance 1; the last layer
    computes in its own precision under autocast.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes[:-1]):
        layers.append(scaled_normal_(nn.Linear(before, after), math.sqrt(2)))
        if norm:
            layers.append(norm(after))
        layers.append(activation())
    return nn.Sequential(*layers, scaled_normal_(WideLinear(sizes[-2], sizes[-1])))


class Maxout(nn.Module):
    """The largest of ``pieces`` linear functions for each unit (Goodfellow et al., 2013, arXiv:1302.4389)."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = scaled_normal_(nn.Linear(inputs, units * pieces))
        self.pieces = pieces

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n units"]:
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


def _start_spread_(network: nn.Sequential) -> nn.Sequential:
    """Spread the first layer's biases over (−1, 1), so that its units bend at different places."""
    first = network[0]
    if isinstance(first, nn.Linear):
        nn.init.uniform_(first.bias, -1, 1)
    return network


class FourierGenerator(nn.Module):
    """(z [n, latent], label [n]) → vectors [n, d]."""

    def __init__(self, size: int, classes: int, latent: int, width: int, depth: int) -> None:
        super().__init__()
        self.features = FourierFeatures(latent, count=32, lowest=0.3, highest=6.0)
        self.label = LabelVector(classes, latent)
        inputs = self.features.size + self.label.size
        self.network = _start_spread_(perceptron([inputs, *[width] * depth, size], nn.SiLU))

    def forward(self, z: Float[Tensor, "n latent"], label: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        return self.network(torch.cat([self.features(z), self.label(label)], 1))


class FourierDiscriminator(nn.Module):
    """(vectors [n, d], label [n]) → logits [n]."""

    def __init__(self, size: int, classes: int, width: int, depth: int) -> None:
        super().__init__()
        self.features = FourierFeatures(size, count=48, lowest=0.5, highest=30.0)
        hidden = list(perceptron([self.features.size, *[width] * depth, 1], nn.SiLU))[:-1]
        self.network = _start_spread_(nn.Sequential(*hidden))
        self.logit = ClassLogit(width, classes)

    def forward(self, vectors: Float[Tensor, "n d"], label: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        return self.logit(self.network(self.features(vectors)), label)
