# Merge, generate, measure, select. A job handles a cell: all grid points with the same set of weights.
# The winners are measured again in the stage `heldout`, on seeds that the stage `grid` never sees.

SEEDS = {"grid": "search", "heldout": "heldout"}
BASE_CELLS = {"grid": cell_name(STUDY.base_point), "heldout": point_name(STUDY.base_point)}
CELL = f"{REPLICA}/{{stage}}/{{kimg}}/{{cell}}"
CELL_NAME = "replica-{replica}/{stage}-{kimg}/{cell}"


def cell_file(stage, kimg, cell, name):
    """A file of a cell, with the replica left open. All weights 0 is the base model after any self-training."""
    kimg = BASE_KIMG if cell == BASE_CELLS[stage] else kimg
    return f"{REPLICA}/{stage}/{kimg}/{cell}/{name}"


def selection(replica, kimg):
    """The outcome of a search, which decides what is generated and measured next."""
    with checkpoints.select.get(replica=replica, kimg=kimg).output[0].open() as file:
        return json.load(file)


rule merge:
    input:
        base=BASE,
        tuned=lambda wildcards: snapshot(wildcards.replica, wildcards.kimg),
    output:
        temp(directory(f"{CELL}/models")),
    params:
        points=cell_points,
        blocks=block_patterns(config),
    log:
        logs(f"{CELL_NAME}-merge"),
    benchmark:
        benchmarks(f"{CELL_NAME}-merge")
    resources:
        mem_mb=2000,
        runtime=30,
    script:
        "../scripts/merge.py"


rule generate:
    input:
        f"{CELL}/models",
    output:
        f"{CELL}/images.npz",
    params:
        models=lambda wildcards, input: {
            point: f"{input[0]}/{point}.safetensors" for point in cell_points(wildcards)
        },
        seeds=lambda wildcards: STUDY.seeds(SEEDS[wildcards.stage], int(wildcards.replica)),
        sampler=config["sampler"],
    log:
        logs(f"{CELL_NAME}-generate"),
    benchmark:
        benchmarks(f"{CELL_NAME}-generate")
    threads: RUN["job_threads"]
    resources:
        mem_mb=4000,
        runtime=720,
    script:
        "../scripts/generate.py"


rule measure:
    input:
        images=f"{CELL}/images.npz",
        extractor=EXTRACTOR,
        reference=REFERENCE,
    output:
        f"{CELL}/metrics.json",
    params:
        points=cell_points,
        seed_blocks=config["intervals"]["seed_blocks"],
    log:
        logs(f"{CELL_NAME}-measure"),
    benchmark:
        benchmarks(f"{CELL_NAME}-measure")
    threads: RUN["job_threads"]
    resources:
        mem_mb=4000,
        runtime=240,
    script:
        "../scripts/measure.py"


checkpoint select:
    input:
        lambda wildcards: [cell_file("grid", wildcards.kimg, cell, "metrics.json") for cell in STUDY.cells],
    output:
        f"{REPLICA}/selection/{{kimg}}.json",
    params:
        points=[point_name(point) for point in STUDY.grid_points],
        roles={"base": point_name(STUDY.base_point), "collapsed": point_name(STUDY.collapsed_point)},
    log:
        logs("replica-{replica}/select-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/select-{kimg}")
    resources:
        mem_mb=500,
        runtime=5,
    script:
        "../scripts/select.py"
