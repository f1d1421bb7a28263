"""Change some parts of an image and leave the others: descent in the latent space, led by recognisers of the parts."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from elegan.latent.recogniser import Recogniser
from elegan.progress import reported

STEPS, LR = 60, 0.1
NOISE = 0.05
"""Added to what the recognisers see, or the descent finds changes that only they see."""
WANTED, KEEP, NEAR = 3.0, 2.0, 1.0
"""Weights of a part that is to change, of another part, and of the way gone."""
AHEAD = 0.7
"""The share of the way to an example from which the second descent starts."""


def change(
    render: Callable[[Tensor], Tensor],
    styles: Tensor,
    scale: Tensor,
    recognisers: Sequence[Recogniser],
    wanted: Mapping[int, int],
    examples: Tensor | None = None,
    *,
    steps: int = STEPS,
) -> Tensor:
    """Styles near ``styles`` [n, layers, d] whose images have the values ``wanted``, part → value, and else stay alike.

    The way Δ [n, d], the same in all layers and in units of ``scale`` [layers, d], the styles' standard deviations,
    descends, with recognisers R,

        mean over R of [ 3 Σ_wanted −log R_p(v | G) + 2 Σ_others H(R_p(· | G₀), R_p(· | G)) ] + mean Δ²

    where G₀ and G are the images before and now: the latent optimisation of StyleCLIP (Patashnik et al., 2021,
    arXiv:2103.17249, eq. 1) with recognisers in place of CLIP.  A small network can be fooled by its own gradient; two
    that were taught apart are fooled less, and so they are by a style that is moved alike in all layers, as those of
    samples are.  ``examples``, of the shape of ``styles``, have the values wanted: a second descent starts ahead on the
    way to them, since a crown isn't reached from a cap by small steps, and the better end counts (LOG.md).
    """
    task = _Task(render, styles, scale, recognisers, wanted)
    starts = [torch.zeros_like(styles[:, :1])]
    if examples is not None:
        starts.append(AHEAD * ((examples - styles) / scale).mean(1, keepdim=True))
    ends = [task.descend(start, steps) for start in starts]
    with torch.no_grad():
        best = torch.stack([task.loss(end) for end in ends]).argmin(0)
    way = torch.stack(ends)[best, torch.arange(len(styles), device=styles.device)]
    return (styles + scale * way).detach()


class _Task:
    """What the descent of some styles is told by, [n] values each."""

    def __init__(
        self, render: Callable[[Tensor], Tensor], styles: Tensor, scale: Tensor, recognisers: Sequence[Recogniser],
        wanted: Mapping[int, int],
    ) -> None:  # fmt: skip
        self.render, self.styles, self.scale = render, styles, scale
        self.recognisers, self.wanted = [recogniser.eval() for recogniser in recognisers], wanted
        with torch.no_grad():
            images = render(styles)
            self.shape = images.shape[1:]
            self.before = [[logits.softmax(1) for logits in recogniser(images)] for recogniser in self.recognisers]

    def loss(self, way: Tensor, noise: Tensor | float = 0.0) -> Tensor:
        images = self.render(self.styles + self.scale * way) + noise
        total = NEAR * way.square().mean((1, 2))
        for recogniser, before in zip(self.recognisers, self.before, strict=True):
            for part, (logits, was) in enumerate(zip(recogniser(images), before, strict=True)):
                weight = (WANTED if part in self.wanted else KEEP) / len(self.recognisers)
                total = total + weight * cross_entropy(logits, self._target(part, was), reduction="none")
        return total

    def _target(self, part: int, was: Tensor) -> Tensor:
        if part not in self.wanted:
            return was
        return torch.full((len(was),), self.wanted[part], device=was.device)

    def descend(self, start: Tensor, steps: int) -> Tensor:
        """From a way [n, 1, d] to a better one.  All images get the same noise: none hangs on what is beside it."""
        way, generator = start.clone().requires_grad_(True), torch.Generator().manual_seed(0)
        adam = torch.optim.Adam([way], LR)
        for step in reported(range(steps), steps, "Changing images: step"):
            adam.param_groups[0]["lr"] = LR * min(1.0, 2 * (1 - step / steps))
            noise = NOISE * torch.randn(self.shape, generator=generator).to(way)
            (way.grad,) = torch.autograd.grad(self.loss(way, noise).sum(), [way])
            adam.step()
        return way.detach()
