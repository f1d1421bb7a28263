"""`elegan apply`: its options, and what is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from elegan.cli.commands import finish
from elegan.cli.parsing import Flag, Profile, VisibleLabel, is_yes, optional, parse


@dataclass(frozen=True)
class ApplyOptions:
    run: Positional[str]
    """The run folder of a translator: pix2pix, cyclegan, cut."""
    inputs: Annotated[Positional[tuple[str, ...]], optional("INPUT ...")]
    """Images of any size and kind, and folders of them."""
    out: Annotated[str, arg(metavar="DIR")]
    """The folder for the results, which have the images' names; other formats than png, webp and jpg become png."""
    to: Annotated[str | None, optional("A|B")] = None
    """The side to make; B when not given."""
    reconstruct: Flag = False
    """Also translate the results back, into DIR/reconstructed."""
    strength: float = 1.0
    """From 0, the image itself, to 1, the translation."""
    size: Annotated[str | None, optional("SIZE")] = None
    """Bring the images to this size first: 64, or height x width as in 48x64; they keep their own when not given."""
    profile: Profile = None
    visible_label: VisibleLabel = None
    json: Flag = False
    """Print one JSON object as the last line."""


def apply(words: Sequence[str]) -> int:
    """Parse, translate, and report."""
    description = "Translate images with a trained run: image(s) in, image(s) out, labelled."
    options = parse(ApplyOptions, words, prog="elegan apply", description=description)
    from elegan.verbs.apply import apply as translate

    done = translate(
        options.run, options.inputs, out=options.out, to=options.to, reconstruct=options.reconstruct,
        strength=options.strength, size=options.size,
        profile=options.profile, visible_label=is_yes(options.visible_label),
    )  # fmt: skip
    if not options.json:
        images = "1 image" if done["n"] == 1 else f"{done['n']:,} images"
        print(f"{images} translated to {done['to']} in {options.out}, labelled as made by a network.")
    return finish(done, as_json=options.json)
