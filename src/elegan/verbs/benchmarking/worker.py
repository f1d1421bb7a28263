"""A process that plays one case, by elegan's engine or by the plain step, when it is told to.

    python -m elegan.verbs.benchmarking.worker      a question a line on stdin, an answer a line on stdout, both JSON

Elegan's side tells the allocator to keep its pages, which holds for a whole process; so each side has its own.
"""

import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from elegan.training.allocator import keep_pages, pages_are_kept
from elegan.training.engine import choose
from elegan.training.engine import plain as without_means
from elegan.training.loop import Training
from elegan.verbs.benchmarking.case import Case, new_game, noise
from elegan.verbs.benchmarking.ceilings import ceiling
from elegan.verbs.benchmarking.counting import count
from elegan.verbs.benchmarking.plain import Contiguous, as_usual

ENDLESS = 10**12
"""A budget that no measurement comes near to, in images."""


def new_training(case: Case, *, plain: bool) -> Training:
    """The case, grown to full size: with every means that elegan has here, or as usual PyTorch code plays it."""
    torch.manual_seed(0)
    game, stream = new_game(case), noise(case).stream(seed=0)
    engine = choose(gains=game.low_precision)
    if plain:
        training = Training(as_usual(game), Contiguous(stream), total=ENDLESS, engine=without_means(engine))
    else:
        training = Training(game, stream, total=ENDLESS, engine=engine)
    training.images = round(game.steady_from() * ENDLESS)
    return training


class Side:
    """The answers to the questions: each method's name is one."""

    def __init__(self) -> None:
        self.training: Training | None = None

    def settle(self, threads: int, plain: bool) -> dict[str, Any]:
        """Once, before all else: this process's threads, and elegan's allocator or the usual one."""
        torch.set_num_threads(threads)
        return {"keeps_pages": keep_pages() if not plain else pages_are_kept()}

    def build(self, case: dict[str, Any], plain: bool) -> dict[str, Any]:
        """Make the training ready."""
        self.training = new_training(Case(**case), plain=plain)
        return {"engine": self.training.engine.describe(), "precision": self.training.engine.precision}

    def play(self, steps: int) -> dict[str, float]:
        """Wall and processor seconds of so many whole steps."""
        assert self.training
        busy, start = time.process_time(), time.perf_counter()
        for _ in range(steps):
            self.training.play_step()
        self.training.wait()
        return {"seconds": time.perf_counter() - start, "busy": time.process_time() - busy}

    def draw(self, batches: int) -> dict[str, float]:
        """Wall seconds of drawing so many batches, which is a part of their steps."""
        assert self.training
        start = time.perf_counter()
        for _ in range(batches):
            self.training.stream.draw(self.training.game.config.batch)
        return {"seconds": time.perf_counter() - start}

    def count(self) -> dict[str, Any]:
        """Operations of one step, and whether D judges real and generated items in one pass."""
        assert self.training
        game, rows = self.training.game, [0]
        discriminator = getattr(game, "discriminator", torch.nn.Identity())
        hook = discriminator.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
        counts = count(self.training.play_step)
        hook.remove()
        return {"operations": counts, "one_pass": max(rows) > game.config.batch}

    def memory(self) -> dict[str, int]:
        """The most memory that this process has had, in bytes."""
        return {"bytes": peak_memory()}

    def ceiling(self, name: str, seconds: float) -> dict[str, float]:
        """Operations a second that no step should beat, and processor seconds."""
        busy = time.process_time()
        return {"speed": ceiling(name, seconds), "busy": time.process_time() - busy}


def peak_memory() -> int:
    """The most resident memory of this process, in bytes.

    Linux hands ``ru_maxrss`` on from the parent to a process that it starts, so the kernel's own peak of
    this address space is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Answer until stdin ends; the terminal's Ctrl-C is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    side = Side()
    with answers:
        for line in sys.stdin:
            question = json.loads(line)
            answer = getattr(side, question.pop("do"))(**question)
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
