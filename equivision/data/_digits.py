"""scikit-learn's handwritten digits: data that is there without a download."""

import torch

from equivision.data._extras import require
from equivision.data._images import ImageData, image_data


def read_digits() -> ImageData:
    """The 1,797 digits of scikit-learn (8x8, 17 grey values), as 28x28 images of MNIST's proportions.

    Each is enlarged to 20x20 (bicubic, cut off at 0 and 1) and stands in the middle of 28x28 zeros, so that a turn
    about the centre takes nothing away.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    >>> read_digits()
    ImageData([1797, 1, 28, 28] float32, 10 classes)
    """
    sklearn = require("sklearn.datasets", "scikit-learn", "reading the digits")
    bunch = sklearn.load_digits()
    small = torch.from_numpy(bunch.images).float()[:, None] / 16.0
    large = torch.nn.functional.interpolate(small, size=(20, 20), mode="bicubic", align_corners=False).clamp_(0.0, 1.0)
    images = torch.nn.functional.pad(large, (4, 4, 4, 4))
    labels = torch.from_numpy(bunch.target).long()
    return image_data(images, labels, tuple("0123456789"), source="scikit-learn's digits")
