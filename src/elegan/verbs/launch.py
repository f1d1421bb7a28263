"""`elegan train --devices 2`: the same training in several processes, by torchrun's elastic launcher.

The launcher starts one process a device, each of which calls :func:`elegan.train`; what that raises there is raised
here.  A plain ``torchrun --nproc-per-node 2 -m elegan train …`` starts the same processes without this file.
"""

import json
import logging
import os
import pickle
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from elegan.errors import UserError
from elegan.training.allocator import pages_are_kept
from elegan.training.ranks import is_launched

MOST = 4096
GRACE_SECONDS = 120
"""How long processes that were told to stop may take to finish a step and save."""
MEETING_SECONDS = 900
"""How long nodes wait for each other at the start."""
GO_ON = "what was saved is whole, and the same command goes on from it"


class ProcessLost(Exception):
    """A process of a training ended unasked; the text says which, why, and how to go on."""


@dataclass(frozen=True)
class Crew:
    """How many processes train together, and where this machine stands among several."""

    devices: int = 1
    nodes: int = 1
    node: int = 0
    master: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("devices", 1), ("nodes", 1), ("node", 0)):
            value, most = getattr(self, name), self.nodes - 1 if name == "node" else MOST
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise UserError(f"--{name} is {value}; it must be a whole number from {least} to {most}.")
        if self.nodes > 1 and not _is_address(self.master):
            raise UserError(
                f"--master is {self.master}; with --nodes it must name node 0 and a free port there, 10.0.0.1:29500 "
                "say, the same on every node."
            )
        if self.nodes == 1 and self.master is not None:
            raise UserError("--master was given without --nodes; say how many machines take part.")
        if self.size > 1 and is_launched():
            raise UserError("torchrun has already started the processes; leave --devices and --nodes out.")

    @property
    def size(self) -> int:
        return self.devices * self.nodes

    def refuse_missing_devices(self, device: object) -> None:
        """Raise UserError when there are fewer CUDA devices than processes, unless these compute elsewhere."""
        there = torch.cuda.device_count()
        if isinstance(device, str) and ":" in device and self.size > 1:
            raise UserError(f"--device is {device}, and with --devices each process takes its own; say cuda or cpu.")
        if there and device in (None, "auto", "cuda") and self.devices > there:
            raise UserError(
                f"--devices is {self.devices} and there are {there} CUDA devices; ask for at most as many, or for "
                "--device cpu."
            )


def speaks() -> bool:
    """Whether this process is the one of all that torchrun started that tells the user what happened."""
    return not is_launched() or os.environ["RANK"] == "0"


def launch(crew: Crew, task: Mapping[str, Any]) -> None:
    """Call ``train(**task)`` in every process of the crew and wait for the end.

    Raises what the call raised there; ProcessLost when a process was killed or failed in another way.
    """
    crew.refuse_missing_devices(task.get("device"))
    folder = Path(tempfile.mkdtemp(prefix="elegan-"))
    try:
        content = {"task": dict(task), "keep_pages": pages_are_kept()}
        (folder / "task.json").write_text(json.dumps(content, default=str), encoding="utf-8")
        failures = _run(crew, folder)
        _raise_what_was_raised(folder)
        if failures:
            _explain(failures, crew, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(crew: Crew, folder: Path) -> dict[int, ProcessFailure]:
    """Start the processes and wait; the failures by rank."""
    try:
        _wait_for_first_node(crew)
        with _quiet_launcher():
            elastic_launch(_launch_config(crew, folder), sys.executable)("-m", "elegan.verbs.worker", str(folder))
    except ChildFailedError as error:
        return error.failures
    except SignalException as stop:
        _raise_what_was_raised(folder)
        raise KeyboardInterrupt from stop
    except (distributed.DistError, TimeoutError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ProcessLost(
            f"the {crew.nodes} nodes didn't find each other at {crew.master} ({reason}); start the command on all of "
            "them, and look whether node 0 is there and the port is open and free."
        ) from error
    return {}


def _wait_for_first_node(crew: Crew) -> None:
    """Wait until node 0 listens; raises TimeoutError."""
    host, _, port = str(crew.master).rpartition(":")
    end = time.monotonic() + MEETING_SECONDS
    while crew.node:
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise TimeoutError(f"{MEETING_SECONDS // 60} minutes have passed: {error}") from error
            time.sleep(1)


def _launch_config(crew: Crew, folder: Path) -> LaunchConfig:
    """One attempt: a lost process ends the training, since what goes on from the checkpoint is the same command."""
    redirects = {rank: Std.ALL if crew.node or rank else Std.ERR for rank in range(crew.devices)}
    more: dict[str, Any] = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0", "local_addr": "localhost"}
    if crew.nodes > 1:
        meeting = {"rank": crew.node, "timeout": MEETING_SECONDS}
        more = {"rdzv_backend": "static", "rdzv_endpoint": crew.master, "rdzv_configs": meeting}
    if "shutdown_timeout" in {field.name for field in fields(LaunchConfig)}:  # older releases always wait 30 s
        more["shutdown_timeout"] = GRACE_SECONDS
    return LaunchConfig(
        min_nodes=crew.nodes, max_nodes=crew.nodes, nproc_per_node=crew.devices, max_restarts=0,
        run_id="elegan" if crew.nodes > 1 else uuid.uuid4().hex,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / "said"), redirects=redirects),
        **more,
    )  # fmt: skip


@contextmanager
def _quiet_launcher() -> Iterator[None]:
    """What the launcher logs is said in a sentence here; and it leaves its signal handlers behind."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed")]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    main = threading.current_thread() is threading.main_thread()
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers} if main else {}
    try:  # until the processes are there, a signal ends this one: Python can't answer it while nodes wait in C++
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_what_was_raised(folder: Path) -> None:
    """Raise what train raised in a process of this machine, the first's before the others'."""
    for path in sorted(folder.glob("raised-*")):
        raise pickle.loads(path.read_bytes())


def _explain(failures: Mapping[int, ProcessFailure], crew: Crew, folder: Path) -> None:
    """Raise ProcessLost for the failure that the others follow from."""
    killed = [rank for rank, failure in failures.items() if failure.exitcode < 0]
    killed.sort(key=lambda rank: failures[rank].exitcode == -signal.SIGTERM)  # the launcher's way to end the others
    failed = sorted(folder.glob("failed-*"))
    if killed and (not failed or failures[killed[0]].exitcode != -signal.SIGTERM):
        name = signal.Signals(-failures[killed[0]].exitcode).name
        why = ", which is also what a system does that runs out of memory" if name == "SIGKILL" else ""
        raise ProcessLost(f"process {killed[0]} of {crew.size} was killed ({name}{why}); {GO_ON}.")
    if failed:
        text = failed[0].read_text(encoding="utf-8")
        sys.stderr.write(text)
        last, rank = text.strip().splitlines()[-1], failed[0].name.removeprefix("failed-")
        raise ProcessLost(f"process {int(rank)} of {crew.size} failed: {last.rstrip('.')}; {GO_ON}.")
    raise ProcessLost(f"a process on another node ended, and the others with it; {GO_ON}.")


def _is_address(text: object) -> bool:
    host, _, port = str(text).rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 2**16


__all__ = ["Crew", "ProcessLost", "launch", "speaks"]
