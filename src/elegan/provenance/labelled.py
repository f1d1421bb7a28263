"""A Pillow picture that can't be saved without its label."""

import logging
from collections.abc import Iterable
from functools import cache
from os import PathLike, fsdecode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from PIL import Image

from elegan.errors import UserError
from elegan.provenance.label import Label
from elegan.provenance.seal import Sealed
from elegan.provenance.write import write_gif, write_image

IDLE = ("compress_level", "optimize")
"""What alters a file's size alone; the label's writers have chosen."""
Place = str | bytes | PathLike[str] | PathLike[bytes]


class LabelledImage(Image.Image):
    """A picture that elegan generated: ``save`` writes the label, whatever the format that can carry one.

    What Pillow's methods make of it (``copy``, ``resize``, ``convert``, ``rotate``, …) keeps the label, and so does a
    pickled one.  Three ways lead around it, and no picture can close them: its pixels taken out as an array, pasted
    into another picture, or given to another picture's ``save`` as one of its ``append_images``.
    """

    label: Label

    @classmethod
    def of(cls, image: Image.Image, label: Label) -> "LabelledImage":
        """The picture with its label."""
        return _labelled(image.copy(), label)

    def save(self, fp: Place | IO[bytes], format: str | None = None, **params: Any) -> None:
        """As in Pillow: to a path, or to a binary file, whose ``format`` is its name's where none is given.

        With ``append_images`` a .gif is an endless animation of them all, ``duration`` milliseconds each (100).  What
        is written is without loss, or JPEG of quality 95.  What can't be signed or remembered is saved all the same,
        and the logger "elegan" says so once.  Raises UserError for a format that can't carry a label, parameters that
        would be lost, and where nothing can be written; ValueError for frames of different sizes.
        """
        suffix = _suffix(fp, format)
        frames, milliseconds = self._frames(suffix, params)
        if isinstance(fp, str | bytes | PathLike):
            sealed = self._write(Path(fsdecode(fp)), frames, milliseconds)
        else:
            with TemporaryDirectory() as folder:
                path = Path(folder) / f"picture{suffix}"
                sealed = self._write(path, frames, milliseconds)
                fp.write(path.read_bytes())
        _warn(sealed.missing)

    def transform(self, *arguments: Any, **named: Any) -> "LabelledImage":
        """As in Pillow."""
        return _labelled(super().transform(*arguments, **named), self.label)

    def convert(self, *arguments: Any, **named: Any) -> "LabelledImage":
        """As in Pillow."""
        return _labelled(super().convert(*arguments, **named), self.label)

    def _new(self, im: Any) -> "LabelledImage":
        """Pillow's own way to what is derived from a picture, but for those of ``transform`` and of some modes."""
        return _labelled(super()._new(im), self.label)

    def __getstate__(self) -> list[Any]:
        return [*super().__getstate__(), self.label]

    def __setstate__(self, state: list[Any]) -> None:
        *state, self.label = state
        super().__setstate__(state)

    def _frames(self, suffix: str, params: dict[str, Any]) -> tuple[list[Image.Image], int]:
        """What is to be shown, and for how long each.  Raises UserError for what would be lost."""
        given = {name: value for name, value in params.items() if value is not None and name not in IDLE}
        appended: Iterable[Image.Image] = given.pop("append_images", ())
        frames = [self, *(appended if given.pop("save_all", True) else ())]
        milliseconds = 100.0
        if len(frames) > 1 and suffix != ".gif":
            raise UserError(
                f"Labelled pictures are animated as .gif, not as {suffix}; save them one by one, or as .gif."
            )
        if len(frames) > 1:
            milliseconds = given.pop("duration") if isinstance(given.get("duration"), int | float) else milliseconds
            given = {name: value for name, value in given.items() if (name, value) != ("loop", 0)}
        if given:
            raise UserError(
                f"A labelled {suffix} can't be saved with this {' and '.join(given)}: stills are without loss, or JPEG "
                "of quality 95, and an animation is endless with one duration for all; leave it out."
            )
        return frames, round(milliseconds)

    def _write(self, path: Path, frames: list[Image.Image], milliseconds: int) -> Sealed:
        if len(frames) > 1:
            return write_gif(frames, path, self.label, milliseconds)
        return write_image(self, path, self.label)


def _labelled(image: Image.Image, label: Label) -> LabelledImage:
    image.__class__ = LabelledImage
    assert isinstance(image, LabelledImage)
    image.label = label
    return image


def _suffix(fp: Place | IO[bytes], format: str | None) -> str:
    """The ending that the file's format has."""
    if isinstance(fp, str | bytes | PathLike):
        name = fsdecode(fp)
        if format and Image.registered_extensions().get(Path(name).suffix.lower()) != format.upper():
            raise UserError(f'"{name}" doesn\'t end as a file of the format {format} does; rename it.')
        return Path(name).suffix.lower()
    name = getattr(fp, "name", "")
    suffix = f".{format}" if format else Path(name if isinstance(name, str) else "").suffix
    if not suffix:
        raise UserError('A file without a name doesn\'t say how the picture is to be written; give format="PNG", say.')
    return suffix.lower()


@cache
def _warn(missing: tuple[str, ...]) -> None:
    """Say what saved pictures lack, once in a process."""
    if missing:
        logging.getLogger("elegan").warning("Pictures are saved without all of their label.  %s", "  ".join(missing))
