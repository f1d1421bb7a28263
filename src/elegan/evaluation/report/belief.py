"""What the discriminator believes of real and of generated items, over time: the 50:50 of the textbooks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from elegan.evaluation.report.charts import LINES, Log, accuracy_curve, shown_images
from elegan.evaluation.report.gauges import finite
from elegan.evaluation.report.markup import number, section

PANELS = 6
WIDTH, HEIGHT = 180.0, 96.0
HOW = (
    "Each panel is a moment of training.  From “surely generated” at the left to “surely real” at the right it shows "
    'what the discriminator believes of <b class="real">real</b> and of <b class="fake">generated</b> items.  The '
    "dashed line are real items that it never trained on.  Two hills apart: it tells them easily.  One heap in the "
    "middle: it can only guess, the 50:50 at which theory ends.  But a discriminator that is weak or lags behind "
    "guesses, too, so that 50&nbsp;% alone proves nothing; and a dashed line that leaves the real hill means that it "
    "learnt the training items by heart."
)


@dataclass(frozen=True)
class Belief:
    """A look's histograms: edges [k + 1] of the belief and counts [k]."""

    images: float
    edges: np.ndarray
    counts: Mapping[str, np.ndarray]
    accuracy: object


def beliefs(log: Log) -> Iterator[str]:
    """The section; nothing where no look has a belief."""
    found = list(_found(log))
    if not found:
        return
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, PANELS).round().astype(int))]
    panels = f'<div class="panels">{"".join(_panel(belief) for belief in chosen)}</div>'
    yield from section("What the discriminator believed", [panels, _accuracy(log)], HOW)


def _accuracy(log: Log) -> str:
    curve = accuracy_curve(log)
    caption = "How often the discriminator tells real from generated; 50&nbsp;% is guessing."
    return curve and f"<figure>{curve}<figcaption>{caption}</figcaption></figure>"


def _found(log: Log) -> Iterator[Belief]:
    for line in log:
        look = line.get("look")
        belief = look.get("belief") if isinstance(look, Mapping) else None
        if not isinstance(belief, Mapping):
            continue
        edges = _numbers(belief.get("edges"))
        counts = {name: _numbers(belief.get(name)) for name in ("real", "fake", "validation")}
        counts = {name: count for name, count in counts.items() if len(count) == len(edges) - 1 and count.sum() > 0}
        if len(edges) > 1 and np.isfinite(edges).all() and {"real", "fake"} <= counts.keys():
            yield Belief(finite(line.get("images")), edges, counts, belief.get("accuracy"))


def _numbers(values: object) -> np.ndarray:
    return np.array([finite(value) for value in values]) if isinstance(values, list) else np.zeros(0)


def _panel(belief: Belief) -> str:
    heights = {name: count / count.sum() / np.diff(belief.edges) for name, count in belief.counts.items()}
    tallest = max(float(height.max()) for height in heights.values())

    def outline(height: np.ndarray) -> str:
        x = (np.repeat(belief.edges, 2) - belief.edges[0]) / np.ptp(belief.edges) * WIDTH
        y = HEIGHT - np.concatenate([[0.0], np.repeat(height, 2), [0.0]]) / tallest * (HEIGHT - 6)
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    shapes = [
        f'<polygon points="{outline(heights[name])}" fill="{colour}" fill-opacity="0.45" stroke="{colour}"/>'
        for name, colour in (("real", LINES[0]), ("fake", LINES[1]))
    ]
    if "validation" in heights:
        line = outline(heights["validation"])
        shapes.append(f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-dasharray="3 2"/>')
    shapes.append(f'<line class="axis" x1="0" x2="{WIDTH:.0f}" y1="{HEIGHT:.0f}" y2="{HEIGHT:.0f}"/>')
    accuracy = f" · {number(belief.accuracy, 'accuracy')} right" if isinstance(belief.accuracy, float) else ""
    return (
        f'<figure><svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="beliefs">{"".join(shapes)}</svg>'
        f"<figcaption>{shown_images(belief.images)}{accuracy}</figcaption></figure>"
    )
