"""The shape of pictures: sides from a size and a ratio."""

import pytest

from sfumato.aspect import ratio, shown, sides, turned
from sfumato.errors import UserError


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        (64, "1:1", (64, 64)), (64, "3:2", (64, 96)), (64, "2:3", (96, 64)), (64, "6:4", (64, 96)),
        (72, "16:9", (72, 128)), (7, "8:1", (7, 56)), (5, "4:4", (5, 5)),
    ],
)  # fmt: skip
def test_the_size_is_the_shorter_side(size, aspect, expected):
    assert sides(size, aspect) == expected
    assert shown(size, aspect) == f"{expected[1]}×{expected[0]}"


@pytest.mark.parametrize(
    "aspect", ["3-2", "0:1", "3:0", "-3:2", "1.5:1", "3", "", "3:2:1", " 3:2", "٣:٢", "3:2\n", 1.5]
)
def test_what_is_no_ratio_is_refused_in_one_line(aspect):
    with pytest.raises(UserError, match="is no shape: give width:height in whole numbers above 0, like 3:2") as error:
        sides(64, aspect)
    assert "\n" not in str(error.value)


def test_sides_that_are_no_whole_numbers_are_refused():
    with pytest.raises(
        UserError, match=r"shorter side of 50 px the longer one has 88.8889; give a size that 9 divides"
    ):
        sides(50, "16:9")


def test_very_long_pictures_are_refused():
    with pytest.raises(UserError, match="8 times as long as the other, and no longer"):
        sides(64, "1:9")


def test_ratios_are_reduced_and_turned():
    assert ratio("1920:1080") == (16, 9) and turned("16:9") == "9:16"
