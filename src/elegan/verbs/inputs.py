"""Images that a user names, in files and folders, and the names of what is made of them."""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from elegan.data.folder import folder_files
from elegan.errors import UserError

KEPT = (".png", ".webp", ".jpg", ".jpeg")
"""Formats that results keep; those of others become .png."""


class Input(NamedTuple):
    """An image, and the name of what is made of it within the folder of results."""

    path: Path
    target: str


def inputs_of(names: Sequence[str | PathLike[str]], out: Path) -> list[Input]:
    """The images that were named, and those of the folders that were named, with results of the same names.

    Raises UserError for what isn't there, for two images whose results would have one name, and for a result that
    would take the place of an image.
    """
    found = [pair for name in names for pair in _found(Path(fspath(name)).expanduser())]
    if not found:
        raise UserError("No image is named; elegan apply RUN INPUT... takes images, and folders of them.")
    taken: dict[str, Path] = {}
    for path, name in dict.fromkeys(found):
        target = _target(name, taken)
        if target in taken:
            raise UserError(f"{taken[target]} and {path} would both become {target}; give them to two commands.")
        taken[target] = path
    for path in taken.values():
        if any((out / target).resolve() == path.resolve() for target in taken):
            raise UserError(f"--out {out} would overwrite {path}; give another folder.")
    return [Input(path, target) for target, path in taken.items()]


def _found(path: Path) -> list[tuple[Path, str]]:
    """Images with their names, those of a folder below it."""
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path} doesn't exist; name images, or folders of them.")
        return [(path, path.name)]
    names = [file.name for file in folder_files(path) if file.is_image]
    if not names:
        raise UserError(f"{path} holds no images; name images, or folders of them.")
    return [(path / name, name) for name in names]


def _target(name: str, taken: dict[str, Path]) -> str:
    """The same name where its format can be kept; else a.png of a.bmp, or a.bmp.png where that is taken."""
    pure = PurePosixPath(name)
    if pure.suffix.lower() in KEPT:
        return name
    target = str(pure.with_suffix(".png"))
    return f"{name}.png" if target in taken else target


__all__ = ["Input", "inputs_of"]
