"""The frontier of throughput against interactivity."""

import numpy as np
import pytest

from moeconomics.errors import BadInput
from moeconomics.serving import ServingInputs, frontier
from moeconomics.shapes import get_model


def deployment(**inputs: object):
    return ServingInputs(**{"gpu": "H100-SXM-80GB", "traffic": "chat", "precision": "fp8", **inputs}).deployment()


def test_no_point_beats_the_best_on_both_axes():
    points = frontier(get_model("mixtral-8x7b"), deployment())
    assert 3 < np.sum(points.best) < len(points.best)
    user, gpu = points.tok_s_per_user, points.tok_s_per_gpu
    for place in np.flatnonzero(points.best):
        assert not np.any((user > user[place]) & (gpu > gpu[place]))
    for place in np.flatnonzero(~points.best)[:50]:
        assert np.any((user >= user[place]) & (gpu >= gpu[place]) & ((user > user[place]) | (gpu > gpu[place])))


def test_more_gpus_make_one_user_faster_and_a_gpu_slower():
    points = frontier(get_model("llama-3.1-70b"), deployment())
    fastest = points.gpus[np.argmax(points.tok_s_per_user)]
    assert fastest == 8
    assert set(points.gpus[points.best].tolist()) > {8}


def test_a_target_that_nothing_meets_is_said():
    with pytest.raises(BadInput, match="can not be served"):
        frontier(get_model("llama-3.1-405b"), deployment(max_gpus=1))
