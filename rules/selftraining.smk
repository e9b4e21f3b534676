# From θ_r to θ_s: its own images, and training on them from snapshot to snapshot.


rule synthetic:
    input:
        base=BASE,
        codec=CODEC,
    output:
        f"{REPLICA}/synthetic/images.npz",
    log:
        logs("replica-{replica}/synthetic"),
    benchmark:
        benchmarks("replica-{replica}/synthetic")
    conda:
        ENVIRONMENT
    threads: RUN["job_threads"]
    resources:
        gpu=GPU,
        mem_mb=RUN["memory_mb"],
        runtime=720,
    params:
        seeds=lambda wildcards: STUDY.seeds("synthetic", int(wildcards.replica)),
        sampler=config["sampler"],
        classes=config["classes"],
    script:
        "../scripts/generate.py"


rule finetune:
    input:
        base=BASE,
        codec=CODEC,
        images=f"{REPLICA}/synthetic/images.npz",
        state=training_state,
    output:
        model=f"{REPLICA}/finetune/{{kimg}}/model.safetensors",
        state=f"{REPLICA}/finetune/{{kimg}}/state.pt",
        losses=f"{REPLICA}/finetune/{{kimg}}/losses.csv",
    log:
        logs("replica-{replica}/finetune-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/finetune-{kimg}")
    conda:
        ENVIRONMENT
    threads: RUN["training_threads"]
    resources:
        gpu=TRAINING_GPUS,
        mem_mb=RUN["memory_mb"],
        runtime=1440,
    params:
        training={
            key: value
            for key, value in config["finetune"].items()
            if key != "snapshots_kimg"
        },
        seed=lambda wildcards: STUDY.finetune_seed(int(wildcards.replica)),
    script:
        "../scripts/finetune.py"


# A null study: whatever it finds, self-training has not put it there.
rule randomise:
    input:
        base=BASE,
        tuned=f"{REPLICA}/finetune/{{kimg}}/model.safetensors",
    output:
        f"{REPLICA}/random/{{kimg}}/model.safetensors",
    log:
        logs("replica-{replica}/randomise-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/randomise-{kimg}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN["memory_mb"],
        runtime=10,
    params:
        blocks=FINEST_BLOCKS,
        seed=lambda wildcards: [
            STUDY.finetune_seed(int(wildcards.replica)),
            int(wildcards.kimg),
        ],
    script:
        "../scripts/randomise.py"


rule drift:
    input:
        base=BASE,
        tuned=lambda wildcards: [
            snapshot(wildcards.replica, kimg) for kimg in STUDY.snapshots
        ],
    output:
        f"{REPLICA}/drift.json",
    log:
        logs("replica-{replica}/drift"),
    benchmark:
        benchmarks("replica-{replica}/drift")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN["memory_mb"],
        runtime=10,
    params:
        blocks=block_patterns(config),
        snapshots=STUDY.snapshots,
    script:
        "../scripts/drift.py"
