"""What each regime puts into a training set. An image here is its number; real ones are below 100."""

import numpy as np
import pytest
from adaptive_neon.loops.composition import compose
from adaptive_neon.loops.plan import Regime

REAL = 40
SIZE = 20


def images(first, count):
    numbers = np.arange(first, first + count, dtype=np.uint8)
    return numbers[:, None, None, None], numbers.astype(np.int64)


def numbers(regime, generation=1, seed=7, size=SIZE):
    synthetic = [images(100 + 30 * g, 30) for g in regime.sources(generation)]
    found, labels = compose(regime, images(0, REAL), synthetic, size, generation, seed)
    assert (found[:, 0, 0, 0] == labels).all()  # an image keeps its class
    return labels.tolist()


def real_in(found):
    return {number for number in found if number < 100}


def test_replace_is_the_generation_before():
    assert numbers(Regime("a", "replace"), 3) == list(range(160, 190))


def test_accumulate_is_everything_so_far():
    assert numbers(Regime("a", "accumulate"), 3) == [*range(REAL), *range(100, 190)]


def test_subsample_is_as_many_of_everything_drawn_anew():
    regime = Regime("a", "subsample")
    second, third = numbers(regime, 2), numbers(regime, 3)
    assert len(set(second)) == len(set(third)) == SIZE
    assert second != numbers(regime, 2, seed=8)
    assert second == numbers(regime, 2)
    assert max(numbers(regime, 3, size=REAL + 90)) == 189


@pytest.mark.parametrize(("share", "count"), [(0.5, 10), (0.1, 2), (0.33, 7)])
def test_fixed_holds_its_share_of_the_same_real_images(share, count):
    regime = Regime("a", "fixed", share)
    first, second = numbers(regime, 1), numbers(regime, 2)
    assert real_in(first) == real_in(second)
    assert len(real_in(first)) == count
    assert sorted(first)[count:] == list(range(100, 100 + SIZE - count))
    assert sorted(second)[count:] == list(range(130, 130 + SIZE - count))
    assert real_in(numbers(regime, 1, seed=8)) != real_in(first)


def test_fresh_takes_no_real_image_twice():
    regime = Regime("a", "fresh", 0.5)
    taken = [number for generation in (1, 2, 3, 4) for number in real_in(numbers(regime, generation))]
    assert sorted(taken) == list(range(REAL))


def test_fresh_ends_with_the_real_images(refuses):
    with refuses("loop: 40 real images", "regime a", "50 are needed"):
        numbers(Regime("a", "fresh", 0.5), 5)


def test_too_few_images_of_the_generation_before(refuses):
    with refuses("30 images of the generation before, but 36 are needed"):
        numbers(Regime("a", "fixed", 0.1), size=40)


def test_without_classes_there_are_none_after():
    unlabelled = (images(0, REAL)[0], None)
    assert compose(Regime("a", "accumulate"), unlabelled, [images(100, 30)], SIZE, 1, 0)[1] is None
