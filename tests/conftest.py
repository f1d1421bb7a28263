"""Shapes written as annotations are executed in every test; keys and the registry lie in a folder of the tests' own."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["ELEGAN_HOME"] = tempfile.mkdtemp(prefix="elegan-tests-")
atexit.register(shutil.rmtree, os.environ["ELEGAN_HOME"], ignore_errors=True)
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

CHECKED = [f"elegan.{room}" for room in ("losses", "networks", "augment", "models", "evaluation")]
install_import_hook(CHECKED, "beartype.beartype")

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def unjudged(monkeypatch):
    """Runs deliver their weights alone, without pictures and report, which take longer than a tiny training."""
    monkeypatch.setattr(
        "elegan.verbs.conduct._Desk.finish", lambda desk: desk.folder.write_generator(desk.plan, desk.training)
    )
