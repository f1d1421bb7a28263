"""Pictures one after another: a GIF, or an MP4 with the package av."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from elegan.errors import UserError
from elegan.provenance import Label, Parent, Sealed, mp4, write_gif, write_mp4

FORMATS = (".gif", ".mp4")


def check_film(path: Path) -> None:
    """Raise UserError for a file name that is no film's, before anything is drawn for it."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f'"{path}" is to be a film; end it in {" or ".join(FORMATS)}.')
    if path.suffix.lower() == ".mp4":
        mp4.codec()


def write_film(
    frames: Sequence[Image.Image], path: Path, label: Label, fps: int, parents: Sequence[Parent] = ()
) -> Sealed:
    """Write frames of one size as .gif or .mp4 with their label.  Raises UserError where it can't be written."""
    if path.suffix.lower() == ".gif":
        return write_gif(frames, path, label, round(1000 / fps), parents=parents)
    return write_mp4(frames, path, label, fps, parents=parents)
