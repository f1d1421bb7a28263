"""One process of a training that :mod:`elegan.verbs.launch` started: ``python -m elegan.verbs.worker FOLDER``."""

import json
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from torch.distributed import DistError

from elegan.errors import UserError
from elegan.training.allocator import keep_pages
from elegan.verbs.train import Interrupted, train


def work(folder: Path) -> int:
    """Call train as FOLDER/task.json says; what it raises goes into the folder, for the launcher to raise."""
    threading.Thread(target=_stop_without, args=(os.getppid(),), daemon=True).start()
    asked: dict[str, Any] = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    rank = f"{int(os.environ['RANK']):06d}"
    if asked["keep_pages"]:
        keep_pages()
    try:
        train(**asked["task"])
    except (UserError, Interrupted, OSError, KeyboardInterrupt) as stop:
        (folder / f"raised-{rank}").write_bytes(pickle.dumps(stop))
        return 0
    except Exception as error:
        if not _is_lost_rank(error):
            (folder / f"failed-{rank}").write_text(traceback.format_exc(), encoding="utf-8")
        return 1
    return 0


def _stop_without(launcher: int) -> None:
    """Stop like at a Ctrl-C once the launcher is gone, so that none is left training that nobody knows of."""
    while os.getppid() == launcher:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_lost_rank(error: Exception) -> bool:
    """Whether another process hung up: what ended it is the news."""
    return isinstance(error, DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


if __name__ == "__main__":
    status = work(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(status)  # a thread of a collective that waits for a lost rank would never end
