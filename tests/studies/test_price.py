"""What a search costs, against counts by hand."""

import pytest
from adaptive_neon.studies.price import images_descended, images_drawn, price
from adaptive_neon.studies.wording import price_lines


def test_images_of_the_base_model_are_drawn_once_a_replica():
    def selection(*names, later=()):
        return {"search": dict.fromkeys(names), "later_points": list(later)}

    selections = {
        (0, 12): selection("a~0.0", "a~0.5", "a~1.0", later=[3, 3]),
        (0, 25): selection("a~0.0", "a~0.5", "a~1.0", later=[3, 2]),
        (1, 12): selection("a~0.0@steps~4", "a~0.0@steps~8", "a~0.5@steps~4", later=[]),
    }
    assert images_drawn(selections, "a~0.0", 100) == 100 * (1 + 2 + 6 + 2 + 5 + 3)


def test_images_of_a_control_variate_are_drawn_once_a_replica_and_round():
    selections = {
        (0, 12): {"search": dict.fromkeys(["a~0.0", "a~0.5"]), "later_points": [2]},
        (0, 25): {"search": dict.fromkeys(["a~0.0", "a~0.5"]), "later_points": [2]},
    }
    # The base model in the first round, two more points, four in the second; five times as much of the base model,
    # and in the second round, whose points are others, the base model on the points' seeds too.
    assert images_drawn(selections, "a~0.0", 100, control=500) == 100 * ((1 + 2 + 4) + 5 + (1 + 5))


def test_evaluations_and_the_share_of_the_training(tiny):
    """EDM's 8 steps are 15 evaluations; a training image costs three."""
    found = price(tiny, {"steps": 8}, {}, 1000, 50_000)
    assert found == {"images": 1000, "evaluations": 15_000, "of_training": pytest.approx(15_000 / 150_000)}
    both = price(tiny, {"steps": 8}, {"steps": [8, 18]}, 1000, None)
    assert both == {"images": 1000, "evaluations": 25_000, "of_training": None}


def test_images_that_a_gradient_went_through(tiny):
    selections = [
        {"descent": {"checked": 20, "differentiated": 30}},
        {},
        {"descent": {"checked": 2, "differentiated": 5}},
    ]
    assert images_descended(selections) == (22, 35)
    assert images_descended([{}]) == (0, 0)
    found = price(tiny, {"steps": 8}, {}, 1000, None, 100)
    assert (found["images"], found["evaluations"]) == (1100, 15 * 1400)


def test_in_words():
    price = {"images": 10_000, "evaluations": 150_000, "of_training": 0.3125}
    (line,) = price_lines({"price": price})
    assert line.endswith("10,000 images: 150,000 network evaluations, 31% of the base model's training.")
    assert price_lines({"price": price | {"of_training": None}})[0].endswith("150,000 network evaluations.")
    assert price_lines({}) == []
