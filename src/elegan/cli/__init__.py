"""The command line: `elegan COMMAND …`.  A mistake is answered with one sentence and exit status 2."""

import io
import os
import sys
import warnings
from collections.abc import Sequence

from elegan.cli.overview import HELP, choose, overview
from elegan.errors import UserError
from elegan.files import FULL


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when all that was asked was done, 2 for a mistake of the user."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = "elegan"
    _prepare_streams()
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
        where = error.filename or "a file"
        if error.errno in FULL:
            sentence = f"the disk is full: {where} can't be written; make room, and the same command goes on."
            return _complain(name, sentence, 1)
        if error.filename is None:
            raise
        reason = (error.strerror or str(error)).lower()
        return _complain(name, f"{where} can't be used: {reason}; give another path or mend this one.", 2)
    return status


def _prepare_streams() -> None:
    """Other libraries' warnings aren't for a user of the command line; what a terminal can't show becomes a "?"."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


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
