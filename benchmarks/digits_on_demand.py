"""Digits on demand, judged by a classifier and by measures that the referee doesn't share.

    python benchmarks/digits_on_demand.py [--run RUN] [--minutes 4] [--seed 0]

Trains the demo's command (or takes a finished run of it), asks for 100 samples of each digit, and prints
each figure beside its bar; the exit status is 1 when one is missed.  The classifier is a support vector
machine fitted on the training split.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

import elegan
from elegan.data import Data
from elegan.evaluation.features import train_features

EACH = 100
NEIGHBOURS = 5
FEATURES_SEED = 1
"""Not the referee's, so that these features are others than those that chose the best weights."""


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="judge this finished run instead of training one")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.run:
        run = elegan.load(asked.run)
    else:
        out = Path(tempfile.mkdtemp()) / "demo"
        run = elegan.train("cgan", data="digits", out=str(out), minutes=asked.minutes, seed=asked.seed, quiet=True)
    seconds = json.loads((run.path / "log.jsonl").read_text().splitlines()[-1])["seconds"]
    figures = judge(run) | {"training seconds": (seconds, "<=", 300.0)}
    missed = 0
    for name, (value, sign, bar) in figures.items():
        met = value >= bar if sign == ">=" else value <= bar
        missed += not met
        print(f"{name:44} {value:8.3f}  {sign} {bar:g}  {'met' if met else 'MISSED'}")
    print(json.dumps({name: round(value, 4) for name, (value, _, _) in figures.items()}))
    return int(missed > 0)


def judge(run: elegan.Run) -> dict[str, tuple[float, str, float]]:
    """Name → (figure, the sign of its bar, its bar)."""
    data = run.open_data()
    samples, labels = run.sample_with_labels(10 * EACH, label="all", seed=1)
    fakes, asked = run.to_items(samples), labels.numpy()
    return {**agreement(data, fakes, asked), **variety(data, fakes, asked), **closeness(data, fakes)}


def agreement(data: Data, fakes: np.ndarray, asked: np.ndarray) -> dict[str, tuple[float, str, float]]:
    """What a support vector machine, fitted on real digits, makes of the samples."""
    train, train_labels = data.part("train")
    held, held_labels = held_out(data)
    machine = SVC(C=10, gamma="scale").fit(flat(train), train_labels)
    right = machine.predict(flat(fakes)) == asked
    return {
        "SVM on held-out real digits": (float(machine.score(flat(held), held_labels)), ">=", 0.98),
        "agreement with the label asked for": (float(right.mean()), ">=", 0.97),
        "agreement of the worst digit": (min(float(right[asked == c].mean()) for c in range(10)), ">=", 0.90),
    }


def variety(data: Data, fakes: np.ndarray, asked: np.ndarray) -> dict[str, tuple[float, str, float]]:
    """Coverage of test digits and spread within a digit, in the features of a frozen network.

    Coverage by fakes over coverage by as many validation digits; spread over that of all held-out digits.
    """
    features = train_features(*data.part("train"), seed=FEATURES_SEED)
    validation, test, every = (
        features.embed(images) for images in (data.part("validation")[0], data.part("test")[0], fakes)
    )
    held, held_labels = np.concatenate([validation, test]), held_out(data)[1]
    equal = min(len(validation), len(test), len(every))
    chosen = np.random.default_rng(0).permutation(len(every))[:equal]
    ours, null = (coverage(rows, test[:equal]) for rows in (every[chosen], validation[:equal]))
    spreads = [spread(every[asked == c]) / spread(held[held_labels == c]) for c in range(10)]
    return {
        "coverage / real-against-real": (ours / null, ">=", 0.85),
        "spread within a digit / real": (float(np.mean(spreads)), ">=", 0.85),
    }


def closeness(data: Data, fakes: np.ndarray) -> dict[str, tuple[float, str, float]]:
    """The share of samples nearer to a training image than 99 % of held-out images are."""
    train = flat(data.part("train")[0])
    held = flat(held_out(data)[0])
    near = np.quantile(distances(held, train).min(1), 0.01)
    return {
        "nearer to a training image than 1 % of reals": (
            float((distances(flat(fakes), train).min(1) < near).mean()),
            "<=",
            0.03,
        )
    }


def held_out(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """The two parts that training never saw."""
    (validation, validation_labels), (test, test_labels) = data.part("validation"), data.part("test")
    return np.concatenate([validation, test]), np.concatenate([validation_labels, test_labels])


def coverage(fakes: np.ndarray, reals: np.ndarray) -> float:
    """The share of reals with a fake within the distance of their fifth real neighbour (Naeem et al., 2020, eq. 4)."""
    radius = np.sort(distances(reals, reals), axis=1)[:, NEIGHBOURS]
    return float((distances(reals, fakes).min(1) <= radius).mean())


def spread(points: np.ndarray) -> float:
    """Mean distance between two different points."""
    return float(distances(points, points).sum() / (len(points) * (len(points) - 1)))


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64) / 255


if __name__ == "__main__":
    sys.exit(main())
