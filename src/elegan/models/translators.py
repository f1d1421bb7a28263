"""What the translators have in common: pix2pix, cyclegan, cut."""

from dataclasses import dataclass

from elegan.game import Config, Spec


@dataclass(frozen=True)
class TranslatorConfig(Config):
    lr_end: float = 0.0
    """The share of the learning rate that is left at the end."""
    hold: float = 0.5
    """The share of the budget before the learning rate begins to fall, along half a cosine."""
    beta1: float = 0.5
    """Adam's first momentum."""
    beta2: float = 0.999
    """Adam's second momentum."""
    ema: int = 5_000
    """Half-life of the averaged weights, in images shown."""
    ema_ramp: float = 0.05
    """Early on the half-life is at most this share of the images shown so far."""
    discriminator_width: int = 32
    """Channels of a discriminator's first layer."""
    patch_layers: int | None = None
    """Strided layers of a discriminator: 1 sees 16x16 patches, 2 34x34, 3 70x70; when not given: by the size."""


def squares_for(spec: Spec) -> int:
    """Pixels a side that a residual translator sees and draws as one, when it isn't said."""
    return 4 if min(spec.image[1:]) >= 64 else 2


def too_many_layers(config: TranslatorConfig, spec: Spec) -> str | None:
    """A sentence where images are too small for a discriminator of so many strided layers, else None."""
    if config.patch_layers and min(spec.image[1:]) >> config.patch_layers < 4:
        return f"patch_layers is {config.patch_layers}, and the images are too small for it; set it lower."
    return None


def too_many_halvings(patch: int | None, halvings: int, spec: Spec) -> str | None:
    """A sentence where images are too small for a residual translator that sees them so coarsely, else None."""
    side, patch = min(spec.image[1:]), patch or squares_for(spec)
    if side // patch >> halvings < 2:
        said = f"patch is {patch} and halvings is {halvings}, which leaves less than 2 places a side"
        return f"{said} of images of {side} pixels; set them lower."
    return None
