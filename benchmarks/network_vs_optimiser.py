"""How good is an exported model, against L-BFGS on the same loss?

    python benchmarks/network_vs_optimiser.py MODEL.onnx STYLE.jpg PHOTOS -o results.json

For each photo, centre-cropped to 256 px: the network's total (content + style, on its real 8-bit
output), what L-BFGS reaches from the content picture after 300 iterations, and after how many
iterations from noise L-BFGS passes the network. Its pixels are clipped after every update, as in
Johnson et al. 2016: without that it leaves the range of pictures, and what it reaches cannot be
saved (0.540 after 60 iterations, and 0.689 for the same picture in 8 bits; clipped 0.547 for both).
The loss is the one the model was trained with.
Photos already in the results file, for the same loss, are not optimised again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from nst.compare.curves import equal_iterations
from nst.files import atomic_write, sha256_of
from nst.images import load
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import optimise
from nst.sidecar import ModelFacts, sidecar_path
from nst.styliser import Styliser
from nst.tensors import keep_freed_memory, resize_short_side, to_tensor
from train.data import find_photos, read_crop

SIZE = 256


def curve(loss: PerceptualLoss, photo: torch.Tensor, start: str, iterations: int) -> list[float]:
    """Best total so far at each iteration."""
    best, found = float("inf"), []
    for step in optimise(loss, photo, start=start, iterations=iterations, clip=True):
        best = min(best, step.total)
        found.append(round(best, 6))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--content-iterations", type=int, default=300)
    parser.add_argument("--noise-iterations", type=int, default=60, help="at least 25")
    arguments = parser.parse_args()
    keep_freed_memory()
    facts = ModelFacts.from_json(sidecar_path(arguments.model).read_text(), arguments.model)
    if sha256_of(arguments.style) != facts.style_image_sha256:
        parser.error(f"{arguments.style} is not the picture that {arguments.model} was trained on")
    loss = PerceptualLoss(LossConfig.from_stored(facts.loss))
    loss.set_style(to_tensor(resize_short_side(load(arguments.style).rgb, facts.style_size)))
    styliser = Styliser(arguments.model, provider="cpu")
    found = find_photos(arguments.photos)
    yardstick = {
        "loss": facts.loss,
        "style": facts.style_image_sha256,
        "size": facts.style_size,
        "clipped": True,
    }
    known: dict[str, Any] = {}
    if arguments.output.exists():
        before = json.loads(arguments.output.read_text())
        known = before["photos"] if before["yardstick"] == yardstick else {}
    rows: dict[str, Any] = {}
    for path in found[:: max(1, len(found) // arguments.count)][: arguments.count]:
        crop = read_crop(path, SIZE, None)
        assert crop is not None
        photo = to_tensor(crop)
        row = rows[path.name] = known.get(path.name, {})
        if "content_start" not in row:
            row["content_start"] = curve(loss, photo, "content", arguments.content_iterations)
            row["noise_start"] = curve(loss, photo, "noise", arguments.noise_iterations)
        with torch.no_grad():
            terms = loss(to_tensor(styliser(crop)), loss.content_targets(photo))
        row["network"] = {k: float(getattr(terms, k)) for k in ("total", "content", "style")}
        total = row["network"]["total"]
        row["ratio"] = total / row["content_start"][-1]
        row["equal_noise"] = equal_iterations(row["noise_start"], total)
        row["equal_content"] = equal_iterations(row["content_start"], total)
        row["noise_25"] = row["noise_start"][25]
        print(
            path.name,
            {k: v for k, v in row.items() if not isinstance(v, list)},
            flush=True,
        )
        summary = {
            "model": arguments.model.name,
            "ratio_to_300_from_content_median": statistics.median(
                r["ratio"] for r in rows.values()
            ),
            "network_over_25_from_noise_median": statistics.median(
                r["network"]["total"] / r["noise_25"] for r in rows.values()
            ),
        }
        with atomic_write(arguments.output) as temporary:
            temporary.write_text(
                json.dumps({"summary": summary, "yardstick": yardstick, "photos": rows}, indent=1)
            )
    print(summary)


if __name__ == "__main__":
    main()
