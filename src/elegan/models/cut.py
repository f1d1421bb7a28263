"""CUT: "Contrastive Learning for Unpaired Image-to-Image Translation".
Taesung Park, Alexei A. Efros, Richard Zhang, Jun-Yan Zhu, 2020, arXiv:2007.15651.

Images x of side A and y of side B, of which none belong together; G makes B of A, in this direction alone, without a
second translator and without a way back.  With features z_l = H_l(G_l(x)), layers of the first half of G with two dense
ones after each, at places s, G and H descend

    E[(D(G(x)) − 1)²] + λ E Σ_l ℓ(z_l(G(x)), z_l(x)) + λ ι E Σ_l ℓ(z_l(G(y)), z_l(y))        (eq. 5)

where ℓ tells a place of the made image from the other places of its source (eq. 2 and 3; τ = 0.07), sums over layers
and places are means, λ = 1 and ι = 1; "fast" has λ = 10 and ι = 0.  The discriminator descends

    ½ { E[(D(y) − 1)²] + E[D(G(x))²] }                                    (appendix C.1, least squares)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from elegan.augment import Augmentation
from elegan.game import Batch, Game, Move, Progress, Random, Spec, Terms
from elegan.losses.adversarial import least_squares_fake, least_squares_generator, least_squares_real
from elegan.losses.contrastive import patch_nce
from elegan.models.translators import TranslatorConfig, squares_for, too_many_halvings, too_many_layers
from elegan.networks.patch_discriminator import PatchDiscriminator, mean_of_patches, patch_layers
from elegan.networks.translator import PlaceHeads, ResidualTranslator


@dataclass(frozen=True)
class CUTConfig(TranslatorConfig):
    batch: int = 8
    """Images of each side a step."""
    lr: float = 1e-3
    """The translator's learning rate at its height."""
    contrast: float = 1.0
    """Weight of the places that are to stay what they show, the paper's lambda."""
    identity: float = 1.0
    """The same for images of the wanted side, in units of contrast."""
    temperature: float = 0.07
    """How sharply places are told apart, the paper's tau."""
    places: int = 256
    """Places of each layer that are compared, at most."""
    heads: int = 128
    """Units of the dense layers; the paper's: 256."""
    width: int = 64
    """Channels of the translator's first layer; they double at each halving."""
    patch: int | None = None
    """Pixels a side that the translator sees and draws as one; when not given 4 from 64x64, 2 below; the paper's: 1."""
    halvings: int = 0
    """How often the translator halves what it sees; the paper's: 2."""
    blocks: int = 3
    """Residual blocks of the translator; the paper's: 9."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0.")
        if self.places < 2:
            raise ValueError(f"places is {self.places}; at least 2 are needed to tell one from another.")


class CUT(Game):
    """One translator, one discriminator of patches, and places that must be found again."""

    Config = CUTConfig
    translations = ("B",)

    def __init__(self, config: CUTConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        settled: Any = self.config
        sources, channels = spec.shapes["source"][0], spec.image[0]
        self.augmentation = Augmentation.of(config, spec)
        self.generator = ResidualTranslator(
            sources, channels, config.width, config.halvings, config.blocks, settled.patch
        )
        self.heads = PlaceHeads(self.generator.widths, config.heads)
        self.discriminator = PatchDiscriminator(channels, config.discriminator_width, settled.patch_layers, "instance")

    @classmethod
    def settled(cls, config: CUTConfig, spec: Spec) -> CUTConfig:
        if not spec.is_image:
            return config
        patch, layers = squares_for(spec), patch_layers(*spec.image[1:])
        return replace(config, patch=config.patch or patch, patch_layers=config.patch_layers or layers)

    @classmethod
    def refuses(cls, config: CUTConfig, spec: Spec) -> str | None:
        if not spec.is_image or "source" not in spec.shapes:
            return "cut translates between two sets of images; give a folder that holds trainA and trainB."
        if spec.shapes["source"][0] != spec.image[0]:
            return (
                "cut looks at what it makes with the layers that saw the source, so both sides need as many channels; "
                "make both grey or both in colour, or take cyclegan."
            )
        return too_many_halvings(config.patch, config.halvings, spec) or too_many_layers(config, spec)

    def moves(self, progress: Progress) -> Sequence[Move]:
        return (
            Move("generator_terms", ("generator", "heads")),
            Move("discriminator_terms", ("discriminator",), data="same"),
        )

    def generator_terms(self, batch: Batch) -> Terms:
        source, real, config = batch["source"], batch["real"], self.config
        fake = self.generator(source)
        batch["fake"] = fake.detach()
        logits = self.judge(fake, batch.random)
        terms = {
            "fake": 2 * mean_of_patches(least_squares_generator(logits)),
            "contrast": config.contrast * self.contrast(fake, source, batch.random),
        }
        if config.identity:
            same = self.contrast(self.generator(real), real, batch.random)
            terms["identity"] = config.contrast * config.identity * same
        return terms

    def contrast(self, made: Tensor, source: Tensor, random: Random) -> Tensor:
        """How badly places of made images are told from the other places of their sources, [n]: 0 at best."""
        with torch.no_grad():
            keys = self.generator.encode(source)
        terms = []
        for layer, (query, key) in enumerate(zip(self.generator.encode(made), keys, strict=True)):
            places = random.uniform(len(made), query[0, 0].numel()).argsort(1)[:, None, : self.config.places]
            places = places.expand(-1, query.shape[1], -1)
            found, wanted = (self.heads(layer, each.flatten(2).gather(2, places)) for each in (query, key))
            terms.append(patch_nce(found, wanted, self.config.temperature))
        return torch.stack(terms).mean(0)

    def discriminator_terms(self, batch: Batch) -> Terms:
        real, fake = (self.judge(images, batch.random) for images in (batch["real"], batch["fake"]))
        return {
            "real": mean_of_patches(least_squares_real(real)),
            "fake": mean_of_patches(least_squares_fake(fake)),
        }

    def judge(self, images: Tensor, random: Random) -> Tensor:
        """The logits [n, h, w] of images."""
        return self.discriminator(self.augmentation(images, random.uniform))

    def sample(self, n: int, condition: Mapping[str, Tensor], random: Random) -> Tensor:
        return self.generator(condition["source"])

    def translate(self, images: Tensor, to: str) -> Tensor:
        return self.generator(images)

    def scores(self, batch: Batch) -> Tensor:
        return mean_of_patches(self.discriminator(batch["real"]))

    presets = {
        # appendix C.1: 256x256, batch 1; the linear fall of the learning rate is half a cosine here
        "park2020": dict(batch=1, lr=2e-4, warm_up=0, heads=256, patch=1, halvings=2, blocks=9, discriminator_width=64,
                         patch_layers=3, augment=()),
        # section 4.1, "FastCUT": places weigh more, and images of the wanted side aren't looked at
        "fast": dict(contrast=10.0, identity=0.0),
    }  # fmt: skip
