# The real images and θ_r.


rule data:
    output:
        DATA,
    log:
        logs("data"),
    benchmark:
        benchmarks("data")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        data=config["data"],
    script:
        "../scripts/data.py"


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
        gpu=GPU,
        mem_mb=4000,
        runtime=720,
    params:
        architecture=config["base"]["architecture"],
        training=config["base"]["training"],
    script:
        "../scripts/base.py"
