"""The logarithm of an image's power spectrum, which upsampling layers leave traces in.

Durall, Keuper & Keuper, 2020, "Watch your up-convolution" (arXiv:2003.01826), who classify its mean over angles; Frank
et al., 2020 (arXiv:2003.08685), who take it in two dimensions.  Avoidable: another last layer leaves other traces
(Chandrasegaran, Tran & Cheung, 2021, arXiv:2103.17195).
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

CELLS, RADII = 16, 64
"""At most so many cells of the spectrum along an axis, and so many radii."""
QUIET = 1 / 12 / 255**2
"""The power of rounding to 8 bits, which no spectrum lies below."""
CHUNK = 256


def log_spectrum(items: UInt8[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n k"]:
    """Means of log power over cells, and over rings of one radius, of the images' lightness."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        parts = [_features(items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
    return np.concatenate(parts)


def _features(items: np.ndarray) -> np.ndarray:
    light = torch.from_numpy(items[..., :3].mean(axis=3, dtype=np.float32)) / 255
    height, width = light.shape[1:]
    power = torch.fft.rfft2(light - light.mean((1, 2), keepdim=True)).abs().square() / (height * width)
    logs = torch.fft.fftshift((power + QUIET).log(), dim=1)
    cells = functional.adaptive_avg_pool2d(logs, (min(CELLS, height), min(CELLS // 2 + 1, logs.shape[2])))
    return torch.cat([cells.flatten(1), logs.flatten(1) @ _rings(height, width)], dim=1).numpy()


def _rings(height: int, width: int) -> Tensor:
    """What takes the mean of each ring, [places, radii]."""
    rows = torch.fft.fftshift(torch.fft.fftfreq(height))[:, None]
    columns = torch.fft.rfftfreq(width)[None]
    radii = min(RADII, min(height, width) // 2)
    ring = ((rows.square() + columns.square()).sqrt() * 2 * radii).long().clamp(max=radii).flatten()
    members = functional.one_hot(ring, radii + 1).float()
    return members / members.sum(0).clamp(min=1)
