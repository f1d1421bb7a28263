"""A second pair of eyes, which shares nothing with the first; and pretrained ones, where the user has them.

The first features are learnt by gradient from labels or contrast and look at shapes.  These are random filters
on whitened patches, learnt by nothing: they look at the grain of the pixels, at full resolution.  A
verdict that both support doesn't hang on what one of them happens not to see.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from elegan.errors import UserError
from elegan.evaluation.features import SMALLEST, Vectors, _hash, _times
from elegan.evaluation.gaussian import principal_components

Images = UInt8[np.ndarray, "n h w c"]
SEED = 20_170_622
"""This extractor's own; nothing to do with the seed of a run, nor with that of the first features."""
PATCH, FILTERS, CELLS = 5, 24, 4
RIDGE = 1e-4
"""Added to the patches' variances, as a share of their sum, before whitening: the finest grain stays finite."""
MOST_PLACES = 64
"""Places along the shorter side at which filters are read; larger images are read at every second, third..."""
FITTED = 2000
CHUNK = 128


class Patches:
    """Responses of random filters to whitened patches, and their sizes, averaged over 4 × 4 cells, whitened.

    Coates, Ng & Lee, 2011, "An analysis of single-layer networks in unsupervised feature learning", section 3
    and 4.1 (whitening, pooling), with random filters, which they found close to learnt ones.  Knows no classes.
    """

    classes, accuracy = 0, None

    def __init__(self, tensors: dict[str, Tensor], shape: tuple[int, int, int]) -> None:
        self.tensors, self.shape = tensors, shape
        self.dimension = tensors["projection"].shape[1]
        self.hash = _hash(tensors)

    @property
    def name(self) -> str:
        """Such as patches-64-1a2b3c4d: its dimension and the beginning of its hash."""
        return f"patches-{self.dimension}-{self.hash[:8]}"

    def embed(self, items: Images) -> Vectors:
        """Feature vectors, float32 [n, d], of mean 0 and variance 1 over the training split.

        Raises UserError for images of another shape than those it was fitted to.
        """
        _check_shape(items, self.shape, self.name)
        return ((_responses(items, self.tensors) - self.tensors["centre"]) @ self.tensors["projection"]).numpy()

    def classify(self, items: Images) -> Float[np.ndarray, "n k"]:
        raise UserError(f"{self.name} knows no classes; features trained with labels do.")


def fit_patches(images: Images, *, dimension: int = 64, seed: int = SEED) -> Patches:
    """Fit the second extractor to the training split: means, variances and principal components alone.

    Deterministic, and the caller's random numbers stay as they are.  At most n/5 dimensions, two at least.
    Raises UserError for images below 8 × 8 or fewer than 20.
    """
    shape = tuple(int(side) for side in images.shape[1:])
    if min(shape[:2]) < SMALLEST or len(images) < 20:
        raise UserError(
            f"There are {len(images)} training images of {_times(shape[:2])} pixels; the second features need at "
            f"least 20 of at least {SMALLEST}×{SMALLEST}."
        )
    images = images[:: -(-len(images) // FITTED)]
    tensors = _filters(images, seed)
    rows = _responses(images, tensors)
    tensors["centre"] = rows.mean(dim=0)
    deviation = rows.std(dim=0)
    scaled = (rows - tensors["centre"]) / (deviation + 1e-3 * deviation.mean() + 1e-12)
    variances, components = principal_components(scaled.numpy(), max(2, min(dimension, len(images) // 5)))
    weights = (components / np.sqrt(variances + 1e-6 * variances[0] + 1e-12)[:, None]).T
    per_response = torch.from_numpy(weights) / (deviation + 1e-3 * deviation.mean() + 1e-12)[:, None]
    tensors["projection"] = per_response.float().contiguous()
    return Patches(tensors, (shape[0], shape[1], shape[2]))


def _filters(images: np.ndarray, seed: int) -> dict[str, Tensor]:
    """Random directions in the space of whitened patches, scaled so that each responds with variance 1."""
    patches = functional.unfold(_tensor(images[:1000]), PATCH, stride=max(1, min(images.shape[1:3]) // 8))
    rows = patches.permute(0, 2, 1).flatten(0, 1).double()
    centre = rows.mean(dim=0)
    values, vectors = torch.linalg.eigh(torch.cov(rows.T))
    whiten = vectors / (values.clamp_min(0) + RIDGE * values.sum() + 1e-12).sqrt() @ vectors.T
    random = torch.from_numpy(np.random.default_rng(seed).normal(size=(rows.shape[1], FILTERS)))
    directions = whiten @ random
    directions = directions / ((rows - centre) @ directions).std(dim=0).clamp_min(1e-12)
    return {
        "filters": directions.T.reshape(FILTERS, images.shape[3], PATCH, PATCH).float().contiguous(),
        "offsets": -(centre @ directions).float(),
    }


def _responses(images: np.ndarray, tensors: dict[str, Tensor]) -> Float[Tensor, "n k"]:
    """Each filter's response and its absolute value, averaged over the cells."""
    stride, edge = -(-min(images.shape[1:3]) // MOST_PLACES), (PATCH // 2,) * 4
    rows = torch.empty(len(images), 2 * FILTERS * CELLS * CELLS)
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        for start in range(0, len(images), CHUNK):
            padded = functional.pad(_tensor(images[start : start + CHUNK]), edge, mode="replicate")
            found = functional.conv2d(padded, tensors["filters"], tensors["offsets"], stride)
            pooled = functional.adaptive_avg_pool2d(torch.cat([found, found.abs()], dim=1), CELLS)
            rows[start : start + CHUNK] = pooled.flatten(1)
    return rows


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255


def _check_shape(items: np.ndarray, shape: tuple[int, int, int], name: str) -> None:
    if items.shape[1:] != shape or items.dtype != np.uint8:
        raise UserError(
            f"The images are {items.dtype} {_times(items.shape[1:])}; {name} takes uint8 {_times(shape)} "
            "(height × width × channels), as in the data it was fitted to."
        )
