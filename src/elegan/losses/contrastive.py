"""What makes two views of one place alike, and unlike all other places."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy


def patch_nce(
    query: Float[Tensor, "n places d"], key: Float[Tensor, "n places d"], temperature: float
) -> Float[Tensor, " n"]:
    """The mean over an item's places s of −log[ exp(q_s·k_s/τ) / Σ_t exp(q_s·k_t/τ) ], for vectors of length 1.

    Park et al., 2020, arXiv:2007.15651, eq. 2 and 3: a place of the made image is to be told from all other places of
    its own source by what it shows.  The keys are a target that nothing learns from, as in the authors' code.
    """
    logits = query.float() @ key.detach().float().transpose(1, 2) / temperature
    places = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
    return cross_entropy(logits.transpose(1, 2), places, reduction="none").mean(1)


__all__ = ["patch_nce"]
