# What a reader sees: summary.json, tables, figures, and the report that binds them into one page.

IMAGE_SETS = ("synthetic", "search", "heldout")
STUDY_CONFIG = {key: value for key, value in SHOWN_CONFIG.items() if key != "loop"}
ALL_SEEDS = [
    {"replica": replica}
    | {images: STUDY.seeds(images, replica) for images in IMAGE_SETS}
    | {"finetune": STUDY.finetune_seed(replica)}
    | (
        {"control": STUDY.seeds("search", replica, control=True)}
        if STUDY.control
        else {}
    )
    | ({"steps": STUDY.step_seeds(replica)} if STUDY.method == "gradient" else {})
    for replica in STUDY.replicas
]
# The figure of the points of a search. A grid of one block is a line, which the diagonal shows.
POINTS = (
    STUDY.method
    if STUDY.method in ("surface", "gradient")
    else "grid" if len(STUDY.blocks) > 1 else None
)
RUNS = [(replica, kimg) for replica in STUDY.replicas for kimg in STUDY.snapshots]
FIRST_RUNS = [(0, kimg) for kimg in STUDY.snapshots]
SELECTIONS = [f"{REPLICA}/selection/{kimg}.json".format(replica=r) for r, kimg in RUNS]


rule summary:
    input:
        base=BASE,
        selections=SELECTIONS,
        ahead=heldout_ahead("metrics.json", RUNS),
        metrics=lambda wildcards: heldout_files("metrics.json", RUNS),
    output:
        summary=f"{RESULTS}/summary.json",
        tables=expand(
            f"{TABLES}/{{name}}.{{kind}}",
            name=[
                "table1",
                "metrics",
                *(["replicas"] if len(STUDY.replicas) > 1 else []),
            ],
            kind=["csv", "md"],
        ),
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
        images={
            "search": config["search"]["images"],
            "control": STUDY.control * config["search"]["images"],
            "heldout": config["heldout"]["images"],
        },
        seed_blocks=config["intervals"]["seed_blocks"],
        snapshots=RUNS,
        heldout=lambda wildcards: heldout_positions("metrics.json", RUNS),
        base=point_name(STUDY.base_point),
        sampler=config["sampler"],
        searched=config["grid"].get("sampler", {}),
        trained=STUDY.trained,
    script:
        "../scripts/summary.py"


rule figures:
    input:
        summary=rules.summary.output.summary,
        selections=SELECTIONS,
        drift=f"{REPLICA}/drift.json".format(replica=0),
        images=lambda wildcards: heldout_files("images.npz", FIRST_RUNS),
        data=DATA,
        extractor=EXTRACTOR,
        reference=REFERENCE,
    output:
        f"{FIGURES}/snapshots.svg",
        expand(f"{FIGURES}/replica-{{replica}}/diagonal.svg", replica=STUDY.replicas),
        f"{FIGURES}/replica-0/drift.svg",
        expand(
            [
                f"{FIGURES}/replica-0/classes-{{kimg}}.svg",
                f"{FIGURES}/replica-0/sheet-{{kimg}}.png",
                f"{FIGURES}/replica-0/neighbours-{{kimg}}.png",
                *([f"{FIGURES}/replica-0/{POINTS}-{{kimg}}.svg"] if POINTS else []),
            ],
            kimg=STUDY.snapshots,
        ),
    log:
        logs("figures"),
    benchmark:
        benchmarks("figures")
    conda:
        ENVIRONMENT
    resources:
        gpu=FEATURE_GPU,
        mem_mb=2000,
        runtime=10,
    params:
        snapshots=RUNS,
        images=lambda wildcards: heldout_positions("images.npz", FIRST_RUNS),
        points=POINTS,
        search_points=list(map(point_name, STUDY.search_points)),
    script:
        "../scripts/figures.py"


rule model:
    input:
        summary=rules.summary.output.summary,
        base=BASE,
        codec=CODEC,
        form=local_folder(config["base"]["checkpoint"]),
        tuned=[snapshot(0, kimg) for kimg in STUDY.snapshots],
    output:
        directory(f"{RESULTS}/model"),
    log:
        logs("model"),
    benchmark:
        benchmarks("model")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN["memory_mb"],
        runtime=10,
    params:
        snapshots=STUDY.snapshots,
        blocks=block_patterns(config),
        seeds=ALL_SEEDS[0],
        config={key: value for key, value in STUDY_CONFIG.items() if key != "rivals"},
    script:
        "../scripts/model.py"


if RIVALS:

    include: "rivals.smk"


rule report:
    input:
        model=rules.model.output,
        rivals=[*rules.rivals.output] if RIVALS else [],
        summary=rules.summary.output.summary,
        tables=rules.summary.output.tables,
        figures=rules.figures.output,
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
        config=STUDY_CONFIG,
        blocks=STUDY.blocks,
        snapshots=STUDY.snapshots,
        points=POINTS,
        search_size=len(STUDY.search_points),
        seeds=[list(seeds.values()) for seeds in ALL_SEEDS],
    script:
        "../scripts/report.py"
