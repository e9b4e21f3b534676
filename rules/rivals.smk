# Rivals of Neon: their models, their search, their comparison on held-out images. Their images are cells, as those of the
# study, in the stages rivals/<rival>/search and rivals/<rival>/heldout; a cell is one candidate.

RIVAL = f"{REPLICA}/rivals/{{rival}}"
SHARED_RIVAL = f"{RESULTS}/rivals/{{rival}}"  # the same in all replicas


rule reconstruct:
    input:
        base=BASE,
        averages=BASE_AVERAGES,
    output:
        f"{SHARED_RIVAL}/model.safetensors",
    log:
        logs("rivals/{rival}/reconstruct"),
    benchmark:
        benchmarks("rivals/{rival}/reconstruct")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN["memory_mb"],
        runtime=10,
    params:
        length=lambda wildcards: RIVALS[wildcards.rival].length,
    script:
        "../scripts/reconstruct.py"


rule average:
    input:
        lambda wildcards: [
            snapshot(replica, wildcards.kimg) for replica in STUDY.replicas
        ],
    output:
        f"{SHARED_RIVAL}/averaged/{{kimg}}/model.safetensors",
    log:
        logs("rivals/{rival}/average-{kimg}"),
    benchmark:
        benchmarks("rivals/{rival}/average-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN["memory_mb"],
        runtime=10,
    script:
        "../scripts/average.py"


use rule synthetic as rival_synthetic with:
    output:
        f"{RIVAL}/synthetic/images.npz",
    log:
        logs("replica-{replica}/rivals/{rival}/synthetic"),
    benchmark:
        benchmarks("replica-{replica}/rivals/{rival}/synthetic")
    params:
        seeds=lambda wildcards: STUDY.seeds("synthetic", int(wildcards.replica)),
        sampler=lambda wildcards: config["sampler"] | RIVALS[wildcards.rival].sampler,
        classes=config["classes"],


use rule finetune as rival_finetune with:
    input:
        base=BASE,
        codec=CODEC,
        images=f"{RIVAL}/synthetic/images.npz",
        state=lambda wildcards: training_state(wildcards, f"{RIVAL}/finetune"),
    output:
        model=f"{RIVAL}/finetune/{{kimg}}/model.safetensors",
        state=f"{RIVAL}/finetune/{{kimg}}/state.pt",
        losses=f"{RIVAL}/finetune/{{kimg}}/losses.csv",
    log:
        logs("replica-{replica}/rivals/{rival}/finetune-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/rivals/{rival}/finetune-{kimg}")


def real_training(wildcards):
    """The settings of a training on real images, that of the base model going on or one like the self-training."""
    start = RIVALS[wildcards.rival].start
    section = config["base"]["training"] if start == "base" else config["finetune"]
    lengths = ("kimg", "snapshots_kimg", "average_kimg")
    return {key: value for key, value in section.items() if key not in lengths}


def real_training_state(wildcards):
    """The state to go on from."""
    state = training_state(wildcards, f"{SHARED_RIVAL}/training")
    return state or (BASE_STATE if RIVALS[wildcards.rival].start == "base" else [])


use rule finetune as rival_training with:
    input:
        base=BASE,
        codec=CODEC,
        images=DATA,
        state=real_training_state,
    output:
        model=f"{SHARED_RIVAL}/training/{{kimg}}/model.safetensors",
        state=f"{SHARED_RIVAL}/training/{{kimg}}/state.pt",
        losses=f"{SHARED_RIVAL}/training/{{kimg}}/losses.csv",
    log:
        logs("rivals/{rival}/training-{kimg}"),
    benchmark:
        benchmarks("rivals/{rival}/training-{kimg}")
    params:
        training=real_training,
        seed=lambda wildcards: real_training(wildcards)["seed"],
        after=lambda wildcards: (
            config["base"]["training"]["kimg"]
            if RIVALS[wildcards.rival].start == "base"
            else 0
        ),


def rival_cell(rival, stage, kimg, point, name):
    """A file of a rival's cell, with the replica left open. A model that is the same at all snapshots has one cell."""
    if rival.is_fixed:
        kimg = BASE_KIMG
    return f"{REPLICA}/rivals/{rival.name}/{stage}/{kimg}/{point}/{name}"


def rival_candidates(wildcards):
    """The metrics of all candidates of the rivals that have several."""
    return [
        rival_cell(rival, "search", wildcards.kimg, point, "metrics.json")
        for rival in RIVALS.values()
        if len(rival.candidates) > 1
        for point in rival.candidates
    ]


def rival_heldout(wildcards):
    """The metrics of what was chosen of each rival, for each (replica, kimg)."""
    found = []
    for replica, kimg in RUNS:
        chosen = checkpoints.select_rivals.get(replica=replica, kimg=kimg).output[0]
        with chosen.open() as file:
            points = {rival: one["point"] for rival, one in json.load(file).items()}
        found.append(
            [
                rival_cell(
                    rival, "heldout", kimg, points[rival.name], "metrics.json"
                ).format(replica=replica)
                for rival in RIVALS.values()
            ]
        )
    return found


checkpoint select_rivals:
    input:
        rival_candidates,
    output:
        f"{REPLICA}/rivals/{{kimg}}.json",
    log:
        logs("replica-{replica}/rivals/select-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/rivals/select-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=5,
    params:
        candidates={name: list(rival.candidates) for name, rival in RIVALS.items()},
    script:
        "../scripts/select_rivals.py"


# Whether guiding differs from merging.
rule linearity:
    input:
        base=BASE,
        tuned=lambda wildcards: snapshot(wildcards.replica, wildcards.kimg),
        data=DATA,
        selection=f"{REPLICA}/selection/{{kimg}}.json",
    output:
        f"{REPLICA}/linearity/{{kimg}}.json",
    log:
        logs("replica-{replica}/linearity-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/linearity-{kimg}")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=GPU,
        mem_mb=RUN["memory_mb"],
        runtime=60,
    params:
        blocks=block_patterns(config),
        sampler=config["sampler"],
        seed=config["search"]["first_seed"],
    script:
        "../scripts/linearity.py"


GUIDED_SNAPSHOTS = (
    STUDY.snapshots if any(rival.kind == GUIDANCE for rival in RIVALS.values()) else []
)


rule rivals:
    input:
        base=BASE,
        selections=SELECTIONS,
        heldout=lambda wildcards: heldout_files("metrics.json", RUNS),
        chosen=[
            f"{REPLICA}/rivals/{kimg}.json".format(replica=replica)
            for replica, kimg in RUNS
        ],
        rivals=lambda wildcards: once(rival_heldout(wildcards)),
        linearity=[
            f"{REPLICA}/linearity/{kimg}.json".format(replica=0)
            for kimg in GUIDED_SNAPSHOTS
        ],
    output:
        summary=f"{RESULTS}/rivals.json",
        tables=expand(f"{TABLES}/rivals.{{kind}}", kind=["csv", "md"]),
        figures=expand(f"{FIGURES}/rivals-{{kimg}}.svg", kimg=STUDY.snapshots),
        linearity=expand(
            f"{FIGURES}/replica-0/linearity-{{kimg}}.svg", kimg=GUIDED_SNAPSHOTS
        ),
    log:
        logs("rivals"),
    benchmark:
        benchmarks("rivals")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=STUDY_CONFIG,
        runs=RUNS,
        heldout=lambda wildcards: heldout_positions("metrics.json", RUNS),
        positions=lambda wildcards: positions(rival_heldout(wildcards)),
    script:
        "../scripts/rivals.py"
