"""The avatars: drawn alike each time, every part known, every part to be seen."""

import numpy as np
import pytest

from elegan.data import open_data
from elegan.data.avatars import BARE, PARTS, distinct_parts, draw, draw_all, random_parts

PLAIN = {name: values[0] for name, values in PARTS.items()}


@pytest.fixture(scope="module")
def data():
    return open_data("avatars")


def test_they_are_built_in_and_their_parts_are_known(data):
    assert data.items.shape == (6000, 32, 32, 3)
    assert data.labels is None
    assert data.attributes.names == tuple(PARTS)
    assert data.attributes.table.shape == (6000, len(PARTS))
    assert data.describe()["attributes"]["hat"] == list(PARTS["hat"])
    for row in (0, 17, 5999):
        np.testing.assert_array_equal(draw(data.attributes.table[row]), data.items[row])


def test_the_same_avatars_come_each_time_and_no_two_are_alike(data):
    assert open_data("avatars", seed=3).fingerprint == data.fingerprint
    assert len({image.tobytes() for image in data.items}) == len(data)
    assert len(np.unique(data.attributes.table, axis=0)) == len(data)


def test_another_size_is_drawn_anew_rather_than_enlarged():
    large = draw(PLAIN, 64)
    assert large.shape == (64, 64, 3)
    small = draw(PLAIN, 32).astype(float)
    halved = large.reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(halved - small).mean() < 1
    assert np.abs(np.repeat(np.repeat(small, 2, 0), 2, 1) - large).mean() > 2


def test_sizes_that_are_no_square_are_cut():
    assert open_data("avatars", size="24x32").items.shape == (6000, 24, 32, 3)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("hat", PARTS["hat"])
def test_every_value_of_every_part_can_be_told_from_the_others_under_every_hat(name, hat):
    values = PARTS[name]
    images = [draw({**PLAIN, "hat": hat, name: value}).astype(float) for value in values]
    different = [np.abs(a - b).max(2) > 24 for i, a in enumerate(images) for b in images[:i]]
    assert min(mask.sum() for mask in different) >= 8


def test_values_by_name_and_by_number_draw_the_same():
    chosen = {**PLAIN, "hair": "curly", "glasses": "tinted"}
    numbers = [values.index(chosen[name]) for name, values in PARTS.items()]
    np.testing.assert_array_equal(draw(chosen), draw(numbers))
    np.testing.assert_array_equal(draw(chosen), draw_all(np.array([numbers] * 3))[2])


def test_random_parts_follow_their_shares_and_their_generator():
    parts = random_parts(np.random.default_rng(0), 4000)
    np.testing.assert_array_equal(parts, random_parts(np.random.default_rng(0), 4000))
    for column, (name, values) in zip(parts.T, PARTS.items(), strict=True):
        shares = np.bincount(column, minlength=len(values)) / len(parts)
        assert shares[0] == pytest.approx(BARE.get(name, 1 / len(values)), abs=0.04)
        assert len(shares) == len(values)
        assert shares.min() > 0.1


def test_distinct_parts_are_distinct():
    assert len(np.unique(distinct_parts(500, np.random.default_rng(0)), axis=0)) == 500
