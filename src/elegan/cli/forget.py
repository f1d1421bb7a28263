"""`elegan forget`: its options, and what is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from elegan.cli.commands import finish
from elegan.cli.parsing import Flag, optional, parse


@dataclass(frozen=True)
class ForgetOptions:
    all: Flag = False
    """Forget all that was made here."""
    run: Annotated[str | None, optional("NAME")] = None
    """Forget what a run made; NAME is its folder's."""
    before: Annotated[str | None, optional("DATE")] = None
    """Forget what was made before a day, as in 2026-11-21."""
    json: Flag = False
    """Print one JSON object as the last line."""


def forget(words: Sequence[str]) -> int:
    """Parse, remove, and report; nothing is asked."""
    description = "Remove entries from this machine's registry of what was made; the files stay."
    options = parse(ForgetOptions, words, prog="elegan forget", description=description)
    from elegan.verbs.forget import forget as remove

    done = remove(everything=options.all, run=options.run, before=options.before)
    if not options.json:
        entries = "1 entry was" if done["removed"] == 1 else f"{done['removed']:,} entries were"
        print(f"{entries} removed from the registry; {done['left']:,} left.")
    return finish(done, as_json=options.json)
