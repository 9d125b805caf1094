import dataclasses
import itertools

import pytest
import torch

from equivision.data import (
    EpochSampler,
    ResumableLoader,
    VariantDataset,
    evaluation_loader,
    named_variant,
    training_loader,
)
from tests.data._make import numbered_images

ROTATED = named_variant("rotated", seed=1)


def positions(loader: ResumableLoader) -> list[list[int]]:
    return [labels.tolist() for _, labels in loader]


def unlabelled(size: int = 23):
    """Without labels, a batch tells which images it holds."""
    return dataclasses.replace(numbered_images(size), labels=None)


def test_a_batch_is_what_its_images_are_one_by_one() -> None:
    data = numbered_images(10)
    dataset = VariantDataset(data, ROTATED)
    images, labels = dataset.__getitems__([7, 2, 2])
    for image, label, position in zip(images, labels, (7, 2, 2), strict=True):
        assert torch.equal(image, dataset[position][0])
        assert label == dataset[position][1]
    assert data.labels is not None
    assert labels.tolist() == data.labels[[7, 2, 2]].tolist()
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1


def test_a_subset_is_turned_as_the_whole_is() -> None:
    data = numbered_images(10)
    whole, part = VariantDataset(data, ROTATED), VariantDataset(data.take([8, 3]), ROTATED)
    assert torch.equal(part[0][0], whole[8][0])
    assert torch.equal(part[1][0], whole[3][0])


def test_positions_behave_as_in_a_list() -> None:
    dataset = VariantDataset(numbered_images(10))
    assert len(dataset) == 10
    assert torch.equal(dataset[-1][0], dataset[9][0])
    with pytest.raises(IndexError):
        dataset[10]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_evaluation_keeps_the_order(num_workers: int) -> None:
    data = unlabelled()
    batches = list(evaluation_loader(data, ROTATED, 5, num_workers=num_workers))
    assert torch.cat([labels for _, labels in batches]).tolist() == list(range(23))
    assert torch.equal(torch.cat([images for images, _ in batches]), ROTATED.apply(data.images))


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochSampler(20, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    orders = {(seed, epoch): order(seed, epoch) for seed in range(3) for epoch in range(3)}
    assert all(sorted(one) == list(range(20)) for one in orders.values())
    assert len({tuple(one) for one in orders.values()}) == 9  # also seed 0, epoch 1 and seed 1, epoch 0
    assert all(order(*key) == one for key, one in orders.items())


@pytest.mark.parametrize(("size", "processes"), [(20, 2), (21, 2), (7, 3), (2, 5), (9, 1)])
def test_processes_share_an_epoch(size: int, processes: int) -> None:
    shares = [list(EpochSampler(size, seed=4, num_replicas=processes, rank=rank)) for rank in range(processes)]
    assert {len(share) for share in shares} == {-(-size // processes)}
    assert {len(EpochSampler(size, num_replicas=processes, rank=0))} == {-(-size // processes)}
    dealt = list(itertools.chain.from_iterable(zip(*shares, strict=True)))
    assert sorted(dealt[:size]) == list(range(size))
    assert dealt[size:] == (dealt[:size] * processes)[: len(dealt) - size]
    assert dealt[:size] == list(EpochSampler(size, seed=4))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_workers_change_nothing(num_workers: int) -> None:
    data = unlabelled()
    plain, other = (training_loader(data, ROTATED, 4, seed=3, num_workers=n) for n in (0, num_workers))
    for epoch in range(2):
        for loader in (plain, other):
            loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for (x, y), (x2, y2) in zip(plain, other, strict=True):
            assert torch.equal(x, x2)
            assert torch.equal(y, y2)


def resumed(state: dict[str, int], epoch: int, num_workers: int = 0) -> list[list[int]]:
    loader = training_loader(unlabelled(), None, 4, seed=3, num_workers=num_workers)
    loader.load_state_dict(state)
    iter(loader)  # Lightning asks for an iterator before it sets the epoch
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return positions(loader)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("done", range(7))
def test_an_epoch_is_taken_up_where_it_stopped(done: int, num_workers: int) -> None:
    loader = training_loader(unlabelled(), None, 4, seed=3)
    loader.sampler.set_epoch(2)  # type: ignore[attr-defined]
    whole = positions(loader)
    assert len(whole) == 6
    iterator = iter(loader)
    for _ in range(done):
        next(iterator)
    state = loader.state_dict()
    if done:
        assert state == {"epoch": 2, "batches": done}
        assert resumed(state, 2, num_workers) == whole[done:]
    assert resumed(state, 3) != whole
    assert len(resumed(state, 3)) == 6


def test_only_the_first_pass_after_loading_is_shortened() -> None:
    loader = training_loader(unlabelled(), None, 4)
    loader.load_state_dict({"epoch": 0, "batches": 4})
    assert len(positions(loader)) == 2
    assert loader.state_dict() == {"epoch": 0, "batches": 6}
    assert len(positions(loader)) == 6


def test_every_process_takes_up_its_own_share() -> None:
    for rank in (0, 1):
        loaders = [training_loader(unlabelled(), None, 4, num_replicas=2, rank=rank) for _ in range(2)]
        loaders[1].load_state_dict({"epoch": 0, "batches": 2})
        assert positions(loaders[1]) == positions(loaders[0])[2:]


def test_a_finished_epoch_leaves_the_next_one_whole_even_before_it_begins() -> None:
    loader = training_loader(unlabelled(), None, 4)
    positions(loader)
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]
    assert len(resumed(loader.state_dict(), 1)) == 6
