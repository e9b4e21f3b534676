# The 2-D Gaussian studies of both papers. Each seed is a study of its own; its jobs take one thread each.

from adaptive_neon.toy.scales import SCALES

TOY_CONFIG = config["toy"]
TOY = "results/toy"
TOY_FAMILIES = list(SCALES)
TOY_SEEDS = [f"{TOY}/seed-{seed}" for seed in range(TOY_CONFIG["seeds"])]
TOY_SEED = f"{TOY}/seed-{{seed}}"
TOY_FAMILY = f"{TOY_SEED}/{{family}}"


wildcard_constraints:
    seed=r"\d+",
    family="|".join(TOY_FAMILIES),


rule toy_models:
    output:
        directory(f"{TOY_FAMILY}/models"),
    log:
        logs("seed-{seed}/{family}-models", TOY),
    benchmark:
        benchmarks("seed-{seed}/{family}-models", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        protocol=toy_family("data", "epochs", "lr", "sampler", "self_training"),
    script:
        "../scripts/toy_models.py"


rule toy_sweep:
    input:
        f"{TOY_FAMILY}/models",
    output:
        f"{TOY_FAMILY}/sweep.json",
    log:
        logs("seed-{seed}/{family}-sweep", TOY),
    benchmark:
        benchmarks("seed-{seed}/{family}-sweep", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        protocol=toy_family("sampler", "sweep"),
        verification=TOY_CONFIG["verification"],
    script:
        "../scripts/toy_sweep.py"


rule toy_alignment:
    input:
        f"{TOY_FAMILY}/models",
    output:
        f"{TOY_FAMILY}/alignment.json",
    log:
        logs("seed-{seed}/{family}-alignment", TOY),
    benchmark:
        benchmarks("seed-{seed}/{family}-alignment", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        protocol=toy_family("sampler", "alignment"),
    script:
        "../scripts/toy_alignment.py"


rule toy_layerwise:
    input:
        models=f"{TOY_SEED}/diffusion/models",
        sweep=f"{TOY_SEED}/diffusion/sweep.json",
    output:
        f"{TOY_SEED}/diffusion/layerwise.json",
    log:
        logs("seed-{seed}/layerwise", TOY),
    benchmark:
        benchmarks("seed-{seed}/layerwise", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=120,
    params:
        sampler=TOY_CONFIG["diffusion"]["sampler"],
        protocol={
            key: TOY_CONFIG["layerwise"][key]
            for key in ("scale", "epochs", "deltas", "samples")
        },
        verification=TOY_CONFIG["verification"],
    script:
        "../scripts/toy_layerwise.py"


rule toy_search:
    input:
        models=f"{TOY_SEED}/diffusion/models",
        sweep=f"{TOY_SEED}/diffusion/sweep.json",
    output:
        f"{TOY_SEED}/diffusion/search.json",
    log:
        logs("seed-{seed}/search", TOY),
    benchmark:
        benchmarks("seed-{seed}/search", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        sampler=TOY_CONFIG["diffusion"]["sampler"],
        protocol={
            key: TOY_CONFIG["layerwise"][key]
            for key in ("scale", "epochs", "samples", "starts", "bounds")
        },
        verification=TOY_CONFIG["verification"],
    script:
        "../scripts/toy_search.py"


rule toy_summary:
    input:
        expand(
            "{seed}/{family}/{part}.json",
            seed=TOY_SEEDS,
            family=TOY_FAMILIES,
            part=["sweep", "alignment"],
        ),
        expand(
            "{seed}/diffusion/{part}.json",
            seed=TOY_SEEDS,
            part=["layerwise", "search"],
        ),
    output:
        f"{TOY}/summary.json",
    log:
        logs("summary", TOY),
    benchmark:
        benchmarks("summary", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        seeds=TOY_SEEDS,
    script:
        "../scripts/toy_summary.py"


rule toy_tables:
    input:
        rules.toy_summary.output,
    output:
        markdown=expand(
            f"{TOY}/tables/{{table}}.md",
            table=["layerwise", "sweep", "cost", "statements"],
        ),
        layerwise=f"{TOY}/tables/layerwise.csv",
        sweep=f"{TOY}/tables/sweep.csv",
        cost=f"{TOY}/tables/cost.csv",
        statements=f"{TOY}/tables/statements.csv",
    log:
        logs("tables", TOY),
    benchmark:
        benchmarks("tables", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/toy_tables.py"


rule toy_figures:
    input:
        summary=f"{TOY}/summary.json",
        seeds=rules.toy_summary.input,
        models=expand("{seed}/{family}/models", seed=TOY_SEEDS[0], family=TOY_FAMILIES),
    output:
        **{
            f"{family}_{what}": f"{TOY}/figures/{family}-{what}.svg"
            for family in TOY_FAMILIES
            for what in ("samples", "sweep", "alignment")
        },
        layerwise=f"{TOY}/figures/layerwise.svg",
        winners=f"{TOY}/figures/winners.svg",
        directions=f"{TOY}/figures/directions.svg",
    log:
        logs("figures", TOY),
    benchmark:
        benchmarks("figures", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        seeds=TOY_SEEDS,
        families={
            family: {key: TOY_CONFIG[family][key] for key in ("sampler", "data")}
            for family in TOY_FAMILIES
        },
    script:
        "../scripts/toy_figures.py"


rule toy_report:
    input:
        summary=rules.toy_summary.output,
        tables=rules.toy_tables.output,
        figures=rules.toy_figures.output,
        template=workflow.source_path("../report/toy.html.j2"),
        parts=[
            workflow.source_path(f"../report/{part}.html.j2")
            for part in ("page", "provenance")
        ],
    output:
        page=f"{TOY}/report.html",
        provenance=f"{TOY}/provenance.json",
    log:
        logs("report", TOY),
    benchmark:
        benchmarks("report", TOY)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        config=TOY_CONFIG,
        families=TOY_FAMILIES,
    script:
        "../scripts/toy_report.py"
