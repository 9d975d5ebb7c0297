"""What a federation's DAGs are called."""

import re

from fogline.versions import MAIN

ROUND = "federated_round"
INITIALISE = "initialise_federation"
EVALUATE = "evaluate_model"
NEW_BRANCH = "new_branch"
COMPARE_BRANCHES = "compare_branches"
PROMOTE_BRANCH = "promote_branch"
ROLL_BACK = "roll_back"
RECORD_HISTORY = "record_history"
FAULT = "federation_file_is_broken"


def dag_id(kind: str, federation: str, branch: str = MAIN) -> str:
    """Return the id of a DAG of a federation; only rounds have one for each branch."""
    parts = (kind, federation) if branch == MAIN else (kind, federation, branch)
    return "__".join(parts)


def name_for_id(name: str) -> str:
    """Return a file's name with every character replaced that no id of a DAG may have."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:150]
