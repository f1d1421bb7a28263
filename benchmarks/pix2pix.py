"""Line drawings into digits, beside two baselines, and how wrong lines may be.

    python benchmarks/pix2pix.py [--run RUN] [--data digits] [--size 32] [--images 30000] [--seed 0]

Trains pix2pix on the digits' edges, or on those of other images with classes (or takes a finished run of it), and with
as many images the same network without a discriminator.  Both translate drawings of the test images, which no training
saw, and so does the nearest training drawing's own image.  KID is to the validation images, in features of another
seed than the referee's; the classifier is a support vector machine on pixels.  Then the same for hands that draw
otherwise than any in training.

Bars: a smaller KID than without a discriminator, and an agreement at most a hundredth below its; a larger agreement
than the nearest's, and a smaller difference.  (The nearest's results are real images, so their KID is that of reals.)
The exit status is 1 when one is missed.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.svm import SVC

import elegan
from elegan.data import Data, open_data
from elegan.data.edges import Hand, edges
from elegan.evaluation.features import Embedder, train_features
from elegan.evaluation.fidelity import kernel_distance
from elegan.verbs.run import to_pixels
from elegan.verbs.translating import translate

FEATURES_SEED = 1
KEY = 7
"""The drawings of this page are others than those of training and of the referee."""
CALM = Hand(threshold=(0.25, 0.25), thickness=(1.2, 1.2), tremor=(0.0, 0.0), gaps=(0.0, 0.0))
"""A drawing of middling pressure without faults; the curves change one thing at a time."""
CURVES = {
    "gaps": (0, 2, 4, 6),
    "tremor": (0.0, 0.8, 1.5, 2.5),
    "thickness": (0.8, 1.4, 2.0, 3.0),
    "threshold": (0.12, 0.25, 0.4, 0.6),
}
"""The second last of each is where training ends."""
Maker = Callable[[np.ndarray], np.ndarray]


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="judge this finished run instead of training one")
    parser.add_argument("--data", default="digits", help="images with classes")
    parser.add_argument("--size", help="of the images")
    parser.add_argument("--images", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.run:
        wished = elegan.load(asked.run).record["asked"]
        asked.data, asked.size = wished["data"], wished["size"]
    if open_data(asked.data, size=asked.size).labels is None:
        raise SystemExit(f"{asked.data} has no classes, by which results are judged; give images with classes.")
    run = elegan.load(asked.run) if asked.run else trained(asked, None, asked.images)
    images = int(run.described["images"])
    plain = trained(asked, "l1-only", images)
    data = run.open_data()
    makers = {"pix2pix": maker(run), "l1 only": maker(plain), "nearest": nearest(data)}
    judge = Judge(data)
    usual = {name: judge.figures(make(drawn(data, Hand()))) for name, make in makers.items()}
    usual["real"] = judge.figures(data.part("test")[0])
    show(f"Hands as in training ({images:,} images shown)", usual)
    curves = {name: curve(name, levels, data, makers, judge) for name, levels in CURVES.items()}
    print(json.dumps({"images": images, "usual": usual, "curves": curves}))
    ours, plain_figures, near = (usual[name] for name in makers)
    met = ours["kid"] < plain_figures["kid"] and ours["agreement"] >= plain_figures["agreement"] - 0.01
    met &= ours["agreement"] > near["agreement"] and ours["difference"] < near["difference"]
    return int(not met)


def trained(asked: argparse.Namespace, preset: str | None, images: int) -> elegan.Run:
    """A run in a folder of its own."""
    return elegan.train(
        "pix2pix", data=asked.data, size=asked.size, pair="edges", preset=preset, images=images, seed=asked.seed,
        out=Path(tempfile.mkdtemp()) / (preset or "pix2pix"), referee=False, quiet=True,
    )  # fmt: skip


def maker(run: elegan.Run) -> Maker:
    """What a run makes of drawings uint8 [n, H, W, 1]."""
    return lambda drawings: to_pixels(translate(run.game, drawings, "B"))


def nearest(data: Data) -> Maker:
    """The digit of the training drawing that is nearest, pixel by pixel."""
    train = data.part("train")[0]
    known = flat(edges(train, [(KEY + 1, row) for row in range(len(train))]))
    return lambda drawings: train[distances(flat(drawings), known).argmin(1)]


def drawn(data: Data, hand: Hand) -> np.ndarray:
    """The test digits as this hand draws them."""
    test = data.part("test")[0]
    return edges(test, [(KEY, row) for row in range(len(test))], hand)


class Judge:
    """KID to digits that are not those drawn, agreement with the drawn digit, and the distance from it."""

    def __init__(self, data: Data) -> None:
        (train, labels), (self.test, self.labels) = data.part("train"), data.part("test")
        self.features: Embedder = train_features(train, labels, seed=FEATURES_SEED)
        self.reals = self.features.embed(data.part("validation")[0])
        self.machine = SVC(C=10, gamma="scale").fit(flat(train), labels)

    def figures(self, made: np.ndarray) -> dict[str, float]:
        """Plain numbers by name."""
        return {
            "kid": round(float(kernel_distance(self.features.embed(made), self.reals)), 4),
            "agreement": round(float((self.machine.predict(flat(made)) == self.labels).mean()), 4),
            "difference": round(float(np.abs(flat(made) - flat(self.test)).mean()), 4),
        }


def curve(
    name: str, levels: tuple[float, ...], data: Data, makers: dict[str, Maker], judge: Judge
) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of every maker while one thing about the hand changes."""
    found = {}
    for level in levels:
        drawings = drawn(data, replace(CALM, **{name: (level, level)}))
        found[str(level)] = {who: judge.figures(make(drawings)) for who, make in makers.items()}
        show(f"{name} {level}", found[str(level)])
    return found


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """A small table."""
    print(title)
    for who, figures in rows.items():
        print(f"  {who:10}" + "".join(f"  {name} {value:8.4f}" for name, value in figures.items()))


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares: np.ndarray = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return squares


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float64) / 255


if __name__ == "__main__":
    sys.exit(main())
