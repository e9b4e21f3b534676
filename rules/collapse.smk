# Self-consuming loops: simulations beside their exact laws. Every job takes all seeds at once, in one thread.

from adaptive_neon.collapse import layout as collapse_layout

COLLAPSE_CONFIG = config["collapse"]
COLLAPSE = "results/collapse"
COLLAPSE_MODELS = list(collapse_layout.MODELS)


wildcard_constraints:
    model="|".join(COLLAPSE_MODELS),


rule collapse_study:
    output:
        f"{COLLAPSE}/study.json",
    log:
        logs("study", COLLAPSE),
    benchmark:
        benchmarks("study", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        protocol={
            key: value
            for key, value in COLLAPSE_CONFIG["study"].items()
            if key != "shown"
        },
        seeds=COLLAPSE_CONFIG["seeds"],
        seed=COLLAPSE_CONFIG["seed"],
    script:
        "../scripts/collapse_study.py"


rule collapse_mixture:
    output:
        f"{COLLAPSE}/mixture.json",
    log:
        logs("mixture", COLLAPSE),
    benchmark:
        benchmarks("mixture", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        protocol=COLLAPSE_CONFIG["mixture"],
        seed=COLLAPSE_CONFIG["seed"],
    script:
        "../scripts/collapse_mixture.py"


rule collapse_laws:
    output:
        f"{COLLAPSE}/laws.json",
    log:
        logs("laws", COLLAPSE),
    benchmark:
        benchmarks("laws", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        seeds=COLLAPSE_CONFIG["laws"]["seeds"],
        seed=COLLAPSE_CONFIG["seed"],
    script:
        "../scripts/collapse_laws.py"


rule collapse_curves:
    output:
        f"{COLLAPSE}/curves.json",
    log:
        logs("curves", COLLAPSE),
    benchmark:
        benchmarks("curves", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        protocol=COLLAPSE_CONFIG["curves"],
        seed=COLLAPSE_CONFIG["seed"],
    script:
        "../scripts/collapse_curves.py"


# By name, since storage changes what the rule's output says.
PREVENTION = [f"{COLLAPSE}/prevention/{model}.json" for model in COLLAPSE_MODELS]


rule collapse_prevention:
    output:
        f"{COLLAPSE}/prevention/{{model}}.json",
    log:
        logs("{model}-prevention", COLLAPSE),
    benchmark:
        benchmarks("{model}-prevention", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        protocol=COLLAPSE_CONFIG["prevention"],
        seed=COLLAPSE_CONFIG["seed"],
    script:
        "../scripts/collapse_prevention.py"


rule collapse_neon:
    output:
        f"{COLLAPSE}/neon.json",
    log:
        logs("neon", COLLAPSE),
    benchmark:
        benchmarks("neon", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        protocol=COLLAPSE_CONFIG["neon"],
        seed=COLLAPSE_CONFIG["seed"],
    script:
        "../scripts/collapse_neon.py"


rule collapse_summary:
    input:
        study=rules.collapse_study.output[0],
        mixture=rules.collapse_mixture.output[0],
        statements=rules.collapse_laws.output[0],
        curves=rules.collapse_curves.output[0],
        neon=rules.collapse_neon.output[0],
        prevention=PREVENTION,
    output:
        summary=f"{COLLAPSE}/summary.json",
        tables=expand(
            f"{COLLAPSE}/tables/{{table}}.{{kind}}",
            table=collapse_layout.TABLES,
            kind=["csv", "md"],
        ),
    log:
        logs("summary", COLLAPSE),
    benchmark:
        benchmarks("summary", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        models=COLLAPSE_MODELS,
        seeds=COLLAPSE_CONFIG["seeds"],
    script:
        "../scripts/collapse_summary.py"


rule collapse_figures:
    input:
        study=rules.collapse_study.output[0],
        mixture=rules.collapse_mixture.output[0],
        curves=rules.collapse_curves.output[0],
        neon=rules.collapse_neon.output[0],
        prevention=PREVENTION,
    output:
        expand(f"{COLLAPSE}/figures/{{figure}}.svg", figure=collapse_layout.FIGURES),
    log:
        logs("figures", COLLAPSE),
    benchmark:
        benchmarks("figures", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        models=COLLAPSE_MODELS,
        shown=COLLAPSE_CONFIG["study"]["shown"],
        samples=COLLAPSE_CONFIG["curves"]["samples"],
    script:
        "../scripts/collapse_figures.py"


rule collapse_report:
    input:
        summary=rules.collapse_summary.output.summary,
        tables=rules.collapse_summary.output.tables,
        figures=rules.collapse_figures.output,
        template=workflow.source_path("../report/collapse.html.j2"),
        parts=[
            workflow.source_path(f"../report/{part}.html.j2")
            for part in ("page", "provenance")
        ],
    output:
        page=f"{COLLAPSE}/report.html",
        provenance=f"{COLLAPSE}/provenance.json",
    log:
        logs("report", COLLAPSE),
    benchmark:
        benchmarks("report", COLLAPSE)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        config=COLLAPSE_CONFIG,
    script:
        "../scripts/collapse_report.py"
