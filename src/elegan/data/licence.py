"""Under which terms data may be used: found in the files that lie with them, never guessed."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from elegan.data.found import UNKNOWN_LICENCE, EncodedFile, Found, printable
from elegan.data.images import Unreadable

LEGAL = re.compile(r"(.*[-_.])?(licen[cs]e|copying|terms|rights|copyright)([-_.].*)?", re.IGNORECASE)
"""Names of files that hold terms and nothing else."""
SPOKEN = re.compile(r"readme(\..*)?|.*\.(txt|json|ya?ml)", re.IGNORECASE)
"""Names of files that may say something of them."""
LONGEST = 2**18
MOST = 30
PARTS = ("train", "training", "val", "valid", "validation", "test", "testing", "traina", "trainb", "images", "img")
"""Folders of a set, whose licence lies a step above."""

CREATIVE = re.compile(
    r"creativecommons\.org/licenses/(?P<path>by(?:-nc)?(?:-sa|-nd)?)/(?P<of>\d\.\d)"
    r"|\bCC[- ](?P<short>BY(?:[- ]NC)?(?:[- ](?:SA|ND))?)(?:[- ]v?(?P<version>\d\.\d))?(?![\w.])"
    r"|\bAttribution(?P<long>(?:[- ]NonCommercial)?(?:[- ](?:ShareAlike|NoDerivatives|NoDerivs))?)"
    r"[- ](?P<number>\d\.\d)",
    re.IGNORECASE,
)
OTHERS = {
    "CC0-1.0": r"\bCC0\b|publicdomain/zero/1\.0",
    "MIT": r"\bMIT Licen[cs]e|Permission is hereby granted, free of charge",
    "Apache-2.0": r"\bApache Licen[cs]e,? (?:Version )?2\.0|\bApache-2\.0",
    "BSD-3-Clause": r"\bBSD-3-Clause|Redistribution and use in source and binary forms.*Neither the name",
    "BSD-2-Clause": r"\bBSD-2-Clause|Redistribution and use in source and binary forms(?!.*Neither the name)",
    "GPL-3.0": r"GNU General Public Licen[cs]e,? Version 3|\bGPL-3\.0",
    "ODbL-1.0": r"\bODbL\b|\bOpen Database Licen[cs]e",
    "ODC-By-1.0": r"\bODC-By\b|Open Data Commons Attribution Licen[cs]e",
    "PDDL-1.0": r"\bPDDL\b|Public Domain Dedication and Licen[cs]e",
}
"""SPDX identifier → how a text says it."""
STATED = re.compile(r"""(?im)^[\s"'*#{-]*licen[cs]e["'*]*\s*[:=]\s*["'*]*\s*([\w][^"'\n,}]{0,80})""")
"""`license: mit`, as in front matter, JSON and many a README."""
MAY_NOT = r"\b(?:may|must|shall)\s+not\s+(?:be\s+)?"
NOT = r"\b(?:(?:may|must|shall|can|do|should)\s?(?:not|n't|n’t)\s+(?:be\s+)?|(?:is|are)\s+not\s+to\s+be\s+)"
FORBIDDING = re.compile(
    r"\bCC[- ]BY(?:[- ]NC)?[- ]ND(?:[- ]v?\d\.\d)?\b"
    r"|creativecommons\.org/licenses/by(?:-nc)?-nd[\w./]*"
    r"|\bno[- ]?deriv(?:s\b|\.|atives\b|ative[- ]works?)"
    r"|\bno(?:image)?ai\b|\bno-ai\b|\bno (?:ai|machine learning) (?:training|use)\b|\btdm-?reservation\W{1,4}1\b"
    rf"|{MAY_NOT}(?:modif|alter|adapt|transform|remix)\w*(?!\s+(?:\w+\s+){{0,2}}(?:licen|notice|copyright))(?!\w)"
    rf"|{MAY_NOT}(?:create|make|made|prepare|produce|distribute)\w*\s(?:\w+\s)?derivat\w*(?:\sworks?)?"
    rf"|{NOT}(?:use\w*\s)?(?:\w+\s){{0,3}}(?:for|to|in)\s(?:\w+\s){{0,4}}train\w*"
    rf"|{NOT}train(?:ing)?\b",
    re.IGNORECASE,
)
"""What forbids works that are made from others, a trained network perhaps among them."""
HELD_OUT = re.compile(r"\b(test|val|validation|held)", re.IGNORECASE)
"""What readmes ask of honest judges: "do not use the test images for training"."""
MAY_SPEAK = re.compile(r"licen[cs]e|copying|terms|rights|copyright|readme|\.(txt|json|ya?ml)$", re.IGNORECASE)
PROJECT = (".git", "pyproject.toml", "setup.py", "package.json")
"""Where these lie, what a licence speaks of is a program."""


@dataclass(frozen=True)
class Terms:
    """What is said of data's use."""

    licence: str = UNKNOWN_LICENCE
    """SPDX identifiers where they are known, else what is stated, or "unknown…"."""
    restriction: str = ""
    """The words that forbid derivatives and where they stand, 'LICENSE says "NoDerivatives"'; empty without any."""


def speaks(name: str) -> bool:
    """Whether a file inside of data may say on what terms they come.

    Files of terms and readmes count down to the first folder, other texts at the top alone: captions are texts, too.
    """
    depth, last = name.count("/"), name.rpartition("/")[2]
    if depth > 1 or not MAY_SPEAK.search(last) or EncodedFile(name, bytes).is_image:
        return False
    return _is_legal(last) or (SPOKEN.fullmatch(last) is not None and (depth == 0 or _is_readme(last)))


def _is_legal(name: str) -> bool:
    return LEGAL.fullmatch(name.rpartition("/")[2]) is not None


def _is_readme(name: str) -> bool:
    return name.rpartition("/")[2].lower().startswith("readme")


def with_terms(found: Found, files: Sequence[EncodedFile]) -> Found:
    """The same with the licence and the restriction that some of the files state, if any do."""
    terms = terms_of(files)
    if found.licence == UNKNOWN_LICENCE:
        found.licence = terms.licence
    found.restriction = found.restriction or terms.restriction
    return found


def terms_of(files: Iterable[EncodedFile]) -> Terms:
    """Read those of some files that may hold terms: at most 30, none longer than 256 KiB, and no deeper than one
    folder; a file of terms goes before what others say of it."""
    speaking = sorted((file for file in files if speaks(file.name)), key=lambda file: _place(file.name))
    texts = [(file.name, text) for file in speaking[:MOST] if (text := _text(file))]
    legal = [text for name, text in texts if _is_legal(name)]
    named = identified(" ".join(legal)) or identified_in_fields([text for _, text in texts])
    if not named and legal:
        first = next(name for name, _ in texts if _is_legal(name))
        named = f"unknown: read {printable(first)}"
    restrictions = (restriction(printable(name), text) for name, text in texts)
    return Terms(named or UNKNOWN_LICENCE, next(filter(None, restrictions), ""))


def restriction(where: str, text: str) -> str:
    """'WHERE says "NoDerivatives"' for a text that forbids derivatives, else nothing."""
    found = (match[0] for match in FORBIDDING.finditer(" ".join(text.split())) if not HELD_OUT.search(match[0]))
    words = next(found, "")
    return words and f'{where} says "{printable(words)}"'


def identified(text: str) -> str:
    """The SPDX identifiers of the licences that a text names, "CC-BY-4.0 and MIT"; empty without any."""
    flat = " ".join(text.split())
    found = [*map(_creative, CREATIVE.finditer(flat))]
    found += [name for name, pattern in OTHERS.items() if re.search(pattern, flat, re.IGNORECASE)]
    whole = [name for name in found if name[-1].isdigit()]
    return " and ".join(dict.fromkeys(name for name in found if not any(one.startswith(f"{name}-") for one in whole)))


def identified_in_fields(texts: Sequence[str]) -> str:
    """The same of what fields called "license" state; a value that no pattern knows is returned as it stands."""
    stated = [value.strip() for text in texts for value in _fields(text)]
    return " and ".join(dict.fromkeys(identified(value) or _short(value) for value in stated))


def spdx(licence: str) -> str | None:
    """The one SPDX identifier of a licence as records state it; None where there is none, or several."""
    found = identified(licence) or _short(licence)
    known = found in OTHERS or re.fullmatch(r"CC-BY(-NC)?(-SA|-ND)?-\d\.\d", found)
    return found if known else None


def is_unknown(licence: str) -> bool:
    """Whether nobody could say which licence it is."""
    said = licence.strip().lower()
    return said in ("", "other") or said.startswith("unknown")


def beside(path: Path) -> list[EncodedFile]:
    """The files of terms next to a file of data, or next to a folder that is called train or the like."""
    folder = path.resolve().parent
    if (path.is_dir() and path.name.lower() not in PARTS) or any((folder / name).exists() for name in PROJECT):
        return []
    try:
        entries = sorted(entry for entry in folder.iterdir() if entry.name != path.name and entry.is_file())
    except OSError:
        return []
    stem = f"{path.name.split('.')[0]}.".lower()
    near = [one for one in entries if _is_legal(one.name) or _is_readme(one.name) or one.name.lower().startswith(stem)]
    return [EncodedFile(entry.name, entry.read_bytes, partial(_stamp, entry)) for entry in near]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _place(name: str) -> tuple[bool, bool, str]:
    """Files of terms first, then readmes."""
    return not _is_legal(name), not _is_readme(name), name


def _text(file: EncodedFile) -> str:
    try:
        if file.stamp()[0] > LONGEST:
            return ""
        content = file.read()
    except (OSError, Unreadable):
        return ""
    return content.decode("utf-8-sig", "replace") if len(content) <= LONGEST else ""


def _fields(text: str) -> Iterator[str]:
    """The values of fields called "license", of JSON at any depth, else of lines."""
    try:
        yield from _in_json(json.loads(text))
    except (ValueError, RecursionError):
        yield from STATED.findall(text)


def _in_json(value: object, wanted: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in value.items():
            of_licence = re.fullmatch(r"(\w+:)?licen[cs]es?", str(key), re.IGNORECASE) is not None
            yield from _in_json(entry, of_licence or (wanted and str(key) in ("name", "id", "url")))
    elif isinstance(value, list):
        for entry in value:
            yield from _in_json(entry, wanted)
    elif isinstance(value, str) and wanted and value.strip():
        yield value


def _creative(match: re.Match[str]) -> str:
    """ "CC-BY-NC-4.0" for any of its spellings; without the version where none is said."""
    kind = match["path"] or match["short"]
    if kind is None:
        kind = "BY" + re.sub("[- ]", "-", match["long"])
        for word, letters in (
            ("noncommercial", "NC"),
            ("sharealike", "SA"),
            ("noderivatives", "ND"),
            ("noderivs", "ND"),
        ):
            kind = re.sub(word, letters, kind, flags=re.IGNORECASE)
    version = match["of"] or match["version"] or match["number"]
    return "-".join(["CC", *re.split("[- ]", kind.upper()), *([version] if version else [])])


def _short(value: str) -> str:
    """What is stated, as an SPDX identifier where it is one in another case."""
    same = {name.lower(): name for name in OTHERS}
    return same.get(value.strip().lower(), printable(" ".join(value.split())))


__all__ = [
    "Terms", "beside", "identified", "is_unknown", "restriction", "spdx", "speaks", "terms_of", "with_terms",
]  # fmt: skip
