"""A federation file that can't be used shows up as a DAG that says why; the other federations' DAGs are not touched."""

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from fogline.airflow.dags import federation_faults

for name, fault in federation_faults().items():
    with DAG(
        dag_id=f"federation_file_is_broken__{name}",
        description=fault.splitlines()[0],
        doc_md=f"The file `{name}.yaml` can't be used:\n\n```\n{fault}\n```\n\nMend it.",
        schedule=None,
        tags=["fogline", name, "broken"],
        default_args={"owner": "fogline", "retries": 0},
    ) as dag:

        @task(task_id="say_why")
        def say_why(text: str) -> None:
            """Fail with what is wrong with the file."""
            raise AirflowFailException(text)

        say_why(fault)
    globals()[dag.dag_id] = dag
