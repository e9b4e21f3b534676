# What a reader sees: summary.json, tables, figures, and the report that binds them into one page.

FIGURES = f"{RESULTS}/figures"
IMAGE_SETS = ("synthetic", "search", "heldout")
TABLES = f"{RESULTS}/tables"


rule compare:
    input:
        selection=f"{REPLICA}/selection/{{kimg}}.json",
        metrics=heldout_files("metrics.json"),
    output:
        f"{REPLICA}/comparison/{{kimg}}.json",
    log:
        logs("replica-{replica}/compare-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/compare-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/compare.py"


rule summary:
    input:
        expand(
            f"{REPLICA}/comparison/{{kimg}}.json",
            replica=STUDY.replicas,
            kimg=STUDY.snapshots,
        ),
    output:
        f"{RESULTS}/summary.json",
    log:
        logs("summary"),
    benchmark:
        benchmarks("summary")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        experiment=config["experiment"],
        features=config["features"]["extractor"],
        images={images: config[images]["images"] for images in ("search", "heldout")},
        seed_blocks=config["intervals"]["seed_blocks"],
        comparisons=lambda wildcards, input: [
            input[first : first + len(STUDY.snapshots)]
            for first in range(0, len(input), len(STUDY.snapshots))
        ],
    script:
        "../scripts/summary.py"


rule table:
    input:
        f"{RESULTS}/summary.json",
    output:
        expand(
            f"{TABLES}/{{name}}.{{kind}}",
            name=[
                "table1",
                "metrics",
                *(["replicas"] if len(STUDY.replicas) > 1 else []),
            ],
            kind=["csv", "md"],
        ),
    log:
        logs("table"),
    benchmark:
        benchmarks("table")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/table.py"


rule plot_snapshots:
    input:
        f"{RESULTS}/summary.json",
    output:
        f"{FIGURES}/snapshots.svg",
    log:
        logs("plot-snapshots"),
    benchmark:
        benchmarks("plot-snapshots")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/plot_snapshots.py"


rule plot_diagonal:
    input:
        expand(
            f"{REPLICA}/selection/{{kimg}}.json",
            kimg=STUDY.snapshots,
            allow_missing=True,
        ),
    output:
        f"{FIGURES}/replica-{{replica}}/diagonal.svg",
    log:
        logs("replica-{replica}/plot-diagonal"),
    benchmark:
        benchmarks("replica-{replica}/plot-diagonal")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        snapshots=STUDY.snapshots,
    script:
        "../scripts/plot_diagonal.py"


rule plot_grid:
    input:
        f"{REPLICA}/selection/{{kimg}}.json",
    output:
        f"{FIGURES}/replica-{{replica}}/grid-{{kimg}}.svg",
    log:
        logs("replica-{replica}/plot-grid-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/plot-grid-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        points=[point_name(point) for point in STUDY.grid_points],
    script:
        "../scripts/plot_grid.py"


rule plot_sheet:
    input:
        selection=f"{REPLICA}/selection/{{kimg}}.json",
        images=heldout_files("images.npz"),
    output:
        f"{FIGURES}/replica-{{replica}}/sheet-{{kimg}}.png",
    log:
        logs("replica-{replica}/plot-sheet-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/plot-sheet-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/plot_sheet.py"


rule plot_drift:
    input:
        f"{REPLICA}/drift.json",
    output:
        f"{FIGURES}/replica-{{replica}}/drift.svg",
    log:
        logs("replica-{replica}/plot-drift"),
    benchmark:
        benchmarks("replica-{replica}/plot-drift")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/plot_drift.py"


rule plot_classes:
    input:
        f"{REPLICA}/comparison/{{kimg}}.json",
    output:
        f"{FIGURES}/replica-{{replica}}/classes-{{kimg}}.svg",
    log:
        logs("replica-{replica}/plot-classes-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/plot-classes-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/plot_classes.py"


rule plot_neighbours:
    input:
        selection=f"{REPLICA}/selection/{{kimg}}.json",
        images=heldout_files("images.npz"),
        data=DATA,
        extractor=EXTRACTOR,
        reference=REFERENCE,
    output:
        f"{FIGURES}/replica-{{replica}}/neighbours-{{kimg}}.png",
    log:
        logs("replica-{replica}/plot-neighbours-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/plot-neighbours-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        gpu=FEATURE_GPU,
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/plot_neighbours.py"


rule report:
    input:
        summary=f"{RESULTS}/summary.json",
        tables=rules.table.output,
        figures=[
            f"{FIGURES}/snapshots.svg",
            expand(
                f"{FIGURES}/replica-{{replica}}/diagonal.svg", replica=STUDY.replicas
            ),
            f"{FIGURES}/replica-0/drift.svg",
            expand(
                [
                    f"{FIGURES}/replica-0/classes-{{kimg}}.svg",
                    f"{FIGURES}/replica-0/sheet-{{kimg}}.png",
                    f"{FIGURES}/replica-0/neighbours-{{kimg}}.png",
                    # A grid of one block is a line, which the diagonal shows.
                    *(
                        [f"{FIGURES}/replica-0/grid-{{kimg}}.svg"]
                        if len(STUDY.blocks) > 1
                        else []
                    ),
                ],
                kimg=STUDY.snapshots,
            ),
        ],
        checked=[DATA, BASE, EXTRACTOR, REFERENCE],
        template=workflow.source_path("../report/study.html.j2"),
        parts=[
            workflow.source_path(f"../report/{part}.html.j2")
            for part in ("page", "provenance")
        ],
    output:
        page=f"{RESULTS}/report.html",
        provenance=f"{RESULTS}/provenance.json",
    log:
        logs("report"),
    benchmark:
        benchmarks("report")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        config={key: value for key, value in config.items() if key != "run"},
        blocks=STUDY.blocks,
        snapshots=STUDY.snapshots,
        grid_size=len(STUDY.grid_points),
        seeds=[
            [
                replica,
                *(STUDY.seeds(images, replica) for images in IMAGE_SETS),
                STUDY.finetune_seed(replica),
            ]
            for replica in STUDY.replicas
        ],
    script:
        "../scripts/report.py"
