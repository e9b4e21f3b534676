import pytest
from adaptive_neon.merging.grid import parse_point, point_name
from adaptive_neon.search.rounds import outcome
from adaptive_neon.search.settings import combinations, parse_settings, settings_name, settings_text, split


def test_combinations_are_all_of_them():
    assert combinations({}) == [{}]
    assert combinations({"guidance": [1, 1.5], "method": ["euler", "heun"]}) == [
        {"guidance": 1, "method": "euler"},
        {"guidance": 1, "method": "heun"},
        {"guidance": 1.5, "method": "euler"},
        {"guidance": 1.5, "method": "heun"},
    ]


@pytest.mark.parametrize("settings", [{}, {"guidance": 1.5}, {"top_k": 900, "top_p": 0.96, "method": "heun"}])
def test_a_name_gives_weights_and_settings_back(settings):
    point = {"enc": 1.25, "dec": -0.5}
    name = point_name(point) + settings_name(settings)
    assert split(name) == (point_name(point), settings_name(settings))
    assert parse_point(name) == point
    assert parse_settings(name) == settings


def test_text():
    assert settings_text({"guidance": 1.5, "top_k": 900}) == "guidance 1.5, top_k 900"


FIDS = {
    "a~0.0_b~0.0@guidance~1": 5.0,
    "a~0.0_b~0.0@guidance~2": 3.0,
    "a~1.0_b~1.0@guidance~1": 4.0,
    "a~1.0_b~1.0@guidance~2": 2.5,
    "a~1.0_b~0.5@guidance~1": 2.0,
    "a~1.0_b~0.5@guidance~2": None,
}


def roles(fids, points, base, collapsed):
    """By pseudo-values of no noise."""
    metrics = {name: {"fid": fid, "without_block": {"fid": [fid, fid]}} for name, fid in fids.items()}
    return outcome("grid", (0.0, 1.0), points, base, collapsed, [metrics])["roles"]


def test_the_base_model_is_searched_as_fairly_as_the_others():
    names = list(FIDS)
    assert roles(FIDS, names[2:], names[:2], "a~-1.0_b~-1.0") == {
        "base": "a~0.0_b~0.0@guidance~2",
        "collapsed": "a~-1.0_b~-1.0@guidance~2",
        "global": "a~1.0_b~1.0@guidance~2",
        "blockwise": "a~1.0_b~0.5@guidance~1",
    }


def test_without_settings_the_base_model_need_not_be_in_the_search():
    found = roles({"a~1.0": 1.0}, ["a~1.0"], ["a~0.0"], "a~-1.0")
    assert found == {"base": "a~0.0", "collapsed": "a~-1.0", "global": "a~1.0", "blockwise": "a~1.0"}
