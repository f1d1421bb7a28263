"""A mistake is answered with one sentence that helps, and nothing slow is imported to say it."""

import errno
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from elegan.cli import main
from elegan.cli.overview import COMMANDS
from elegan.cli.parsing import count
from elegan.errors import UserError
from elegan.models import MODELS, find

TRAIN = ["train", "r3gan", "--data", "digits", "--out", "never-written"]
HEAVY = {"torch", "numpy", "PIL", "scipy", "sklearn", "matplotlib"}


def complaint(capsys, *words):
    """The one line on stderr of a command that must exit with 2."""
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err.strip()


@pytest.fixture
def trained(monkeypatch):
    """What `elegan train` was asked to do, in place of doing it."""
    asked = {}

    def train(model, **settings):
        asked.update(settings, model=model)
        report = {"verdict": "PLATEAU", "distance": float("nan")}
        return SimpleNamespace(path=Path(settings["out"]), report=report)

    fake = ModuleType("elegan.verbs.train")
    fake.train, fake.Interrupted, fake.prepare_process = train, type("Interrupted", (Exception,), {}), lambda: None
    monkeypatch.setitem(sys.modules, "elegan.verbs.train", fake)
    return asked


@pytest.fixture
def failing(monkeypatch):
    """Make `elegan models` fail in a given way."""

    def fail_with(error):
        def list_models():
            raise error

        monkeypatch.setattr("elegan.verbs.list_models.list_models", list_models)

    return fail_with


@pytest.mark.parametrize(("words", "sentence"), [
    (["trian"], 'elegan: there is no command "trian"; the commands are train, sample, '),
    (["trian"], 'Did you mean "train"?'),
    (["data", "chek"], 'Did you mean "data check"?'),
    (["data"], 'Did you mean "data check"?'),
    (["help", "sampel"], 'Did you mean "sample"?'),
    (["--verbose"], 'there is no command "--verbose"'),
    (["train", "r3gna", "--data", "digits", "--out", "x"], 'no model "r3gna"; the models are gan, '),
    (["train", "r3gna", "--help"], 'Did you mean "r3gan"?'),
    (["train"], "elegan train: no model is named; elegan train MODEL takes gan, "),
    (["train", "--data", "gan", "--out", "x"], "no model is named"),
    (["train", "r3gan"], "--data and --out are missing"),
    (["train", "r3gan", "--out", "x"], "elegan train: --data is missing"),
    ([*TRAIN, "--gama", "1"], 'there is no option --gama. Did you mean "--gamma"?'),
    ([*TRAIN, "--gama=1"], 'there is no option --gama. Did you mean "--gamma"?'),
    ([*TRAIN, "--lr", "fast"], '--lr is "fast"; it must be a number.'),
    ([*TRAIN, "--batch", "1.5"], '--batch is "1.5"; it must be a whole number.'),
    ([*TRAIN, "--seed="], '--seed is ""; it must be a whole number.'),
    ([*TRAIN, "--images", "abc"], '--images is "abc"; it must be a number such as 4000, 200k or 1.5M.'),
    ([*TRAIN, "--minutes", "soon"], '--minutes is "soon"; it must be a number.'),
    ([*TRAIN, "--minutes"], "--minutes needs a value"),
    ([*TRAIN, "mnist"], '"mnist" is one word too many'),
    (["sample"], "elegan sample: RUN and --out are missing"),
    (["sample", "run", "--oot", "a.png"], 'there is no option --oot. Did you mean "--out"?'),
    (["sample", "run", "--out"], "elegan sample: --out needs a value"),
    (["sample", "run", "--out", "a.png", "-n", "4"], 'there is no option -n. Did you mean "--n"?'),
    (["sample", "run", "--out", "a.png", "--n", "many"], '--n is "many"; it must be a whole number.'),
    (["evaluate"], "elegan evaluate: RUN is missing"),
    (["data", "check"], "elegan data check: PATH is missing"),
    (["models", "--jsno"], 'elegan models: there is no option --jsno. Did you mean "--json"?'),
    (["doctor", "please"], '"please" is one word too many'),
])  # fmt: skip
def test_a_mistake_is_one_sentence_that_helps(capsys, trained, words, sentence):
    assert sentence in complaint(capsys, *words)
    assert not trained


def test_a_narrow_terminal_breaks_no_sentence(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert '--lr is "fast"; it must be a number.' in complaint(capsys, *TRAIN, "--lr", "fast")
    assert "--data and --out are missing" in complaint(capsys, "train", "r3gan")


@pytest.mark.parametrize("words", [["--help"], ["-h"], [], ["help"]])
def test_the_overview_names_every_command(capsys, words):
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)
    assert "elegan train r3gan --data digits" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(capsys, name):
    assert main([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"usage: elegan {name}" in out
    assert "--json" in out
    assert main(["help", *name.split()]) == 0
    assert capsys.readouterr().out == out


@pytest.mark.parametrize("name", MODELS)
def test_the_help_of_a_model_shows_its_settings_and_their_defaults(capsys, name):
    assert main(["train", name, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "[OPTIONS] MODEL" in text
    for field, default in vars(find(name).Config()).items():
        assert f"--{field.replace('_', '-')}" in text
        assert isinstance(default, tuple) or f"(default: {default})" in text


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("elegan ")


def test_train_passes_on_what_was_given_and_nothing_else(trained):
    budget = ["--images", "1.5M", "--seed", "3", "--no-referee"]
    assert main([*TRAIN, *budget, "--lr-end", "0.5", "--width=48", "--no-conditional"]) == 0
    assert trained == {
        "model": "r3gan", "data": "digits", "out": "never-written", "size": None, "minutes": None,
        "images": 1_500_000, "seed": 3, "preset": None, "skip_bad": False, "referee": False, "dry_run": False,
        "lr_end": 0.5, "width": 48, "conditional": False, "labelled": None, "pair": None,
            "depicts_people": False,
    }  # fmt: skip


def test_a_setting_given_at_its_default_is_still_given(trained):
    default = find("r3gan").Config().lr
    assert main([*TRAIN, "--lr", str(default), "--conditional"]) == 0
    assert (trained["lr"], trained["conditional"]) == (default, True)
    assert "width" not in trained


def test_a_setting_can_be_spelled_with_underscores(trained):
    assert main([*TRAIN, "--lr_end", "0.5"]) == 0
    assert trained["lr_end"] == 0.5


def test_the_model_may_stand_anywhere(trained):
    words = ["train", "--skip-bad", "--data", "digits", "--size=16", "--no-referee", "gan", "--out", "x"]
    assert main(words) == 0
    assert (trained["model"], trained["data"], trained["size"]) == ("gan", "digits", "16")


def test_what_a_config_forbids_is_left_to_the_verb_that_knows_the_presets(trained):
    assert main([*TRAIN, "--lr", "-1"]) == 0
    assert trained["lr"] == -1


def test_two_budgets_are_refused(capsys):
    assert "one budget" in complaint(capsys, *TRAIN, "--minutes", "3", "--images", "2k")


def test_json_is_the_last_line_and_holds_no_bare_nan(capsys, trained):
    assert main([*TRAIN, "--json"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last, parse_constant=pytest.fail) == {
        "run": "never-written", "model": "r3gan", "dry_run": False,
        "report": {"verdict": "PLATEAU", "distance": "NaN"},
    }  # fmt: skip


def test_an_interrupted_training_says_how_to_go_on(capsys, trained, monkeypatch):
    fake = sys.modules["elegan.verbs.train"]

    def stopped(model, **settings):
        raise fake.Interrupted("Stopped and saved; the same command goes on.")

    monkeypatch.setattr(fake, "train", stopped)
    assert main(TRAIN) == 130
    assert capsys.readouterr().err == "elegan train: Stopped and saved; the same command goes on.\n"


def test_models_are_listed_for_people_and_for_programs(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [model["name"] for model in listed] == list(MODELS)
    assert all(model["title"] in table and f"arXiv:{model['arxiv']}" in table for model in listed)


def test_data_are_checked_with_a_status_for_scripts(capsys, tmp_path):
    assert main(["data", "check", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    (tmp_path / "broken.png").write_text("no picture")
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "broken.png" in capsys.readouterr().out


def test_the_doctor_measures_and_names_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("elegan.verbs.doctor.SECONDS", 0.01)
    extras = {"no_such_module": ("no-such-package", "nothing"), "rich": ("'rich[jupyter]'", "tables")}
    monkeypatch.setattr("elegan.verbs.doctor.EXTRAS", extras)
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["extras"]["no_such_module"] is None
    assert found["extras"]["rich"] == version("rich")
    assert len(found["gflops"]) == 4
    assert all(speed > 0 for speed in found["gflops"].values())
    assert found["trains_in"] in ("float32", "bf16")
    assert main(["doctor"]) == 0
    assert "pip install no-such-package" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "number"), [("4000", 4_000), ("200k", 200_000), ("2M", 2_000_000), ("1.5M", 1_500_000)]
)
def test_counts_may_be_written_short(text, number):
    assert count(text, "--images") == number


@pytest.mark.parametrize("text", ["", "k", "-3", "2G", "1e6", "1,000", "two", "nan", "1.", "2kk"])
def test_other_counts_are_refused(text):
    with pytest.raises(UserError, match=r"such as 4000, 200k or 1\.5M"):
        count(text, "--images")


def test_a_run_that_does_not_exist_is_one_sentence(capsys):
    for words in (["sample", "nowhere", "--out", "a.png"], ["evaluate", "nowhere"]):
        assert complaint(capsys, *words).startswith(f"elegan {words[0]}: nowhere doesn't exist")


def test_a_users_mistake_found_late_is_one_sentence_too(capsys, failing):
    failing(UserError("That\nwas   wrong."))
    assert complaint(capsys, "models") == "elegan models: That was wrong."


def test_the_keyboard_stops_with_130(capsys, failing):
    failing(KeyboardInterrupt())
    assert main(["models"]) == 130
    assert capsys.readouterr().err.startswith("elegan models: stopped by the keyboard")


def test_a_full_disk_is_one_sentence(capsys, failing):
    failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a.png"))
    assert main(["models"]) == 1
    assert "the disk is full: runs/a.png" in capsys.readouterr().err


def test_a_path_that_the_system_refuses_is_one_sentence(capsys, failing):
    failing(OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), "runs/aaa"))
    assert main(["models"]) == 2
    assert capsys.readouterr().err == (
        "elegan models: runs/aaa can't be used: file name too long; give another path or mend this one.\n"
    )


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EIO, "broken")])
def test_a_bug_keeps_its_traceback(failing, error):
    failing(error)
    with pytest.raises(type(error)):
        main(["models"])


def process(*words, python=("-m", "elegan"), stdout=subprocess.PIPE):
    path = os.pathsep.join([str(Path(__file__).parents[1] / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *python, *words], env={**os.environ, "PYTHONPATH": path}, stdout=stdout,
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [["trian"], ["train", "r3gna"], ["sample", "x", "--ot", "y"]])
def test_a_mistake_in_a_real_process_exits_with_2_and_one_line(words):
    done = process(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["train", "--help"], ["sample", "--help"], ["benchmark", "--help"], ["models"]],
    ids=" ".join,
)
def test_what_needs_no_torch_imports_none(words):
    program = "import sys, elegan.cli as c; c.main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = process(*words, python=("-c", program))
    assert done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_a_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    done = process("models", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
