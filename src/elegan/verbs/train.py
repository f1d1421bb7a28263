"""`elegan train`: from the data to a trained, judged and labelled generator in a run folder."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from elegan.errors import UserError
from elegan.json_values import as_json
from elegan.training.allocator import keep_pages
from elegan.training.checkpoint import DamagedCheckpoint, load_newest, save_checkpoint
from elegan.training.loop import Training
from elegan.verbs.folder import Folder
from elegan.verbs.plan import Plan, make_plan
from elegan.verbs.progress import Display
from elegan.verbs.referee import Referee
from elegan.verbs.run import Run, load_run

PATIENCE = 1.25
"""The clock ends a run at a tick once it has taken this many times the minutes that were asked for."""
SAME = {
    "model": "model", "preset": "preset", "config": "configuration", "seed": "seed", "asked": "command",
    "precision": "precision",
}  # fmt: skip
"""What must not change between a run and its resumption, and what a person calls it."""


class Interrupted(Exception):
    """Training was stopped by the user and saved; the text says how to go on."""


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
    referee: bool = True,
    dry_run: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Train a model on data into the folder ``out``, or go on with the run that is there.

    ``settings`` are fields of the model's Config, ``gamma=0.5`` say.  The budget is ``minutes`` or
    ``images``; 4 minutes when neither is given.  With ``dry_run`` nothing is trained: the plan is printed.
    Raises UserError for a mistake in what was asked, and Interrupted after a stop by Ctrl-C was saved.
    """
    if not isinstance(out, str | PathLike):
        raise UserError(f"{out!r} is no path; --out names the folder to write the run into.")
    folder = Folder(Path(fspath(out)).expanduser())
    folder.refuse_foreign()
    plan = make_plan(
        model, data=data, size=size, minutes=minutes, images=images, seed=seed, preset=preset, skip_bad=skip_bad,
        **settings,
    )  # fmt: skip
    display = Display(plan, str(folder.path), quiet=quiet)
    display.say_plan()
    record = _matching_record(plan, folder)
    if dry_run:
        return Run(folder.path)
    if folder.finished:
        display.say(f"{folder.path} is finished; judge it again with elegan evaluate, or train into another folder.")
        return load_run(folder.path)
    if record is None:
        record = _plain(plan.record(plan.budget()))
        folder.start(record)
    else:
        display.say(f"Going on with the run in {folder.path}.")
    with folder.locked():
        _conduct(plan, record, folder, display, referee)
    return load_run(folder.path)


def prepare_process() -> None:
    """Settings for a process that does nothing but train; the command line calls this, a library must not."""
    keep_pages()


def _matching_record(plan: Plan, folder: Folder) -> dict[str, Any] | None:
    """run.json of the run that is there, if any; raises UserError when it isn't the one that was asked for."""
    if not (folder.path / "run.json").exists():
        return None
    record = load_run(folder.path).record
    budget = record["budget"]
    if not isinstance(budget, dict) or not isinstance(budget.get("images"), int):
        raise UserError(f"{folder.path / 'run.json'} is damaged: its budget is no number; give another --out.")
    now = _plain(plan.record(budget))
    for name in SAME:
        if record[name] != now[name]:
            raise UserError(
                f"{folder.path} holds a run with another {SAME[name]}: {_difference(record[name], now[name])}; "
                "give the same command as then to go on with it, or another --out."
            )
    if record["data"].get("fingerprint") != now["data"]["fingerprint"]:
        raise UserError(
            f"{folder.path} holds a run on other data: those at {plan.asked['data']} have changed since; "
            "put the old ones back, or give another --out."
        )
    return record


def _conduct(plan: Plan, record: dict[str, Any], folder: Folder, display: Display, with_referee: bool) -> None:
    training = plan.new_training(record["budget"]["images"])
    _restore(training, folder, display)
    referee = Referee(plan, folder, enabled=with_referee)
    folder.keep_log_until(training.images)
    referee.remember(folder.log())
    clock = _Clock(record["budget"]["minutes"], training)
    diverged: list[str] = []
    with _stopping_on_signals(training), display.live(training):
        if training.step == 0:
            folder.write_tick_picture(plan, training)
        for tick in training.play(every=record["tick"]):
            diverged = tick.not_finite
            look = {} if diverged else referee.look(training)
            diverged = diverged or (["a sample"] if look.get("not_finite") else [])
            folder.append_log(tick, look)
            display.tick(tick, look)
            if diverged:
                break
            folder.write_tick_picture(plan, training)
            save_checkpoint(folder.checkpoints, *training.state(), best=referee.is_best)
            if not training.finished and clock.is_over:
                display.say("The machine is slower than the probe said: the clock ends training here.")
                break
    if diverged:
        display.say(f"Training diverged: {_and(diverged)} is no finite number.")
        _restore(training, folder, display)
    elif training.stopping and not training.finished:
        _save_and_interrupt(plan, training, folder)
    _finish(plan, training, folder, display, referee, diverged)


def _save_and_interrupt(plan: Plan, training: Training, folder: Folder) -> None:
    """Keep what there is, unless it holds numbers that are not finite; the generator can be sampled meanwhile."""
    tensors, numbers = training.state()
    if all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point()):
        save_checkpoint(folder.checkpoints, tensors, numbers)
        folder.write_generator(plan, training)
    raise Interrupted(
        f"Stopped and saved at {training.images:,} of {training.total:,} images; the same command goes on."
    )


def _finish(
    plan: Plan, training: Training, folder: Folder, display: Display, referee: Referee, diverged: list[str]
) -> None:
    """Deliver: the averaged weights, the pictures, the report; the model card last, which marks the run finished."""
    from elegan.verbs.evaluate import write_evaluation

    folder.write_generator(plan, training)
    folder.write_pictures(plan, training)
    report = write_evaluation(load_run(folder.path), plan.data, referee.features, diverged=diverged)
    folder.write_card()
    display.say_verdict(report)


def _restore(training: Training, folder: Folder, display: Display) -> None:
    """Go back to the last checkpoint that can be read, if there is one."""
    try:
        newest = load_newest(folder.checkpoints)
        if newest is None:
            return
        tensors, numbers, damage = newest
        training.restore(tensors, numbers)
    except (DamagedCheckpoint, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"No checkpoint in {folder.checkpoints} can be read ({error}); restore one, or delete {folder.path} to "
            "start again."
        ) from error
    if damage:
        display.say(f"{damage}  The checkpoint before it is used.")


class _Clock:
    """The wall clock of a run that was given minutes: over at a tick once it has taken PATIENCE times as many."""

    def __init__(self, minutes: float | None, training: Training) -> None:
        self.limit = None if minutes is None else 60 * minutes * PATIENCE
        self.start = time.perf_counter() - training.seconds

    @property
    def is_over(self) -> bool:
        return self.limit is not None and time.perf_counter() - self.start > self.limit


@contextmanager
def _stopping_on_signals(training: Training) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM finish the step at hand; a second Ctrl-C stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: object) -> None:
        if training.stopping:
            raise KeyboardInterrupt
        training.stopping = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record as it comes back from run.json."""
    loaded: dict[str, Any] = json.loads(json.dumps(as_json(record)))
    return loaded


def _difference(then: Any, now: Any) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        name = next(name for name in {**then, **now} if then.get(name) != now.get(name))
        return f"{name} was {json.dumps(then.get(name))} and now is {json.dumps(now.get(name))}"
    return f"it was {json.dumps(then)} and now is {json.dumps(now)}"


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


__all__ = ["Interrupted", "train"]
