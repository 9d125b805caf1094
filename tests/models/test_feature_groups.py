"""Networks with feature groups: widths that can be divided, and those that cannot."""

import pytest

from equivision import create_model
from equivision.errors import ConfigError


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    @pytest.mark.parametrize(
        ("name", "kind", "width", "least", "next_width"),
        [
            ("ien_cnn", "4-2-1", 4, 4, 8),  # 1.5 times 4 groups in the second layer are 6
            ("ien_cnn", "8-4-2-1", 8, 8, 16),
            ("ien_vgg", "4-2-1", 3, 4, 4),
            ("ien_resnet18", "8-4-2", 6, 4, 8),
        ],
    )
    def test_widths(self, name: str, kind: str, width: int, least: int, next_width: int) -> None:
        message = (
            rf"width={width}: .*multiples of {least} in every layer; the next width with such numbers is {next_width}"
        )
        with pytest.raises(ConfigError, match=message):
            create_model(name, width=width, feature_groups=kind)
        create_model(name, width=next_width, feature_groups=kind)

    @pytest.mark.parametrize("name", ["ien_cnn", "ien_resnet18"])
    def test_kinds(self, name: str) -> None:
        with pytest.raises(ConfigError, match="feature_groups='2-4': give one size"):
            create_model(name, width=8, feature_groups="2-4")

    @pytest.mark.parametrize("size", [32, 28.0, "28"], ids=repr)
    def test_sizes_of_scale_mnist(self, size: object) -> None:
        with pytest.raises(ConfigError, match=r"size=.*: choose 28 or 56"):
            create_model("dss", size=size)
