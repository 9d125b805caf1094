"""How well templates fit at every position of an image."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import ShapeError
from equivision.functional._checks import check_dtypes


def cross_correlation(
    x: Float[Tensor, "batch channel height width"], templates: Float[Tensor, "batch2 template channel h w"]
) -> Float[Tensor, "batch template out_height out_width"]:
    """Correlate every feature map with templates of its own: ``y[b, i](t) = sum_{c, p} x[b, c](t + p) z[b, i, c](p)``.

    All images of a batch go through one grouped convolution.

    Args:
        x: feature maps that are searched.
        templates: as many for each of them; a batch of 1 is used for all.

    Returns:
        ``[B, template, H - h + 1, W - w + 1]``.

    Equivariance: exact: x and all templates moved by an element of C4 or D4 move the result by it.

    Raises:
        ShapeError: batch sizes or channels differ, the templates are larger than the maps, or dtypes differ.

    Source: Bertinetto et al. 2016 (SiamFC), eq. 2.

    >>> cross_correlation(torch.ones(2, 3, 22, 22), torch.ones(2, 4, 3, 6, 6)).shape
    torch.Size([2, 4, 17, 17])
    """
    if x.ndim != 4 or templates.ndim != 5:
        raise ShapeError(
            f"cross_correlation: x has shape {tuple(x.shape)}, templates {tuple(templates.shape)}; needs [batch, "
            "channel, height, width] and [batch, template, channel, height, width]"
        )
    batch, number = x.shape[0], templates.shape[1]
    if templates.shape[0] not in (1, batch) or templates.shape[2] != x.shape[1]:
        raise ShapeError(
            f"cross_correlation: {templates.shape[0]} sets of templates with {templates.shape[2]} channels for {batch} "
            f"maps with {x.shape[1]} channels: give templates for one or for all of the maps, with their channels"
        )
    if templates.shape[3] > x.shape[2] or templates.shape[4] > x.shape[3]:
        raise ShapeError(
            f"cross_correlation: templates of {templates.shape[3]} x {templates.shape[4]} do not fit into maps of "
            f"{x.shape[2]} x {x.shape[3]}: give smaller templates"
        )
    check_dtypes(x, templates, "cross_correlation")
    if templates.shape[0] == 1:
        return F.conv2d(x, templates[0])
    response = F.conv2d(x.flatten(0, 1)[None], templates.flatten(0, 1), groups=batch)
    return torch.unflatten(response[0], 0, (batch, number))
