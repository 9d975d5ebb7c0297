import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogline.blocks import BLOCK_N_PARAMETERS, BlockError, block_partition, decode, encode, vector_digest


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_a_vector_survives_the_wire(values: list[float]) -> None:
    vector = np.array(values, np.float32)
    assert np.array_equal(decode(encode(vector), vector.size, vector_digest(vector)), vector)


def test_blocks_fit_one_record_and_keep_their_order() -> None:
    vector = np.arange(2 * BLOCK_N_PARAMETERS + 1, dtype=np.float32)
    blocks = encode(vector)
    assert [len(block) for block in blocks] == [960_000, 960_000, 4]
    assert np.array_equal(decode(blocks, vector.size, vector_digest(vector)), vector)


def test_a_changed_or_short_vector_is_refused() -> None:
    vector = np.arange(3, dtype=np.float32)
    with pytest.raises(BlockError, match="digest"):
        decode(encode(vector + 1), 3, vector_digest(vector))
    with pytest.raises(BlockError, match="8 bytes, but 3 float32"):
        decode(encode(vector[:2]), 3, vector_digest(vector))


def test_the_same_block_of_every_fog_shares_a_partition() -> None:
    assert [block_partition(b, 4) for b in range(6)] == [0, 1, 2, 3, 0, 1]
