"""What does the invisible watermark outlive, what does it cost, and how often is it seen where there is none?

    python benchmarks/watermark.py [--images 200] [--unmarked 100000] [--seed 0]

Marks that many images at each of 64, 128 and 256 pixels (crops of photos at several scales, avatars, noise and plain
areas; each image under a key of its own), does to them what happens to pictures, and counts how often the mark is found
at p < 1e-6 after the search; then looks for a mark in unmarked crops, each under a fresh key.  Prints markdown tables.
The exit status is 1 when a bar is missed.  One thread; nothing is downloaded.
"""

import argparse
import io
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib import cbook
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import binom
from sklearn.datasets import load_sample_images

from elegan.data import avatars
from elegan.provenance.watermark import FOUND, PAYLOAD_BITS, detect, embed
from elegan.provenance.watermark.carrier import FIXED, modes_of
from elegan.provenance.watermark.detect import chance, matches
from elegan.provenance.watermark.grid import evened, luminance, to_square

Pixels = NDArray[np.uint8]
SIDES = (64, 128, 256)
KINDS = {"photos": 0.7, "avatars": 0.2, "noise and plain": 0.1}
"""Kinds of images and their shares."""
RATE_BAR, PSNR_BAR, FROM_SIDE = 0.99, 36.0, 128
LEVELS = (1e-2, 1e-3, 1e-4)


def photos() -> list[Pixels]:
    """Three photos that come with what elegan needs."""
    portrait = Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB")
    return [*(np.asarray(image) for image in load_sample_images().images), np.asarray(portrait)]


def resized(pixels: Pixels, height: int, width: int, how: Image.Resampling = Image.Resampling.BICUBIC) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((width, height), how))


def cropped(pixels: Pixels, side: int, generator: np.random.Generator) -> Pixels:
    top, left = (int(generator.integers(0, length - side + 1)) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def plain(kind: int, side: int, generator: np.random.Generator) -> Pixels:
    """Noise, weak noise, one colour, a ramp: what no photo is."""
    shape = (side, side, 3)
    if kind == 0:
        return generator.integers(0, 256, shape, dtype=np.uint8)
    if kind == 1:
        return np.clip(generator.normal(128, 25, shape), 0, 255).astype(np.uint8)
    if kind == 2:
        return np.full(shape, generator.integers(0, 256, 3), np.uint8)
    return np.broadcast_to(np.linspace(0, 255, side)[:, None], shape).astype(np.uint8)


def images(count: int, side: int, generator: np.random.Generator) -> Iterator[tuple[str, Pixels]]:
    """Images [side, side, 3] with their kinds, in the shares of KINDS."""
    sources = photos()
    shares = np.cumsum([round(share * count) for share in KINDS.values()])
    for number in range(count):
        kind = list(KINDS)[int(np.searchsorted(shares[:-1], number, side="right"))]
        if kind == "photos":
            photo = sources[number % len(sources)]
            piece = cropped(photo, int(generator.integers(side, min(photo.shape[:2]) + 1)), generator)
            yield kind, resized(piece, side, side, Image.Resampling.LANCZOS)
        elif kind == "avatars":
            drawn = avatars.draw(avatars.random_parts(generator)[0], min(side, avatars.LARGEST))
            yield kind, resized(drawn[..., :3], side, side)
        else:
            yield kind, plain(number % 4, side, generator)


class Attack(NamedTuple):
    """Something that happens to pictures."""

    name: str
    of: Callable[[Pixels, np.random.Generator], Pixels]
    gate: bool = False
    thorough: bool = False


def encoded(form: str, quality: int) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def attack(pixels: Pixels, _: np.random.Generator) -> Pixels:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, form, quality=quality)
        return np.asarray(Image.open(buffer).convert("RGB"))

    return attack


def scaled(factor: float, back: bool = False) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def attack(pixels: Pixels, _: np.random.Generator) -> Pixels:
        height, width = pixels.shape[:2]
        small = resized(pixels, round(height * factor), round(width * factor))
        return resized(small, height, width) if back else small

    return attack


def noisy(level: float) -> Callable[[Pixels, np.random.Generator], Pixels]:
    def attack(pixels: Pixels, generator: np.random.Generator) -> Pixels:
        return np.clip(np.rint(pixels + generator.normal(0, level, pixels.shape)), 0, 255).astype(np.uint8)

    return attack


def crop(share: float) -> Callable[[Pixels, np.random.Generator], Pixels]:
    return lambda pixels, generator: cropped(pixels, round(share * len(pixels)), generator)


def shifted(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """By 2 pixels down and right; the edges are repeated."""
    return np.pad(pixels, ((2, 0), (2, 0), (0, 0)), "edge")[:-2, :-2]


ATTACKS = (
    Attack("nothing", lambda pixels, _: pixels),
    Attack("JPEG 90", encoded("JPEG", 90)),
    Attack("JPEG 75", encoded("JPEG", 75)),
    Attack("JPEG 50", encoded("JPEG", 50), gate=True),
    Attack("JPEG 25", encoded("JPEG", 25)),
    Attack("WebP 80", encoded("WEBP", 80)),
    Attack("resized to 0.75", scaled(0.75), gate=True),
    Attack("resized to 0.75 and back", scaled(0.75, back=True), gate=True),
    Attack("resized to 0.5", scaled(0.5)),
    Attack("noise 8/255", noisy(8), gate=True),
    Attack("noise 25/255", noisy(25)),
    Attack("brightness 1.3", lambda pixels, _: np.clip(pixels * 1.3, 0, 255).astype(np.uint8)),
    Attack("mirrored", lambda pixels, _: np.ascontiguousarray(pixels[:, ::-1])),
    Attack("shifted by 2 pixels", shifted),
    Attack("cropped to 95 % of each side", crop(0.95)),
    Attack("cropped to 75 % of each side", crop(0.75)),
    Attack("cropped to 75 %, thorough search", crop(0.75), thorough=True),
)


class Marked(NamedTuple):
    """What was counted at one size."""

    quality: Mapping[str, list[float]]
    """Kind → decibels of each image."""
    found: Mapping[tuple[str, str], list[bool]]
    """(attack, kind) → whether each mark was found."""
    read: Mapping[str, list[bool]]
    """Attack → whether each payload was read."""
    wrong: int
    milliseconds: float


def psnr(first: Pixels, second: Pixels) -> float:
    """Peak signal-to-noise ratio in decibels; infinite for equal images."""
    error = float(np.mean((first.astype(np.float64) - second) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def attacked(count: int, side: int, seed: int) -> Marked:
    """Marks and attacks ``count`` images of one size."""
    generator = np.random.default_rng([seed, side])
    quality, found, read = defaultdict(list), defaultdict(list), defaultdict(list)
    wrong, seconds = 0, 0.0
    for kind, pixels in images(count, side, generator):
        key, payload = generator.bytes(32), int(generator.integers(0, 2**PAYLOAD_BITS))
        start = time.process_time()
        marked = embed(pixels, key, payload)
        seconds += time.process_time() - start
        quality[kind].append(psnr(pixels, marked))
        for attack in ATTACKS:
            mark = detect(attack.of(marked, generator), [key], thorough=attack.thorough)
            found[attack.name, kind].append(mark.p < FOUND)
            read[attack.name].append(mark.payload == payload)
            wrong += mark.payload not in (None, payload)
    return Marked(quality, found, read, wrong, 1000 * seconds / count)


def percent(hits: list[bool]) -> str:
    return f"{100 * np.mean(hits):.1f}"


def attack_table(results: Mapping[int, Marked]) -> list[str]:
    """Prints the rates at which marks are found; gives the bars that are missed."""
    missed = []
    columns = (f"{side} px: {' / '.join(KINDS)} | number read" for side in results)
    print(f"| what happens | {' | '.join(columns)} |")
    print("|---" * (1 + 2 * len(results)) + "|")
    for attack in ATTACKS:
        cells = []
        for side, result in results.items():
            cells.append(" / ".join(percent(result.found[attack.name, kind]) for kind in KINDS))
            cells.append(percent(result.read[attack.name]))
            rate = np.mean(np.concatenate([result.found[attack.name, kind] for kind in KINDS]))
            photos_rate = np.mean(result.found[attack.name, "photos"])
            if attack.gate and side >= FROM_SIDE and min(rate, photos_rate) < RATE_BAR:
                missed.append(f"{attack.name} at {side} px: {rate:.3f}, photos {photos_rate:.3f}, not {RATE_BAR}")
        print(f"| {attack.name}{' (bar)' if attack.gate else ''} | {' | '.join(cells)} |")
    return missed


def quality_table(results: Mapping[int, Marked]) -> list[str]:
    """Prints what the mark costs; gives the bars that are missed."""
    missed = []
    print("\n| side | PSNR of photos: mean, least | avatars | noise and plain | wrong numbers | ms to embed |")
    print("|---|---|---|---|---|---|")
    for side, result in results.items():
        cells = [f"{np.mean(values):.1f}, {min(values):.1f}" for values in result.quality.values()]
        print(f"| {side} | {' | '.join(cells)} | {result.wrong} | {result.milliseconds:.1f} |")
        mean = np.mean(result.quality["photos"])
        if side >= FROM_SIDE and mean < PSNR_BAR:
            missed.append(f"PSNR of photos at {side} px: {mean:.2f}, not {PSNR_BAR}")
        if result.wrong:
            missed.append(f"{result.wrong} wrong numbers were read at {side} px")
    return missed


def unmarked(count: int, generator: np.random.Generator) -> Iterator[Pixels]:
    """Crops [64 to 192, 64 to 192, 3] of photos at three scales, of avatars, and noise, as often as in KINDS."""
    sources = [resized(p, round(p.shape[0] * s), round(p.shape[1] * s)) for p in photos() for s in (1.0, 0.75, 0.5)]
    drawn = avatars.draw_all(avatars.random_parts(generator, 500), avatars.LARGEST)[..., :3]
    for kind in generator.choice(list(KINDS), count, p=list(KINDS.values())):
        if kind == "noise and plain":
            yield plain(int(generator.integers(4)), 64, generator)
            continue
        source = (
            sources[generator.integers(len(sources))] if kind == "photos" else drawn[generator.integers(len(drawn))]
        )
        largest = min(192, *source.shape[:2])
        yield cropped(source, int(generator.integers(64, largest + 1)), generator)


def false_alarms(count: int, seed: int) -> list[str]:
    """Prints how often unmarked crops look marked; gives the bars that are missed."""
    generator = np.random.default_rng([seed, 0])
    as_they_lie, searched = np.empty(count), np.empty(count)
    for number, pixels in enumerate(unmarked(count, generator)):
        key = generator.bytes(32)
        even, _ = evened(to_square(luminance(pixels)))
        as_they_lie[number] = chance(int(matches(modes_of(even), key)))
        searched[number] = detect(pixels, [key]).p
    print(f"\n| {count:,} unmarked crops | as they lie | should be (99 %) | after the search | at most (99 %) |")
    print("|---|---|---|---|---|")
    missed = []
    for level in LEVELS:
        attained = max(p for p in map(chance, range(FIXED + 2)) if p < level)
        low, high = (int(binom.ppf(edge, count, attained)) for edge in (0.005, 0.995))
        most = int(binom.ppf(0.995, count, level))
        alone, after = int((as_they_lie < level).sum()), int((searched < level).sum())
        print(f"| p < {level:g} | {alone} | {low} to {high} | {after} | {most} |")
        if not low <= alone <= high:
            missed.append(f"p < {level:g} in {alone} crops as they lie, not {low} to {high}")
        if after > most:
            missed.append(f"p < {level:g} in {after} crops after the search, more than {most}")
    print(f"\nThe smallest p after the search: {searched.min():.2g}.")
    return missed


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200, help="images at each size")
    parser.add_argument("--unmarked", type=int, default=100_000, help="unmarked crops")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    results = {side: attacked(options.images, side, options.seed) for side in SIDES}
    print(f"Marks found, in percent of {options.images} images at each size, at p < {FOUND:g} after the search:\n")
    missed = attack_table(results) + quality_table(results)
    between = time.perf_counter()
    if options.unmarked:
        missed += false_alarms(options.unmarked, options.seed)
    end = time.perf_counter()
    print(f"\n{between - start:.0f} s for marked images, {end - between:.0f} s for unmarked ones.")
    for bar in missed:
        print(f"MISSED: {bar}.", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
