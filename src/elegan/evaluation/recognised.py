"""The report's section on classes: what samples are recognised as, beside what was asked for."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from elegan.evaluation import conditioning
from elegan.evaluation.bins import balance
from elegan.evaluation.case import Case
from elegan.evaluation.estimate import Estimate, Figure, share
from elegan.evaluation.sections import named

SECOND = "svm-pixels"


class Classes:
    """What is recognised by the features, or by a second classifier where they know no classes."""

    def __init__(self, case: Case, independent: bool) -> None:
        real, features, requested = case.real, case.features, case.requested
        assert real.train_labels is not None
        assert real.test_labels is not None
        assert real.validation_labels is not None
        self.case, self.samples, self.requested, self.real = case, case.samples, requested, real
        self.reals = np.concatenate([real.test, real.validation])
        self.real_labels = np.concatenate([real.test_labels, real.validation_labels])
        highest = max(int(part.max()) for part in (real.train_labels, self.real_labels))
        self.count = max(len(real.classes), highest + 1, features.classes)
        self.names = [*real.classes, *(str(c) for c in range(len(real.classes), self.count))]
        known, self.by = features.classes, features.name
        second = None
        if not known or (independent and requested is not None):
            second = conditioning.independent_classifier(real.train, real.train_labels)
        if known or second is None:
            self.recognise: Callable[[np.ndarray], np.ndarray] = lambda items: features.classify(items).argmax(axis=1)
        else:
            self.recognise, self.by = second.predict, SECOND
        self.second = second if known else None

    def report(self) -> dict[str, object]:
        recognised, of_reals = self.recognise(self.samples), self.recognise(self.reals)
        counts = conditioning.class_counts(recognised, self.requested, of_reals, self.real_labels, self.count)
        overall, each = self._spread(recognised, of_reals)
        n, r = len(recognised), len(of_reals)
        fair = [round(count.share.null * r) for count in counts]
        words = balance(np.array([count.recognised for count in counts]), np.array(fair), n, r)
        rows = zip(self.names, counts, each, words, strict=True)
        table = [self._row(*row, r) for row in rows]
        result: dict[str, object] = {"spread": overall.figure(self.by), "table": table, **named(table)}
        if self.requested is not None:
            result |= self._agreement(recognised, of_reals, self.requested)
            asked = [
                (c.agreement.value, name)
                for c, name in zip(counts, self.names, strict=True)
                if c.agreement and c.requested
            ]
            result["worst"] = min(asked)[1] if asked else None
        return result

    def _agreement(self, recognised: np.ndarray, of_reals: np.ndarray, requested: np.ndarray) -> dict[str, Figure]:
        found = {"agreement": conditioning.agreement(recognised, requested, of_reals, self.real_labels).figure(self.by)}
        if self.second is not None:
            recognised, of_reals = self.second.predict(self.samples), self.second.predict(self.reals)
            second = conditioning.agreement(recognised, requested, of_reals, self.real_labels)
            found["agreement_independent"] = second.figure(SECOND)
        return found

    def _spread(self, recognised: np.ndarray, of_reals: np.ndarray) -> tuple[Estimate, list[Estimate]]:
        """Within the classes asked for; where none was, within those recognised, of reals too."""
        samples, test, validation = self.case.sides
        rows = test, len(self.real.test) + validation
        ours, theirs = (recognised, of_reals) if self.requested is None else (self.requested, self.real_labels)
        labels = (ours[samples], theirs[rows[0]], theirs[rows[1]])
        return conditioning.spread(self.case.on_sides(self.case.embedded), labels, self.count, seed=self.case.seed)

    def _row(
        self, name: str, count: conditioning.ClassCount, spread: Estimate, word: str, reals: int
    ) -> dict[str, object]:
        fair = share(round(count.share.null * reals), reals)
        found = replace(count.share, null_low=fair.low, null_high=fair.high)
        return {
            "name": name, "requested": count.requested, "recognised": count.recognised, "balance": word,
            "share": found.figure(self.by), "spread": spread.figure(self.case.features.name),
            "agreement": count.agreement.figure(self.by) if count.agreement else None,
        }  # fmt: skip
