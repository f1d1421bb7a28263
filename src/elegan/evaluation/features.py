"""Features: what the referee sees of an item.  A small network that it trained itself, then froze.

It is trained on the training split alone, from a seed of its own, before any generator is judged: it
shares no weights, no seed and no training with what it judges.  A number from it is named after it,
"FD-<features>", since figures from different features can't be compared.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Integer, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from elegan.errors import UserError
from elegan.files import write_atomically

Images = UInt8[np.ndarray, "n h w c"]
Vectors = Float[np.ndarray, "n d"]

SEED = 20_140_610
"""The referee's own; nothing to do with the seed of any run."""
SMALLEST, LARGEST = 8, 64
"""Sides of images in pixels; larger ones are averaged over whole blocks until the shorter side fits."""
PIXEL_SIDE = 28
CHUNK = 256


@runtime_checkable
class Embedder(Protocol):
    """What turns items into vectors: :class:`Features` for images, :class:`Coordinates` for vectors."""

    dimension: int

    @property
    def hash(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def classes(self) -> int: ...

    @property
    def accuracy(self) -> float | None: ...

    def embed(self, items: np.ndarray) -> Vectors: ...

    def classify(self, items: np.ndarray) -> Float[np.ndarray, "n k"]: ...


class Network(nn.Module):
    """Convolutions with batch normalisation, halving the image to about 4 × 4; then d features and a head.

    Takes floats in [0, 1], [n, C, H, W].  The features are centred and scaled so that over the training
    split their coordinates have a mean square of 1.
    """

    def __init__(self, shape: tuple[int, int, int], dimension: int, outputs: int) -> None:
        super().__init__()
        channels, height, width = shape
        stride = 2 if min(height, width) >= 32 else 1
        halvings = max(1, (min(height, width) // (4 * stride)).bit_length() - 1)
        widths = [32, 64, 96, 96][: halvings + 1]
        layers = [*_block(channels, widths[0], stride)]
        for before, after in pairwise(widths):
            layers += [nn.AvgPool2d(2, ceil_mode=True), *_block(before, after)]
        features = nn.Linear(4 * widths[-1], dimension), nn.BatchNorm1d(dimension)
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), *features)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(dimension, outputs))
        self.centre: Tensor
        self.scale: Tensor
        self.register_buffer("centre", torch.zeros(dimension))
        self.register_buffer("scale", torch.ones(()))

    def features(self, images: Tensor) -> Tensor:
        result: Tensor = (self.body(images) - self.centre) / self.scale
        return result

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(images))
        return result


def _block(before: int, after: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(after), nn.LeakyReLU(0.2)


class Features:
    """A frozen network for images of one shape.

    ``classes`` is 0 where it was trained without labels.  ``accuracy`` is the share of held-out real
    images whose class it recognises, None where there were none.
    """

    def __init__(self, network: Network, shape: tuple[int, int, int], classes: int, accuracy: float | None) -> None:
        self.network = network.eval().requires_grad_(False)
        self.shape, self.classes, self.accuracy = shape, classes, accuracy
        self.dimension = len(network.centre)
        self.hash = _hash(self.network.state_dict())

    @property
    def name(self) -> str:
        """Such as features-64-1a2b3c4d: its dimension and the beginning of its hash."""
        return f"features-{self.dimension}-{self.hash[:8]}"

    def embed(self, items: Images) -> Vectors:
        """Feature vectors, float32 [n, d].

        Raises UserError for images of another shape than those it was trained on.
        """
        self._check(items)
        return self._run(items, self.network.features, self.dimension)

    def classify(self, items: Images) -> Float[np.ndarray, "n k"]:
        """Probabilities of the classes, float32 [n, K].  Raises UserError where it learnt without labels."""
        if not self.classes:
            raise UserError(
                f"{self.name} was trained without labels and knows no classes; give labels to train_features."
            )
        self._check(items)
        return self._run(items, lambda images: self.network(images).softmax(dim=1), self.classes)

    def save(self, path: Path) -> None:
        """Write the weights, safetensors, with what is needed to build the network around them."""
        facts = {
            "kind": "network", "shape": self.shape, "dimension": self.dimension, "classes": self.classes,
            "accuracy": self.accuracy, "hash": self.hash,
        }  # fmt: skip
        write_atomically(path, save(self.network.state_dict(), {"elegan": json.dumps(facts)}))

    def _check(self, items: np.ndarray) -> None:
        if items.shape[1:] != self.shape or items.dtype != np.uint8:
            raise UserError(
                f"The images are {items.dtype} {_times(items.shape[1:])}; {self.name} takes uint8 "
                f"{_times(self.shape)} (height × width × channels), as in the data it was trained on."
            )

    def _run(self, items: np.ndarray, function: Callable[[Tensor], Tensor], width: int) -> np.ndarray:
        rows = np.empty((len(items), width), np.float32)
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            for start in range(0, len(items), CHUNK):
                rows[start : start + CHUNK] = function(_to_tensor(items[start : start + CHUNK])).numpy()
        return rows


class Coordinates:
    """The features of vectors: their coordinates, divided by one scale."""

    classes, accuracy = 0, None

    def __init__(self, dimension: int, scale: float = 1.0) -> None:
        if not 0 < scale < float("inf"):
            raise UserError(f"The scale of the coordinates is {scale}; it must be a number above 0.")
        self.dimension, self.scale = dimension, float(scale)
        self.hash = hashlib.sha256(f"coordinates {dimension} / {self.scale!r}".encode()).hexdigest()

    @property
    def name(self) -> str:
        return f"coordinates-{self.dimension}-{self.hash[:8]}"

    def embed(self, items: Vectors) -> Vectors:
        """The coordinates divided by the scale, float32 [n, d]."""
        if items.shape[1] != self.dimension:
            raise UserError(f"The vectors have {items.shape[1]} coordinates; {self.name} takes {self.dimension}.")
        return (items / self.scale).astype(np.float32)

    def classify(self, items: Vectors) -> Float[np.ndarray, "n k"]:
        raise UserError(f"{self.name} knows no classes; features of labelled images do.")

    def save(self, path: Path) -> None:
        facts = {"kind": "coordinates", "dimension": self.dimension, "hash": self.hash}
        scale = torch.tensor(self.scale, dtype=torch.float64)
        write_atomically(path, save({"scale": scale}, {"elegan": json.dumps(facts)}))


def train_features(
    images: Images,
    labels: Integer[np.ndarray, " labels"] | None = None,
    *,
    held_out: tuple[UInt8[np.ndarray, "v h w c"], Integer[np.ndarray, " v"]] | None = None,
    dimension: int = 64,
    seed: int = SEED,
    doing: str | None = None,
) -> Features:
    """Train features on the training split: by its labels, or by contrast where there are none.

    Deterministic for the same images, labels, seed and number of threads; the caller's random numbers,
    threads and gradient mode stay as they are.  ``held_out`` is for the recorded accuracy alone;
    ``doing`` stands before the count of steps that a terminal shows, nothing is shown without it.
    Raises UserError for images below 8 × 8, fewer than 2, or labels that don't fit.
    """
    from elegan.evaluation.lessons import contrastive_lesson, supervised_lesson

    classes = _count_classes(images, labels)
    shape = tuple(int(side) for side in images.shape[1:])
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        torch.manual_seed(seed)
        reduced = _to_tensor(images[:1]).shape[1:]
        network = Network((reduced[0], reduced[1], reduced[2]), dimension, classes or dimension)
        if labels is not None and classes:
            supervised_lesson(network, images, labels, _to_tensor, doing)
        else:
            contrastive_lesson(network, images, _to_tensor, doing)
    network.eval()
    _standardise(network, images)
    features = Features(network, (shape[0], shape[1], shape[2]), classes, None)
    if held_out is not None and classes and len(held_out[0]):
        recognised = features.classify(held_out[0]).argmax(axis=1)
        features.accuracy = float((recognised == held_out[1]).mean())
    return features


def load_features(path: Path) -> Features | Coordinates:
    """Read saved features back.

    Raises UserError when the file isn't one, or has changed since it was written.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["elegan"])
        tensors = load(path.read_bytes())
        features = _rebuild(facts, tensors)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} can't be read as saved features ({error}); train them anew.") from error
    if features.hash != facts["hash"]:
        raise UserError(f"{path} has changed since it was written; train the features anew.")
    return features


def as_pixels(items: Images | Vectors) -> Vectors:
    """Items as rows of numbers, float32 [n, d]: pixels in [0, 1], or a vector's coordinates as they are.

    Images whose shorter side is above 28 pixels are averaged over blocks: a copy stays one, and 60,000
    fit in memory.
    """
    if items.ndim == 2:
        return items.astype(np.float32, copy=False)
    width = _reduced(np.zeros((1, *items.shape[1:]), np.uint8), PIXEL_SIDE).numel()
    rows = np.empty((len(items), width), np.float32)
    for start in range(0, len(items), CHUNK):
        rows[start : start + CHUNK] = _reduced(items[start : start + CHUNK], PIXEL_SIDE).flatten(1).numpy()
    return rows


def _rebuild(facts: dict[str, object], tensors: dict[str, Tensor]) -> Features | Coordinates:
    if facts["kind"] == "coordinates":
        return Coordinates(_whole(facts["dimension"]), float(tensors["scale"]))
    height, width, channels = (_whole(side) for side in facts["shape"])  # type: ignore[attr-defined]
    classes, dimension = _whole(facts["classes"]), _whole(facts["dimension"])
    reduced = _to_tensor(np.zeros((1, height, width, channels), np.uint8)).shape[1:]
    with torch.random.fork_rng(devices=[]):
        network = Network((reduced[0], reduced[1], reduced[2]), dimension, classes or dimension)
    network.load_state_dict(tensors)
    accuracy = facts["accuracy"]
    return Features(network, (height, width, channels), classes, accuracy if isinstance(accuracy, float) else None)


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _count_classes(images: np.ndarray, labels: np.ndarray | None) -> int:
    """How many classes to learn; 0 for none.  Refuses what can't be learnt from."""
    if min(images.shape[1:3]) < SMALLEST:
        raise UserError(
            f"The images are {_times(images.shape[1:3])} pixels; the referee's features need at least "
            f"{SMALLEST}×{SMALLEST}."
        )
    if len(images) < 2:
        raise UserError(f"There are {len(images)} training images; features need at least 2.")
    if labels is None:
        return 0
    if len(labels) != len(images) or labels.min() < 0:
        raise UserError(
            f"There are {len(labels)} labels, the lowest {labels.min() if len(labels) else 'none'}, for "
            f"{len(images)} images; give one label of 0 or more for each image."
        )
    return int(labels.max()) + 1 if len(np.unique(labels)) > 1 else 0


def _standardise(network: Network, images: np.ndarray) -> None:
    """Set centre and scale, from 5,000 images or so where there are more."""
    images = images[:: max(1, len(images) // 5000)]
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        parts = [network.body(_to_tensor(images[i : i + CHUNK])) for i in range(0, len(images), CHUNK)]
        rows = torch.cat(parts).double()
        network.centre.copy_(rows.mean(dim=0))
        network.scale.copy_((rows - rows.mean(dim=0)).square().mean().sqrt().clamp_min(1e-12))


def _to_tensor(images: np.ndarray) -> Tensor:
    """uint8 [n, H, W, C] → float32 [n, C, H, W] in [0, 1], large images averaged over blocks."""
    return _reduced(images, LARGEST).contiguous(memory_format=torch.channels_last)


def _reduced(images: np.ndarray, side: int) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    block = -(-min(tensor.shape[2:]) // side)
    return nn.functional.avg_pool2d(tensor, block, ceil_mode=True) if block > 1 else tensor


def _hash(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _times(sides: Iterable[int]) -> str:
    return "×".join(str(side) for side in sides)
