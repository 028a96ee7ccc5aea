"""Time against held-out loss of trained networks: a table, a plot, and the choice between them.

    python benchmarks/networks.py run RUN/final.ckpt ... -o benchmarks/results/networks.json
    python benchmarks/networks.py write benchmarks/results/networks.json docs/networks.md

Each checkpoint is exported and timed by onnxruntime at 512×512, on all cores, beside the full
network (standard, width 32, five blocks) as it was before its up-sampling was folded. Only one
session lives at a time: threads of another would spin on the same cores. The rounds alternate, and
each figure is the median of all rounds. Losses are those of the checkpoints, so compare networks of
one style that were trained alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from nst.files import atomic_write

SIDE, FULL = 512, "full network"
BEGIN, END = "<!-- networks: begin -->", "<!-- networks: end -->"


def seconds(model: bytes, runs: int) -> list[float]:
    """Of each run of a session of its own, after two that warm it up."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
    found = []
    for _ in range(runs + 2):
        began = time.perf_counter()
        session.run(None, {"image": image})
        found.append(time.perf_counter() - began)
    return found[2:]


def full_network() -> bytes:
    """The full network, with random weights and plain up-sampling."""
    import torch.nn.functional as F
    from torch import Tensor, nn

    from export import graph
    from nst.network import TransformNet
    from nst.network.layers import UpConv
    from nst.sidecar import ModelFacts

    class PlainUp(nn.Module):
        """As it is written down."""

        def __init__(self, up: UpConv):
            super().__init__()
            self.conv = nn.Conv2d(
                up.in_channels, up.out_channels, 3, 1, 1, bias=False, padding_mode="reflect"
            )

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            return y

    net = TransformNet().eval()
    for layer in net.body:
        if isinstance(layer, nn.Sequential) and isinstance(layer[0], UpConv):
            layer[0] = PlainUp(layer[0])
    return graph.model_bytes(graph.build_model(net, ModelFacts("", "standard", {}, 5)))


def measure(checkpoints: list[Path], rounds: int) -> list[dict[str, Any]]:
    """A record for each network."""
    from export.graph import build_model, model_bytes
    from nst.checkpoint import read_checkpoint

    models = {FULL: full_network()}
    records: dict[str, dict[str, Any]] = {FULL: {}}
    for path in checkpoints:
        net, facts = read_checkpoint(path)
        name = path.parent.name
        models[name] = model_bytes(build_model(net, facts))
        records[name] = {
            "network": facts.network,
            **facts.network_args,
            "painting": facts.style,
            "steps": facts.steps,
            "parameters": sum(p.numel() for p in net.parameters()),
            **{k: round(v, 4) for k, v in facts.held_out.items()},
        }
    times = defaultdict(list)
    for _ in range(rounds):
        for name, model in models.items():
            times[name] += seconds(model, 3 if name == FULL else 8)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return [
        {
            "name": name,
            **record,
            "milliseconds": round(1000 * medians[name], 1),
            "times_faster": round(medians[FULL] / medians[name], 2),
        }
        for name, record in records.items()
    ]


def table(records: list[dict[str, Any]]) -> str:
    """In Markdown, by style and time."""
    lines = [
        "| painting | network | width | blocks | ms at 512 px | times faster | steps "
        "| held-out total | content | style |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    full = next(r for r in records if r["name"] == FULL)
    lines.append(
        f"| – | full, not folded | 32 | 5 | {full['milliseconds']:.0f} | 1 | – | – | – | – |"
    )
    trained = [r for r in records if r["name"] != FULL]
    for r in sorted(trained, key=lambda r: (r["painting"], -r["milliseconds"])):
        lines.append(
            f"| {r['painting']} | {r['network']} | {r['width']} | {r['blocks']} "
            f"| {r['milliseconds']:.0f} | {r['times_faster']:.1f} | {r['steps']} "
            f"| {r['total']:.3f} | {r['content']:.3f} | {r['style']:.3f} |"
        )
    return "\n".join(lines)


def plot(records: list[dict[str, Any]], path: Path) -> None:
    """Time against held-out loss, a line for each style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    full = next(r for r in records if r["name"] == FULL)
    trained = [r for r in records if r["name"] != FULL]
    for painting in sorted({r["painting"] for r in trained}):
        rows = sorted(
            (r for r in trained if r["painting"] == painting),
            key=lambda r: float(r["milliseconds"]),
        )
        x, y = [r["milliseconds"] for r in rows], [r["total"] for r in rows]
        axes.plot(x, y, "o", label=f"{painting}, {rows[0]['steps']} steps")
        for r in rows:
            axes.annotate(
                f"{r['network']} {r['width']}, {r['blocks']} blocks",
                (r["milliseconds"], r["total"]),
                xytext=(4, 4), textcoords="offset points", fontsize=7,
            )  # fmt: skip
    axes.axvline(
        full["milliseconds"] / 16, color="grey", linestyle=":", label="1/16 of the full one"
    )
    axes.set(xscale="log", xlabel="ms at 512×512, two cores", ylabel="held-out total")
    axes.legend(fontsize=8)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("checkpoints", type=Path, nargs="+")
    run.add_argument("-o", "--output", type=Path, required=True)
    run.add_argument("--rounds", type=int, default=5)
    write = commands.add_parser("write")
    write.add_argument("results", type=Path)
    write.add_argument("page", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "run":
        records = measure(arguments.checkpoints, arguments.rounds)
        with atomic_write(arguments.output) as temporary:
            temporary.write_text(json.dumps(records, indent=1) + "\n")
        print(table(records))
        return
    records = json.loads(arguments.results.read_text())
    plot(records, arguments.page.parent / "pictures" / "networks.png")
    text = arguments.page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    with atomic_write(arguments.page) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{table(records)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
