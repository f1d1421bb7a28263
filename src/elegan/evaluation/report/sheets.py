"""Pictures of an evaluation, and how they come into the page."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from elegan.evaluation.report.markup import html
from elegan.pictures import contact_sheet

Pictures = Mapping[str, Image.Image]
"""By name: "samples" and "real", "strip" and "strip_real" for the first screen, "pairs", "ghosts"; others by their own
names."""
Album = Sequence[tuple[str, Image.Image]]
"""Small pictures with their captions."""
Images = UInt8[np.ndarray, "n h w c"]
Training = UInt8[np.ndarray, "t h w c"]


def pairs_picture(samples: Images, train: Training, pairs: Sequence[Mapping[str, int]]) -> Image.Image:
    """The closest pairs of a report's memorisation: samples in a row, their training images below."""
    rows = [samples[[pair["sample"] for pair in pairs]], train[[pair["train"] for pair in pairs]]]
    return contact_sheet(rows, ["sample", "training"])


def ghosts_picture(samples: Images, train: Training, ghosts: Sequence[Mapping[str, Any]]) -> Image.Image:
    """Blends of a report's support: samples in a row between the two training images that each seems made of."""
    columns = (("one parent", train, "a"), ("sample", samples, "sample"), ("the other", train, "b"))
    return contact_sheet(
        [items[[ghost[key] for ghost in ghosts]] for _, items, key in columns], [name for name, _, _ in columns]
    )


def inlined(picture: Image.Image, text: str) -> str:
    """An <img> that holds the picture itself; ``text`` is for those who can't see it."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<img src="data:image/png;base64,{data}" width="{picture.width}" height="{picture.height}" alt="{html(text)}">'
    )


def captioned(picture: Image.Image, caption: str) -> str:
    return f"<figure>{inlined(picture, caption)}<figcaption>{html(caption)}</figcaption></figure>"


def album(pictures: Album) -> str:
    return f'<div class="album">{"".join(captioned(picture, caption) for caption, picture in pictures)}</div>'
