"""A detector as a teaching baseline: what tells one run's samples from held-out reals, and how little that says of
others'.

It stands beside the referee, not among the provenance: it measures a generator with the referee's own tools, and what
it thinks of a file is no evidence of where the file comes from.
``road`` takes away what would give a side away by format alone · ``spectrum`` and ``learning`` score · ``curve``
measures · ``kept`` saves and loads.
"""

from elegan.evaluation.detector.curve import Curve, measure, roc_picture
from elegan.evaluation.detector.kept import load_detector, save_detector
from elegan.evaluation.detector.learning import PARTS, Detector, fit
from elegan.evaluation.detector.road import Road, as_jpeg

__all__ = [
    "PARTS", "Curve", "Detector", "Road", "as_jpeg", "fit", "load_detector", "measure", "roc_picture", "save_detector",
]  # fmt: skip
