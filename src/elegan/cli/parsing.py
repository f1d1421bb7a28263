"""From words to a dataclass of options, by tyro; what tyro says of a mistake becomes one sentence."""

import io
import re
import types
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import tyro

from elegan.cli.overview import HELP
from elegan.errors import UserError, nearest

Options = TypeVar("Options")
Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")]
"""An option that is given or not."""
CONFIG = (tyro.conf.DisallowNone, tyro.conf.PositionalMetavarFromFieldName)
Profile = Annotated[
    str | None,
    tyro.conf.arg(
        metavar="cn",
        help_behavior_hint="",
        help="cn: labels also hold the field that China's measures ask for; $ELEGAN_PROFILE when not given.",
    ),
]
VisibleLabel = Annotated[
    Literal["yes", "no"] | None,
    tyro.conf.arg(
        metavar="yes|no",
        help_behavior_hint="",
        help="Write into the picture that it is generated; when not given, for a run on pictures of people.",
    ),
]
POSITIONAL = tyro.conf.Positional[str].__metadata__[0]  # type: ignore[attr-defined]
BOX = re.compile("[\u2500-\u257f]+")
COUNT = re.compile(r"(\d+(?:\.\d+)?)([kKM]?)")


class Option(NamedTuple):
    """How an option is spelled ("--skip-bad", a positional one "RUN"), its type, whether it must be given."""

    spelling: str
    kind: Any
    required: bool


def is_yes(asked: str | None) -> bool | None:
    """What was asked for, where anything was."""
    return None if asked is None else asked == "yes"


def optional(metavar: str) -> object:
    """How the help shows an option that is left alone when it isn't given."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


def parse(options: type[Options], words: Sequence[str], *, prog: str, description: str) -> Options:
    """Read the words into ``options``.  Raises UserError for a mistake, SystemExit(0) after printing help."""
    said, asks = io.StringIO(), [word for word in words if word in HELP]
    try:
        with redirect_stderr(said):
            return tyro.cli(options, args=asks[:1] or list(words), prog=prog, description=description, config=CONFIG)
    except SystemExit as stop:
        if not stop.code:
            raise
    raise UserError(_sentence(said.getvalue(), list(words), options, prog))


def count(text: str, option: str) -> int:
    """The number in "200k", "1.5M" or "4000".  Raises UserError for anything else."""
    match = COUNT.fullmatch(text.strip())
    if not match:
        raise UserError(f'{option} is "{text}"; it must be a number such as 4000, 200k or 1.5M.')
    return round(float(match[1]) * {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}[match[2]])


def given(words: Sequence[str], name: str) -> bool:
    """Whether the words set the field ``name``, as --name, --no-name or --name=value."""
    option = name.replace("_", "-")
    return any(_option(word) in (f"--{option}", f"--no-{option}") for word in words)


def options_of(options: Any) -> list[Option]:
    """Every option of a dataclass and of the dataclasses in it; a flag counts in both its spellings."""
    hints, found = get_type_hints(options, include_extras=True), list[Option]()
    for field in fields(options):
        kind, marks = _unwrapped(hints[field.name])
        name = field.name.replace("_", "-")
        if is_dataclass(kind):
            found += options_of(kind)
        elif POSITIONAL in marks:
            found.append(Option(field.name.upper(), kind, required=True))
        else:
            required = field.default is MISSING and field.default_factory is MISSING
            found.append(Option(f"--{name}", kind, required))
            found += [Option(f"--no-{name}", kind, required=False)] if kind is bool else []
    return found


def _unwrapped(hint: Any) -> tuple[Any, tuple[object, ...]]:
    return (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ())


def _sentence(said: str, words: list[str], options: Any, prog: str) -> str:
    """What the user did wrong, from tyro's box and from what the options are."""
    text = " ".join(BOX.sub(" ", said).split())
    known = options_of(options)
    if unknown := _unknown(words, {option.spelling for option in known}, prog):
        return unknown
    if match := re.search(r"Unrecognized[\w ]*options: (\S+)", text):
        extra = match[1].rstrip(",")
        return f'"{extra}" is one word too many; options begin with two dashes, and {prog} --help lists them.'
    if match := re.search(r"Missing value for argument '(--[^']+)'", text):
        return f"{match[1]} needs a value; {prog} --help says which."
    if match := re.search(r"(?:Error parsing|for argument) '?(--[\w-]+)", text):
        return _wrong_value(match[1], words, next(o.kind for o in known if o.spelling == match[1]))
    if missing := [o.spelling for o in known if o.required and _mentions(text, o.spelling)]:
        verb = "is" if len(missing) == 1 else "are"
        return f"{' and '.join(missing)} {verb} missing; {prog} --help explains every option."
    return text.partition(" For full helptext")[0]


def _unknown(words: list[str], known: set[str], prog: str) -> str | None:
    for word in words:
        if word.startswith("-") and not _is_number(word) and _option(word) not in known:
            names = sorted(spelling.lstrip("-") for spelling in known if spelling.startswith("-"))
            close = nearest(_option(word).lstrip("-"), names).replace('"', '"--', 1)
            return f"there is no option {_option(word)}.{close or f' {prog} --help lists them all.'}"
    return None


def _wrong_value(option: str, words: list[str], kind: Any) -> str:
    value = next((_value(words, index) for index, word in enumerate(words) if _option(word) == option), "")
    choices = [str(choice) for member in (kind, *get_args(kind)) for choice in _choices(member)]
    return f'{option} is "{value}"; it must be {_wanted(kind)}.{nearest(value, choices)}'


def _wanted(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_wanted(member) for member in get_args(kind) if member is not type(None))
    if choices := _choices(kind):
        return f"one of {', '.join(str(choice) for choice in choices)}"
    if get_origin(kind) is tuple:
        members = get_args(kind)
        number = "any number of" if Ellipsis in members else str(len(members))
        return f"{number} values, each {_wanted(members[0])}"
    return {int: "a whole number", float: "a number", bool: "True or False"}.get(kind, f"a {kind}")


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _option(word: str) -> str:
    return word.partition("=")[0].replace("_", "-") if word.startswith("-") else ""


def _value(words: list[str], index: int) -> str:
    return words[index].partition("=")[2] if "=" in words[index] else "".join(words[index + 1 : index + 2])


def _mentions(text: str, spelling: str) -> bool:
    return re.search(rf"(?<![\w-]){spelling}(?![\w-])", text) is not None


def _is_number(word: str) -> bool:
    return re.fullmatch(r"-[\d.]+(e-?\d+)?", word) is not None
