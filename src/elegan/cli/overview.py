"""The table of commands.  A command's module is imported when it is chosen."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from elegan.errors import UserError, nearest

HELP = ("-h", "--help")


class Command(NamedTuple):
    """A command: its name, "module:function" and what it does, in a few words."""

    name: str
    where: str
    summary: str

    def load(self) -> Callable[[Sequence[str]], int]:
        """The function that takes the words after the command's name and returns the exit status."""
        module, _, function = self.where.partition(":")
        run: Callable[[Sequence[str]], int] = getattr(import_module(module), function)
        return run


COMMANDS = {
    command.name: command
    for command in (
        Command("train", "elegan.cli.train:train", "train a model on data, and judge it"),
        Command("sample", "elegan.cli.commands:sample", "draw labelled samples from a trained run"),
        Command("classify", "elegan.cli.classify:classify", "what a run's classifier takes images for"),
        Command("edit", "elegan.cli.edit:edit", "mix, add up, steer, walk: the latent space of a run"),
        Command("apply", "elegan.cli.apply:apply", "translate images with a trained run: pix2pix, cyclegan, cut"),
        Command("export", "elegan.cli.export:export", "write a run's generator as an ONNX file or for a hub"),
        Command("verify", "elegan.cli.verify:verify", "what files say of their making: signature, label, watermark"),
        Command("evaluate", "elegan.cli.commands:evaluate", "judge a run, two runs, or any samples, beside real data"),
        Command("detect train", "elegan.cli.detect:train", "fit a detector to a run's samples: a lesson, no judge"),
        Command("detect apply", "elegan.cli.detect:apply", "what a detector makes of image files, as advice"),
        Command("forget", "elegan.cli.forget:forget", "remove entries from the registry of what was made here"),
        Command("models", "elegan.cli.commands:models", "list the models and their papers"),
        Command("data check", "elegan.cli.commands:data_check", "look for trouble in data before training"),
        Command("benchmark", "elegan.cli.benchmark:benchmark", "how fast models train here, beside plain PyTorch"),
        Command("doctor", "elegan.cli.commands:doctor", "what this machine can do, and what is missing"),
    )
}

TEXT = """\
elegan: every kind of GAN.  Train it, know whether it worked, use it, and label honestly what it makes.

usage: elegan COMMAND [OPTIONS]      elegan help COMMAND      elegan --version

{commands}

examples:
  elegan train r3gan --data digits --out runs/digits --minutes 3
  elegan sample runs/digits --out digits.png --n 64
  elegan evaluate --samples some-images --data digits --size 16"""


def overview() -> str:
    """What `elegan --help` prints."""
    lines = [f"  {command.name:14}{command.summary}" for command in COMMANDS.values()]
    return TEXT.format(commands="\n".join(lines))


def choose(words: Sequence[str]) -> tuple[Command, list[str]]:
    """The command that the words begin with, and the words after it.  Raises UserError for none."""
    for length in (2, 1):
        if (name := " ".join(words[:length])) in COMMANDS:
            return COMMANDS[name], list(words[length:])
    if len(words) > 1 and words[1] in HELP:
        of = [command for command in COMMANDS.values() if command.name.startswith(f"{words[0]} ")]
        if of:
            return Command(words[0], "elegan.cli.overview:tell", ""), [command.name for command in of]
    shared = any(name.startswith(f"{words[0]} ") for name in COMMANDS)
    wrong = " ".join(words[: 2 if shared else 1])
    close = nearest(wrong, COMMANDS)
    raise UserError(f'there is no command "{wrong}"; the commands are {", ".join(COMMANDS)}.{close}')


def tell(names: Sequence[str]) -> int:
    """Print the commands of these names: those that begin with the word whose help was asked for."""
    for name in names:
        print(f"  {name:14}{COMMANDS[name].summary}")
    return 0
