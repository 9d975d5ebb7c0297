"""Kafka and Postgres for real: killed, restarted, broken, in a home that Postgres' user can't enter."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest
import sqlalchemy
from confluent_kafka.admin import AdminClient, NewTopic

from fogline.stack import processes
from fogline.stack.errors import StackError
from fogline.stack.ports import free_ports
from fogline.stack.postgres import Postgres
from fogline.stack.stack import Stack
from fogline.stack.waiting import wait_until
from tests.support.stacks import fresh_stack


def test_everything_killed_goes_on_with_its_data() -> None:
    with fresh_stack() as stack:
        stack.start_servers("kafka", "postgres")
        admin = AdminClient({"bootstrap.servers": stack.settings.bootstrap_servers})
        admin.create_topics([NewTopic("kept", 1)])["kept"].result(30)
        stack.parts.postgres.ensure_database("kept")
        killed = processes.of_home(stack.settings.home)
        for process in killed:
            process.kill()
        psutil.wait_procs(killed, timeout=30)

        stack.start_servers("kafka", "postgres")
        assert (
            "kept"
            in AdminClient({"bootstrap.servers": stack.settings.bootstrap_servers}).list_topics(timeout=10).topics
        )
        engine = sqlalchemy.create_engine(stack.parts.postgres.url("kept"))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        engine.dispose()
        assert stack.down()
        assert processes.of_home(stack.settings.home) == []
        assert not stack.down()


def test_a_broker_that_can_t_start_is_reported_with_its_log() -> None:
    with fresh_stack() as stack:
        stack.parts.kafka.prepare()
        identity = stack.settings.home / "kafka" / "data" / "meta.properties"
        identity.write_text("version=1\ncluster.id=another\nnode.id=77\n")
        with pytest.raises(StackError) as raised:
            stack.start_servers("kafka")
        assert str(raised.value).startswith("kafka ended at once each time")
        assert "node id" in str(raised.value) and str(stack.supervisor.log("kafka")) in str(raised.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another user")
def test_a_closed_home_has_its_database_where_the_user_can_reach_it(tmp_path: Path) -> None:
    home = tmp_path / "closed" / "home"
    home.mkdir(parents=True)
    home.parent.chmod(0o700)
    (port,) = free_ports(1)
    postgres = Postgres(home, port, "secret")
    try:
        postgres.prepare()
        assert postgres.folder != home / "postgres" and (home / "postgres").resolve() == postgres.folder
        server = subprocess.Popen(postgres.command(), user=postgres.user, group="nogroup", extra_groups=[], cwd="/")
        try:
            wait_until(postgres.ready, what="postgres", deadline_s=30)
            with pytest.raises(StackError, match="another password"):
                Postgres(home, port, "wrong").ready()
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(postgres.folder)


@pytest.mark.parametrize(("program", "limit"), [("scheduler", "20s"), ("dag-processor", "20s"), ("api-server", "0")])
def test_only_what_forks_loses_its_session_when_it_stalls_in_a_transaction(
    session_stack: Stack, postgres: str, monkeypatch: pytest.MonkeyPatch, program: str, limit: str
) -> None:
    programs = {one.name: one for one in session_stack.parts.programs(separate=False)}
    for name, value in programs[f"airflow-{program}"].environment.items():
        monkeypatch.setenv(name, value)
    engine = sqlalchemy.create_engine(postgres)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SHOW idle_in_transaction_session_timeout")) == limit
    engine.dispose()


def test_programs_that_the_user_can_not_reach_are_copied_with_all_they_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Postgres, "_reachable", lambda self, path: False)
    monkeypatch.setattr("fogline.stack.postgres._shared", lambda path: tmp_path / "copy")
    binaries = Postgres(tmp_path / "home", 1, "secret").binaries
    assert binaries.is_relative_to(tmp_path / "copy")
    done = subprocess.run([binaries / "initdb", "--version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_stale_pid_file_is_dropped_before_the_start(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path, 1, "secret")
    postgres.__dict__["folder"] = tmp_path
    postgres.data.mkdir()
    (postgres.data / "PG_VERSION").touch()
    pid_file = postgres.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n/somewhere\n")
    postgres.prepare()
    assert not pid_file.exists()
