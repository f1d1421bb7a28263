"""What edits found out about a run, kept in its folder for the edits after them."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import elegan
from elegan.files import write_atomically

Findings = tuple[dict[str, Tensor], Any]
"""Tensors, and what JSON can say beside them."""


def kept(path: Path, of: Mapping[str, Any], find: Callable[[], Findings]) -> Findings:
    """What a file holds, where this version of elegan found it ``of`` the same, in JSON; else what ``find``
    finds, which is written there.

    A damaged file is found anew.  One that can't be written costs the next edit its time, and no more.
    """
    said = json.dumps({"elegan": elegan.__version__, **of})
    if (known := _read(path, said)) is not None:
        return known
    tensors, found = find()
    with suppress(OSError):
        write_atomically(path, save(tensors, {"of": said, "found": json.dumps(found)}))
    return tensors, found


def _read(path: Path, said: str) -> Findings | None:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            if header.get("of") != said:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dict
        whole = all(bool(tensor.isfinite().all()) for tensor in tensors.values())
        return (tensors, json.loads(header["found"])) if whole else None
    except (OSError, SafetensorError, KeyError, ValueError):
        return None


__all__ = ["Findings", "kept"]
