# From θ_r to θ_s: its own images, and training on them from snapshot to snapshot.


rule synthetic:
    input:
        BASE,
    output:
        f"{REPLICA}/synthetic/images.npz",
    log:
        logs("replica-{replica}/synthetic"),
    benchmark:
        benchmarks("replica-{replica}/synthetic")
    conda:
        ENVIRONMENT
    threads: RUN["training_threads"]
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        models={"images": BASE},
        seeds=lambda wildcards: STUDY.seeds("synthetic", int(wildcards.replica)),
        sampler=config["sampler"],
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
    log:
        logs("replica-{replica}/finetune-{kimg}"),
    benchmark:
        benchmarks("replica-{replica}/finetune-{kimg}")
    conda:
        ENVIRONMENT
    threads: RUN["training_threads"]
    resources:
        mem_mb=4000,
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
