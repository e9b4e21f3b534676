# The real images and θ_r.


rule data:
    input:
        local_file(config["data"]["source"]),
    output:
        DATA,
    log:
        logs("data"),
    benchmark:
        benchmarks("data")
    priority: FETCHES
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        source=config["data"]["source"],
        sha256=config["data"]["sha256"],
    script:
        "../scripts/data.py"


if config["base"]["checkpoint"]:

    localrules:
        import_base,

    rule import_base:
        input:
            checkpoint=local_model(config["base"]["checkpoint"]),
            prompts=local_file(config["base"]["prompts"]),
        output:
            BASE,
        log:
            logs("base"),
        benchmark:
            benchmarks("base")
        priority: FETCHES
        conda:
            ENVIRONMENT
        resources:
            mem_mb=RUN["memory_mb"],
            runtime=60,
        params:
            source=config["base"]["checkpoint"],
            sha256=config["base"]["sha256"],
            architecture=config["base"]["architecture"],
            codec=config["base"]["codec"],
            prompts=config["base"]["prompts"],
        script:
            "../scripts/import_base.py"

else:

    rule base:
        input:
            images=DATA,
            codec=CODEC,
        output:
            model=BASE,
            state=BASE_STATE,
            losses=f"{RESULTS}/base/losses.csv",
            averages=BASE_AVERAGES,
        log:
            logs("base"),
        benchmark:
            benchmarks("base")
        conda:
            ENVIRONMENT
        threads: RUN["training_threads"]
        resources:
            gpu=TRAINING_GPUS,
            mem_mb=RUN["memory_mb"],
            runtime=720,
        params:
            architecture=config["base"]["architecture"],
            training=config["base"]["training"],
        script:
            "../scripts/base.py"


if config["base"]["codec"]:

    localrules:
        import_codec,

    rule import_codec:
        input:
            base=BASE,
            codec=local_model(config["base"]["codec"]),
        output:
            f"{RESULTS}/base/codec.safetensors",
        log:
            logs("codec"),
        benchmark:
            benchmarks("codec")
        priority: FETCHES
        conda:
            ENVIRONMENT
        resources:
            mem_mb=RUN["memory_mb"],
            runtime=60,
        params:
            source=config["base"]["codec"],
            sha256=config["base"].get("codec_sha256"),
        script:
            "../scripts/import_codec.py"

elif CODEC:

    rule codec:
        input:
            DATA,
        output:
            CODEC,
        log:
            logs("codec"),
        benchmark:
            benchmarks("codec")
        conda:
            ENVIRONMENT
        threads: RUN["training_threads"]
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            architecture=config["base"]["architecture"],
            seed=config["base"]["training"]["seed"],
        script:
            "../scripts/codec.py"
