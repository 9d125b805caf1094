"""A network with equal feature groups becomes one with several sizes."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

import equivision as ev
from equivision.errors import ConfigError
from equivision.implicit import feature_groups, kept_channels, take_channels_
from equivision.testing import randomize_


@pytest.mark.parametrize(("kind", "groups"), [("4-2-1", 8), ("8-4-2", 4), ("8-4-2-1", 8)])
def test_the_first_channels_of_every_group_stay(kind: str, groups: int) -> None:
    largest = int(kind[0])
    kept = kept_channels(kind, groups * largest).tolist()
    expected, group = [], 0
    for size, count in feature_groups(kind, len(kept)):
        for _ in range(count):
            expected += [largest * group + i for i in range(size)]
            group += 1
    assert kept == expected
    assert group == groups


@pytest.mark.parametrize(("name", "width", "size"), [("ien_cnn", 8, 28), ("ien_vgg", 4, 32), ("ien_resnet18", 4, 17)])
def test_nothing_changes_if_the_others_did_nothing(name: str, width: int, size: int) -> None:
    """Every channel that goes repeats the first of its group, and no later layer looks at it."""
    options = {"width": width, "in_channels": 2}
    source = randomize_(ev.create_model(name, feature_groups=4, **options).double().eval())
    target = ev.create_model(name, feature_groups="4-2-1", **options).double().eval()
    for module in source.modules():
        if isinstance(module, torch.nn.Conv2d):
            out, into = module.weight.shape[:2]
            gone = sorted(set(range(out)) - set(kept_channels("4-2-1", out).tolist()))
            module.weight.data[gone] = module.weight.data[[i - i % 4 for i in gone]]
            if into > 2:
                module.weight.data[:, sorted(set(range(into)) - set(kept_channels("4-2-1", into).tolist()))] = 0
        elif isinstance(module, torch.nn.BatchNorm2d):
            count = module.num_features
            gone = sorted(set(range(count)) - set(kept_channels("4-2-1", count).tolist()))
            for values in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                assert values is not None
                values[gone] = values[[i - i % 4 for i in gone]]
    take_channels_(target, source, "4-2-1")
    x = torch.rand(3, 2, size, size, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(source(x), target(x), rtol=1e-10)
        assert float(source(x).std()) > 1e-6
        randomize_(source)
        assert not torch.allclose(source(x), target(x), rtol=1e-3)


@pytest.mark.usefixtures("unchecked_annotations")
class TestErrors:
    def test_channels(self) -> None:
        with pytest.raises(ConfigError, match="channels=18: give a multiple of 4"):
            kept_channels("4-2-1", 18)

    def test_networks(self) -> None:
        source = ev.create_model("ien_cnn", width=8)
        with pytest.raises(ConfigError, match="do not correspond: only one of them has"):
            take_channels_(ev.create_model("ien_vgg", width=4), source, "4-2-1")
        with pytest.raises(
            ConfigError, match=r"channels in the source, of which .* stay for kind='4-2-1', but .* in the"
        ):
            take_channels_(ev.create_model("ien_cnn", width=8, feature_groups=2), source, "4-2-1")

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (
                lambda c: [nn.Conv2d(1, c, 3), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * c, 5)],
                r"^3\.weight",
            ),
            (lambda c: [nn.Conv2d(1, c, 3), nn.Conv2d(c, 2 * c, 3), nn.Conv2d(2 * c, c, 3, groups=2)], r"^2\.weight"),
            (lambda c: [nn.Conv2d(1, c, 3), nn.Conv2d(c, 8, 5 if c == 32 else 3)], r"^1\.weight"),
            (lambda c: [nn.Conv2d(1 if c == 32 else 3, c, 3)], r"^0\.weight"),
        ],
        ids=["flattened", "grouped", "kernel", "images"],
    )
    def test_what_is_not_the_channels_of_a_layer(self, make: Callable[[int], list[nn.Module]], message: str) -> None:
        source, target = nn.Sequential(*make(32)), nn.Sequential(*make(22))
        before = copy.deepcopy(target.state_dict())
        with pytest.raises(ConfigError, match=message + r".*are not the channels of feature groups"):
            take_channels_(target, source, "4-2-1")
        assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())

    def test_other_axes(self) -> None:
        with pytest.raises(ConfigError, match="do not correspond: weight has 4 axes in one and 3 in the other"):
            take_channels_(nn.Conv2d(1, 11, 3), nn.Conv1d(1, 16, 3), "4-2-1")
