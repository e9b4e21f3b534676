from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/base.smk"
include: "rules/reference.smk"
include: "rules/selftraining.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"
include: "rules/toy.smk"


rule all:
    default_target: True
    input:
        rules.summary.output,
        rules.table.output,
        rules.plot_snapshots.output,
        expand(rules.plot_diagonal.output, replica=STUDY.replicas),
        # A grid of one block is a line, which the diagonal shows.
        expand(rules.plot_grid.output, replica=STUDY.replicas, kimg=STUDY.snapshots)
        if len(STUDY.blocks) > 1
        else [],
        expand(rules.plot_sheet.output, replica=STUDY.replicas, kimg=STUDY.snapshots),


rule toy:
    input:
        rules.toy_summary.output,
        rules.toy_tables.output,
        rules.toy_figures.output,
