"""The run folder as a user sees it: what train wrote and the other commands open."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from elegan import __version__
from elegan.data import Data, keep_labels, open_data
from elegan.errors import UserError, nearest
from elegan.files import write_atomically
from elegan.game import Game, Random, Spec
from elegan.json_values import as_json
from elegan.latent.styles import has_latents, truncate
from elegan.models import find
from elegan.pictures import to_image
from elegan.provenance import COMPOSITE, TRAINED, Label, LabelledImage, checked_profile
from elegan.training.engine import Engine, choose
from elegan.verbs.plan import make_config
from elegan.verbs.translating import held_sources, translate

SAMPLE_BATCH = 256
RUN_FIELDS = ("model", "preset", "config", "seed", "asked", "budget", "tick", "data", "precision")
GENERATOR_FIELDS = ("model", "config", "shapes", "classes", "items", "scale", "conditional", "sha256", "images")


class Samples(Tensor):
    """What a generator drew: a tensor whose pictures are labelled when they are saved.

    Computing with it gives plain tensors, and neither ``torch.save`` nor ``.numpy()`` can take the label along: give
    others the pictures, or what ``elegan.sample`` writes.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    provenance: Label

    def images(self) -> list[LabelledImage]:
        """The samples [n, C, H, W] as pictures that are labelled when they are saved."""
        if self.dim() != 4:
            raise UserError("These samples are vectors, not images; they have no pictures.")
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
    report: dict[str, Any] = field(default_factory=dict, repr=False)
    """The last evaluation, as in report.json; empty before one was made."""
    profile: str | None = None
    """What labels are to hold beside the usual: "cn" or nothing; when not said, $ELEGAN_PROFILE."""
    visible_label: bool | None = None
    """Whether pictures say it visibly, too; when not said, those of runs whose data depict people."""

    @cached_property
    def record(self) -> dict[str, Any]:
        """run.json: everything that made the run."""
        return _read_json(self.path / "run.json", RUN_FIELDS)

    @cached_property
    def described(self) -> dict[str, Any]:
        """generator.json: how to rebuild the networks around the weights."""
        return _read_json(self.path / "generator.json", GENERATOR_FIELDS)

    @cached_property
    def weights(self) -> bytes:
        """generator.safetensors; raises UserError when it is missing or isn't the file that was written."""
        path = self.path / "generator.safetensors"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _unfinished(path) from error
        if hashlib.sha256(content).hexdigest() != self.described["sha256"]:
            raise UserError(f"{path} has changed since it was written; restore it or train the run again.")
        return content

    @property
    def weights_sha256(self) -> str:
        return hashlib.sha256(self.weights).hexdigest()

    @property
    def verdict(self) -> str:
        """The code of the last evaluation's verdict."""
        return str(self.report.get("verdict", "CANNOT_TELL"))

    @cached_property
    def game(self) -> Game:
        """The game with its delivered networks loaded, ready to sample from."""
        tensors = self.weights
        try:
            game = _rebuild(self.described)
            loaded = load(tensors)
            for name in game.deliver:
                mine = {k.removeprefix(f"{name}."): v for k, v in loaded.items() if k.startswith(f"{name}.")}
                game.get_submodule(name).load_state_dict(mine)
        except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            path = self.path / "generator.json"
            reason = "one of the two was changed, or a version of elegan with other networks made them"
            raise UserError(
                f"{path} doesn't describe the weights beside it: {reason}; restore it or train again."
            ) from error
        self.engine.place(game)
        return game.eval()

    @cached_property
    def engine(self) -> Engine:
        """Samples are drawn in float32, so that every machine draws nearly the same."""
        return choose("float32")

    def sample(
        self, n: int = 64, *, label: int | str | None = None, seed: int = 0, truncation: float | None = None
    ) -> Samples:
        """n samples as a tensor [n, C, H, W] in about [-1, 1], or [n, D] vectors in the data's own units.

        ``label`` is a class's name or number, or "all" for equal shares in order; without one, labels are
        drawn at random.  The same seed gives the same samples.  ``truncation`` below 1 brings them nearer to the
        mean style.  ``.images()`` turns them into pictures.
        """
        samples = self.sample_with_labels(n, label=label, seed=seed, truncation=truncation)[0].as_subclass(Samples)
        samples.provenance = self.label_for(seed)
        return samples

    def sample_with_labels(
        self, n: int, *, label: int | str | None = None, seed: int = 0, truncation: float | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The samples and the labels that were asked for (int64 [n]; None where the model takes none)."""
        for name, value, least in (("n", n, 1), ("seed", seed, 0)):
            if not isinstance(value, int | np.integer) or not least <= value < 2**63:
                raise UserError(f"{name} is {value!r}; it must be a whole number of {least} or more.")
        if truncation is not None and not 0 <= truncation <= 2:
            raise UserError(f"--truncation is {truncation}; it must lie between 0 and 2, and 1 changes nothing.")
        if truncation is not None and not has_latents(self.game):
            raise UserError(f"{self.path} is a {self.record['model']}, which has no latents; leave --truncation out.")
        random = Random((int(seed), 1), self.engine.device)
        labels = self.labels(int(n), label, random)
        if self.translations:
            return self._translated_sources(int(n), int(seed)), None
        samples = generate(self.game, int(n), labels, random, truncation)
        return samples * float(self.described["scale"]), None if labels is None else labels.cpu()

    def translated(self, data: Data, part: str, n: int, seed: int) -> tuple[Tensor, np.ndarray | None]:
        """What up to n held-out sources of a part become, [m, C, H, W], and their labels, where they are known."""
        sources, labels = held_sources(data, part, n, seed)
        return translate(self.game, sources, self.translations[0]), labels

    def _translated_sources(self, n: int, seed: int) -> Tensor:
        """n translated validation sources, or UserError."""
        own = f"elegan apply {self.path} translates images of your own"
        try:
            data = self.open_data()
        except UserError as error:
            raise UserError(f"{str(error).rstrip('.')}; {own}.") from error
        samples = self.translated(data, "validation", n, seed)[0]
        if len(samples) < n:
            raise UserError(f"{n} samples are asked for, and {len(samples)} held-out sources are there; {own}.")
        return samples

    @property
    def translations(self) -> tuple[str, ...]:
        """The sides that a translator makes images of, "A" and "B"; empty for what draws from noise."""
        return find(str(self.described["model"])).translations

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that can be asked for; empty for a model that takes no label."""
        return tuple(str(name) for name in self.described["classes"]) if self.described["conditional"] else ()

    def to_items(self, samples: Tensor) -> np.ndarray:
        """What is written to files and judged: uint8 [n, H, W, C]; vectors stay float32 [n, D]."""
        return to_pixels(samples) if samples.dim() == 4 else samples.numpy()

    def labels(self, n: int, label: int | str | None, random: Random) -> Tensor | None:
        """The labels [n] for a wish; raises UserError for a class that there isn't."""
        names = list(self.classes)
        if not names:
            if label is None:
                return None
            raise UserError(f"{self.path} draws no class on demand and can't be asked for {label}; leave it out.")
        if label is None:
            return random.integers(len(names), n)
        if str(label) in names:
            return torch.full((n,), names.index(str(label)), device=random.device)
        if label == "all":
            return torch.arange(n, device=random.device) * len(names) // n
        if str(label).isdecimal() and int(label) < len(names):
            return torch.full((n,), int(label), device=random.device)
        shown = ", ".join(names[:30])
        raise UserError(f'There is no class "{label}"; the classes are {shown}, or "all".{nearest(str(label), names)}')

    def label_for(self, seed: int | None) -> Label:
        """What is written into every file made with this generator; a translation needs no seed."""
        name, model = self.path.resolve().name, str(self.record["model"])
        seed, translated = None if seed is None else int(seed), bool(self.translations)
        people = bool(self.record["asked"].get("depicts_people"))
        return make_label(
            name, model, self.weights_sha256, seed, translated=translated, profile=self.profile,
            visible=people if self.visible_label is None else self.visible_label,
        )  # fmt: skip

    def labelling(self, profile: str | None, visible_label: bool | None) -> "Run":
        """This run, with labels of that kind.  Raises UserError for a profile that there isn't."""
        self.profile, self.visible_label = checked_profile(profile), visible_label
        return self

    def open_data(self) -> Data:
        """The data that the run was trained on; raises UserError when they have changed or are gone."""
        asked = self.record["asked"]
        try:
            data = open_data(asked["data"], size=asked["size"], skip_bad=asked["skip_bad"], pair=asked.get("pair"))
        except UserError as error:
            raise UserError(f"The data that {self.path} was trained on can't be opened: {error}") from error
        if (labelled := asked.get("labelled")) is not None:
            data = keep_labels(data, int(labelled), int(self.record["seed"]))
        if data.fingerprint != self.record["data"]["fingerprint"]:
            raise UserError(
                f"The data at {asked['data']} are not those that {self.path} was trained on (their fingerprint "
                "differs); put the old data back or train a new run."
            )
        return data

    def evaluate(self, *, n: int | None = None, seed: int = 0) -> "Run":
        """Judge the generator against held-out data; writes report.json and report.html, or report-nN.* where n is
        below the usual number."""
        from elegan.verbs.evaluate import evaluate

        judged = load_run(self.path)
        judged.report = evaluate(self.path, n=n, seed=seed)
        return judged

    def read_report(self, name: str = "report") -> dict[str, Any]:
        """NAME.json, an evaluation; empty where there is none, or a damaged one: evaluate writes a new one."""
        try:
            return _read_json(self.path / f"{name}.json", ("verdict",))
        except UserError:
            return {}


@torch.no_grad()
def generate(game: Game, n: int, labels: Tensor | None, random: Random, truncation: float | None = None) -> Tensor:
    """n samples on the processor in float32, a few hundred at a time."""
    parts = []
    for start in range(0, n, SAMPLE_BATCH):
        rows = slice(start, min(n, start + SAMPLE_BATCH))
        condition = {} if labels is None else {"label": labels[rows].to(random.device)}
        parts.append(_drawn(game, rows.stop - rows.start, condition, random, truncation).float().cpu())
    return torch.cat(parts)


def _drawn(game: Game, n: int, condition: Mapping[str, Tensor], random: Random, truncation: float | None) -> Tensor:
    if truncation is None:
        return game.sample(n, condition, random)
    styles = game.styles(game.latents(n, random), condition)
    return game.render(truncate(styles, game.mean_style(n, condition).to(styles), truncation), condition)


def make_label(
    run: str, model: str, weights_sha256: str | None, seed: int | None, *, visible: bool, translated: bool = False,
    profile: str | None = None,
) -> Label:  # fmt: skip
    """What every file of a run says of itself; ``translated`` files are made out of real ones.

    Without a ``profile`` it is $ELEGAN_PROFILE's.  Raises UserError for one that there isn't.
    """
    return Label(
        f"elegan {__version__} {model}", weights_sha256, seed, run, profile=checked_profile(profile), visible=visible,
        digital_source_type=COMPOSITE if translated else TRAINED,
    )  # fmt: skip


def load_run(path: str | PathLike[str]) -> Run:
    """Open a run folder.  Raises UserError when it isn't one, and for an $ELEGAN_PROFILE that there isn't."""
    checked_profile(None)
    folder = Path(_as_path(path))
    if not (folder / "run.json").is_file():
        why = "has no run.json, so it is no run" if folder.exists() else "doesn't exist"
        raise UserError(f"{folder} {why}; give the folder that `elegan train --out` wrote.")
    run = Run(folder)
    run.record  # noqa: B018  a damaged run.json is said now
    run.report = run.read_report()
    return run


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically; NaN and infinities become strings."""
    text = json.dumps(as_json(content), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def _rebuild(described: dict[str, Any]) -> Game:
    kind = find(described["model"])
    shapes = {name: tuple(int(side) for side in shape) for name, shape in described["shapes"].items()}
    spec = Spec(shapes, tuple(described["classes"]), int(described["items"]))
    return kind(make_config(described["model"], kind, None, described["config"]), spec)


def _as_path(path: object) -> str:
    if isinstance(path, str | PathLike):
        return str(fspath(path))
    raise UserError(f"{path!r} is no path; give the run folder's name.")


def _unfinished(path: Path) -> UserError:
    return UserError(f"{path.parent} has no {path.name} yet; the same train command again finishes the run.")


def _read_json(path: Path, needs: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _unfinished(path) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged and can't be read; restore it or train the run again.") from error
    missing = [name for name in needs if not isinstance(content, dict) or name not in content]
    if missing:
        raise UserError(f"{path} is damaged: it has no {missing[0]}; restore it or train the run again.")
    assert isinstance(content, dict)
    return content


__all__ = ["Run", "Samples", "generate", "load_run", "make_label", "to_pixels", "write_json"]
