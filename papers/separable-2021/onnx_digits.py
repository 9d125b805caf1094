"""A trained gc-P4CNN in onnxruntime: the same predictions on the 10,000 upright MNIST test digits, the same symmetry.

    python papers/separable-2021/onnx_digits.py    # a checkpoint of run.py, exported, compared, audited

Writes results-onnx/<run>.json, and the network beside its checkpoint.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from _runs import circumstances
from run import TRAIN_IMAGES, Run

import equivision as ev
from equivision.data import read_mnist
from equivision.export import OnnxModel, export
from equivision.tasks import ClassificationTask

RESULTS = Path(__file__).parent / "results-onnx"


def predictions(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Class of every image."""
    with torch.no_grad():
        return torch.cat([model(batch).argmax(1) for batch in images.split(500)])


def symmetry(model: torch.nn.Module, images: torch.Tensor) -> dict[str, Any]:
    """What the audit finds under D4: quarter turns should be exact, reflections not."""
    report = ev.audit(model, images, group="D4", angles=(), layers=False)
    return {
        "stable_share": report.stable,
        "max_error": {element.name: element.max_error for element in report.elements},
    }


def measure(run: Run) -> dict[str, Any]:
    """Export the network of a run and compare the file with it."""
    folder = run.checkpoints
    eager = ClassificationTask.load_from_checkpoint(folder / "last.ckpt").model.eval()
    digits = read_mnist(parts=("test",))
    images, labels = digits.images.float() / 255, digits.labels
    result = export(eager, folder / "net.onnx", example=images[:2], check=images)
    file = OnnxModel(result.path)
    ours, theirs = predictions(eager, images), predictions(file, images)
    return {
        "run": run.name,
        "parameters": sum(p.numel() for p in eager.parameters()),
        "opset": result.opset,
        "bytes": result.path.stat().st_size,
        "images": len(images),
        "equal_predictions": int((ours == theirs).sum()),
        "max_relative_error": result.max_error,
        "test_error_percent": {
            "eager": round(100 * float((ours != labels).float().mean()), 3),
            "onnxruntime": round(100 * float((theirs != labels).float().mean()), 3),
        },
        "symmetry": {"eager": symmetry(eager, images[:200]), "onnxruntime": symmetry(file, images[:200])},
        **circumstances(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="gc_p4cnn", help="network (default: gc_p4cnn)")
    parser.add_argument("--width", type=int, default=10, help="its width (default: 10)")
    parser.add_argument("--train_variant", default="rotated", help="images that it was trained on (default: rotated)")
    parser.add_argument("--seed", type=int, default=0, help="its seed (default: 0)")
    arguments = parser.parse_args()
    run = Run(arguments.net, arguments.width, arguments.train_variant, TRAIN_IMAGES, arguments.seed)
    found = measure(run)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{run.name}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
