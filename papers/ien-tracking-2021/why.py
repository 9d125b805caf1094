"""Why a tracker holds on or not: one step from the true box, and how equivariant its features have become.

    EQUIVISION_DATA=... python papers/ien-tracking-2021/why.py      # a minute; needs the checkpoints of run.py

Writes diagnosis.json, which table.py shows.
"""

import json
from dataclasses import replace
from pathlib import Path

import torch
from _networks import TRACKERS
from run import EPOCHS, RATE, Run

from equivision._files import atomic_write
from equivision.data import TrackingSequence, context_side, crop_and_resize, find_sequences, rotating
from equivision.models import SiameseNetwork
from equivision.tasks import TrackingTask
from equivision.tracking import SiameseTracker

DIAGNOSIS = Path(__file__).parent / "diagnosis.json"
EVERY, NEAR = 2, 20.0  # frames, pixels


def hits(tracker: SiameseTracker, sequence: TrackingSequence) -> float:
    """How often the target of frame 0 is found within 20 pixels, from where it truly was one frame before."""
    first, boxes = tracker.init(sequence.frame(0), sequence.boxes[0]), sequence.boxes
    centres, found = boxes[:, :2] + boxes[:, 2:] / 2, []
    for i in range(1, len(sequence), EVERY):
        grown = float((boxes[i - 1, 2:].prod() / boxes[0, 2:].prod()).sqrt())
        size = (first.size[0] * grown, first.size[1] * grown)
        state = replace(first, centre=tuple(centres[i - 1].tolist()), size=size)
        x, y, width, height = tracker.update(sequence.frame(i), state).box
        middle = torch.tensor([x + width / 2, y + height / 2], dtype=boxes.dtype)
        found.append(float((middle - centres[i]).norm()) <= NEAR)
    return round(sum(found) / len(found), 3)


def equivariance_error(net: SiameseNetwork, tracker: SiameseTracker, sequence: TrackingSequence) -> float:
    """Features of the turned template against turned features of the template, relative, for a quarter turn."""
    image, (x, y, width, height) = sequence.frame(0), sequence.boxes[0].tolist()
    side, fill = context_side(width, height), image.float().mean((1, 2)) / 255
    crop = crop_and_resize(image, (x + width / 2, y + height / 2), side, tracker.template_size, fill)[None]
    with torch.no_grad():
        found = net.templates(crop.rot90(1, (-2, -1)))[:, 0]
        features = net.templates(crop)
    expected = features[:, 1] if net.group.order == 4 else features[:, 0].rot90(1, (-2, -1))
    return float((found - expected).norm() / expected.norm())


def main() -> None:
    upright = find_sequences("tracking")
    sequences = [*upright, *(rotating(one, RATE) for one in upright)]
    found = {}
    for name in TRACKERS:
        path = Run(name, EPOCHS, 0).checkpoints / "last.ckpt"
        net = TrackingTask.load_from_checkpoint(path, map_location="cpu").model.eval()
        tracker = SiameseTracker(net)
        errors = [equivariance_error(net, tracker, one) for one in upright]
        found[name] = {
            "equivariance_error": round(sum(errors) / len(errors), 7),
            "hits": {one.name: hits(tracker, one) for one in sequences},
        }
        print(name, found[name], flush=True)
    with atomic_write(DIAGNOSIS, "w", encoding="utf-8") as file:
        file.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
