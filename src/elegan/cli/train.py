"""`elegan train`: the options that every model has, and those of the chosen model's Config."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import OmitArgPrefixes, Positional, arg

from elegan.cli.commands import finish
from elegan.cli.overview import HELP
from elegan.cli.parsing import Flag, count, given, optional, options_of, parse
from elegan.errors import UserError
from elegan.models import MODELS, find
from elegan.verbs.engine import EngineOptions

if TYPE_CHECKING:
    from elegan.game import Game


CREW = ("devices", "nodes", "node", "master")


@dataclass(frozen=True)
class TrainOptions:
    model: Positional[str]
    """The model to train."""
    data: Annotated[str, arg(metavar="DATA")]
    """A folder or an archive of images, an array file, or a built-in data set such as digits."""
    out: Annotated[str, arg(metavar="RUN")]
    """The run folder to write; the same command again goes on with it."""
    size: Annotated[str | None, optional("SIZE")] = None
    """Size of the images: 64, or height x width as in 48x64."""
    minutes: Annotated[float | None, optional("MINUTES")] = None
    """The budget in minutes of this machine, or give --images; without one the referee ends training."""
    images: Annotated[str | None, optional("COUNT")] = None
    """The budget in images shown: 4000, 200k or 1.5M."""
    seed: int = 0
    """The seed of every random number."""
    preset: Annotated[str | None, optional("PRESET")] = None
    """Published settings of this model."""
    skip_bad: Flag = False
    """Leave out the files that can't be read."""
    pair: Annotated[str | None, optional("HOW")] = None
    """Make pairs for a translator: "edges" of each image, or "left-to-right" (or "right-to-left") halves of it."""
    labelled: Annotated[int | None, optional("N")] = None
    """Keep so many labels, equally many a class, and hide those of the other training images; for sgan."""
    depicts_people: Flag = False
    """The data show people: the card says so, and pictures are labelled for people to see, too."""
    referee: Flag = True
    """Train until the budget is spent, 4 minutes where there is none, unseen by the referee."""
    dry_run: Flag = False
    """Print the plan and stop."""
    devices: int = 1
    """How many processes share each batch: on CUDA one a device, on a processor one for some of its cores."""
    nodes: int = 1
    """How many machines take part, each started with the same command but for --node."""
    node: int = 0
    """Which of the machines this is, from 0."""
    master: Annotated[str | None, optional("HOST:PORT")] = None
    """With --nodes: node 0 and a free port there."""
    json: Flag = False
    """Print one JSON object as the last line."""
    engine: OmitArgPrefixes[EngineOptions] = field(default_factory=EngineOptions)


def train(words: Sequence[str]) -> int:
    """Parse for the model that the words name, train it, and report."""
    name = _model_in(words)
    if name is None:
        return _without_model(words)
    game = find(name)
    options = parse(_options_for(game), words, prog="elegan train", description=_description(name, game))
    images = None if options.images is None else count(options.images, "--images")
    from elegan.verbs.launch import ProcessLost, speaks
    from elegan.verbs.train import Interrupted, prepare_process
    from elegan.verbs.train import train as conduct

    if options.engine.keep_pages:
        prepare_process()
    try:
        run = conduct(
            options.model, data=options.data, out=options.out, size=options.size, minutes=options.minutes,
            images=images, seed=options.seed, preset=options.preset, skip_bad=options.skip_bad,
            labelled=options.labelled, pair=options.pair, depicts_people=options.depicts_people,
            referee=options.referee, dry_run=options.dry_run, **_settings(options, words),
        )  # fmt: skip
    except (Interrupted, ProcessLost) as stop:
        if speaks():
            print(f"elegan train: {stop}", file=sys.stderr)
        return 130 if isinstance(stop, Interrupted) else 1
    except UserError:
        if speaks():
            raise
        return 2
    result = {"run": str(run.path), "model": name, "dry_run": options.dry_run, "report": run.report}
    return finish(result, as_json=options.json and speaks())


def _options_for(game: "type[Game]") -> Any:
    """The common options with the fields of the game's Config beside them.

    The Config's own checks wait until presets are known: a preset changes the defaults that they compare.
    """
    config: type = game.Config  # type: ignore[attr-defined]
    namespace = {"__doc__": "A preset changes these defaults.", "__post_init__": _unchecked}
    settings = make_dataclass("Settings", [], bases=(config,), frozen=True, namespace=namespace)
    omit: Any = OmitArgPrefixes
    entry = ("settings", omit[settings], field(default_factory=settings))
    return make_dataclass("Options", [entry], bases=(TrainOptions,), frozen=True)


def _unchecked(settings: object) -> None:
    return None


def _settings(options: Any, words: Sequence[str]) -> dict[str, Any]:
    """The processes, the fields of the Config and the engine's options that the user gave."""
    found = {**vars(options.settings), **vars(options.engine), **{name: getattr(options, name) for name in CREW}}
    found.pop("keep_pages")  # for this process, not for the run
    return {name: value for name, value in found.items() if given(words, name)}


def _description(name: str, game: "type[Game]") -> str:
    entry = MODELS[name]
    presets = f"\nPresets: {', '.join(game.presets)}." if game.presets else ""
    return f"Train {name}: {entry.title}.\n{entry.paper}, {entry.year}, arXiv:{entry.arxiv}.{presets}"


def _without_model(words: Sequence[str]) -> int:
    """Help in general; torch isn't imported for it."""
    if not set(HELP) & set(words):
        raise UserError(f"no model is named; elegan train MODEL takes {', '.join(MODELS)}.")
    listed = "\n".join(f"  {name:10}{entry.title}" for name, entry in MODELS.items())
    description = f"Train a model on data into a run folder, and judge it.  The models:\n{listed}\n"
    description += "`elegan train MODEL --help` lists the settings of a model."
    parse(TrainOptions, HELP[-1:], prog="elegan train", description=description)
    return 0


def _model_in(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor an option's value."""
    flags = {option.spelling for option in options_of(TrainOptions) if option.kind is bool}
    before = ""
    for word in words:
        takes_value = before.startswith("--") and "=" not in before and before not in flags
        if not word.startswith("-") and (not takes_value or before.startswith("--no-")):
            return word
        before = word
    return None
