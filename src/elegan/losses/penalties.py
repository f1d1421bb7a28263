"""Penalties on the slopes of the discriminator with respect to what it looks at."""

import torch
from jaxtyping import Float
from torch import Tensor


def squared_slope(logits: Float[Tensor, " n"], items: Float[Tensor, " n *shape"]) -> Float[Tensor, " n"]:
    """‖∇ₓD(x)‖² for each item: the sum over all its values, not the mean, in float32 or wider.

    ``items`` must require gradients and have led to ``logits``; each logit may depend on its own item alone
    (no batch normalisation in the discriminator).  The result can be differentiated once more.
    """
    (slopes,) = torch.autograd.grad(logits.sum(), items, create_graph=True)
    if not slopes.requires_grad:
        raise RuntimeError("The slopes can't be differentiated again, so the penalty would do nothing.")
    wide = slopes if slopes.dtype == torch.float64 else slopes.float()
    return wide.square().flatten(1).sum(1)


def zero_centred(logits: Float[Tensor, " n"], items: Float[Tensor, " n *shape"], gamma: float) -> Float[Tensor, " n"]:
    """γ/2 ‖∇D‖²: R1 on real items, R2 on generated ones (Mescheder et al., 2018, arXiv:1801.04406, eq. 9, 10)."""
    return 0.5 * gamma * squared_slope(logits, items)


GAMMA_OF_VARIANCE = 0.03
"""γ in units of the data's variance.  A slope bridges the distance between images with a height of the order of 1, so
‖∇D‖² is of the order of one over a squared distance; the factor was found on digits, clothes and fruit (LOG.md)."""


def gamma_for(variance: float, share: float = GAMMA_OF_VARIANCE) -> float:
    """γ for data whose items lie ``variance`` (a squared distance) from their mean; 1 where that isn't known."""
    return float(f"{share * variance:.3g}") if variance > 0 else 1.0


def one_centred(
    logits: Float[Tensor, " n"], items: Float[Tensor, " n *shape"], weight: float = 10.0
) -> Float[Tensor, " n"]:
    """λ (‖∇D‖ − 1)² on items between real and generated ones (WGAN-GP: Gulrajani et al., 2017, arXiv:1704.00028,
    eq. 3)."""
    return weight * (squared_slope(logits, items).sqrt() - 1).square()


def between(
    real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], share: Float[Tensor, " n"]
) -> Float[Tensor, " n *shape"]:
    """ε x + (1 − ε) G(z) with one ε in [0, 1) an item, ready to be differentiated (ibid., algorithm 1)."""
    share = share.view(-1, *[1] * (real.dim() - 1))
    return (share * real + (1 - share) * fake).detach().requires_grad_(True)
