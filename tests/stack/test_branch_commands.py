"""The verbs for branches, on the session's Kafka and Postgres, as a person types them."""

import getpass
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fogline.artifacts import ArtifactStore
from fogline.federation import federation_file, load_federation
from fogline.kafka.topics import ensure_topics
from fogline.ledger.database import Ledger
from fogline.ledger.migrate import upgrade
from fogline.stack.branch_commands import main
from fogline.stack.parts import LEDGER_DATABASE
from fogline.stack.stack import Stack
from fogline.steps.services import Services
from tests.support.cloud import Cloud
from tests.support.federations import small_federation
from tests.support.fogs import FogStandIn
from tests.support.rounds import initialise, whole_round


@pytest.fixture
def cloud(session_stack: Stack, kafka: str, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A federation of the test's own among those of the session's stack, with two rounds."""
    settings = session_stack.settings
    monkeypatch.setenv("FOGLINE_HOME", str(settings.home))
    ensure_topics(kafka)
    session_stack.parts.postgres.ensure_database(LEDGER_DATABASE)
    upgrade(session_stack.parts.ledger_url)
    services = Services(
        Ledger(session_stack.parts.ledger_url),
        {"bootstrap.servers": kafka},
        ArtifactStore((settings.home / "models").as_uri()),
    )
    name = f"small_{uuid.uuid4().hex[:8]}"
    federation = small_federation(settings.federations, name=name)
    cloud = Cloud(services, federation, FogStandIn(kafka, "fog-a"), FogStandIn(kafka, "fog-b"))
    initialise(cloud)
    whole_round(cloud, "r0", [1.0, 2.0], error=1.9)
    whole_round(cloud, "r1", [1.0, 3.0], error=1.8)
    yield cloud
    services.ledger.engine.dispose()
    for file in settings.federations.glob(f"{name}*.yaml"):
        file.unlink()


def fogline(cloud: Cloud, *arguments: str, fails: bool = False) -> str:
    done = CliRunner().invoke(main, [*arguments, "--federation", cloud.federation.federation])
    assert (done.exit_code != 0) == fails, done.output
    return done.output


def on_branch(cloud: Cloud, session_stack: Stack, branch: str) -> Cloud:
    file = federation_file(cloud.federation.federation, branch, session_stack.settings.federations)
    return Cloud(cloud.services, load_federation(file), cloud.fog_a, cloud.fog_b)


def test_a_branch_is_begun_trained_compared_promoted_and_rolled_back(
    cloud: Cloud, session_stack: Stack, tmp_path: Path
) -> None:
    name = cloud.federation.federation
    said = fogline(cloud, "branch", "new", "slow", "--from", "main@1", "--exclude", "fog-b", "--set", "owner=ann")
    assert "slow begins at main@1, its first interval is 1 (2024-01-02 00:00 to 2024-01-03 00:00 UTC)" in said
    assert f"The DAG federated_round__{name}__slow appears" in said
    assert f"backfill create --dag-id federated_round__{name}__slow --from-date 2024-01-02T00:00:00Z" in said
    branch = on_branch(cloud, session_stack, "slow")
    assert (branch.federation.owner, list(branch.federation.fogs)) == ("ann", ["fog-a"])

    whole_round(branch, "b1", [5.0, 5.0], error=1.5)
    picture = tmp_path / "compared.svg"
    said = fogline(cloud, "compare", "main", "slow", "--plot", str(picture))
    row = next(line for line in said.splitlines() if "2024-01-02" in line)
    assert row.split() == ["1", "2024-01-02", "main@2", "1.8", "slow@2", "1.5", "-0.3", "1", "1"]
    assert b"slow" in picture.read_bytes()

    said = fogline(cloud, "promote", "slow")
    assert f"main: main@2 → main@3 (the model of slow@2), head number 4, promoted by {getpass.getuser()}" in said
    assert "Next: interval 2 (2024-01-03 00:00" in said
    assert whole_round(cloud, "r2", [6.0, 6.0]).model.name == "main@4"

    said = fogline(cloud, "rollback", "main@3")
    assert f"main: main@4 → main@3, head number 6, rolled back by {getpass.getuser()}" in said
    assert "Fogs train from it with the next plan, and subscribers of global-model have it now" in said
    assert whole_round(cloud, "again", [7.0, 7.0]).model.name == "main@5"
    listed = fogline(cloud, "branch", "list")
    assert [line.split()[:3] for line in listed.splitlines()[3:]] == [
        ["main", "-", "main@5"],
        ["slow", "main@1", "slow@2"],
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["branch", "new", "slow", "--from", "main@9"], "main@9 does not exist; the newest version is main@2"),
        (["branch", "new", "slow", "--from", "first"], "'first' is no version; write branch@number"),
        (["branch", "new", "slow", "--from", "main@1", "--exclude", "fog-z"], "exclude: there is no fog fog-z; small_"),
        (["branch", "new", "slow", "--from", "main@1", "--set", "seed=2"], "seed: a branch can't have its own"),
        (["branch", "new", "main", "--from", "main@1"], "is there already; edit that file"),
        (["compare", "main", "slow"], "has no branch slow with a model; there are: main"),
        (["compare", "main", "slow", "--plot", "a.gif"], "end the name with .png or .svg"),
        (["promote", "slow"], "has no branch slow with a model; train a round on it first"),
        (["rollback", "main@2"], "main@2 is the head already; main can be rolled back to main@0, main@1"),
        (["rollback", "1", "--branch", "slow"], ".slow.yaml: there is no such file in"),
    ],
)
def test_what_can_not_be_done_is_one_line(cloud: Cloud, arguments: list[str], says: str) -> None:
    said = fogline(cloud, *arguments, fails=True)
    assert said.startswith("Error: ") and says in said and len(said.splitlines()) == 1


def test_an_unknown_federation_is_told(cloud: Cloud) -> None:
    done = CliRunner().invoke(main, ["promote", "slow", "--federation", "orchard"])
    assert "orchard.yaml: there is no such file in" in done.output and done.exit_code == 1


def test_without_the_servers_the_verbs_say_what_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOGLINE_HOME", str(tmp_path))
    for arguments in (["branch", "list"], ["compare", "a", "b"], ["promote", "a"], ["rollback", "main@1"]):
        done = CliRunner().invoke(main, arguments)
        assert "Fogline is not up, and this needs its Kafka and Postgres: ./fogline up" in done.output


def test_a_server_that_is_down_is_named(cloud: Cloud, session_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    port = session_stack.settings.kafka_port
    # The session's broker has other users.
    monkeypatch.setattr("fogline.stack.branch_commands.listening", lambda asked: asked != port)
    assert f"Kafka (port {port}) does not answer, and this needs it" in fogline(cloud, "promote", "slow", fails=True)
