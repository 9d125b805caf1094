"""Siamese networks: where in a search image is what a template shows, and how far has it turned."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equivision.errors import ConfigError, GroupMismatchError, ShapeError
from equivision.functional import cross_correlation, rotate
from equivision.groups import PlanarGroup, planar
from equivision.implicit._groups import FeatureGroups


class SiameseNetwork(nn.Module):
    """Correlates the features of a search image with those of a template, in all orientations of the template.

    ``response[i](t) = gain * scale * sum_{c, p} f(x)[c](t + p) (L_i f(z))[c](p) + bias``

    One network ``f`` sees both images. The template is turned as a feature map, once, not as an image: for a network
    over C_n its slots are shifted and its plane is rotated, for a network whose features lie on the plane its plane is.

    Args:
        backbone: from images to feature maps ``[B, C, h, w]``, or ``[B, C, |G|, h, w]`` on the group.
        group: C_n, as a group or its name: in how many orientations the template is searched for.
        scale: what responses are multiplied by, so that they are of the size of logits.
        stride: pixels of the search image from one position of the response to the next.
        feature_groups: feature groups of the layers whose equivariance is to be learned, by the layers' names.

    Shape:
        template ``[B, C, h, w]`` and search image ``[B, C, H, W]`` to the response ``[B, H', W']``, largest over the
        orientations; for SiamFC's sizes, 127 and 255, it is 17 x 17.

    Equivariance: with a backbone over C_n, exact for its quarter turns: when both images turn, the response turns; when
        the search image alone turns, the response turns as well, and another orientation of the template wins; when the
        template alone turns, the response stays. For other backbones with turned templates, as far as their features
        turn with the image.

    Raises:
        GroupMismatchError: the group is no C_n, or the features lie on another group.
        ConfigError: scale or stride are not positive.
        ShapeError: (when called) a template that is not square where it is turned by 90 degrees.

    Source: Bertinetto et al. 2016 (SiamFC), eq. 2; Gupta et al. 2021 (RE-SiamNet), section 3.

    >>> net = SiameseNetwork(nn.Conv2d(3, 2, 8, stride=8), group="C4")
    >>> net(torch.rand(1, 3, 48, 48), torch.rand(1, 3, 176, 176)).shape
    torch.Size([1, 17, 17])
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        group: PlanarGroup | str = "C1",
        scale: float = 1e-3,
        stride: int = 8,
        feature_groups: Mapping[str, FeatureGroups] | None = None,
    ) -> None:
        super().__init__()
        self.group = planar(group)
        if self.group.reflections:
            raise GroupMismatchError(
                f"group={self.group.name}: templates are turned, not reflected: choose C1, C2, C4 or another C_n"
            )
        if not (0 < scale < float("inf") and stride > 0):
            raise ConfigError(f"scale={scale}, stride={stride}: give positive numbers")
        self.backbone = backbone
        self.scale, self.stride = scale, stride
        self.feature_groups = dict(feature_groups or {})
        self.gain = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(()))

    def templates(
        self, z: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch orientation channels h w"]:
        """The features of a template in all orientations; fields and slots are in one axis."""
        return turned_templates(self.backbone(z), self.group)

    def responses(
        self,
        templates: Float[Tensor, "batch2 orientation channels h w"],
        x: Float[Tensor, "batch in_channels height width"],
    ) -> Float[Tensor, "batch orientation out_height out_width"]:
        """One response for each orientation of the templates; templates of one image are searched for in all."""
        return self.correlate(templates, self.backbone(x))

    def correlate(
        self,
        templates: Float[Tensor, "batch2 orientation channels h w"],
        features: Float[Tensor, "batch channel *rest"],
    ) -> Float[Tensor, "batch orientation out_height out_width"]:
        """Responses from the features of search images."""
        found = features.flatten(1, 2) if features.ndim == 5 else features
        return self.gain * self.scale * cross_correlation(found, templates) + self.bias

    def forward(
        self, z: Float[Tensor, "batch in_channels height width"], x: Float[Tensor, "batch in_channels height2 width2"]
    ) -> Float[Tensor, "batch out_height out_width"]:
        """The largest response over the orientations."""
        return self.responses(self.templates(z), x).amax(1)

    def extra_repr(self) -> str:
        return f"group={self.group!r}, scale={self.scale}, stride={self.stride}"


def turned_templates(
    features: Float[Tensor, "batch channel *rest"], group: PlanarGroup
) -> Float[Tensor, "batch orientation channels h w"]:
    """Feature maps moved by every element of C_n; fields and slots in one axis.

    Turns by angles off the pixel grid are interpolated bilinearly, with zeros outside.
    """
    if features.ndim == 5 and features.shape[2] != group.order:
        raise GroupMismatchError(
            f"the backbone gives features on {features.shape[2]} slots, but group={group.name} has {group.order} "
            "elements: search for templates over the group of the backbone"
        )
    if group.order % 4 == 0 and features.shape[-1] != features.shape[-2]:
        raise ShapeError(
            f"the features of the template are {features.shape[-2]} x {features.shape[-1]}, and group={group.name} "
            "turns them by 90 degrees: give square templates"
        )
    copies = []
    for g in range(group.order):
        slots = torch.roll(features, g, dims=2) if features.ndim == 5 else features
        plane = slots.flatten(1, 2) if features.ndim == 5 else slots
        turns, rest = divmod(4 * g, group.order)
        copies.append(rotate(plane, group.degrees(g)) if rest else torch.rot90(plane, turns, (-2, -1)))
    return torch.stack(copies, 1)
