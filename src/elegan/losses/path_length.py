"""Path length regularisation: a step of a given size among the styles changes every image about as much."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def path_length(
    images: Float[Tensor, " n *shape"], styles: Float[Tensor, "n layers width"], direction: Float[Tensor, " n *shape"]
) -> Float[Tensor, " n"]:
    """‖Jᵀy‖ for each item, where J = ∂images/∂styles and y is the standard normal ``direction`` over √pixels.

    The squares are summed over a style and averaged over layers, so that steps of one w that all layers share are
    measured (Karras et al., 2020, arXiv:1912.04958, section 3.2).  ``styles`` must require gradients and have led to
    ``images``, each item's to its own alone.  In float32 or wider; the result can be differentiated once more.
    """
    pixels = images[0, 0].numel()
    projection = (images * (direction / math.sqrt(pixels))).sum()
    (slopes,) = torch.autograd.grad(projection, styles, create_graph=True)
    wide = slopes if slopes.dtype == torch.float64 else slopes.float()
    return torch.linalg.vector_norm(wide.flatten(1), dim=1) / math.sqrt(styles.shape[1])


def path_penalty(lengths: Float[Tensor, " n"], mean: Float[Tensor, ""], weight: float) -> Float[Tensor, " n"]:
    """γ (‖Jᵀy‖ − a)², a being the running mean of the lengths (ibid., eq. 4)."""
    return weight * (lengths - mean).square()


__all__ = ["path_length", "path_penalty"]
