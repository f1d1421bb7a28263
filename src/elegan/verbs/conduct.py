"""The middle of `elegan train`: ticks, looks, checkpoints, and what is delivered.  Rank 0 alone writes and speaks."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from elegan.errors import UserError
from elegan.game import Ranks
from elegan.training.checkpoint import DamagedCheckpoint, load_newest, save_checkpoint
from elegan.training.loop import Tick, Training
from elegan.training.ranks import by_all, by_first
from elegan.verbs.folder import Folder
from elegan.verbs.plan import Plan
from elegan.verbs.progress import Display
from elegan.verbs.referee import Referee
from elegan.verbs.run import load_run

PATIENCE = 1.25
"""The clock ends a run at a tick once it has taken this many times the minutes that were asked for."""


class Interrupted(Exception):
    """Training was stopped by the user and saved; the text says how to go on."""


def conduct(
    plan: Plan, record: dict[str, Any], folder: Folder, display: Display, with_referee: bool, ranks: Ranks
) -> None:
    """Train from the last checkpoint, if there is one, to the end of the budget, and deliver.

    ``record`` is run.json.  Raises Interrupted after a stop by a signal was saved.
    """
    training = plan.new_training(record["budget"]["images"])
    _restore_all(training, folder, display, ranks)
    clock, referee = _Clock(record["budget"]["minutes"], training), Referee(plan, folder, enabled=with_referee)
    desk = _Desk(plan, training, folder, display, referee, clock)
    with _stopping_on_signals(training), display.live(training):
        by_first(desk.open, ranks)
        for tick in training.play(every=record["tick"]):
            if by_first(partial(desk.is_last, tick), ranks):
                break
        else:
            if not training.finished:
                by_first(desk.save_what_there_is, ranks)
                raise Interrupted(
                    f"Stopped and saved at {training.images:,} of {training.total:,} images; the same command goes on."
                )
    by_first(desk.finish, ranks)


@dataclass
class _Desk:
    """Where rank 0 sees to a training: none of this needs another rank."""

    plan: Plan
    training: Training
    folder: Folder
    display: Display
    referee: Referee
    clock: "_Clock"
    diverged: list[str] = field(default_factory=list)
    """The names of the numbers that are not finite, once there are any."""

    def open(self) -> None:
        """Go on with the log where the checkpoint was made, or begin with a picture of the start."""
        self.folder.keep_log_until(self.training.images)
        self.referee.remember(self.folder.log())
        if self.training.step == 0:
            self.folder.write_tick_picture(self.plan, self.training)

    def is_last(self, tick: Tick) -> bool:
        """See to a tick; True when training must end with it."""
        look = {} if tick.not_finite else self.referee.look(self.training)
        self.diverged = tick.not_finite or (["a sample"] if look.get("not_finite") else [])
        self.folder.append_log(tick, look)
        self.display.tick(tick, look)
        if self.diverged:
            return True
        self.folder.write_tick_picture(self.plan, self.training)
        save_checkpoint(self.folder.checkpoints, *self.training.state(), best=self.referee.is_best)
        late = not self.training.finished and self.clock.is_over
        if late:
            self.display.say("The machine is slower than the probe said: the clock ends training here.")
        return late

    def save_what_there_is(self) -> None:
        """Keep it, unless it holds numbers that are not finite; the generator can be sampled meanwhile."""
        tensors, numbers = self.training.state()
        if all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point()):
            save_checkpoint(self.folder.checkpoints, tensors, numbers)
            self.folder.write_generator(self.plan, self.training)

    def finish(self) -> None:
        """Deliver the averaged weights, the pictures and the report; the model card comes last: it says finished."""
        from elegan.verbs.evaluate import write_evaluation

        if self.diverged:
            self.display.say(f"Training diverged: {_and(self.diverged)} is no finite number.")
            _restore(self.training, self.folder, self.display)
        self.folder.write_generator(self.plan, self.training)
        self.folder.write_pictures(self.plan, self.training)
        run, data = load_run(self.folder.path), self.plan.data
        report = write_evaluation(run, data, self.referee.features, diverged=self.diverged)
        self.folder.write_card()
        self.display.say_verdict(report)


def _restore_all(training: Training, folder: Folder, display: Display, ranks: Ranks) -> None:
    """Go back to the same checkpoint on every rank, if there is one."""

    def restore() -> int:
        _restore(training, folder, display)
        return training.step

    if len(set(by_all(restore, ranks))) > 1:
        raise UserError(f"Not every process sees the checkpoints in {folder.path}; --out must be where all nodes look.")


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


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


__all__ = ["Interrupted", "conduct"]
