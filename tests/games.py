"""The contract's hard cases, each a game in a few lines; their networks are tiny."""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import cross_entropy, log_softmax, softplus

from elegan.game import Adam, Config, Game, Move, Progress, Spec

SIZE, ROWS = 6, 8


def net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs))


class Tiny(Game):
    """What all of these share: a small batch and one optimiser setting."""

    data = {"real": torch.Size([SIZE])}

    def __init__(self):
        super().__init__(Config(batch=ROWS, ema=50, ema_ramp=1.0), Spec({"real": (SIZE,)}))
        self.build()

    def optimizer(self, name: str, progress: Progress) -> Adam:
        return Adam(1e-2, 0.5, 0.9)


class CycleWithPool(Tiny):
    """Four networks, two of them delivered, and a pool of past fakes that every rank must share."""

    deliver = ("to_b", "to_a")

    def build(self):
        self.to_b, self.to_a, self.judge_a, self.judge_b = net(3, 3), net(3, 3), net(3, 1), net(3, 1)
        self.register_buffer("pool", torch.zeros(2 * ROWS, 3))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def moves(self, progress):
        return (
            Move("translator_terms", ("to_b", "to_a")),
            Move("judge_terms", ("judge_a", "judge_b"), data="same"),
        )

    def translator_terms(self, batch):
        a, b = batch["real"].chunk(2, 1)
        fake_b, fake_a = self.to_b(a), self.to_a(b)
        batch["fake_b"] = fake_b.detach()
        cycle = (self.to_a(fake_b) - a).abs().sum(1) + (self.to_b(fake_a) - b).abs().sum(1)
        return {
            "a": softplus(-self.judge_a(fake_a))[:, 0],
            "b": softplus(-self.judge_b(fake_b))[:, 0],
            "cycle": cycle,
        }

    def judge_terms(self, batch):
        a, b = batch["real"].chunk(2, 1)
        past = self.pool[batch.random.integers(len(self.pool), len(a))]
        fake_b = torch.where(batch.random.uniform(len(a), 1) < 0.5, past, batch["fake_b"])
        real = softplus(-self.judge_a(a))[:, 0] + softplus(-self.judge_b(b))[:, 0]
        return {"real": real, "fake": softplus(self.judge_b(fake_b))[:, 0]}

    def after_move(self, move, batch):
        if move.terms == "judge_terms":
            rows = batch.ranks.gather(batch["fake_b"])
            self.pool[(self.place + torch.arange(len(rows))) % len(self.pool)] = rows
            self.place += len(rows)


class LabelledAndUnlabelled(Tiny):
    """Terms of other lengths than the batch (on two ranks other counts, too) and a batch statistic."""

    deliver = ("generator", "discriminator")

    def build(self):
        self.generator, self.discriminator = net(4, SIZE), net(SIZE, 3)

    def discriminator_terms(self, batch):
        known = torch.arange(len(batch["real"])) < 2 + batch.ranks.rank
        if batch.ranks.size == 1:
            known = torch.tensor([1, 1, 0, 0, 1, 1, 1, 0]).bool()
        logits = self.discriminator(batch["real"])
        label = (batch["real"][:, 0] > 0).long()
        fake = self.discriminator(self.generator(batch.random.normal(ROWS // batch.ranks.size, 4)))
        return {
            "labelled": cross_entropy(logits[known], label[known], reduction="none"),
            "unlabelled": softplus(-logits[~known].logsumexp(1)),
            "fake": softplus(fake.logsumexp(1)),
        }

    def generator_terms(self, batch):
        fake = self.generator(batch.random.normal(len(batch["real"]), 4))
        means = [batch.ranks.mean(self.discriminator(x)) for x in (batch["real"], fake)]
        return {"matching": (means[0] - means[1]).square().sum()}


class Growing(Tiny):
    """All parameters are there from the start; which of them play depends on the images shown."""

    def build(self):
        self.generator = nn.ModuleList([net(2, SIZE), net(SIZE, SIZE)])
        self.discriminator = nn.ModuleList([net(SIZE, SIZE), net(SIZE, 1)])

    def draw(self, batch):
        x = self.generator[0](batch.random.normal(len(batch["real"]), 2))
        return x if batch.progress.fraction < 0.5 else x + self.generator[1](x)

    def judge(self, x, batch):
        grown = batch.progress.fraction >= 0.5
        return self.discriminator[1](x + self.discriminator[0](x) if grown else x)[:, 0]

    def discriminator_terms(self, batch):
        fake, real = self.draw(batch), batch["real"]
        return {"real": softplus(-self.judge(real, batch)), "fake": softplus(self.judge(fake, batch))}

    def generator_terms(self, batch):
        return {"fake": softplus(-self.judge(self.draw(batch), batch))}


class PathLength(Tiny):
    """A running mean that the terms read and only after_move changes."""

    def build(self):
        self.generator, self.discriminator = net(3, SIZE), net(SIZE, 1)
        self.register_buffer("mean_length", torch.zeros(()))

    def discriminator_terms(self, batch):
        fake = self.generator(batch.random.normal(len(batch["real"]), 3))
        return {
            "real": softplus(-self.discriminator(batch["real"]))[:, 0],
            "fake": softplus(self.discriminator(fake))[:, 0],
        }

    def generator_terms(self, batch):
        z = batch.random.normal(len(batch["real"]), 3).requires_grad_(True)
        fake = self.generator(z)
        direction = batch.random.normal(*fake.shape)
        (slope,) = torch.autograd.grad((fake * direction).sum(), z, create_graph=True)
        length = slope.square().sum(1).sqrt()
        batch["length"] = length.detach()
        return {
            "fake": softplus(-self.discriminator(fake))[:, 0],
            "path": (length - self.mean_length).square(),
        }

    def after_move(self, move, batch):
        if "length" in batch:
            self.mean_length.lerp_(batch.ranks.mean(batch.pop("length")), 0.1)


class RewardOnTokens(Tiny):
    """Sampled tokens: no gradient from the judge, a reward with a baseline, and a pre-training phase."""

    def build(self):
        self.generator, self.discriminator = net(2, 4 * 3), net(3 * 4, 1)
        self.register_buffer("baseline", torch.zeros(()))

    def moves(self, progress):
        pretraining = Move("likelihood_terms", ("generator",))
        return (pretraining,) if progress.fraction < 0.3 else super().moves(progress)

    def tokens(self, batch):
        return (batch["real"][:, :3] * 2).long().clamp(0, 3)

    def logits(self, batch):
        return self.generator(batch.random.normal(len(batch["real"]), 2)).view(-1, 3, 4)

    def written(self, batch):
        logits = self.logits(batch)
        gumbel = -(-batch.random.uniform(len(logits), 3, 4).clamp(min=1e-9).log()).log()
        return logits, (logits + gumbel).argmax(2)

    def score(self, tokens):
        return self.discriminator(nn.functional.one_hot(tokens, 4).flatten(1).to(self.baseline.dtype))[:, 0]

    def likelihood_terms(self, batch):
        return {
            "likelihood": cross_entropy(
                self.logits(batch).flatten(0, 1), self.tokens(batch).flatten(), reduction="none"
            )
        }

    def discriminator_terms(self, batch):
        fake = self.written(batch)[1]
        return {"real": softplus(-self.score(self.tokens(batch))), "fake": softplus(self.score(fake))}

    def generator_terms(self, batch):
        logits, tokens = self.written(batch)
        chance = log_softmax(logits, 2).gather(2, tokens[:, :, None]).sum((1, 2))
        batch["reward"] = self.score(tokens).sigmoid().detach()
        return {"reward": -(batch["reward"] - self.baseline) * chance}

    def after_move(self, move, batch):
        if "reward" in batch:
            self.baseline.lerp_(batch.ranks.mean(batch.pop("reward")), 0.2)


class SegmenterWithCritic(Tiny):
    """No latent, no fake images: a segmenter is delivered and a critic compares its masks with the truth."""

    deliver = ("segmenter",)

    def build(self):
        self.segmenter, self.critic = net(3, 3), net(6, 1)

    def moves(self, progress):
        return (Move("critic_terms", ("critic",)), Move("segmenter_terms", ("segmenter",), data="fresh"))

    def pieces(self, batch):
        image, mask = batch["real"][:, :3], (batch["real"][:, 3:] > 0).to(batch["real"].dtype)
        return image, mask, self.segmenter(image)

    def critic_terms(self, batch):
        image, mask, guess = self.pieces(batch)
        seen = [self.critic(torch.cat([image, m], 1))[:, 0] for m in (mask, guess.sigmoid())]
        return {"truth": softplus(-seen[0]), "guess": softplus(seen[1])}

    def segmenter_terms(self, batch):
        image, mask, guess = self.pieces(batch)
        fooled = softplus(-self.critic(torch.cat([image, guess.sigmoid()], 1)))[:, 0]
        return {"overlap": bce(guess, mask, reduction="none").sum(1), "fooled": fooled}


class ClipsAndFrames(Tiny):
    """Two judges on two clocks: one value a clip and one value a frame, three frames a clip."""

    def build(self):
        self.generator, self.clips, self.frames = net(2, SIZE), net(SIZE, 1), net(SIZE // 3, 1)

    def moves(self, progress):
        judges = Move("judges_terms", ("clips", "frames"))
        return (judges, judges, Move("generator_terms", ("generator",), data="same"))

    def seen(self, clips):
        return self.clips(clips)[:, 0], self.frames(clips.reshape(-1, SIZE // 3))[:, 0]

    def judges_terms(self, batch):
        fake = self.generator(batch.random.normal(len(batch["real"]), 2))
        (clip, frame), (fake_clip, fake_frame) = self.seen(batch["real"]), self.seen(fake)
        return {"clip": softplus(fake_clip - clip), "frame": softplus(fake_frame - frame)}

    def generator_terms(self, batch):
        clip, frame = self.seen(self.generator(batch.random.normal(len(batch["real"]), 2)))
        return {"clip": softplus(-clip), "frame": softplus(-frame)}


GAMES = {
    game.__name__: game
    for game in (
        CycleWithPool, LabelledAndUnlabelled, Growing, PathLength, RewardOnTokens, SegmenterWithCritic, ClipsAndFrames,
    )
}  # fmt: skip


class TableStream:
    """Rows of a fixed table in order, for ever; a rank takes its slice of each draw."""

    def __init__(self, ranks):
        self.position, self.ranks = 0, ranks
        self.table = torch.randn(31, SIZE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def draw(self, n):
        rows = self.position + self.ranks.rank * n + torch.arange(n)
        self.position += n * self.ranks.size
        return {"real": self.table[rows % len(self.table)].to(torch.get_default_dtype())}


def training(name, total=20 * ROWS):
    """A game of the table, seeded, in the default precision, on whatever ranks there are."""
    from elegan.training.engine import Engine
    from elegan.training.loop import Training
    from elegan.training.ranks import here

    torch.manual_seed(3)
    engine = Engine(torch.device("cpu"), bf16=False, channels_last=False)
    return Training(GAMES[name](), TableStream(here()), total=total, seed=7, engine=engine)


__all__ = ["GAMES", "ROWS", "TableStream", "training"]
