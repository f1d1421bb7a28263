"""A Pillow picture that can't be saved without its label."""

from os import PathLike, fsdecode
from typing import IO, Any

from PIL import Image

from elegan.provenance.label import Label
from elegan.provenance.write import content_of, write_image


class LabelledImage(Image.Image):
    """A picture that elegan generated: ``save`` writes the label, whatever the format that can carry one.

    What Pillow derives from it (``resize``, ``convert``) is a plain picture again; wrap that with ``of``.
    """

    label: Label

    @classmethod
    def of(cls, image: Image.Image, label: Label) -> "LabelledImage":
        """The picture with its label."""
        copy = image.copy()
        copy.__class__ = cls
        assert isinstance(copy, cls)
        copy.label = label
        return copy

    def save(
        self, fp: str | bytes | PathLike[str] | PathLike[bytes] | IO[bytes], format: str | None = None, **params: Any
    ) -> None:
        """As in Pillow: to a path, or to a binary file with its ``format``.

        Raises UserError for a format that can't carry a label.  The label's own choices (no loss where the
        format can do without) leave no other parameters.
        """
        if isinstance(fp, str | bytes | PathLike):
            write_image(self, fsdecode(fp), self.label)
        else:
            fp.write(content_of(self, f".{(format or 'png').lower()}", self.label))
