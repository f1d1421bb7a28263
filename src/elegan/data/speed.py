"""How fast this machine reads and decodes a source's images."""

import time

import numpy as np

from elegan.data.builtin import NAMES
from elegan.data.dataset import Data
from elegan.data.decoding import decoded, parallel, quiet
from elegan.data.opening import find
from elegan.data.prepare import sample_rows

TRIED = 256


def decoding_speed(source: str, data: Data) -> float | None:
    """Images a second, from some of those that ``data`` was opened from; None where there is nothing to decode."""
    if not data.is_image or data.endless or source in NAMES:
        return None
    images = find(source).images
    if isinstance(images, np.ndarray):
        return None
    height, width = data.items.shape[1:3]
    files = [images[int(row)] for row in sample_rows(len(images), TRIED)]
    with quiet():
        start = time.perf_counter()
        for _ in parallel(lambda file: decoded(file, (height, width)), files):
            pass
        return round(len(files) / (time.perf_counter() - start), 1)
