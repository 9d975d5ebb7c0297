"""Every DAG of every federation: rounds of each branch, and what stands beside them.

The federations are the files in `dags/federations`, or in the folder that `FOGLINE_FEDERATIONS` names. The DAGs \
themselves are in `fogline.airflow.dags`, one module a kind; begin with `federated_round`.
"""

# One file for all kinds, so that Airflow reads each federation file once when one has changed. Airflow looks for the
# words "airflow" and "dag" before it reads a file.
from fogline.airflow.dags import federation_dags

globals().update(federation_dags())
