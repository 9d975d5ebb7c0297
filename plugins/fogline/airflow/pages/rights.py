"""What the user of a request may do with DAGs, asked of Airflow's auth manager for many DAGs at once."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import Depends


@dataclass(frozen=True)
class Rights:
    """A user's rights; whoever is not logged in never gets as far."""

    user: BaseUser

    def readable(self, dag_ids: Collection[str]) -> set[str]:
        """Return the DAGs whose runs the user may read, whether Airflow has them at the moment or not."""
        return self._allowed("GET", DagAccessEntity.RUN, dag_ids)

    def startable(self, dag_ids: Collection[str]) -> set[str]:
        """Return the DAGs that the user may start."""
        return self._allowed("POST", DagAccessEntity.RUN, dag_ids)

    def editable(self, dag_ids: Collection[str]) -> set[str]:
        """Return the DAGs that the user may pause or let run."""
        return self._allowed("PUT", None, dag_ids)

    def _allowed(self, method: str, entity: DagAccessEntity | None, dag_ids: Collection[str]) -> set[str]:
        teams, manager = DagModel.get_dag_id_to_team_name_mapping(list(dag_ids)), get_auth_manager()
        return {
            dag_id
            for dag_id in dag_ids
            if manager.is_authorized_dag(
                method=method,  # type: ignore[arg-type]
                access_entity=entity,
                details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
                user=self.user,
            )
        }


def rights_of_user(user: GetUserDep) -> Rights:
    """Return the rights of whoever is logged in; nobody is an answer 401."""
    return Rights(user)


RightsDep = Annotated[Rights, Depends(rights_of_user)]
