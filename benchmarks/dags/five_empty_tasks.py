"""Five tasks that do nothing, one after another like a round's: what Airflow itself takes."""

from airflow.sdk import DAG, chain, task

with DAG(dag_id="five_empty_tasks", schedule=None, tags=["benchmark"]):

    @task
    def nothing() -> None:
        """Do nothing."""

    chain(*(nothing.override(task_id=f"nothing_{number}")() for number in range(1, 6)))
