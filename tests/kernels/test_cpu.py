"""The pieces of the algorithm on a CPU: tiles, layouts, compiled loops, arrays that are used again."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

from equivision.groups import PlanarGroup, cyclic, dihedral
from equivision.kernels import Window, channels_last, orbit_plan
from tests.kernels._threads import torch_threads

pytest.importorskip("numba")
from equivision.kernels import _cpu, _loops, _pointwise, _pointwise_loops
from equivision.kernels._cpu import Gather, Layout, Scratch, Tile, WeightLayout, shares

GROUPS = [cyclic(2), cyclic(4), dihedral(1), dihedral(2), dihedral(4)]
D4 = dihedral(4)
SAME = Window((1, 1), (1, 1), (1, 1))


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    with torch_threads(request.param):
        yield request.param


@pytest.fixture
def own_scratch(monkeypatch: pytest.MonkeyPatch) -> list[Scratch]:
    """No arrays are kept from other tests, and none for them."""
    idle: list[Scratch] = []
    monkeypatch.setattr(Scratch, "_idle", idle)
    return idle


def gather(group: PlanarGroup, kernel: int, out: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> Gather:
    return Gather(group, (kernel, kernel), out, (1, 1), corner, (1, 1))


@pytest.mark.parametrize("most", [1, 3, 16, 2000])
@pytest.mark.parametrize("total", [0, 1, 2, 7, 64, 1000])
def test_shares_cover_everything_once(threads: int, total: int, most: int) -> None:
    found = shares(total, most)
    assert [i for first, last in found for i in range(first, last)] == list(range(total))
    assert all(0 < last - first <= most for first, last in found)
    assert len(found) >= min(threads, total)


@pytest.mark.parametrize("pixels", [1, 32, 500, 10**9])
@pytest.mark.parametrize("out", [(1, 1), (7, 9), (1, 300), (64, 3), (224, 224)])
@pytest.mark.parametrize("images", [0, 1, 3, 17])
def test_tiles_cover_every_pixel_once(threads: int, images: int, out: tuple[int, int], pixels: int) -> None:
    seen = np.zeros((images, out[0]), int)
    for tile in gather(D4, 1, out).tiles(images, pixels):
        assert tile.images * tile.rows * out[1] <= max(pixels, out[1])  # one row at least
        assert tile.images == 1 or tile.rows == out[0]
        seen[tile.image : tile.image + tile.images, tile.row : tile.row + tile.rows] += 1
    assert (seen == 1).all()


def assert_covers(start: np.ndarray, step: np.ndarray, count: int, length: int, size: int) -> None:
    """Runs of ``length`` numbers from ``start[r] + q * step[r]`` fill ``size`` numbers, each once."""
    at = start[:, None, None] + step[:, None, None] * np.arange(count)[:, None] + np.arange(length)
    assert sorted(at.ravel()) == list(range(size))


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_layouts_cover_their_arrays_once(group: PlanarGroup, inner: bool) -> None:
    plan, pixels, fields = orbit_plan(group, (3, 3)), 7, 5
    layout = Layout(plan, pixels, fields, inner)
    assert_covers(*layout.addresses, pixels, fields, layout.bounds[-1])
    weights = WeightLayout(plan, pixels, fields)
    assert_covers(*weights.addresses, pixels, fields, weights.bounds[-1])
    rows = _pointwise.RowLayout(plan, fields, pixels, inner)
    assert_covers(*rows.addresses, fields, pixels, rows.bounds[-1])
    for each in (layout, weights, rows):
        flat = torch.zeros(each.bounds[-1])
        assert sum(matrix.numel() for matrix in each.matrices(flat)) == flat.numel()


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_compiled_gathering_applies_the_basis(group: PlanarGroup, kernel: int) -> None:
    """Row r at pixel y and tap p is ``sum_h basis[r, h] x[h](y + h p)``, with zeros outside."""
    x = np.random.default_rng(0).normal(size=(3, 4, group.order, 6, 5))
    window = gather(
        group, kernel, (7 - kernel + 1, 6 - kernel + 1), corner=(1, 1)
    )  # one pixel of border, at the top left
    padded = np.pad(x, [(0, 0)] * 3 + [(1, 0), (1, 0)])
    tile, plan = Tile(1, 2, 1, window.out[0] - 1), window.plan
    pixels = tile.images * tile.rows * window.out[1]
    layout = Layout(plan, pixels, window.taps * x.shape[1], inner=True)
    panel = np.full(layout.bounds[-1], np.nan)
    window.fill(x, tile, Scratch(), panel, layout)
    read = np.zeros((group.order, tile.images, tile.rows, window.out[1], window.taps, x.shape[1]))
    for p, h in product(range(window.taps), range(group.order)):
        row, column = divmod(int(plan.taps[p, h]), kernel)
        part = padded[1:3, :, h, row + 1 : row + 1 + tile.rows, column : column + window.out[1]]
        read[h, ..., p, :] = part.transpose(0, 2, 3, 1)
    expected = np.einsum("rh,hq->rq", plan.basis, read.reshape(group.order, -1)).reshape(group.order, pixels, -1)
    start, step = layout.addresses
    for r in range(group.order):
        found = [panel[start[r] + q * step[r] :][: layout.length] for q in range(pixels)]
        np.testing.assert_allclose(found, expected[r], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_compiled_scattering_applies_the_transposed_basis(group: PlanarGroup, last: bool) -> None:
    """``y[g] = sum_r basis[r, g] row[r] + bias``, in both memory formats, and nothing outside the tile."""
    plan, outputs, width = orbit_plan(group, (1, 1)), 3, 40  # more than are transformed at once
    assert width > _loops.COLUMNS
    rng, tile = np.random.default_rng(0), Tile(1, 2, 2, 3)
    rows = rng.normal(size=(group.order, tile.images * tile.rows * width, outputs))
    bias = rng.normal(size=outputs)
    maps = torch.zeros(4, outputs, group.order, 6, width, dtype=torch.float64)
    y = (channels_last(maps) if last else maps).numpy()
    scatter = _loops.loop(f"scatter{_cpu.kind_of(plan)}", "float64")
    steps = np.full(group.order, outputs)
    scatter(*(row.reshape(-1) for row in rows), steps, y, tile.image, tile.images, tile.row, tile.rows, bias)
    expected = np.einsum("rg,rqo->qog", plan.basis, rows) + bias[:, None]
    expected = expected.reshape(tile.images, tile.rows, width, outputs, group.order).transpose(0, 3, 4, 1, 2)
    np.testing.assert_allclose(y[1:3, :, :, 2:5], expected, rtol=1e-13, atol=1e-13)
    y[1:3, :, :, 2:5] = 0
    assert not y.any()


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_pointwise_loops_apply_the_basis_and_its_transpose(group: PlanarGroup) -> None:
    plan, (images, fields, size) = orbit_plan(group, (1, 1)), (2, 3, 11)
    rng = np.random.default_rng(0)
    x, bias = rng.normal(size=(4, fields, group.order, size)), rng.normal(size=fields)
    layout = _pointwise.RowLayout(plan, fields, images * size, inner=True)
    flat, (start, step) = np.full(layout.bounds[-1], np.nan), layout.addresses
    kind = _cpu.kind_of(plan)
    _pointwise_loops.pointwise_loop(f"analyse{kind}", "float64")(x, 1, images, 0, fields, flat, start, step)
    expected = np.einsum("rg,bcgq->rcbq", plan.basis, x[1:3]).reshape(group.order, fields, -1)
    rows = [[flat[start[r] + c * step[r] :][: images * size] for c in range(fields)] for r in range(group.order)]
    np.testing.assert_allclose(rows, expected, rtol=1e-13, atol=1e-13)

    y = np.zeros_like(x)
    synthesise = _pointwise_loops.pointwise_loop(f"synthesise{kind}", "float64")
    synthesise(*(flat[first:] for first in start), step, y, 1, images, bias)
    back = np.einsum("rg,rcbq->bcgq", plan.basis, expected.reshape(group.order, fields, images, size))
    np.testing.assert_allclose(y[1:3], back + bias[:, None, None], rtol=1e-13, atol=1e-13)
    assert not y[[0, 3]].any()


def test_scratch_arrays_grow_and_are_used_again(own_scratch: list[Scratch]) -> None:
    with Scratch.borrow() as scratch:
        small = scratch.tensor("a", 10, torch.float32)
        assert scratch.tensor("a", 4, torch.float32).data_ptr() == small.data_ptr()
        assert scratch.tensor("b", 10, torch.float32).data_ptr() != small.data_ptr()
        assert scratch.tensor("a", 10, torch.float64).dtype == torch.float64
        assert scratch.tensor("a", 11, torch.float32).numel() == 11
        with Scratch.borrow() as other:
            assert other is not scratch
    assert len(own_scratch) == 2
    with Scratch.borrow() as again:
        assert again in (scratch, other)


def test_scratch_comes_back_after_an_error(own_scratch: list[Scratch]) -> None:
    with pytest.raises(ValueError, match="stop"), Scratch.borrow():
        raise ValueError("stop")
    assert len(own_scratch) == 1


@pytest.mark.parametrize("kernel", [1, 3])
def test_results_do_not_depend_on_what_was_kept(own_scratch: list[Scratch], kernel: int) -> None:
    x, grad = torch.randn(5, 6, 8, 9, 9), torch.randn(5, 7, 8, 9, 9)
    weight, window = torch.randn(7, 6, 8, kernel, kernel), Window((1, 1), (kernel // 2,) * 2, (1, 1))
    form = _pointwise if kernel == 1 else _cpu

    def results() -> list[torch.Tensor]:
        backward = (grad, x, weight, D4, window)
        return [
            form.convolve(x, weight, None, D4, window),
            form.input_gradient(*backward),
            form.weight_gradient(*backward),
        ]

    first = results()
    kept = [tensor for scratch in own_scratch for tensor in scratch._kept.values()]
    assert kept
    for tensor in kept:
        tensor.fill_(torch.nan)
    assert all(torch.equal(one, other) for one, other in zip(first, results(), strict=True))


@pytest.mark.parametrize("kernel", [1, 3])
def test_results_are_the_same_in_every_run(kernel: int) -> None:
    """Threads take tiles as they come, but every sum has its order: training can be resumed exactly."""
    x, grad = torch.randn(16, 16, 8, 14, 14), torch.randn(16, 16, 8, 14, 14)
    weight, window = torch.randn(16, 16, 8, kernel, kernel), Window((1, 1), (kernel // 2,) * 2, (1, 1))
    form = _pointwise if kernel == 1 else _cpu
    with torch_threads(2):
        for compute in (
            lambda: form.convolve(x, weight, None, D4, window),
            lambda: form.input_gradient(grad, x, weight, D4, window),
            lambda: form.weight_gradient(grad, x, weight, D4, window),
        ):
            first = compute()
            assert all(torch.equal(first, compute()) for _ in range(5))


@pytest.mark.parametrize("tile", [32, 40, 1024])
def test_the_size_of_tiles_does_not_matter(monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    x, weight = torch.randn(3, 2, 8, 21, 13, dtype=torch.float64), torch.randn(4, 2, 8, 3, 3, dtype=torch.float64)
    grad = torch.randn(3, 4, 8, 21, 13, dtype=torch.float64)
    expected = _cpu.convolve(x, weight, None, D4, SAME), _cpu.weight_gradient(grad, x, weight, D4, SAME)
    monkeypatch.setattr(_cpu, "_pixels", lambda *args: tile)
    found = _cpu.convolve(x, weight, None, D4, SAME), _cpu.weight_gradient(grad, x, weight, D4, SAME)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_large_output_gradient_is_transformed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = torch.randn(9, 1, 8, 8, 8, dtype=torch.float64), torch.randn(16, 1, 8, 3, 3, dtype=torch.float64)
    grad = torch.randn(9, 16, 8, 8, 8, dtype=torch.float64)
    parts: list[int] = []
    transformed = _cpu._transformed

    def recorded(grad: torch.Tensor, group: PlanarGroup, tiles: list[Tile]) -> list[list[torch.Tensor]]:
        parts.append(sum(tile.images * tile.rows for tile in tiles))
        return transformed(grad, group, tiles)

    monkeypatch.setattr(_cpu, "_transformed", recorded)
    monkeypatch.setattr(_cpu, "_spare", lambda *args: 1 << 40)
    whole = _cpu.weight_gradient(grad, x, weight, D4, SAME)
    assert parts == [9 * 8]
    monkeypatch.setattr(_cpu, "_spare", lambda *args: 0)
    in_parts = _cpu.weight_gradient(grad, x, weight, D4, SAME)
    assert len(parts) > 3
    assert sum(parts[1:]) == 9 * 8
    torch.testing.assert_close(in_parts, whole, rtol=1e-12, atol=1e-12)


def test_loops_compile_where_nothing_can_be_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba raises RuntimeError when neither the package nor the home directory can be written to."""
    compile_ = _loops.njit
    asked: list[bool] = []

    def njit(*args, cache: bool = False, **options):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function '_fill2': no locator available")
        return compile_(*args, **options)

    monkeypatch.setattr(_loops, "njit", njit)
    assert callable(_loops.loop.__wrapped__("unmix_weights", "float64"))
    assert callable(_pointwise_loops.pointwise_loop.__wrapped__("analyse2", "float64"))
    assert asked == [True, False, True, False]
