"""Batch norm that keeps the memory layout: torch's numbers in both layouts, in training and evaluation."""

import pytest
import torch
from torch import Tensor, nn

import equivision as ev
import equivision.nn as evnn
from equivision.kernels import channels_last, is_channels_last
from equivision.testing import randomize_


def results(norm: nn.Module, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """Output, its gradients, and the statistics afterwards."""
    x = x.detach().requires_grad_()
    y = norm(x)
    wanted = [x, *norm.parameters()]
    return [y.detach(), *torch.autograd.grad(y, wanted, gradient), *norm.buffers()]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(5, 4), (1, 1)])
def test_numbers_are_those_of_torch(training: bool, size: tuple[int, int]) -> None:
    shape = (3, 4, 8, *size)
    x, gradient = torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64)
    theirs = randomize_(nn.BatchNorm3d(4).double()).train(training)
    for given in (x, channels_last(x)):
        ours = evnn.BatchNorm3d(4).double().train(training)
        reference = nn.BatchNorm3d(4).double().train(training)
        ours.load_state_dict(theirs.state_dict())
        reference.load_state_dict(ours.state_dict())
        for one, other in zip(results(ours, given, gradient), results(reference, x, gradient), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_layout_is_kept_where_torch_loses_it() -> None:
    x = channels_last(torch.randn(2, 4, 8, 5, 5))
    assert is_channels_last(evnn.BatchNorm3d(4)(x))
    assert not is_channels_last(nn.BatchNorm3d(4)(x))
    assert evnn.BatchNorm3d(4)(x.contiguous()).is_contiguous()


@pytest.mark.parametrize("training", [True, False])
def test_gradcheck_in_both_layouts(training: bool) -> None:
    norm = randomize_(evnn.BatchNorm3d(2).double()).train(training)
    x = torch.randn(2, 2, 4, 3, 4, dtype=torch.float64)
    for given in (x, channels_last(x)):
        assert torch.autograd.gradcheck(norm, given.requires_grad_())


@pytest.mark.compile
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("rectified", [True, False])
def test_compiled_gradients_channels_last(batch: int, rectified: bool) -> None:
    """For one image torch's tracer takes the layout for another one, and gives wrong gradients or none."""
    lift = evnn.LiftConv2d(3, 4, 3, group="C4", bias=False)
    relu = nn.ReLU() if rectified else nn.Identity()
    net = nn.Sequential(lift, evnn.BatchNorm3d(4), relu, evnn.GroupPool()).double()
    x = torch.randn(batch, 3, 9, 9, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    weights = torch.randn(batch, 4, 7, 7, dtype=torch.float64)

    def gradients(run: nn.Module) -> tuple[Tensor, ...]:
        return torch.autograd.grad((run(x) * weights).sum(), [x, *net.parameters()])

    torch.compiler.reset()
    compiled = torch.compile(net, backend="aot_eager")
    for one, other in zip(gradients(net), gradients(compiled), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)


def test_frozen_it_is_torchs_own() -> None:
    net = nn.Sequential(evnn.LiftConv2d(2, 3, 3, group="C4"), nn.ReLU(), evnn.BatchNorm3d(3), evnn.GroupPool()).eval()
    x = torch.randn(2, 2, 6, 6)
    frozen = ev.freeze(randomize_(net))
    torch.testing.assert_close(frozen(x), net(x))
    assert type(net[2]) is evnn.BatchNorm3d


def test_a_subclass_is_frozen_too() -> None:
    class Named(evnn.BatchNorm3d):
        """Changes nothing."""

    net = nn.Sequential(evnn.LiftConv2d(2, 3, 3, group="C4"), nn.ReLU(), Named(3), evnn.GroupPool()).eval()
    x = torch.randn(2, 2, 6, 6)
    torch.testing.assert_close(ev.freeze(randomize_(net))(x), net(x))


@pytest.mark.parametrize("name", ["p4cnn", "gc_p4cnn", "p4mcnn"])
def test_a_network_stays_channels_last_to_its_end(name: str) -> None:
    """Not one layer on the way goes back to contiguous memory; the logits are the same."""
    net, lost = ev.create_model(name, width=2).double(), []

    def look(module: nn.Module, _inputs: object, output: Tensor) -> None:
        if output.ndim == 5 and output[0, 0, 0].numel() > 1 and not is_channels_last(output):
            lost.append(type(module).__name__)

    for module in net.modules():
        module.register_forward_hook(look)
    images = torch.rand(2, 1, 28, 28, dtype=torch.float64)
    logits = net(images.to(memory_format=torch.channels_last))
    assert not lost
    torch.testing.assert_close(logits, net.train()(images), rtol=1e-9, atol=1e-9)
