import pytest

from fogline.messages.answer import Answer
from fogline.messages.base import MAX_RECORD_BYTES, MessageError

SOUND = b'{"kind":"decline","plan_id":"f/main/1","fog":"a","specification_sha256":"x","reason":"no readings"}'


def test_a_record_survives_the_wire() -> None:
    answer = Answer.from_bytes(SOUND)
    assert Answer.from_bytes(answer.to_bytes()) == answer


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "no value"),
        (b"", "the whole"),
        (b"{", "the whole"),
        (b"null", "the whole"),
        (b"[]", "the whole"),
        (b'"text"', "the whole"),
        (b"{}", "kind: Field required"),
        (SOUND[:-5], "the whole"),
        (SOUND + SOUND, "the whole"),
        (SOUND.replace(b'"reason"', b'"raison"'), "raison: Extra inputs are not permitted"),
        (SOUND.replace(b'"a"', b'"a","n_examples":-1'), "n_examples"),
        (SOUND.replace(b'"a"', b'"a","update_norm_l2":NaN'), "update_norm_l2: "),
        (b" " * (MAX_RECORD_BYTES + 1), "above the limit"),
    ],
)
def test_a_bad_record_is_one_error_that_names_the_field(data: bytes | None, says: str) -> None:
    with pytest.raises(MessageError, match=says):
        Answer.from_bytes(data)
