"""What a training writes into its run folder, and nothing else writes."""

import hashlib
import json
from dataclasses import asdict
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
from elegan.files import write_atomically
from elegan.game import Random
from elegan.pictures import animation, contact_sheet, grid, scatter
from elegan.provenance import write_gif, write_image
from elegan.training.checkpoint import write_tensors
from elegan.training.loop import Tick, Training
from elegan.verbs.card import card
from elegan.verbs.plan import Plan
from elegan.verbs.run import make_label, plain, write_json

COLUMNS, ROWS = 10, 8
SCATTERED = 2_500
LATENT_SEED = 0
"""Every tick's picture is drawn from the same latent points."""
MILLISECONDS = 220
FRAME = 360


class Folder:
    """RUN/, as docs/run-folder.md describes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

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

    def create(self) -> None:
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"{self.path} can't be made: {reason}; give another folder to --out.") from error

    def log(self) -> list[dict[str, Any]]:
        """The lines of log.jsonl; a last line that a kill cut short is left out."""
        lines: list[dict[str, Any]] = []
        path = self.path / "log.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        return lines

    def keep_log_until(self, images: int) -> None:
        """Forget the ticks after a checkpoint: they will be played again."""
        kept = [line for line in self.log() if line["images"] <= images]
        write_atomically(self.path / "log.jsonl", "".join(json.dumps(line) + "\n" for line in kept).encode())

    def append_log(self, tick: Tick, look: dict[str, Any]) -> None:
        """A line a tick, in log.jsonl; a NaN is the string "NaN"."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(plain({**asdict(tick), "look": look}), allow_nan=False) + "\n")

    def write_tick_picture(self, plan: Plan, training: Training) -> None:
        """samples/000000012800.png: the same latent points at every tick."""
        picture = tick_picture(plan, training)
        content = save({name: t.contiguous() for name, t in training.averages.state().items()})
        label = make_label(self.path.name, plan.model, hashlib.sha256(content).hexdigest(), LATENT_SEED)
        write_image(picture, self.path / "samples" / f"{training.images:012d}.png", label)

    def write_generator(self, plan: Plan, training: Training) -> None:
        """The averaged weights of all that the game delivers, and how to rebuild the networks around them."""
        digest = write_tensors(self.path / "generator.safetensors", training.averages.state())
        spec = plan.data.spec
        write_json(
            self.path / "generator.json",
            {
                "elegan": __version__, "model": plan.model, "config": asdict(plan.config),
                "shapes": spec.shapes, "classes": spec.classes, "items": spec.items, "scale": plan.data.scale,
                "conditional": takes_labels(plan), "deliver": plan.game.deliver, "sha256": digest,
                "images": training.images,
            },
        )  # fmt: skip

    def write_pictures(self, plan: Plan, training: Training) -> None:
        """contact.png, a row a class; training.gif, the same latent points as training went on."""
        weights = (self.path / "generator.safetensors").read_bytes()
        label = make_label(self.path.name, plan.model, hashlib.sha256(weights).hexdigest(), LATENT_SEED)
        write_image(final_picture(plan, training), self.path / "contact.png", label)
        files = sorted((self.path / "samples").glob("*.png"))
        frames = [_small(Image.open(file).convert("RGB")) for file in files]
        captions = [f"{int(file.stem):,} images shown" for file in files]
        frames, captions = frames + frames[-1:] * 6, captions + captions[-1:] * 6
        write_gif(animation(frames, captions), self.path / "training.gif", label, MILLISECONDS)

    def write_card(self, plan: Plan, report: dict[str, Any]) -> None:
        """README.md: the model card."""
        record = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        write_atomically(self.path / "README.md", card(self.path.name, record, report).encode())


def takes_labels(plan: Plan) -> bool:
    """Whether the trained game can be asked for a class."""
    return bool(plan.data.spec.classes) and bool(getattr(plan.config, "conditional", plan.model == "cgan"))


@torch.no_grad()
def draw(plan: Plan, training: Training, n: int, label: Tensor | None, seed: int = LATENT_SEED) -> Tensor:
    """n samples of the averaged generator, on the processor, in float32."""
    random = Random((seed, n), training.precision.device)
    condition = {} if label is None else {"label": label.to(training.precision.device)}
    with training.averages.inside(training.game) as game:
        return game.sample(n, condition, random).float().cpu()


def tick_picture(plan: Plan, training: Training) -> Image.Image:
    """A grid of samples, a column a class where there are classes; a scatter plot for 2-D vectors."""
    data = plan.data
    if not data.is_image:
        return _scattered(data, draw(plan, training, SCATTERED, None))
    count = len(data.classes) if takes_labels(plan) else 0
    columns = min(count, COLUMNS) or COLUMNS
    label = torch.arange(columns).repeat(ROWS) if count else None
    return grid(data.to_items(_visible(draw(plan, training, ROWS * columns, label))), columns)


def final_picture(plan: Plan, training: Training) -> Image.Image:
    """Samples on demand: a row a class; without classes the tick's grid."""
    data = plan.data
    if not data.is_image or not takes_labels(plan):
        return tick_picture(plan, training)
    count = min(len(data.classes), 20)
    label = torch.arange(count).repeat_interleave(12)
    items = data.to_items(_visible(draw(plan, training, count * 12, label, seed=1)))
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
