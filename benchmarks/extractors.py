"""Whether the winners of a finished study of the digits win for other extractors of features too.

    python benchmarks/extractors.py results/digits-layers --kimg 12 --extractors 0:64 1:64 2:64 1:128

An extractor is SEED:WIDTH of a digits classifier, trained anew on the same real images; that of the study is among
them. The search has seen that one alone: what helps it and not the others has been fitted to its features. The
held-out images are those of the study. Prints a Markdown table, differences of FIDs corrected for bias with 95 %
intervals, paired by seed; with several replicas the wider of both levels.

Where further single weights have been drawn (snakemake results/…/replica-0/heldout/12/all~0.6/metrics.json, and so
on), the last difference is that from the best of all single weights, which these same images choose: in favour of
it.
"""

import argparse
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.distances import (
    Moments,
    ReferenceStatistics,
    delete_one_block_fids_of_features,
    reference_statistics,
)
from adaptive_neon.evaluation.features import Extractor, extract_digits_features, train_digits_classifier
from adaptive_neon.jobs.files import read_json
from adaptive_neon.merging.grid import is_digest, is_single, parse_point, path_name
from adaptive_neon.studies.comparison import fid_difference
from adaptive_neon.studies.summary import differences_over_replicas
from adaptive_neon.studies.wording import estimate_text, markdown_table

ROLES = ("base", "global", "blockwise", "any")
DIFFERENCES = {
    "base − single": ("base", "global"),
    "single − per block": ("global", "blockwise"),
    "best of all single − per block": ("any", "blockwise"),
}


def extractor(images, labels, seed: int, width: int) -> tuple[Extractor, ReferenceStatistics]:
    extract = partial(extract_digits_features, train_digits_classifier(images, labels, width, seed))
    moments = Moments(extract(images))
    return extract, reference_statistics(moments.mean, moments.covariance)


def heldout(study: Path, kimg: int) -> Iterator[dict]:
    """Of each replica, role → its images, and `any`: the images of every single weight."""
    for replica in sorted(study.glob("replica-*")):
        names = read_json(replica / f"selection/{kimg}.json")["roles"]
        images = {}
        for role in ("base", "global", "blockwise"):
            folder = replica / f"heldout/{0 if role == 'base' else kimg}/{path_name(names[role])}"
            images[role] = read_images(folder / "images.npz", names[role])[0]
        drawn = [path.name for path in (replica / f"heldout/{kimg}").iterdir() if not is_digest(path.name)]
        single = [name for name in drawn if is_single(parse_point(name)) and name != names["collapsed"]]
        found = [read_images(replica / f"heldout/{kimg}/{name}/images.npz", name)[0] for name in single]
        yield images | {"any": found}


def metrics(extract: Extractor, real: ReferenceStatistics, blocks: int, images) -> Mapping:
    fid = delete_one_block_fids_of_features(real, extract(images), blocks)
    return {"fid": fid.full, "without_block": {"fid": fid.without.tolist()}}


def main(study: Path, kimg: int, extractors: list[str]) -> None:
    blocks = read_json(study / "summary.json")["seed_blocks"]
    real, labels = read_images(study / "data/images.npz", "images")
    replicas = list(heldout(study, kimg))
    rows = []
    for name in extractors:
        extract, statistics = extractor(real, labels, *map(int, name.split(":")))
        measure = partial(metrics, extract, statistics, blocks)
        measured = [{role: measure(images) for role, images in of.items() if role != "any"} for of in replicas]
        for of, images in zip(measured, replicas, strict=True):
            of["any"] = min(map(measure, images["any"]), key=lambda one: one["fid"])
        row = [name, *(f"{sum(of[role]['fid'] for of in measured) / len(measured):.3f}" for role in ROLES)]
        for a, b in DIFFERENCES.values():
            each = [fid_difference(of[a], of[b]) for of in measured]
            over = differences_over_replicas(each, blocks) if len(each) > 1 else each[0]
            row += [estimate_text(over, "interval"), " ".join(f"{one['fid_corrected']:.3f}" for one in each)]
        rows.append(row)
    header = ["seed:width", *(f"FID, {role}" for role in ROLES)]
    for name in DIFFERENCES:
        header += [name, "in each replica"]
    print(markdown_table(header, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--kimg", type=int, required=True)
    parser.add_argument("--extractors", nargs="+", default=["0:64", "1:64"], metavar="SEED:WIDTH")
    main(**vars(parser.parse_args()))
