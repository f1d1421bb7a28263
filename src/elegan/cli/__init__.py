"""The command line: `elegan COMMAND …`.  A mistake is answered with one sentence and exit status 2."""

import errno
import os
import sys
from collections.abc import Sequence

from elegan.cli.overview import HELP, choose, overview
from elegan.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when all that was asked was done, 2 for a mistake of the user."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = "elegan"
    try:
        if words[:1] == ["help"]:
            words = [*words[1:], "--help"]
        if not words or words[0] in HELP:
            return _say(overview())
        if words == ["--version"]:
            return _say(_version())
        command, rest = choose(words)
        name = f"elegan {command.name}"
        status = command.load()(rest)
        sys.stdout.flush()
    except SystemExit as stop:  # tyro, after it printed help
        return int(stop.code or 0)
    except UserError as mistake:
        return _complain(name, str(mistake), 2)
    except KeyboardInterrupt:
        return _complain(name, "stopped by the keyboard; what was written until now is whole.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _complain(name, f"the disk is full: {error.filename or 'nothing more can be written'}.", 1)
    return status


def _say(text: str) -> int:
    print(text)
    return 0


def _complain(name: str, sentence: str, status: int) -> int:
    print(f"{name}: {' '.join(sentence.split())}", file=sys.stderr)
    return status


def _version() -> str:
    from elegan import __version__

    return f"elegan {__version__}"


__all__ = ["main"]
