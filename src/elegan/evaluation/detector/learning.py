"""Two small classifiers of real against generated: logistic regression on spectra, a network on pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from elegan.evaluation.critics import CELLS, CHUNK, _learn, _network
from elegan.evaluation.detector.road import Road, as_jpeg
from elegan.evaluation.detector.spectrum import log_spectrum

Images = UInt8[np.ndarray, "n h w c"]
Scores = Float[np.ndarray, " n"]
PARTS = ("spectrum", "network", "both")
STRENGTH = 0.1
"""The inverse of the regression's penalty on standardised features."""


class Pixels(nn.Module):
    """Images [n, C, H, W] of 0 to 255 to a logit [n, 1]; blocks of pixels of larger images become channels."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        height, width, channels = shape
        self.fold = max(1, min(height, width) // CELLS)
        self.body = _network(channels * self.fold**2, -(-height // self.fold), -(-width // self.fold))

    def forward(self, images: Tensor) -> Tensor:
        right, bottom = -images.shape[3] % self.fold, -images.shape[2] % self.fold
        padded = functional.pad(images / 64 - 2, (0, right, 0, bottom), mode="replicate")
        logits: Tensor = self.body(functional.pixel_unshuffle(padded, self.fold))
        return logits


@dataclass(frozen=True)
class Detector:
    """A fitted detector of one run's samples."""

    shape: tuple[int, int, int]
    """Height, width and channels of its images."""
    road: Road
    regression: dict[str, Tensor]
    """"centre" and "scale" of the features [k], "weights" [k] and "bias" []."""
    pixels: Pixels

    def scores(self, items: Images) -> dict[str, Scores]:
        """By each of PARTS: above 0 for what looks more like the samples, below for what looks more like the reals.

        Logits; "both" is the mean of the two others.  ``items`` take the road first.
        """
        items = self.road(items)
        found = {"spectrum": self._by_spectrum(items), "network": self._by_network(items)}
        return found | {"both": (found["spectrum"] + found["network"]) / 2}

    def _by_spectrum(self, items: Images) -> Scores:
        tensors = {name: tensor.numpy() for name, tensor in self.regression.items()}
        features = (log_spectrum(items) - tensors["centre"]) / tensors["scale"]
        return np.asarray(features @ tensors["weights"] + tensors["bias"], np.float32)

    def _by_network(self, items: Images) -> Scores:
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            parts = [self.pixels(_tensor(items[start : start + CHUNK])) for start in range(0, len(items), CHUNK)]
        return -torch.cat(parts)[:, 0].numpy()  # critics' logits are above 0 for reals


def fit(reals: Images, samples: Images, *, seed: int = 0) -> Detector:
    """Fit both classifiers to reals and samples, as they are and as JPEG files of qualities 60 to 95.

    First every pixel goes to the nearest level that the reals have, on both sides, so that the count of levels tells
    nothing.  The same inputs give the same detector.
    """
    road = Road.of(reals)
    of_reals, of_samples = (road(np.concatenate([items, as_jpeg(items, seed=seed)])) for items in (reals, samples))
    height, width, channels = (int(side) for side in reals.shape[1:])
    made: list[Pixels] = []

    def build() -> nn.Module:
        made.append(Pixels((height, width, channels)))
        return made[-1]

    _learn(build, _tensor, of_reals, of_samples, seed)
    return Detector((height, width, channels), road, _regression(of_reals, of_samples), made[-1])


def _regression(reals: Images, samples: Images) -> dict[str, Tensor]:
    from sklearn.linear_model import LogisticRegression

    features = log_spectrum(np.concatenate([reals, samples])).astype(np.float64)
    centre, deviation = features.mean(0), features.std(0)
    scale = np.where(deviation > 1e-6, deviation, 1.0)
    generated = np.repeat([0, 1], [len(reals), len(samples)])
    model = LogisticRegression(C=STRENGTH, max_iter=2_000, class_weight="balanced")
    model.fit((features - centre) / scale, generated)
    arrays = {"centre": centre, "scale": scale, "weights": model.coef_[0], "bias": model.intercept_[0]}
    return {name: torch.tensor(np.asarray(array), dtype=torch.float32) for name, array in arrays.items()}


def _tensor(items: Images) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(items)).permute(0, 3, 1, 2).float()
