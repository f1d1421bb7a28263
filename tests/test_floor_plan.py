"""Doors lead one way: which room may import which, proved by reading the imports."""

import ast
from pathlib import Path

import pytest

import elegan

HOUSE = Path(elegan.__file__).parent
DOORS = {
    "errors": set(),
    "files": set(),
    "json_values": set(),
    "schedule": set(),
    "pictures": set(),
    "progress": set(),
    "game": {"schedule"},
    "losses": set(),
    "networks": set(),
    "augment": set(),
    "models": {"game", "networks", "losses", "augment", "schedule", "errors"},
    "training": {"game", "files"},
    "evaluation": {"game", "networks", "pictures", "errors", "files", "json_values", "progress"},
    "latent": {"game", "networks", "pictures", "errors", "progress"},
    "data": {"game", "pictures", "errors", "files", "progress"},
    "provenance": {"game", "pictures", "errors", "files"},
    "verbs": {
        "errors", "files", "json_values", "schedule", "pictures", "progress", "game", "models", "training",
        "evaluation", "latent", "data", "provenance", "elegan",
    },
    "cli": {"verbs", "errors", "files", "json_values", "models", "game", "elegan"},
    "studio": {"verbs", "errors"},
}  # fmt: skip
TORCH_ALONE = {"losses", "networks", "augment"}
OUTSIDE_OK = {
    "torch",
    "jaxtyping",
    "math",
    "typing",
    "collections",
    "dataclasses",
    "itertools",
    "functools",
    "elegan",
}
FILES = sorted(
    path for path in HOUSE.rglob("*.py") if path.parent != HOUSE or path.stem not in ("__init__", "__main__")
)


def room_of(path):
    return path.relative_to(HOUSE).with_suffix("").parts[0]


def imports_of(path):
    """(module, name) for every import; the name is None for `import module`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            yield from ((node.module, alias.name) for alias in node.names)


def rooms_opened(path):
    """The rooms that a file imports from; "elegan" is the front door itself."""
    for module, name in imports_of(path):
        first, *rest = module.split(".")
        if first == "elegan":
            yield rest[0] if rest else name if name in DOORS else "elegan"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_room_opens_only_its_own_doors(path):
    room = room_of(path)
    assert set(rooms_opened(path)) - {room} <= DOORS[room], f"{room} may open {sorted(DOORS[room])}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) in TORCH_ALONE], ids=lambda p: str(p.relative_to(HOUSE))
)
def test_parts_need_torch_alone(path):
    assert {module.split(".")[0] for module, _ in imports_of(path)} <= OUTSIDE_OK


@pytest.mark.parametrize("room", ["game", "models", "networks", "losses", "augment", "training"])
def test_the_engine_needs_neither_a_command_line_nor_a_form(room):
    """A cluster's image has torch and little else."""
    files = [path for path in FILES if room_of(path) == room]
    assert files
    assert not {module.split(".")[0] for path in files for module, _ in imports_of(path)} & {"tyro", "pydantic", "rich"}


def test_every_room_is_on_the_plan():
    rooms = {room_of(path) for path in FILES}
    assert rooms <= set(DOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
