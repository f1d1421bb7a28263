"""Images that a user names, in files and folders, and the names of what is made of them."""

import reprlib
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from elegan.data.folder import folder_files
from elegan.errors import UserError

KEPT = (".png", ".webp", ".jpg", ".jpeg")
"""Formats that results keep; those of others become .png."""
Name = str | PathLike[str]
WANTED = "name image files, or folders of them"


class Input(NamedTuple):
    """An image, and the name of what is made of it within the folder of results."""

    path: Path
    target: str


def images_of(inputs: Sequence[Name | Iterable[Name]]) -> list[tuple[Path, str]]:
    """The images that were named and those of the folders that were named, each with its name in its folder.

    Raises UserError for none, for what isn't there, and for what is no name.
    """
    found = [pair for given in inputs for name in _names(given) for pair in _found(name)]
    if not found:
        raise UserError(f"No image was given; {WANTED}.")
    return found


def inputs_of(inputs: Sequence[Name | Iterable[Name]], out: Path) -> list[Input]:
    """The images that were named, in their order, as ``images_of`` finds them, with results of the same names.

    Raises UserError for two images whose results would have one name, and for a result that would take the place of an
    image.
    """
    taken: dict[str, Path] = {}
    targets: dict[tuple[Path, str], str] = {}
    found = dict.fromkeys(images_of(inputs))
    for path, name in sorted(found, key=lambda pair: not _is_kept(pair[1])):
        target = _target(name, taken)
        if target in taken:
            raise UserError(f"{taken[target]} and {path} would both become {target}; give them to two commands.")
        taken[target], targets[path, name] = path, target
    results = {(out / target).resolve() for target in taken}
    if lost := next((path for path in taken.values() if path.resolve() in results), None):
        raise UserError(f"--out {out} would overwrite {lost}; give another folder.")
    return [Input(path, targets[path, name]) for path, name in found]


def _names(given: Name | Iterable[Name]) -> Iterable[Name]:
    return given if isinstance(given, Iterable) and not isinstance(given, str | PathLike) else [given]


def _found(name: Name) -> list[tuple[Path, str]]:
    """Images with their names, those of a folder below it."""
    if not isinstance(name, str | PathLike):
        raise UserError(f"Images are given by name, and {reprlib.repr(name)} is none; {WANTED}.")
    path = Path(fspath(name)).expanduser()
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path} doesn't exist; {WANTED}.")
        return [(path, path.name)]
    names = [file.name for file in folder_files(path) if file.is_image]
    if not names:
        raise UserError(f"{path} holds no images; {WANTED}.")
    return [(path / name, name) for name in names]


def _target(name: str, taken: dict[str, Path]) -> str:
    """The same name where its format can be kept; else a.png of a.bmp, or a.bmp.png where that is taken."""
    target = name if _is_kept(name) else str(PurePosixPath(name).with_suffix(".png"))
    return f"{name}.png" if target in taken and not _is_kept(name) else target


def _is_kept(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in KEPT


__all__ = ["Input", "Name", "images_of", "inputs_of"]
