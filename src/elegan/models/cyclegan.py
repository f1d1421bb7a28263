"""CycleGAN: "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks".
Jun-Yan Zhu, Taesung Park, Phillip Isola, Alexei A. Efros, 2017, arXiv:1703.10593.

Images x of side A and y of side B, of which none belong together; G makes B of A, F makes A of B.  Both descend

    E[(D_B(G(x)) − 1)²] + E[(D_A(F(y)) − 1)²]                            (eq. 1 with the squares of section 4)
    + λ { E‖F(G(x)) − x‖₁ + E‖G(F(y)) − y‖₁ }                            (eq. 2, λ = 10)
    + λ ι { E‖G(y) − y‖₁ + E‖F(x) − x‖₁ }                                (section 5.2, "identity", ι = ½)

and each discriminator descends, the one of B say,

    ½ { E[(D_B(y) − 1)²] + E[D_B(ŷ)²] }                                  (ibid., halved as in appendix 7.1)

where ŷ is G(x), or half the time one of the last 50 images that were made (section 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from elegan.augment import Augmentation
from elegan.game import Adam, Batch, Game, Move, Progress, Random, Spec, Terms
from elegan.losses.adversarial import least_squares_fake, least_squares_generator, least_squares_real
from elegan.losses.reconstruction import mean_absolute
from elegan.models.translators import TranslatorConfig, squares_for, too_many_halvings, too_many_layers
from elegan.networks.patch_discriminator import PatchDiscriminator, mean_of_patches, patch_layers
from elegan.networks.translator import ResidualTranslator


@dataclass(frozen=True)
class CycleGANConfig(TranslatorConfig):
    batch: int = 8
    """Images of each side a step."""
    lr: float = 1e-3
    """The translators' learning rate at its height."""
    cycle: float = 10.0
    """Weight of the way there and back, the paper's lambda."""
    identity: float = 0.5
    """Weight, in units of cycle, of leaving alone what is of the wanted side already; 0 where channels differ."""
    pool: int = 50
    """Made images that each discriminator remembers."""
    width: int = 64
    """Channels of the translators' first layer; they double at each halving."""
    patch: int | None = None
    """Pixels a side that the translators see and draw as one; when not given 4 from 64x64, 2 below; the paper's: 1."""
    halvings: int = 0
    """How often the translators halve what they see; the paper's: 2."""
    blocks: int = 3
    """Residual blocks of the translators; the paper's: 6 for 128x128, 9 above."""


class CycleGAN(Game):
    """Two translators, two discriminators of patches, and the way there and back."""

    Config = CycleGANConfig
    deliver = ("a_to_b", "b_to_a")
    translations = ("B", "A")

    made: Tensor
    """How many images of each side were made so far."""

    def __init__(self, config: CycleGANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        settled: Any = self.config
        a, b = spec.shapes["source"], spec.real
        build = (config.width, config.halvings, config.blocks, settled.patch)
        self.augmentation = Augmentation.of(config, spec)
        self.a_to_b, self.b_to_a = ResidualTranslator(a[0], b[0], *build), ResidualTranslator(b[0], a[0], *build)
        judging = (config.discriminator_width, settled.patch_layers)
        self.discriminator_a, self.discriminator_b = (
            PatchDiscriminator(side[0], *judging, "instance") for side in (a, b)
        )
        self.register_buffer("pool_a", torch.zeros(config.pool, *a))
        self.register_buffer("pool_b", torch.zeros(config.pool, *b))
        self.register_buffer("made", torch.zeros((), dtype=torch.long))

    @classmethod
    def settled(cls, config: CycleGANConfig, spec: Spec) -> CycleGANConfig:
        source = spec.shapes.get("source")
        if not spec.is_image or source is None:
            return config
        identity = config.identity if source[0] == spec.image[0] else 0.0
        patch, layers = squares_for(spec), patch_layers(*spec.image[1:])
        patch, layers = config.patch or patch, config.patch_layers or layers
        return replace(config, identity=identity, patch=patch, patch_layers=layers)

    @classmethod
    def refuses(cls, config: CycleGANConfig, spec: Spec) -> str | None:
        if not spec.is_image or "source" not in spec.shapes:
            return "cyclegan translates between two sets of images; give a folder that holds trainA and trainB."
        return too_many_halvings(config.patch, config.halvings, spec) or too_many_layers(config, spec)

    def moves(self, progress: Progress) -> Sequence[Move]:
        return (
            Move("generator_terms", ("a_to_b", "b_to_a")),
            Move("discriminator_terms", ("discriminator_a", "discriminator_b"), data="same"),
        )

    def generator_terms(self, batch: Batch) -> Terms:
        a, b, config, random = batch["source"], batch["real"], self.config, batch.random
        fake_b, fake_a = self.a_to_b(a), self.b_to_a(b)
        batch["fake_a"], batch["fake_b"] = fake_a.detach(), fake_b.detach()
        terms = {
            "fake_a": 2 * mean_of_patches(least_squares_generator(self.judge("a", fake_a, random))),
            "fake_b": 2 * mean_of_patches(least_squares_generator(self.judge("b", fake_b, random))),
            "cycle_a": config.cycle * mean_absolute(self.b_to_a(fake_b), a),
            "cycle_b": config.cycle * mean_absolute(self.a_to_b(fake_a), b),
        }
        if config.identity:
            weight = config.cycle * config.identity
            terms["identity_a"] = weight * mean_absolute(self.b_to_a(a), a)
            terms["identity_b"] = weight * mean_absolute(self.a_to_b(b), b)
        return terms

    def discriminator_terms(self, batch: Batch) -> Terms:
        terms = {}
        for side, real in (("a", batch["source"]), ("b", batch["real"])):
            fake = self.remembered(side, batch)
            terms[f"real_{side}"] = mean_of_patches(least_squares_real(self.judge(side, real, batch.random)))
            terms[f"fake_{side}"] = mean_of_patches(least_squares_fake(self.judge(side, fake, batch.random)))
        return terms

    def remembered(self, side: str, batch: Batch) -> Tensor:
        """The images that were just made, about half of them exchanged for earlier ones out of the pool."""
        fake, pool, random = batch[f"fake_{side}"], self.get_buffer(f"pool_{side}"), batch.random
        filled = self.made.clamp(max=len(pool))
        row = (random.uniform(len(fake)) * filled).long()
        old = (random.uniform(len(fake)) < 0.5) & (filled > 0)
        return torch.where(old.view(-1, 1, 1, 1), pool[row], fake)

    def after_move(self, move: Move, batch: Batch) -> None:
        super().after_move(move, batch)
        if move.terms != "discriminator_terms":
            return
        for side in ("a", "b"):
            pool = self.get_buffer(f"pool_{side}")
            rows = batch.ranks.gather(batch[f"fake_{side}"])[-len(pool) :]
            pool[(self.made + torch.arange(len(rows), device=pool.device)) % len(pool)] = rows.to(pool.dtype)
        self.made += len(rows)

    def judge(self, side: str, images: Tensor, random: Random) -> Tensor:
        """The logits [n, h, w] that the discriminator of this side gives."""
        logits: Tensor = self.get_submodule(f"discriminator_{side}")(self.augmentation(images, random.uniform))
        return logits

    def optimizer(self, name: str, progress: Progress) -> Adam:
        return super().optimizer("discriminator" if name.startswith("discriminator") else name, progress)

    def sample(self, n: int, condition: Mapping[str, Tensor], random: Random) -> Tensor:
        return self.a_to_b(condition["source"])

    def translate(self, images: Tensor, to: str) -> Tensor:
        return self.a_to_b(images) if to == "B" else self.b_to_a(images)

    def scores(self, batch: Batch) -> Tensor:
        return mean_of_patches(self.discriminator_b(batch["real"]))

    presets = {
        # appendix 7: batch 1, 128x128 and 256x256; the linear fall of the learning rate is half a cosine here
        "zhu2017-128": dict(batch=1, lr=2e-4, warm_up=0, patch=1, halvings=2, blocks=6, discriminator_width=64,
                            patch_layers=3, augment=()),
        "zhu2017-256": dict(batch=1, lr=2e-4, warm_up=0, patch=1, halvings=2, blocks=9, discriminator_width=64,
                            patch_layers=3, augment=()),
    }  # fmt: skip
