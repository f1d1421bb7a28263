"""How long a user waits: from pressing Enter to the first finished step and to the first picture."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elegan.errors import UserError
from elegan.verbs.benchmarking.case import Case
from elegan.verbs.benchmarking.workers import environment

PAUSE = 0.02
MOST_TO_START = 1_000
"""The largest batch that digits have enough images for."""


def start(case: Case, threads: int) -> dict[str, float]:
    """Seconds until a fresh `elegan train MODEL --data digits` of one batch has written its first files.

    {"first_step": …, "first_picture": …}: when the log's first line and the first file in samples/ were last
    changed.  The first picture shows the untrained generator and comes before the first step.
    """
    with tempfile.TemporaryDirectory() as folder:
        run, errors = Path(folder) / "run", Path(folder) / "errors.txt"
        with errors.open("w") as said:
            began = time.time()
            process = subprocess.Popen(
                command(case, run, images=case.batch), stdout=subprocess.DEVNULL, stderr=said, env=environment(threads)
            )
        try:
            while not (moments := _moments(run)):
                if process.poll() is not None and not _moments(run):
                    raise UserError(f"elegan train didn't start: {errors.read_text().strip()[-500:]}")
                time.sleep(PAUSE)
        finally:
            process.kill()
            process.wait()
    return {name: moment - began for name, moment in moments.items()}


def command(case: Case, run: Path, images: int) -> list[str]:
    """The command line that trains the case on digits, a translator on their edges."""
    words = [sys.executable, "-m", "elegan", "train", case.model, "--data", "digits", "--size", case.size]
    words += ["--images", str(images), "--batch", str(case.batch), "--no-referee", "--out", str(run)]
    words += ["--pair", "edges"] if case.translates else []
    words += ["--preset", case.preset] if case.preset else []
    return words + _spelled(case.settings)


def _spelled(settings: Mapping[str, Any]) -> list[str]:
    """Settings as options: --conditional or --no-conditional, --widths 64 64."""
    words: list[str] = []
    for name, value in settings.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", *map(str, value if isinstance(value, list | tuple) else [value])]
    return words


def _moments(run: Path) -> dict[str, float] | None:
    """When the first step and the first picture were there; None until both are."""
    log, pictures = run / "log.jsonl", sorted((run / "samples").glob("*.png"))
    if not pictures or not log.exists() or not log.stat().st_size:
        return None
    return {"first_step": log.stat().st_mtime, "first_picture": pictures[0].stat().st_mtime}
