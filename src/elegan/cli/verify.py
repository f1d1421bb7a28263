"""`elegan verify`: its options, and what is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import Positional

from elegan.cli.commands import finish, show
from elegan.cli.parsing import Flag, optional, parse


@dataclass(frozen=True)
class VerifyOptions:
    files: Annotated[Positional[tuple[str, ...]], optional("FILE ...")]
    """Files of any kind, and folders of them."""
    trust: Annotated[tuple[str, ...], optional("ROOT.pem ...")] = ()
    """Root certificates of others whose signatures are to be trusted."""
    json: Flag = False
    """Print one JSON object as the last line."""


STATUS_HELP = (
    "exit status: 0 signed and trusted here, 1 no evidence, 2 can't be read, 3 unknown signer, 4 watermark, "
    "5 registry, 6 unsigned label, 7 conflict, 8 tampered; of several files the gravest"
)


def verify(words: Sequence[str]) -> int:
    """Look at the files, print what was found, and end with the conclusion's exit status."""
    description = f"What files say of their own making, offline: signature, label, watermark, registry.  {STATUS_HELP}."
    options = parse(VerifyOptions, words, prog="elegan verify", description=description)
    from elegan.verbs.verify import table
    from elegan.verbs.verify import verify as look_at

    done = look_at(options.files, trust=options.trust)
    if not options.json:
        if len(done["files"]) == 1:
            _say(done["files"][0])
        else:
            show(table(done))
    finish(done, as_json=options.json)
    return int(done["status"])


def _say(one: dict[str, Any]) -> None:
    """Every layer of one file, a line each, and the conclusion."""
    if "error" in one:
        print(one["error"])
        return
    for name in ("credentials", "label", "watermark", "registry"):
        print(f"{name:12}{_line(name, one[name])}")
    for sentence in (*one["conflicts"], *one["notes"]):
        print(f"{'note':12}{sentence}")
    print(f"{'conclusion':12}{one['conclusion']}: {one['sentence']}")


def _line(name: str, found: dict[str, Any] | None) -> str:
    if found is None:
        return "none"
    if name == "watermark":
        said = "found" if found["found"] else "not found"
        payload = "" if found["weights"] is None else f", weights {found['weights']}…"
        places = "1 place" if found["searched"] == 1 else f"{found['searched']:,} places"
        return f"{said}, p = {found['p']:.2g} after {places} searched{payload}"
    hidden = ("in", "state", "parents", "problems", "identifier", "distance", "false_matches", "kind")
    told = {key: value for key, value in found.items() if key not in hidden and value not in (None, "")}
    if weights := told.pop("weights_sha256", None):
        told["weights"] = f"{weights[:12]}…"
    shown = [f"{key} {value}" for key, value in told.items()]
    if name == "credentials":
        state = {"trusted": "trusted", "valid": "UNKNOWN SIGNER", "invalid": "BROKEN"}[found["state"]]
        more = [f"made from {', '.join(found['parents'])}"] if found["parents"] else []
        more += [f"problems: {', '.join(found['problems'])}"] if found["problems"] else []
        return f"{state}, in {found['in']}: " + ", ".join([*shown, *more])
    return (f"{found['kind']}: " if name == "registry" else "") + ", ".join(shown)
