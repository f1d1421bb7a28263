"""SGAN: its equations, few labels among many images, what its classifier says, and the report beside others."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import elegan
from elegan.cli import main
from elegan.data import keep_labels, open_data
from elegan.data.dataset import Split
from elegan.errors import UserError
from elegan.evaluation import conditioning
from elegan.evaluation.few_labels import more_often_right, spread_labels, support_vectors
from elegan.game import Batch, Progress, Random, Ranks, Spec
from elegan.models.sgan import SGAN, SGANConfig
from elegan.training.checkpoint import load_checkpoint, save_checkpoint
from elegan.training.engine import Engine
from elegan.training.loop import Training
from elegan.verbs.classify import classify

ROWS = 6
SPEC = Spec({"real": (1, 8, 8), "label": (), "labelled": (1, 8, 8)}, ("a", "b", "c"), 100)
TINY = {"batch": 32, "width": 16, "narrow": 16, "features": 16}


@pytest.fixture(scope="module")
def digits():
    return open_data("digits", size=8)


def small(**settings):
    torch.manual_seed(1)
    return SGAN(SGANConfig(width=16, narrow=16, features=16, dropout=0.0, noise=0.0, augment=(), **settings), SPEC)


def batch_of(game, fraction=1.0):
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(2, ROWS, 1, 8, 8, generator=generator) * 2 - 1
    tensors = {"real": images[0], "labelled": images[1], "label": torch.tensor([0, 1, 2, 0, 1, 2])}
    return Batch(tensors, Random((3,)), Progress(round(100 * fraction), 100))


def test_labelled_images_alone_meet_their_labels():
    """E[−log p(y|x, y ≤ K)] over "labelled", never over "real"."""
    game = small()
    batch = batch_of(game)
    logits = game.class_logits(batch["labelled"])
    expected = logits.logsumexp(1) - logits.gather(1, batch["label"][:, None])[:, 0]
    torch.testing.assert_close(game.discriminator_terms(batch)["labelled"], expected)


def test_real_and_fake_follow_the_logit_that_is_fixed_at_0():
    """−½ log D(x) and −½ log(1 − D(G(z))) with D = Z/(Z + 1): the softmax of K + 1 logits, the last of them 0."""
    game = small()
    batch = batch_of(game)
    with torch.no_grad():
        fake = game.fakes(ROWS, Random((3,)))
    terms = game.discriminator_terms(batch)
    for name, images, column in (("real", batch["real"], slice(0, 3)), ("fake", fake, slice(3, 4))):
        logits = torch.cat([game.class_logits(images), torch.zeros(ROWS, 1)], 1)
        expected = -0.5 * logits.softmax(1)[:, column].sum(1).log()
        torch.testing.assert_close(terms[name], expected, rtol=1e-4, atol=1e-5)


def test_scores_are_the_logit_of_real_against_fake():
    game, batch = small(), batch_of(None)
    logits = torch.cat([game.class_logits(batch["real"]), torch.zeros(ROWS, 1)], 1)
    torch.testing.assert_close(game.scores(batch).sigmoid(), 1 - logits.softmax(1)[:, 3])


def test_the_generator_matches_the_means_of_features():
    game, batch = small(), batch_of(None)
    with torch.no_grad():
        fake = game.fakes(ROWS, Random((3,)))
        gap = game.discriminator.features(batch["real"]).mean(0) - game.discriminator.features(fake).mean(0)
    (matching,) = game.generator_terms(batch).values()
    torch.testing.assert_close(matching, gap.square().mean())


def test_agreement_is_the_cross_entropy_of_two_views_and_rises_along_its_ramp():
    game = small(temperature=0.5, ramp=0.5)
    logits = game.class_logits(batch_of(game)["real"])  # without noise and augmentation both views are the same
    expected = -((logits / 0.5).softmax(1).detach() * logits.log_softmax(1)).sum(1)
    for fraction, weight in ((0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (1.0, 1.0)):
        found = game.discriminator_terms(batch_of(game, fraction))["agreement"]
        torch.testing.assert_close(found, weight * expected, rtol=1e-4, atol=1e-6)


def test_labels_of_all_images_are_used_where_none_stand_beside_them():
    game, batch = small(), batch_of(None)
    del batch["labelled"]
    logits = game.class_logits(batch["real"])
    expected = logits.logsumexp(1) - logits.gather(1, batch["label"][:, None])[:, 0]
    torch.testing.assert_close(game.discriminator_terms(batch)["labelled"], expected)


def test_labels_alone_leave_the_generator_and_agreement_out():
    game = small(**dict.fromkeys(("adversarial", "agreement"), 0.0))
    assert SGAN.labels_alone(SGANConfig()) == SGANConfig(adversarial=0.0, agreement=0.0)
    assert list(game.discriminator_terms(batch_of(game))) == ["labelled"]
    assert [move.terms for move in game.moves(Progress(0, 1))] == ["discriminator_terms"]


def test_few_labels_are_dealt_evenly_and_drawn_by_the_seed(digits):
    few = keep_labels(digits, 100, seed=3)
    train = few.split.train
    assert np.bincount(few.labels[few.known]).tolist() == [10] * 10
    assert (few.labels[np.setdiff1d(train, few.known)] == -1).all()
    assert (few.labels[few.known] == digits.labels[few.known]).all()
    assert np.array_equal(few.known, keep_labels(digits, 100, seed=3).known)
    assert not np.array_equal(few.known, keep_labels(digits, 100, seed=4).known)
    assert np.bincount(keep_labels(digits, 13, seed=0).labels[keep_labels(digits, 13, seed=0).known]).max() == 2


def test_held_out_images_keep_their_labels(digits):
    few = keep_labels(digits, 20, seed=0)
    for part in ("validation", "test"):
        rows = few.indices(part)
        assert np.array_equal(few.labels[rows], digits.labels[rows])
        assert few.part(part)[1] is not None
    assert few.part("train")[1] is None
    assert few.fingerprint == digits.fingerprint


def test_a_step_sees_all_images_and_as_many_labelled_ones(digits):
    few = keep_labels(digits, 10, seed=0)
    batch = few.stream(seed=1).draw(25)
    known = {image.tobytes(): label for image, label in zip(few.items[few.known], few.labels[few.known], strict=True)}
    assert {name: tuple(t.shape) for name, t in batch.items()} == {
        "real": (25, 1, 8, 8), "labelled": (25, 1, 8, 8), "label": (25,),
    }  # fmt: skip
    assert [known[item.tobytes()] for item in few.to_items(batch["labelled"])] == batch["label"].tolist()
    assert set(batch["label"][:10].tolist()) == set(range(10))
    assert torch.equal(batch["real"], open_data("digits", size=8).stream(seed=1).draw(25)["real"])


def test_two_ranks_see_together_what_one_sees(digits):
    few = keep_labels(digits, 30, seed=0)
    whole = few.stream(seed=1).draw(8)
    parts = [few.stream(seed=1, ranks=Ranks(rank, 2)).draw(4) for rank in (0, 1)]
    for name in whole:
        assert torch.equal(whole[name], torch.cat([part[name] for part in parts]))


def test_too_few_or_too_many_labels_are_refused(digits):
    for count in (9, 1_198):
        with pytest.raises(UserError, match=rf"--labelled is {count}; it must be at least 10.*at most 1197"):
            keep_labels(digits, count, seed=0)
    with pytest.raises(UserError, match="no two classes"):
        keep_labels(open_data("grid"), 10, seed=0)


@pytest.fixture
def table(tmp_path):
    """40 pictures of two classes with labels for half of them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = ["file,label"]
    generator = np.random.default_rng(0)
    for index in range(40):
        shade = 60 if index % 2 else 190
        pixels = np.clip(generator.normal(shade, 20, (8, 8)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
        lines.append(f"{index:02d}.png,{['light', 'dark'][index % 2] if index % 4 < 2 else ''}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def test_empty_cells_of_a_table_are_images_without_a_label(table):
    data = open_data(str(table))
    assert data.classes == ("dark", "light")
    assert (data.labels == -1).sum() == 20
    assert data.partly_labelled
    assert any("20 have no label" in note for note in data.notes)
    assert set(data.stream(seed=0).draw(16)) == {"real", "labelled", "label"}


def test_models_without_use_for_few_labels_say_so(table, tmp_path, capsys):
    words = ["--data", str(table), "--out", str(tmp_path / "run"), "--batch", "8", "--dry-run"]
    assert main(["train", "cgan", *words]) == 2
    assert "cgan needs a label for every image, and" in capsys.readouterr().err
    assert main(["train", "r3gan", *words]) == 0
    assert "have a label, so none is used" in " ".join(capsys.readouterr().out.split())
    assert main(["train", "dcgan", "--labelled", "10", *words]) == 2
    assert "dcgan doesn't learn from few labels" in capsys.readouterr().err


def test_sgan_needs_labels_of_every_class(table, tmp_path, capsys):
    lines = (table / "labels.csv").read_text().splitlines()
    bare = [line.replace(",light", ",") for line in lines[:-4]] + lines[-4:]
    (table / "labels.csv").write_text("\n".join(bare))
    data = open_data(str(table))
    if (data.labels[data.split.train] == 1).any():
        data = replace(data, labels=np.where(data.labels == 1, -1, data.labels))
    from elegan.verbs.few_labels import data_for

    with pytest.raises(UserError, match="No image to train on has the label light"):
        data_for("sgan", SGAN, data, None, 0)
    assert main(["train", "sgan", "--data", "grid", "--out", str(tmp_path / "x"), "--dry-run"]) == 2
    assert "labels of no two classes" in capsys.readouterr().err


def training_of(data, **settings):
    torch.manual_seed(0)
    game = SGAN(SGANConfig(**{**TINY, **settings}), data.spec)
    engine = Engine(torch.device("cpu"), bf16=False, channels_last=True)
    return Training(game, data.stream(seed=0), total=320, seed=0, engine=engine)


def test_a_resumed_run_with_few_labels_equals_an_uninterrupted_one(digits, tmp_path):
    few = keep_labels(digits, 20, seed=0)
    whole, half = training_of(few), training_of(few)
    list(whole.play(every=10**9))
    for _ in range(3):
        half.play_step()
    save_checkpoint(tmp_path, *half.state())
    resumed = training_of(few)
    resumed.restore(*load_checkpoint(tmp_path))
    list(resumed.play(every=10**9))
    for key, value in whole.state()[0].items():
        assert torch.equal(value, resumed.state()[0][key]), key


def test_images_without_labels_teach_the_classifier(digits):
    """A second of training: the same network, labels and steps, with and without the images that have no label."""
    split = Split(digits.split.train, digits.split.validation[:0], np.concatenate([
        digits.split.validation, digits.split.test,
    ]))  # fmt: skip
    few = keep_labels(replace(digits, split=split), 50, seed=0)
    errors = []
    for weights in ({}, {"adversarial": 0.0, "agreement": 0.0}):
        torch.manual_seed(0)
        game = SGAN(SGANConfig(batch=64, narrow=16, width=32, **weights), few.spec)
        training = Training(game, few.stream(seed=0), total=9_600, seed=0)
        list(training.play(every=10**9))
        with training.averages.inside(game), torch.no_grad():
            guess = game.class_logits(few.tensor(few.split.test)).argmax(1).numpy()
        errors.append(float((guess != few.labels[few.split.test]).mean()))
    assert errors[0] < errors[1] - 0.02


def test_label_spreading_uses_what_has_no_label_and_the_support_vectors_do_not():
    """Two lines of points; one label at the left end of the first, one at the right end of the second."""
    items = np.array([(x, y) for y in (0, 8) for x in range(12)], np.float32)
    truth, labels = np.repeat([0, 1], 12), np.full(24, -1)
    labels[[0, 23]] = 0, 1
    assert np.array_equal(spread_labels(items, labels, items), truth)
    assert (support_vectors(items, labels, items) == truth).mean() < 0.8


def test_more_images_than_the_baselines_take_are_drawn_from_all_classes(monkeypatch):
    """Images of a folder a class lie in the order of their classes."""
    monkeypatch.setattr(conditioning.drawn_rows, "__defaults__", (0, 60))
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), (100, 100, 99, 1))
    items = truth[:, None] * 5 + generator.normal(size=(300, 2))
    labels = np.where(np.arange(300) % 3 == 0, truth, -1)
    labels[-1] = 3
    for baseline in (support_vectors, spread_labels):
        assert (baseline(items, labels, items) == truth).mean() > 0.95


def test_a_class_of_one_image_is_among_those_drawn():
    labels = np.repeat([0, 1], (500, 1))
    for seed in range(5):
        rows = conditioning.drawn_rows(labels, seed, 9)
        assert len(rows) == 9
        assert set(labels[rows]) == {0, 1}


def test_labels_of_one_class_alone_are_no_error():
    items, labels = np.random.default_rng(0).normal(size=(20, 2)), np.where(np.arange(20) < 5, 2, -1)
    assert set(support_vectors(items, labels, items)) == {2}


def test_a_paired_difference_is_surer_than_two_intervals():
    ours = np.arange(300) >= 15
    theirs = np.arange(300) >= 24
    better = more_often_right(ours, theirs)
    assert better.value == pytest.approx(0.03)
    assert better.low > 0
    assert more_often_right(ours, ours).low == more_often_right(ours, ours).high == 0.0


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run with 50 labels, shared by all tests below: none may write into it."""
    out = tmp_path_factory.mktemp("runs") / "sgan"
    settings = ["--width", "16", "--narrow", "16", "--features", "32", "--batch", "32"]
    words = ["train", "sgan", "--data", "digits", "--size", "8", "--images", "4k", "--labelled", "50", *settings]
    assert main([*words, "--no-referee", "--out", str(out)]) == 0
    return out


def test_a_report_shows_the_classifier_beside_others_with_the_same_labels(finished):
    found = json.loads((finished / "report.json").read_text())["classifier"]
    assert (found["labels"], found["training"], found["accuracy"]["n"]) == (50, 1197, 300)
    assert [rival["name"] for rival in found["rivals"]] == [
        "the same network, labels alone", "support vector machine", "label spreading",
    ]  # fmt: skip
    for rival in found["rivals"]:
        assert rival["accuracy"]["value"] > 0.3
        gap = found["accuracy"]["value"] - rival["accuracy"]["value"]
        assert rival["behind"]["value"] == pytest.approx(gap)
    page = (finished / "report.html").read_text()
    assert "The classifier" in page
    assert "50 of 1197 training items have a label" in page


def test_a_run_with_few_labels_knows_them_again(finished):
    run = elegan.load(finished)
    assert run.record["asked"]["labelled"] == 50
    assert len(run.open_data().known) == 50


def test_other_labels_are_another_run(finished, capsys):
    words = ["train", "sgan", "--data", "digits", "--size", "8", "--images", "4k", "--labelled", "60"]
    assert main([*words, "--out", str(finished)]) == 2
    assert "labelled was 50 and now is 60" in capsys.readouterr().err


def test_images_of_any_size_and_mode_are_classified(finished, digits, tmp_path, capsys):
    pixels = digits.items[digits.split.test[0]][..., 0]
    picture = Image.fromarray(pixels)
    folder = tmp_path / "more"
    folder.mkdir()
    picture.resize((50, 30)).convert("RGB").save(tmp_path / "a.jpg")
    picture.convert("RGBA").save(folder / "b.png")
    picture.save(folder / "c.bmp")
    assert main(["classify", str(finished), str(tmp_path / "a.jpg"), str(folder)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(rows[0]) == ["file", "class", "probability", "real_or_fake"]
    assert [row["file"] for row in rows] == [str(tmp_path / "a.jpg"), str(folder / "b.png"), str(folder / "c.bmp")]
    assert {row["class"] for row in rows} <= set(digits.classes)
    assert {row["real_or_fake"] for row in rows} <= {"real", "fake"}
    assert {key: rows[1][key] for key in ("class", "probability")} == {
        key: rows[2][key] for key in ("class", "probability")
    }


def test_classify_agrees_with_the_network_and_the_truth_more_than_chance(finished, digits, tmp_path):
    rows = digits.split.test[:60]
    for row in rows:
        Image.fromarray(digits.items[row][..., 0]).save(tmp_path / f"{row:04d}.png")
    found = elegan.classify(finished, tmp_path)
    guesses = {entry["file"].rsplit("/", 1)[1]: entry for entry in found}
    right = [guesses[f"{row:04d}.png"]["class"] == digits.classes[digits.labels[row]] for row in rows]
    assert np.mean(right) > 0.4
    with torch.no_grad():
        logits = elegan.load(finished).game.class_logits(digits.tensor(rows[:1]))
    first = guesses[f"{rows[0]:04d}.png"]
    assert first["probability"] == pytest.approx(float(logits.softmax(1).max()), abs=1e-5)
    assert first["real"] == pytest.approx(float(logits.logsumexp(1).sigmoid()), abs=1e-5)


def test_a_table_is_written_whole_or_not_at_all(finished, tmp_path, capsys):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    table = tmp_path / "table.csv"
    (tmp_path / "b.png").write_text("no picture")
    assert main(["classify", str(finished), str(tmp_path), "--out", str(table)]) == 2
    assert "1 of 2 files can't be read" in capsys.readouterr().err
    assert not table.exists()
    (tmp_path / "b.png").unlink()
    for row in range(300):
        Image.new("L", (1, 1)).save(tmp_path / f"between{row:04}.bmp")
    for name in ("aa.png", "z.png"):
        (tmp_path / name).write_text("no picture")
    assert main(["classify", str(finished), str(tmp_path), "--out", str(table)]) == 2
    said = capsys.readouterr().err
    assert "2 of 303 files can't be read" in said
    assert all(name in said for name in ("aa.png", "z.png"))
    assert not table.exists()
    for path in (*tmp_path.glob("between*"), tmp_path / "aa.png", tmp_path / "z.png"):
        path.unlink()
    assert main(["classify", str(finished), str(tmp_path), "--out", str(table), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert table.read_text().splitlines()[0] == "file,class,probability,real_or_fake"
    assert said["images"][0]["file"] == str(tmp_path / "a.png")


def test_what_cannot_be_classified_is_answered_with_a_sentence(finished, tmp_path):
    (tmp_path / "empty").mkdir()
    cases = {
        "No image was given": (),
        "doesn't exist": (tmp_path / "nothing.png",),
        "holds no images": (tmp_path / "empty",),
        "and 5 is none": (5,),
    }
    for sentence, inputs in cases.items():
        with pytest.raises(UserError, match=sentence):
            classify(finished, *inputs)
    with pytest.raises(UserError, match=r"ends in \.csv"):
        classify(finished, tmp_path, out=tmp_path / "table.txt")


@pytest.mark.usefixtures("unjudged")
def test_a_run_without_a_classifier_says_so(tmp_path):
    out = tmp_path / "run"
    settings = {"width": 8, "batch": 32}
    elegan.train("dcgan", data="digits", size=8, images=32, out=out, referee=False, quiet=True, **settings)
    with pytest.raises(UserError, match=r"no classifier.*train sgan"):
        classify(out, out / "contact.png")
