"""A run's latent space: from seeds and photos to styles, and from styles to pixels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from elegan.data.images import Unreadable, decode
from elegan.data.pixels import to_tensor
from elegan.errors import UserError
from elegan.game import Random
from elegan.latent import Projection, has_latents, has_scales, is_normal, project, truncate
from elegan.provenance import COMPOSITE, Label, Parent, parent_of, write_image
from elegan.verbs.run import SAMPLE_BATCH, Run, load_run, to_pixels
from elegan.verbs.translating import with_channels

CANDIDATES = 512
"""So many samples are looked at for where to begin a projection."""
CANDIDATES_SEED = 20_190_405
MEASURED, MEASURED_SEED = 1_000, 20_200_618
"""Samples by which it is told how much styles vary."""
MOST_IN_PHOTO = 256 * 2**20
"""Bytes; larger files are refused."""

Source = int | str | PathLike[str]
"""A seed, or the path of an image."""
Sources = Source | Sequence[Source]
"""Some of them, in a text with commas or in a list."""
Layers = str | Sequence[int] | None
"""Numbers and ranges of layers; all when None."""


@dataclass(frozen=True)
class Points:
    """Places in the latent space: styles [n, layers, d], and the label [n] each is drawn with, where there are any."""

    styles: Tensor
    label: Tensor | None
    names: tuple[str, ...] = ()
    """Of each, for people: "seed 5", "photo.png"."""
    projections: tuple[Projection, ...] = ()
    """Of the photos among them."""
    scales: Tensor | None = None
    """What the channels are scaled by [n, c], where that is not what the styles say."""

    def with_styles(self, styles: Tensor) -> "Points":
        """Other styles [m, layers, d] under the first label."""
        label = None if self.label is None else self.label[:1].expand(len(styles))
        return Points(styles, label)


class Space:
    """What the edits need of a run, and ``out``, which no photo may be.  Raises UserError for a run whose model has no
    latent space, or draws no images."""

    def __init__(self, run: Run | str | PathLike[str], label: str | int | None = None, out: Path | None = None) -> None:
        self.run = run if isinstance(run, Run) else load_run(run)
        self.asked, self.out = label, out
        self.game = self.run.game
        if not has_latents(self.game):
            raise UserError(f"{self.run.path} is a {self.run.record['model']}, which has no latent space to edit in.")
        if not self.game.spec.is_image:
            raise UserError(f"{self.run.path} makes vectors, not images; edit takes a run that was trained on images.")
        if label == "all":
            raise UserError('--label is "all", and an edit is of one class; name it, or leave it to the seeds.')

    @property
    def normal(self) -> bool:
        return is_normal(self.game)

    @property
    def device(self) -> torch.device:
        return self.run.engine.device

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Layers, and the dimensions of each."""
        layers, size = self.drawn(1, 0).styles.shape[1:]
        return int(layers), int(size)

    @property
    def length(self) -> float | None:
        """How long a style is that the generator was trained on, where all have about one length."""
        return self.shape[1] ** 0.5 if self.normal else None

    @cached_property
    def measured(self) -> Tensor:
        """The styles of some samples, by which it is told how much styles vary."""
        return self.drawn(MEASURED, MEASURED_SEED).styles

    @torch.no_grad()
    def drawn(self, n: int, seed: int, label: str | int | None = None) -> Points:
        """The points of ``elegan sample --n n --seed seed``."""
        random = Random((seed, 1), self.device)
        labels = self.run.labels(n, self.asked if label is None else label, random)
        parts = []
        for start in range(0, n, SAMPLE_BATCH):
            rows = slice(start, min(n, start + SAMPLE_BATCH))
            z = self.game.latents(rows.stop - rows.start, random)
            parts.append(self.game.styles(z, condition_of(None if labels is None else labels[rows])))
        return Points(torch.cat(parts), labels)

    def points(self, sources: Sequence[Source]) -> Points:
        """One point a source: the first sample of a seed, or the projection of an image."""
        if not sources:
            raise UserError("No seed and no image was given; give some, as 1,5,photo.png.")
        found = [self._point(str(source)) for source in sources]
        labels = [point.label for point in found if point.label is not None]
        return Points(
            torch.cat([point.styles for point in found]),
            torch.cat(labels) if labels else None,
            tuple(name for point in found for name in point.names),
            tuple(projection for point in found for projection in point.projections),
        )

    def _point(self, source: str) -> Points:
        if is_photo(source):
            path = Path(source).expanduser()
            if not path.exists():
                raise UserError(f'"{source}" is neither a seed, a whole number of 0 or more, nor an image that exists.')
            return self.projected(path)
        seed = int(source)
        if not 0 <= seed < 2**63:
            raise UserError(f"A seed is {seed}; it must be a whole number below 2^63.")
        return replace(self.drawn(1, seed), names=(f"seed {seed}",))

    def projected(self, path: Path, *, starts: int = 4, steps: int = 200) -> Points:
        """The point whose image is nearest to an image file of any size.  Raises UserError for one that can't be read.

        A conditional run takes the class that was asked for, else that of the nearest sample.
        """
        target = self.photo(path)
        candidates = self.drawn(CANDIDATES, CANDIDATES_SEED)
        if candidates.label is not None and self.asked is None:
            nearest = int((self.images(candidates) - target.cpu()).abs().mean((1, 2, 3)).argmin())
            candidates = self.drawn(CANDIDATES, CANDIDATES_SEED, label=str(self.run.classes[candidates.label[nearest]]))

        def render(styles: Tensor) -> Tensor:
            label = None if candidates.label is None else candidates.label[:1].expand(len(styles))
            return self.game.render(styles, condition_of(label)).float()

        found = project(render, target, candidates.styles, starts=starts, steps=steps)
        return replace(candidates.with_styles(found.style), names=(path.name,), projections=(found,))

    def photo(self, path: Path) -> Tensor:
        """An image file as the run's data would be, [1, C, H, W]."""
        channels, height, width = self.game.spec.image
        if self.out and self.out.resolve() == path.resolve():
            raise UserError(f"--out {self.out} would overwrite the photo; give another name.")
        try:
            if path.stat().st_size > MOST_IN_PHOTO:
                raise Unreadable(f"larger than {MOST_IN_PHOTO // 2**20} MB")
            pixels = decode(path.read_bytes(), (height, width)).pixels
        except OSError as error:
            raise UserError(f'"{path}" can\'t be read: {(error.strerror or str(error)).lower()}.') from error
        except Unreadable as error:
            raise UserError(f'"{path}" can\'t be used: {error}; give an image file.') from error
        return to_tensor(with_channels_on_white(pixels, channels)[None]).to(self.device)

    @torch.no_grad()
    def images(self, points: Points) -> Tensor:
        """The images [n, C, H, W] of some points, on the processor."""
        parts = []
        for start in range(0, len(points.styles), SAMPLE_BATCH):
            rows = slice(start, start + SAMPLE_BATCH)
            condition = condition_of(None if points.label is None else points.label[rows])
            if points.scales is None:
                images = self.game.render(points.styles[rows], condition)
            else:
                images = self.game.render_scales(points.scales[rows], condition)
            parts.append(images.float().cpu())
        return torch.cat(parts)

    @torch.no_grad()
    def scales(self, styles: Tensor) -> Tensor:
        """What styles [n, layers, d] scale the channels by [n, c].  Raises UserError for a model without such."""
        if not has_scales(self.game):
            raise UserError(
                f"{self.run.path} is a {self.run.record['model']}, whose latents don't scale channels; leave "
                "--channels and --parts out, or train stylegan."
            )
        return self.game.scales(styles)

    def pixels(self, points: Points) -> np.ndarray:
        """The images as they are written, uint8 [n, H, W, C].  Raises UserError where they aren't finite."""
        images = self.images(points)
        if not bool(images.isfinite().all()):
            raise UserError(f"{self.run.path} diverged: its images hold numbers that are not finite; train a new run.")
        return to_pixels(images)

    @torch.no_grad()
    def truncated(self, points: Points, share: float) -> Points:
        """The points nearer to the mean of their label, ``share`` of the way out."""
        mean = self.game.mean_style(len(points.styles), condition_of(points.label)).to(points.styles)
        return replace(points, styles=truncate(points.styles, mean, share))

    def layers(self, wish: Layers) -> list[int]:
        """Layers from a wish like "0-3" or "0,2,5"; all without one.  Raises UserError for what isn't there."""
        layers, _ = self.shape
        if wish is None:
            return list(range(layers))
        asked, chosen = joined(wish), list[int]()
        for part in asked.split(","):
            first, _, last = part.strip().partition("-")
            if not first.isdecimal() or not (last or first).isdecimal():
                raise UserError(f'--layers is "{asked}"; it must be numbers and ranges, as 0-3 or 0,2,5.')
            if max(int(first), int(last or first)) >= layers:
                raise UserError(f'--layers is "{asked}"; {self.run.path} has layers 0 to {layers - 1}.')
            chosen += range(int(first), int(last or first) + 1)
        if not chosen:
            raise UserError(f'--layers is "{asked}", which is none; {self.run.path} has layers 0 to {layers - 1}.')
        return sorted(set(chosen))

    def write(self, sheet: Image.Image, out: Path, sources: Sequence[Source], shown: np.ndarray) -> dict[str, Any]:
        """Write a sheet made from these, which shows the images uint8 [n, H, W, C]; what the file says of itself."""
        sealed = write_image(sheet, out, self.label_for(sources), shown, parents=parents_of(sources))
        return {"provenance": sealed.facts()}

    def label_for(self, sources: Sequence[Source]) -> Label:
        """What is written into a file made from these: that a real image went in, where one did."""
        seeds = [int(str(source)) for source in sources if not is_photo(source)]
        said = self.run.label_for(seeds[0] if seeds else 0)
        return said if len(seeds) == len(sources) else replace(said, digital_source_type=COMPOSITE)


def is_photo(source: Source) -> bool:
    """Whether it isn't a seed."""
    return not isinstance(source, int | np.integer) and not str(source).isdecimal()


def parents_of(sources: Sequence[Source]) -> list[Parent]:
    """The images among some sources, as what a file was made from."""
    return [parent_of(Path(str(source)).expanduser()) for source in dict.fromkeys(sources) if is_photo(source)]


def joined(wish: str | Sequence[object]) -> str:
    """A list as the text with commas that it may be given as."""
    return wish if isinstance(wish, str) else ",".join(map(str, wish))


def sources_in(text: Sources) -> list[Source]:
    """Seeds and paths from "1,5,photo.png", or from a list as it is.  Raises UserError for what is neither."""
    if not isinstance(text, str):
        found: list[Source] = [*text] if isinstance(text, Iterable) else [text]
        if wrong := [each for each in found if not isinstance(each, int | np.integer | str | PathLike)]:
            raise UserError(f"{wrong[0]!r} is neither a seed nor an image; give some, as 1,5,photo.png.")
        return found
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if "" in parts:
        raise UserError(f'"{text}" has nothing beside a comma; give seeds and images, as 1,5,photo.png.')
    return [int(part) if part.isdecimal() else part for part in parts]


def with_channels_on_white(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Pixels [H, W, C] with as many channels as the run has: what is transparent is shown on white."""
    if pixels.shape[-1] == 4 and channels < 4:
        opacity = pixels[..., 3:].astype(np.float64) / 255
        pixels = np.rint(pixels[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return with_channels(pixels[None], channels)[0]


def condition_of(label: Tensor | None) -> Mapping[str, Tensor]:
    return {} if label is None else {"label": label}
