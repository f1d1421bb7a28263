"""Change some parts of an image and leave the others: descent in the latent space, led by recognisers of the parts."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from elegan.latent.recogniser import Recogniser

STEPS, LR = 60, 0.1
NOISE = 0.05
"""Added to what the recognisers see, or the descent finds changes that only they see."""
KEEP, NEAR = 2.0, 1.0
"""Weights of the other parts and of the way gone, where that of a part that is to change is 1."""


def change(
    render: Callable[[Tensor], Tensor],
    styles: Tensor,
    scale: Tensor,
    recognisers: Sequence[Recogniser],
    wanted: Mapping[int, int],
    *,
    steps: int = STEPS,
    seed: int = 0,
) -> Tensor:
    """Styles near ``styles`` [n, layers, d] whose images have the values ``wanted``, part → value, and else stay alike.

    The way Δ [n, d], the same in all layers and in units of ``scale`` [layers, d], the styles' standard deviations,
    descends, with recognisers R,

        mean over R of [ Σ_wanted −log R_p(v | G) + 2 Σ_others H(R_p(· | G₀), R_p(· | G)) ] + mean Δ²

    where G₀ and G are the images before and now: the latent optimisation of StyleCLIP (Patashnik et al., 2021,
    arXiv:2103.17249, eq. 1) with recognisers in place of CLIP.  A small network can be fooled by its own gradient; two
    that were taught apart are fooled less, and so they are by a style that is moved alike in all layers, as those of
    samples are (LOG.md).
    """
    with torch.no_grad():
        before = [[logits.softmax(1) for logits in recogniser.eval()(render(styles))] for recogniser in recognisers]
    way = torch.zeros_like(styles[:, :1]).requires_grad_(True)
    adam, generator = torch.optim.Adam([way], LR), torch.Generator().manual_seed(seed)
    targets = {part: torch.full((len(styles),), value, device=styles.device) for part, value in wanted.items()}
    for step in range(steps):
        adam.param_groups[0]["lr"] = LR * min(1.0, 2 * (1 - step / steps))
        images = render(styles + scale * way)
        images = images + NOISE * torch.randn(images.shape, generator=generator).to(images)
        losses = [way.square().mean((1, 2)) * NEAR]
        for recogniser, were in zip(recognisers, before, strict=True):
            for part, (logits, was) in enumerate(zip(recogniser(images), were, strict=True)):
                told = cross_entropy(logits, targets.get(part, was), reduction="none")
                losses.append(told * (1.0 if part in wanted else KEEP) / len(recognisers))
        (way.grad,) = torch.autograd.grad(torch.stack(losses).sum(), [way])
        adam.step()
    return (styles + scale * way).detach()
