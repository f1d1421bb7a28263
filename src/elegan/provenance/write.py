"""The only writers of pictures, animations and arrays: labelled, and whole or not at all."""

import errno
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from elegan.errors import UserError
from elegan.files import write_atomically
from elegan.provenance import gif, xmp
from elegan.provenance.label import Label

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


def write_image(image: Image.Image, path: Path | str, label: Label) -> None:
    """Write one picture as .png or .webp (both lossless), .jpg or .gif, with its label.

    Raises UserError for another suffix, a picture that the format can't hold, and where it can't be written.
    """
    path, suffix = Path(path), Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f'"{path}" names no picture format; end it in {", ".join(SUFFIXES)}.')
    if suffix == ".gif":
        write_gif([image], path, label)
        return
    _write(path, encode(image, suffix, label))


def write_gif(frames: Sequence[Image.Image], path: Path | str, label: Label, milliseconds: int = 100) -> None:
    """Write an endless animation, or a still of one frame; each frame has its own palette of 256 colours.

    Equal neighbours become one frame that stays for as long.  Raises UserError for another suffix and
    where nothing can be written, ValueError for frames of different sizes.
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise UserError(f'"{path}" is to be an animation; end it in .gif.')
    if len({frame.size for frame in frames}) != 1:
        raise ValueError(f"An animation's frames must have one size, not {[frame.size for frame in frames]}.")
    buffer = io.BytesIO()
    first, *rest = frames
    endless = {"loop": 0, "duration": milliseconds} if rest else {}
    comment = label.sentence().encode()
    Image.Image.save(first, buffer, "GIF", save_all=True, append_images=rest, comment=comment, **endless)
    _write(path, gif.insert(buffer.getvalue(), xmp.packet(label)))


def write_arrays(
    path: Path | str,
    samples: NDArray[np.uint8] | NDArray[np.float32],
    label: Label,
    labels: NDArray[np.integer] | None = None,
) -> None:
    """Write samples as .npz, without pickles: ``images`` uint8 [N, H, W, C] or ``vectors`` float32 [N, D],
    ``labels`` int64 [N] where there are any, and the label as JSON in ``provenance``.

    Raises UserError for another suffix and where nothing can be written, ValueError for other shapes.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise UserError(f'"{path}" is to hold arrays; end it in .npz.')
    arrays: dict[str, NDArray[np.generic]] = {"provenance": np.array(label.to_json())}
    if samples.dtype == np.uint8 and samples.ndim == 4:
        arrays["images"] = samples
    elif np.issubdtype(samples.dtype, np.floating) and samples.ndim == 2:
        arrays["vectors"] = samples.astype(np.float32)
    else:
        given = f"{samples.dtype} {list(samples.shape)}"
        raise ValueError(f"Samples are uint8 [N, H, W, C] or float [N, D], not {given}.")
    if labels is not None:
        if labels.shape != samples.shape[:1]:
            raise ValueError(f"There are {len(samples)} samples, and labels {list(labels.shape)}.")
        arrays["labels"] = labels.astype(np.int64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    _write(path, buffer.getvalue())


def encode(image: Image.Image, suffix: str, label: Label) -> bytes:
    """A .png, .webp or .jpg file with its label.  Raises UserError where the format can't hold the picture."""
    if suffix not in (".png", ".webp", ".jpg", ".jpeg"):
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


def _write(path: Path, content: bytes) -> None:
    """Write atomically, making folders on the way; a full disk stays an OSError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f'"{path}" can\'t be written: {(error.strerror or str(error)).lower()}.') from error
