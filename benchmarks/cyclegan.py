"""Digits from one style to another and back, where the truth is known, beside colour transfer; or images of one's own.

    python benchmarks/cyclegan.py [--run RUN] [--model cut] [--images 12000] [--seed 0]
    python benchmarks/cyclegan.py --data FOLDER [--size 32] [--images 12000] [--seed 0]

Trains cyclegan, or cut, on digits-styles, or on a folder of trainA, trainB, testA and testB (or takes a finished run
of it) and translates the test images in each of its directions.  Support vector machines on pixels, fitted to the real
training images of both sides, say which side a result looks like and, of digits, which it is; KID to other real images
of the target side is in features of a network that learnt nothing else.  The way there and back is measured as it is,
after the 8 bits of a file, and after mild noise: what a translator hides in the image between is lost then.  The
baseline gives each image the target side's mean and deviation of colour (Reinhard et al., 2001, in their space
l-alpha-beta).  The exit status is 1 when a bar is missed.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.svm import SVC

import elegan
from elegan.data import Data, open_data
from elegan.evaluation.features import train_features
from elegan.evaluation.fidelity import kernel_distance
from elegan.verbs.run import to_pixels
from elegan.verbs.translating import translate

BAR = 0.9
"""The share of results that must be taken for the target side, and that must keep their digit."""
NOISE = 4.0
"""Standard deviation in levels of 255."""
FEATURES_SEED = 1
LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
OPPONENT = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
"""RGB to cone responses, and their logarithms to l, alpha and beta (Reinhard et al., 2001, eq. 4 and 6)."""


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="judge this finished run instead of training one")
    parser.add_argument("--model", choices=["cyclegan", "cut"], default="cyclegan")
    parser.add_argument("--data", default="digits-styles", help="or a folder of trainA, trainB, testA, testB")
    parser.add_argument("--size", help="of a folder's images")
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if not asked.run:
        check(open_data(asked.data, size=asked.size), asked.data)
    run = elegan.load(asked.run) if asked.run else trained(asked)
    data = run.open_data()
    train = {"A": sources(data, "train"), "B": data.part("train")}
    test = {"A": sources(data, "test"), "B": data.part("test")}
    others = {"A": sources(data, "validation")[0], "B": data.part("validation")[0]}
    found, missed = {}, False
    for to in run.game.translations:
        other = "A" if to == "B" else "B"
        given, labels = test[other]
        made = to_pixels(translate(run.game, given, to))
        judge, colour = Judge(train, to), recoloured(given, train[to][0])
        rows = {"ours": (made, labels), "colour": (colour, labels), "as it was": (given, labels), "real": test[to]}
        found[f"{other} to {to}"] = {who: judge.figures(*pair, others[to]) for who, pair in rows.items()}
        ours = found[f"{other} to {to}"]["ours"]
        if other in run.game.translations:
            ours |= returns(run, given, to, other)
        missed |= min(ours["taken for it"], ours.get("keeps its digit", 1.0)) < BAR
    for way, table in found.items():
        print(way)
        for who, figures in table.items():
            print(f"  {who:10}" + "".join(f"  {name} {value:.4f}" for name, value in figures.items()))
    print(json.dumps({"images": run.described["images"], **found}))
    return int(missed)


def check(data: Data, name: str) -> None:
    """Raises SystemExit for what can't be judged, before it is trained on."""
    if data.sources is None or data.spec.paired:
        raise SystemExit(
            f"{name} holds no two sides without pairs; give a folder of trainA and trainB with other names."
        )
    if data.items.shape[-1] != 3 or data.sources.items.shape[-1] != 3:
        raise SystemExit(f"{name} holds grey images, whose colours can't be transferred; give images in colour.")


def trained(asked: argparse.Namespace) -> elegan.Run:
    """A run in a folder of its own."""
    return elegan.train(
        asked.model, data=asked.data, size=asked.size, out=Path(tempfile.mkdtemp()) / asked.model, images=asked.images,
        seed=asked.seed, referee=False, quiet=True,
    )  # fmt: skip


Part = tuple[np.ndarray, np.ndarray | None]
"""Images uint8 [n, H, W, C], and which digits they are, where that is known."""


def sources(data: Data, part: str) -> Part:
    """The images of side A that belong to a part, and their labels."""
    rows = data.sources.parts[part]
    return data.sources.items[rows], None if data.labels is None else data.labels[rows]


class Judge:
    """What networks and machines that saw real training images alone make of results for one side."""

    def __init__(self, train: dict[str, Part], to: str) -> None:
        both = np.concatenate([train["A"][0], train["B"][0]])
        sides = np.repeat(["A", "B"], [len(train["A"][0]), len(train["B"][0])])
        self.to = to
        self.side = SVC(C=10, gamma="scale").fit(flat(both), sides)
        images, digits = train[to]
        self.digit = None if digits is None else SVC(C=10, gamma="scale").fit(flat(images), digits)
        taught = (both, (sides == "B").astype(np.int64)) if digits is None else (images, digits)
        self.features = train_features(*taught, seed=FEATURES_SEED)

    def figures(self, images: np.ndarray, labels: np.ndarray | None, reals: np.ndarray) -> dict[str, float]:
        """Plain numbers by name."""
        found = {"taken for it": float((self.side.predict(flat(images)) == self.to).mean())}
        if self.digit is not None:
            found["keeps its digit"] = float((self.digit.predict(flat(images)) == labels).mean())
        return found | {"kid": float(kernel_distance(self.features.embed(images), self.features.embed(reals)))}


def returns(run: elegan.Run, given: np.ndarray, to: str, other: str) -> dict[str, float]:
    """The mean difference after the way there and back, in [0, 1]: as it is, through 8 bits, and through noise."""
    between = translate(run.game, given, to)
    with torch.no_grad():
        back = to_pixels(run.game.translate(between, other))
    levels = to_pixels(between)
    noise = np.random.default_rng(0).normal(0, NOISE, levels.shape)
    noisy = np.rint(np.clip(levels + noise, 0, 255)).astype(np.uint8)
    ways = {"back": back} | {
        name: to_pixels(translate(run.game, images, other))
        for name, images in (("back after 8 bits", levels), ("back after noise", noisy))
    }
    return {name: float(np.abs(flat(images) - flat(given)).mean()) for name, images in ways.items()}


def recoloured(images: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Each image with the target side's mean and deviation of l, alpha and beta."""
    theirs = opponent(target).reshape(-1, 3)
    ours = opponent(images)
    mean, deviation = ours.mean((1, 2), keepdims=True), ours.std((1, 2), keepdims=True)
    moved = (ours - mean) / np.maximum(deviation, 1e-6) * theirs.std(0) + theirs.mean(0)
    cones = 10 ** (moved @ np.linalg.inv(OPPONENT).T)
    return np.rint(255 * np.clip(cones @ np.linalg.inv(LMS).T, 0, 1)).astype(np.uint8)


def opponent(images: np.ndarray) -> np.ndarray:
    """l, alpha and beta of images uint8 [n, H, W, 3]; black counts as one level."""
    levels = np.maximum(images, 1) / 255
    coordinates: np.ndarray = np.log10(levels @ LMS.T) @ OPPONENT.T
    return coordinates


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64) / 255


if __name__ == "__main__":
    sys.exit(main())
