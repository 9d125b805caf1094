"""A larger group is averaged over only after some epochs."""

from pathlib import Path

import lightning
import pytest
import torch
from torch import nn

from equivision.errors import ConfigError
from equivision.hyper import HyperEquivariantCNN
from equivision.tasks import ClassificationTask, TwoPhaseAveraging
from tests.tasks import _make as make

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`.*"),
]


def network() -> HyperEquivariantCNN:
    main = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 10))
    return HyperEquivariantCNN(main, input_shape=(1, 28, 28), group="C8", light=1)


class Watch(lightning.Callback):
    """Writes down whether the network averages, in every epoch and at the end."""

    def __init__(self) -> None:
        self.seen: list[bool] = []

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        if trainer.is_last_batch:
            self.seen.append(pl_module.model.averaging)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.5, [False, False, True, True]), (0.0, [True] * 4), (1.0, [False] * 4), (0.3, [False, False, True, True])],
)
def test_phases(fraction: float, expected: list[bool], tmp_path: Path) -> None:
    watch, task = Watch(), ClassificationTask(network(), milestones=[], lr=0.001)
    make.trainer(tmp_path, max_epochs=4, callbacks=[TwoPhaseAveraging(fraction), watch]).fit(task, make.loader(8, 4))
    assert watch.seen == expected
    assert task.model.averaging  # what is tested and used averages
    x = torch.rand(2, 1, 28, 28)
    task.model.eval()
    with torch.no_grad():
        whole = task.model(x)
        task.model.averaging = False
        assert not torch.allclose(whole, task.model(x))


@pytest.mark.usefixtures("unchecked_annotations")
def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fraction=2: give the part of the epochs"):
        TwoPhaseAveraging(2)
    plain = ClassificationTask(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), milestones=[])
    with pytest.raises(ConfigError, match="found no HyperEquivariantCNN in the network"):
        make.trainer(tmp_path, max_epochs=1, callbacks=[TwoPhaseAveraging()]).fit(plain, make.loader(8, 4))
