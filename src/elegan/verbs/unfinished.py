"""What is said of a run that is judged before its end."""

from typing import Any

from elegan.errors import UserError
from elegan.verbs.folder import Folder
from elegan.verbs.run import Run

NOTES = {
    "training": (
        "The run is still being trained: judged are the weights that were saved at {at} images.",
        "아직 학습 중인 실행입니다. 이미지 {at}장 시점에 저장된 가중치를 판정했습니다.",
    ),
    "interrupted": (
        "Training was interrupted: judged are the weights that were saved at {at} images; the same train command goes "
        "on from there.",
        "학습이 중단된 실행입니다. 이미지 {at}장 시점에 저장된 가중치를 판정했으며, 같은 train 명령으로 이어서 "
        "학습할 수 있습니다.",
    ),
}


def unfinished(run: Run) -> dict[str, Any] | None:
    """ "state" ("training" or "interrupted"), "images" of the weights that are saved, "of" (None where the referee ends
    training), and the note on it in "en" and "ko"; None for a finished run.

    Raises UserError where no weights are saved yet.
    """
    folder = Folder(run.path)
    if folder.finished:
        return None
    state = "training" if folder.being_trained else "interrupted"
    if state == "training" and not (run.path / "generator.json").exists():
        raise UserError(
            f"{run.path} is still being trained and has no weights to judge yet; wait for its end, or stop it with "
            "Ctrl-C, which saves them."
        )
    images, budget = int(run.described["images"]), run.record["budget"]
    of = None if budget.get("waits") else int(budget["images"])
    english, korean = (
        note.format(at=_place(images, of, between)) for note, between in zip(NOTES[state], (" of ", "/"), strict=True)
    )
    return {"state": state, "images": images, "of": of, "en": english, "ko": korean}


def _place(images: int, of: int | None, between: str) -> str:
    return f"{images:,}" if of is None else f"{images:,}{between}{of:,}"
