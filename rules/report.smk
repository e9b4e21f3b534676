# What a reader sees: summary.json, Table 1, figures. `snakemake --report` binds them into one page.

FIGURES = f"{RESULTS}/figures"
CAPTIONS = "../report"


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
        comparisons=[
            expand(
                f"{REPLICA}/comparison/{{kimg}}.json",
                replica=replica,
                kimg=STUDY.snapshots,
            )
            for replica in STUDY.replicas
        ],
    script:
        "../scripts/summary.py"


rule table:
    input:
        f"{RESULTS}/summary.json",
    output:
        csv=report(
            f"{RESULTS}/tables/table1.csv",
            caption=f"{CAPTIONS}/table.rst",
            category="Result",
            labels={"what": "Table 1"},
        ),
        markdown=f"{RESULTS}/tables/table1.md",
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
        report(
            f"{FIGURES}/snapshots.svg",
            caption=f"{CAPTIONS}/snapshots.rst",
            category="Result",
            labels={"what": "FID over snapshots"},
        ),
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
        report(
            f"{FIGURES}/replica-{{replica}}/diagonal.svg",
            caption=f"{CAPTIONS}/diagonal.rst",
            category="Search",
            labels={"what": "FID over a single weight", "replica": "{replica}"},
        ),
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
        report(
            f"{FIGURES}/replica-{{replica}}/grid-{{kimg}}.svg",
            caption=f"{CAPTIONS}/grid.rst",
            category="Search",
            labels={"what": "Grid at {kimg} kimg", "replica": "{replica}"},
        ),
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
        report(
            f"{FIGURES}/replica-{{replica}}/sheet-{{kimg}}.png",
            caption=f"{CAPTIONS}/sheet.rst",
            category="Images",
            labels={"what": "Images at {kimg} kimg", "replica": "{replica}"},
        ),
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
