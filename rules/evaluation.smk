# Generate, measure, select. A job handles a cell: several points of the search, which it merges itself. Further rounds
# of a search, stages `round-2` and so on, have seeds of their own, and a job a point.
# The winners are measured again in the stage `heldout`, on seeds that no round of the search sees.
# With `run.shards` above 1 several jobs draw the images of a cell.
# With `search.control` the base model's cell has further images, whose features sharpen the FIDs of all cells of the
# search.


rule shard:
    input:
        unpack(cell_models),
        codec=CODEC,
        selection=cell_selection,
    output:
        temp(f"{CELL}/shard-{{shard}}.npz"),
    log:
        logs(f"{CELL_NAME}-shard-{{shard}}"),
    benchmark:
        benchmarks(f"{CELL_NAME}-shard-{{shard}}")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=GPU,
        mem_mb=RUN["memory_mb"],
        runtime=720,
    params:
        points=cell_points,
        blocks=block_patterns(config),
        seeds=lambda wildcards: cell_shards(wildcards)[int(wildcards.shard)],
        sampler=cell_sampler,
        classes=config["classes"],
        noise=cell_noise,
    script:
        "../scripts/generate.py"


rule generate:
    input:
        unpack(cell_models),
        codec=CODEC,
        selection=cell_selection,
        shards=shard_files,
    output:
        f"{CELL}/images.npz",
    log:
        logs(f"{CELL_NAME}-generate"),
    benchmark:
        benchmarks(f"{CELL_NAME}-generate")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=lambda wildcards, input: 0 if input.shards else GPU,
        mem_mb=RUN["memory_mb"],
        runtime=720,
    params:
        points=cell_points,
        blocks=block_patterns(config),
        seeds=cell_seeds,
        sampler=cell_sampler,
        classes=config["classes"],
        noise=cell_noise,
    script:
        "../scripts/generate.py"


rule features:
    input:
        images=f"{CELL}/images.npz",
        extractor=EXTRACTOR,
    output:
        f"{CELL}/features.npz",
    log:
        logs(f"{CELL_NAME}-features"),
    benchmark:
        benchmarks(f"{CELL_NAME}-features")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=FEATURE_GPU,
        mem_mb=4000,
        runtime=240,
    params:
        points=cell_points,
    script:
        "../scripts/features.py"


rule measure:
    input:
        images=f"{CELL}/images.npz",
        control=cell_control,
        extractor=EXTRACTOR,
        reference=REFERENCE,
        selection=cell_selection,
    output:
        f"{CELL}/metrics.json",
    log:
        logs(f"{CELL_NAME}-measure"),
    benchmark:
        benchmarks(f"{CELL_NAME}-measure")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=FEATURE_GPU,
        mem_mb=4000,
        runtime=240,
    params:
        points=measured_points,
        # Without the further images of a control variate.
        measured=lambda wildcards: config[cell_images(wildcards)]["images"],
        seed_blocks=config["intervals"]["seed_blocks"],
        # KID takes longer than all else, and chooses nothing.
        kid_subsets=lambda wildcards: (
            config["metrics"]["kid_subsets"]
            if wildcards.stage.endswith("heldout")
            else 0
        ),
    script:
        "../scripts/measure.py"


rule given_images:
    input:
        local_file(config["measured"]),
    output:
        f"{RESULTS}/measured/images.npz",
    log:
        logs("measured"),
    benchmark:
        benchmarks("measured")
    priority: FETCHES
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        source=config["measured"],
        seed_blocks=config["intervals"]["seed_blocks"],
    script:
        "../scripts/given_images.py"


use rule measure as measure_given with:
    input:
        images=rules.given_images.output[0],
        extractor=EXTRACTOR,
        reference=REFERENCE,
    output:
        f"{RESULTS}/measured/metrics.json",
    log:
        logs("measure-given"),
    benchmark:
        benchmarks("measure-given")
    params:
        measured=None,
        points=["images"],
        seed_blocks=config["intervals"]["seed_blocks"],
        kid_subsets=config["metrics"]["kid_subsets"],


SEARCH_POINTS = [
    point_name(point) + settings
    for point in STUDY.search_points
    for settings in SEARCHED_SETTINGS
]


DESCENT = f"{REPLICA}/gradient/{{kimg}}.json"


# What a later round of a search draws follows from the rounds before it.
checkpoint next_round:
    input:
        first=first_round,
        later=lambda wildcards: [
            path.format(**wildcards)
            for path in later_rounds(range(1, int(wildcards.round)))
        ],
    output:
        f"{REPLICA}/rounds/{{kimg}}/{{round}}.json",
    log:
        logs("replica-{replica}/round-{kimg}-{round}"),
    benchmark:
        benchmarks("replica-{replica}/round-{kimg}-{round}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        method=STUDY.method,
        region=STUDY.region,
        points=SEARCH_POINTS,
    script:
        "../scripts/next_round.py"


# A file a round, so that what is done with a search names it: Snakemake doesn't look whether a finished job lacks what
# only a checkpoint would tell.
rule round_metrics:
    input:
        round_cells,
    output:
        f"{REPLICA}/rounds/{{kimg}}/{{round}}-metrics.json",
    log:
        logs("replica-{replica}/round-{kimg}-{round}-metrics"),
    benchmark:
        benchmarks("replica-{replica}/round-{kimg}-{round}-metrics")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    script:
        "../scripts/round_metrics.py"


rule gradient:
    input:
        base=BASE,
        tuned=lambda wildcards: snapshot(wildcards.replica, wildcards.kimg),
        extractor=EXTRACTOR,
        reference=REFERENCE,
        first=first_round,
    output:
        DESCENT,
    log:
        logs("replica-{replica}/gradient-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/gradient-{kimg}")
    conda:
        ENVIRONMENT
    threads: RUN["training_threads"]
    resources:
        gpu=GPU,
        mem_mb=RUN["memory_mb"],
        runtime=1440,
    params:
        region=STUDY.region,
        points=SEARCH_POINTS,
        blocks=FINEST_BLOCKS,
        seeds=lambda wildcards: STUDY.seeds("search", int(wildcards.replica)),
        step_seeds=lambda wildcards: STUDY.step_seeds(int(wildcards.replica)),
        descent=config["search"].get("gradient"),
        sampler=config["sampler"],
        classes=config["classes"],
        seed_blocks=config["intervals"]["seed_blocks"],
    script:
        "../scripts/gradient.py"


checkpoint select:
    input:
        first=first_round,
        later=later_rounds(STUDY.rounds),
        descent=[DESCENT] if STUDY.method == "gradient" else [],
    output:
        f"{REPLICA}/selection/{{kimg}}.json",
    log:
        logs("replica-{replica}/select-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/select-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        method=STUDY.method,
        region=STUDY.region,
        points=SEARCH_POINTS,
        base=[point_name(STUDY.base_point) + settings for settings in SEARCHED_SETTINGS],
        collapsed=point_name(STUDY.collapsed_point),
    script:
        "../scripts/select.py"
