"""`elegan verify`: its options, and what is printed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import Positional

from elegan.cli.commands import finish, show
from elegan.cli.parsing import Flag, optional, parse

MANY = 50
"""From so many files on a line says how far it has come."""
STATES = {"trusted": "trusted", "valid": "UNKNOWN SIGNER", "invalid": "BROKEN"}
HIDDEN = ("in", "state", "parents", "problems", "identifier", "distance", "false_matches", "kind")


@dataclass(frozen=True)
class VerifyOptions:
    files: Annotated[Positional[tuple[str, ...]], optional("FILE ...")]
    """Files of any kind, and folders of them."""
    trust: Annotated[tuple[str, ...], optional("ROOT.pem ...")] = ()
    """Root certificates of others whose signatures are to be trusted."""
    json: Flag = False
    """Print one JSON object as the last line."""


STATUS = """
exit status: 0 signed and trusted here · 1 no evidence · 2 can't be read · 3 unknown signer · 4 watermark
5 registry · 6 unsigned label · 7 conflict · 8 tampered; of several files the gravest"""


def verify(words: Sequence[str]) -> int:
    """Look at the files, print what was found, and end with the conclusion's exit status."""
    description = f"What files say of their own making, offline: signature, label, watermark, registry.\n{STATUS}"
    options = parse(VerifyOptions, words, prog="elegan verify", description=description)
    from elegan.verbs.verify import table
    from elegan.verbs.verify import verify as look_at

    done = look_at(options.files, trust=options.trust, progress=_progress if sys.stderr.isatty() else None)
    if not options.json:
        if len(done["files"]) == 1:
            _say(done["files"][0])
        else:
            show(table(done))
    finish(done, as_json=options.json)
    return int(done["status"])


def _progress(done: int, of: int) -> None:
    """A line that is written over and over, where there are many files."""
    if of > MANY and (done % 10 == 0 or done == of - 1):
        end = "\r" if done < of - 1 else "\r" + " " * 40 + "\r"
        print(f"{done + 1:,} of {of:,} files", end=end, file=sys.stderr, flush=True)


def _say(one: dict[str, Any]) -> None:
    """Every layer of one file, a line each, and the conclusion."""
    if "error" in one:
        print(one["error"])
        return
    for name in ("credentials", "label", "watermark", "registry"):
        print(f"{name:12}{_line(name, one)}")
    for sentence in one["conflicts"] or [one["notes"][name] for name in ("pictures",) if name in one["notes"]]:
        print(f"{'note':12}{sentence}")
    print(f"{'conclusion':12}{one['conclusion']}: {one['sentence']}")


def _line(name: str, one: dict[str, Any]) -> str:
    found = one[name]
    if found is None:
        return f"not looked for: {one['notes'][name]}" if name in one["notes"] else "none"
    if name == "watermark":
        return _mark(found)
    told = {key: value for key, value in found.items() if key not in HIDDEN and value not in (None, "")}
    if weights := told.pop("weights_sha256", None):
        told["weights"] = f"{weights[:12]}…"
    line = ", ".join(f"{key} {value}" for key, value in told.items())
    if name == "registry":
        return f"{found['kind']}: {line}"
    return line if name == "label" else f"{STATES[found['state']]}, in {found['in']}: {line}{_more(found)}"


def _mark(found: dict[str, Any]) -> str:
    said = "found" if found["found"] else "not found"
    weights = "" if found["weights"] is None else f", weights {found['weights']}…"
    places = "1 place" if found["searched"] == 1 else f"{found['searched']:,} places"
    return f"{said}, p = {found['p']:.2g} after {places} searched{weights}"


def _more(found: dict[str, Any]) -> str:
    """What it was made from, and what is wrong."""
    sources = [
        f"{parent['title']} ({'its own credentials are in doubt' if parent['problems'] else 'signed'})"
        if parent["signer"] or parent["problems"]
        else str(parent["title"])
        for parent in found["parents"]
    ]
    made = f", made from {', '.join(sources)}" if sources else ""
    return made + (f", problems: {', '.join(found['problems'])}" if found["problems"] else "")
