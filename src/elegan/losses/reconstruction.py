"""How far a made image is from the one that it should be."""

from jaxtyping import Float
from torch import Tensor


def mean_absolute(made: Float[Tensor, " n *shape"], wanted: Float[Tensor, " n *shape"]) -> Float[Tensor, " n"]:
    """The mean of |made − wanted| over each item's values, in float32 or wider.

    The L1 terms of pix2pix (Isola et al., 2017, arXiv:1611.07004, eq. 3) and CycleGAN (Zhu et al., 2017,
    arXiv:1703.10593, eq. 2) are sums there; the weights, 100 and 10, are meant for means, as in both authors' code.
    """
    difference = (made - wanted).abs()
    wide = difference if difference.element_size() == 8 else difference.float()
    return wide.flatten(1).mean(1)


__all__ = ["mean_absolute"]
