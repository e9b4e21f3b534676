"""The study with its files in object storage. No Kubernetes runs here: its profile is planned, not executed."""

from workflow import runner
from workflow.runner import SMALL

PROFILE = runner.ROOT / "profiles/kubernetes"


def test_the_plan_is_that_of_a_local_run(bucket, tmp_path):
    _, flags = bucket
    process = runner.run(tmp_path, None, "--workflow-profile", PROFILE, *flags, "--dry-run")
    assert process.returncode == 0, process.stdout
    assert runner.jobs(process.stdout) == runner.planned(tmp_path)
    bodies = {match["rule"]: match["body"] for match in runner.JOB.finditer(process.stdout)}
    assert "s3://neon/results/tiny/base/model.safetensors (send to storage)" in bodies["base"]
    assert "gpu=1" in bodies["generate"]
    assert "mem_mb=8000" in bodies["generate"]


def test_a_study_in_object_storage_has_the_result_of_a_local_one(bucket, tmp_path):
    bucket, flags = bucket
    folders = {name: tmp_path / name for name in ("local", "storage")}
    for folder in folders.values():
        folder.mkdir()
    process = runner.run(folders["local"], SMALL)
    assert process.returncode == 0, process.stdout
    process = runner.run(folders["storage"], SMALL, "--default-storage-provider", "s3", *flags)
    assert process.returncode == 0, process.stdout
    summary = bucket.Object("results/tiny/summary.json").get()["Body"].read()
    assert summary == (folders["local"] / "results/tiny/summary.json").read_bytes()
    assert not (folders["storage"] / "results/tiny/summary.json").exists()
