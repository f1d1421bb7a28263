"""A photo in the latent space: the nearest image that the generator draws, beside it."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

from elegan.errors import UserError
from elegan.pictures import contact_sheet
from elegan.verbs.editing.space import CANDIDATES, Space
from elegan.verbs.run import to_pixels

CELL = 192


def projection(
    space: Space, out: Path, *, photo: str | PathLike[str] = "", starts: int = 4, steps: int = 200
) -> dict[str, Any]:
    """The photo as the run's data would be, its projection beside it, and how far they are apart.

    "distance" is the mean absolute difference in levels of 255; "before" that of the nearest of some hundred samples.
    """
    if not fspath(photo):
        raise UserError("no photo is named; give elegan edit RUN project PHOTO --out PATH.")
    if not 1 <= starts <= CANDIDATES:
        raise UserError(f"--starts is {starts}; it must lie between 1 and {CANDIDATES}.")
    if steps < 1:
        raise UserError(f"--steps is {steps}; it must be 1 or more.")
    path = Path(photo).expanduser()
    point = space.projected(path, starts=starts, steps=steps)
    (found,) = point.projections
    images = [to_pixels(space.photo(path).cpu()), to_pixels(found.image.cpu())]
    sealed = space.write(contact_sheet(images, ["photo", "projection"], cell=CELL), out, [photo], images[1])
    return {**sealed, "photo": fspath(photo), "distance": round(found.distance, 3), "before": round(found.start, 3)}
