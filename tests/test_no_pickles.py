"""Nothing that others made is ever unpickled: a pickle runs whatever its author wrote into it."""

import ast
from pathlib import Path

import pytest

import elegan

HOUSE = Path(elegan.__file__).parent
FILES = sorted(HOUSE.rglob("*.py"))
OWN_PROCESSES = {"verbs/worker.py", "verbs/launch.py"}
"""What these read was written by a process that elegan itself started."""
UNPICKLING = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle", "pandas"
}  # fmt: skip
FORBIDDEN = ("allow_pickle", "trust_remote_code")


def dotted(node):
    """ "torch.load" for that expression; the last name alone where what is before it is no name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def is_constant(call, name, value):
    return any(key.arg == name and getattr(key.value, "value", None) is value for key in call.keywords)


def dangers(source, name):
    """The lines that could unpickle what others made, and why."""
    tree = ast.parse(source)
    aliases = {
        alias.asname or alias.name: f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in FORBIDDEN and getattr(node.value, "value", None) is not False:
            yield f"{node.value.lineno}: {node.arg} isn't False"
        if not isinstance(node, ast.Call):
            continue
        first, _, rest = dotted(node.func).partition(".")
        called = ".".join(filter(None, [aliases.get(first, first), rest]))
        module, last = called.partition(".")[0], called.rpartition(".")[2]
        if called == "torch.load" and not is_constant(node, "weights_only", True):
            yield f"{node.lineno}: torch.load without weights_only=True"
        if called in ("numpy.load", "numpy.lib.format.read_array") and not is_constant(node, "allow_pickle", False):
            yield f"{node.lineno}: {called} without allow_pickle=False"
        if module in UNPICKLING and last in ("load", "loads", "Unpickler", "open", "read_pickle", "decode"):
            own = name in OWN_PROCESSES or dotted(getattr(node.args[0], "func", None)) == "pickle.dumps"
            if not own:
                yield f"{node.lineno}: {called}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_source_unpickles_what_others_made(path):
    assert not list(dangers(path.read_text(encoding="utf-8"), path.relative_to(HOUSE).as_posix()))


@pytest.mark.parametrize("source", [
    "import torch\ntorch.load(path)",
    "import torch as t\nt.load(path, weights_only=False)",
    "from torch import load\nload(path)",
    "import numpy as np\nnp.load(path)",
    "import numpy as np\nnp.load(path, allow_pickle=True)",
    "import numpy as np\nnp.savez(path, allow_pickle=allowed)",
    "import pickle\npickle.loads(content)",
    "from pickle import Unpickler\nUnpickler(file).load()",
    "import joblib\njoblib.load(path)",
    "import datasets\ndatasets.load_dataset(name, trust_remote_code=True)",
])  # fmt: skip
def test_the_ways_to_unpickle_are_found(source):
    assert list(dangers(source, "data/somewhere.py"))


@pytest.mark.parametrize("source", [
    "import torch\ntorch.load(path, weights_only=True)",
    "import numpy as np\nnp.load(path, allow_pickle=False)",
    "import pickle\npickle.loads(pickle.dumps(error))",
    "from safetensors.torch import load\nload(content)",
    "import json\njson.loads(text)",
])  # fmt: skip
def test_what_runs_nothing_is_let_through(source):
    assert not list(dangers(source, "data/somewhere.py"))


def test_the_own_processes_are_those_that_unpickle():
    for name in OWN_PROCESSES:
        assert "pickle" in (HOUSE / name).read_text(encoding="utf-8")
