"""What is measured: a model with its settings, on images of noise."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from elegan.data import Data
from elegan.data.dataset import Split
from elegan.data.sizes import parse_size
from elegan.data.sources import StoredSources
from elegan.errors import UserError
from elegan.game import Game, Spec
from elegan.models import find
from elegan.verbs.plan import make_config

CLASSES = 10
BATCHES = 16
"""How many batches of noise there are, over and over."""


@dataclass(frozen=True)
class Case:
    """A model and all that its speed depends on; ``Case(**asdict(case))`` survives JSON."""

    model: str
    preset: str | None = None
    size: str = "32"
    """A side, or height x width: "32", "48x64"."""
    channels: int = 1
    batch: int = 64
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the model's Config besides the batch."""

    @property
    def name(self) -> str:
        """What people call it: "dcgan radford2015", "r3gan widths=64,64"."""
        settings = "".join(f" {name}={_short(value)}" for name, value in self.settings.items())
        return self.model + (f" {self.preset}" if self.preset else "") + settings

    @property
    def translates(self) -> bool:
        """Whether the model makes images of images, and not of noise."""
        return bool(find(self.model).translations)

    @property
    def spec(self) -> Spec:
        """Labelled images without end, in pairs for a translator: augmentation only where the settings name it."""
        shape = parse_size(self.size)
        assert shape is not None
        image = (self.channels, *shape)
        shapes = {"real": image, "label": ()} | ({"source": image} if self.translates else {})
        return Spec(shapes, tuple(map(str, range(CLASSES))), paired=self.translates)


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def new_game(case: Case) -> Game:
    """The game, with weights from the global seed.  Raises UserError for what the model has not or can't."""
    kind, spec = find(case.model), case.spec
    config = make_config(case.model, kind, case.preset, {**case.settings, "batch": case.batch})
    if refusal := kind.refuses(config, spec):
        raise UserError(refusal)
    return kind(config, spec)


def check(case: Case) -> None:
    """Raise UserError for a case that can't be played, before any process is started."""
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            new_game(case)
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"{case.name} can't be built at {case.size}: {reason}; change its settings.") from error


def noise(case: Case, seed: int = 0) -> Data:
    """Uniform noise as 8-bit images, with labels, for a translator in pairs: speed doesn't depend on what is seen."""
    generator, items = np.random.default_rng(seed), BATCHES * case.batch
    channels, height, width = case.spec.image
    nobody = np.zeros(0, np.int64)
    images = generator.integers(0, 256, (items, height, width, channels), np.uint8)
    return Data(
        name="noise",
        items=images,
        labels=generator.integers(0, CLASSES, items),
        classes=case.spec.classes,
        split=Split(np.arange(items), nobody, nobody),
        licence="made from the seed; free of rights",
        source=f"noise, seed {seed}",
        sources=StoredSources(images[::-1].copy(), f"noise-{seed}", "noise") if case.translates else None,
    )
