"""What the supervisor runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fogline.stack.settings import HOST, Settings


@dataclass(frozen=True)
class Program:
    """One supervised process.

    Attributes
    ----------
    name
        What ``status`` and ``logs`` call it.
    command
        The command in the foreground.
    user
        The system user to run as; None is the current one.
    stop_signal
        The signal that asks it to end.
    settle_s
        An end sooner than this after its start is a failed start: four of them in a row and the start of the stack is
        given up. With 0 every start counts as good. Java takes seconds to come to the setting that is wrong.
    final_exit_codes
        An end with one of these is final; after another the program is started again.
    environment
        Variables of this program alone, over the stack's.
    """

    name: str
    command: list[str]
    user: str | None = None
    stop_signal: str = "TERM"
    settle_s: int = 15
    final_exit_codes: tuple[int, ...] = (0,)
    environment: Mapping[str, str] = field(default_factory=dict)


def addresses(settings: Settings) -> dict[str, str]:
    """Return where the programs that listen can be reached, by their names."""
    return {
        "kafka": settings.bootstrap_servers,
        "postgres": f"{HOST}:{settings.postgres_port}",
        "spark-connect": f"sc://{HOST}:{settings.spark_connect_port}",
        "airflow-api-server": settings.airflow_url,
    }
