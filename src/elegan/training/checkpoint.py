"""Checkpoints that a kill at any moment can't spoil: safetensors beside a JSON file that names their hash.

The tensors are written under a new name, flushed to the disk, and only then named by ``last.json``, which
is replaced in one step.  The one before stays as ``previous.json`` and is used when the last is damaged.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from elegan.files import write_atomically


class DamagedCheckpoint(Exception):
    """A checkpoint whose files are missing, cut short or changed since they were written."""


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> str:
    """Write a safetensors file atomically and return its SHA-256."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any], *, best: bool = False) -> None:
    """Save as the last checkpoint, keeping the one before; with ``best``, as the best one too."""
    folder.mkdir(parents=True, exist_ok=True)
    branch = f"-{state['steadied']}" if state.get("steadied") else ""  # what was left behind has another name
    path = folder / f"{state['images']:012d}{branch}.safetensors"
    record = {"tensors": path.name, "sha256": write_tensors(path, tensors), **state}
    record["seal"] = _seal(record)
    content = json.dumps(record, indent=1).encode()
    last = folder / "last.json"
    if last.exists() and _named(last) != path.name:
        write_atomically(folder / "previous.json", last.read_bytes())
    write_atomically(last, content)
    if best:
        write_atomically(folder / "best.json", content)
    named = {_named(folder / f"{which}.json") for which in ("last", "previous", "best")}
    for old in folder.glob("[0-9]*.safetensors"):
        if old.name not in named:
            old.unlink()


def load_checkpoint(folder: Path, which: str = "last") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint back: its tensors and its state.

    Raises DamagedCheckpoint when a file is missing or a hash differs.
    """
    try:
        state = json.loads((folder / f"{which}.json").read_text(encoding="utf-8"))
        if "seal" in state and state.pop("seal") != _seal(state):
            raise DamagedCheckpoint(f"{folder / which}.json has changed since it was written.")
        content = (folder / state["tensors"]).read_bytes()
        if hashlib.sha256(content).hexdigest() != state["sha256"]:
            raise DamagedCheckpoint(f"{folder / state['tensors']} has changed since it was written.")
        return load(content), state
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DamagedCheckpoint(f"The {which} checkpoint in {folder} can't be read ({error}).") from error


def load_newest(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], str | None] | None:
    """The last checkpoint, or the one before with the reason; None where none was written yet.

    Raises DamagedCheckpoint when there are some and none can be read.
    """
    if not any((folder / f"{which}.json").exists() for which in ("last", "previous")):
        return None
    try:
        return *load_checkpoint(folder, "last"), None
    except DamagedCheckpoint as damage:
        return *load_checkpoint(folder, "previous"), str(damage)


def forget_damaged(folder: Path) -> None:
    """Let the checkpoint before stand for the last one, which is damaged: the next save keeps it, not that one."""
    write_atomically(folder / "last.json", (folder / "previous.json").read_bytes())


def _seal(record: dict[str, Any]) -> str:
    """The SHA-256 of a record as JSON, so that a number in it can't change unnoticed."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _named(pointer: Path) -> str | None:
    try:
        return str(json.loads(pointer.read_text(encoding="utf-8"))["tensors"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
