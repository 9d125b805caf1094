"""The one table of tolerances."""

import torch

#: Largest relative error (Euclidean norm) of an exact layer or network, by dtype.
TOLERANCE: dict[torch.dtype, float] = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.bfloat16: 5e-2,
    torch.float16: 1e-2,
}
