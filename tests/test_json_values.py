"""What is written as JSON is JSON, whatever it was before."""

import json

import numpy as np

from elegan.json_values import as_json


def test_numbers_that_json_lacks_become_words():
    assert as_json([float("nan"), float("inf"), -float("inf"), 0.5]) == ["NaN", "Infinity", "-Infinity", 0.5]


def test_numbers_of_numpy_become_pythons():
    values = (np.float32(0.5), np.float64(0.25), np.int64(3), np.bool_(True), np.float32("nan"))
    assert as_json(values) == [0.5, 0.25, 3, True, "NaN"]
    assert [type(value) for value in as_json(values)] == [float, float, int, bool, str]


def test_what_is_nested_is_reached_and_the_rest_stays():
    given = {1: ({"a": np.float64("inf")}, None), "text": "NaN", "yes": True}
    expected = {"1": [{"a": "Infinity"}, None], "text": "NaN", "yes": True}
    assert as_json(given) == expected
    assert json.loads(json.dumps(as_json(given), allow_nan=False)) == expected
