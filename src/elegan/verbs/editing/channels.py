"""Edits of single channels instead of whole styles: parts taken from another image, and concepts added in a few."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from elegan.errors import UserError
from elegan.latent import Recogniser, affinity, influence, raising, strongest
from elegan.verbs.editing.kept import Findings, kept
from elegan.verbs.editing.recognising import part_in, parts_of, recognisers_of
from elegan.verbs.editing.space import Points, Space, condition_of

FILE = "channels.safetensors"
EXAMINED, EXAMINED_SEED = 128, 20_201_125
"""At so many samples it is looked at what channels change."""
CHANNELS = 15
"""In so many a concept is added when nothing else is said."""
FARTHEST, STEPS, SURE = 4.0, 40, 0.97
"""How far channels are moved until the parts show, in standard deviations on the mean, in how many steps, and how sure
each recogniser must be that they do (LOG.md)."""
MORE = 0.1
"""A value that is this much more frequent among what is added is what the concepts are about."""


@dataclass(frozen=True)
class Parts:
    """Parts of a run's data, and what its channels have to do with them."""

    names: tuple[str, ...]
    indices: tuple[int, ...]
    values: tuple[Sequence[str], ...]
    """The names of each one's."""
    recognisers: Sequence[Recogniser]
    affinity: Tensor
    """How many times more each channel has to do with these parts than with the others, [c]."""

    @property
    def carriers(self) -> Tensor:
        """The channels, bool [c], that have more to do with these parts than with the others."""
        return self.affinity > 1


def parts_named(space: Space, wish: str | Sequence[str]) -> Parts:
    """The parts of "skin,shirt".  Raises UserError for one that there isn't, for all parts, and for a model whose
    styles don't scale channels, before anything is taught."""
    space.scales(space.measured[:1])  # raises UserError where there are none
    chosen = _indices(space, wish)
    recognisers, names, values = recognisers_of(space)
    shares = _shares(space, recognisers, names)
    named, told = tuple(names[index] for index in chosen), tuple(values[index] for index in chosen)
    return Parts(named, chosen, told, recognisers, affinity(shares, chosen))


def _shares(space: Space, recognisers: Sequence[Recogniser], names: Sequence[str]) -> Tensor:
    """How much each channel has to do with each part, [c, parts]: the mean of what the recognisers see, kept in the
    run's folder."""

    def find() -> Findings:
        shares = _examined(space, recognisers).unflatten(1, (len(recognisers), len(names))).mean(1)
        return {"shares": shares.cpu()}, None

    def build(tensors: Mapping[str, Tensor], _: Any) -> Tensor:
        if tensors["shares"].shape != (space.scales(space.measured[:1]).shape[1], len(names)):
            raise ValueError("These are no shares of this run's channels.")
        return tensors["shares"].to(space.device)

    of = {"weights_sha256": space.run.weights_sha256, "label": space.asked, "parts": names}
    return kept(space.run.path / FILE, of, find, build)


def _examined(space: Space, recognisers: Sequence[Recogniser]) -> Tensor:
    """The same for each recogniser, [c, recognisers · parts], at some samples."""
    drawn = space.drawn(EXAMINED, EXAMINED_SEED)
    label = None if drawn.label is None else drawn.label[:1]

    def render(scales: Tensor) -> Tensor:
        condition = condition_of(None if label is None else label.expand(len(scales)))
        return space.game.render_scales(scales, condition).float()

    def look(images: Tensor) -> list[Tensor]:
        return [logits for recogniser in recognisers for logits in recogniser(images)]

    return influence(render, look, space.scales(drawn.styles), space.scales(space.measured).std(0))


def _indices(space: Space, wish: str | Sequence[str]) -> tuple[int, ...]:
    """Which of the data's parts are wished for."""
    names, _, _ = parts_of(space, space.run.open_data())
    wanted = [str(name).strip() for name in (wish.split(",") if isinstance(wish, str) else wish)]
    if not wanted or "" in wanted:
        raise UserError(
            f'--parts is "{wish}"; give names of parts with commas between them, as {", ".join(names[:2])}.'
        )
    for name in wanted:
        part, is_value, _ = name.partition("=")
        if is_value and part in names:
            raise UserError(f'--parts takes parts, not values; give "{part}" instead of "{name}".')
    indices = tuple(sorted({part_in(name, names) for name in wanted}))
    if len(names) == 1:
        raise UserError(f"The data of {space.run.path} tell the {names[0]} alone; --parts takes some of several parts.")
    if len(indices) == len(names):
        raise UserError(f"--parts names all there are, {', '.join(names)}; leave some that are to stay as they are.")
    return indices


def taking_channels(space: Space, own: Points, others: Tensor, chosen: Tensor) -> Points:
    """The points with the chosen channels, bool [c], scaled as other styles [n, layers, d] scale them."""
    return replace(own, scales=torch.where(chosen, space.scales(others), space.scales(own.styles)))


@dataclass(frozen=True)
class Concepts:
    """Groups of styles [k, layers, d] whose means are added, and those whose means are subtracted."""

    plus: Sequence[Tensor]
    minus: Sequence[Tensor]

    def difference(self, space: Space, centre: Tensor) -> Tensor:
        """What is added to each channel's scale [c]: the concepts' means, each less the mean of all samples [c]."""
        total = torch.zeros_like(centre)
        for sign, groups in ((1, self.plus), (-1, self.minus)):
            for group in groups:
                total += sign * (space.scales(group).mean(0) - centre)
        return total


def count_of(space: Space, channels: int | None) -> int:
    """In how many channels concepts are added.  Raises UserError for a number that there isn't."""
    there = space.scales(space.measured[:1]).shape[1]
    if channels is None:
        return min(CHANNELS, there)
    if isinstance(channels, bool) or not isinstance(channels, int) or not 1 <= channels <= there:
        raise UserError(f"--channels is {channels}; {space.run.path} has {there}, so give 1 to as many.")
    return channels


def summed_in_channels(
    space: Space, base: Points, concepts: Concepts, strength: float | None, count: int, parts: Parts | None
) -> tuple[Points, dict[str, Any]]:
    """The mean of ``base`` with concepts added in the channels where they differ the most, and what was done.

    With ``parts``, in those that have most to do with these and where, at the mean, the concepts raise the most what
    recognisers see of them; and without a strength as strongly as it takes until all recognisers see there what the
    concepts show; "shown" says whether they do, "values" what that is.
    """
    measured = space.scales(space.measured)
    difference, deviation = concepts.difference(space, measured.mean(0)), measured.std(0)
    mean, said = base.with_styles(base.styles.mean(0, keepdim=True)), dict[str, Any]()
    if parts is None:
        way = strongest(difference, deviation, count)
        strength = 1.0 if strength is None else strength
    else:
        gained = _gained(space, concepts, parts)
        way = raising(difference, _slopes(space, mean, gained, parts), parts.affinity.square(), count)
        strengths = _tried(way / deviation.clamp(min=1e-6)) if strength is None else way.new_tensor([strength])
        likely = _likely(space, mean, strengths[:, None] * way, gained, parts)
        seen = (likely.amin(0) > SURE).nonzero().flatten()
        best = int(seen[0] if len(seen) else likely.mean(0).argmax())
        strength = float(strengths[best])
        said = {"parts": list(parts.names), "values": _spoken(gained, parts), "shown": bool(len(seen))}
    said |= {"strength": strength, "channels": int(way.count_nonzero())}
    return replace(mean, scales=space.scales(mean.styles) + strength * way), said


def _tried(way: Tensor) -> Tensor:
    """The strengths that are tried of a way [c] in standard deviations: farther than FARTHEST nothing is drawn well."""
    far = way.abs().sum() / way.count_nonzero().clamp(min=1)
    steps = torch.arange(1, STEPS + 1).to(way) * FARTHEST / STEPS
    return steps / far if far > 0 else torch.zeros_like(steps)


@torch.enable_grad()
def _slopes(space: Space, mean: Points, gained: Mapping[int, Tensor], parts: Parts) -> Tensor:
    """By how much, for each part, the recognisers' log odds of what the concepts show rise with each channel's scale,
    [parts, c]."""
    scales = space.scales(mean.styles).detach().requires_grad_(True)
    images = space.game.render_scales(scales, condition_of(mean.label)).float()
    seen = [recogniser(images) for recogniser in parts.recognisers]
    slopes = []
    for part, values in gained.items():
        odds = [logits[part][:, values].logsumexp(1) - logits[part][:, ~values].logsumexp(1) for logits in seen]
        slopes.append(torch.autograd.grad(torch.stack(odds).sum(), scales, retain_graph=True)[0][0])
    return torch.stack(slopes)


def _spoken(gained: Mapping[int, Tensor], parts: Parts) -> dict[str, list[str]]:
    """Part → the names of the values gained."""
    named = dict(zip(parts.indices, zip(parts.names, parts.values, strict=True), strict=True))
    return {named[part][0]: [named[part][1][int(i)] for i in values.nonzero()] for part, values in gained.items()}


def _likely(space: Space, mean: Points, ways: Tensor, gained: Mapping[int, Tensor], parts: Parts) -> Tensor:
    """How sure each recogniser is, at the end of each of n ways [n, c], of each part that the concepts are about,
    [recognisers · parts, n]."""
    expanded = mean.with_styles(mean.styles.expand(len(ways), -1, -1))
    images = space.images(replace(expanded, scales=space.scales(mean.styles) + ways)).to(space.device)
    found = []
    with torch.no_grad():
        for logits in (recogniser(images) for recogniser in parts.recognisers):
            found += [logits[part].softmax(1)[:, values].sum(1) for part, values in gained.items()]
    return torch.stack(found)


def _gained(space: Space, concepts: Concepts, parts: Parts) -> dict[int, Tensor]:
    """Part → its values, bool [values], that are more frequent among what is added than among what is subtracted, all
    samples standing in for what isn't there; parts in which nothing is are left out.  Raises UserError where that is
    all of them."""
    if not concepts.plus and not concepts.minus:
        raise UserError("There is nothing to add or to subtract; give a --plus before the last one, or a --minus.")
    sides = [torch.cat(list(groups or [space.measured])) for groups in (concepts.plus, concepts.minus)]
    images = [space.images(Points(side, None)).to(space.device) for side in sides]
    told = [torch.cat([recogniser.predict(each) for recogniser in parts.recognisers]) for each in images]
    found = {}
    for part, values in zip(parts.indices, parts.values, strict=True):
        added, taken = (torch.bincount(each[:, part], minlength=len(values)) / len(each) for each in told)
        if bool((values_more := added > taken + MORE).any()):
            found[part] = values_more
    if not found:
        raise UserError(f"What is added shows no other {' or '.join(parts.names)} than what is subtracted.")
    return found
