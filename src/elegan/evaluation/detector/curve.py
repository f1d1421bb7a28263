"""How well scores tell samples from reals: the ROC curve, the area under it, and what few false alarms allow."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float

from elegan.evaluation.estimate import NORMAL_95, Estimate, share

Reals = Float[np.ndarray, " r"]
Samples = Float[np.ndarray, " m"]
FALSE_ALARMS = 0.01
FEWEST_REALS = 100
"""With fewer, one real in a hundred can't be told from none."""


@dataclass(frozen=True)
class Curve:
    """Scores of samples against scores of reals."""

    auc: Estimate
    """The probability that a sample scores higher than a real; 0.5 is guessing."""
    caught: Estimate
    """The share of samples that score above all but 1 % of the reals; NaN below 100 reals."""
    false_alarms: Float[np.ndarray, " k"]
    """The curve's horizontal axis, 0 to 1."""
    hits: Float[np.ndarray, " k"]
    """And its vertical one."""


def measure(of_reals: Reals, of_samples: Samples) -> Curve:
    """The curve of scores that are higher for what looks generated.

    The interval of ``auc`` holds the areas that lie within 1.96 of their own standard errors (Hanley & McNeil, 1982,
    Radiology 143, with the numbers of both sides at their mean; inverted as by Newcombe, 2006, Statistics in Medicine
    25, so that a perfect area has an interval too).  That of ``caught`` is Wilson's for a threshold that is fixed.
    """
    values = np.unique(np.concatenate([of_reals, of_samples]))[::-1]
    false_alarms, hits = (_above(scores, values) for scores in (of_reals, of_samples))
    area = float(np.trapezoid(hits, false_alarms))
    low, high = _interval(area, len(of_reals), len(of_samples))
    auc = Estimate(area, low, high, len(of_samples), null=0.5)
    return Curve(auc, _caught(of_reals, of_samples), false_alarms, hits)


def _above(scores: Float[np.ndarray, " n"], values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k+1"]:
    """The share of scores at or above each value, from 0 on."""
    ranks = len(scores) - np.searchsorted(np.sort(scores), values)
    return np.concatenate([[0.0], ranks / len(scores)])


def _caught(of_reals: Reals, of_samples: Samples) -> Estimate:
    if len(of_reals) < FEWEST_REALS:
        return share(0, 0)
    allowed = int(FALSE_ALARMS * len(of_reals))
    threshold = np.sort(of_reals)[::-1][allowed]  # so many reals score higher, at most
    return share(int((of_samples > threshold).sum()), len(of_samples), null=FALSE_ALARMS)


def _interval(area: float, reals: int, samples: int) -> tuple[float, float]:
    """Both ends by bisection."""
    return _end(area, 0.0, reals, samples), _end(area, 1.0, reals, samples)


def _end(area: float, outside: float, reals: int, samples: int) -> float:
    """Between the area and 0 or 1, the place from which the area is 1.96 standard errors away."""
    inside = area
    for _ in range(60):
        middle = (inside + outside) / 2
        if abs(area - middle) <= NORMAL_95 * _deviation(middle, reals, samples):
            inside = middle
        else:
            outside = middle
    return inside


def _deviation(area: float, reals: int, samples: int) -> float:
    """Hanley and McNeil's standard error of an area."""
    others = (reals + samples) / 2 - 1
    pairs = others * (area / (2 - area) + 2 * area**2 / (1 + area) - 2 * area**2)
    return sqrt(max(0.0, area * (1 - area) + pairs) / (reals * samples))


def roc_picture(curves: Mapping[str, Curve]) -> bytes:
    """The curves by name as a PNG file, false alarms from 0.1 % on, on a logarithmic axis."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from elegan.evaluation.report.charts import LINES

    with matplotlib.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        canvas = Figure(figsize=(6.4, 4.8), dpi=144, layout="constrained")
        FigureCanvasAgg(canvas)
        axes = canvas.add_subplot()
        for colour, (name, curve) in zip(LINES * len(curves), curves.items(), strict=False):
            label = f"{name}: AUC {curve.auc.value:.3f} [{curve.auc.low:.3f}, {curve.auc.high:.3f}]"
            axes.step(100 * curve.false_alarms, 100 * curve.hits, where="post", color=colour, lw=1.8, label=label)
        chance = np.geomspace(0.1, 100, 50)
        axes.plot(chance, chance, color="#8a8f98", lw=1, ls="--", label="guessing")
        axes.axvline(100 * FALSE_ALARMS, color="#8a8f98", lw=0.8, ls=":")
        axes.set(xscale="log", xlim=(0.1, 100), ylim=(0, 101))
        axes.set(xlabel="held-out reals called generated, %", ylabel="samples called generated, %")
        axes.grid(alpha=0.2, lw=0.6)
        axes.legend(fontsize=8, loc="best", frameon=False)
        file = io.BytesIO()
        canvas.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
