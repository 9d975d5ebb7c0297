import pytest

from fogline.versions import Version, VersionError, parse_version


def test_a_version_is_read_as_it_is_written() -> None:
    assert parse_version("without_fog_3@20") == Version("without_fog_3", 20)
    assert str(Version("main", 12)) == "main@12"
    assert parse_version(" 12 ", "main") == Version("main", 12)


@pytest.mark.parametrize("text", ["", "main", "main@", "main@x", "@3", "main@-1", "a.b@3", "12"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(VersionError, match="write branch@number, for example main@12"):
        parse_version(text)
