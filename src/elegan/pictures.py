"""Arrays of pixels as pictures: grids, contact sheets, captioned frames, scatter plots.  NumPy and Pillow.

Pixels are uint8 [height, width, channels]; one channel is grey, three are RGB, four are RGB with opacity.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Enlarge = Literal["smooth", "nearest"]

CELL = 64
"""Cells of a grid are enlarged, by a whole factor, until their shorter side has about this many pixels."""
PAPER, INK, FAINT = (255, 255, 255), (45, 48, 56), (214, 217, 224)
DOT, CENTRE = (38, 92, 200), (226, 94, 28)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
SUPERSAMPLE = 3
LAST_LATIN = 0x24F
WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "NanumGothic.ttf", "AppleSDGothicNeo.ttc", "malgun.ttf", "DejaVuSans.ttf")


def to_image(pixels: Pixels) -> Image.Image:
    """Pixels [height, width, channels] as a Pillow image, unaltered.  Raises ValueError for other arrays."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] not in MODES:
        given = f"{pixels.dtype} {list(pixels.shape)}"
        raise ValueError(f"A picture is uint8 [height, width, 1, 3 or 4]; this array is {given}.")
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def grid(
    images: Pixels,
    columns: int | None = None,
    gap: int = 2,
    enlarge: Enlarge | None = "smooth",
    cell: int = CELL,
) -> Image.Image:
    """Images [n, height, width, channels] in rows from the top left, as near to a square as n allows.

    ``gap`` is the white (for four channels, transparent) space between cells, in pixels of the result.
    With ``enlarge`` small images grow by a whole factor; without it no pixel is altered.
    """
    if images.ndim != 4 or not len(images):
        raise ValueError(f"A grid needs images [n, height, width, channels], not {list(images.shape)}.")
    columns = min(len(images), columns or math.ceil(math.sqrt(len(images))))
    cells = [_enlarged(to_image(pixels), enlarge, cell) for pixels in images]
    width, height = cells[0].size
    rows = math.ceil(len(cells) / columns)
    size = (columns * (width + gap) - gap, rows * (height + gap) - gap)
    sheet = Image.new(cells[0].mode, size, _background(cells[0].mode))
    for index, picture in enumerate(cells):
        row, column = divmod(index, columns)
        sheet.paste(picture, (column * (width + gap), row * (height + gap)))
    return sheet


def contact_sheet(
    rows: Sequence[Pixels],
    row_labels: Sequence[str] | None = None,
    enlarge: Enlarge = "smooth",
    cell: int = CELL,
) -> Image.Image:
    """Rows of images [n, height, width, channels] on white paper, each with its label at the left.

    Rows may differ in length and in size.  Raises ValueError when rows and labels differ in number.
    """
    labels = list(row_labels) if row_labels is not None else [""] * len(rows)
    if not rows or len(labels) != len(rows):
        raise ValueError(f"Every row needs a label; there are {len(rows)} rows and {len(labels)} labels.")
    margin = cell // 4
    font = _font(max(12, cell // 4), labels)
    gap = max(2, cell // 16)
    strips = [_on_paper(grid(row, len(row), gap, enlarge, cell)) for row in rows]
    indent = margin + max(_text_width(label, font) for label in labels)
    indent += margin if any(labels) else 0
    width = indent + max(strip.width for strip in strips) + margin
    height = sum(strip.height + margin // 2 for strip in strips) - margin // 2 + 2 * margin
    sheet = Image.new("RGB", (width, height), PAPER)
    draw, top = ImageDraw.Draw(sheet), margin
    for strip, label in zip(strips, labels, strict=True):
        draw.text((indent - margin, top + strip.height / 2), label, INK, font, anchor="rm")
        sheet.paste(strip, (indent, top))
        top += strip.height + margin // 2
    return sheet


def animation(frames: Sequence[Image.Image], captions: Sequence[str]) -> list[Image.Image]:
    """Frames of one size, each above a strip that holds its caption ("12,800 images shown").

    Smaller frames grow to the size of the largest by repeating pixels, as when a network grows.
    Raises ValueError when frames and captions differ in number.
    """
    if not frames or len(frames) != len(captions):
        raise ValueError(f"Every frame needs a caption; there are {len(frames)} and {len(captions)}.")
    size = max((frame.size for frame in frames), key=math.prod)
    font = _font(max(10, min(16, size[0] // 14)))
    strip = 2 * int(font.size)
    width = max(size[0], strip // 2 + max(_text_width(caption, font) for caption in captions))
    captioned = []
    for frame, caption in zip(frames, captions, strict=True):
        sheet = Image.new("RGB", (width, size[1] + strip), PAPER)
        sheet.paste(_on_paper(frame).resize(size, Image.Resampling.NEAREST), ((width - size[0]) // 2, 0))
        ImageDraw.Draw(sheet).text((width / 2, size[1] + strip / 2), caption, INK, font, anchor="mm")
        captioned.append(sheet)
    return captioned


def stamped(picture: Image.Image, texts: Sequence[str]) -> Image.Image:
    """The picture with the first of the texts that fits and that can be written here, in its lower left corner.

    Letters are at least a twentieth of the shorter side high (GB 45438-2025 asks for as much), on a dark ground.
    """
    size = max(8, math.ceil(min(picture.size) / 13))
    pad = max(1, size // 4)
    for text in texts:
        font = _font(size, (text,))
        left, top, right, bottom = font.getbbox(text)
        written = font.getname()[0] != "DejaVu Sans" or all(ord(letter) <= LAST_LATIN for letter in text)
        if (written and right - left + 2 * pad <= picture.width) or text == texts[-1]:
            break
    sheet = picture.copy() if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")
    corner = (0, sheet.height - math.ceil(bottom - top) - 2 * pad)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((*corner, math.ceil(right - left) + 2 * pad - 1, sheet.height - 1), fill="black")
    draw.text((pad - left, corner[1] + pad - top), text, "white", font)
    return sheet


def scatter(
    vectors: NDArray[np.floating],
    centres: NDArray[np.floating] | None = None,
    limits: tuple[float, float] | None = None,
    side: int = 480,
) -> Image.Image:
    """Vectors [n, 2] as dots, and the centres [k, 2] of the true modes as rings; ``side`` is in pixels.

    ``limits`` bound both axes; by default they hold the centres, or else the vectors, with a margin.  The
    vectors that lie outside, or are not finite, can't be drawn and are counted in the corner.
    """
    centres = np.empty((0, 2)) if centres is None else centres
    for name, points in (("vectors", vectors), ("centres", centres)):
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"A scatter plot needs {name} [n, 2]; this array is {list(points.shape)}.")
    low, high = limits or _limits(centres if len(centres) else vectors)
    large = side * SUPERSAMPLE
    plot = Image.new("RGB", (large, large), PAPER)
    draw = ImageDraw.Draw(plot, "RGBA")
    inside = np.all((vectors >= low) & (vectors <= high), axis=1)
    opacity = int(np.clip(40_000 / max(1, len(vectors)), 40, 170))
    for x, y in _places(vectors[inside], low, high, large):
        _disc(draw, x, y, large / 300, fill=(*DOT, opacity))
    for x, y in _places(centres, low, high, large):
        _disc(draw, x, y, large / 36, outline=(*CENTRE, 255), width=SUPERSAMPLE)
    plot = plot.resize((side, side), Image.Resampling.LANCZOS)
    _frame(plot, low, high, missing=int((~inside).sum()))
    return plot


def _enlarged(picture: Image.Image, enlarge: Enlarge | None, cell: int) -> Image.Image:
    factor = max(1, round(cell / min(picture.size)))
    if enlarge is None or factor == 1:
        return picture
    how = Image.Resampling.BICUBIC if enlarge == "smooth" else Image.Resampling.NEAREST
    return picture.resize((picture.width * factor, picture.height * factor), how)


def _background(mode: str) -> int | tuple[int, ...]:
    return 255 if mode == "L" else (*PAPER, 0) if mode == "RGBA" else PAPER


def _on_paper(picture: Image.Image) -> Image.Image:
    """The picture in RGB, what is transparent shown as white."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", picture.size, (*PAPER, 255)), picture).convert("RGB")


def _font(size: float, texts: Sequence[str] = ()) -> ImageFont.FreeTypeFont:
    """Pillow's own font; for writing that it lacks, Korean say, one of the system's where there is one."""
    if any(ord(letter) > LAST_LATIN for text in texts for letter in text):
        for name in WIDE_FONTS:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("This Pillow was built without FreeType; install a wheel of it.")
    return font


def _text_width(text: str, font: ImageFont.FreeTypeFont) -> int:
    return math.ceil(font.getlength(text))


def _limits(points: NDArray[np.floating]) -> tuple[float, float]:
    finite = points[np.isfinite(points).all(axis=1)]
    if not len(finite):
        return -1.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    margin = 0.15 * (high - low) or 1.0
    return low - margin, high + margin


def _places(points: NDArray[np.floating], low: float, high: float, side: int) -> list[tuple[float, float]]:
    """Where points fall on the plot, in pixels; the second axis grows upwards."""
    shares = (points.astype(np.float64) - low) / (high - low)
    return [(float(x) * side, (1 - float(y)) * side) for x, y in shares]


def _disc(
    draw: ImageDraw.ImageDraw,
    x: float,
    y: float,
    radius: float,
    *,
    fill: tuple[int, ...] | None = None,
    outline: tuple[int, ...] | None = None,
    width: int = 1,
) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill, outline, width)


def _frame(plot: Image.Image, low: float, high: float, missing: int) -> None:
    """A thin frame, the limits at its corners, and how many vectors can't be seen."""
    draw, side = ImageDraw.Draw(plot), plot.width
    font, inset = _font(max(10, side // 40)), side // 60
    draw.rectangle((0, 0, side - 1, side - 1), outline=FAINT, width=1)
    draw.text((inset, side - inset), f"{low:.3g}", INK, font, anchor="ls")
    draw.text((side - inset, side - inset), f"{high:.3g}", INK, font, anchor="rs")
    if missing:
        draw.text((side / 2, side - inset), f"{missing:,} outside or not finite", CENTRE, font, anchor="ms")
