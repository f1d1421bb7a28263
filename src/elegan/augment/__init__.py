"""Differentiable augmentation: the discriminator sees every image, real or generated, transformed at random.

It lets a discriminator learn from few images without learning them by heart (Zhao et al., 2020,
arXiv:2006.10738; Karras et al., 2020, arXiv:2006.06676).  Images never are flipped: a mirrored 7 is no 7.
"""

from elegan.augment.augmentation import Augmentation
from elegan.augment.differentiable import NUMBERS, POLICIES, augment

__all__ = ["NUMBERS", "POLICIES", "Augmentation", "augment"]
