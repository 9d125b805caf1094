"""The fused kernels without a GPU: a process with the interpreter, a compiler for a GPU that is not there."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from equivision.errors import ConfigError, GroupMismatchError, MissingExtraError, ShapeError
from equivision.groups import planar
from equivision.kernels import _triton as operators
from equivision.kernels import group_conv2d_triton, orbit_plan, supports_triton

ROOT = Path(__file__).parents[2]
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="TRITON IS NOT INSTALLED: the GPU kernels are not tested"
)


@needs_triton
@pytest.mark.costly(2)
@pytest.mark.parametrize("session", ["not compile", "compile"])
def test_kernels_in_the_interpreter(session: str, pytestconfig: pytest.Config) -> None:
    """The tests in fused/, in a process whose triton interprets; torch.compile there goes without the checking hook."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    cases = "all" if pytestconfig.getoption("cases") == "all" else "fewer"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", session, "--cases", cases]
    command.append("tests/kernels/fused")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


class Recorder:
    """Stands for a kernel: keeps what it is launched with."""

    def __init__(self, kernel: Any) -> None:
        self.kernel, self.values = kernel, {}

    def __getitem__(self, grid: Any) -> Any:
        def launch(*args: Any, **options: Any) -> None:
            self.values = dict(zip(self.kernel.arg_names, args, strict=False)) | options

        return launch

    def compile(self, tiles: dict[str, int], warps: int, stages: int, capability: int) -> Any:
        """Compile as triton would on such a GPU: 1 is a constant, multiples of 16 are known to be."""
        import triton
        from triton.backends.compiler import GPUTarget

        types = {torch.bfloat16: "*bf16", torch.float16: "*fp16", torch.float32: "*fp32"}
        values = self.values | {name: size for name, size in tiles.items() if name in self.kernel.arg_names}
        constants = {p.name for p in self.kernel.params if p.is_constexpr}
        signature, fixed, hints = {}, {}, {}
        for i, name in enumerate(self.kernel.arg_names):
            value = values[name]
            if name in constants or value is None or (not torch.is_tensor(value) and value == 1):
                signature[name], fixed[(i,)] = "constexpr", value
                continue
            signature[name] = types[value.dtype] if torch.is_tensor(value) else "i32"
            if torch.is_tensor(value) or value % 16 == 0:
                hints[(i,)] = [["tt.divisibility", 16]]
        source = triton.compiler.ASTSource(self.kernel, signature, fixed, hints)
        options = {"num_warps": warps, "num_stages": stages}
        return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


HOPPER, SHARED_BYTES = 90, 227 << 10


@pytest.mark.costly(4)
@needs_triton
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("D4", torch.bfloat16), ("D4", torch.float32), ("C4", torch.float16), ("D2", torch.bfloat16)],
)
def test_kernels_compile_for_hopper(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first tile sizes: products on the tensor cores, loads that do not wait, shared memory that suffices."""
    if os.environ.get("TRITON_INTERPRET", "0") == "1":
        pytest.skip("triton interprets in this process and cannot compile")
    from equivision.kernels import _triton_launch as launch

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    recorders = {}

    def record(kernel: Any, order: int) -> Recorder:
        return recorders.setdefault(kernel.fn.__name__, Recorder(kernel))

    monkeypatch.setattr(launch, "_tuned", record)
    monkeypatch.setattr(launch, "transform_kernel", Recorder(launch.transform_kernel))
    group = planar(name)
    geometry = launch.Geometry(group, (3, 3), operators.Window((1, 1), (1, 1), (1, 1)), 1)
    x, weight = torch.zeros(1, 64, group.order, 7, 7, dtype=dtype), torch.zeros(64, 64, group.order, 3, 3, dtype=dtype)
    launch.convolve(x, weight, geometry, "tf32")
    launch.weight_gradient(x, x, geometry, "tf32")
    assert set(recorders) == {"convolve_kernel", "weight_gradient_kernel"}
    config = launch._configs(group.order)[0]
    for recorder in recorders.values():
        compiled = recorder.compile(config.kwargs, config.num_warps, config.num_stages, HOPPER)
        assert "wgmma.mma_async" in compiled.asm["ptx"]
        assert "cp.async" in compiled.asm["ptx"]
        assert compiled.metadata.shared <= SHARED_BYTES


@needs_triton
@pytest.mark.parametrize("order", [2, 4, 8])
def test_tiles(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums fit the registers (half of them, 128 kB), the first tiles all dtypes, and most tiles some dtype."""
    if os.environ.get("TRITON_INTERPRET", "0") == "1":
        pytest.skip("the interpreter has one tile size")
    from equivision.kernels import _triton_launch as launch

    def shared(config: Any, size: int) -> int:
        tiles = config.kwargs
        return order * size * tiles["BI"] * (tiles["BO"] + tiles["BP"]) * config.num_stages

    monkeypatch.setattr(launch, "TUNE", True)
    configs = launch._configs(order)
    assert all(4 * order * c.kwargs["BO"] * c.kwargs["BP"] <= 128 << 10 for c in configs)
    assert shared(configs[0], 4) <= SHARED_BYTES
    assert all(shared(c, 2) <= SHARED_BYTES for c in configs)
    assert sum(shared(c, 4) <= SHARED_BYTES for c in configs) >= 3
    monkeypatch.setattr(launch, "TUNE", False)
    assert [c.kwargs for c in launch._configs(order)] == [configs[0].kwargs]


@needs_triton
@pytest.mark.parametrize("name", operators.TRITON_GROUPS)
@pytest.mark.parametrize("adjoint", [False, True])
def test_blocks_of_weights(name: str, adjoint: bool) -> None:
    """The matrix for the blocks says the same as the tables of the plan, and its transpose is the transpose."""
    from equivision.kernels._triton_launch import blocks_of, weight_of

    group = planar(name)
    plan, order = orbit_plan(group, (3, 3)), group.order
    weight = torch.randn(4, 3, order, 3, 3, dtype=torch.float64)
    blocks = blocks_of(weight, group, adjoint=adjoint, groups=2)
    index, mix = torch.from_numpy(plan.adjoint if adjoint else plan.weights), torch.from_numpy(plan.mix[:order])
    wanted = torch.einsum("rg,octg->rtoc", mix, weight.flatten(2)[:, :, index])
    if adjoint:  # o of the two groups of fields stays where it is
        wanted = wanted.unflatten(2, (2, 2)).transpose(3, 4).flatten(2, 3)
    torch.testing.assert_close(blocks, wanted)
    if not adjoint:
        other = torch.randn_like(blocks)
        torch.testing.assert_close((weight_of(other, group, (3, 3)) * weight).sum(), (other * blocks).sum())


def _map(name: str = "D4", fields: int = 4, size: tuple[int, int] = (5, 5), **options: Any) -> torch.Tensor:
    return torch.zeros(1, fields, planar(name).order, *size, **options)


def _weight(name: str = "D4", fields: int = 4, size: tuple[int, int] = (3, 3), **options: Any) -> torch.Tensor:
    return torch.zeros(6, fields, planar(name).order, *size, **options)


def test_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    group = planar("D4")
    assert not supports_triton(_map(), group)  # on a CPU
    monkeypatch.setattr(operators, "_INSTALLED", True)
    monkeypatch.setattr(operators, "_INTERPRETED", True)
    assert supports_triton(_map(), group)
    assert not supports_triton(_map().double(), group)
    assert not supports_triton(_map("C1"), planar("C1"))
    monkeypatch.setattr(operators, "_INSTALLED", False)
    assert not supports_triton(_map(), group)


def test_missing_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "_INSTALLED", False)
    with pytest.raises(MissingExtraError, match=r"needs the package 'triton'.*equivision\[triton\]"):
        group_conv2d_triton(_map(), _weight(), group=planar("D4"))


def test_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "_INSTALLED", True)
    monkeypatch.setattr(operators, "_INTERPRETED", False)
    with pytest.raises(ConfigError, match="x is on cpu, but the kernel runs on GPUs"):
        group_conv2d_triton(_map(), _weight(), group=planar("D4"))


@pytest.mark.parametrize(
    ("x", "weight", "options", "error", "message"),
    [
        (
            _map("C1"),
            _weight("C1"),
            {"group": "C1"},
            GroupMismatchError,
            "group=C1 has no kernel: choose one of C2, C4",
        ),
        (_map(), _weight().half(), {}, ShapeError, "x is torch.float32, weight is torch.float16: give both the same"),
        (_map().double(), _weight().double(), {}, ShapeError, "x is torch.float64.*float32, float16 or bfloat16"),
        (_map("C4"), _weight(), {}, ShapeError, r"x is \(1, 4, 4, 5, 5\).*D4 needs \[batch, channel, 8, height"),
        (_map(fields=5), _weight(), {}, ShapeError, "x has 5 fields.*x needs 4 fields"),
        (_map(fields=16), _weight(), {"groups": 4}, ShapeError, "groups=4: .*must be a multiple of groups"),
        (_map(), _weight(size=(2, 3)), {}, GroupMismatchError, r"kernel_size=\(2, 3\) is not square, but D4"),
        (_map(size=(2, 5)), _weight(), {}, ShapeError, "2 x 5 pixels with .* leave no output: use more padding"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_errors(
    x: torch.Tensor, weight: torch.Tensor, options: dict, error: type, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "_INSTALLED", True)
    monkeypatch.setattr(operators, "_INTERPRETED", True)
    with pytest.raises(error, match=message):
        group_conv2d_triton(x, weight, **(options | {"group": planar(options.get("group", "D4"))}))
