"""From the engine options that a user gave to the engine of a run.  Importing this needs no torch."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from elegan.errors import UserError
from elegan.training.allocator import pages_are_kept
from elegan.training.cores import bound_cores, busy_cores, cores, free_threads, whole
from elegan.training.options import EngineOptions

if TYPE_CHECKING:
    from elegan.training.engine import Engine

OPTIONS = tuple(field.name for field in fields(EngineOptions))
AUTOMATIC = (("device", "auto"), ("precision", "auto"))
"""What asks for nothing."""


class Settled(NamedTuple):
    """An engine, what run.json says of it, and what the user should hear."""

    engine: "Engine"
    record: dict[str, Any]
    notes: tuple[str, ...] = ()


def engine_options_in(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that say how to compute, and the others, which belong to the model's Config."""
    ours = {name: value for name, value in settings.items() if name in OPTIONS}
    return ours, {name: value for name, value in settings.items() if name not in OPTIONS}


def settle_engine(asked: Mapping[str, Any], recorded: Mapping[str, Any] | None = None, *, gains: bool) -> Settled:
    """The engine for the options that a user gave by name, or UserError.

    A run that goes on keeps its ``recorded`` engine, since only then the results are the same bit for bit; in the
    record that is returned an option that was asked for differently differs.  ``gains`` is as in ``choose``.
    """
    from elegan.training.engine import choose, cpu_bf16_units

    if "keep_pages" in asked:
        raise UserError(
            "keep_pages changes the memory of the whole process, so it is for the command line alone; leave it out, "
            "or call elegan.training.allocator.keep_pages() yourself."
        )
    wishes = {name: value for name, value in asked.items() if value is not None and (name, value) not in AUTOMATIC}
    try:
        engine = choose(gains=gains, **wishes)
    except ValueError as error:
        raise UserError(str(error)) from error
    if recorded is not None:
        return _as_recorded(recorded, {name: engine.describe()[name] for name in wishes})
    engine, notes = with_free_threads(engine)
    seen = {"keep_pages": pages_are_kept(), "bf16_units": list(cpu_bf16_units())}
    return Settled(engine, {**engine.describe(), **seen}, notes)


def with_free_threads(engine: "Engine") -> tuple["Engine", tuple[str, ...]]:
    """The engine with the threads that were asked for, else those of torch that have a core; why, if that is fewer.

    Ranks of one training would take each other for other work, and a device needs the processor little: they don't
    look.
    """
    import torch

    from elegan.training.ranks import here

    if engine.threads is not None:
        return engine, ()
    usual = torch.get_num_threads()
    if usual == 1 or engine.device.type != "cpu" or here().size > 1:
        return replace(engine, threads=usual), ()
    wanted, busy = min(usual, cores()), busy_cores()
    threads = free_threads(wanted, bound_cores(), busy)
    notes = () if threads == usual else (fewer_threads(threads, wanted, usual, whole(busy), bound_cores()),)
    return replace(engine, threads=threads), notes


def fewer_threads(threads: int, wanted: int, usual: int, busy: int, total: int) -> str:
    """Why training uses fewer threads than torch would, and how to have them all the same."""
    uses = f"so training uses {'1 thread' if threads == 1 else f'{threads} threads'}"
    if threads == wanted:
        only = "1 core is" if wanted == 1 else f"{wanted} cores are"
        return f"{only} all that this process may use, {uses}; --threads {usual} uses {usual}."
    are = "core is" if total == 1 else "cores is" if busy == 1 else "cores are"
    them = "both" if wanted == total == 2 else f"all {wanted}" if wanted == total else str(wanted)
    return f"{busy} of {total} {are} busy with other work, {uses}; --threads {wanted} uses {them}."


def _as_recorded(recorded: Mapping[str, Any], changes: Mapping[str, Any]) -> Settled:
    from elegan.training.engine import Engine, missing_device

    try:
        record = {**recorded, **changes}
        engine = Engine.described(record)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError("The engine in run.json is damaged; restore the file, or give another --out.") from error
    if missing := missing_device(record["device"]):
        raise UserError(f"The run was trained on {record['device']}: {missing}")
    return Settled(engine, record)


__all__ = [
    "OPTIONS", "EngineOptions", "Settled", "engine_options_in", "fewer_threads", "settle_engine", "with_free_threads",
]  # fmt: skip
