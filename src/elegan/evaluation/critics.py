"""Fresh critics: small networks that learn to tell samples from reals, and score items they haven't seen."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

Items = Shaped[np.ndarray, "_ ..."]
Critic = Callable[[Items], Float[np.ndarray, " n"]]
"""Scores of items: above 0 where they look real; at best the logarithm of the two densities' ratio."""
Learn = Callable[[Items, Items, int], Critic]
"""(reals, samples, seed) → a critic that learnt from them alone."""

STEPS = 250
HALF_BATCH = 32
"""Reals in a batch, and samples."""
CELLS = 16
"""Larger images are folded until their shorter side has about so many cells, each with all of its pixels."""
CHUNK = 256


def feature_critic(reals: Float[np.ndarray, "r d"], samples: Float[np.ndarray, "m d"], seed: int) -> Critic:
    """A perceptron with one hidden layer, on vectors [n, d]."""
    scale = _Scale(reals, samples, axis=0)
    width = reals.shape[1]

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(width, 128), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(128, 1))

    def tensor(items: np.ndarray) -> Tensor:
        return torch.from_numpy(scale(items))

    return _learn(build, tensor, reals, samples, seed)


def pixel_critic(reals: Shaped[np.ndarray, "r h w c"], samples: Shaped[np.ndarray, "m h w c"], seed: int) -> Critic:
    """A small convolutional network, on images uint8 [n, H, W, C] at their full grain.

    The cost hardly depends on the size: blocks of pixels become channels.  It is regularised by dropout and
    by no shifts, which would hide from it that samples are shifted.
    """
    scale = _Scale(reals, samples, axis=None)
    height, width, channels = reals.shape[1:]
    fold = max(1, min(height, width) // CELLS)

    def tensor(items: np.ndarray) -> Tensor:
        images = torch.from_numpy(scale(items)).permute(0, 3, 1, 2)
        right, bottom = -width % fold, -height % fold
        images = functional.pad(images, (0, right, 0, bottom), mode="replicate") if right or bottom else images
        return functional.pixel_unshuffle(images, fold).contiguous(memory_format=torch.channels_last)

    def build() -> nn.Module:
        rows, columns = -(-height // fold), -(-width // fold)
        return _network(channels * fold * fold, rows, columns)

    return _learn(build, tensor, reals, samples, seed)


class _Scale:
    """Shift and scale, fixed by the items that a critic learns from; constant coordinates stay 0."""

    def __init__(self, reals: np.ndarray, samples: np.ndarray, axis: int | None) -> None:
        both = np.concatenate([reals, samples])
        self.centre = both.mean(axis=axis, dtype=np.float64)
        deviation = both.std(axis=axis, dtype=np.float64)
        self.factor = 1 / np.where(deviation > 1e-6 * np.abs(self.centre) + 1e-12, deviation, np.inf)

    def __call__(self, items: np.ndarray) -> np.ndarray:
        return np.asarray((items.astype(np.float64) - self.centre) * self.factor, dtype=np.float32)


def _network(channels: int, rows: int, columns: int) -> nn.Module:
    """Three convolutions, the later two halving the image; the head sees where things are."""
    layers: list[nn.Module] = []
    for before, after, stride in ((channels, 32, 1), (32, 32, 2), (32, 64, 2)):
        convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    last = 64 * -(-rows // 4) * -(-columns // 4)
    body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(last, 1))
    return body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _learn(
    build: Callable[[], nn.Module], tensor: Callable[[np.ndarray], Tensor],
    reals: np.ndarray, samples: np.ndarray, seed: int,
) -> Critic:  # fmt: skip
    """Logistic regression on balanced batches; leaves the caller's random numbers and gradient mode alone."""
    with (
        torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
    ):  # fmt: skip
        torch.manual_seed(seed)
        network = build().train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            batch = np.concatenate([part[torch.randint(len(part), (HALF_BATCH,)).numpy()] for part in (reals, samples)])
            of_reals, of_samples = network(tensor(batch))[:, 0].split(HALF_BATCH)
            loss = functional.softplus(-of_reals).mean() + functional.softplus(of_samples).mean()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    network.eval().requires_grad_(False)

    def scores(items: np.ndarray) -> np.ndarray:
        found = np.empty(len(items), np.float32)
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            for start in range(0, len(items), CHUNK):
                found[start : start + CHUNK] = network(tensor(items[start : start + CHUNK]))[:, 0].numpy()
        return found

    return scores
