# Self-consuming loops of image models: generation g is trained on what its regime composes of real images and of
# images of the generations before it; generation 0 is the base model, which all regimes share. All jobs of a
# generation name what they need of the one before, so one more generation runs after the others.

from adaptive_neon.loops.plan import BASE as GENERATION_0
from adaptive_neon.loops.plan import BLOCKS as LOOP_BLOCKS
from adaptive_neon.loops.plan import Loop

LOOP = Loop(config)
GENERATION = f"{REPLICA}/loop/{{regime}}/{{generation}}"
GENERATION_LOG = "replica-{replica}/loop-{regime}"
ONE_SET = ["images"]  # the name of the images of a file that holds those of one model


wildcard_constraints:
    regime="[A-Za-z0-9-]+",
    generation=r"\d+",


def generation_model(replica, regime, generation):
    """θ of a generation: the base model, or as trained, or as corrected by Neon."""
    if int(generation) == 0:
        return BASE
    name = "model" if LOOP.regimes[regime].neon else "trained"
    return f"{GENERATION}/{name}.safetensors".format(
        replica=replica, regime=regime, generation=generation
    )


def model_before(wildcards):
    return generation_model(
        wildcards.replica, wildcards.regime, int(wildcards.generation) - 1
    )


def own_model(wildcards):
    return generation_model(wildcards.replica, wildcards.regime, wildcards.generation)


def training_images(wildcards):
    """The images of the generations before, of those that a training set may hold."""
    regime = LOOP.regimes[wildcards.regime]
    return [
        f"{GENERATION}/synthetic.npz".format(
            replica=wildcards.replica,
            regime=regime.name if generation else GENERATION_0,
            generation=generation,
        )
        for generation in regime.sources(int(wildcards.generation))
    ]


def neon_models(wildcards):
    """θ_r and θ_s of a generation."""
    turned = LOOP.regimes[wildcards.regime].turns_step
    trained = f"{GENERATION}/trained.safetensors".format(**wildcards)
    return {
        "base": model_before(wildcards) if turned else trained,
        "tuned": (
            trained
            if turned
            else f"{GENERATION}/self-trained.safetensors".format(**wildcards)
        ),
    }


def neon_points(wildcards):
    """The candidates of a generation; their names are those of points of a grid."""
    return [
        point_name(dict.fromkeys(LOOP_BLOCKS, w))
        for w in LOOP.regimes[wildcards.regime].neon
    ]


def composition(wildcards):
    """What the composition of a training set depends on."""
    regime = LOOP.regimes[wildcards.regime]
    return {"name": regime.name, "data": regime.data, "real": regime.real}


def generation_seeds(own):
    """A params function: the seeds of the images that a generation draws for training."""
    return lambda wildcards: LOOP.seeds(
        int(wildcards.replica), int(wildcards.generation), own
    )


rule loop_images:
    input:
        base=own_model,
        codec=CODEC,
    output:
        f"{GENERATION}/synthetic.npz",
    log:
        logs(f"{GENERATION_LOG}/loop_images-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_images-{{generation}}")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=GPU,
        mem_mb=RUN["memory_mb"],
        runtime=720,
    params:
        seeds=generation_seeds(own=False),
        sampler=config["sampler"],
        classes=config["classes"],
    script:
        "../scripts/generate.py"


rule loop_train:
    input:
        previous=model_before,
        codec=CODEC,
        data=DATA,
        synthetic=training_images,
    output:
        model=f"{GENERATION}/trained.safetensors",
        losses=f"{GENERATION}/losses.csv",
    log:
        logs(f"{GENERATION_LOG}/loop_train-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_train-{{generation}}")
    conda:
        ENVIRONMENT
    threads: RUN["training_threads"]
    resources:
        gpu=TRAINING_GPUS,
        mem_mb=RUN["memory_mb"],
        runtime=1440,
    params:
        regime=composition,
        start=lambda wildcards: LOOP.regimes[wildcards.regime].start,
        size=LOOP.images,
        composition_seed=lambda wildcards: LOOP.composition_seed(int(wildcards.replica)),
        training=lambda wildcards: LOOP.training(LOOP.regimes[wildcards.regime].start),
        seed=lambda wildcards: LOOP.training_seed(
            int(wildcards.replica),
            int(wildcards.generation),
            LOOP.regimes[wildcards.regime].start,
        ),
    script:
        "../scripts/loop_train.py"


# Neon's own images and self-training, where the training of a generation is not that already.
use rule loop_images as loop_own_images with:
    input:
        base=f"{GENERATION}/trained.safetensors",
        codec=CODEC,
    output:
        f"{GENERATION}/own.npz",
    log:
        logs(f"{GENERATION_LOG}/loop_own_images-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_own_images-{{generation}}")
    params:
        seeds=generation_seeds(own=True),
        sampler=config["sampler"],
        classes=config["classes"],


use rule loop_train as loop_self_train with:
    input:
        previous=f"{GENERATION}/trained.safetensors",
        codec=CODEC,
        data=DATA,
        synthetic=[f"{GENERATION}/own.npz"],
    output:
        model=f"{GENERATION}/self-trained.safetensors",
        losses=f"{GENERATION}/self-losses.csv",
    log:
        logs(f"{GENERATION_LOG}/loop_self_train-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_self_train-{{generation}}")
    params:
        regime={"name": "own", "data": "replace"},
        start="previous",
        size=LOOP.images,
        composition_seed=0,
        training=LOOP.training("previous"),
        seed=lambda wildcards: LOOP.training_seed(
            int(wildcards.replica), int(wildcards.generation), "previous", own=True
        ),


use rule loop_images as loop_search_images with:
    input:
        unpack(neon_models),
        codec=CODEC,
    output:
        f"{GENERATION}/search.npz",
    log:
        logs(f"{GENERATION_LOG}/loop_search_images-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_search_images-{{generation}}")
    params:
        points=neon_points,
        blocks=LOOP_BLOCKS,
        seeds=lambda wildcards: STUDY.seeds("search", int(wildcards.replica)),
        sampler=config["sampler"],
        classes=config["classes"],
        noise=starting_noise(config, "search"),


use rule measure as loop_search with:
    input:
        images=f"{GENERATION}/search.npz",
        extractor=EXTRACTOR,
        reference=REFERENCE,
    output:
        f"{GENERATION}/search.json",
    log:
        logs(f"{GENERATION_LOG}/loop_search-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_search-{{generation}}")
    params:
        measured=None,
        points=neon_points,
        seed_blocks=config["intervals"]["seed_blocks"],
        kid_subsets=0,


rule loop_correct:
    input:
        unpack(neon_models),
        search=lambda wildcards: (
            [f"{GENERATION}/search.json".format(**wildcards)]
            if len(LOOP.regimes[wildcards.regime].neon) > 1
            else []
        ),
    output:
        model=f"{GENERATION}/model.safetensors",
        weight=f"{GENERATION}/weight.json",
    log:
        logs(f"{GENERATION_LOG}/loop_correct-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_correct-{{generation}}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN["memory_mb"],
        runtime=10,
    params:
        points=neon_points,
        blocks=LOOP_BLOCKS,
    script:
        "../scripts/loop_correct.py"


use rule loop_images as loop_heldout with:
    input:
        base=own_model,
        codec=CODEC,
    output:
        f"{GENERATION}/heldout.npz",
    log:
        logs(f"{GENERATION_LOG}/loop_heldout-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_heldout-{{generation}}")
    params:
        seeds=lambda wildcards: STUDY.seeds("heldout", int(wildcards.replica)),
        sampler=config["sampler"],
        classes=config["classes"],
        noise=starting_noise(config, "heldout"),


use rule measure as loop_measure with:
    input:
        images=f"{GENERATION}/heldout.npz",
        extractor=EXTRACTOR,
        reference=REFERENCE,
    output:
        f"{GENERATION}/metrics.json",
    log:
        logs(f"{GENERATION_LOG}/loop_measure-{{generation}}"),
    benchmark:
        benchmarks(f"{GENERATION_LOG}/loop_measure-{{generation}}")
    params:
        measured=None,
        points=ONE_SET,
        seed_blocks=config["intervals"]["seed_blocks"],
        kid_subsets=config["metrics"]["kid_subsets"],


LOOP_RUNS = [
    (regime, replica, generation)
    for regime in LOOP.regimes
    for replica in STUDY.replicas
    for generation in LOOP.generations
]


def loop_files(name, runs=LOOP_RUNS):
    """A file of each generation, by name, since storage changes what the rules' outputs say."""
    return [
        f"{GENERATION}/{name}".format(regime=r, replica=replica, generation=generation)
        for r, replica, generation in runs
    ]


def base_files(name, replicas=STUDY.replicas):
    """The same of generation 0: the held-out images of the base model, which a study of Neon has, too."""
    path = cell_file("heldout", BASE_KIMG, BASE_CELLS["heldout"], name)
    return [path.format(replica=replica) for replica in replicas]


CORRECTED_RUNS = [run for run in LOOP_RUNS if LOOP.regimes[run[0]].neon]
FIRST_LOOP_RUNS = [run for run in LOOP_RUNS if run[1] == 0]


rule summary:
    input:
        base=base_files("metrics.json"),
        metrics=loop_files("metrics.json"),
        weights=loop_files("weight.json", CORRECTED_RUNS),
    output:
        summary=f"{RESULTS}/summary.json",
        tables=expand(
            f"{TABLES}/{{name}}.{{kind}}",
            name=["regimes", "generations"],
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
        images=config["heldout"]["images"],
        seed_blocks=config["intervals"]["seed_blocks"],
        point=BASE_CELLS["heldout"],
        runs=LOOP_RUNS,
        corrected=CORRECTED_RUNS,
        regimes=config["loop"]["regimes"],
    script:
        "../scripts/loop_summary.py"


rule figures:
    input:
        summary=rules.summary.output.summary,
        base=base_files("images.npz", [0]),
        images=loop_files("heldout.npz", FIRST_LOOP_RUNS),
    output:
        curves=f"{FIGURES}/curves.svg",
        sheets=[f"{FIGURES}/sheet-{regime}.png" for regime in LOOP.regimes],
    log:
        logs("figures"),
    benchmark:
        benchmarks("figures")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        point=BASE_CELLS["heldout"],
        runs=FIRST_LOOP_RUNS,
    script:
        "../scripts/loop_figures.py"


rule report:
    input:
        summary=rules.summary.output.summary,
        tables=rules.summary.output.tables,
        figures=rules.figures.output,
        checked=[DATA, BASE, EXTRACTOR, REFERENCE],
        template=workflow.source_path("../report/loop.html.j2"),
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
        config=SHOWN_CONFIG,
    script:
        "../scripts/loop_report.py"
