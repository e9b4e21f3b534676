from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/base.smk"
include: "rules/reference.smk"
include: "rules/selftraining.smk"
include: "rules/evaluation.smk"
include: "rules/toy.smk"
include: "rules/compare.smk"
include: "rules/collapse.smk"


# Both end in the rules summary, figures and report.
if config["loop"]["generations"]:

    include: "rules/loop.smk"

else:

    include: "rules/report.smk"


# On a cluster these run where snakemake does: the work of seconds, or in need of the internet.
localrules:
    data,
    import_statistics,
    given_images,
    next_round,
    round_metrics,
    select,
    select_rivals,
    rivals,
    summary,
    figures,
    model,
    report,
    compare,


rule all:
    default_target: True
    input:
        rules.report.output,


# The base model alone: its held-out images and their metrics.
rule pretrained:
    input:
        expand(
            cell_file("heldout", BASE_KIMG, BASE_CELLS["heldout"], "metrics.json"),
            replica=0,
        ),


# Images that are there already, measured as those of the base model.
rule measured:
    input:
        f"{RESULTS}/measured/metrics.json",


rule toy:
    input:
        rules.toy_report.output,


rule collapse:
    input:
        rules.collapse_report.output,
