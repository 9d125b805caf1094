"""An exported file computes what the network computes, or is not there."""

import copy
import pickle
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

import equivision as ev
from equivision.errors import ConfigError, DataError, ExportError, MissingExtraError, ShapeError
from equivision.export import OPSET, OnnxModel, export
from equivision.export import _export as module
from equivision.functional import relative_error
from equivision.testing import random_input
from tests.convert.test_freeze import lively


@pytest.fixture(scope="module")
def images() -> Tensor:
    return random_input(1, (28, 28), batch=8, dtype=torch.float32)


@pytest.fixture(scope="module")
def model(images: Tensor) -> nn.Module:
    return lively(ev.create_model("gc_p4cnn", width=8), images.double()).float()


def small() -> nn.Module:
    return nn.Sequential(
        ev.nn.LiftConv2d(1, 2, 3, group="C4"), ev.nn.GroupPool(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


def test_onnx(model: nn.Module, images: Tensor, tmp_path: Path) -> None:
    model.train()
    result = export(model, tmp_path / "deep" / "net.onnx", example=images[:1], check=images)
    assert model.training
    model.eval()
    assert (result.format, result.opset, result.num_images) == ("onnx", OPSET, 8)
    assert 0 < result.max_error <= result.tolerance == 1e-5
    assert [path.name for path in result.path.parent.iterdir()] == ["net.onnx"]
    written = onnx.load(result.path)
    onnx.checker.check_model(written, full_check=True)
    assert [(one.domain, one.version) for one in written.opset_import if not one.domain] == [("", OPSET)]
    assert {one.key: one.value for one in written.metadata_props}["equivision"] == ev.__version__
    assert written.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    loaded = OnnxModel(result.path)
    for batch in (images, images[:3], images[:1]):
        assert float(relative_error(loaded(batch), model(batch).detach())) <= 1e-5
    assert loaded(images[:0]).shape == model(images[:0]).shape


@pytest.mark.costly(4)
@pytest.mark.parametrize("name", ["a_p4cnn", "f_p4cnn", "dren", "alpha_p4cnn"])
def test_onnx_of_networks_with_class_maps(name: str, images: Tensor, tmp_path: Path) -> None:
    network = lively(ev.create_model(name, width=8), images.double()).float()
    result = export(network, tmp_path / "net.onnx", example=images[:1], check=images)
    loaded = OnnxModel(result.path)
    for batch in (images, images[:3]):
        assert float(relative_error(loaded(batch), network(batch).detach())) <= 1e-5
    assert float(relative_error(loaded(images), loaded(images.flip(0)))) > 1e-3


def test_torch(model: nn.Module, images: Tensor, tmp_path: Path) -> None:
    result = export(model, tmp_path / "net.pt2", example=images)
    assert (result.format, result.opset) == ("torch", None)
    program = torch.export.load(result.path).module()
    for batch in (images, images[:3], images[:1]):
        assert float(relative_error(program(batch), model(batch).detach())) <= 1e-5
    assert export(model, tmp_path / "net", example=images, format="torch").path.stat().st_size > 0


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_one_batch_size(format: Any, images: Tensor, tmp_path: Path) -> None:
    net = small()
    result = export(net, tmp_path / "net", example=images[:3], check=images, format=format, dynamic_batch=False)
    assert result.num_images == 8
    if format == "onnx":
        assert onnx.load(result.path).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
        assert float(relative_error(OnnxModel(result.path)(images), net(images).detach())) <= 1e-6


def test_another_opset(images: Tensor, tmp_path: Path) -> None:
    result = export(small(), tmp_path / "net.onnx", example=images, opset=20)
    assert result.opset == 20
    assert {one.version for one in onnx.load(result.path).opset_import if not one.domain} == {20}


def test_every_model(tmp_path: Path) -> None:
    for name in ("p4mcnn", "resnet18"):
        x = random_input(2, (28, 28) if "cnn" in name else (20, 21 - 1), batch=4)
        net = lively(ev.create_model(name, width=2, in_channels=2), x).float()
        assert export(net, tmp_path / f"{name}.onnx", example=x.float()).max_error <= 1e-5


def test_the_symmetry_of_a_file_is_that_of_the_network(model: nn.Module, images: Tensor, tmp_path: Path) -> None:
    result = export(model, tmp_path / "net.onnx", example=images)
    eager, file = (ev.audit(net, images, group="D4", angles=(0, 45)) for net in (model, OnnxModel(result.path)))
    for one, other in zip(eager.elements, file.elements, strict=True):
        rotation = one.element < 4
        assert (one.max_error <= 1e-5) is (other.max_error <= 1e-5) is rotation
        assert one.max_error == pytest.approx(other.max_error, rel=1e-3, abs=1e-5)
        assert one.consistency == other.consistency
    assert eager.angles[1].mean_error == pytest.approx(file.angles[1].mean_error, rel=1e-3)
    assert eager.dtype == file.dtype


def test_a_file_that_computes_something_else_is_not_written(
    images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "net.onnx"
    good.write_text("old")
    freeze = module.freeze

    def wrong(net: nn.Module, **options: Any) -> nn.Module:
        frozen = freeze(net, **options)
        for parameter in frozen.parameters():
            parameter.mul_(1.001)
        return frozen

    monkeypatch.setattr(module, "freeze", wrong)
    for path in (good, tmp_path / "net.pt2"):
        with pytest.raises(
            ExportError, match=r"other outputs than the network on 8 images: .* 1\.0e-03 \(at most 1e-05\)"
        ):
            export(small(), path, example=images)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("net.onnx", "old")]


def test_equal_classes_are_wanted() -> None:
    expected = torch.tensor([[1.0, 1.0 + 1e-7], [0.0, 1.0]])
    with pytest.raises(ExportError, match=r"1 predicted class\(es\) differ"):
        module._compare(torch.tensor([[1.0 + 1e-6, 1.0], [0.0, 1.0]]), expected)
    assert module._compare(expected, expected) == 0
    with pytest.raises(ExportError, match="other outputs"):
        module._compare(expected * torch.nan, expected)
    with pytest.raises(ExportError, match=r"gives shape \(2, 1\), the network \(2, 2\)"):
        module._compare(expected[:, :1], expected)


class Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class FixedBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(8, -1)


def test_mistakes(images: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(ConfigError, match=r"format=None: give a path that ends in .onnx or .pt2"):
        export(small(), tmp_path / "net.bin", example=images)
    with pytest.raises(ConfigError, match="model is a int"):
        export(3, path, example=images)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=r"example is shape \(0, 1, 28, 28\) and torch.float32: give a batch"):
        export(small(), path, example=images[:0])
    with pytest.raises(ConfigError, match="example is list"):
        export(small(), path, example=[])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=r"check has shape \(8, 1, 27, 28\) .* must be alike"):
        export(small(), path, example=images, check=images[:, :, 1:])
    with pytest.raises(ConfigError, match="model returns a tuple: export takes networks that return one tensor"):
        export(Two(), path, example=images)
    with pytest.raises(ExportError, match=r"torch.export fails: .* With dynamic_batch=False"):
        export(FixedBatch(), path, example=images)
    with pytest.raises(ExportError, match=r"the exported file does not run .*model.float\(\)"):
        export(small().double(), path, example=images.double())
    with pytest.raises((ConfigError, ExportError), match="opset=3"):
        export(small(), path, example=images, opset=3)
    with pytest.raises(DataError, match="cannot be written"):
        export(small(), "/proc/nowhere/net.onnx", example=images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_what_is_not_installed(package: str, images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}', which is not installed.*equivision\[export\]"):
        export(small(), tmp_path / "net.onnx", example=images)
    assert list(tmp_path.iterdir()) == []


def test_a_file_as_a_module(images: Tensor, tmp_path: Path) -> None:
    net = small()
    path = export(net, tmp_path / "net.onnx", example=images).path
    loaded = OnnxModel(path)
    for one in (loaded, copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded)), OnnxModel(path.read_bytes())):
        assert torch.allclose(one(images), net(images), atol=1e-6)
        assert not one.state_dict()
    assert repr(loaded) == f"OnnxModel({str(path)!r})"
    assert repr(OnnxModel(path.read_bytes())) == f"OnnxModel({path.stat().st_size} bytes)"
    with pytest.raises(
        ShapeError, match=r"input has shape \(8, 1, 27, 28\) .* the ONNX file takes \['batch', 1, 28, 28\]"
    ):
        loaded(images[:, :, 1:])
    with pytest.raises(ShapeError, match=r"dtype torch.float64"):
        loaded(images.double())
    (tmp_path / "bad.onnx").write_text("nonsense")
    for bad in (tmp_path / "bad.onnx", tmp_path / "nowhere.onnx"):
        with pytest.raises(DataError, match=rf"{bad.name} cannot be read by onnxruntime"):
            OnnxModel(bad)
    two = onnx.load(path)
    two.graph.output.append(two.graph.output[0])
    two.graph.output[1].name = two.graph.node[0].output[0]
    two.graph.output[1].type.tensor_type.ClearField("shape")
    with pytest.raises(DataError, match="has 1 input\\(s\\) and 2 output\\(s\\)"):
        OnnxModel(two.SerializeToString())
