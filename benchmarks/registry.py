"""How often the registry finds a damaged picture again, and how often it takes a stranger for one of its own.

    python benchmarks/registry.py            about two minutes on one thread

Each set of pictures is searched by the limits of elegan.provenance.likeness: damaged copies of 400 of its own among all
of it (found), and pictures that aren't in it (false matches).  Strangers are, for generated digits, real ones; for real
pictures each of them while all others are registered, which is harder: a generator could hardly come closer.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import elegan
from elegan.data import open_data
from elegan.pictures import to_image
from elegan.provenance import likeness
from elegan.provenance.likeness import Gallery

QUERIES, GENERATED = 400, 20_000
Damage = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.3, help="of training of each generator")
    random = np.random.default_rng(0)
    print(f"{'pictures':24}{'n':>7}  {'false matches':18}" + "".join(f"{name:>11}" for name in damages(random)))
    for name, entries, strangers in sets(parser.parse_args().minutes):
        wrong = false_matches(entries, strangers)
        found = [recall(entries, damage, random) for damage in damages(random).values()]
        shares = "".join(f"{share:11.3f}" for share in found)
        asked = len(entries) if strangers is None else len(strangers)
        print(f"{name:24}{len(entries):7,}  {wrong:4} of {asked:<10,}{shares}", flush=True)


def sets(minutes: float) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Name, entries uint8 [n, H, W, C], and strangers, or None: each entry in its turn."""
    digits = open_data("digits", size=8).items[:]
    for model in ("gan", "r3gan"):
        with tempfile.TemporaryDirectory() as folder:
            where = Path(folder) / model
            run = elegan.train(
                model, data="digits", size=8, minutes=minutes, out=where, seed=1, referee=False, quiet=True
            )
            made = run.to_items(run.sample(GENERATED, seed=5))
        yield f"{model} 8x8, real digits", made, digits
    for data, size in (("digits", 8), ("digits", 16), ("avatars", 32), ("avatars", 64), ("avatars", 128)):
        yield f"{data} {size}x{size}, themselves", np.unique(open_data(data, size=size).items[:], axis=0), None


def damages(random: np.random.Generator) -> dict[str, Damage]:
    """Each takes and gives uint8 [H, W, C]."""
    return {
        "JPEG 75": lambda pixels: jpeg(pixels, 75),
        "JPEG 50": lambda pixels: jpeg(pixels, 50),
        "noise 8": lambda pixels: noisy(pixels, 8, random),
        "noise 13": lambda pixels: noisy(pixels, 13, random),
        "x4, back": lambda pixels: resized(resized(pixels, 4), 0.25),
        "x4": lambda pixels: resized(pixels, 4),
        "x0.75": lambda pixels: resized(pixels, 0.75),
        "darker": lambda pixels: (pixels * 0.8).astype(np.uint8),
    }


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    to_image(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(pixels.shape)


def noisy(pixels: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(pixels + random.normal(0, deviation, pixels.shape)), 0, 255).astype(np.uint8)


def resized(pixels: np.ndarray, factor: float) -> np.ndarray:
    height, width, channels = pixels.shape
    size = round(width * factor), round(height * factor)
    return np.asarray(to_image(pixels).resize(size, Image.Resampling.BICUBIC)).reshape(size[1], size[0], channels)


def recall(entries: np.ndarray, damage: Damage, random: np.random.Generator) -> float:
    """The share of damaged entries that are taken for what they are."""
    gallery, side, limit = gallery_of(entries)
    rows = random.choice(len(entries), min(QUERIES, len(entries)), replace=False)
    hits = 0
    for row in rows:
        look = likeness.look(damage(entries[row]), side)
        best, rival = gallery.nearest(look)[:2] if look is not None else (None, None)
        hits += best is not None and best.row == row and accepted(best.distance, rival.distance, limit)
    return hits / len(rows)


def false_matches(entries: np.ndarray, strangers: np.ndarray | None) -> int:
    """How many strangers are taken for an entry."""
    gallery, side, limit = gallery_of(entries)
    wrong = 0
    for place, pixels in enumerate(entries if strangers is None else strangers):
        nearest = gallery.nearest(likeness.look(pixels, side))
        best, rival = [other for other in nearest if strangers is not None or other.row != place][:2]
        wrong += accepted(best.distance, rival.distance, limit)
    return wrong


def accepted(distance: float, rival: float, limit: float) -> bool:
    return distance <= limit and distance <= likeness.RATIO * rival


def gallery_of(entries: np.ndarray) -> tuple[Gallery, int, float]:
    height, width = entries.shape[1:3]
    side = likeness.side_of(height, width)
    gallery = Gallery(side)
    gallery.add([likeness.look(pixels, side).tobytes() for pixels in entries])
    return gallery, side, likeness.limit(height, width)


if __name__ == "__main__":
    main()
