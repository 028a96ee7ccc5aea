"""The summary in words, for all forms of the report: headline, remarks, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nst.compare.curves import Spread
from nst.compare.records import CONTENT, NOISE, Machine, Report
from nst.compare.summary import COUNTS, Equivalent, Standing, standings

_FEW = 5  # photos below which low and high say little
FROM = {NOISE: "from noise", CONTENT: "from the content picture"}


@dataclass(frozen=True)
class Published:
    """A line of the table in Johnson et al. 2016 (arXiv 1603.08155), on a Titan X.

    Attributes:
        seconds_at: Of their optimiser.
        network_seconds: Of their network.
        speedup_vs_500: Of the network against 500 iterations.
    """

    seconds_at: dict[int, float]
    network_seconds: float
    speedup_vs_500: int


JOHNSON = {
    256: Published({100: 3.17, 300: 9.52, 500: 15.86}, 0.015, 1060),
    512: Published({100: 10.97, 300: 32.91, 500: 54.85}, 0.05, 1026),
    1024: Published({100: 42.89, 300: 128.66, 500: 214.44}, 0.21, 1042),
}
"""By the side of the picture in pixels."""


def number(value: float | None) -> str:
    """Three digits; a dash for what was not measured."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def interval(found: Spread, beyond: int | None = None) -> str:
    """A median with its interval, as "14 (12 to 19)"; of one value that alone.

    Args:
        found: What to write.
        beyond: The number that None is more than.
    """

    def write(value: float | None) -> str:
        return number(value) if value is not None or beyond is None else f">{beyond}"

    if found.count == 1:
        return write(found.median)
    return f"{write(found.median)} ({write(found.low)} to {write(found.high)})"


def equivalent(found: Equivalent) -> str:
    """How many iterations, as "14 (12 to 19)" or ">500"."""
    return interval(found.spread, found.iterations)


def megabytes(value: int | None) -> str:
    """Memory in MB."""
    return "–" if value is None else f"{value / 1e6:.0f} MB"


def headline(found: Standing) -> str:
    """The one sentence about a model at a size."""
    equals = " and ".join(
        f"{equivalent(e)}{'' if k else ' optimiser iterations'} {FROM[start]}"
        for k, (start, e) in enumerate(found.equivalent.items())
    )
    later = "extrapolated; " if 500 in found.extrapolated else ""
    of = f"over {found.photos} photos" if found.photos > 1 else "on one photo"
    text = (
        f"{found.model} at {found.size} px equals {equals}; its loss is "
        f"{interval(found.ratio_to_optimum)} times the optimum; it is "
        f"{interval(found.speedup_vs_500)} times faster than 500 iterations ({later}{of})."
    )
    worse = [
        f" On {e.worse_than_start} of {e.spread.count} it is worse than the start {FROM[start]}."
        for start, e in found.equivalent.items()
        if e.worse_than_start
    ]
    return text + "".join(worse)


def headlines(report: Report) -> list[str]:
    """The sentence of every model and size."""
    return [headline(found) for found in standings(report)]


def machine_line(machine: Machine) -> str:
    """The machine in a line."""
    memory = f", {number(machine.memory_gb)} GB" if machine.memory_gb else ""
    versions = ", ".join(f"{name} {value}" for name, value in machine.versions.items())
    return (
        f"{machine.processor}, {machine.cores} cores{memory}, {machine.system}; "
        f"CPU threads of both: {machine.threads}; network on {machine.network_device}, "
        f"optimiser on {machine.optimiser_device}, in {machine.precision}; {versions}"
    )


def remarks(report: Report) -> list[str]:
    """How it was measured, and what this comparison cannot show."""
    found = [
        "The optimiser is L-BFGS on the loss the network was trained with. Its pixels are "
        "clipped to [0, 1] after every iteration, as in Johnson et al.: what cannot be saved is "
        "no picture to compare with. The network is judged by its real 8-bit output. Optimum "
        "means the lowest loss that the optimiser found from any start. Intervals hold the middle "
        "80 % of the photos; of ten and fewer, all.",
    ]
    everything = standings(report)
    return [*found, *_few(everything), *_devices(report), *_enlarged(report), *_skipped(report)]


def _few(everything: Sequence[Standing]) -> list[str]:
    found = []
    short = {s.size: [n for n in COUNTS if n in s.extrapolated] for s in everything}
    for size, counts in short.items():
        if counts:
            tried = min(
                e.iterations for s in everything if s.size == size for e in s.equivalent.values()
            )
            found.append(
                f"At {size} px the optimiser had {tried} iterations: seconds at "
                f"{', '.join(map(str, counts))} are extrapolated from the seconds per iteration, "
                "and more iterations would find a lower loss, so that the ratio to the optimum "
                "would grow."
            )
    few = {s.size: s.photos for s in everything if s.photos < _FEW}
    if few:
        listed = ", ".join(f"{photos} at {size} px" for size, photos in few.items())
        found.append(f"Photos: {listed}; that is too few for a spread.")
    return found


def _devices(report: Report) -> list[str]:
    network, optimiser = report.machine.network_device, report.machine.optimiser_device
    if (network == "cpu") == (optimiser == "cpu"):
        return []
    return [
        f"The network ran on {network} and the optimiser on {optimiser}: the speed-up is not that "
        "of the method alone."
    ]


def _enlarged(report: Report) -> list[str]:
    short = {photo.name: min(photo.width, photo.height) for photo in report.photos}
    sizes = sorted({run.size for run in report.networks if short[run.photo] < run.size})
    return [f"At {size} px some photos are enlarged: they have fewer pixels." for size in sizes]


def _skipped(report: Report) -> list[str]:
    return [f"{item.size} px is left out: {item.reason}." for item in report.skipped]
