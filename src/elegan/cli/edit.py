"""`elegan edit RUN ACTION …`: the options of each edit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction, arg

from elegan.cli.commands import finish
from elegan.cli.overview import HELP
from elegan.cli.parsing import Flag, Profile, VisibleLabel, is_yes, optional, parse
from elegan.errors import UserError, nearest

POINTS = "POINTS"
"""Seeds and paths of images, with commas between them."""


@dataclass(frozen=True)
class EditOptions:
    run: Positional[str]
    """The run folder that train wrote."""
    out: Annotated[str, arg(metavar="PATH")]
    """The picture to write, .png; for a walk the film, .gif or .mp4."""
    label: Annotated[str | None, optional("CLASS")] = None
    """The class to draw, by name or number, for a run that takes one; else each seed has its own."""
    profile: Profile = None
    visible_label: VisibleLabel = None
    json: Flag = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True)
class MixOptions(EditOptions):
    rows: Annotated[str, arg(metavar=POINTS)] = "1,2,3"
    """Seeds and images, 1,5,me.png: each is a row."""
    columns: Annotated[str, arg(metavar=POINTS)] = "4,5,6,7,8"
    """Seeds and images whose layers are taken, each a column."""
    layers: Annotated[str | None, optional("LAYERS")] = None
    """Which layers are the column's, 0 the coarsest: 0-3 or 0,2,5; the coarser half when not given."""
    parts: Annotated[str | None, optional("PARTS")] = None
    """Instead of layers: which parts of the data are mostly the column's, skin,shirt; of a stylegan."""


@dataclass(frozen=True)
class ArithmeticOptions(EditOptions):
    plus: UseAppendAction[Annotated[tuple[str, ...], arg(metavar=POINTS)]] = ()
    """Seeds and images of one concept, to be averaged and added; may be given again.  Three or more are steadier."""
    minus: UseAppendAction[Annotated[tuple[str, ...], arg(metavar=POINTS)]] = ()
    """The same, to be averaged and subtracted."""
    strength: Annotated[float | None, optional("FLOAT")] = None
    """How much of all that to do to the last --plus: 1 when not given, or with --parts what it takes."""
    layers: Annotated[str | None, optional("LAYERS")] = None
    """In these layers alone, 0 the coarsest: 0-3 or 0,2,5."""
    channels: Annotated[int | None, optional("COUNT")] = None
    """Instead of layers: in so many channels, those that differ the most (with --parts at most so many); stylegan."""
    parts: Annotated[str | None, optional("PARTS")] = None
    """Instead of layers: in channels that have to do with these parts of the data, glasses or skin,hair."""


@dataclass(frozen=True)
class DirectionsOptions(EditOptions):
    seeds: Annotated[str, arg(metavar=POINTS)] = "1,2"
    """Seeds and images to move."""
    by: Annotated[Literal["closed-form", "principal", "labels"] | None, optional("WAY")] = None
    """closed-form: from the weights; principal: where styles vary most; labels: what the data's parts name."""
    part: Annotated[str | None, optional("PARTS")] = None
    """Parts of the data, by labels: glasses, or one value, hat=crown, or several, glasses,hat=crown."""
    keep: Annotated[str | None, optional("PARTS")] = None
    """Which other parts are to stay as they are: all when not given; or none."""
    layers: Annotated[str | None, optional("LAYERS")] = None
    """Move these layers alone, 0 the coarsest: 0-3 or 0,2,5."""
    strength: float = 2.0
    """How far to go either way, in standard deviations of the styles."""
    count: int = 5
    """How many directions, without labels."""


@dataclass(frozen=True)
class ChangeOptions(EditOptions):
    part: Annotated[str, arg(metavar="PARTS")] = ""
    """What is to be changed, and to what: hat=crown, or several, hat=crown,glasses=none; all else stays."""
    seeds: Annotated[str, arg(metavar=POINTS)] = "1,2,3,4"
    """Seeds and images to change."""
    steps: int = 60
    """How long to search."""


@dataclass(frozen=True)
class ProjectOptions(EditOptions):
    photo: Positional[str] = ""
    """The image to find, of any size."""
    starts: int = 4
    """From how many samples to search."""
    steps: int = 200
    """How long to search."""


@dataclass(frozen=True)
class TruncateOptions(EditOptions):
    seeds: Annotated[str, arg(metavar=POINTS)] = "1,2,3,4,5,6"
    """Seeds and images to bring nearer to the mean."""


@dataclass(frozen=True)
class WalkOptions(EditOptions):
    seeds: Annotated[str, arg(metavar=POINTS)] = "1,2,3,4"
    """Seeds and images to walk through, and back to the first."""
    frames: int = 24
    """Frames from each to the next."""
    fps: int = 24
    """Frames a second."""


COMMON = [field.name for field in fields(EditOptions)]
ACTIONS: dict[str, tuple[type[EditOptions], str]] = {
    "mix": (MixOptions, "a grid of images with some layers of others"),
    "arithmetic": (ArithmeticOptions, "averaged concepts added and subtracted"),
    "directions": (DirectionsOptions, "what changes along directions, with names or without"),
    "change": (ChangeOptions, "some parts of images changed, and nothing else"),
    "project": (ProjectOptions, "the nearest image to a photo that the run draws"),
    "truncate": (TruncateOptions, "images ever nearer to the mean"),
    "walk": (WalkOptions, "a film from image to image"),
}


def edit(words: Sequence[str]) -> int:
    """Find the action among the words, parse its options, and do it."""
    action = next((word for word in words[:2] if word in ACTIONS), None)
    if action is None:
        return _without_action(words)
    rest = list(words)
    rest.remove(action)
    kind, summary = ACTIONS[action]
    options = parse(kind, rest, prog=f"elegan edit {action}", description=f"Of a run's latent space: {summary}.")
    given = {name: value for name, value in vars(options).items() if name not in COMMON}
    from elegan.verbs.edit import edit as do

    done = do(
        options.run, action, out=options.out, label=options.label, profile=options.profile,
        visible_label=is_yes(options.visible_label), **given,
    )  # fmt: skip
    if not options.json:
        _say(done)
    return finish(done, as_json=options.json)


def _say(done: dict[str, Any]) -> None:
    if "distance" in done:
        nearest_sample = f"the nearest sample's is {done['before']:.1f}"
        print(f"Mean difference from the photo: {done['distance']:.1f} levels of 255; {nearest_sample}.")
    for part, share in done.get("recognised", {}).items():
        print(f"The recogniser tells {part} of {share:.1%} of held-out images.")
    if "shown" in done:
        many = f"{done['channels']} channel{'' if done['channels'] == 1 else 's'}"
        wanted = " and ".join(f"{part} ({' or '.join(values)})" for part, values in done["values"].items())
        sees = "see" if done["shown"] else "don't both see"
        print(f"Added in {many}, {done['strength']:.3g} times; the two networks {sees} {wanted}.")
    if "changed" in done:
        kept = "" if done["kept"] is None else f", and {done['kept']:.0%} of their other parts are as before"
        shown = f"{done['changed']:.0%} of the images show {' and '.join(done['parts'])}{kept}"
        print(f"{shown}, in the eyes of the networks that led the change.")
    print(f"{done['out']} is written, labelled as generated.")


def _without_action(words: Sequence[str]) -> int:
    if not set(HELP) & set(words):
        named = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
        wrong = f'there is no edit "{named}"' if named else "no edit is named"
        close = nearest(named, ACTIONS) if named else ""
        raise UserError(f"{wrong}; elegan edit RUN takes {', '.join(ACTIONS)}.{close}")
    listed = "\n".join(f"  {name:12}{summary}" for name, (_, summary) in ACTIONS.items())
    description = f"Edit in a run's latent space: elegan edit RUN ACTION --out PATH.  The actions:\n{listed}\n"
    description += "`elegan edit ACTION --help` lists the options of an action."
    parse(EditOptions, HELP[-1:], prog="elegan edit", description=description)
    return 0
