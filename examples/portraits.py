"""The pictures of examples/known_truth.py: phase portraits, still and moving, principal components and mixtures."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from linear_quadratic import Gaussian, Played
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from point_games import PointConfig
from point_games import field as field_of

from elegan.evaluation.modes import Mixture, ModeCount
from elegan.files import write_atomically

INK, FAINT, STREAM = "#2d3038", "#8a8f98", "#d3d9e4"
COLOURS = {
    "simultaneous": "#d6455d", "alternating": "#e0932f", "extragradient": "#2f9e76", "optimistic": "#3b76d6",
    "average": INK,
}  # fmt: skip
STYLE = {
    "font.family": "sans-serif", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": FAINT, "axes.labelcolor": INK, "axes.linewidth": 0.8, "xtick.color": FAINT,
    "ytick.color": FAINT, "text.color": INK, "legend.frameon": False, "axes.titlelocation": "left",
    "axes.titlesize": 9.5, "axes.titleweight": "bold", "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.07,
}  # fmt: skip
FADE = mpl.colors.LinearSegmentedColormap.from_list("fade", ["#f2b84b", "#d6455d", "#5b2a86"])
"""The colour of a path from its start to its end."""


@dataclass
class Trail:
    """A path [steps + 1, 2] on its axes, whose head moves."""

    axes: Axes
    path: np.ndarray
    line: LineCollection
    head: Line2D

    @classmethod
    def on(cls, axes: Axes, path: np.ndarray, colour: str | None = None, **style: Any) -> "Trail":
        """In one colour, or in one that tells the time."""
        by_time = {"cmap": FADE, "norm": mpl.colors.Normalize(0, len(path))}
        ink: dict[str, Any] = {"color": colour} if colour else by_time
        line = LineCollection([], lw=1.5, capstyle="round", **(ink | style))
        axes.add_collection(line, autolim=False)
        (head,) = axes.plot([], [], "o", ms=5, color=colour or FADE(1.0), mec="white", mew=0.8, zorder=5)
        return cls(axes, path, line, head)

    def go_to(self, share: float) -> None:
        """Show the path up to this share of its steps."""
        last = round(share * (len(self.path) - 1))
        self.line.set_segments(list(np.stack([self.path[:last], self.path[1 : last + 1]], axis=1)))
        if self.line.norm.scaled():
            self.line.set_array(np.arange(last))
        self.head.set_data(self.path[last : last + 1, 0], self.path[last : last + 1, 1])


@dataclass
class Portrait:
    """A drawing of which only the trails move."""

    figure: Figure
    trails: list[Trail] = field(default_factory=list)

    def still(self) -> Image.Image:
        return self.frames(1)[-1]

    def frames(self, count: int) -> list[Image.Image]:
        """From the first step to the last; what doesn't move is drawn once, so that it costs a GIF nothing."""
        canvas = FigureCanvasAgg(self.figure)
        for trail in self.trails:
            trail.line.set_animated(True)
            trail.head.set_animated(True)
        canvas.draw()
        ground = canvas.copy_from_bbox(self.figure.bbox)
        return [self._frame(canvas, ground, (index + 1) / count) for index in range(count)]

    def _frame(self, canvas: FigureCanvasAgg, ground: object, share: float) -> Image.Image:
        canvas.restore_region(ground)
        for trail in self.trails:
            trail.go_to(share)
            for artist in (trail.line, trail.head):
                trail.axes.draw_artist(artist)
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def bilinear_portrait(paths: Mapping[str, np.ndarray], captions: Mapping[str, str], stream: PointConfig) -> Portrait:
    """One plane for all methods and, beside it, the distance from the equilibrium; paths [steps + 1, 2] by name."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.9), dpi=100, layout="constrained")
        plane, distance = figure.subplots(1, 2, width_ratios=(1, 1.15))
        portrait = Portrait(figure)
        draw_field(plane, stream, 2.4)
        plane.set(xlabel="generator x", ylabel="discriminator ψ", title="x raises xψ, ψ lowers it")
        distance.set(xlabel="step", title="distance from the equilibrium", yscale="log")
        distance.set(xlim=(0, max(map(len, paths.values())) * 1.02), ylim=(1e-5, 60))
        for name, path in paths.items():
            style = {"linestyle": (0, (4, 1.6))} if name == "average" else {}
            portrait.trails.append(Trail.on(plane, path, COLOURS[name], **style))
            radii = np.stack([np.arange(len(path)), np.linalg.norm(path, axis=1)], axis=1)
            portrait.trails.append(Trail.on(distance, radii, COLOURS[name], **style))
            distance.plot([], [], color=COLOURS[name], label=captions[name], **style)
        distance.legend(loc="lower left", fontsize=7.5, handlelength=1.6, borderaxespad=0.2, labelspacing=0.35)
    return portrait


def dirac_portrait(panels: Sequence[tuple[str, str, PointConfig, np.ndarray]]) -> Portrait:
    """Two rows of planes: (title, caption, config for the arrows, path [steps + 1, 2])."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 5.8), dpi=100, layout="constrained")
        portrait = Portrait(figure)
        for axes, (title, caption, config, path) in zip(figure.subplots(2, len(panels) // 2).flat, panels, strict=True):
            draw_field(axes, config, 2.2)
            axes.set_title(title, fontsize=9, pad=18)
            axes.text(0, 1.025, caption, transform=axes.transAxes, fontsize=7.5, color=INK)
            portrait.trails.append(Trail.on(axes, path))
        figure.supxlabel("generator θ", fontsize=9)
        figure.supylabel("discriminator ψ", fontsize=9)
    return portrait


def draw_field(axes: Axes, config: PointConfig, limit: float, fineness: int = 19) -> None:
    """Streamlines of where both sides want to go, and the equilibrium."""
    line = np.linspace(-limit, limit, fineness)
    places = np.stack(np.meshgrid(line, line), axis=-1)
    arrows = field_of(config, places.reshape(-1, 2)).reshape(fineness, fineness, 2)
    axes.streamplot(
        line, line, arrows[..., 0], arrows[..., 1], color=STREAM, linewidth=0.7, arrowsize=0.7, density=0.75
    )
    axes.plot([0], [0], "P", color=INK, ms=6, mec="white", mew=0.8, zorder=6)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=(-2, 0, 2), yticks=(-2, 0, 2))


def principal_picture(data: Gaussian, flat: Played, large_data: Gaussian, large: Played) -> Image.Image:
    """A generator's line turning into the first component of flat data; error and discriminator of a larger game."""
    points, truth = data.draw(1_500)["real"].numpy(), data.directions[:, 0]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.3), dpi=100, layout="constrained")
        plane, error, bars = figure.subplots(1, 3)
        plane.scatter(*points.T, s=3, color=STREAM, lw=0, rasterized=True)
        for share, weight in zip(np.linspace(0, 1, len(flat.weights)), flat.weights, strict=True):
            ends = 2 * np.stack([-weight[:, 0], weight[:, 0]])
            plane.plot(*ends.T, color=FADE(share), lw=0.9 if share < 1 else 2.2, solid_capstyle="round")
        plane.plot(*(4.2 * np.stack([-truth, truth])).T, color=INK, lw=1, ls=(0, (4, 3)), label="first component")
        plane.set(title="the generator's line turns", aspect="equal", xlim=(-4, 4), ylim=(-4, 4))
        plane.legend(loc="upper left", fontsize=7.5)
        error.plot(large.images, large.errors, color="#3b76d6", lw=1.6)
        error.axhline(1e-2, color=FAINT, lw=1, ls=(0, (4, 3)))
        error.set(yscale="log", xlabel="images shown", title="sine of the angle to the truth")
        error.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
        places = np.arange(len(large.truth))
        bars.bar(places, large.square, width=0.55, color=["#2f9e76" if t == 0 else "#e0932f" for t in large.truth])
        bars.plot(places, large.truth, "_", ms=26, mew=1.6, color=INK, label="closed form")
        bars.set_xticks(places, [f"{i + 1}\nλ = {v:g}" for i, v in enumerate(large_data.variances)])
        bars.set(title="xᵀQx along each component", ylim=(-0.03, 0.31))
        bars.legend(loc="upper left", fontsize=7.5)
        return drawn(figure)


def mixtures_picture(panels: Sequence[tuple[str, np.ndarray, Mixture, ModeCount]]) -> Image.Image:
    """Samples of samplers of known quality on mixtures, and what the mode counter says of each."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.9), dpi=100, layout="constrained")
        for axes, (title, samples, mixture, count) in zip(figure.subplots(1, len(panels)), panels, strict=True):
            limit = 1.22 * np.abs(mixture.centres).max()
            axes.scatter(*samples.T, s=3, color="#3b76d6", alpha=0.35, lw=0, rasterized=True)
            missing = mixture.centres[count.missing]
            axes.plot(*mixture.centres.T, "o", ms=18, mfc="none", mec=STREAM, mew=1)
            axes.plot(*missing.T, "o", ms=18, mfc="none", mec="#d6455d", mew=1.8)
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=(), yticks=())
            axes.set_title(title, pad=30)
            text = f"{count.found} of {len(mixture.centres)} modes, within 3σ {count.high_quality:.3f}"
            axes.text(0, 1.025, f"{text}\nKL {count.divergence:.4f}", transform=axes.transAxes, fontsize=8)
            for side in ("left", "bottom"):
                axes.spines[side].set_visible(False)
        return drawn(figure)


def drawn(figure: Figure) -> Image.Image:
    """A figure that doesn't move, as a picture."""
    return Portrait(figure).still()


def save(picture: Image.Image, path: Path) -> None:
    """A .png of 256 colours, which these drawings don't miss."""
    buffer = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    write_atomically(path, buffer.getvalue())


def save_film(frames: Sequence[Image.Image], path: Path, milliseconds: int = 90, colours: int = 32) -> None:
    """An endless .gif of one palette, the last frame's, which stays for two seconds; each frame holds what changed."""
    palette = frames[-1].quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    pixels = [np.asarray(frame.quantize(palette=palette, dither=Image.Dither.NONE)) for frame in frames]
    sheets = [Image.fromarray(pixels[0], "P")]
    sheets += [Image.fromarray(np.where(a == b, colours, b).astype(np.uint8), "P") for a, b in pairwise(pixels)]
    for sheet in sheets:
        sheet.putpalette(palette.getpalette() or [])
    stay = [milliseconds] * len(sheets[1:]) + [2_000]
    settings = {"transparency": colours, "disposal": 1, "optimize": False, "loop": 0, "duration": stay}
    buffer = io.BytesIO()
    sheets[0].save(buffer, "GIF", save_all=True, append_images=sheets[1:], **settings)
    write_atomically(path, buffer.getvalue())
