"""From what the user asked for to everything that training needs, settled and checked before anything is written."""

import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter, ValidationError

import elegan
from elegan.data import Data, open_data
from elegan.data.builtin import NAMES
from elegan.data.shards import is_pattern
from elegan.errors import UserError, nearest
from elegan.game import Game
from elegan.models import find
from elegan.training.course import Course
from elegan.training.engine import Engine
from elegan.training.loop import Training
from elegan.training.ranks import by_first, here
from elegan.verbs.engine import OPTIONS, engine_options_in, settle_engine
from elegan.verbs.few_labels import check_labelled, data_for
from elegan.verbs.translating import with_fitting_sources

DEFAULT_MINUTES = 4.0
"""What the schedules are made for when no budget is asked for; the budget itself without a referee."""
TICKS, FEWEST_TICKS, SECONDS_A_TICK = 24, 6, 4.0
"""A tick costs a tenth of a second or two for its picture and checkpoint, so a short run has fewer."""
MOST_MINUTES, MOST_IMAGES = 1_000_000, 10**12

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
    engine: Engine
    seed: int
    conditional: bool
    """Whether the generator takes a label."""
    engine_record: Mapping[str, Any]
    """What run.json says of the engine."""
    notes: tuple[str, ...] = ()
    """What the user should hear before training starts."""

    def new_training(self, total: int, *, waits: bool = False) -> Training:
        """The game with weights that depend on the seed alone, at its start.

        Where it ``waits``, the schedules are made for ``total`` images, and the referee says when to end.
        """
        torch.manual_seed(self.seed)
        game, stream = self.game(self.config, self.data.spec), self.data.stream("train", seed=self.seed, ranks=here())
        held = self.data.stream("validation", seed=self.seed, ranks=here()) if game.wants_held else None
        return Training(game, stream, course=Course(total, waits), seed=self.seed, engine=self.engine, held=held)

    @property
    def may_wait(self) -> bool:
        """Whether the referee may end training: it judges pictures, and a classifier can gain when they don't."""
        return not self.game.classifies

    def budget(self, *, referee: bool = True) -> dict[str, Any]:
        """Images to show.  Minutes become images by a short probe of this machine's speed.

        Without a budget the referee ends training, and the schedules are those of DEFAULT_MINUTES; without a referee
        too, these are the budget.
        """
        images, minutes = self.asked["images"], self.asked["minutes"]
        waits = referee and self.may_wait and images is None and minutes is None
        if images is not None:
            return {"images": _whole_batches(images, self.config.batch), "minutes": None, "probe": None, "waits": False}
        with self.engine.on_its_threads():
            speed = average_speed(self.new_training(total=10**12))
        schedules = DEFAULT_MINUTES if minutes is None else minutes
        total = _whole_batches(round(schedules * 60 * TICK_SHARE * speed), self.config.batch)
        return {"images": total, "minutes": None if waits else schedules, "probe": round(speed, 1), "waits": waits}

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
            "tick": tick_images(budget["images"], self.config.batch, budget["probe"]),
            "data": self.data.describe(),
            "precision": self.engine.precision,
            "engine": dict(self.engine_record),
            "machine": machine(self.engine),
        }


def make_plan(
    model: str,
    *,
    data: str | PathLike[str],
    size: Any = None,
    minutes: float | None = None,
    images: int | None = None,
    seed: int = 0,
    preset: str | None = None,
    skip_bad: bool = False,
    labelled: int | None = None,
    pair: str | None = None,
    depicts_people: bool = False,
    recorded_engine: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Plan:
    """Settle everything or raise UserError.

    ``settings`` are fields of the model's Config and of EngineOptions; ``recorded_engine`` is the "engine" of the
    run that is to go on.
    """
    game = find(model)
    engine_options, settings = engine_options_in(settings)
    minutes, images, seed = check_numbers(minutes, images, seed)
    where, size = _place(data), _size(size)
    labelled = check_labelled(labelled)
    opened = with_fitting_sources(model, game, open_data(where, size=size, skip_bad=skip_bad, pair=pair), pair)
    opened = data_for(model, game, opened, labelled, seed)
    chosen = preset or game.default_preset(opened.spec)
    config = game.settled(make_config(model, game, chosen, settings), opened.spec)
    if refusal := game.refuses(config, opened.spec):
        raise UserError(refusal)
    if len(opened.split.train) < config.batch:
        raise UserError(
            f"The data leave {len(opened.split.train)} images to train on, fewer than a batch of {config.batch}; "
            "set a smaller --batch or add images."
        )
    trial = _try(model, game, config, opened)
    if config.augment_gap and not trial.wants_held:
        remedy = "give --augment affine" if opened.is_image else "leave it out"
        raise UserError(f"--augment-gap is {config.augment_gap:g}, and there is no augmentation to adapt; {remedy}.")
    asked = {"data": where, "size": size, "minutes": minutes, "images": images, "skip_bad": bool(skip_bad)}
    asked |= {} if labelled is None else {"labelled": labelled}
    asked |= {} if pair is None else {"pair": pair}
    asked |= {"depicts_people": True} if depicts_people else {}
    engine, engine_record, notes = settle_engine(engine_options, recorded_engine, gains=trial.low_precision)
    return Plan(
        model, chosen, game, config, opened, asked, engine, seed, trial.conditional, engine_record, notes
    )  # fmt: skip


def make_config(model: str, game: type[Game], preset: str | None, settings: Mapping[str, Any]) -> Any:
    """Defaults, then the preset, then what was set by name; types and limits checked."""
    kind = game.Config  # type: ignore[attr-defined]
    known = {field.name for field in fields(kind)}
    for name in settings:
        if name not in known:
            raise UserError(f'{model} has no setting "{name}".{nearest(name, {*known, *OPTIONS})}')
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


def check_numbers(minutes: Any, images: Any, seed: Any) -> tuple[float | None, int | None, int]:
    """The budget and the seed as numbers within their limits, or UserError."""
    checked = []
    kinds: dict[str, Any] = {"minutes": float | None, "images": int | None, "seed": int}
    for (name, kind), value in zip(kinds.items(), (minutes, images, seed), strict=True):
        try:
            checked.append(TypeAdapter(kind).validate_python(value))
        except ValidationError as error:
            raise UserError(f"{name} is {value!r}; {_as_clause(error.errors()[0]['msg'])}.") from error
    minutes, images, seed = checked
    if minutes is not None and images is not None:
        raise UserError("Both --minutes and --images were given; a run has one budget, so give one of them.")
    if minutes is not None and not 0 < minutes <= MOST_MINUTES:
        raise UserError(f"--minutes is {minutes:g}; it must be more than 0 and at most {MOST_MINUTES:,}.")
    if images is not None and not 1 <= images <= MOST_IMAGES:
        raise UserError(f"--images is {images}; it must be at least 1 and at most {MOST_IMAGES:,}.")
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed is {seed}; it must be 0 or more and below 2 to the 63rd power.")
    return minutes, images, seed


def _try(model: str, game: type[Game], config: Any, data: Data) -> Game:
    """Build the game without memory, so that impossible settings are answered before anything is written."""
    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            return game(config, data.spec)
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"{model} can't be built with these settings: {_as_clause(reason)}.") from error


def _place(data: object) -> str:
    """The data's name; a path in full, so that the run finds them from everywhere."""
    if not isinstance(data, str | PathLike):
        raise UserError(f"{data!r} is no data; give a path or the name of a built-in data set.")
    text = str(fspath(data))
    path = Path(text).expanduser()
    return str(path.resolve()) if (path.exists() or is_pattern(text)) and text not in NAMES else text


def _size(size: Any) -> str | None:
    """A size as the command line spells it: "32", "48x64" or None."""
    if size is None or isinstance(size, str):
        return size
    if isinstance(size, tuple | list):
        return "x".join(str(side) for side in size)
    return str(size)


def average_speed(training: Training, clock: Callable[[], float] = time.perf_counter) -> float:
    """Images a second over the whole of a budget, of a training that is thrown away: each of the game's phases is
    tried, in its middle.  ``clock`` gives seconds.
    """
    starts = training.game.phases()
    seconds = 0.0
    for start, end in zip(starts, (*starts[1:], 1.0), strict=True):
        training.images = round((start + end) / 2 * training.course.total)
        seconds += (end - start) / probe(training, max(1.0, PROBE_SECONDS / len(starts)), clock)
    return 1 / seconds


def probe(
    training: Training, seconds_to_take: float = PROBE_SECONDS, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Images a second of a training that is thrown away: two steps to warm up, then a few seconds."""
    for _ in range(2):
        training.play_step()
    training.wait()
    start, before, steps = clock(), training.images, 0
    while (seconds := by_first(lambda: clock() - start, training.ranks)) < seconds_to_take:
        for _ in range(1 + steps // 8):  # ranks ask rank 0 for the time, and so seldom that it costs little
            training.play_step()
            steps += 1
        training.wait()
    return (training.images - before) / seconds


def tick_images(total: int, batch: int, speed: float | None) -> int:
    """Images between two ticks, whole batches; ``speed`` in images a second, where it was measured."""
    ticks = TICKS if speed is None else min(TICKS, max(FEWEST_TICKS, round(total / speed / SECONDS_A_TICK)))
    return -(-total // (ticks * batch)) * batch


def machine(engine: Engine) -> dict[str, Any]:
    """The machine in general terms."""
    return {
        "device": torch.cuda.get_device_name() if engine.device.type == "cuda" else engine.device.type,
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "processes": here().size,
        "threads": engine.threads or torch.get_num_threads(),
        "system": platform.system(),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _whole_batches(images: int, batch: int) -> int:
    return max(1, -(-images // batch)) * batch


def _as_clause(message: str) -> str:
    return message[0].lower() + message[1:].rstrip(".")
