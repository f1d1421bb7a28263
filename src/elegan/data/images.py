"""One image file: from its bytes to 8-bit grey, RGB or RGBA pixels of a given size.

Images are cut to the target's aspect at the centre, then scaled with antialiasing (Lanczos down, bicubic up).
"""

import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

Image.init()  # knows every format from here on, in every thread
SAFE = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "WEBP", "TIFF", "AVIF", "PPM", "TGA", "ICO", "JPEG2000")
FORMATS = tuple(name for name in SAFE if name in Image.OPEN)
"""What this Pillow can read, without the formats that call other programs (EPS)."""
SUFFIXES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff",
    ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".jp2", ".j2k",
})  # fmt: skip
GREY = ("1", "L", "LA", "La")
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
}  # fmt: skip
"""EXIF's tag 0x0112 (orientation) and what turns the picture upright."""

TRAITS = {
    "frames": "several frames or pages; the first was taken",
    "deep": "16 bits a pixel; their 65,536 levels were scaled to 256",
    "faint": "16 bits a pixel but no level above 255 of 65,535; scaled to 8 bits they are all but black",
    "colours": "colours in another system (such as CMYK); they were converted to RGB",
    "opaque": "an alpha channel that hides nothing; it was dropped",
    "cut": "another aspect; the middle was kept",
    "reduced": "to be reduced in size (Lanczos, antialiased)",
    "enlarged": "to be enlarged (bicubic)",
    "narrow": "fewer channels than the others; they were widened",
}
"""What may be done to an image, each said aloud as 'Of N images, n had …'."""


class Unreadable(Exception):
    """Why a file can't be used, in a few words."""


@dataclass(frozen=True)
class Picture:
    """Pixels uint8 [H, W, C] with C = 1, 3 or 4, and the names of what was done to get them."""

    pixels: np.ndarray
    traits: set[str] = field(default_factory=set)


def measure(content: bytes) -> tuple[int, int]:
    """Height and width of an upright image, from its header alone.  Raises Unreadable."""
    image = _open(content)
    width, height = image.size
    # TIFF tells the upright size; to look for EXIF at the end of a PNG would decode all of it
    known = image.format not in ("TIFF", "PNG") or (image.format == "PNG" and "exif" in image.info)
    return (width, height) if known and _orientation(image) >= 5 else (height, width)


def decode(content: bytes, shape: tuple[int, int]) -> Picture:
    """Decode an image file and bring it to (height, width).  Raises Unreadable."""
    image = _open(content)
    traits: set[str] = set()
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        image.seek(0)
        traits.add("frames")
    try:
        image.load()
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise Unreadable("cut short or damaged") from error
    turn = UPRIGHT.get(_orientation(image))
    plain = eight_bits(image, traits)
    return Picture(fit(plain if turn is None else plain.transpose(turn), shape, traits), traits)


def _open(content: bytes) -> Image.Image:
    if not content:
        raise Unreadable("empty")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Unreadable("not an image, or cut short") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable("too many pixels") from error
    except Exception as error:  # as above
        raise Unreadable("damaged") from error
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise Unreadable("too many pixels")
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # a picture with damaged EXIF is still a picture
        return 1


def eight_bits(image: Image.Image, traits: set[str]) -> Image.Image:
    """An image of mode L, RGB or, where something is really transparent, RGBA."""
    if image.mode == "F":
        raise Unreadable("floating-point pixels; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_sixteen(np.asarray(image), traits)
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        lowest = with_alpha.getchannel("A").getextrema()[0]
        if lowest != 255:
            return with_alpha
        traits.add("opaque")
    if image.mode in GREY:
        return image.convert("L")
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        traits.add("colours")
    return image.convert("RGB")


def _from_sixteen(levels: np.ndarray, traits: set[str]) -> Image.Image:
    """0 … 65535 to 0 … 255: white stays white (65535 / 257 = 255)."""
    if levels.min() < 0 or levels.max() > 65535:
        raise Unreadable("32-bit pixels; save it with 8 or 16 bits")
    traits.add("deep" if levels.max() > 255 else "faint")
    return Image.fromarray(((levels.astype(np.int64) + 128) // 257).astype(np.uint8))


def fit(image: Image.Image, shape: tuple[int, int], traits: set[str]) -> np.ndarray:
    """Cut an image to the aspect of (height, width) at the centre and scale it: uint8 [H, W, C]."""
    height, width = shape
    if image.size != (width, height):
        scale = min(image.width / width, image.height / height)
        cut_width, cut_height = min(width * scale, image.width), min(height * scale, image.height)
        left, top = (image.width - cut_width) // 2, (image.height - cut_height) // 2
        if image.width * height != image.height * width:
            traits.add("cut")
        if scale != 1:
            traits.add("reduced" if scale > 1 else "enlarged")
        filter = Resampling.LANCZOS if scale > 1 else Resampling.BICUBIC
        image = image.resize((width, height), filter, box=(left, top, left + cut_width, top + cut_height))
    return np.asarray(image).reshape(height, width, -1)
