"""`elegan apply`: images of any size and kind through a trained translator."""

from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from elegan.data.found import BadFile, plural, some
from elegan.data.images import Unreadable, decode, measure
from elegan.data.sizes import Shape, parse_size
from elegan.errors import UserError, nearest
from elegan.pictures import to_image
from elegan.progress import reported
from elegan.provenance import Sealed, parent_of, together, write_image
from elegan.verbs.inputs import KEPT, Input, Name, inputs_of
from elegan.verbs.run import Run, load_run, to_pixels
from elegan.verbs.translating import translate, with_channels

CHUNK = 64
"""Files that are in memory at once."""
RECONSTRUCTED = "reconstructed"
OTHER = {"A": "B", "B": "A"}


class Wish(NamedTuple):
    """What is to be made of each image."""

    to: str
    reconstruct: bool
    strength: float
    size: Shape | None


def apply(
    run: str | PathLike[str],
    inputs: Name | Iterable[Name],
    *,
    out: str | PathLike[str],
    to: str | None = None,
    reconstruct: bool = False,
    strength: float = 1.0,
    size: Any = None,
    profile: str | None = None,
    visible_label: bool | None = None,
) -> dict[str, Any]:
    """Translate images, and all images of folders, into files of the same names in the folder ``out``.

    ``to`` is the side to make, "B" when not given; ``strength`` in [0, 1] blends the result with the image, and
    ``reconstruct`` also translates it back, into ``out``/reconstructed.  Images keep their size, unless ``size`` is
    given, and what is transparent stays so.  ``profile`` and ``visible_label`` are those of ``elegan.sample``.  Raises
    UserError for a run that translates nothing, for what isn't there, and, once all others are written, for images that
    can't be read.
    """
    trained, folder = load_run(run).labelling(profile, visible_label), _folder(out)
    wish = _wish(trained, to, reconstruct, strength, size)
    images = inputs_of([inputs], folder)
    trained.game  # noqa: B018  an unfinished or damaged run is said before anything is written
    bad: list[BadFile] = []
    sealed: list[Sealed] = []
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    for chunk in reported(chunks, len(images), "Translating images:", len):
        _apply_to(trained, chunk, folder, wish, bad, sealed)
    if bad:
        where = f"the others are in {folder}" if len(bad) < len(images) else "nothing was written"
        raise UserError(f"{len(bad):,} of {plural(len(images), 'image')} can't be used: {some(bad)}; {where}.")
    return {
        "out": str(folder), "n": len(images), "to": wish.to, "strength": wish.strength,
        "reconstruct": wish.reconstruct, "files": [str(folder / image.target) for image in images],
        "weights_sha256": trained.weights_sha256, "provenance": together(sealed).facts(),
    }  # fmt: skip


def _folder(out: str | PathLike[str]) -> Path:
    folder = Path(fspath(out)).expanduser()
    if folder.is_file() or (folder.suffix.lower() in KEPT and not folder.exists()):
        raise UserError(f"--out is {folder}; it must be a folder: what is made of an image has the image's name in it.")
    return folder


def _wish(run: Run, to: str | None, reconstruct: bool, strength: float, size: Any) -> Wish:
    sides = run.translations
    if not sides:
        raise UserError(f"{run.path} holds a model that draws from noise and translates nothing; use elegan sample.")
    side = sides[0] if to is None else str(to).upper()
    if side not in sides:
        raise UserError(f'--to is "{to}"; {run.path} makes images of {" or ".join(sides)}.{nearest(str(to), sides)}')
    if reconstruct and OTHER[side] not in sides:
        raise UserError(f"{run.path} translates to {side} alone, and --reconstruct goes back, too; leave it out.")
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
        raise UserError(f"--strength is {strength!r}; it must lie between 0, the image, and 1, the translation.")
    return Wish(side, reconstruct, float(strength), parse_size(size))


def _apply_to(
    run: Run, images: Sequence[Input], folder: Path, wish: Wish, bad: list[BadFile], sealed: list[Sealed]
) -> None:
    """Translate some images, those of one shape together; notes those that can't be read, and what is written."""
    by_shape: dict[tuple[int, ...], list[tuple[Input, np.ndarray]]] = {}
    for image in images:
        try:
            pixels = _pixels(image, wish.size)
        except (OSError, Unreadable) as error:
            bad.append(BadFile(str(image.path), getattr(error, "strerror", None) or str(error)))
            continue
        by_shape.setdefault(pixels.shape, []).append((image, pixels))
    label = run.label_for(None)
    for group in by_shape.values():
        made = translations(run, np.stack([pixels for _, pixels in group]), wish)
        for name, pictures in made.items():
            for (image, _), pixels in zip(group, pictures, strict=True):
                parents = [parent_of(image.path)]
                sealed.append(write_image(to_image(pixels), folder / name / image.target, label, parents=parents))


def translations(run: Run, images: np.ndarray, wish: Wish) -> dict[str, np.ndarray]:
    """The folder within the output → images uint8 [n, H, W, C], out of images uint8 [n, H, W, C] of one size."""
    made = _to_side(run, images, wish.to)
    channels = max(made.shape[3], images.shape[3])
    mixed = images if wish.strength == 0 else made
    if 0 < wish.strength < 1:
        before, after = (with_channels(part, channels).astype(np.float32) for part in (images, made))
        mixed = np.rint(before + wish.strength * (after - before)).astype(np.uint8)
    found = {"": mixed}
    return found | ({RECONSTRUCTED: _to_side(run, made, OTHER[wish.to])} if wish.reconstruct else {})


def _to_side(run: Run, images: np.ndarray, to: str) -> np.ndarray:
    """8-bit images of one side; opacity that the translator doesn't know stays as it was."""
    shapes = run.described["shapes"]
    given, wanted = (int(shapes[name][0]) for name in (("source", "real") if to == "B" else ("real", "source")))
    made = to_pixels(translate(run.game, with_channels(images, given), to))
    if images.shape[3] < 4 or wanted == 4:
        return made
    made = with_channels(made, 4)
    made[..., 3] = images[..., 3]
    return made


def _pixels(image: Input, size: Shape | None) -> np.ndarray:
    """An image upright, in 8 bits, uint8 [H, W, C], in its own size unless another is asked for."""
    content = image.path.read_bytes()
    return decode(content, size or measure(content)).pixels


__all__ = ["apply"]
