"""What few labels are worth to others: classifiers beside which one that learns from few labels is shown."""

from math import sqrt

import numpy as np
from jaxtyping import Bool, Integer, Shaped

from elegan.evaluation.conditioning import MOST_TRAINING_IMAGES, drawn_rows, independent_classifier
from elegan.evaluation.estimate import NORMAL_95, Estimate
from elegan.evaluation.features import as_pixels

Items = Shaped[np.ndarray, "n ..."]
Held = Shaped[np.ndarray, "h ..."]
NEIGHBOURS = 7


def support_vectors(items: Items, labels: Integer[np.ndarray, " n"], held: Held) -> Integer[np.ndarray, " h"]:
    """The classes of the held-out items by an RBF support vector machine (C = 10) that saw the labelled ones alone."""
    return independent_classifier(items[labels >= 0], labels[labels >= 0]).predict(held)


def spread_labels(items: Items, labels: Integer[np.ndarray, " n"], held: Held) -> Integer[np.ndarray, " h"]:
    """The classes of the held-out items after labels spread over the training items, 4,000 at most, unlabelled too.

    Label spreading on a graph of 7 nearest neighbours (Zhou et al., 2003, "Learning with Local and Global
    Consistency").  Items that no label reaches tell their neighbours nothing.
    """
    from sklearn.semi_supervised import LabelSpreading

    known, unknown = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    known = known[drawn_rows(labels[known])]
    order = np.concatenate([known, unknown[drawn_rows(labels[unknown], most=MOST_TRAINING_IMAGES - len(known))]])
    graph = LabelSpreading(kernel="knn", n_neighbors=min(NEIGHBOURS, len(order)), max_iter=100)
    with np.errstate(invalid="ignore"):  # 0/0 where no label reaches
        graph.fit(as_pixels(items[order]), labels[order])
        graph.label_distributions_ = np.nan_to_num(graph.label_distributions_)
        return np.asarray(graph.predict(as_pixels(held)), np.int64)


def more_often_right(ours: Bool[np.ndarray, " h"], theirs: Bool[np.ndarray, " h"]) -> Estimate:
    """By how much the share that we have right exceeds theirs, paired item by item."""
    difference = ours.astype(float) - theirs.astype(float)
    half = NORMAL_95 * float(difference.std()) / sqrt(len(difference))
    value = float(difference.mean())
    return Estimate(value, value - half, value + half, len(difference), null=0.0)
