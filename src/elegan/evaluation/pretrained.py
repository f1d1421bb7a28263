"""Pretrained networks as extractors: Inception, DINOv2, CLIP or any other whose weights the user has as a file."""

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from elegan.errors import UserError
from elegan.evaluation.features import Vectors, _times

Images = UInt8[np.ndarray, "n h w c"]
CHUNK = 64


class Pretrained:
    """A frozen network from a file; knows no classes.  Build it by :func:`pretrained`."""

    classes, accuracy = 0, None

    def __init__(
        self, network: torch.jit.ScriptModule, path: Path, file_hash: str, shape: tuple[int, int, int], side: int | None
    ) -> None:
        self.network, self.path, self.hash, self.shape, self.side = network, path, file_hash, shape, side
        self.dimension = self._probe()

    @property
    def name(self) -> str:
        """Such as inception-1a2b3c4d: the name of the file and the beginning of the hash of its bytes."""
        return f"{self.path.stem}-{self.hash[:8]}"

    def embed(self, items: Images) -> Vectors:
        """What the network makes of the images, float32 [n, d].  Raises UserError for images of another shape."""
        if items.shape[1:] != self.shape or items.dtype != np.uint8:
            raise UserError(
                f"The images are {items.dtype} {_times(items.shape[1:])}; {self.name} was opened for uint8 "
                f"{_times(self.shape)} (height × width × channels)."
            )
        chunks = [self._run(items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
        return np.concatenate(chunks) if chunks else np.empty((0, self.dimension), np.float32)

    def classify(self, items: Images) -> Float[np.ndarray, "n k"]:
        raise UserError(f"{self.name} knows no classes; features trained with labels do.")

    def _probe(self) -> int:
        blank = np.zeros((2, *self.shape), np.uint8)
        try:
            found = self._forward(blank)
        except RuntimeError as error:
            raise UserError(
                f"{self.path} doesn't take images of {_times(self.shape[:2])} pixels ({_last_line(error)}); bring "
                "them to the size that it was made for (--size), or let it resize them itself."
            ) from error
        if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != 2:
            given = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise UserError(f"{self.path} gives {given} for 2 images; it must give one vector each, [2, d].")
        return found.shape[1]

    def _run(self, items: np.ndarray) -> np.ndarray:
        found = self._forward(items)
        if not bool(found.isfinite().all()):
            raise UserError(f"{self.path} gives values that are not finite; it can't judge these images.")
        return found.float().numpy()

    def _forward(self, items: np.ndarray) -> Tensor:
        images = torch.from_numpy(np.ascontiguousarray(items)).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            images = images.expand(-1, 3, -1, -1)
            if self.side is not None:
                images = functional.interpolate(
                    images, size=(self.side, self.side), mode="bilinear", antialias=True, align_corners=False
                )
            return self.network(images.contiguous())


def pretrained(path: Path, shape: tuple[int, int, int], *, side: int | None = None) -> Pretrained:
    """Open a TorchScript file that maps float images [n, 3, H, W] in [0, 1] to features [n, d].

    ``shape`` is that of the images to judge, (H, W, C), grey or RGB; grey is repeated.  The network itself shifts
    and scales as it was trained to, and resizes unless ``side`` is given.  TorchScript alone is read, by a reader
    that builds tensors and the file's own layers: pickles and torch.export programs (.pt2) may run any code of
    whoever wrote them.  Raises UserError for a file that can't be read or gives no vectors.
    """
    if shape[2] not in (1, 3):
        raise UserError(f"The images have {shape[2]} channels; a pretrained network takes images of 1 or 3.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}); give a TorchScript file.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            network = torch.jit.load(io.BytesIO(content), map_location="cpu").eval()
    except RuntimeError as error:
        raise UserError(
            f"{path} isn't a TorchScript file ({_last_line(error)}); make one by "
            "torch.jit.save(torch.jit.trace(network.eval(), images), path), since pickled weights and .pt2 programs "
            "can run foreign code and are not read."
        ) from error
    return Pretrained(network, path, hashlib.sha256(content).hexdigest(), shape, side)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
