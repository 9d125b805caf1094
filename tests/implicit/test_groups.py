"""Dividing channels into feature groups."""

import pytest

from equivision.errors import ConfigError
from equivision.implicit import channel_share, channels_for, feature_groups

STUDY = {"4": 100, "4-2-1": 68.75, "8-4-2": 68.75, "8-4-2-1": 67.1875, "2-1": 75}


@pytest.mark.parametrize("kind", STUDY)
@pytest.mark.parametrize("blocks", [1, 3, 8])
def test_the_parts_and_the_shares_of_the_study(kind: str, blocks: int) -> None:
    block = {"4": 4, "4-2-1": 11, "8-4-2": 22, "8-4-2-1": 43, "2-1": 3}[kind]
    pairs = feature_groups(kind, blocks * block)
    assert sum(size * count for size, count in pairs) == blocks * block
    counts = [count for _, count in pairs]
    total = sum(counts)
    for i, count in enumerate(counts[:-1]):
        assert count * 2 ** (i + 1) == total
    assert channel_share(pairs) == STUDY[kind]


def test_words_and_numbers_say_the_same() -> None:
    assert feature_groups(4, 8) == feature_groups("4", 8) == feature_groups("R4", 8) == ((4, 2),)


@pytest.mark.parametrize("kind", STUDY)
@pytest.mark.parametrize("blocks", [1, 6])
def test_channels_of_so_many_groups(kind: str, blocks: int) -> None:
    groups = blocks * {"4": 1, "4-2-1": 4, "8-4-2": 4, "8-4-2-1": 8, "2-1": 2}[kind]
    pairs = feature_groups(kind, channels_for(kind, groups))
    assert sum(count for _, count in pairs) == groups


def test_the_widths_of_the_study() -> None:
    assert [channels_for("4-2-1", n) for n in (32, 48, 64, 96, 128)] == [88, 132, 176, 264, 352]
    assert channels_for("8-4-2", 24) == 132
    assert channels_for("8-4-2-1", 24) == 129


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize("kind", ["", "R", "4-", "2-4", "4-4", "x", 0, True, "4-0", -1, 2.5], ids=repr)
    def test_text(self, kind: object) -> None:
        with pytest.raises(ConfigError, match="give one size, as in 4, or falling sizes joined by '-'"):
            feature_groups(kind, 44)  # type: ignore[arg-type]

    def test_the_nearest_numbers_are_named(self) -> None:
        with pytest.raises(
            ConfigError, match="'8-4-2' do not divide 99 channels: give a multiple of 22, such as 88 or 110"
        ):
            feature_groups("8-4-2", 99)
        with pytest.raises(ConfigError, match=r"multiple of 43, such as 43$"):
            feature_groups("8-4-2-1", 5)

    def test_groups(self) -> None:
        with pytest.raises(ConfigError, match="groups=34: for feature_groups='4-2-1' give a multiple of 4, such as 36"):
            channels_for("4-2-1", 34)

    def test_channels(self) -> None:
        with pytest.raises(ConfigError, match="channels=0"):
            feature_groups(4, 0)
