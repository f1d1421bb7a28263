"""How each part of an avatar is drawn: shapes on a square of 64 units, y downwards.

A layer is one Pillow picture drawn large; :mod:`elegan.data.avatars` scales it down and lays layers over each other.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageColor, ImageDraw

UNITS, SCALE = 64, 8
Point = tuple[float, float]
Rows = Sequence[tuple[float, ...]]

BACKGROUND = {"mint": "#b4e4cf", "sky": "#b4d5f7", "peach": "#ffcdae", "lilac": "#d3c2f2", "butter": "#ffe894"}
SHIRT = {"coral": "#f26a5e", "teal": "#1fa39a", "navy": "#34508c", "mustard": "#eeae2d", "plum": "#8c4f96"}
SKIN = {"ivory": "#ffdfc6", "beige": "#f4c49b", "honey": "#d89c69", "chestnut": "#ad7048", "espresso": "#7a4d35"}
HAIR = {
    "black": "#2d2833", "brown": "#714427", "ginger": "#d4652a", "blonde": "#f3c95d", "pink": "#ee82ab",
    "blue": "#4a86d9",
}  # fmt: skip
INK, WHITE, TONGUE, CLEAR = "#2a2430", "#ffffff", "#f58a98", "#00000000"
MOUTH = "#7c2638"
LIPS = {"ivory": "#a63d50", "beige": "#9c3648", "honey": "#8c2f3c", "chestnut": "#6b1f2b", "espresso": "#e39088"}
TOP = {"cap": 25.0, "beanie": 25.0, "wizard": 23.0}
"""Hats that hide the hair above this line."""


def mixed(colour: str, other: str, share: float) -> str:
    """The colour with a share of another in it."""
    pairs = zip(ImageColor.getrgb(colour), ImageColor.getrgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def darker(colour: str, share: float = 0.2) -> str:
    return mixed(colour, "#2a1836", share)


def lighter(colour: str, share: float = 0.25) -> str:
    return mixed(colour, "#ffffff", share)


class Pen:
    """Draws on one transparent layer."""

    def __init__(self) -> None:
        self.image = Image.new("RGBA", (UNITS * SCALE, UNITS * SCALE))
        self.ink = ImageDraw.Draw(self.image)

    def oval(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """An ellipse about (x, y) with these half axes."""
        self.ink.ellipse([SCALE * v for v in (x - width, y - height, x + width, y + height)], colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, round_by: float = 0) -> None:
        self.ink.rounded_rectangle([SCALE * v for v in (left, top, right, bottom)], SCALE * round_by, colour)

    def polygon(self, points: Rows, colour: str) -> None:
        self.ink.polygon([(SCALE * x, SCALE * y) for x, y in points], colour)

    def blob(self, points: Rows, colour: str) -> None:
        """The closed smooth curve through the points (Catmull & Rom, 1974)."""
        p = np.array(points)
        before, after, later = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
        t = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
        curve = p + 0.5 * t * (
            after - before + t * (2 * before - 5 * p + 4 * after - later + t * (3 * (p - after) + later - before))
        )
        self.polygon(curve.transpose(1, 0, 2).reshape(-1, 2).tolist(), colour)

    def bow(self, x: float, y: float, width: float, height: float, colour: str, thick: float) -> None:
        """A stroke that sags by ``height`` in its middle (rises where negative), with round ends."""
        for share in np.linspace(-1, 1, 33):
            self.oval(x + share * width, y + height * (1 - share**2), thick / 2, thick / 2, colour)

    def both(self, draw: Callable[[float], None]) -> None:
        """Draw something at the left (−1) and at the right (+1)."""
        draw(-1)
        draw(1)

    def clear_above(self, y: float) -> None:
        self.ink.rectangle([0, 0, UNITS * SCALE, SCALE * y], (0, 0, 0, 0))


def background(pen: Pen, colour: str) -> None:
    shade = BACKGROUND[colour]
    pen.box(0, 0, 64, 64, shade)
    pen.oval(32, 34, 28, 28, lighter(shade, 0.45))


def shirt(pen: Pen, colour: str) -> None:
    shade = SHIRT[colour]
    pen.blob([(9, 68), (11, 58), (20, 53), (32, 52), (44, 53), (53, 58), (55, 68)], shade)
    pen.both(lambda side: pen.polygon([(32, 58), (32 + side * 8, 52), (32 + side * 9.5, 56.5)], lighter(shade, 0.35)))


HEADS = {
    "round": [(32, 18), (42.4, 21), (48.4, 32), (47.4, 42.5), (40, 49.6), (32, 51.2)],
    "slim": [(32, 17.5), (40, 20.5), (43.9, 31), (42.4, 42), (36.6, 52), (32, 54.6)],
    "square": [(32, 18), (42.8, 20), (46.2, 30), (46.6, 44), (44.4, 50.6), (38, 52), (32, 52.2)],
}
EARS = {"round": 16.0, "slim": 11.8, "square": 14.2}


def head(pen: Pen, shape: str, colour: str) -> None:
    skin, right = SKIN[colour], HEADS[shape]
    pen.blob([(26.5, 46), (37.5, 46), (38.5, 55), (32, 59), (25.5, 55)], darker(skin, 0.16))
    pen.both(lambda side: pen.oval(32 + side * EARS[shape], 36.5, 3, 3.8, skin))
    pen.both(lambda side: pen.oval(32 + side * (EARS[shape] + 0.4), 36.7, 1.4, 2, darker(skin, 0.14)))
    pen.blob([*right, *((64 - x, y) for x, y in right[-2:0:-1])], skin)
    blush = mixed(skin, "#f0506a", 0.3)
    pen.both(lambda side: pen.oval(32 + side * 9.2, 42.3, 2.9, 1.9, blush))
    pen.bow(32, 40, 1.4, 0.9, darker(skin, 0.25), 1.3)


def brows(pen: Pen, colour: str) -> None:
    shade = darker(HAIR[colour], 0.28)
    pen.both(lambda side: pen.bow(32 + side * 6.6, 30.6, 2.7, -1.0, shade, 1.5))


def eyes(pen: Pen, kind: str) -> None:
    def eye(side: float) -> None:
        x, y = 32 + side * 6.6, 36.0
        if kind == "dots":
            pen.oval(x, y, 1.9, 2.4, INK)
            pen.oval(x + 0.6, y - 0.9, 0.7, 0.7, WHITE)
        elif kind == "wide":
            pen.oval(x, y, 3.5, 3.7, WHITE)
            pen.oval(x - 0.2 * side, y + 0.3, 2.0, 2.2, INK)
            pen.oval(x + 0.6, y - 0.6, 0.8, 0.8, WHITE)
        elif kind == "happy":
            pen.bow(x, y + 1.0, 2.9, -2.8, INK, 1.6)
        else:
            pen.bow(x, y - 0.6, 3.0, 1.6, INK, 1.6)
            pen.both(lambda end: pen.bow(x + end * 2.9, y + 0.7, 0.5, 0.0, INK, 1.2))

    pen.both(eye)


def mouth(pen: Pen, kind: str, skin: str) -> None:
    lip = LIPS[skin]
    if kind == "smile":
        pen.bow(32, 43.8, 4.6, 3.0, lip, 1.8)
    elif kind == "grin":
        pen.blob([(26.6, 43.6), (32, 44.4), (37.4, 43.6), (36, 47.4), (32, 49.2), (28, 47.4)], MOUTH)
        pen.blob([(27.8, 44.2), (32, 44.8), (36.2, 44.2), (35.6, 45.7), (32, 46.3), (28.4, 45.7)], WHITE)
    elif kind == "surprised":
        pen.oval(32, 46, 2.6, 3.2, lip)
        pen.oval(32, 46, 1.9, 2.5, MOUTH)
        pen.oval(32, 47.4, 1.5, 1.0, TONGUE)
    else:
        pen.bow(32, 46.2, 3.4, 0.2, lip, 1.9)


def glasses(pen: Pen, kind: str) -> None:
    if kind == "none":
        return
    frame = {"round": "#3b3340", "square": "#b3262f", "tinted": "#c9791c"}[kind]

    def lens(side: float) -> None:
        x, y = 32 + side * 6.6, 36.0
        pen.polygon([(x + side * 4, y - 1.6), (x + side * 10, y - 2.2), (x + side * 10, y - 0.8), (x, y)], frame)
        if kind == "square":
            pen.box(x - 5.5, y - 4.4, x + 5.5, y + 4.8, frame, 2.0)
            pen.box(x - 3.9, y - 2.8, x + 3.9, y + 3.2, "#ffffff38", 1.2)
        else:
            pen.oval(x, y, 5.5, 5.5, frame)
            pen.oval(x, y, 4.2, 4.2, "#ffffff50" if kind == "round" else "#ffb02e96")

    pen.both(lens)
    pen.bow(32, 35.4, 1.2, -0.6, frame, 1.4)


def hair_behind(pen: Pen, style: str, colour: str, hat: str) -> None:
    """What falls behind the head and the shoulders' front edge."""
    shade = darker(HAIR[colour], 0.14)
    if style == "bob":
        pen.blob([(13, 40), (14.5, 24), (23, 13.5), (41, 13.5), (49.5, 24), (51, 40), (49, 49), (40, 51), (24, 51),
                  (15, 49)], shade)  # fmt: skip
    elif style == "long":
        pen.blob([(13.5, 42), (15, 24), (23, 13.5), (41, 13.5), (49, 24), (50.5, 42), (54, 60), (46, 66), (18, 66),
                  (10, 60)], shade)  # fmt: skip
    elif style == "curly":
        for angle in np.linspace(-0.28, math.pi + 0.28, 13):
            pen.oval(32 + 18.2 * math.cos(angle), 32 - 16.5 * math.sin(angle), 6.2, 6.2, shade)
    elif style == "pigtails":
        pen.both(lambda side: pen.blob(mirrored([(14, 39), (7, 39), (2.5, 47), (4, 57), (10, 59), (14, 50)], side),
                                       shade))  # fmt: skip
        pen.both(lambda side: pen.oval(32 + side * 18.5, 40, 2.3, 2.6, SHIRT["coral"]))
    elif style == "spiky":
        pen.polygon([(18, 42), (9, 39), (15, 34), (7, 28), (15, 25), (11, 15), (20, 17), (21, 7), (28, 13), (34, 4),
                     (38, 13), (47, 8), (46, 17), (54, 17), (49, 25), (57, 29), (49, 34), (55, 40),
                     (46, 42)], shade)  # fmt: skip
    pen.clear_above(TOP.get(hat, 0))


FRINGES: dict[str, Rows] = {
    "short": [(16.6, 35), (15.6, 24), (21, 14), (33, 10.6), (44, 14), (48.6, 24), (47.6, 35), (45.4, 27.5), (41, 23.4),
              (31, 26), (22, 22.5), (18.9, 28)],
    "bob": [(15, 43), (14.6, 25), (22, 13.4), (32, 11.4), (42, 13.4), (49.4, 25), (49, 43), (46.6, 40), (45.2, 29),
            (39, 27.8), (32, 28.2), (25, 27.8), (18.8, 29), (17.4, 40)],
    "long": [(14.6, 47), (14.6, 26), (22, 13.4), (32, 11.6), (42, 13.4), (49.4, 26), (49.4, 47), (46.6, 42), (44.4, 29),
             (37, 24), (32, 18.5), (27, 24), (19.6, 29), (17.4, 42)],
    "pigtails": [(16.4, 38), (15.4, 25), (22, 14), (32, 11.8), (42, 14), (48.6, 25), (47.6, 38), (45, 29), (38, 26.8),
                 (33, 20), (26, 26.4), (19, 28.5)],
}  # fmt: skip


def hair_before(pen: Pen, style: str, colour: str, hat: str) -> None:
    """What falls on the forehead and beside the cheeks."""
    shade = HAIR[colour]
    if style == "curly":
        for angle in np.linspace(0.1, math.pi - 0.1, 9):
            pen.oval(32 + 14.6 * math.cos(angle), 30 - 12.4 * math.sin(angle), 4.9, 4.9, shade)
        pen.blob([(18, 26), (20, 16), (32, 11), (44, 16), (46, 26), (38, 21), (26, 21)], shade)
        for x, y in ((23, 17), (32, 13.5), (41, 17)):
            pen.bow(x, y, 1.6, -1.4, lighter(shade), 1.1)
    elif style == "spiky":
        pen.polygon([(16.6, 36), (14.6, 26), (17, 17), (32, 11), (47, 17), (49.4, 26), (47.4, 36), (44.6, 25),
                     (41.6, 29), (37.4, 22.5), (33.4, 29), (28.6, 22.5), (24.6, 28.6), (20.4, 24)], shade)  # fmt: skip
        pen.polygon([(24, 18), (31, 14), (27, 19.4)], lighter(shade))
    else:
        pen.blob(FRINGES[style], shade)
        pen.bow(27, 17.4, 4.2, -2.0, lighter(shade), 1.5)
    pen.clear_above(TOP.get(hat, 0))


def hat(pen: Pen, kind: str) -> None:
    if kind == "cap":
        shade = "#e4483b"
        pen.blob([(14.4, 26), (16, 15), (24, 8), (32, 6.6), (40, 8), (48, 15), (49.6, 26)], shade)
        pen.blob([(26, 24.6), (28.6, 10), (32, 8), (35.4, 10), (38, 24.6)], WHITE)
        pen.blob(
            [(12.6, 26), (22, 22.8), (32, 22), (42, 22.8), (51.4, 26), (42, 28.8), (32, 29.2), (22, 28.8)],
            darker(shade),
        )
    elif kind == "beanie":
        shade = "#2f5d8a"
        pen.oval(32, 5.4, 4.6, 4.4, WHITE)
        pen.blob([(14.8, 24), (17, 13.5), (25, 8), (32, 7.2), (39, 8), (47, 13.5), (49.2, 24), (32, 27)], shade)
        pen.box(13.4, 20.4, 50.6, 28, lighter(shade, 0.3), 3.4)
        for rib in range(18, 48, 5):
            pen.box(rib, 21.4, rib + 1.4, 27, shade, 0.7)
    elif kind == "crown":
        pen.polygon([(18.6, 20), (15.6, 5.6), (24, 11.6), (32, 2.6), (40, 11.6), (48.4, 5.6), (45.4, 20)], "#f6be2c")
        pen.box(18, 16.6, 46, 21, "#dd9a1d", 1.4)
        for place, gem in ((23, "#e0455c"), (32, "#2f9fd0"), (41, "#e0455c")):
            pen.oval(place, 18.8, 1.6, 1.6, gem)
        for x, y in ((15.6, 5.6), (32, 2.8), (48.4, 5.6)):
            pen.oval(x, y, 1.9, 1.9, "#ffe08a")
    elif kind == "wizard":
        shade = "#5a3da8"
        pen.blob(
            [(8.6, 25), (20, 21.4), (32, 20.6), (44, 21.4), (55.4, 25), (44, 28), (32, 28.6), (20, 28)], darker(shade)
        )
        pen.polygon([(18, 23.6), (27, 9.4), (37.4, 0.6), (36.8, 8.4), (46, 23.6), (32, 25.4)], shade)
        pen.polygon([(18.6, 22.6), (20.6, 19.4), (32, 20.8), (43.4, 19.4), (45.4, 22.6), (32, 24.6)], "#f6be2c")
        for x, y, size in ((31, 13.6, 2.1), (36.4, 17, 1.3), (35, 7, 1.2)):
            star(pen, x, y, size)


def star(pen: Pen, x: float, y: float, size: float) -> None:
    turns = [(size if k % 2 == 0 else size * 0.42, math.pi * k / 5) for k in range(10)]
    pen.polygon([(x + r * math.sin(a), y - r * math.cos(a)) for r, a in turns], "#ffe08a")


def mirrored(points: Rows, side: float) -> Rows:
    """Points of the left side (−1) as they are, or on the right (+1)."""
    return points if side < 0 else [(UNITS - x, y) for x, y in points]
