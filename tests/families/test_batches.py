from adaptive_neon.families.batches import LARGEST, batch_size


def test_a_batch_has_the_pixels_of_32_images_of_cifar10_on_a_cpu():
    found = {side: batch_size("cpu", side) for side in (8, 16, 32, 64, 256)}
    assert found == {8: 500, 16: 125, 32: 25, 64: 5, 256: 5}
    assert all(LARGEST % size == 0 for size in found.values())
    assert batch_size("cuda", 32) == LARGEST
