"""The referee's own features: learnt from training data alone, frozen, the same every time."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from elegan.errors import UserError
from elegan.evaluation.features import Coordinates, as_pixels, load_features, train_features
from elegan.evaluation.lessons import contrastive_loss, shifted, view


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    images = (data.images * 255 / 16).round().astype(np.uint8)[..., None]
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], data.target.astype(np.int64)[order]


@pytest.fixture(scope="module")
def supervised(digits):
    images, labels = digits
    torch.set_num_threads(1)
    return train_features(images[:900], labels[:900], held_out=(images[900:], labels[900:]))


def test_labelled_features_recognise_held_out_digits(supervised, digits):
    images, labels = digits
    assert supervised.accuracy > 0.95
    probabilities = supervised.classify(images[900:])
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (probabilities.argmax(axis=1) == labels[900:]).mean() == pytest.approx(supervised.accuracy)


def test_contrastive_features_put_equal_digits_together_without_labels(digits):
    images, labels = digits
    features = train_features(images[:600])
    train, test = features.embed(images[:600]).astype(np.float64), features.embed(images[900:1200]).astype(np.float64)
    nearest = ((test[:, None] - train[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (labels[nearest] == labels[900:1200]).mean() > 0.9
    assert features.classes == 0
    assert features.accuracy is None
    with pytest.raises(UserError, match="trained without labels"):
        features.classify(images[:4])


def test_the_same_data_and_seed_give_the_same_hash_and_others_another(digits, monkeypatch):
    monkeypatch.setattr("elegan.evaluation.lessons.MOST_STEPS", 40)
    monkeypatch.setattr("elegan.evaluation.lessons.FEWEST_STEPS", 1)
    images, labels = digits
    first, again, other = (train_features(images[:60], labels[:60], seed=seed).hash for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_training_leaves_the_callers_random_numbers_threads_and_gradients_alone(digits, monkeypatch):
    monkeypatch.setattr("elegan.evaluation.lessons.MOST_STEPS", 5)
    monkeypatch.setattr("elegan.evaluation.lessons.FEWEST_STEPS", 1)
    images, _ = digits
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    with torch.no_grad():
        train_features(images[:40])
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.get_num_threads() == before[2]


def test_a_feature_vector_does_not_depend_on_what_it_is_embedded_with(supervised, digits):
    images, _ = digits
    together = supervised.embed(images[:294])
    apart = np.concatenate([supervised.embed(images[i : i + 7]) for i in range(0, 294, 7)])
    assert together == pytest.approx(apart, abs=1e-5)
    assert together.dtype == np.float32
    assert supervised.embed(images[:0]).shape == (0, 64)


def test_features_of_training_data_have_mean_zero_and_mean_square_one(supervised, digits):
    rows = supervised.embed(digits[0][:900])
    assert rows.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert (rows**2).mean() == pytest.approx(1, abs=1e-3)


def test_saved_features_are_read_back_whole(supervised, digits, tmp_path):
    supervised.save(tmp_path / "features.safetensors")
    back = load_features(tmp_path / "features.safetensors")
    assert (back.hash, back.name, back.accuracy) == (supervised.hash, supervised.name, supervised.accuracy)
    assert back.name == f"features-64-{back.hash[:8]}"
    assert (back.embed(digits[0][:9]) == supervised.embed(digits[0][:9])).all()
    assert [path.name for path in tmp_path.iterdir()] == ["features.safetensors"]


def test_reading_features_back_leaves_the_random_numbers_alone(supervised, tmp_path):
    supervised.save(tmp_path / "features.safetensors")
    before = torch.get_rng_state()
    load_features(tmp_path / "features.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_changed_or_foreign_file_is_refused(supervised, tmp_path):
    path = tmp_path / "features.safetensors"
    supervised.save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="has changed since it was written"):
        load_features(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(UserError, match="can't be read as saved features"):
        load_features(path)


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 13, 3), (16, 12, 4), (40, 72, 3), (130, 70, 1)])
@pytest.mark.parametrize("labelled", [True, False])
def test_images_of_any_size_and_channels_have_features(shape, labelled, monkeypatch):
    monkeypatch.setattr("elegan.evaluation.lessons.MOST_STEPS", 2)
    monkeypatch.setattr("elegan.evaluation.lessons.FEWEST_STEPS", 1)
    images = np.random.default_rng(0).integers(0, 256, (12, *shape)).astype(np.uint8)
    features = train_features(images, np.arange(12) % 3 if labelled else None, dimension=16)
    assert features.embed(images).shape == (12, 16)
    assert np.isfinite(features.embed(images)).all()
    assert as_pixels(images).shape[0] == 12


def test_large_data_get_fewer_steps_and_not_more_time():
    from elegan.evaluation.features import Network
    from elegan.evaluation.lessons import FEWEST_STEPS, MOST_STEPS, _steps

    small, large = (Network((3, side, side), 64, 64) for side in (8, 64))
    assert _steps(small, torch.zeros(1, 3, 8, 8), views=1) == MOST_STEPS
    assert FEWEST_STEPS <= _steps(large, torch.zeros(1, 3, 64, 64), views=2) < MOST_STEPS


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((5, 7, 8, 1), None, "7×8 pixels; the referee's features need at least 8×8"),
        ((1, 8, 8, 1), None, "There are 1 training images"),
        ((4, 8, 8, 1), np.array([0, 1, 2]), "There are 3 labels"),
        ((2, 8, 8, 1), np.array([0, -1]), "the lowest -1"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(shape, labels, message):
    with pytest.raises(UserError, match=message):
        train_features(np.zeros(shape, np.uint8), labels)


def test_images_of_another_shape_are_refused_in_a_sentence(supervised):
    with pytest.raises(UserError, match=r"uint8 16×16×3; features-64-\w{8} takes uint8 8×8×1"):
        supervised.embed(np.zeros((2, 16, 16, 3), np.uint8))


@pytest.mark.parametrize("labelled", [True, False])
def test_a_terminal_says_how_far_the_lesson_is_only_where_it_is_asked(digits, labelled, monkeypatch, capsys):
    monkeypatch.setattr("elegan.progress.PATIENCE", 0)
    monkeypatch.setattr("elegan.progress.PAUSE", -1)
    monkeypatch.setattr("elegan.evaluation.lessons.MOST_STEPS", 120)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    images, labels = digits[0][:64], digits[1][:64] if labelled else None
    said, silent = train_features(images, labels, doing="Learning features, step"), train_features(images, labels)
    error = capsys.readouterr().err
    assert error.count("Learning features, step 60 of 120, ") == 1
    assert said.hash == silent.hash


def test_coordinates_are_divided_by_their_scale(tmp_path):
    features = Coordinates(2, 4.0)
    assert features.embed(np.array([[4.0, -2.0]])).tolist() == [[1.0, -0.5]]
    assert features.hash == Coordinates(2, 4.0).hash != Coordinates(2, 5.0).hash
    features.save(tmp_path / "features.safetensors")
    assert load_features(tmp_path / "features.safetensors").hash == features.hash
    with pytest.raises(UserError, match="3 coordinates"):
        features.embed(np.zeros((1, 3)))
    with pytest.raises(UserError, match="must be a number above 0"):
        Coordinates(2, 0.0)


def test_the_contrastive_loss_is_that_of_the_paper_on_a_case_by_hand(monkeypatch):
    monkeypatch.setattr("elegan.evaluation.lessons.TEMPERATURE", 1.0)
    a, b = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[5.0, 0.0], [0.0, 1.0]])
    expected = np.log(np.e + 2) - 1
    assert float(contrastive_loss(a, b)) == pytest.approx(expected, rel=1e-6)


def test_views_keep_the_shape_and_a_flat_image_stays_flat_when_shifted():
    images = torch.rand(5, 3, 10, 14)
    assert view(images).shape == shifted(images).shape == images.shape
    assert not torch.equal(view(images), images)
    assert shifted(torch.full((2, 1, 9, 9), 0.5)) == pytest.approx(torch.full((2, 1, 9, 9), 0.5), abs=1e-6)
