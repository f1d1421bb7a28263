"""Curves of a training, as SVG text that takes its colours from the page around it."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from elegan.evaluation.estimate import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LINES = ("#3b76d6", "#e07b39", "#2f9e76", "#b455c0", "#c8a415", "#d6455d", "#4aa3b8", "#8a8f98")
"""Legible on white and on dark grey."""
INK = "#123456"
"""Stands for the page's own text colour until the SVG is inlined."""
STYLE = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "text.color": INK, "legend.frameon": False, "axes.linewidth": 0.8,
}  # fmt: skip
Log = Sequence[Mapping[str, object]]


def loss_curves(log: Log) -> str:
    """Each term of each side's loss against images shown, as SVG; empty where nothing was logged."""
    series = _terms(log)
    sides = sorted({name.partition("/")[0] for name in series})
    if not sides:
        return ""

    def draw(canvas: "Canvas") -> None:
        for place, side in enumerate(sides):
            axes = canvas.add_subplot(1, len(sides), place + 1)
            axes.set_title(side, fontsize=10, loc="left")
            names = [name for name in series if name.partition("/")[0] == side]
            for colour, name in zip(LINES * len(names), names, strict=False):
                axes.plot(*series[name], color=colour, lw=1.6, label=name.partition("/")[2], marker="o", ms=2.5)
            _finish(axes, "loss" if place == 0 else "")

    return _svg(draw, "losses", 4.6 * max(2, len(sides)), 3.0)


def look_curves(log: Log) -> str:
    """KID and coverage of each look with their intervals, over the band of real against real, as SVG."""
    looks = [(_number(line.get("images")), look) for line in log if isinstance(look := line.get("look"), Mapping)]
    shown = [
        (name, label)
        for name, label in (("kernel_distance", "KID"), ("coverage", "coverage"))
        if any(name in look for _, look in looks)
    ]
    if not shown:
        return ""

    def draw(canvas: "Canvas") -> None:
        for place, (name, label) in enumerate(shown):
            axes = canvas.add_subplot(1, len(shown), place + 1)
            if name == "kernel_distance":  # falls by orders of magnitude, and may be below 0
                axes.set_yscale("symlog", linthresh=0.1)
            _plot_look(axes, [(images, look[name]) for images, look in looks if name in look], LINES[place])
            _finish(axes, label)

    return _svg(draw, "looks", 9.2, 3.0)


def accuracy_curve(log: Log) -> str:
    """The discriminator's accuracy on data that it learns from and on held-out data at each look, as SVG."""
    beliefs = [
        (_number(line.get("images")), belief)
        for line in log
        if isinstance(look := line.get("look"), Mapping) and isinstance(belief := look.get("belief"), Mapping)
    ]
    if not any(isinstance(belief.get("accuracy"), float) for _, belief in beliefs):
        return ""

    def draw(canvas: "Canvas") -> None:
        axes = canvas.add_subplot()
        images = [x for x, _ in beliefs]
        kinds = (("accuracy", LINES[0], "held-out data"), ("accuracy_train", LINES[1], "its own data"))
        for key, colour, name in kinds:
            right = [100 * _number(belief.get(key)) for _, belief in beliefs]
            axes.plot(images, right, color=colour, lw=1.8, marker="o", ms=3, label=name)
        axes.axhline(50, color=INK, alpha=0.5, lw=1, ls="--", label="guessing")
        axes.set_ylim(min(40.0, *(100 * _number(b.get("accuracy")) - 5 for _, b in beliefs)), 102)
        _finish(axes, "right, in %")

    return _svg(draw, "accuracy", 9.2, 2.4)


def shown_images(images: float) -> str:
    """Such as: 12.8k images shown."""
    from matplotlib.ticker import EngFormatter

    return f"{EngFormatter(sep='')(images)} images shown"


def _plot_look(axes: "Axes", points: list[tuple[float, Figure]], colour: str) -> None:
    images = [x for x, _ in points]
    middle = [_number(figure["value"]) for _, figure in points]
    wide = images if len(images) > 1 else [images[0] * 0.95, images[0] * 1.05]
    for key, shade, label in (("null_interval", INK, "real against real"), ("interval", colour, None)):
        lows, highs = ([_end(figure[key], which) for _, figure in points] for which in (0, 1))
        repeats = len(wide) // len(images)
        axes.fill_between(wide, lows * repeats, highs * repeats, color=shade, alpha=0.16, lw=0, label=label)
    axes.plot(images, middle, color=colour, lw=1.8, marker="o", ms=3.5, label="samples against real")


def _finish(axes: "Axes", label: str) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.set_xlabel("images shown")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(color=INK, alpha=0.12, lw=0.6)
    axes.legend(fontsize=9, loc="best")


def _terms(log: Log) -> dict[str, tuple[list[float], list[float]]]:
    """Name → (images shown, values), without norms of gradients; what is not finite leaves a gap."""
    series: dict[str, tuple[list[float], list[float]]] = {}
    for line in log:
        terms = line.get("terms")
        losses = terms.items() if isinstance(terms, Mapping) else ()
        for name, value in (loss for loss in losses if not str(loss[0]).endswith("/gradient")):
            images, values = series.setdefault(str(name), ([], []))
            images.append(_number(line.get("images")))
            values.append(_number(value))
    return series


def _number(value: object) -> float:
    number = float(value) if isinstance(value, int | float | str) else float("nan")
    return number if abs(number) < float("inf") else float("nan")


def _end(interval: object, which: int) -> float:
    return _number(interval[which]) if isinstance(interval, list) else float("nan")


def _svg(draw: Callable[["Canvas"], None], name: str, width: float, height: float) -> str:
    """Draw off screen; strip what a page doesn't need and every address, and use the page's colour and font."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(canvas)
        draw(canvas)
        file = io.StringIO()
        canvas.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r"font(-family)?: ([\d.]+px) [^;\"]*", r"font-size: \2; font-family: inherit", text)
    return text.replace(INK, "currentColor").replace("xlink:href", "href").strip()
