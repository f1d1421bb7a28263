"""The middle of `elegan train`: ticks, looks, checkpoints, and what is delivered.  Rank 0 alone writes and speaks."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from elegan.errors import UserError
from elegan.evaluation.stopping import Action
from elegan.game import Ranks
from elegan.training.checkpoint import DamagedCheckpoint, forget_damaged, load_checkpoint, load_newest, save_checkpoint
from elegan.training.loop import Tick, Training
from elegan.training.ranks import by_all, by_first
from elegan.verbs.folder import Folder
from elegan.verbs.plan import Plan
from elegan.verbs.probe import probe_training
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
    training = plan.new_training(record["budget"]["images"], waits=record["budget"].get("waits", False))
    _restore_all(training, folder, display, ranks)
    clock, referee = _Clock(record["budget"]["minutes"], training), Referee(plan, folder, enabled=with_referee)
    desk = _Desk(plan, training, folder, display, referee, clock)
    with _stopping_on_signals(training), display.live(training):
        by_first(desk.open, ranks)
        for tick in training.play(every=record["tick"]):
            action = by_first(partial(desk.see_to, tick), ranks)
            if action == "stop":
                break
            if action == "go back":
                _go_back(training, folder, ranks)
                by_first(desk.begin_again, ranks)
            elif action == "cool" and ranks.rank > 0:
                training.cool()
        else:
            if not training.finished:
                by_first(desk.save_what_there_is, ranks)
                end = training.course.end
                of = "" if end is None else f" of {end:,}"
                raise Interrupted(f"Stopped and saved at {training.images:,}{of} images; the same command goes on.")
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
    lost_at: int = 0
    """Images shown at the last tick."""
    given_up: bool = False
    """Whether training collapsed once too often."""

    def open(self) -> None:
        """Go on with the log where the checkpoint was made, or begin with a picture of the start."""
        self.folder.keep_log_until(self.training.images)
        self.referee.remember(self.folder.log())
        if self.training.step == 0:
            self.folder.write_tick_picture(self.plan, self.training)

    def see_to(self, tick: Tick) -> Action:
        """See to a tick, and say how to go on; the checkpoint holds what was decided."""
        self.lost_at = tick.images
        look = {} if tick.not_finite else self.referee.look(self.training)
        self.diverged = tick.not_finite or (["a sample"] if look.get("not_finite") else [])
        self.folder.append_log(tick, look)
        self.display.tick(tick, look)
        action = self.referee.decide(self.training, bool(self.diverged))
        if self.diverged or action == "go back":
            return action
        if action == "stop":
            self.given_up = True
            self.display.say("Training collapsed once more after going back: the referee gives it up here.")
        if action == "cool":
            self.training.cool()
            self.display.say("The referee sees no more gain at this pace: the learning rate falls to its end.")
        self.folder.write_tick_picture(self.plan, self.training)
        save_checkpoint(self.folder.checkpoints, *self.training.state(), best=self.referee.is_best)
        if not self.training.finished and self.clock.is_over:
            self.display.say("The machine is slower than the probe said: the clock ends training here.")
            return "stop"
        return action

    def begin_again(self) -> None:
        """After going back: the log forgets what was left behind, and a checkpoint says that it did."""
        why = f"{_and(self.diverged)} is no finite number" if self.diverged else "much of what was gained is lost"
        asked, now = asdict(self.plan.config), asdict(self.training.game.config)
        calmer = {name: value for name, value in now.items() if value != asked[name]}
        self.folder.keep_log_until(self.training.images)
        self.referee.remember(self.folder.log())
        save_checkpoint(self.folder.checkpoints, *self.training.state())
        self.folder.append_return(
            self.lost_at, self.training.images, "diverged" if self.diverged else "collapsed", calmer
        )  # fmt: skip
        self.diverged = []
        self.display.say(
            f"The referee goes back to {self.training.images:,} images, since {why}; from here with "
            f"{_and([f'{name} {value:.3g}' for name, value in calmer.items()])}."
        )

    def save_what_there_is(self) -> None:
        """Keep it, unless it holds numbers that are not finite; the generator can be sampled meanwhile."""
        tensors, numbers = self.training.state()
        if all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point()):
            save_checkpoint(self.folder.checkpoints, tensors, numbers)
            self.folder.write_generator(self.plan, self.training)
        self._say_missing()

    def finish(self) -> None:
        """Deliver the averaged weights, the pictures and the report; the model card comes last: it says finished."""
        from elegan.verbs.evaluate import write_evaluation

        if self.diverged:
            self.display.say(f"Training diverged: {_and(self.diverged)} is no finite number.")
            _restore(self.training, self.folder, self.display)
        if self.referee.chooses and self.referee.watch.last_is_worse:
            self._take_up_best()
        self.folder.write_generator(self.plan, self.training)
        self.folder.write_pictures(self.plan, self.training)
        run, data = load_run(self.folder.path), self.plan.data
        probes = probe_training(self.plan, self.training, self.referee.features)
        report = write_evaluation(
            run, data, self.referee.features, diverged=self.diverged, ending=self.ending, equilibrium=probes
        )
        self.folder.write_card()
        self.display.say_verdict(report)
        self._say_missing()

    def _say_missing(self) -> None:
        """What the pictures' labels lack on this machine, if anything."""
        if self.folder.missing:
            self.display.say(f"Note on the pictures in {self.folder.path}: {'  '.join(self.folder.missing)}")

    def _take_up_best(self) -> None:
        """Deliver the best checkpoint as judged, where the last is surely worse."""
        try:
            self.training.restore(*load_checkpoint(self.folder.checkpoints, "best"))
        except DamagedCheckpoint as damage:
            self.display.say(f"{damage}  The last is delivered, though it is worse.")
        else:
            self.display.say(f"The best moment is delivered, at {self.training.images:,} images: the last is worse.")

    @property
    def ending(self) -> str:
        """Who ended training: the referee at a plateau, or the budget; nobody where the referee gave it up."""
        course = self.training.course
        if self.given_up or (course.waits and course.cooled_at is None):
            return "interrupted"
        return "plateau" if course.waits else "budget"


def _go_back(training: Training, folder: Folder, ranks: Ranks) -> None:
    """The best checkpoint, played on more steadily than before; on every rank."""

    def restore() -> None:
        times = training.steadied + 1
        training.restore(*load_checkpoint(folder.checkpoints, "best"))
        training.steady(times)

    try:
        by_all(restore, ranks)
    except DamagedCheckpoint as damage:
        raise UserError(f"Training can't go back to its best moment: {damage}") from damage


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
            if any(folder.checkpoints.glob("[0-9]*.safetensors")):
                display.say(
                    f"Nothing in {folder.checkpoints} says which checkpoint is the last: training begins again."
                )
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
        if training.ranks.rank == 0:
            forget_damaged(folder.checkpoints)


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
