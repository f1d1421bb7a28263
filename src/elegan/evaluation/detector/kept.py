"""A detector's two files: detector.safetensors, and detector.json, which says what it was fitted on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from elegan.errors import UserError
from elegan.evaluation.detector.learning import Detector, Pixels
from elegan.evaluation.detector.road import Road
from elegan.files import write_atomically
from elegan.json_values import as_json

WEIGHTS, DESCRIBED = "detector.safetensors", "detector.json"
REGRESSION, PIXELS = "regression.", "pixels."


def save_detector(folder: Path, detector: Detector, described: Mapping[str, Any]) -> None:
    """Write both files, the description last; OSError where they can't be written."""
    tensors = {f"{REGRESSION}{name}": tensor for name, tensor in detector.regression.items()}
    tensors |= {f"{PIXELS}{name}": tensor for name, tensor in detector.pixels.state_dict().items()}
    tensors["levels"] = torch.from_numpy(detector.road.levels.copy())
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    record = {"shape": detector.shape, "sha256": hashlib.sha256(content).hexdigest(), **described}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / WEIGHTS, content)
    text = json.dumps(as_json(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / DESCRIBED, f"{text}\n".encode())


def load_detector(folder: Path) -> tuple[Detector, dict[str, Any]]:
    """The detector and what is said of it.  Raises UserError where there is none, or a damaged one."""
    path = folder / DESCRIBED
    if not path.is_file():
        raise UserError(f"{folder} holds no {DESCRIBED}; give the folder that `elegan detect train` wrote.")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        content = (folder / WEIGHTS).read_bytes()
        if hashlib.sha256(content).hexdigest() != described["sha256"]:
            raise ValueError("other weights")
        return _rebuilt(described["shape"], content), described
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, RecursionError) as error:
        raise UserError(f"{folder} holds a damaged detector; `elegan detect train` makes a new one.") from error


def _rebuilt(sides: list[int], content: bytes) -> Detector:
    height, width, channels = sides
    tensors = load(content)
    pixels = Pixels((height, width, channels))
    pixels.load_state_dict({n.removeprefix(PIXELS): t for n, t in tensors.items() if n.startswith(PIXELS)})
    pixels.eval().requires_grad_(False)
    regression = {n.removeprefix(REGRESSION): t for n, t in tensors.items() if n.startswith(REGRESSION)}
    levels = np.asarray(tensors["levels"].numpy(), np.uint8)
    return Detector((height, width, channels), Road(levels), regression, pixels)
