"""What the measures are called, in English and in Korean, and how each is read."""

LABELS = {
    "kernel_distance": ("KID", "KID"),
    "frechet_distance": ("FD", "FD"),
    "sliced_wasserstein": ("sliced Wasserstein distance", "슬라이스 바서슈타인 거리"),
    "precision": ("precision", "정밀도"),
    "recall": ("recall", "재현율"),
    "density": ("density", "밀도"),
    "coverage": ("coverage", "커버리지"),
    "accuracy": ("accuracy of a fresh critic", "새 판별기의 정확도"),
    "total_variation": ("certified total variation", "보증된 총변동 거리"),
    "evidence": ("evidence against equality", "차이가 있다는 증거(e값)"),
    "outside": ("share outside the data's support", "데이터의 범위를 벗어난 표본의 비율"),
    "blends": ("share of blends of two images", "두 이미지를 섞은 듯한 표본의 비율"),
    "both": ("share of near copies", "복사본에 가까운 표본의 비율"),
    "pixels": ("near a training item in pixels", "픽셀에서 학습 데이터에 가까운 비율"),
    "features": ("near a training item in features", "특징에서 학습 데이터에 가까운 비율"),
    "diversity": ("diversity", "다양성"),
    "repeated": ("share of near twins", "서로 거의 같은 표본의 비율"),
    "agreement": ("agreement with the label asked for", "요청한 레이블과의 일치율"),
    "agreement_independent": ("agreement, by a second classifier", "일치율(두 번째 분류기)"),
    "spread": ("spread within a class", "클래스 내 다양성"),
    "high_quality": ("share within 3 sigma of a mode", "모드의 3시그마 안에 있는 표본의 비율"),
    "found": ("modes held", "찾은 모드 수"),
    "divergence": ("KL of the modes to uniform", "모드 분포와 균등 분포의 KL"),
    "share": ("share", "비율"),
    "not_finite": ("share of samples with NaN or infinity", "NaN이나 무한대가 있는 표본의 비율"),
    "out_of_range": ("values out of range", "범위를 벗어난 값의 비율"),
    "n": ("number of samples", "표본 수"),
    "discriminator_accuracy": ("the discriminator's accuracy", "처음 보는 데이터에 대한 판별기의 정확도"),
    "accuracy_gap": ("its accuracy on training less held-out data", "학습 데이터와 처음 보는 데이터의 정확도 차이"),
    "overfit_signal": ("its preference for training data", "학습 데이터를 더 진짜로 보는 정도"),
    "best_response": ("what the discriminator could gain", "판별기가 더 얻을 수 있는 이득"),
    "duality_gap": ("duality gap, at least", "쌍대 간극(하한)"),
    "worse_after_step": ("small steps that make it worse", "조금 바꾸었을 때 나빠지는 비율"),
}  # fmt: skip
"""Measure → its name in English and in Korean."""

READING = {
    "kernel_distance": "Distance between the two clouds of feature vectors; 0 for equal ones, and lower is better.",
    "frechet_distance": "Distance of two Gaussians fitted to the clouds.  Its bias grows as n shrinks: read it beside "
    "the real column alone.",
    "sliced_wasserstein": "Mean squared distance of the sorted values along random directions; lower is better.",
    "precision": "Share of samples that lie where reals lie.",
    "density": "How deep in the crowd of reals the samples lie; 1 is expected, far above 1 is too safe.",
    "outside": "Share of samples farther from all data than held-out reals ever are.",
    "blends": "Share of samples that lie between two training images, as no real does.",
    "recall": "Share of reals that lie where samples lie.",
    "coverage": "Share of reals that have a sample near them: the best single sign of missing variety.",
    "diversity": "Mean distance between two samples over that between two reals; 1 is expected.",
    "repeated": "Share of samples with a near twin among the samples.",
    "spread": "Diversity within each class; 1 is expected.",
    "agreement": "Share recognised as the class that was asked for; reals are not always recognised either.",
    "agreement_independent": "The same, by a classifier that shares nothing with the features.",
    "accuracy": "A new classifier, trained to tell samples from reals, is right so often on items that it never saw; "
    "50 % is guessing.",
    "total_variation": "At least this share of the samples is not as the data are, with 95 % confidence; 0 proves "
    "nothing.",
    "evidence": "The odds that a bettor against \"they are equal\" has won; 20 or more is proof, for it happens "
    "by chance in one of 20 reports at the most.",
    "both": "Share of samples as near to a training item as hardly any unseen real is, in pixels and in features.",
    "pixels": "The same in pixels alone.",
    "features": "The same in features alone.",
    "found": "Modes that hold at least a quarter of their fair share.",
    "high_quality": "Share of samples that are sharp; what lies between two modes is not.",
    "divergence": "0 for an even distribution over the modes; lower is better.",
    "not_finite": "Samples that hold NaN, infinity or a number beyond 1e15; one is too many.",
    "out_of_range": "Values that had to be cut to fit into 8 bits.",
}  # fmt: skip
"""Measure → a sentence on how to read it."""

PLAIN = {
    "kernel_distance": "Distance from real data",
    "frechet_distance": "Distance from real data",
    "sliced_wasserstein": "Distance from real data",
    "precision": "Samples that look like data",
    "density": "How typical samples are",
    "outside": "Samples where no data are",
    "blends": "Samples that are blends",
    "recall": "Data within reach",
    "coverage": "Data that are covered",
    "diversity": "How much samples vary",
    "repeated": "Samples with a near twin",
    "spread": "How much a class varies",
    "agreement": "Samples as asked for",
    "accuracy": "A fresh critic is right",
    "total_variation": "Samples surely unlike data",
    "evidence": "Odds that they differ",
    "both": "Copies of training data",
    "share": "Share of the samples",
    "found": "Modes that are held",
    "high_quality": "Samples that are sharp",
    "not_finite": "Samples with NaN",
}  # fmt: skip
"""Measure → what it says, for a reader who knows none of their names."""

DISTANCES = frozenset({
    "kernel_distance", "frechet_distance", "sliced_wasserstein", "accuracy", "total_variation", "evidence",
})  # fmt: skip
LOWER = DISTANCES | {
    "outside", "blends", "both", "pixels", "features", "repeated", "not_finite", "out_of_range", "divergence",
    "discriminator_accuracy", "accuracy_gap", "overfit_signal", "best_response", "duality_gap",
}  # fmt: skip
"""Better when lower."""
HIGHER = frozenset({
    "recall", "coverage", "agreement", "agreement_independent", "high_quality", "found", "worse_after_step",
})  # fmt: skip
"""Better when higher.  What is in neither set is best where reals are."""
SHARES = frozenset({
    "precision", "recall", "coverage", "both", "pixels", "features", "agreement", "agreement_independent",
    "high_quality", "not_finite", "out_of_range", "repeated", "share", "outside", "blends", "accuracy",
    "total_variation", "discriminator_accuracy", "worse_after_step",
})  # fmt: skip
"""Shown in per cent."""


def label(measure: str, language: int = 0) -> str:
    """The name of a measure in English (0) or Korean (1); an unknown one's words."""
    return LABELS[measure][language] if measure in LABELS else measure.replace("_", " ")
