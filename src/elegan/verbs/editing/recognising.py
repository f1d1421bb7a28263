"""The recognisers of a run's data, taught once and kept in its folder: they say which parts an image shows."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save

from elegan.data import Data
from elegan.errors import UserError
from elegan.files import write_atomically
from elegan.latent import Recogniser, train_recogniser
from elegan.latent.recogniser import SEED
from elegan.verbs.editing.space import Space

FILE = "recognisers.safetensors"
FEWEST = 20
NUMBER = 2
"""Taught apart: what only one of them sees is no change of the image."""


def recognisers_of(space: Space) -> tuple[list[Recogniser], tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The recognisers, the names of the parts that they tell, and of each part's values.

    Raises UserError where the data say nothing of their images that the run isn't asked for anyway.
    """
    data = space.run.open_data()
    names, values, table = parts_of(space, data)
    counts, path = [len(each) for each in values], space.run.path / FILE
    said = json.dumps({"data": data.fingerprint, "names": names, "values": values})
    found = _read(path, said, space.game.spec.image, counts)
    if found is None:
        found = [_taught(space, data, table, counts, SEED + number) for number in range(NUMBER)]
        with suppress(OSError):  # only the next call would have been quicker
            _write(path, said, found)
    return [recogniser.to(space.device) for recogniser in found], names, values


def parts_of(space: Space, data: Data) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], np.ndarray]:
    """The names of the data's parts and of their values, and int64 [N, parts]; classes are one part."""
    if data.attributes is not None:
        return data.attributes.names, data.attributes.values, data.attributes.table
    if data.labels is None:
        raise UserError(
            f"The data of {space.run.path} have no labels and no parts that a change could be named by; take "
            "directions --by principal."
        )
    if space.game.conditional:
        raise UserError(
            f"{space.run.path} draws the class that it is asked for, so its latents say nothing of it; take "
            "--label for the class, and directions --by principal for the rest."
        )
    return ("class",), (tuple(map(str, data.classes)),), data.labels[:, None]


def _taught(space: Space, data: Data, table: np.ndarray, counts: list[int], seed: int) -> Recogniser:
    """A recogniser of the training images' parts, measured on the validation images; unlabelled ones are left out."""
    train, held = (rows[(table[rows] >= 0).all(1)] for rows in map(data.indices, ("train", "validation")))
    if len(train) < FEWEST or len(held) == 0:
        raise UserError(
            f"Of the data of {space.run.path} {len(train)} training and {len(held)} validation images say what they "
            f"show; {FEWEST} and 1 are the fewest that parts can be learned from."
        )
    rows = torch.from_numpy(table)
    known = data.tensor(held), rows[held]
    return train_recogniser(data.tensor(train), rows[train], counts, known, seed=seed)


def _write(path: Path, said: str, found: list[Recogniser]) -> None:
    tensors = {
        f"{number}.{key}": value for number, each in enumerate(found) for key, value in each.state_dict().items()
    }
    for number, each in enumerate(found):
        tensors[f"{number}.accuracy"] = torch.tensor(each.accuracy, dtype=torch.float64)
    write_atomically(path, save(tensors, {"elegan": said}))


def _read(path: Path, said: str, shape: tuple[int, int, int], counts: list[int]) -> list[Recogniser] | None:
    """None where there are none that were taught these parts of these data."""
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("elegan") != said:
                return None
        tensors, found = load(path.read_bytes()), []
        for number in range(NUMBER):
            own = {key.partition(".")[2]: value for key, value in tensors.items() if key.startswith(f"{number}.")}
            recogniser = Recogniser(shape, counts)
            recogniser.accuracy = own.pop("accuracy").tolist()
            recogniser.load_state_dict(own)
            if len(recogniser.accuracy) != len(counts) or not all(bool(each.isfinite().all()) for each in own.values()):
                return None
            found.append(recogniser.eval().requires_grad_(False))
        return found
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError):
        return None
