"""The step that usual PyTorch code plays: default memory layout, real and generated items judged apart."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from elegan.game import Game
from elegan.training.loop import Stream


class HalfByHalf(nn.Module):
    """A discriminator that judges a doubled batch, [real; generated], in two passes.

    Its logits are those of one pass, unless the networks have statistics of the whole batch.
    """

    def __init__(self, whole: nn.Module, batch: int) -> None:
        super().__init__()
        self.whole, self.batch = whole, batch

    def forward(self, items: Tensor, *others: Tensor) -> Tensor:
        """The discriminator's own arguments, split along their first dimension where it is doubled."""
        if len(items) != 2 * self.batch:
            return self.whole(items, *others)
        halves = zip(*(argument.chunk(2) for argument in (items, *others)), strict=True)
        return torch.cat([self.whole(*half) for half in halves])


class Contiguous:
    """A stream whose images lie in the default memory layout, N, C, H, W."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    @property
    def position(self) -> int:
        return self.stream.position

    @position.setter
    def position(self, place: int) -> None:
        self.stream.position = place

    def draw(self, n: int) -> Mapping[str, Tensor]:
        return {name: tensor.contiguous() for name, tensor in self.stream.draw(n).items()}


def as_usual(game: Game) -> Game:
    """The same game as usual code plays it; weights and losses stay the same."""
    for module in list(game.modules()):
        if any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in module.modules()):
            module.register_forward_pre_hook(_contiguous_inputs)
    if isinstance(discriminator := getattr(game, "discriminator", None), nn.Module):
        game.discriminator = HalfByHalf(discriminator, game.config.batch)
    return game


def _contiguous_inputs(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Networks that ask for channels_last by themselves don't get it."""
    return tuple(given.contiguous() for given in inputs)
