"""What a siamese tracker is trained with."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from equivision.errors import ConfigError, ShapeError


def response_labels(
    offset: Float[Tensor, "batch 2"], size: int, *, stride: int = 8, radius: float = 16.0
) -> Bool[Tensor, "batch size size"]:
    """Which positions of a response show the target: those at most ``radius`` pixels from its centre.

    Args:
        offset: (x, y) of the target, in pixels of the search image, from the centre of that image.
        size: height and width of the response; its middle is the centre of the search image.
        stride: pixels from one position to the next.
        radius: in pixels of the search image.

    Raises:
        ConfigError: size, stride or radius are not positive.

    Source: Bertinetto et al. 2016 (SiamFC), eq. 4.

    >>> response_labels(torch.zeros(1, 2), 5, radius=8.0)[0].long().tolist()
    [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    """
    if not (size > 0 and stride > 0 and radius > 0):
        raise ConfigError(f"size={size}, stride={stride}, radius={radius}: give positive numbers")
    at = (torch.arange(size, device=offset.device, dtype=offset.dtype) - (size - 1) / 2) * stride
    x, y = at - offset[:, :1], at - offset[:, 1:]
    return x[:, None, :] ** 2 + y[:, :, None] ** 2 <= radius**2


def balanced_logistic_loss(
    response: Float[Tensor, "batch height width"], labels: Bool[Tensor, "batch height width"]
) -> Float[Tensor, ""]:
    """The logistic loss of every position, with half of the weight of an image on its target and half on the rest.

    ``sum_u w(u) log(1 + exp(-y(u) v(u)))``, y = 1 on the target and -1 elsewhere, ``w = 1 / (2 |{u : y(u) = y}|)``;
    mean over the images. An image without a target counts by the other half alone.

    Raises:
        ShapeError: the shapes differ.

    Source: Bertinetto et al. 2016 (SiamFC), eq. 3, with the balance of section 4.2.

    >>> balanced_logistic_loss(torch.zeros(1, 3, 3), torch.eye(3, dtype=torch.bool)[None]).item()  # log 2
    0.6931471824645996
    """
    if response.shape != labels.shape or response.ndim != 3:
        raise ShapeError(
            f"response has shape {tuple(response.shape)}, labels {tuple(labels.shape)}: both must be "
            "[batch, height, width]"
        )
    if response.dtype in (torch.float16, torch.bfloat16):
        response = response.float()  # the sum does not fit into half precision
    losses = F.softplus(torch.where(labels, -response, response))
    total = losses.new_zeros(len(response))
    for chosen in (labels, ~labels):
        weight = chosen.to(losses.dtype)
        total = total + 0.5 * (losses * weight).sum((1, 2)) / weight.sum((1, 2)).clamp_min(1)
    return total.mean()
