#!/bin/sh
# Installs Debian's Slurm and munge where they are missing; starts none of their services.
set -eu
for command in munged slurmctld slurmd sbatch; do
    command -v $command > /dev/null || missing="${missing:-} $command"
done
[ -n "${missing:-}" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "test-slurm needs$missing; install Debian's slurm-wlm and munge, which takes root" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -qq
apt-get install -qq -y --no-install-recommends slurm-wlm munge > /dev/null
