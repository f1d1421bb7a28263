"""`elegan train`: from the data to a trained, judged and labelled generator in a run folder."""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from elegan.data import Data
from elegan.data.found import printable
from elegan.errors import UserError
from elegan.game import Ranks
from elegan.json_values import as_json
from elegan.provenance import checked_profile
from elegan.training.allocator import keep_pages
from elegan.training.ranks import by_all, by_first, is_launched, joined
from elegan.verbs.conduct import Interrupted, conduct
from elegan.verbs.folder import Folder
from elegan.verbs.launch import Crew, ProcessLost, launch
from elegan.verbs.plan import Plan, make_plan
from elegan.verbs.progress import Display
from elegan.verbs.run import Run, load_run

SAME = {
    "model": "model", "preset": "preset", "seed": "seed", "asked": "command", "data": "data", "config": "configuration",
    "precision": "precision", "engine": "engine",
}  # fmt: skip
"""What must not change between a run and its resumption, and what a person calls it; the reasons before what follows
from them."""


def is_count(value: Any) -> bool:
    """Whether this is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


RECORDED: dict[str, Callable[[Any], bool]] = {
    "budget": lambda budget: isinstance(budget, dict) and is_count(budget.get("images")) and "probe" in budget,
    "tick": is_count,
    "data": lambda data: isinstance(data, dict),
    "asked": lambda asked: isinstance(asked, dict),
}
"""What a run that goes on needs of run.json."""


def train(
    model: str,
    *,
    data: str | PathLike[str],
    out: str | PathLike[str],
    size: Any = None,
    minutes: float | None = None,
    images: int | None = None,
    seed: int = 0,
    preset: str | None = None,
    skip_bad: bool = False,
    labelled: int | None = None,
    pair: str | None = None,
    depicts_people: bool = False,
    referee: bool = True,
    dry_run: bool = False,
    quiet: bool = False,
    devices: int = 1,
    nodes: int = 1,
    node: int = 0,
    master: str | None = None,
    **settings: Any,
) -> Run:
    """Train a model on data into the folder ``out``, or go on with the run that is there.

    ``settings`` are fields of the model's Config, ``gamma=0.5`` say, and of EngineOptions, which says how to
    compute: ``threads=1``, ``precision="float32"``; a run that goes on keeps its own.  The budget is ``minutes`` or
    ``images``; when neither is given the referee ends training, or 4 minutes do where there is no referee.  With
    ``dry_run`` nothing is trained: the plan is printed.
    ``labelled`` training images keep their labels, for a model that learns from few; the others lose theirs.
    ``pair`` makes the pairs that a translator learns from: "edges" of each image, or its "left-to-right" halves.
    ``depicts_people`` says that the data show people: what the run draws is then labelled in the picture, too.
    Data whose terms forbid derivatives are trained on after a warning on stderr.
    ``devices`` processes train together here, on each of ``nodes`` machines, of which this is number ``node`` and
    ``master`` ("host:port") is node 0; ``out`` and the data must be where all see them.
    Raises UserError for a mistake in what was asked or in $ELEGAN_PROFILE, Interrupted after a stop by Ctrl-C was
    saved, and ProcessLost when one of several processes was killed.
    """
    crew = Crew(devices, nodes, node, master)
    checked_profile(None)
    if not isinstance(out, str | PathLike):
        raise UserError(f"{out!r} is no path; --out names the folder to write the run into.")
    asked = {
        "data": data, "size": size, "minutes": minutes, "images": images, "seed": seed, "preset": preset,
        "skip_bad": skip_bad, "labelled": labelled, "pair": pair, "depicts_people": depicts_people, **settings,
    }  # fmt: skip
    folder = Folder(Path(fspath(out)).expanduser())
    if crew.size > 1 and not dry_run:
        folder.refuse_foreign()
        launch(crew, {"model": model, "out": str(folder.path), "referee": referee, "quiet": quiet, **asked})
        return load_run(folder.path)
    with joined() as ranks:
        return _train(model, folder, asked, ranks, max(ranks.size, crew.size), referee, dry_run, quiet)


def _train(
    model: str, folder: Folder, asked: Mapping[str, Any], ranks: Ranks, size: int, referee: bool, dry_run: bool,
    quiet: bool,
) -> Run:  # fmt: skip
    """Train in this process, one of ``ranks``; rank 0 alone writes and speaks."""
    by_first(folder.refuse_foreign, ranks)
    there = by_first(lambda: _record_there(folder), ranks)
    engine = _engine_to_keep(there, asked, ranks)
    plan = _plan_of_all(model, asked, engine, ranks)
    _refuse_uneven(plan.config.batch, size)
    display = Display(plan, str(folder.path), quiet=quiet or ranks.rank > 0, with_referee=referee)
    display.say_plan()
    if size > 1:
        display.say(f"{size} processes share each batch: {plan.config.batch // size} images each.")
    by_first(lambda: _refuse_another(plan, _with_engine(there, engine), folder), ranks)
    by_first(lambda: _warn_of_terms(plan.data), ranks)
    if dry_run:
        return Run(folder.path)
    if by_first(lambda: folder.finished, ranks):
        display.say(f"{folder.path} is finished; judge it again with elegan evaluate, or train into another folder.")
        return load_run(folder.path)
    if there is not None and there["budget"].get("waits") and not referee:
        raise UserError(f"{folder.path} holds a run that the referee ends; leave --no-referee out to go on.")
    record = there or _plain(plan.record(plan.budget(referee=referee)))
    with ExitStack() as held:
        by_first(lambda: held.enter_context(folder.locked()), ranks)
        if there is None:
            by_first(lambda: folder.start(record), ranks)
        else:
            display.say(f"Going on with the run in {folder.path}.")
        held.enter_context(plan.engine.on_its_threads())
        conduct(plan, record, folder, display, referee, ranks)
    return load_run(folder.path)


def prepare_process() -> None:
    """Settings for a process that does nothing but train; the command line calls this, a library must not."""
    keep_pages()


def _record_there(folder: Folder) -> dict[str, Any] | None:
    """run.json of the run that is there, if any."""
    if not (folder.path / "run.json").exists():
        return None
    record = load_run(folder.path).record
    for name, fits in RECORDED.items():
        if not fits(record[name]):
            raise UserError(
                f"{folder.path / 'run.json'} is damaged: its {name} can't be; restore it, or give another --out."
            )
    return record


def _with_engine(record: dict[str, Any] | None, engine: Any) -> dict[str, Any] | None:
    """The record with the engine that is kept; runs of before have none."""
    if record is None:
        return None
    others = {name: value for name, value in record.items() if name != "engine"}
    return others if engine is None else {**others, "engine": engine}


def _engine_to_keep(record: dict[str, Any] | None, asked: Mapping[str, Any], ranks: Ranks) -> Any:
    """How the run that is there is computed: one that goes on keeps to it, but other processes choose their threads."""
    engine, machine = (None, None) if record is None else (record.get("engine"), record.get("machine"))
    before = machine.get("processes", 1) if isinstance(machine, dict) else 1
    if not isinstance(engine, dict) or before == ranks.size or asked.get("threads") is not None:
        return engine
    return {**engine, "threads": None}


def _plan_of_all(model: str, asked: Mapping[str, Any], recorded_engine: Any, ranks: Ranks) -> Plan:
    """The plan, which every rank makes for itself; raises UserError where one can't, or sees other data."""
    plans: list[Plan] = []

    def make() -> str:
        plans.append(make_plan(model, recorded_engine=recorded_engine, **asked))
        return plans[0].data.fingerprint

    seen = by_all(make, ranks)
    for rank, fingerprint in enumerate(seen):
        if fingerprint != seen[0]:
            raise UserError(f"The data at {asked['data']} are others for process {rank} than for process 0; copy them.")
    return plans[0]


def _warn_of_terms(data: Data) -> None:
    """Say that the data's terms forbid derivatives, where they do, however quiet the training is to be.

    On stderr, but on stdout in a process that a launcher started, which may keep what goes to stderr to itself.
    """
    if data.restriction:
        warning = (
            f"elegan train: warning: the terms of {printable(data.name)} forbid derivatives, which a generator may be: "
            f"{data.restriction}; training goes on, but ask whoever owns them before you share it or what it draws."
        )
        print(warning, file=sys.stdout if is_launched() else sys.stderr, flush=True)


def _refuse_uneven(batch: int, size: int) -> None:
    if batch % size:
        less, more = batch // size * size, (batch // size + 1) * size
        choice = f"{less} or {more}" if less else f"{more}"
        raise UserError(f"A batch of {batch} can't be dealt evenly to {size} processes; set --batch to {choice}.")


def _refuse_another(plan: Plan, record: dict[str, Any] | None, folder: Folder) -> None:
    """Raise UserError when the run that is there, if any, isn't the one that was asked for."""
    if record is None:
        return
    now = _plain(plan.record(record["budget"]))
    for name in SAME:
        then = record.get(name, now[name]) if name == "engine" else record[name]
        if name == "data" and then.get("fingerprint") != now["data"]["fingerprint"]:
            raise UserError(
                f"{folder.path} holds a run on other data: those at {plan.asked['data']} have changed since; "
                "put the old ones back, or give another --out."
            )
        if name != "data" and then != now[name]:
            raise UserError(
                f"{folder.path} holds a run with another {SAME[name]}: {_difference(then, now[name])}; "
                "give the same command as then to go on with it, or another --out."
            )


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record as it comes back from run.json."""
    loaded: dict[str, Any] = json.loads(json.dumps(as_json(record)))
    return loaded


def _difference(then: Any, now: Any) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        name = next(name for name in {**then, **now} if then.get(name) != now.get(name))
        return f"{name} was {json.dumps(then.get(name))} and now is {json.dumps(now.get(name))}"
    return f"it was {json.dumps(then)} and now is {json.dumps(now)}"


__all__ = ["Interrupted", "ProcessLost", "prepare_process", "train"]
