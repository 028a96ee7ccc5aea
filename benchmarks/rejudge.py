"""Judge models trained anew by the curves that the optimiser left in earlier reports.

    python benchmarks/rejudge.py REPORT.json [REPORT.json ...] --photos FOLDER \
        --models nst/styles/*.onnx --style-images PICTURES -o REPORT.json

Neither the photos nor the loss change with a network's weights, and so neither do the hours that
the optimiser took. The networks' losses and times are taken here, in full precision, on all cores;
what the report says of the machine is of the first report's optimiser.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from rich.progress import track

from nst.compare.folder import added
from nst.compare.measure import measure_network
from nst.compare.models import Judge, read_contenders
from nst.compare.pictures import read_square
from nst.compare.records import Report
from nst.compare.report_json import read_report, to_json
from nst.files import atomic_write, sha256_of


def with_curves(reports: list[Report]) -> Report:
    """The first report with the curves of the others, without any network."""
    report = replace(reports[0], models=(), networks=())
    known = {photo.name: photo.sha256 for photo in report.photos}
    for other in reports[1:]:
        for photo in other.photos:
            if known.get(photo.name) != photo.sha256:
                raise SystemExit(f"{photo.name} is not the first report's")
        for curve in other.optimisers:
            report = added(report, curve)
    return report


def rejudged(report: Report, models: list[str], pictures: list[str], photos: Path) -> Report:
    """The report with these models, on each photo and size that has a curve of their loss."""
    contenders = read_contenders([Path(model) for model in models], pictures)
    digests = {photo.name: photo.sha256 for photo in report.photos}
    judges: dict[str, Judge] = {}
    for contender in contenders:
        known = contender.record.yardstick
        if known not in judges:
            judges[known] = contender.yardstick.build(torch.device("cpu"), torch.float32)
        cases = dict.fromkeys((o.photo, o.size) for o in report.optimisers if o.yardstick == known)
        if not cases:
            raise SystemExit(f"no report has a curve for the loss of {contender.record.name}")
        report = replace(report, models=(*report.models, contender.record))
        for name, size in track(cases, contender.record.name):
            path = photos / name
            if sha256_of(path) != digests[name]:
                raise SystemExit(f"{path} is another photo than the report's")
            run, _ = measure_network(
                contender,
                read_square(path, size),
                name,
                judges[known],
                threads=torch.get_num_threads(),
                provider="cpu",
            )
            report = added(report, run)
    return report


def main() -> None:
    """Read, judge, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("reports", nargs="+")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--style-images", nargs="*", default=[])
    parser.add_argument("-o", "--output", required=True)
    given = parser.parse_args()
    report = with_curves([read_report(Path(path)) for path in given.reports])
    report = rejudged(report, given.models, given.style_images, given.photos)
    with atomic_write(given.output) as path:
        path.write_text(to_json(report), encoding="utf-8")


if __name__ == "__main__":
    main()
