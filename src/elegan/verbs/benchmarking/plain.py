"""The step that usual PyTorch code plays: default memory layout, real and generated items judged apart."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elegan.game import Game
from elegan.training.loop import Stream


def batch_by_batch(forward: Callable[..., Tensor], batch: int) -> Callable[..., Tensor]:
    """A discriminator's ``forward`` that judges [real; generated] in two passes, and so on for more batches.

    Its logits are those of one pass, unless the networks have statistics of all that they see.
    """

    def judge(items: Tensor, *others: Any) -> Tensor:
        parts, rest = divmod(len(items), batch)
        if parts < 2 or rest:
            return forward(items, *others)
        batches = zip(*(_parted(given, parts) for given in (items, *others)), strict=True)
        return torch.cat([forward(*each) for each in batches])

    return judge


def _parted(given: Any, parts: int) -> list[Any]:
    """An argument, a batch after the other: rows of a tensor, the number of batches that there are, or all else."""
    if isinstance(given, Tensor):
        return list(given.chunk(parts))
    return [given // parts if isinstance(given, int) else given] * parts


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
        discriminator.forward = batch_by_batch(discriminator.forward, game.config.batch)
    return game


def _contiguous_inputs(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Networks that ask for channels_last by themselves don't get it."""
    return tuple(given.contiguous() if isinstance(given, Tensor) else given for given in inputs)
