"""The one exception for a mistake of the user, and the nearest right word for a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """What was given, what is allowed and what to do, in one sentence; the command line exits with 2."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """' Did you mean "x"?' for a word close to an allowed one, else an empty string."""
    close = get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f' Did you mean "{close[0]}"?' if close else ""
