# Generate, measure, select. A job handles a cell: all grid points with the same set of weights. It merges them itself.
# The winners are measured again in the stage `heldout`, on seeds that the stage `grid` never sees.
# With `run.shards` above 1 several jobs draw the images of a cell.


rule shard:
    input:
        **CELL_MODELS,
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
    script:
        "../scripts/generate.py"


rule generate:
    input:
        **CELL_MODELS,
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
        seeds=lambda wildcards: STUDY.seeds(
            SEEDS[wildcards.stage], int(wildcards.replica)
        ),
        sampler=cell_sampler,
        classes=config["classes"],
    script:
        "../scripts/generate.py"


rule measure:
    input:
        images=f"{CELL}/images.npz",
        extractor=EXTRACTOR,
        reference=REFERENCE,
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
        points=cell_points,
        seed_blocks=config["intervals"]["seed_blocks"],
        # KID takes longer than all else, and chooses nothing.
        kid_subsets=lambda wildcards: {
            "grid": 0,
            "heldout": config["metrics"]["kid_subsets"],
        }[wildcards.stage],
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
        points=["images"],
        seed_blocks=config["intervals"]["seed_blocks"],
        kid_subsets=config["metrics"]["kid_subsets"],


checkpoint select:
    input:
        lambda wildcards: [
            cell_file("grid", wildcards.kimg, f"{cell}{settings}", "metrics.json")
            for cell in STUDY.cells
            for settings in SEARCHED_SETTINGS
        ],
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
        points=[
            point_name(point) + settings
            for point in STUDY.grid_points
            for settings in SEARCHED_SETTINGS
        ],
        base=[point_name(STUDY.base_point) + settings for settings in SEARCHED_SETTINGS],
        collapsed=point_name(STUDY.collapsed_point),
    script:
        "../scripts/select.py"
