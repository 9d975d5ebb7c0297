"""A federation's or branch's file that can't be used shows up as a DAG that says why; others are not touched."""

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from fogline.dag_ids import FAULT, name_for_id


def build(name: str, fault: str) -> DAG:
    """Return the DAG that says what is wrong with the file ``<name>.yaml``."""
    with DAG(
        dag_id=f"{FAULT}__{name_for_id(name)}",
        description=fault.splitlines()[0],
        doc_md=f"The file `{name}.yaml` can't be used:\n\n```\n{fault}\n```\n\nMend it.",
        schedule=None,
        tags=["fogline", name_for_id(name.partition(".")[0]), "broken"],
        default_args={"owner": "fogline", "retries": 0},
    ) as dag:

        @task(task_id="say_why")
        def say_why(text: str) -> None:
            """Fail with what is wrong with the file."""
            raise AirflowFailException(text)

        say_why(fault)
    return dag
