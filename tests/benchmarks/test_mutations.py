from collections import Counter

from benchmarks.mutations import MUTATIONS, make_case, seeds
from imaging import ImageError
from imaging.decode import FORMATS, decode

CASES = [make_case(number) for number in range(400)]


def test_a_number_always_gives_the_same_image():
    assert [make_case(number) for number in range(400)] == CASES


def test_every_format_and_every_mutation_has_its_turn():
    assert {kind for kind, _ in seeds()} == {case.format for case in CASES} == set(FORMATS)
    assert {name for case in CASES for name in case.mutations} == set(MUTATIONS)


def test_whole_images_decode_and_many_broken_ones_are_only_found_there():
    assert all(decode(data).image.width for _, data in seeds())
    outcomes = Counter()
    for case in CASES:
        try:
            decode(case.data, max_pixels=1 << 20)
            outcomes["decoded"] += 1
        except ImageError as error:
            outcomes[str(error)] += 1
    assert outcomes["decoded"] > 50
    assert len(outcomes) > 4
