"""Where elegan keeps what belongs to this user: signing keys, the watermark's key, the registry."""

import os
from pathlib import Path


def home() -> Path:
    """$ELEGAN_HOME, or elegan in $XDG_DATA_HOME, or ~/.local/share/elegan; it need not exist."""
    if own := os.environ.get("ELEGAN_HOME"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "elegan"
