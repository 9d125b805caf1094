"""Batch norm of feature maps of any representation."""

import torch
from torch import Tensor, nn

from equivision.functional._checks import without_autocast
from equivision.functional._fields import check_channels
from equivision.groups import PlaneGroup
from equivision.nn._fields import FieldModule, Maps
from equivision.nn._sync import over_processes, several_processes
from equivision.reps import Representation, invariants


class FieldBatchNorm2d(FieldModule):
    """Batch norm over the fields of a representation.

    Of every field, the mean of the part that no element changes is taken away, and what is left is divided by the root
    of the mean square of all its channels. On regular fields this is batch norm with statistics shared over the group,
    on invariants ordinary batch norm; fields without an invariant part keep their mean.

    Args:
        rep: any representation of C_n, D_n, SO(2) or O(2), or its name.
        eps, momentum, affine: as in :class:`torch.nn.BatchNorm2d`; the shift only has the directions that no element
            changes.
        group: needed where the representation is given by name.
        sync: whether the statistics of a batch are those of the batches of all processes that train together, as with
            :class:`torch.nn.SyncBatchNorm`; of several processes all must call the layer.
        device, dtype: of the parameters.

    Shape:
        ``[B, rep.size, H, W]`` to the same.

    Equivariance: exact.

    Source: Weiler & Cesa 2019, section 2.7; Worrall et al. 2017, section 4.2.

    >>> FieldBatchNorm2d("2 regular + E1", group="D4")(torch.randn(4, 18, 5, 5)).shape
    torch.Size([4, 18, 5, 5])
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    still: Tensor
    field: Tensor

    def __init__(
        self,
        rep: Representation | str,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        group: PlaneGroup | str | None = None,
        sync: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(rep, group)
        self.eps, self.momentum, self.affine, self.sync = eps, momentum, affine, sync
        fields, invariant = len(self.rep.fields), len(invariants(self.rep))
        options = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(fields, **options)) if affine else None
        self.bias = nn.Parameter(torch.empty(invariant, **options)) if affine and invariant else None
        self.register_buffer("running_mean", torch.empty(invariant, **options))
        self.register_buffer("running_var", torch.empty(fields, **options))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long, device=device))
        still = torch.empty(invariant, self.rep.size, dtype=torch.float64, device=device)
        self.register_buffer("still", still, persistent=False)
        self.register_buffer("field", torch.empty(self.rep.size, dtype=torch.long, device=device), persistent=False)
        self.reset_parameters()

    def fill_tables(self) -> None:
        """Fill the invariants of the fields, and the number of the field of each channel."""
        numbers = [i for i, field in enumerate(self.rep.fields) for _ in range(field.size)]
        self.still.copy_(torch.from_numpy(invariants(self.rep)))  # orthonormal rows
        self.field.copy_(torch.tensor(numbers, device="cpu"))

    def reset_parameters(self) -> None:
        """Scales are 1, shifts 0; the running statistics those of a standard normal; fill the tables."""
        self.fill_tables()
        for ones in (self.weight, self.running_var):
            if ones is not None:
                nn.init.ones_(ones)
        for zeros in (self.bias, self.running_mean, self.num_batches_tracked):
            if zeros is not None:
                nn.init.zeros_(zeros)

    def forward(self, x: Maps) -> Maps:
        """Normalise every field."""
        check_channels(x, self._channels, "FieldBatchNorm2d")
        with without_autocast(self.running_var):
            learns = self.training and (x.numel() > 0 or self._shared)
            mean, var = self._statistics(x) if learns else (self.running_mean, self.running_var)
            scale, shift = self.affine_map(mean, var)
        return x * scale.view(1, -1, 1, 1).to(x.dtype) + shift.view(1, -1, 1, 1).to(x.dtype)

    @property
    def _shared(self) -> bool:
        """Whether other processes have a part in the statistics."""
        return self.sync and several_processes()

    def affine_map(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """What normalising with these statistics is: a factor and a shift for every channel."""
        still = self.still.to(mean.dtype)
        scale = torch.rsqrt(var + self.eps)
        scale = scale if self.weight is None else scale * self.weight
        scale = scale.index_select(0, self.field)
        shift = -scale * (mean @ still)
        # a shift of size 1 in every channel, as torch's is, for fields whose channels are exchanged
        if self.bias is None:
            return scale, shift
        return scale, shift + self.bias.to(still.dtype) @ (still / still.abs().amax(1, keepdim=True))

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean along the invariant directions and mean square of every field; the running ones follow."""
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        still = self.still.to(wide.dtype)
        pixels = x.numel() / x.shape[1]
        if pixels:
            var, mean = torch.var_mean(wide, dim=(0, 2, 3), correction=0)
        else:  # this process has no image, others may have: a zero, with a graph
            var = mean = wide.sum((0, 2, 3))
        if self._shared:
            var, mean, pixels = over_processes(var, mean, pixels)
        along = still @ mean
        square = var + (mean - along @ still) ** 2
        none = square.new_zeros(len(self.running_var))
        sizes = none.index_add(0, self.field, torch.ones_like(square))
        var = none.index_add(0, self.field, square) / sizes
        with torch.no_grad():
            self.num_batches_tracked += 1
            count = pixels * sizes
            unbiased = var * count / (count - 1).clamp_min(1)
            step = var.new_ones(()) / self.num_batches_tracked if self.momentum is None else self.momentum
            for running, found in ((self.running_mean, along), (self.running_var, unbiased)):
                running += (found - running) * step
        return along, var

    def extra_repr(self) -> str:
        given = (
            ("eps", self.eps, 1e-5),
            ("momentum", self.momentum, 0.1),
            ("affine", self.affine, True),
            ("sync", self.sync, False),
        )
        return ", ".join([repr(self.rep), *(f"{name}={value!r}" for name, value, plain in given if value != plain)])


def sync_fields_(module: nn.Module) -> None:
    """Let every :class:`FieldBatchNorm2d` inside take its statistics from the images of all processes, in place."""
    for part in module.modules():
        if isinstance(part, FieldBatchNorm2d):
            part.sync = True


def convert_sync_batchnorm(module: nn.Module) -> nn.Module:
    """Let every batch norm of a network take its statistics from the images of all processes.

    :meth:`torch.nn.SyncBatchNorm.convert_sync_batchnorm` replaces those of torch and :class:`BatchNorm3d`, by a layer
    that needs a GPU; every :class:`FieldBatchNorm2d`, which it does not know, is told to. Call this before the network
    is wrapped for several processes. Lightning's ``sync_batchnorm=True`` does it for the tasks of
    :mod:`equivision.tasks`.

    Args:
        module: any network; changed in place.

    Returns:
        The network, or where it is itself a batch norm of torch, what stands for it.

    Equivariance: that of the network; statistics are shared by all elements of the group as before.

    >>> norm = FieldBatchNorm2d("2 regular", group="C4")
    >>> convert_sync_batchnorm(nn.Sequential(norm))[0].sync
    True
    """
    sync_fields_(module)
    return nn.SyncBatchNorm.convert_sync_batchnorm(module)
