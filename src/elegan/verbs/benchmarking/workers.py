"""The two sides as live processes, of which only the one that was asked works."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import elegan
from elegan.errors import UserError

MODULE = "elegan.verbs.benchmarking.worker"


class Worker:
    """A process that answers questions; asleep between them."""

    def __init__(self, threads: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(threads),
        )  # fmt: skip

    def ask(self, question: str, **details: Any) -> dict[str, Any]:
        """Wait for the answer.  Raises UserError when the process has ended."""
        questions, answers = self.process.stdin, self.process.stdout
        assert questions is not None
        assert answers is not None
        try:
            print(json.dumps({"do": question, **details}), file=questions, flush=True)
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise UserError(
                f'A measuring process ended at "{question}" with exit status {self.process.wait()}, maybe for lack of '
                "memory; take a smaller --batch or --size."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # a question that nobody has read
                    pipe.close()


@contextmanager
def worker(threads: int) -> Iterator[Worker]:
    """A worker that ends with the block."""
    started = Worker(threads)
    try:
        yield started
    finally:
        started.close()


def environment(threads: int) -> dict[str, str]:
    """For processes that import this elegan and compute with so many threads."""
    here = str(Path(elegan.__file__).parents[1])
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
