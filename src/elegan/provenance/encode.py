"""Pictures as the bytes of a file, with the label in it."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from elegan.errors import UserError
from elegan.provenance import gif, xmp
from elegan.provenance.label import Label

STILLS = (".png", ".webp", ".jpg", ".jpeg")


def picture(image: Image.Image, suffix: str, label: Label) -> bytes:
    """One picture in the format of its suffix.  Raises UserError where the format can't hold it."""
    return animation([image], label, 0) if suffix == ".gif" else still(image, suffix, label)


def still(image: Image.Image, suffix: str, label: Label) -> bytes:
    """A .png or .webp file (both lossless), or .jpg.  Raises UserError where the format can't hold the picture."""
    if suffix not in STILLS:
        raise UserError(f'"{suffix}" is no format for one labelled picture; take .png, .webp or .jpg.')
    if suffix in (".jpg", ".jpeg") and image.mode not in ("L", "RGB"):
        raise UserError(f"A {suffix} file can't hold a picture of mode {image.mode}; take .png or .webp.")
    buffer, packet, save = io.BytesIO(), xmp.packet(label), Image.Image.save  # a labelled picture's own save ends here
    if suffix == ".png":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet)
        text.add_text("Software", label.generator)
        text.add_text("Comment", label.sentence())
        save(image, buffer, "PNG", pnginfo=text)
    elif suffix == ".webp":
        save(image, buffer, "WEBP", lossless=True, exact=True, xmp=packet.encode())
    else:
        comment = label.sentence().encode()
        save(image, buffer, "JPEG", quality=95, subsampling=0, comment=comment, xmp=packet.encode())
    return buffer.getvalue()


def decoded(content: bytes) -> NDArray[np.uint8]:
    """The pixels [H, W, C] that a reader of the file sees: not those that went in, where the format loses some."""
    with Image.open(io.BytesIO(content)) as image:
        return pixels_of(image)


def pixels_of(picture: Image.Image) -> NDArray[np.uint8]:
    """A picture of any mode as uint8 [H, W, 1, 3 or 4]."""
    pixels = np.asarray(picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB"))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def animation(frames: Sequence[Image.Image], label: Label, milliseconds: int) -> bytes:
    """An endless .gif, or a still of one frame; equal neighbours become one frame that stays for as long."""
    if len({frame.size for frame in frames}) != 1:
        raise ValueError(f"An animation's frames must have one size, not {[frame.size for frame in frames]}.")
    buffer = io.BytesIO()
    first, *rest = frames
    endless = {"loop": 0, "duration": milliseconds} if rest else {}
    comment = label.sentence().encode()
    Image.Image.save(first, buffer, "GIF", save_all=True, append_images=rest, comment=comment, **endless)
    return gif.insert(buffer.getvalue(), xmp.packet(label))
