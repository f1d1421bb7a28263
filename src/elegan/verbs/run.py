"""The run folder: what train writes and the other commands open."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from elegan import __version__
from elegan.data import Data, open_data
from elegan.errors import UserError, nearest
from elegan.files import write_atomically
from elegan.game import Game, Random, Spec
from elegan.pictures import to_image
from elegan.provenance import Label, LabelledImage
from elegan.training.precision import Precision, choose

SAMPLE_BATCH = 256


class Samples(Tensor):
    """What a generator drew: a tensor that can be saved honestly.  Computing with it gives plain tensors."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    provenance: Label

    def images(self) -> list[LabelledImage]:
        """The samples [n, C, H, W] as pictures that are labelled when they are saved."""
        return [LabelledImage.of(to_image(pixels), self.provenance) for pixels in to_pixels(self)]


def to_pixels(images: Tensor) -> np.ndarray:
    """Images [n, C, H, W] in [-1, 1] as uint8 [n, H, W, C]: clipped and rounded as the data were."""
    pixels = images.add(1).mul(127.5).clamp(0, 255).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


@dataclass
class Run:
    """A run folder, and the trained generator in it.

    >>> gan = elegan.load("runs/digits")
    >>> gan.sample(16, label=8, seed=0).shape
    torch.Size([16, 1, 16, 16])
    """

    path: Path
    report: dict[str, Any] = field(default_factory=dict)
    """The last evaluation, as in report.json; empty before one was made."""

    @cached_property
    def record(self) -> dict[str, Any]:
        """run.json: everything that made the run."""
        return _read_json(self.path / "run.json")

    @cached_property
    def weights_sha256(self) -> str:
        return hashlib.sha256(self._read("generator.safetensors")).hexdigest()

    @property
    def verdict(self) -> str:
        """The code of the last evaluation's verdict."""
        return str(self.report.get("verdict", "CANNOT_TELL"))

    @cached_property
    def game(self) -> Game:
        """The game with its delivered networks loaded, ready to sample from."""
        from elegan.models import find
        from elegan.verbs.plan import make_config

        described = _read_json(self.path / "generator.json")
        kind = find(described["model"])
        spec = Spec(
            {k: tuple(v) for k, v in described["shapes"].items()},
            tuple(described["classes"]),
            described["items"],
        )
        game = kind(make_config(described["model"], kind, None, described["config"]), spec)
        try:
            tensors = load(self._read("generator.safetensors"))
            for name in game.deliver:
                mine = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
                game.get_submodule(name).load_state_dict(mine)
        except (SafetensorError, RuntimeError) as error:
            raise UserError(f"{self.path / 'generator.safetensors'} is damaged; train the run again.") from error
        self.precision.place(game)
        return game.eval()

    @cached_property
    def precision(self) -> Precision:
        """Samples are drawn in float32, so that every machine draws nearly the same."""
        return choose("float32")

    def sample(self, n: int = 64, *, label: int | str | None = None, seed: int = 0) -> Samples:
        """n samples as a tensor [n, C, H, W] in about [-1, 1], or [n, D] vectors in the data's own units.

        ``label`` is a class's name or number, or "all" for equal shares in order; without one, labels are
        drawn at random.  The same seed gives the same samples.  ``.images()`` turns them into pictures.
        """
        samples = self.sample_with_labels(n, label=label, seed=seed)[0].as_subclass(Samples)
        samples.provenance = self.label_for(seed)
        return samples

    @torch.no_grad()
    def sample_with_labels(
        self, n: int, *, label: int | str | None = None, seed: int = 0
    ) -> tuple[Tensor, Tensor | None]:
        """The samples and the labels that were asked for (int64 [n]; None where the model takes none)."""
        if n < 1:
            raise UserError(f"--n is {n}; it must be 1 or more.")
        if seed < 0:
            raise UserError(f"--seed is {seed}; it must be 0 or more.")
        random = Random((seed, 1), self.precision.device)
        labels = self.labels(n, label, random)
        parts = []
        for start in range(0, n, SAMPLE_BATCH):
            rows = slice(start, min(n, start + SAMPLE_BATCH))
            condition = {} if labels is None else {"label": labels[rows]}
            parts.append(self.game.sample(rows.stop - rows.start, condition, random).float())
        return torch.cat(parts).cpu() * self.scale, None if labels is None else labels.cpu()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes that can be asked for; empty for a model that takes no label."""
        return tuple(self.game.spec.classes) if self.conditional else ()

    @property
    def conditional(self) -> bool:
        return bool(_read_json(self.path / "generator.json")["conditional"])

    @property
    def scale(self) -> float:
        return float(_read_json(self.path / "generator.json")["scale"])

    def to_items(self, samples: Tensor) -> np.ndarray:
        """What is written to files and judged: uint8 [n, H, W, C]; vectors stay float32 [n, D]."""
        return to_pixels(samples) if samples.dim() == 4 else samples.numpy()

    def labels(self, n: int, label: int | str | None, random: Random) -> Tensor | None:
        """The labels [n] for a wish; raises UserError for a class that there isn't."""
        count = len(self.classes)
        if not count:
            if label is None:
                return None
            raise UserError(
                f"A label ({label}) was asked for, but {self.path} was trained without labels; leave it out."
            )
        if label is None:
            return random.integers(count, n)
        if label == "all":
            return torch.arange(n, device=random.device) * count // n
        names = [str(name) for name in self.classes]
        if str(label) in names:
            return torch.full((n,), names.index(str(label)), device=random.device)
        raise UserError(
            f'There is no class "{label}"; the classes are {", ".join(names)}, or "all".{nearest(str(label), names)}'
        )

    def label_for(self, seed: int) -> Label:
        """What is written into every file made with this generator."""
        return make_label(self.path.name, str(self.record["model"]), self.weights_sha256, seed)

    def open_data(self) -> Data:
        """The data that the run was trained on; raises UserError when they have changed or are gone."""
        asked = self.record["asked"]
        data = open_data(asked["data"], size=asked["size"], seed=self.record["seed"], skip_bad=asked["skip_bad"])
        if data.fingerprint != self.record["data"]["fingerprint"]:
            raise UserError(
                f"The data at {asked['data']} are not those that {self.path} was trained on (their fingerprint "
                "differs); put the old data back or train a new run."
            )
        return data

    def evaluate(self, *, n: int | None = None, seed: int = 0) -> "Run":
        """Judge the generator against held-out data; writes report.json and report.html."""
        from elegan.verbs.evaluate import evaluate

        evaluate(str(self.path), n=n, seed=seed)
        return load_run(str(self.path))

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise UserError(f"{self.path} has no {name} yet; the same train command again finishes the run.") from error


def make_label(run: str, model: str, weights_sha256: str, seed: int) -> Label:
    """What every file of a run says of itself."""
    return Label(f"elegan {__version__} {model}", weights_sha256, seed, run)


def load_run(path: str) -> Run:
    """Open a run folder.  Raises UserError when it isn't one."""
    folder = Path(path)
    if not (folder / "run.json").is_file():
        why = "doesn't exist" if not folder.exists() else "has no run.json, so it is no run"
        raise UserError(f"{folder} {why}; give the folder that `elegan train --out` wrote.")
    run = Run(folder)
    run.record  # noqa: B018  a damaged run.json is said now
    report = folder / "report.json"
    run.report = _read_json(report) if report.exists() else {}
    return run


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically; NaN and infinities become strings."""
    write_atomically(path, (json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def plain(value: Any) -> Any:
    """A value as JSON can hold it: a NaN is the string "NaN"."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path.parent} has no {path.name} yet; the same train command again finishes the run."
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is damaged and can't be read as JSON; restore it or train the run again.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged; restore it or train the run again.")
    return content


__all__ = ["Run", "load_run", "plain", "write_json"]
