"""8-bit pixels to what networks see, and back: v / 127.5 - 1 in [-1, 1]."""

import numpy as np
import torch
from torch import Tensor


def to_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 [n, H, W, C] as float32 [n, C, H, W] in [-1, 1] and channels_last memory.

    By NumPy in the thread that asks: one that reads ahead then needs none of torch's own threads.
    """
    values = pixels.astype(np.float32)
    values /= np.float32(127.5)
    values -= np.float32(1.0)
    return torch.from_numpy(values).permute(0, 3, 1, 2)


def to_pixels(samples: Tensor) -> np.ndarray:
    """The way back: clipped and rounded uint8 [n, H, W, C].

    Raises ValueError for images that hold a NaN, which has no 8-bit value.
    """
    values = samples.detach().to("cpu", torch.float32)
    if bool(values.isnan().any()):
        raise ValueError("The samples hold NaN, which has no place among pixels.")
    levels = values.add(1.0).mul_(127.5).clamp_(0, 255).round_().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().numpy()
