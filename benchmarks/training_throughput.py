"""Photos per second of a training step, against a plain fp32 loop of the full network.

    python benchmarks/training_throughput.py                        # same network, same layers
    python benchmarks/training_throughput.py --network live --vgg vgg16

Batch 4 at 256 px on the bundled photos. The plain loop is the public manner: the full network,
everything in fp32 and contiguous, VGG to its deepest layer for photo and output, Adam, no
Lightning, no allocator setting; with VGG-19 to relu4_1, as the trainer has it, or as most public
code does with VGG-16 to relu4_3 (of random weights, which take the same time). Ours is the trainer
itself, with everything it does, and its default loss.
The two run in turns, each in its own process, because the allocator's setting is the process's.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH, SIZE = 4, 256
ROOT = Path(__file__).parent.parent
PHOTOS, STYLE = ROOT / "examples" / "photos", ROOT / "nst" / "styles" / "starry-night.jpg"
CAFFE_MEANS = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
CONTENT = {"vgg19": "relu3_1", "vgg16": "relu3_3"}
STYLE_LAYERS = {
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
}


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution and instance normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False, padding_mode="reflect"),
        nn.InstanceNorm2d(outputs, affine=True),
    )


class PlainResidual(nn.Module):
    """x + conv-norm-ReLU-conv-norm of x."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_norm(128, 128, 3), nn.ReLU(), conv_norm(128, 128, 3))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return y


class PlainNet(nn.Module):
    """The full network's layers as they are written down, with nothing of the product's."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(conv_norm(3, 32, 9), nn.ReLU()),
            *(conv_norm(32, 64, 3, 2), nn.ReLU()),
            *(conv_norm(64, 128, 3, 2), nn.ReLU()),
            *(PlainResidual() for _ in range(5)),
            *(nn.Upsample(scale_factor=2), conv_norm(128, 64, 3), nn.ReLU()),
            *(nn.Upsample(scale_factor=2), conv_norm(64, 32, 3), nn.ReLU()),
            nn.Conv2d(32, 3, 9, padding=4, padding_mode="reflect"),
        )
        self.photo = nn.InstanceNorm2d(3, eps=1e-3, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = 0.05 * self.body(x - 0.5) + self.photo(x)
        return y


def same_function(plain: PlainNet) -> None:
    """Stop unless the plain network computes what the product's does, from the same weights."""
    from nst.network import TransformNet

    ours, x = TransformNet(), torch.rand(1, 3, 64, 64)
    weights = zip(ours.state_dict(), plain.state_dict().values(), strict=True)
    ours.load_state_dict(dict(weights))
    torch.testing.assert_close(plain(x), ours(x), rtol=1e-4, atol=1e-4)


class PlainVgg(nn.Module):
    """VGG as modules in a row, as deep as the layers asked for go."""

    def __init__(self, kind: str, asked: Iterable[str]) -> None:
        super().__init__()
        from nst.vgg import layer_names, load_weights

        self.asked = frozenset(asked)
        names = layer_names(kind)
        self.names = names[: max(map(names.index, self.asked)) + 1]
        real = iter(load_weights().convolutions if kind == "vgg19" else ())
        modules: list[nn.Module] = []
        inputs = 3
        for name in self.names:
            if name.startswith("conv"):
                # The default loss has another border at the first one.
                mode = "zeros" if modules else "replicate"
                outputs = min(512, 32 * 2 ** int(name[4]))
                conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=mode)
                if kind == "vgg19":
                    conv.weight.data, conv.bias.data = next(real)
                modules.append(conv)
                inputs = outputs
            else:
                modules.append(nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2))
        self.layers = nn.ModuleList(modules).requires_grad_(False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x, found = x.flip(1) * 255 - CAFFE_MEANS, {}
        for name, layer in zip(self.names, self.layers, strict=True):
            x = layer(x)
            if name in self.asked:
                found[name] = x
        return found


def plain_gram(x: Tensor) -> Tensor:
    flat = x.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def plain(steps: int, network: str, kind: str) -> list[float]:
    """Seconds of each step of the plain loop; the network is always the full one."""
    from train.data import find_photos, read_crop

    net, vgg = PlainNet(), PlainVgg(kind, STYLE_LAYERS[kind])
    content, layers = CONTENT[kind], STYLE_LAYERS[kind]
    same_function(net)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    crops = [read_crop(p, SIZE, None) for p in find_photos(PHOTOS)[:BATCH]]
    photos = torch.stack(
        [torch.from_numpy(c.copy()).permute(2, 0, 1) for c in crops if c is not None]
    )
    grams = {k: plain_gram(v) for k, v in vgg(photos[:1] / 255).items()}
    seconds = []
    for _ in range(steps):
        began = time.perf_counter()
        x = photos / 255
        y = net(x)
        ours, theirs = vgg(y), vgg(x)
        loss = F.mse_loss(ours[content], theirs[content])
        for name in layers:
            loss = loss + F.mse_loss(plain_gram(ours[name]), grams[name].expand(BATCH, -1, -1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - began)
    return seconds


def trainer(steps: int, network: str, kind: str) -> list[float]:
    """Seconds of each step of the trainer."""
    import pytorch_lightning as pl

    from nst.tensors import bf16_pays, keep_freed_memory
    from train.callbacks import AverageWeights
    from train.data import PhotoData
    from train.module import StyleModule

    keep_freed_memory()
    ends: list[float] = []

    class Clock(pl.Callback):
        def on_train_batch_end(self, *arguments: Any) -> None:
            ends.append(time.perf_counter())

    half = bf16_pays(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    pl.Trainer(
        max_steps=steps + 1,
        precision="bf16-mixed" if half else "32-true",
        callbacks=[AverageWeights(), Clock()],
        gradient_clip_val=10.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    ).fit(
        StyleModule(str(STYLE), network=network),  # type: ignore[arg-type]
        PhotoData(str(PHOTOS), size=SIZE, batch_size=BATCH),
    )
    return [b - a for a, b in itertools.pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", choices=["plain", "trainer"])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--network", choices=["standard", "live"], default="standard")
    parser.add_argument("--vgg", choices=list(CONTENT), default="vgg19")
    arguments = parser.parse_args()
    if arguments.only:
        seconds = {"plain": plain, "trainer": trainer}[arguments.only](
            arguments.steps, arguments.network, arguments.vgg
        )
        print("seconds", statistics.median(seconds[1:]))
        return
    ratios = []
    for turn in range(arguments.turns):
        medians = {}
        for name in ("plain", "trainer"):
            command = [sys.executable, __file__, "--only", name, "--steps", str(arguments.steps)]
            command += ["--network", arguments.network, "--vgg", arguments.vgg]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            medians[name] = float(done.stdout.split()[-1])
        ratios.append(medians["plain"] / medians["trainer"])
        rates = ", ".join(f"{k} {BATCH / v:.2f} photos/s" for k, v in medians.items())
        print(f"turn {turn + 1}: {rates}, ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
