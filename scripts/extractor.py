"""Train the classifier whose penultimate layer gives the features."""

from adaptive_neon.data.images import read_images
from adaptive_neon.evaluation.features import (
    classify_digits,
    cluster,
    train_digits_classifier,
    write_digits_classifier,
)
from adaptive_neon.jobs.job import job

with job(snakemake.log[0], snakemake.threads):
    images, labels = read_images(snakemake.input[0], "images")
    if labels is None:
        labels = cluster(images, snakemake.params.seed)
        print(f"the data have no classes; {labels.max() + 1} clusters of the pixels stand for them")
    classifier = train_digits_classifier(images, labels, snakemake.params.width, snakemake.params.seed)
    print(f"accuracy on the training images: {(classify_digits(classifier, images) == labels).mean():.4f}")
    write_digits_classifier(snakemake.output[0], classifier)
