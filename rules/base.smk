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
            local_file(config["base"]["checkpoint"]),
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
            mem_mb=4000,
            runtime=60,
        params:
            source=config["base"]["checkpoint"],
            sha256=config["base"]["sha256"],
            architecture=config["base"]["architecture"],
        script:
            "../scripts/import_base.py"

else:

    rule base:
        input:
            DATA,
        output:
            model=BASE,
            losses=f"{RESULTS}/base/losses.csv",
        log:
            logs("base"),
        benchmark:
            benchmarks("base")
        conda:
            ENVIRONMENT
        threads: RUN["training_threads"]
        resources:
            gpu=TRAINING_GPUS,
            mem_mb=4000,
            runtime=720,
        params:
            architecture=config["base"]["architecture"],
            training=config["base"]["training"],
        script:
            "../scripts/base.py"
