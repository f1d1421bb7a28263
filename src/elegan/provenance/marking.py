"""What is changed in the pixels: a line that people can read, where it is asked for, and the invisible watermark."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from elegan.errors import UserError
from elegan.pictures import stamped, to_image
from elegan.provenance import watermark
from elegan.provenance.encode import pixels_of
from elegan.provenance.label import Label
from elegan.provenance.seal import LABEL, WATERMARK, Sealed

DIGITS = watermark.PAYLOAD_BITS // 4
"""Hexadecimal digits of a hash that the watermark holds."""
VISIBLE = ("AI-generated · AI 생성", "AI-generated", "AI")
"""The first that fits is written into the picture."""


@dataclass(frozen=True)
class Marked:
    """Pictures with their marks, and which layers they have by now."""

    frames: Sequence[Image.Image]
    layers: tuple[str, ...]
    missing: tuple[str, ...] = ()

    def and_(self, sealed: Sealed) -> Sealed:
        """What the file has and lacks in all."""
        return replace(sealed, missing=self.missing + sealed.missing)


def mark(pictures: Sequence[Image.Image], label: Label, *, invisibly: bool = True) -> Marked:
    """Pictures of one size with the visible label that is asked for and, where they are large enough, the watermark.

    Where the watermark's key can't be had they stay without, and the result says so.
    """
    seen = [stamped(picture, VISIBLE) for picture in pictures] if label.visible else list(pictures)
    if not invisibly or not seen or min(seen[0].size) < watermark.SMALLEST:
        return Marked(seen, (LABEL,))
    try:
        key = watermark.key()
    except (UserError, OSError) as error:
        return Marked(seen, (LABEL,), (f"It has no watermark: {str(error).rstrip('.')}.",))
    frames = [to_image(watermark.embed(pixels_of(picture), key, payload_of(label))) for picture in seen]
    return Marked(frames, (LABEL, WATERMARK))


def payload_of(label: Label) -> int:
    """What the watermark says: how the weights' hash begins, so that the model can be looked up."""
    return int((label.weights_sha256 or "0" * DIGITS)[:DIGITS], 16)


__all__ = ["Marked", "mark", "payload_of"]
