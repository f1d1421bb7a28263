"""pix2pix: "Image-to-Image Translation with Conditional Adversarial Networks".
Phillip Isola, Jun-Yan Zhu, Tinghui Zhou, Alexei A. Efros, 2017, arXiv:1611.07004.

Pairs of an image x and what it is to become, y.  The discriminator D sees both, and judges every patch; it descends

    ½ { E[−log D(x, y)] + E[−log(1 − D(x, G(x)))] }                      (eq. 1, halved as in section 3.3)

and the generator G descends

    E[−log D(x, G(x))] + λ E‖y − G(x)‖₁                                  (eq. 1, non-saturating; eq. 3 and 4)

G is a U-Net: what is where in x is seen by every layer of its decoder.  The paper's noise is dropout, in training and
in use; here it is in training alone, where a config asks for it, so that an image always becomes the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from elegan.augment import Augmentation
from elegan.game import Batch, Game, Move, Progress, Random, Spec, Terms
from elegan.losses.adversarial import OBJECTIVES
from elegan.losses.reconstruction import mean_absolute
from elegan.models.translators import TranslatorConfig, too_many_layers
from elegan.networks.patch_discriminator import PatchDiscriminator, mean_of_patches, patch_layers
from elegan.networks.translator import UNet, halvings


@dataclass(frozen=True)
class Pix2PixConfig(TranslatorConfig):
    batch: int = 16
    """Images a step."""
    lr: float = 5e-4
    """The generator's learning rate at its height."""
    l1: float = 100.0
    """Weight of the mean absolute difference from the wanted image, the paper's lambda."""
    adversarial: float = 1.0
    """Weight of what the discriminator says; 0 leaves a network that learns from the difference alone."""
    width: int = 48
    """Channels of the generator's first layer; they double to eight times as many."""
    levels: int | None = None
    """How often the generator halves the image; when not given: until 2 pixels are left; 0: until one is."""
    dropout: float = 0.0
    """The share of features dropped in the decoder's innermost layers while training."""
    norm: Literal["batch", "instance"] = "batch"
    """Normalisation of both players."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and below 1.")


class Pix2Pix(Game):
    """Pairs, a U-Net, a discriminator of patches, and a pixel-wise difference."""

    Config = Pix2PixConfig
    translations = ("B",)

    def __init__(self, config: Pix2PixConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        settled: Any = self.config
        sources, channels = spec.shapes["source"][0], spec.image[0]
        self.augmentation = Augmentation.of(config, spec)
        self.generator = UNet(sources, channels, config.width, settled.levels, config.norm, config.dropout)
        self.discriminator = PatchDiscriminator(
            sources + channels, config.discriminator_width, settled.patch_layers, config.norm
        )

    @classmethod
    def settled(cls, config: Pix2PixConfig, spec: Spec) -> Pix2PixConfig:
        if not spec.is_image:
            return config
        height, width = spec.image[1:]
        levels = config.levels or halvings(height, width, left=2 if config.levels is None else 1)
        return replace(config, levels=levels, patch_layers=config.patch_layers or patch_layers(height, width))

    @classmethod
    def refuses(cls, config: Pix2PixConfig, spec: Spec) -> str | None:
        if not spec.is_image or "source" not in spec.shapes:
            return (
                "pix2pix learns from pairs of images; give folders trainA and trainB that hold the same names, or "
                "--pair edges, left-to-right or right-to-left."
            )
        if not spec.paired:
            return (
                "pix2pix learns from pairs, and not every name in trainA has its fellow in trainB (elegan data check "
                "says which); name both sides alike, or take cyclegan, which needs no pairs."
            )
        if config.augment_gap and not config.adversarial:
            return "Without a discriminator nothing says how much to augment; leave --augment-gap out."
        longer = max(spec.image[1:])
        most = (longer - 1).bit_length()
        if config.levels and config.levels > most:
            return f"levels is {config.levels}, and images of {longer} pixels can be halved {most} times; set it lower."
        return too_many_layers(config, spec)

    def moves(self, progress: Progress) -> Sequence[Move]:
        generator = Move("generator_terms", ("generator",))
        if not self.config.adversarial:
            return (generator,)
        return (generator, Move("discriminator_terms", ("discriminator",), data="same"))

    def generator_terms(self, batch: Batch) -> Terms:
        source, real = batch["source"], batch["real"]
        fake = self.generator(source)
        batch["fake"] = fake.detach()
        terms = {"l1": self.config.l1 * mean_absolute(fake, real)}
        if self.config.adversarial:
            logits = self.judge(source, fake, batch.random)
            terms["fake"] = self.config.adversarial * mean_of_patches(OBJECTIVES["non-saturating"].generator(logits))
        return terms

    def discriminator_terms(self, batch: Batch) -> Terms:
        source, objective = batch["source"], OBJECTIVES["non-saturating"]
        if "fake" not in batch:
            with torch.no_grad():
                batch["fake"] = self.generator(source)
        real, fake = (self.judge(source, images, batch.random) for images in (batch["real"], batch["fake"]))
        values = {"real": objective.real(real), "fake": objective.fake(fake)}
        return {name: 0.5 * mean_of_patches(patches) for name, patches in values.items()}

    def judge(self, source: Tensor, images: Tensor, random: Random) -> Tensor:
        """Logits [n, h, w] of pairs, both halves of which share one augmentation."""
        return self.discriminator(self.augmentation(torch.cat([source, images], 1), random.uniform))

    def sample(self, n: int, condition: Mapping[str, Tensor], random: Random) -> Tensor:
        return self.generator(condition["source"])

    def translate(self, images: Tensor, to: str) -> Tensor:
        return self.generator(images)

    def scores(self, batch: Batch) -> Tensor:
        return mean_of_patches(self.discriminator(torch.cat([batch["source"], batch["real"]], 1)))

    presets = {
        # section 6.2 and the appendix: batch 1 to 10, no augmentation but jitter, 256x256 images halved 8 times
        "isola2017": dict(batch=1, lr=2e-4, lr_end=1.0, warm_up=0, width=64, levels=0, dropout=0.5,
                          discriminator_width=64, patch_layers=3, augment=()),
        # the paper's baseline without a discriminator, "L1" in its table 1
        "l1-only": dict(adversarial=0.0),
    }  # fmt: skip
