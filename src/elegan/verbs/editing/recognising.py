"""The recognisers of a run's data, taught once and kept in its folder: they say which parts an image shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elegan.data import Data
from elegan.errors import UserError, nearest
from elegan.latent import Recogniser, train_recogniser
from elegan.latent.recogniser import SEED
from elegan.verbs.editing.kept import Findings, kept
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
    counts = [len(each) for each in values]

    def teach() -> Findings:
        found = [_taught(space, data, table, counts, number) for number in range(NUMBER)]
        return _named([each.state_dict() for each in found]), [each.accuracy for each in found]

    def build(tensors: Mapping[str, Tensor], accuracies: Any) -> list[Recogniser]:
        if [len(each) for each in accuracies] != NUMBER * [len(names)]:
            raise ValueError("These are no recognisers of these parts.")
        recognisers = []
        for number, accuracy in enumerate(accuracies):
            recogniser = Recogniser(space.game.spec.image, counts)
            recogniser.load_state_dict(_numbered(tensors, number))
            recogniser.accuracy = accuracy
            recognisers.append(recogniser.eval().requires_grad_(False).to(space.device))
        return recognisers

    of = {"data": data.fingerprint, "names": names, "values": values}
    return kept(space.run.path / FILE, of, teach, build), names, values


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


def part_in(name: str, names: Sequence[str]) -> int:
    """The part's place among all.  Raises UserError."""
    if name not in names:
        raise UserError(f'There is no part "{name}"; there are {", ".join(names)}.{nearest(name, names)}')
    return list(names).index(name)


def wish_in(text: str, names: Sequence[str], values: Sequence[Sequence[str]]) -> tuple[int, int | None]:
    """The part and the value that "hat=crown" names, as places among all; None for the value where "hat" stands alone.

    Raises UserError for what isn't there.
    """
    name, _, value = (word.strip() for word in text.partition("="))
    part = part_in(name, names)
    if not value:
        return part, None
    if value not in values[part]:
        known = [f"{name}={each}" for each in values[part]]
        raise UserError(f'"{value}" is no {name}; give one of {", ".join(known)}.{nearest(f"{name}={value}", known)}')
    return part, list(values[part]).index(value)


def _taught(space: Space, data: Data, table: np.ndarray, counts: list[int], number: int) -> Recogniser:
    """A recogniser of the training images' parts, measured on the validation images; unlabelled ones are left out."""
    train, held = (rows[(table[rows] >= 0).all(1)] for rows in map(data.indices, ("train", "validation")))
    if len(train) < FEWEST or len(held) == 0:
        raise UserError(
            f"Of the data of {space.run.path} {len(train)} training and {len(held)} validation images say what they "
            f"show; {FEWEST} and 1 are the fewest that parts can be learned from."
        )
    rows = torch.from_numpy(table)
    known = data.tensor(held), rows[held]
    doing = f"Learning what images show, network {number + 1} of {NUMBER}: step"
    return train_recogniser(data.tensor(train), rows[train], counts, known, seed=SEED + number, doing=doing)


def _named(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The networks' weights in one dict, each name with the network's number before it."""
    return {f"{number}.{name}": tensor for number, state in enumerate(states) for name, tensor in state.items()}


def _numbered(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """One network's weights out of those of all."""
    start = f"{number}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
