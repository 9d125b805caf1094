"""Training tasks: Lightning modules, safe checkpoints, and the callbacks that let a run be resumed exactly."""

from equivision.data._extras import require

require("lightning", "lightning", "training", extra="train")
require("torchmetrics", "torchmetrics", "training", extra="train")

from equivision.tasks._checkpoint import SafeCheckpointIO as SafeCheckpointIO  # noqa: E402
from equivision.tasks._checkpoint import read_checkpoint as read_checkpoint  # noqa: E402
from equivision.tasks._classification import ClassificationTask as ClassificationTask  # noqa: E402
from equivision.tasks._implicit import ImplicitTraining as ImplicitTraining  # noqa: E402
from equivision.tasks._load import load_task as load_task  # noqa: E402
from equivision.tasks._memory import keep_freed_memory as keep_freed_memory  # noqa: E402
from equivision.tasks._phases import TwoPhaseAveraging as TwoPhaseAveraging  # noqa: E402
from equivision.tasks._record import RunRecorder as RunRecorder  # noqa: E402
from equivision.tasks._seed import SeedEachEpoch as SeedEachEpoch  # noqa: E402
from equivision.tasks._segmentation import MaskScores as MaskScores  # noqa: E402
from equivision.tasks._segmentation import SegmentationTask as SegmentationTask  # noqa: E402
from equivision.tasks._supervised import Objective as Objective  # noqa: E402
from equivision.tasks._supervised import SupervisedTask as SupervisedTask  # noqa: E402
from equivision.tasks._tracking import TrackingTask as TrackingTask  # noqa: E402
