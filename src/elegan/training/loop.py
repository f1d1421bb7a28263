"""The only loop.  It knows moves, not papers."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from elegan.game import HELD_EVERY, Batch, Game, Move, Progress, Random, Terms
from elegan.training.course import Course
from elegan.training.ema import Averages
from elegan.training.engine import Engine, choose
from elegan.training.ranks import here, sum_gradients, whole_counts


class Stream(Protocol):
    """An endless, seeded source of items whose place is one number."""

    position: int

    def draw(self, n: int) -> Mapping[str, Tensor]:
        """The next n items of this rank as named tensors; advances ``position`` by the whole batch."""
        ...


@dataclass(frozen=True)
class Tick:
    """The moment between two stretches of training."""

    images: int
    total: int | None
    """The budget; None while the referee alone knows when to stop."""
    step: int
    seconds: float
    images_per_second: float
    terms: dict[str, float]
    """Means since the last tick: "discriminator/pair", "generator/gradient" …"""
    stage: str = ""
    """What the game says is in play."""

    @property
    def not_finite(self) -> list[str]:
        """The names of the numbers that are NaN or infinite."""
        return [name for name, value in self.terms.items() if not abs(value) < float("inf")]


class Training:
    """A game under way: its optimisers, averages and place in the data.

    >>> for tick in Training(game, stream, total=200_000).play(every=10_000):
    ...     print(tick.images, tick.terms)

    ``course`` says how the schedules go; left out, they go over ``total`` images, which then are the budget.
    ``held`` gives held-out items to games that want any.
    """

    def __init__(
        self, game: Game, stream: Stream, *, total: int = 0, course: Course | None = None, seed: int = 0,
        engine: Engine | None = None, held: Stream | None = None,
    ) -> None:  # fmt: skip
        self.engine = engine or choose(gains=game.low_precision)
        self.engine.place(game)
        self.game, self.stream, self.seed, self.course = game.train(), stream, seed, course or Course(total)
        self.held = held
        self.ranks = here()
        if game.config.batch % self.ranks.size:
            raise ValueError(f"A batch of {game.config.batch} can't be dealt evenly to {self.ranks.size} ranks.")
        for part in game.modules():
            if hasattr(part, "ranks"):  # a layer that needs statistics of the whole batch
                setattr(part, "ranks", self.ranks)  # noqa: B010
        self.averages = Averages(game, fused=self.engine.fused)
        self.optimizers: dict[str, torch.optim.Adam] = {}
        self.step, self.images, self.seconds, self.stopping = 0, 0, 0.0, False
        self._config, self.steadied = game.config, 0
        self._agreed_to_stop = False
        self._sums: dict[str, Tensor] = {}
        self._since = (0, 0, 0.0)

    @property
    def progress(self) -> Progress:
        return Progress(self.images, self.course.total, self.course.fraction(self.images))

    @property
    def finished(self) -> bool:
        return self.course.end is not None and self.images >= self.course.end

    @property
    def stopped(self) -> bool:
        """Whether ``stopping`` was set here or, among several ranks, on any of them: all stop after the same step."""
        return self._agreed_to_stop or (self.stopping and self.ranks.size == 1)

    def play(self, every: int) -> Iterator[Tick]:
        """Train, yielding each time ``every`` more images were shown and at the end.

        Set ``stopping`` to make it return after the step at hand, or among several ranks after the next.
        """
        while not self.finished and not self.stopped:
            start = time.perf_counter()
            self.play_step()
            due = self.finished or self.images // every > self._since[0] // every
            if due:
                self.wait()
            self.seconds += time.perf_counter() - start
            if due:
                yield self._tick()

    def cool(self) -> None:
        """Let the schedules go on from where they wait to their end."""
        self.course = self.course.cooled(self.images, self.game.config.batch)

    def steady(self, times: int) -> None:
        """Play with the configuration that the game takes after so many collapses."""
        self.game.config, self.steadied = self._config, times
        for _ in range(times):
            self.game.config = self.game.steadied()

    def wait(self) -> None:
        """Wait until the device has done all that it was given; the processor always has."""
        if self.engine.device.type == "cuda":
            torch.cuda.synchronize()

    def play_step(self) -> None:
        """All moves of one step, then the averages."""
        batch = self.new_batch()
        for index, move in enumerate(self.game.moves(batch.progress)):
            self.play_move(index, move, batch)
        self.averages.update(self.game, self.images - batch.progress.images, self.game.half_life(self.progress))
        self.step += 1

    def new_batch(self) -> Batch:
        """An empty batch for the step at hand; its first move fills it."""
        return Batch(progress=self.progress, ranks=self.ranks)

    def play_move(self, index: int, move: Move, batch: Batch) -> None:
        """One update: deal the data, ask for the terms, descend the sum of their means."""
        self._deal(move, batch)
        batch.random = Random((self.seed, self.step, index), self.engine.device, self.ranks)
        torch.manual_seed(batch.random.seed + self.ranks.rank)  # dropout draws from the global generator
        optimizers = self._take_up(move, batch.progress)
        with self.engine.autocast():
            terms = getattr(self.game, move.terms)(batch)
        shares = self._shares(move, terms)
        shares.sum().backward()
        trained = [p for optimizer in optimizers for p in optimizer.param_groups[0]["params"]]
        means = sum_gradients(trained, shares.detach(), self.ranks)
        self._record(move, dict(zip(terms, means, strict=True)), trained)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if not self.engine.freeze:
            self.game.zero_grad(set_to_none=True)
        with torch.no_grad():
            self.game.after_move(move, batch)

    def _deal(self, move: Move, batch: Batch) -> None:
        if move.data == "same" and batch:
            return
        rows = self.game.config.batch // self.ranks.size
        for name, tensor in self.stream.draw(rows).items():
            batch[name] = tensor.to(self.engine.device, non_blocking=True)
        self._deal_held(batch, rows)
        if move.data == "shown":
            self.images += self.game.config.batch

    def _deal_held(self, batch: Batch, rows: int) -> None:
        """Held-out items for games that want any; their place follows from the step."""
        if self.held is None or self.step % HELD_EVERY or "held_real" in batch:
            return
        self.held.position = self.step // HELD_EVERY * self.game.config.batch
        for name, tensor in self.held.draw(rows).items():
            batch[f"held_{name}"] = tensor.to(self.engine.device, non_blocking=True)

    def _take_up(self, move: Move, progress: Progress) -> list[torch.optim.Adam]:
        """Free the parameters that the move trains, freeze all others, and set the optimisers."""
        if self.engine.freeze:
            trained = {id(p) for name in move.trains for p in self.game.get_submodule(name).parameters()}
            for parameter in self.game.parameters():
                parameter.requires_grad_(id(parameter) in trained)
        for name in move.trains:
            settings = self.game.optimizer(name, progress)
            group = self._optimizer(name).param_groups[0]
            group["lr"], group["betas"], group["eps"] = (
                settings.lr,
                (settings.beta1, settings.beta2),
                settings.eps,
            )
        return [self._optimizer(name) for name in move.trains]

    def _optimizer(self, name: str) -> torch.optim.Adam:
        if name not in self.optimizers:
            parameters = list(self.game.get_submodule(name).parameters())
            self.optimizers[name] = torch.optim.Adam(parameters, fused=self.engine.fused, foreach=False)
        return self.optimizers[name]

    def _shares(self, move: Move, terms: Terms) -> Tensor:
        """This rank's share [terms] of each term's mean over the whole batch, in float32 or wider.

        A term may have other lengths on other ranks (labelled rows, say), so they are counted together first.
        """
        if not terms or any(term.dim() > 1 for term in terms.values()):
            shapes = {name: tuple(term.shape) for name, term in terms.items()}
            raise ValueError(f"{move.terms} gave {shapes}; a term is one value an item [n], or a scalar.")
        *counts, stops = whole_counts([*(term.numel() for term in terms.values()), int(self.stopping)], self.ranks)
        self._agreed_to_stop |= stops > 0 and self.ranks.size > 1
        return torch.stack([_mean(term, count) for term, count in zip(terms.values(), counts, strict=True)])

    def _record(self, move: Move, means: Terms, trained: list[nn.Parameter]) -> None:
        side = move.terms.removesuffix("_terms")
        for name, mean in means.items():
            self._add(f"{side}/{name}", mean)
        gradients = [p.grad for p in trained if p.grad is not None]
        self._add(f"{side}/gradient", torch.nn.utils.get_total_norm(gradients))

    def _add(self, name: str, value: Tensor) -> None:
        """Keep a running sum and count on the device; only a tick waits for it."""
        wide = torch.float32 if value.device.type == "mps" else torch.float64  # MPS has no float64
        row = torch.stack([value.to(wide), torch.ones_like(value, dtype=wide)])
        self._sums[name] = self._sums[name] + row if name in self._sums else row

    def _tick(self) -> Tick:
        means = {name: float(total / count) for name, (total, count) in self._sums.items()}
        images, seconds = self.images - self._since[0], self.seconds - self._since[2]
        self._sums, self._since = {}, (self.images, self.step, self.seconds)
        rate, stage = images / max(seconds, 1e-9), self.game.stage(self.progress)
        return Tick(self.images, self.course.end, self.step, self.seconds, rate, means, stage)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next step depends on: tensors, and numbers for a JSON file."""
        tensors = {f"game.{key}": value for key, value in self.game.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.averages.state().items()}
        for name, optimizer in self.optimizers.items():
            for index, parameter in enumerate(optimizer.param_groups[0]["params"]):
                for key, value in optimizer.state.get(parameter, {}).items():
                    tensors[f"adam.{name}.{index}.{key}"] = value
        tensors |= {f"sum.{name}": value for name, value in self._sums.items()}
        numbers = {
            "step": self.step, "images": self.images, "seconds": self.seconds,
            "position": self.stream.position, "since": list(self._since), "course": asdict(self.course),
            "steadied": self.steadied,
        }  # fmt: skip
        return tensors, numbers

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Go back to a state; the continuation equals the uninterrupted run bit for bit."""
        _copy_into(self.game.state_dict(), _under("game.", tensors))
        _copy_into(self.averages.state(), _under("average.", tensors))
        self.optimizers.clear()
        for key, value in _under("adam.", tensors).items():
            name, index, entry = key.rsplit(".", 2)
            optimizer = self._optimizer(name)
            parameter = optimizer.param_groups[0]["params"][int(index)]
            optimizer.state[parameter][entry] = _entry(optimizer, parameter, entry, value)
        self._sums = {name: value.to(self.engine.device) for name, value in _under("sum.", tensors).items()}
        self.step, self.images, self.seconds = numbers["step"], numbers["images"], numbers["seconds"]
        self.stream.position = numbers["position"]
        self.course = Course(**numbers["course"]) if "course" in numbers else self.course
        self.steady(numbers.get("steadied", 0))
        images, step, seconds = numbers["since"]
        self._since = (images, step, seconds)


def _entry(optimizer: torch.optim.Adam, parameter: nn.Parameter, entry: str, value: Tensor) -> Tensor:
    """A moment in its parameter's memory layout, since the fused kernel reads both in storage order; the count of
    steps where that kernel wants it."""
    if entry == "step":
        return value.to(parameter.device if optimizer.defaults["fused"] else "cpu", copy=True)
    return torch.empty_like(parameter).copy_(value).detach()


def _mean(term: Tensor, count: int) -> Tensor:
    """The term's mean, or this rank's share of it where all ranks together have ``count`` values."""
    wide = term if term.dtype == torch.float64 else term.float()
    return wide.mean() if wide.numel() == count > 0 else wide.sum() / max(1, count)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _copy_into(targets: Mapping[str, Tensor], sources: Mapping[str, Tensor]) -> None:
    if targets.keys() != sources.keys():
        raise ValueError(f"The checkpoint's tensors differ from the game's: {sorted(targets.keys() ^ sources.keys())}.")
    for key, target in targets.items():
        if target.shape != sources[key].shape:
            raise ValueError(
                f"The checkpoint's {key} is {tuple(sources[key].shape)}, the game's {tuple(target.shape)}."
            )
    with torch.no_grad():
        for key, target in targets.items():
            target.copy_(sources[key])
