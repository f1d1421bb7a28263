"""Averaged weights: the copy of a game's networks that users get."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from elegan.game import Game


class Averages:
    """Exponential moving averages, by images shown, of every submodule that a game delivers.

    A half-life that grows with the images shown (StyleGAN2-ADA's ramp; Karras et al., 2020,
    arXiv:2006.06676) lets the average follow the fast first steps.  Floating-point buffers, such as
    running statistics, are averaged as weights are; others are copied.
    """

    def __init__(self, game: Game, *, fused: bool = True) -> None:
        self.fused = fused
        self.names = game.deliver
        self.modules = {name: _frozen_copy(game.get_submodule(name)) for name in game.deliver}

    @torch.no_grad()
    def update(self, game: Game, images: int, half_life: float) -> None:
        """Move the averages towards the game's weights after ``images`` more have been shown."""
        weight = 1.0 - 0.5 ** (images / half_life) if half_life > 0 else 1.0
        ours: list[Tensor] = []
        theirs: list[Tensor] = []
        for name, module in self.modules.items():
            for mine, other in zip(_tensors(module), _tensors(game.get_submodule(name)), strict=True):
                if mine.is_floating_point():
                    ours.append(mine)
                    theirs.append(other)
                else:
                    mine.copy_(other)
        if self.fused:
            torch._foreach_lerp_(ours, theirs, weight)
            return
        for mine, other in zip(ours, theirs, strict=True):
            mine.lerp_(other, weight)

    @contextmanager
    def inside(self, game: Game) -> Iterator[Game]:
        """The game with its averaged networks in place of the ones in training, in evaluation mode."""
        trained = {name: getattr(game, name) for name in self.names}
        was_training = game.training
        for name, module in self.modules.items():
            setattr(game, name, module)
        try:
            yield game.eval()
        finally:
            for name, module in trained.items():
                setattr(game, name, module)
            game.train(was_training)

    def state(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": tensor
            for name, module in self.modules.items()
            for key, tensor in module.state_dict().items()
        }


def _frozen_copy(module: nn.Module) -> nn.Module:
    return deepcopy(module).eval().requires_grad_(False)


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()
