"""From what the user asked for to everything that training needs, settled and checked before anything is written."""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError

import elegan
from elegan.data import Data, open_data
from elegan.errors import UserError, nearest
from elegan.game import Game
from elegan.models import find
from elegan.training.loop import Training
from elegan.training.precision import Precision, choose

DEFAULT_MINUTES = 4.0
"""The budget when none is asked for."""
TICKS = 24
PROBE_SECONDS = 3.0
TICK_SHARE = 0.93
"""The share of the clock that is left for steps beside samples, looks and checkpoints."""


@dataclass(frozen=True)
class Plan:
    """A training that can start."""

    model: str
    preset: str | None
    game: type[Game]
    config: Any
    data: Data
    asked: Mapping[str, Any]
    precision: Precision
    seed: int

    def new_game(self) -> Game:
        """The game with weights that depend on the seed alone."""
        torch.manual_seed(self.seed)
        return self.game(self.config, self.data.spec)

    def new_training(self, total: int) -> Training:
        stream = self.data.stream("train", seed=self.seed)
        return Training(self.new_game(), stream, total=total, seed=self.seed, precision=self.precision)

    def budget(self) -> dict[str, Any]:
        """Images to show.  Minutes become images by a short probe of this machine's speed."""
        images, minutes = self.asked["images"], self.asked["minutes"]
        if images is not None:
            return {"images": _whole_batches(images, self.config.batch), "minutes": None, "probe": None}
        minutes = DEFAULT_MINUTES if minutes is None else minutes
        speed = probe(self.new_training(total=10**9))
        total = _whole_batches(round(minutes * 60 * TICK_SHARE * speed), self.config.batch)
        return {"images": total, "minutes": minutes, "probe": round(speed, 1)}

    def record(self, budget: Mapping[str, Any]) -> dict[str, Any]:
        """What run.json says: everything that made the run."""
        return {
            "elegan": elegan.__version__,
            "model": self.model,
            "preset": self.preset,
            "config": asdict(self.config),
            "seed": self.seed,
            "asked": dict(self.asked),
            "budget": dict(budget),
            "tick": tick_images(budget["images"], self.config.batch),
            "data": self.data.describe(),
            "precision": self.precision.name,
            "machine": machine(self.precision),
        }


def make_plan(
    model: str,
    *,
    data: str,
    size: Any = None,
    minutes: float | None = None,
    images: int | None = None,
    seed: int = 0,
    preset: str | None = None,
    skip_bad: bool = False,
    **settings: Any,
) -> Plan:
    """Settle everything or raise UserError."""
    game = find(model)
    _check_budget(minutes, images)
    opened = open_data(data, size=size, seed=seed, skip_bad=skip_bad)
    chosen = preset or game.default_preset(opened.spec)
    config = make_config(model, game, chosen, settings)
    if refusal := game.refuses(config, opened.spec):
        raise UserError(refusal)
    if len(opened.split.train) < config.batch:
        raise UserError(
            f"The data leave {len(opened.split.train)} images to train on, fewer than a batch of {config.batch}; "
            "set a smaller --batch or add images."
        )
    asked = {"data": data, "size": size, "minutes": minutes, "images": images, "skip_bad": skip_bad}
    gains = game(config, opened.spec).low_precision
    return Plan(model, chosen, game, config, opened, asked, choose(gains=gains), seed)


def make_config(model: str, game: type[Game], preset: str | None, settings: Mapping[str, Any]) -> Any:
    """Defaults, then the preset, then what was set by name; types and limits checked."""
    kind = game.Config  # type: ignore[attr-defined]
    known = {field.name for field in fields(kind)}
    for name in settings:
        if name not in known:
            raise UserError(f'{model} has no setting "{name}".{nearest(name, known)}')
    if preset is not None and preset not in game.presets:
        choice = ", ".join(game.presets) or "none"
        raise UserError(f'{model} has no preset "{preset}"; it has {choice}.{nearest(preset, game.presets)}')
    values = {**(game.presets[preset] if preset else {}), **settings}
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        if isinstance(cause := first.get("ctx", {}).get("error"), ValueError):
            raise UserError(f"{model}: {cause}") from error
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{model}: {where} is {first['input']!r}; {_as_clause(first['msg'])}.") from error


def probe(training: Training) -> float:
    """Images a second of a training that is thrown away: two steps to warm up, then a few seconds."""
    for _ in range(2):
        training.play_step()
    images, seconds = training.images, training.seconds
    for tick in training.play(every=1):
        if tick.seconds - seconds > PROBE_SECONDS:
            return (tick.images - images) / (tick.seconds - seconds)
    raise AssertionError("an endless training ended")


def tick_images(total: int, batch: int) -> int:
    """Images between two ticks: about a twenty-fourth of the budget."""
    return max(batch, total // TICKS // batch * batch)


def machine(precision: Precision) -> dict[str, Any]:
    """The machine in general terms."""
    return {
        "device": torch.cuda.get_device_name() if precision.device.type == "cuda" else precision.device.type,
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _check_budget(minutes: float | None, images: int | None) -> None:
    if minutes is not None and images is not None:
        raise UserError("Both --minutes and --images were given; a run has one budget, so give one of them.")
    if minutes is not None and not 0 < minutes < 1e6:
        raise UserError(f"--minutes is {minutes:g}; it must be more than 0.")
    if images is not None and images < 1:
        raise UserError(f"--images is {images}; it must be 1 or more.")


def _whole_batches(images: int, batch: int) -> int:
    return max(1, -(-images // batch)) * batch


def _as_clause(message: str) -> str:
    return message[0].lower() + message[1:].rstrip(".")
