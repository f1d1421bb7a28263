"""What a person sees while training goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from elegan.training.engine import Engine
from elegan.training.loop import Tick, Training
from elegan.verbs.plan import DEFAULT_MINUTES, Plan


class Display:
    """A live panel on a terminal; a line a tick elsewhere; nothing when quiet."""

    def __init__(self, plan: Plan, out: str, *, quiet: bool = False, with_referee: bool = True) -> None:
        self.console = Console(quiet=quiet, highlight=False, markup=False)
        self.plan, self.out, self.with_referee = plan, out, with_referee
        self.training: Training | None = None
        self.last: tuple[Tick, dict[str, Any]] | None = None

    def say(self, sentence: str) -> None:
        self.console.print(sentence, soft_wrap=True)

    def say_plan(self) -> None:
        """The resolved configuration, before anything starts."""
        plan, data = self.plan, self.plan.data
        shape = "x".join(str(side) for side in (*data.spec.real[1:], data.spec.real[0])[: len(data.spec.real)])
        classes = f", {len(data.classes)} classes" if data.classes else ""
        table = Table.grid(padding=(0, 2))
        table.add_row("model", plan.model + (f", preset {plan.preset}" if plan.preset else ""))
        table.add_row("data", f"{data.name}: {len(data):,} items of {shape}{classes}")
        table.add_row("into", self.out)
        table.add_row("computes in", f"{plan.engine.precision} on {_place(plan.engine)}, seed {plan.seed}")
        settings = ", ".join(f"{name} {_short(value)}" for name, value in vars(plan.config).items())
        table.add_row("settings", settings)
        table.add_row("budget", self.budget())
        self.console.print(table)
        for note in (*data.notes, *plan.notes):
            self.say(f"· {note}")

    def budget(self) -> str:
        """What was asked for, in words."""
        images, minutes = self.plan.asked["images"], self.plan.asked["minutes"]
        if images is not None:
            return f"{images:,} images shown"
        if minutes is not None:
            return f"{minutes:g} minutes"
        if self.with_referee and self.plan.may_wait:
            return "none: the referee ends training when it gains no more; Ctrl-C saves, and the same command goes on"
        return f"{DEFAULT_MINUTES:g} minutes, since none was given"

    @contextmanager
    def live(self, training: Training) -> Iterator[None]:
        """Show how training goes; the panel reads the training and the last tick by itself."""
        self.training = training
        if not self.console.is_terminal:
            yield
            return
        with Live(get_renderable=self._panel, console=self.console, refresh_per_second=4, transient=True):
            yield

    def tick(self, tick: Tick, look: dict[str, Any]) -> None:
        self.last = (tick, look)
        if not self.console.is_terminal:
            terms = "  ".join(f"{name} {value:.3g}" for name, value in tick.terms.items())
            word = f"  {look['word']}" if look else ""
            place = f"{_of(tick.images, tick.total)}  {tick.images_per_second:,.0f}/s"
            left = self._left(tick.images, tick.total, tick.images_per_second)
            self.say(f"{place}  {left}  {tick.stage + '  ' if tick.stage else ''}{terms}{word}")

    def say_verdict(self, report: dict[str, Any]) -> None:
        """One sentence, and where to look."""
        self.console.print(Text(report["sentence"]["en"], style="bold"), soft_wrap=True)
        self.say(f"Look at {self.out}/report.html, {self.out}/contact.png and {self.out}/training.gif.")

    def _left(self, images: int, end: int | None, rate: float) -> str:
        """How long it will take at this pace, which a phase that is to come may change."""
        if end is None:
            return "until it gains no more"
        training = self.training
        changes = training is not None and training.game.phases()[-1] > training.progress.fraction
        return f"{'more than ' if changes else ''}{_clock((end - images) / rate if rate else 0.0)} left"

    def _panel(self) -> RenderableType:
        assert self.training is not None
        training = self.training
        rate = self.last[0].images_per_second if self.last else training.images / max(training.seconds, 1e-9)
        end = training.course.end
        head = Table.grid(padding=(0, 2))
        head.add_row(
            ProgressBar(total=end, completed=training.images, width=30, pulse=end is None),
            _of(training.images, end),
            f"{rate:,.0f} images/s",
            f"{_clock(training.seconds)} gone, {self._left(training.images, end, rate)}",
            training.game.stage(training.progress),
        )
        if self.last is None:
            return head
        tick, look = self.last
        terms = Table.grid(padding=(0, 2))
        for side in dict.fromkeys(name.split("/")[0] for name in tick.terms):
            named = {name.split("/")[1]: value for name, value in tick.terms.items() if name.startswith(f"{side}/")}
            terms.add_row(Text(side, "dim"), "   ".join(f"{name} {value:.3g}" for name, value in named.items()))
        if look:
            terms.add_row(Text("referee", "dim"), look["word"])
        return Group(head, terms)


def _place(engine: Engine) -> str:
    """Where it is computed: the threads matter on the processor alone."""
    if engine.device.type != "cpu":
        return str(engine.device)
    return "1 thread of the processor" if engine.threads == 1 else f"{engine.threads} threads of the processor"


def _of(images: int, end: int | None) -> str:
    return f"{images:,} images" if end is None else f"{images:,} of {end:,} images"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
