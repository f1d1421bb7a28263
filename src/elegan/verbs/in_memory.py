"""Samples that a program holds in memory: arrays, tensors, and lists of pictures, arrays or tensors."""

import io
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from elegan.data.found import EncodedFile
from elegan.errors import UserError
from elegan.verbs.run import Samples, to_pixels

CHANNELS = (1, 3, 4)
PNG_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA", "F")
FAR, FEW = 1.5, 0.01
"""A generator oversteps [-1, 1] a little; values of which more than FEW lie beyond FAR are on another scale."""
Pictures = list[Image.Image]


def collected(source: object, notes: list[str]) -> np.ndarray | Pictures:
    """One array of the samples, images [N, H, W] or [N, H, W, C] and vectors [N, D]; PIL images as they are.

    A tensor of images is [N, C, H, W], uint8 or in [-1, 1]; what was done to its values is added to ``notes``.
    A list holds PIL images, arrays or tensors, all of one kind and, but for PIL images, of one shape.  Raises UserError
    for anything else.
    """
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, Tensor):
        return _from_tensor(source.detach().cpu(), notes, ours=isinstance(source, Samples))
    if isinstance(source, list | tuple):
        return _from_list(source, notes)
    raise UserError(_unknown(source))


def what(source: object) -> str:
    """What such samples are called in a sentence; raises UserError for what holds none."""
    for kinds, name in ((np.ndarray, "an array"), (Tensor, "a tensor"), ((list, tuple), "a list")):
        if isinstance(source, kinds):
            return name
    raise UserError(_unknown(source))


def _unknown(source: object) -> str:
    return (
        f"Samples of the type {type(source).__name__} can't be judged; give a folder, an archive, a .npz or .npy file, "
        "an array, a tensor, or a list of images."
    )


def as_files(pictures: Pictures) -> list[EncodedFile]:
    """The pictures as if they lay in a folder, so that they take the way that every image takes."""
    return [EncodedFile(f"image {index}", partial(_encoded, picture)) for index, picture in enumerate(pictures)]


def _encoded(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    plain = picture if picture.mode in PNG_MODES else picture.convert("RGB")
    Image.Image.save(plain, file, "PNG", compress_level=1)
    return file.getvalue()


def _from_list(parts: Sequence[object], notes: list[str]) -> np.ndarray | Pictures:
    if not parts:
        return np.zeros((0, 1, 1), np.uint8)
    pictures = [part for part in parts if isinstance(part, Image.Image)]
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    tensors = [part.detach().cpu() for part in parts if isinstance(part, Tensor)]
    if len(pictures) == len(parts):
        return pictures
    if len(parts) not in (len(arrays), len(tensors)):
        kinds = " and ".join(sorted({type(part).__name__ for part in parts}))
        raise UserError(f"The list of samples holds {kinds}; give PIL images, arrays or tensors, all of one kind.")
    shapes = sorted({tuple(part.shape) for part in arrays} | {tuple(part.shape) for part in tensors})
    if len(shapes) > 1:
        shown = f"{list(shapes[0])} and {list(shapes[-1])}"
        raise UserError(f"The samples in the list have different shapes, {shown} among them; bring all to one.")
    return np.stack(arrays) if arrays else _from_tensor(torch.stack(tensors), notes)


def _from_tensor(samples: Tensor, notes: list[str], *, ours: bool = False) -> np.ndarray:
    """``ours`` are in [-1, 1] but for what a generator oversteps, however much that is."""
    values = samples.float() if samples.is_floating_point() else samples
    if values.dim() not in (3, 4):
        return values.numpy()
    images = values[:, None] if values.dim() == 3 else values
    if images.shape[1] not in CHANNELS and images.shape[3] in CHANNELS:
        images = images.permute(0, 3, 1, 2)
    if images.is_floating_point() and images.numel() and (ours or _signed(images, notes)):
        return to_pixels(images)
    return images.permute(0, 2, 3, 1).numpy()


def _signed(images: Tensor, notes: list[str]) -> bool:
    """Whether the values are meant as [-1, 1]; raises UserError where they lie below 0 on another scale."""
    lowest, highest = (end.item() for end in images.aminmax())
    if not (lowest < 0 and highest < float("inf")) or lowest == -float("inf"):
        return False
    outside, far = (float((images.abs() > end).float().mean()) for end in (1, FAR))
    if far > FEW:
        raise UserError(f"The samples go from {lowest:.3g} to {highest:.3g}; scale them to [-1, 1], or give uint8.")
    if outside:
        notes.append(f"Of the values {100 * outside:.2g} % lay outside [-1, 1] and were cut to it.")
    return True
