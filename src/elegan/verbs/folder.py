"""What a training writes into its run folder, and nothing else writes."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from elegan import __version__
from elegan.data import Data
from elegan.errors import UserError
from elegan.files import FULL, write_atomically
from elegan.game import Random
from elegan.json_values import as_json
from elegan.pictures import animation, contact_sheet, grid, scatter
from elegan.provenance import NO_SAMPLES, Label, Sealed, write_gif, write_image
from elegan.training.loop import Tick, Training
from elegan.verbs.card import card
from elegan.verbs.plan import Plan
from elegan.verbs.run import generate, make_label, write_json
from elegan.verbs.translating import before_and_after, held_sources, translate

CARD_READS = ("run.json", "generator.json", "report.json")
COLUMNS, ROWS = 10, 8
SCATTERED = 2_500
LATENT_SEED = 0
"""Every tick's picture is drawn from the same latent points."""
MILLISECONDS = 220
FRAME = 360
WENT_BACK = "went back"


class Folder:
    """RUN/, as docs/run-folder.md describes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.missing: tuple[str, ...] = ()
        """A sentence for each part of their label that pictures written here lack."""

    @property
    def finished(self) -> bool:
        """The model card is written last."""
        return (self.path / "README.md").exists()

    def refuse_foreign(self) -> None:
        """Raise UserError when the path is a file, or a folder that holds something else than a run."""
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file; --out names the folder to write the run into.")
        if self.path.is_dir() and not (self.path / "run.json").exists():
            foreign = [entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")]
            if foreign:
                raise UserError(
                    f"{self.path} isn't empty and holds no run ({foreign[0]} is in it); give a new folder to --out."
                )

    def start(self, record: dict[str, Any]) -> None:
        """Write run.json, which makes the folder a run, before anything else is in it; the folder is locked.

        Raises UserError when another training began in it since it was looked at.
        """
        if (self.path / "run.json").exists():
            raise UserError(f"Another training began in {self.path} just now; give another folder to --out.")
        with self._written():
            write_json(self.path / "run.json", record)

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Raise UserError for a folder that can't be written; a full disk has its own sentence elsewhere."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"{self.path} can't be written: {reason}; give another folder to --out.") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other trainings out of it; raises UserError when one is in it, or when it can't be
        written.  A lock dies with its process."""
        with self._written():
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / ".lock").touch()
        if os.name != "posix":  # no flock elsewhere: two trainings in one folder aren't noticed there
            yield
            return
        import fcntl

        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(f"Another training is writing into {self.path}; wait for it or stop it.") from error
            yield

    @property
    def being_trained(self) -> bool:
        """Whether a training holds the lock; never where the system has no such locks."""
        if os.name != "posix" or not (self.path / ".lock").exists():
            return False
        import fcntl

        with (self.path / ".lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def log(self) -> list[dict[str, Any]]:
        """The ticks in log.jsonl."""
        return [line for line in self._lines() if {"images", "terms"} <= line.keys()]

    def returns(self) -> list[dict[str, Any]]:
        """The times that training went back, in log.jsonl: from ``images``, ``to`` which, ``why``, and on with which
        ``config``."""
        return [line for line in self._lines() if line.get("event") == WENT_BACK]

    def _lines(self) -> list[dict[str, Any]]:
        """The lines of log.jsonl; those that a kill cut short or that are no lines of ours are left out."""
        path, lines = self.path / "log.jsonl", []
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                lines.append(entry)
        return lines

    def keep_log_until(self, images: int) -> None:
        """Forget the ticks after a checkpoint: they will be played again; not that training went back before it."""
        returns = [line for line in self.returns() if line["to"] <= images]
        ticks = [line for line in self.log() if line["images"] <= images]
        self._write_log(sorted([*ticks, *returns], key=lambda line: line.get("to", line["images"])))

    def append_return(self, images: int, to: int, why: str, config: dict[str, Any]) -> None:
        """A line in log.jsonl that says from where and to where training went back."""
        line = {"event": WENT_BACK, "images": images, "to": to, "why": why, "config": config}
        self._write_log([*self._lines(), line])

    def _write_log(self, lines: list[dict[str, Any]]) -> None:
        content = "".join(json.dumps(as_json(line), allow_nan=False) + "\n" for line in lines)
        write_atomically(self.path / "log.jsonl", content.encode())

    def append_log(self, tick: Tick, look: dict[str, Any]) -> None:
        """A line a tick, in log.jsonl; a NaN is the string "NaN"."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(as_json({**asdict(tick), "look": look}), allow_nan=False) + "\n")

    def write_tick_picture(self, plan: Plan, training: Training) -> None:
        """samples/000000012800.png: the same latent points at every tick."""
        picture = tick_picture(plan, training)
        place = self.path / "samples" / f"{training.images:012d}.png"
        self._note(write_image(picture, place, self._label(plan, _weights(plan, training)), NO_SAMPLES))

    def _label(self, plan: Plan, weights: bytes) -> Label:
        return make_label(
            self.path.resolve().name, plan.model, hashlib.sha256(weights).hexdigest(), LATENT_SEED,
            visible=bool(plan.asked.get("depicts_people")), translated=bool(plan.game.translations),
        )  # fmt: skip

    def _note(self, sealed: Sealed) -> None:
        self.missing = tuple(dict.fromkeys(self.missing + sealed.missing))

    def write_generator(self, plan: Plan, training: Training) -> None:
        """The averaged weights of all that the game delivers, and how to rebuild the networks around them."""
        weights = _weights(plan, training)
        write_atomically(self.path / "generator.safetensors", weights)
        spec = plan.data.spec
        write_json(
            self.path / "generator.json",
            {
                "elegan": __version__, "model": plan.model, "config": asdict(plan.config),
                "shapes": spec.shapes, "classes": spec.classes, "items": spec.items, "scale": plan.data.scale,
                "licence": plan.data.licence,
                **({"restriction": plan.data.restriction} if plan.data.restriction else {}),
                "conditional": plan.conditional, "deliver": plan.game.deliver,
                "sha256": hashlib.sha256(weights).hexdigest(), "images": training.images,
            },
        )  # fmt: skip

    def write_pictures(self, plan: Plan, training: Training) -> None:
        """contact.png, a row a class; training.gif, the same latent points as training went on."""
        weights = (self.path / "generator.safetensors").read_bytes()
        label = self._label(plan, weights)
        self._note(write_image(final_picture(plan, training), self.path / "contact.png", label, NO_SAMPLES))
        frames, captions = self._frames()
        if not frames:
            self.write_tick_picture(plan, training)
            frames, captions = self._frames()
        frames, captions = frames + frames[-1:] * 6, captions + captions[-1:] * 6
        film, seen = animation(frames, captions), replace(label, visible=False)  # the ticks' pictures say it already
        self._note(write_gif(film, self.path / "training.gif", seen, MILLISECONDS, watermarked=False))

    def _frames(self) -> tuple[list[Image.Image], list[str]]:
        """The ticks' pictures, in order; files that are none are left out."""
        frames, captions = [], []
        for file in sorted((self.path / "samples").glob("*.png")):
            try:
                frames.append(_small(Image.open(file).convert("RGB")))
                captions.append(f"{int(file.stem):,} images shown")
            except (OSError, ValueError, SyntaxError):
                del frames[len(captions) :]
        return frames, captions

    def write_card(self) -> None:
        """README.md: the model card.  Written last, it marks the run finished."""
        content = [json.loads((self.path / name).read_text(encoding="utf-8")) for name in CARD_READS]
        write_atomically(self.path / "README.md", card(self.path.resolve().name, *content).encode())


def _weights(plan: Plan, training: Training) -> bytes:
    """generator.safetensors, as it would be now."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in training.averages.state().items()}
    said = {"made_with": f"elegan {__version__} {plan.model}, seed {plan.seed}"}  # one entry: order isn't kept
    return save(tensors, said)


def draw(plan: Plan, training: Training, n: int, label: Tensor | None, seed: int = LATENT_SEED) -> Tensor:
    """n samples of the averaged generator, on the processor, in float32.

    Of a translator: what it makes of the held-out sources, as many as there are.
    """
    random = Random((seed, n), training.engine.device)
    with training.averages.inside(training.game) as game:
        if game.translations:
            return translate(game, held_sources(plan.data, "validation", n)[0], game.translations[0])
        return generate(game, n, label, random)


def tick_picture(plan: Plan, training: Training) -> Image.Image:
    """A grid of samples, a column a class where there are classes; a scatter plot for 2-D vectors.

    Of a translator: held-out images, each above what it becomes.
    """
    data = plan.data
    if not data.is_image:
        return _scattered(data, draw(plan, training, SCATTERED, None))
    if plan.game.translations:
        with training.averages.inside(training.game) as game:
            rows, shown = before_and_after(game, data, COLUMNS, ROWS)
        return grid(shown, len(shown) // rows)
    count = len(data.classes) if plan.conditional else 0
    columns = min(count, COLUMNS) or COLUMNS
    label = torch.arange(columns).repeat(ROWS) if count else None
    return grid(data.to_items(_visible(draw(plan, training, ROWS * columns, label))), columns)


def final_picture(plan: Plan, training: Training) -> Image.Image:
    """Samples on demand: a row a class; without classes the tick's grid."""
    data = plan.data
    if not data.is_image or not plan.conditional:
        return tick_picture(plan, training)
    count = min(len(data.classes), 20)
    label = torch.arange(count).repeat_interleave(12)
    items = data.to_items(_visible(draw(plan, training, count * 12, label)))
    rows = np.split(items, count)
    return contact_sheet(rows, [str(name) for name in data.classes[:count]])


def _small(picture: Image.Image) -> Image.Image:
    """At most FRAME pixels wide: thirty frames are to stay a file that can be sent."""
    if picture.width <= FRAME:
        return picture
    return picture.resize((FRAME, round(picture.height * FRAME / picture.width)), Image.Resampling.LANCZOS)


def _visible(images: Tensor) -> Tensor:
    """Numbers that are not finite have no colour: a diverged generator's picture shows them black."""
    return images.nan_to_num(-1.0, 1.0, -1.0)


def _scattered(data: Data, vectors: Tensor) -> Image.Image:
    return scatter(data.to_items(vectors)[:, :2], None if data.modes is None else data.modes.centres[:, :2])
