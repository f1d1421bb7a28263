"""What to try next: for each verdict the remedies in their order, those that a run's own settings call for first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Step = tuple[str, str]
"""A sentence in English and in Korean."""
FOR_EVERY_MODEL = {"images", "minutes", "data", "size", "seed", "n", "skip_bad", "preset"}
"""Options that no model's Config holds."""

MORE_BUDGET = (
    "Train a new run with twice the budget (--images or --minutes).",
    "예산(--images 또는 --minutes)을 두 배로 늘려 새로 학습하세요.",
)
WIDER = (
    "Make the networks larger: wider (--width).",
    "네트워크의 폭(--width)을 늘려 키우세요.",
)
DEEPER = (
    "Make the networks larger: first wider (--width), then deeper (--{depth}).",
    "네트워크를 키우세요. 먼저 폭(--width), 다음에 깊이(--{depth})를 늘립니다.",
)
"""WIDER, for a model that has a setting for its depth."""
HIGHER_GAMMA = (
    "Raise the gradient penalty threefold (--gamma).",
    "기울기 페널티(--gamma)를 세 배로 높이세요.",
)
LOWER_GAMMA_END = (
    "Lower the gradient penalty at the end to a third (--gamma-end): a smoother discriminator lets blends pass.",
    "마지막 기울기 페널티(--gamma-end)를 3분의 1로 낮추세요. 판별기가 지나치게 매끄러우면 뒤섞인 표본을 놓칩니다.",
)
LOWER_RATE = (
    "Halve the learning rate (--lr).",
    "학습률(--lr)을 절반으로 낮추세요.",
)
LARGER_BATCH = (
    "Double the batch (--batch), so that each step sees more of the data.",
    "한 단계가 데이터를 더 많이 보도록 배치 크기(--batch)를 두 배로 늘리세요.",
)
MORE_DATA = (
    "Train on more data: it is the surest cure.",
    "데이터를 더 모아 학습하세요. 가장 확실한 방법입니다.",
)
AUGMENT = (
    "Augment more strongly (--augment affine cutout, or a higher --augment-share).",
    "데이터 증강을 강화하세요(--augment affine cutout, 또는 더 높은 --augment-share).",
)
CHECK_DATA = (
    "Look for trouble in the data with elegan data check.",
    "elegan data check로 데이터에 문제가 없는지 살펴보세요.",
)

QUARTER_RATE = (
    "Train a new run with a quarter of the learning rate (--lr).",
    "학습률(--lr)을 4분의 1로 낮추어 새로 학습하세요.",
)
FULL_PRECISION = (
    "Compute in float32 (--precision float32).",
    "float32로 계산하세요(--precision float32).",
)
SMALLER = (
    "Stop earlier, or make the networks smaller (--width).",
    "학습을 더 일찍 멈추거나 네트워크의 폭(--width)을 줄이세요.",
)

STEPS: Mapping[str, Sequence[Step]] = {
    "DIVERGED": (QUARTER_RATE, HIGHER_GAMMA, FULL_PRECISION),
    "CANNOT_TELL": (
        ("Judge at least 100 samples against at least 100 real items of each part; 1,000 of each tell much more.",
         "표본과 각 부분의 실제 데이터를 100개 이상씩 써서 판정하세요. 1,000개씩이면 훨씬 더 정확합니다."),
    ),
    "COLLAPSED": (HIGHER_GAMMA, LOWER_RATE, LARGER_BATCH),
    "LOW_QUALITY": (MORE_BUDGET, WIDER, LOWER_RATE, CHECK_DATA),
    "MISSING_MODE": (
        HIGHER_GAMMA,
        MORE_BUDGET,
        ("Check that the training data hold enough of what is missing, and add some.",
         "빠진 부분이 학습 데이터에 충분히 있는지 확인하고 더 추가하세요."),
    ),
    "OVERFIT": (MORE_DATA, AUGMENT, SMALLER),
    "OVER_GENERALISED": (LOWER_GAMMA_END, WIDER, MORE_BUDGET),
    "SCARCE_MODE": (
        MORE_BUDGET,
        HIGHER_GAMMA,
        ("Balance the training data, so that what is scarce comes more often.",
         "드물게 나타나는 부분이 더 자주 나오도록 학습 데이터의 균형을 맞추세요."),
    ),
    "INDISTINGUISHABLE": (
        ("Use it.  More samples and more held-out data would make the test sharper.",
         "그대로 쓰면 됩니다. 표본과 시험용 데이터가 많을수록 검사가 더 예리해집니다."),
    ),
    "PLATEAU": (WIDER, LOWER_GAMMA_END, MORE_DATA, AUGMENT),
    "NOT_YET": (MORE_BUDGET, WIDER, LARGER_BATCH),
    "BUDGET": (MORE_BUDGET, WIDER, LARGER_BATCH),
}  # fmt: skip
"""Verdict code → what to try, in this order."""

GENERAL: Mapping[Step, Step] = {
    MORE_BUDGET: (
        "Train the generator twice as long.",
        "생성기를 두 배로 오래 학습하세요.",
    ),
    WIDER: (
        "Make the networks larger: first wider, then deeper.",
        "네트워크를 키우세요. 먼저 폭, 다음에 깊이를 늘립니다.",
    ),
    HIGHER_GAMMA: (
        "Regularise the discriminator more, by a gradient penalty (R1) or a higher weight of the one there is.",
        "판별기를 더 강하게 규제하세요. 기울기 페널티(R1)를 더하거나 그 가중치를 높입니다.",
    ),
    LOWER_GAMMA_END: (
        "Regularise the discriminator less towards the end: a smoother one lets blends pass.",
        "학습이 끝나 갈 때 판별기의 규제를 줄이세요. 판별기가 지나치게 매끄러우면 뒤섞인 표본을 놓칩니다.",
    ),
    LOWER_RATE: (
        "Halve the learning rate.",
        "학습률을 절반으로 낮추세요.",
    ),
    QUARTER_RATE: (
        "Train again with a quarter of the learning rate.",
        "학습률을 4분의 1로 낮추어 다시 학습하세요.",
    ),
    LARGER_BATCH: (
        "Double the batch, so that each step sees more of the data.",
        "한 단계가 데이터를 더 많이 보도록 배치 크기를 두 배로 늘리세요.",
    ),
    AUGMENT: (
        "Augment what the discriminator sees, or more strongly than before.",
        "판별기가 보는 데이터를 증강하거나, 지금보다 더 강하게 증강하세요.",
    ),
    FULL_PRECISION: (
        "Compute in float32.",
        "float32로 계산하세요.",
    ),
    SMALLER: (
        "Stop earlier, or make the networks smaller.",
        "학습을 더 일찍 멈추거나 네트워크를 줄이세요.",
    ),
}
"""The steps that name elegan's options, for a generator that was trained by who knows what."""

ADVICE = {code: " ".join(english for english, _ in steps) for code, steps in STEPS.items()}
ADVICE_KO = {code: " ".join(korean for _, korean in steps) for code, steps in STEPS.items()}

TRENDS: Mapping[str, Step] = {
    "improving": (
        "It was still improving at the last look.",
        "마지막으로 보았을 때에도 나아지고 있었습니다.",
    ),
    "level": (
        "It had stopped improving.",
        "더 나아지지 않고 있었습니다.",
    ),
    "worse": (
        "It had grown worse.",
        "나빠지고 있었습니다.",
    ),
}
"""By the trend of the last look."""
NEXT = {
    "improving": (MORE_BUDGET, WIDER),
    "level": (WIDER, LOWER_GAMMA_END, MORE_DATA),
    "worse": (LOWER_RATE, HIGHER_GAMMA, MORE_DATA),
}
BUDGET_ADVICE = {
    trend: " ".join([TRENDS[trend][0], *(english for english, _ in steps)]) for trend, steps in NEXT.items()
}

LIMITED = ("width", "narrow", "blocks", "features", "discriminator_width", "batch", "latent", "ema")
BALANCE = ("lr", "lr_ratio", "lr_end", "gamma", "gamma_end", "r2", "beta1", "beta2", "burn_in")
DATA = ("augment", "augment_share")
SUSPECTS: Mapping[str, Sequence[str]] = {
    "DIVERGED": BALANCE,
    "COLLAPSED": (*BALANCE, *LIMITED),
    "MISSING_MODE": (*BALANCE, *LIMITED),
    "SCARCE_MODE": (*BALANCE, *LIMITED),
    "OVER_GENERALISED": (*BALANCE, *LIMITED),
    "LOW_QUALITY": (*BALANCE, *LIMITED, *DATA),
    "PLATEAU": (*BALANCE, *LIMITED, *DATA),
    "NOT_YET": (*BALANCE, *LIMITED, *DATA),
    "BUDGET": (*BALANCE, *LIMITED, *DATA),
    "OVERFIT": DATA,
}
"""Verdict code → the settings that may have caused it, where they are not what the model would have chosen."""
HUNGRY = {"LOW_QUALITY", "MISSING_MODE", "SCARCE_MODE", "OVER_GENERALISED", "PLATEAU", "NOT_YET", "BUDGET"}
"""Verdict codes that too few training items can cause."""
BY_HEART = 0.1


def advised(
    findings: Iterable[Mapping[str, object]],
    *,
    settings: Mapping[str, object] | None = None,
    usual: Mapping[str, object] | None = None,
    trend: str = "",
    returns: Sequence[Mapping[str, object]] = (),
    by_heart: bool = False,
) -> list[dict[str, object]]:
    """The findings with their "steps" and "steps_ko", lists of sentences, and "advice" and "advice_ko", all of them.

    ``settings`` are a run's, ``usual`` those that its model chooses by itself for such data: what differs
    and may have caused the finding comes first.  Without settings nothing is known of the training, and the steps name
    no options.  ``trend`` is the last look's; ``returns`` are the times that training went back
    (:func:`elegan.evaluation.wording.went_back`): what it went on with comes next.  With ``by_heart``, that the
    discriminator knows its training items (:func:`knows_by_heart`), more data come before what more training or larger
    networks would give.
    """
    departures = _departures(settings or {}, usual or {})
    calmer = _calmer(returns)
    result = []
    for finding in findings:
        steps = _steps(str(finding["code"]), departures, trend, calmer, by_heart)
        known = _fitting(steps, settings) if settings else _in_general(steps)
        english, korean = [step[0] for step in known], [step[1] for step in known]
        said = {"advice": " ".join(english), "advice_ko": " ".join(korean), "steps": english, "steps_ko": korean}
        result.append({**finding, **said})
    return result


def _steps(
    code: str, departures: Mapping[str, tuple[object, object]], trend: str, calmer: Sequence[Step], by_heart: bool
) -> list[Step]:
    suspects = {name: departures[name] for name in SUSPECTS.get(code, ()) if name in departures}
    unfinished = code in ("NOT_YET", "BUDGET") and trend in NEXT
    steps = list(NEXT[trend] if unfinished else STEPS.get(code, ()))
    if trend == "worse" and MORE_BUDGET in steps:  # more of the same would make it worse still
        steps = [*NEXT["worse"], *(step for step in steps if step not in NEXT["worse"] and step != MORE_BUDGET)]
    if by_heart and code in HUNGRY:
        steps = [MORE_DATA, AUGMENT, *(step for step in steps if step not in (MORE_DATA, AUGMENT))]
    first = [_put_back(suspects)] if suspects else []
    return [*first, *(calmer if "lr" in SUSPECTS.get(code, ()) else ()), *steps]


def knows_by_heart(equilibrium: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the discriminator surely scores a training item above a held-out one BY_HEART more often than half."""
    interval = equilibrium.get("overfit_signal", {}).get("interval")
    return interval is not None and isinstance(interval[0], int | float) and interval[0] > BY_HEART


def _calmer(returns: Sequence[Mapping[str, object]]) -> list[Step]:
    """To begin with the settings that a training ended with, where it went back."""
    config = returns[-1].get("config") if returns else None
    if not isinstance(config, Mapping) or not config:
        return []
    options = " ".join(_option(str(name), value) for name, value in config.items())
    return [(
        f"Training went back to calmer settings on its way; begin a new run with them: {options}.",
        f"학습 도중 더 안정적인 설정으로 되돌아갔습니다. 처음부터 그 설정으로 새로 학습하세요: {options}.",
    )]  # fmt: skip


def _in_general(steps: Iterable[Step]) -> list[Step]:
    return [GENERAL.get(step, step) for step in steps]


def _fitting(steps: Iterable[Step], settings: Mapping[str, object]) -> list[Step]:
    """The steps that the model has settings for."""
    depth = next((name for name in ("blocks", "depth") if name in settings), None)
    deeper = (DEEPER[0].format(depth=depth), DEEPER[1].format(depth=depth)) if depth else WIDER
    return [deeper if step == WIDER else step for step in steps if _possible(step, settings)]


def _possible(step: Step, settings: Mapping[str, object]) -> bool:
    """Whether the model has a setting that the step names."""
    named = {name.replace("-", "_") for name in re.findall(r"--(?:no-)?([a-z][a-z0-9-]*)", step[0])}
    ours = named - FOR_EVERY_MODEL
    return not ours or bool(ours & settings.keys())


def _put_back(suspects: Mapping[str, tuple[object, object]]) -> Step:
    """One sentence for all of them: only together are they what is known to work."""
    listed = [(_option(name, then), _said(now)) for name, (now, then) in suspects.items()]
    english = ", ".join(f"{option} (here {now})" for option, now in listed)
    korean = ", ".join(f"{option}(현재 {now})" for option, now in listed)
    return f"Go back to the model's own settings: {english}.", f"모델의 기본 설정으로 되돌리세요: {korean}."


def _option(name: str, value: object) -> str:
    """How the command line is told so; what is left to the model isn't told."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"no --{option}" if value is None else f"--{option} {_said(value)}"


def _departures(settings: Mapping[str, object], usual: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Setting → (what it is, what it usually is), where they differ."""
    return {
        name: (settings[name], value)
        for name, value in usual.items()
        if name in settings and _plain(settings[name]) != _plain(value)
    }


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _said(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
