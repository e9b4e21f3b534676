# From θ_r to θ_s: its own images, and training on them from snapshot to snapshot.


def training_state(wildcards):
    """Training continues from the previous snapshot's state; the first begins at θ_r."""
    previous = STUDY.previous_snapshot(int(wildcards.kimg))
    if previous == BASE_KIMG:
        return []
    return f"{REPLICA}/finetune/{previous}/state.pt"


rule synthetic:
    input:
        BASE,
    output:
        f"{REPLICA}/synthetic/images.npz",
    params:
        models={"images": BASE},
        seeds=lambda wildcards: STUDY.seeds("synthetic", int(wildcards.replica)),
        sampler=config["sampler"],
    log:
        logs("replica-{replica}/synthetic"),
    benchmark:
        benchmarks("replica-{replica}/synthetic")
    threads: RUN["training_threads"]
    resources:
        mem_mb=4000,
        runtime=720,
    script:
        "../scripts/generate.py"


rule finetune:
    input:
        base=BASE,
        images=f"{REPLICA}/synthetic/images.npz",
        state=training_state,
    output:
        model=f"{REPLICA}/finetune/{{kimg}}/model.safetensors",
        state=f"{REPLICA}/finetune/{{kimg}}/state.pt",
        losses=f"{REPLICA}/finetune/{{kimg}}/losses.csv",
    params:
        training={key: value for key, value in config["finetune"].items() if key != "snapshots_kimg"},
        seed=lambda wildcards: STUDY.finetune_seed(int(wildcards.replica)),
    log:
        logs("replica-{replica}/finetune-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/finetune-{kimg}")
    threads: RUN["training_threads"]
    resources:
        mem_mb=4000,
        runtime=1440,
    script:
        "../scripts/finetune.py"
