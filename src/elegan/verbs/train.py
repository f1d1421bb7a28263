"""`elegan train`: from the data to a trained, judged and labelled generator in a run folder."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elegan.errors import UserError
from elegan.training.allocator import keep_pages
from elegan.training.checkpoint import load_newest, save_checkpoint
from elegan.training.loop import Tick, Training
from elegan.verbs.folder import Folder
from elegan.verbs.plan import Plan, make_plan
from elegan.verbs.progress import Display
from elegan.verbs.referee import Referee
from elegan.verbs.run import Run, load_run, plain, write_json

PATIENCE = 1.25
"""The clock ends a run at a tick once it has taken this many times the minutes that were asked for."""
SAME = ("model", "preset", "config", "seed", "asked", "precision")
"""What must not change between a run and its resumption."""


class Interrupted(Exception):
    """Training was stopped by the user and saved; the text says how to go on."""


def train(
    model: str,
    *,
    data: str,
    out: str,
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
    folder = Folder(Path(out))
    folder.refuse_foreign()
    plan = make_plan(
        model, data=data, size=size, minutes=minutes, images=images, seed=seed, preset=preset, skip_bad=skip_bad,
        **settings,
    )  # fmt: skip
    display = Display(plan, out, quiet=quiet)
    display.say_plan()
    if dry_run:
        return Run(Path(out))
    record = _start_or_match(plan, folder, display)
    if folder.finished:
        display.say(f"{out} is finished; judge it again with `elegan evaluate {out}`, or train into another folder.")
        return load_run(out)
    _conduct(plan, record, folder, display, referee)
    return load_run(out)


def prepare_process() -> None:
    """Settings for a process that does nothing but train; the command line calls this, a library must not."""
    keep_pages()


def _start_or_match(plan: Plan, folder: Folder, display: Display) -> dict[str, Any]:
    """Write run.json before anything else; or, when it is there, check that it is the same run."""
    path = folder.path / "run.json"
    if not path.exists():
        record = plan.record(plan.budget())
        folder.create()
        write_json(path, record)
        return plain(record)
    record = load_run(str(folder.path)).record
    now = plain(plan.record(record["budget"]))
    differ = [key for key in SAME if record[key] != now[key]]
    if record["data"]["fingerprint"] != now["data"]["fingerprint"]:
        differ.append("data")
    if differ:
        raise UserError(
            f"{folder.path} holds a run with another {_and(differ)}: {_difference(record, now, differ[0])}; "
            "give the same command as then to go on with it, or another --out."
        )
    if not folder.finished:
        display.say(f"Going on with the run in {folder.path}.")
    return record


def _conduct(plan: Plan, record: dict[str, Any], folder: Folder, display: Display, with_referee: bool) -> None:
    training = plan.new_training(record["budget"]["images"])
    _restore(training, folder, display)
    referee = Referee(plan, folder, enabled=with_referee)
    folder.keep_log_until(training.images)
    referee.remember(folder.log())
    diverged: list[str] = []
    with _stopping_on_signals(training), display.live(training):
        if training.step == 0:
            folder.write_tick_picture(plan, training)
        for tick in training.play(every=record["tick"]):
            diverged = tick.not_finite
            look = {} if diverged else referee.look(training)
            if not diverged:
                folder.write_tick_picture(plan, training)
            folder.append_log(tick, look)
            display.tick(tick, look)
            if diverged:
                break
            save_checkpoint(folder.checkpoints, *training.state(), best=referee.is_best)
            if _out_of_time(record, tick):
                display.say("The machine is slower than the probe said: the clock ended training early.")
                break
    if training.stopping:
        save_checkpoint(folder.checkpoints, *training.state())
        raise Interrupted(
            f"Stopped and saved at {training.images:,} of {training.total:,} images; the same command goes on."
        )
    if diverged:
        _restore(training, folder, display)
        display.say(f"Training diverged: {_and(diverged)} is no finite number.")
    _finish(plan, training, folder, display, referee, diverged)


def _finish(
    plan: Plan, training: Training, folder: Folder, display: Display, referee: Referee, diverged: list[str]
) -> None:
    """Deliver: the averaged weights, the pictures, the report; the model card last, which marks the run finished."""
    folder.write_generator(plan, training)
    folder.write_pictures(plan, training)
    from elegan.verbs.evaluate import write_evaluation

    report = write_evaluation(load_run(str(folder.path)), plan.data, referee.features, diverged=diverged)
    folder.write_card(plan, report)
    display.say_verdict(report)


def _restore(training: Training, folder: Folder, display: Display) -> None:
    newest = load_newest(folder.checkpoints)
    if newest is None:
        return
    tensors, numbers, damage = newest
    if damage:
        display.say(f"{damage} Using the checkpoint before it.")
    training.restore(tensors, numbers)


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


def _out_of_time(record: dict[str, Any], tick: Tick) -> bool:
    minutes = record["budget"]["minutes"]
    return minutes is not None and tick.images < tick.total and tick.seconds > 60 * minutes * PATIENCE


def _difference(record: dict[str, Any], now: dict[str, Any], key: str) -> str:
    then, wanted = record[key], now[key]
    if isinstance(then, dict) and isinstance(wanted, dict):
        name = next((k for k in {**then, **wanted} if then.get(k) != wanted.get(k)), key)
        if key == "data":
            name = "fingerprint"
        return f"{name} was {json.dumps(then.get(name))} and now is {json.dumps(wanted.get(name))}"
    return f"it was {json.dumps(then)} and now is {json.dumps(wanted)}"


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


__all__ = ["Interrupted", "train"]
