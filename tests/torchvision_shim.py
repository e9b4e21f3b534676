"""Makes `import cleanfid` work where torchvision's compiled part doesn't load.

clean-fid imports torchvision, and torchvision doesn't import if its operators are missing, as beside a PyTorch
for the CPU only. Nothing that is compared here uses them, so declaring the two that the import asks for is enough.
"""

import torch


def import_torchvision() -> None:
    """Import torchvision, with its operators declared but not implemented if need be."""
    try:
        import torchvision
    except RuntimeError:
        boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", boxes)
        import torchvision  # noqa: F401
