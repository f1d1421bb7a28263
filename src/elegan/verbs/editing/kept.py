"""What edits found out about a run, kept in its folder for the edits after them."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

import elegan
from elegan.files import write_atomically

T = TypeVar("T")
Findings = tuple[Mapping[str, Tensor], Any]
"""Tensors, and what JSON can say beside them."""
DAMAGED = (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError)
"""What reading a file, or making something of what it holds, may end in."""


def kept(
    path: Path, of: Mapping[str, Any], find: Callable[[], Findings], build: Callable[[Mapping[str, Tensor], Any], T]
) -> T:
    """What ``build`` makes of the findings in a file, where this version of elegan found them ``of`` the same, in JSON;
    else of what ``find`` finds, which is written there.

    Where nothing can be made of a file, it is damaged, and all is found anew; so ``build`` raises ValueError for
    findings of the wrong shape.  A file that can't be written costs the next edit its time, and no more.
    """
    said = json.dumps({"elegan": elegan.__version__, **of})
    with suppress(*DAMAGED):
        return build(*_read(path, said))
    tensors, found = find()
    with suppress(OSError):
        content = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_atomically(path, save(content, {"of": said, "found": json.dumps(found)}))
    return build(tensors, found)


def _read(path: Path, said: str) -> Findings:
    with safe_open(path, "pt") as file:
        header = file.metadata() or {}
        if header.get("of") != said:
            raise ValueError(f"{path} holds something else.")
    tensors = load(path.read_bytes())  # not as a view of the file, which may change
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise ValueError(f"{path} holds numbers that are not finite.")
    return tensors, json.loads(header["found"])


__all__ = ["Findings", "kept"]
